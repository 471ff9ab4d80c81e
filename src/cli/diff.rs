//! `optfs diff`: what is different between two stacks, two orders of one stack, or a stack and a directory.

mod json;
mod stat;
mod unified;

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::Verbosity;
use super::bar::Bar;
use super::failure::{Class, Failure};
use super::json::write_line;
use super::layers::StackArgs;
use super::operand::Operand;
use super::printable::printable;
use super::size::{counted, human};
use super::stack_view::{View, time_text};
use super::terminal::{Out, print};
use crate::explain::diff::{self, Change, Diff, Options, Side, Unread};
use crate::explain::{Facts, Kind, Merged, OnDisk, Tree};

/// Columns of paths behind which what has changed is aligned.
const PATH_COLUMNS: usize = 44;

/// Show what differs between two stacks, or a stack and a directory
///
/// A and B are each a stack file, a zip, zips joined by colons (a.zip:b.zip, first to last; '\:' is a colon
/// in a name), a function of the store (function:NAME), or a directory. The files of zips are told apart by size and CRC-32, without being read;
/// those of a directory are read. Exit status 1 when there is a difference.
#[derive(Args)]
#[command(override_usage = "optfs diff [OPTIONS] A B\n       \
                            optfs diff [OPTIONS] --layer ZIP... B\n       \
                            optfs diff [OPTIONS] --stack FILE B")]
pub(super) struct DiffArgs {
    /// What is compared: before, and after
    #[arg(required = true, num_args = 1..=2, value_name = "A B")]
    sides: Vec<PathBuf>,
    #[command(flatten)]
    stack: StackArgs,
    /// Times count too, in whole seconds; those of directories only where they have entries
    #[arg(long)]
    times: bool,
    /// Permission bits that do not count, because extracting took them away
    #[arg(long, value_name = "OCTAL", default_value = "000", value_parser = octal)]
    umask: u16,
    /// The lines of one file that differ, as 'patch -p1' takes them (can be repeated)
    #[arg(long, short = 'u', value_name = "PATH", conflicts_with_all = ["stat", "name_only", "json", "times"])]
    unified: Vec<PathBuf>,
    /// Only counts, for each directory down to the second level
    #[arg(long, conflicts_with_all = ["name_only", "json"])]
    stat: bool,
    /// Only the paths, one a line
    #[arg(long, conflicts_with = "json")]
    name_only: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// No progress bar [default: one, on a terminal]
    #[arg(long)]
    no_progress: bool,
}

pub(super) fn run(args: &DiffArgs, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    let [before, after] = operands(args)?;
    let sides = [Compared::of(&before), Compared::of(&after)];
    if !args.unified.is_empty() {
        return unified::run(&sides, &args.unified);
    }
    let [before, after] = &sides;
    let options = Options {
        times: args.times,
        mask: args.umask,
    };
    let bar = Bar::new(args.no_progress, verbosity);
    let diff = diff::diff(before.tree(), after.tree(), options, &bar);
    bar.end();
    let printed = print(|out| {
        match args {
            DiffArgs { json: true, .. } => write_line(out, &json::answer(&sides, &diff))?,
            DiffArgs { stat: true, .. } => stat::print(out, &diff)?,
            DiffArgs { name_only: true, .. } => {
                for change in &diff.changes {
                    out.name(&change.path)?;
                    writeln!(out)?;
                }
            }
            _ => Page { sides: &sides, out }.print(&diff, args.umask)?,
        }
        Ok(match diff.changes.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(Class::No as u8),
        })
    })?;
    match diff.unread.is_empty() {
        true => Ok(printed),
        false => Err(trouble(&sides, &diff.unread)),
    }
}

fn octal(value: &str) -> Result<u16, String> {
    match u16::from_str_radix(value, 8) {
        Ok(mask @ 0..=0o777) => Ok(mask),
        _ => Err("expected octal permission bits such as 022".to_owned()),
    }
}

fn operands(args: &DiffArgs) -> Result<[Operand; 2], Failure> {
    let by_option = args.stack.is_named();
    match (by_option, args.sides.as_slice()) {
        (true, [after]) => Ok([
            Operand::of_options(&args.stack)?,
            Operand::named(after, &args.stack.store)?,
        ]),
        (false, [before, after]) => Ok([
            Operand::named(before, &args.stack.store)?,
            Operand::named(after, &args.stack.store)?,
        ]),
        (true, _) => Err(Failure::new(
            Class::Usage,
            "three things to compare: options name one, and two are named without",
        )
        .hint("leave the options out, or one of the two: optfs diff --stack FILE B")),
        (false, _) => Err(Failure::new(Class::Usage, "only one thing to compare is named")
            .hint("name two: optfs diff old.stack new.stack, or optfs diff a.zip:b.zip DIR")),
    }
}

fn trouble(sides: &[Compared<'_>; 2], unread: &[Unread]) -> Failure {
    for unread in unread {
        let compared = &sides[usize::from(unread.in_after)];
        let path = match compared {
            Compared::Directory(listed) => listed.root().join(OsStr::from_bytes(&unread.path)),
            Compared::Stack(..) => OsStr::from_bytes(&unread.path).into(),
        };
        let path = printable(path.as_os_str().as_bytes()).into_owned();
        eprintln!("optfs: {path}: {}", sayable(&unread.why));
    }
    let count = counted(unread.len() as u64, "path");
    Failure::new(
        Class::Trouble,
        format_args!("{count} cannot be compared, all others were"),
    )
    .hint("compare as a user who may read them")
}

/// What the system said, without the number behind it.
fn sayable(why: &str) -> &str {
    why.split_once(" (os error ").map_or(why, |(said, _)| said)
}

/// One of the two things that are compared.
enum Compared<'a> {
    Stack(&'a View, Merged<'a>),
    Directory(&'a OnDisk),
}

impl<'a> Compared<'a> {
    fn of(operand: &'a Operand) -> Compared<'a> {
        match operand {
            Operand::Stack(view) => Compared::Stack(view, Merged(view.stack(), view.fs.content())),
            Operand::Directory(listed) => Compared::Directory(listed),
        }
    }

    fn tree(&self) -> &dyn Tree {
        match self {
            Compared::Stack(_, merged) => merged,
            Compared::Directory(listed) => *listed,
        }
    }

    fn view(&self) -> Option<&'a View> {
        match self {
            Compared::Stack(view, _) => Some(view),
            Compared::Directory(_) => None,
        }
    }
}

/// What people read: a line for each difference. What came or went as a whole is one line.
struct Page<'a> {
    sides: &'a [Compared<'a>; 2],
    out: &'a mut Out,
}

impl Page<'_> {
    fn print(mut self, diff: &Diff, umask: u16) -> Result<(), Failure> {
        let shown = || diff.changes.iter().filter(|change| !change.within);
        let widths = shown().map(|change| path_text(change).chars().count());
        let columns = widths.filter(|&width| width <= PATH_COLUMNS).max().unwrap_or(0);
        for change in shown() {
            self.line(change, columns)?;
        }
        let mut counts = [0u64; 3];
        for change in &diff.changes {
            counts[status(change) as usize] += 1;
        }
        counts[Status::Added as usize] += diff.unlisted.added;
        counts[Status::Removed as usize] += diff.unlisted.removed;
        if diff.changes.is_empty() {
            writeln!(self.out, "no difference in {}", counted(diff.same, "path"))?;
            return Ok(());
        }
        let [added, removed, changed] = counts;
        writeln!(
            self.out,
            "\n{added} added, {removed} removed, {changed} changed, {} the same",
            diff.same
        )?;
        if let Some(mask) = self.umask_of(diff).filter(|mask| mask & !umask != 0) {
            let mask = mask | umask;
            writeln!(
                self.out,
                "every mode is other by what a umask takes away: --umask {mask:03o} leaves that out"
            )?;
        }
        Ok(())
    }

    fn line(&mut self, change: &Change, columns: usize) -> Result<(), Failure> {
        let (word, colour) = [("added", "32"), ("removed", "31"), ("changed", "33")][status(change) as usize];
        self.out.coloured(colour, &format!("{word:<9}"))?;
        let path = path_text(change);
        self.out.name(&change.path)?;
        if path.ends_with('/') {
            write!(self.out, "/")?;
        }
        let detail = self.detail(change);
        if !detail.is_empty() {
            let gap = columns.saturating_sub(path.chars().count());
            write!(self.out, "{:gap$}  ", "")?;
            self.out.dim(&detail)?;
        }
        Ok(writeln!(self.out)?)
    }

    fn detail(&self, change: &Change) -> String {
        let [first, second] = self.sides;
        match (&change.before, &change.after) {
            (Some(before), Some(after)) => {
                let (b, a) = (&before.facts, &after.facts);
                let mut said = Vec::new();
                if change.differs.kind {
                    let below = match change.below {
                        0 => String::new(),
                        n => format!(" ({n} below)"),
                    };
                    said.push(match b.kind {
                        Kind::Directory => format!("{}{below} → {}", kind(b.kind), kind(a.kind)),
                        _ => format!("{} → {}{below}", kind(b.kind), kind(a.kind)),
                    });
                }
                if change.differs.content {
                    let [then, now] = [b.size, a.size].map(human);
                    said.push(match b.size == a.size {
                        true => format!("other content, {now}"),
                        false if then == now => format!("{} B → {} B", b.size, a.size),
                        false => format!("{then} → {now}"),
                    });
                }
                if change.differs.target {
                    said.push(format!("{} → {}", first.target(before), second.target(after)));
                }
                if change.differs.mode {
                    said.push(format!("mode {:04o} → {:04o}", b.mode, a.mode));
                }
                if change.differs.time {
                    said.push(format!("{} → {}", time(b), time(a)));
                }
                said.join(", ")
            }
            (Some(side), None) => first.one_sided(change, side),
            (None, Some(side)) => second.one_sided(change, side),
            (None, None) => String::new(),
        }
    }

    /// The umask that explains every mode that differs, where one side is a directory on disk.
    fn umask_of(&self, diff: &Diff) -> Option<u16> {
        let modes = |change: &Change| match (&change.before, &change.after) {
            (Some(b), Some(a)) if change.differs.mode => Some((b.facts.mode, a.facts.mode)),
            _ => None,
        };
        let is_swapped = match (self.sides[0].view(), self.sides[1].view()) {
            (Some(_), None) => false,
            (None, Some(_)) => true,
            _ => return None,
        };
        let pairs = || {
            let all = diff.changes.iter().filter_map(modes);
            all.map(move |(b, a)| if is_swapped { (a, b) } else { (b, a) })
        };
        let mask = pairs().fold(0, |mask, (zip, disk)| mask | (zip ^ disk));
        (mask != 0 && pairs().all(|(zip, disk)| zip & !mask == disk)).then_some(mask)
    }
}

impl Compared<'_> {
    fn target(&self, side: &Side) -> String {
        match self.tree().target(side.at) {
            Ok(target) => printable(&target).into_owned(),
            Err(_) => "?".to_owned(),
        }
    }

    fn one_sided(&self, change: &Change, side: &Side) -> String {
        let layer = match (self.view(), self.tree().layer(side.at)) {
            (Some(view), Some(layer)) if side.facts.kind != Kind::Directory => {
                format!("  {}", view.layer_name(layer))
            }
            _ => String::new(),
        };
        let what = match (side.facts.kind, change.below) {
            (Kind::Directory, 0) => String::new(),
            (Kind::Directory, below) => format!("{below} below, {}", human(change.below_bytes)),
            (Kind::File, _) => human(side.facts.size),
            (Kind::Symlink, _) => format!("-> {}", self.target(side)),
            (Kind::Other(what), _) => format!("a {what}"),
        };
        what + &layer
    }
}

#[derive(Clone, Copy)]
enum Status {
    Added,
    Removed,
    Changed,
}

fn status(change: &Change) -> Status {
    match (&change.before, &change.after) {
        (None, _) => Status::Added,
        (_, None) => Status::Removed,
        (Some(_), Some(_)) => Status::Changed,
    }
}

/// A path as it is shown: a directory that came or went has a slash behind it.
fn path_text(change: &Change) -> String {
    let mut text = printable(&change.path).into_owned();
    let is_directory = |side: &Option<Side>| side.is_none_or(|side| side.facts.kind == Kind::Directory);
    if is_directory(&change.before) && is_directory(&change.after) {
        text.push('/');
    }
    text
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Directory => "directory",
        Kind::File => "file",
        Kind::Symlink => "symlink",
        Kind::Other(what) => what,
    }
}

fn time(facts: &Facts) -> String {
    facts
        .mtime
        .map_or("no time".to_owned(), |time| time_text(time.seconds))
}
