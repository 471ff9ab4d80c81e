//! `optfs shadows`: everything that a stack hides, summed up as far as it is asked.

mod json_answer;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::failure::{Class, Failure};
use super::json;
use super::layers::StackArgs;
use super::ls::kind_word;
use super::size::{counted, human};
use super::stack_view::{View, checked_path};
use super::terminal::{Out, print};
use super::which::kind_of;
use crate::explain::{self, Compared, Conflict, Pair, Replaced, Row, Shadows, Tally};
use crate::path::RelPath;
use crate::stack::NodeId;

/// Rows of a table: what is left is summed up in one more.
const ROWS: usize = 12;
/// Files in a list that is not asked for as a whole.
const LARGEST: usize = 20;

/// Show what layers hide of each other, and what that costs
///
/// Each hidden file and link counts once, as identical to what is seen in its place, or as differing from it.
/// Where a file stands in the place of a directory, or a link in that of a file, the layers are in conflict;
/// these places are listed apart, with what was lost there.
#[derive(Args)]
pub(super) struct ShadowsArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Leave out what is identical to what is seen
    #[arg(long)]
    differing: bool,
    /// How to sum up
    #[arg(long, value_enum, value_name = "HOW", default_value_t = By::Layer)]
    by: By,
    /// Name every hidden path
    #[arg(short, long)]
    all: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Where to look, with or without /opt in front [default: the whole tree]
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// By the layer that is hidden and the one that is seen, then by directory
    Layer,
    /// By directory
    Dir,
    /// The largest hidden files
    Size,
}

pub(super) fn run(args: &ShadowsArgs) -> Result<ExitCode, Failure> {
    let view = View::open(&args.stack)?;
    let (path, mut shadows) = find(&view, args.path.as_deref())?;
    if args.differing {
        leave_out_identical(&mut shadows);
    }
    print(|out| {
        if args.json {
            json::write_line(out, &json_answer::answer(&view, &path, &shadows, args.all))?;
            return Ok(ExitCode::SUCCESS);
        }
        let report = Report {
            args,
            view: &view,
            shadows: &shadows,
        };
        report.print(out)?;
        Ok(ExitCode::SUCCESS)
    })
}

fn find(view: &View, path: Option<&std::path::Path>) -> Result<(Vec<u8>, Shadows), Failure> {
    let Some(path) = path else {
        return Ok((Vec::new(), explain::shadows(view.stack())));
    };
    let below = checked_path(path)?;
    let Ok(checked) = RelPath::check(&below) else {
        return Ok((below, explain::shadows(view.stack())));
    };
    match explain::shadows_below(view.stack(), &checked) {
        Some(shadows) => Ok((below, shadows)),
        None => {
            let message = format!("{}: no layer provides it", path.display());
            Err(Failure::new(Class::No, message)
                .hint("links are not followed here; 'optfs which' shows where they lead"))
        }
    }
}

fn leave_out_identical(shadows: &mut Shadows) {
    for pair in &mut shadows.pairs {
        pair.replaced.retain(|replaced| !replaced.is_identical);
        pair.tally.identical = Tally::default();
    }
    shadows.pairs.retain(|pair| !pair.replaced.is_empty());
}

struct Report<'a> {
    args: &'a ShadowsArgs,
    view: &'a View,
    shadows: &'a Shadows,
}

impl Report<'_> {
    fn print(&self, out: &mut Out) -> Result<(), Failure> {
        self.print_totals(out)?;
        match self.args.by {
            By::Layer => {
                for pair in &self.shadows.pairs {
                    self.print_pair(out, pair)?;
                }
            }
            By::Dir => self.print_directories(out)?,
            By::Size => self.print_largest(out)?,
        }
        if !self.shadows.conflicts.is_empty() {
            writeln!(out)?;
            out.bold("conflicts of kind")?;
            writeln!(out)?;
        }
        for conflict in &self.shadows.conflicts {
            self.print_conflict(out, conflict)?;
        }
        Ok(())
    }

    fn print_totals(&self, out: &mut Out) -> Result<(), Failure> {
        if self.shadows.is_empty() {
            let what = if self.args.differing {
                "nothing that differs"
            } else {
                "nothing"
            };
            return Ok(writeln!(out, "{what} is hidden")?);
        }
        let replaced = self.shadows.replaced();
        if !replaced.all().is_empty() {
            let (identical, differing) = (replaced.identical.entries, replaced.differing.entries);
            let files = counted(replaced.all().entries, "file");
            let how = match self.args.differing {
                true => " that differ:".to_owned(),
                false => format!(": {identical} identical, {differing} differ;"),
            };
            writeln!(out, "{files} hidden{how} {}", sizes(replaced.all()))?;
        }
        let (conflicts, lost) = (self.shadows.conflicts.len() as u64, self.shadows.lost());
        if conflicts > 0 {
            let (conflicts, names) = (counted(conflicts, "conflict"), counted(lost.entries, "name"));
            writeln!(out, "{conflicts} of kind: {names} lost; {}", sizes(lost))?;
        }
        Ok(())
    }

    fn print_pair(&self, out: &mut Out, pair: &Pair) -> Result<(), Failure> {
        let (hidden, seen) = (
            self.view.layer_and_place(pair.hidden),
            self.view.layer_and_place(pair.seen),
        );
        writeln!(out)?;
        out.bold(&match pair.hidden == pair.seen {
            true => format!("{hidden} under later entries of its own"),
            false => format!("{hidden} under {seen}"),
        })?;
        writeln!(out)?;
        if self.args.all {
            return self.print_files(out, by_path(self.view, &pair.replaced).into_iter());
        }
        self.print_table(out, &self.spread(pair.replaced.iter()), pair.tally)
    }

    fn print_directories(&self, out: &mut Out) -> Result<(), Failure> {
        let mut replaced = self.replaced();
        if replaced.is_empty() {
            return Ok(());
        }
        if !self.args.all {
            writeln!(out)?;
            return self.print_table(out, &self.spread(replaced.into_iter()), self.shadows.replaced());
        }
        let stack = self.view.stack();
        let directory = |replaced: &Replaced| stack.parent(replaced.node);
        replaced.sort_by_key(|replaced| (replaced.node, replaced.entry));
        for group in replaced.chunk_by(|one, other| directory(one) == directory(other)) {
            writeln!(out)?;
            self.print_directory(out, directory(group[0]))?;
            writeln!(out)?;
            self.print_files(out, group.iter().copied())?;
        }
        Ok(())
    }

    fn print_largest(&self, out: &mut Out) -> Result<(), Failure> {
        let size = |replaced: &Replaced| self.view.stack().entry(replaced.entry).declared_size;
        let mut replaced = self.replaced();
        replaced.sort_by_key(|replaced| (std::cmp::Reverse(size(replaced)), replaced.node));
        let shown = if self.args.all {
            replaced.len()
        } else {
            LARGEST.min(replaced.len())
        };
        if shown > 0 {
            writeln!(out)?;
        }
        let (largest, rest) = replaced.split_at(shown);
        if shown > 0 {
            out.dim(&format!("  {:<9}  {:>10}  layers     path", "", "size"))?;
            writeln!(out)?;
        }
        self.print_files(out, largest.iter().copied())?;
        if !rest.is_empty() {
            let bytes: u64 = rest
                .iter()
                .map(|replaced| size(replaced))
                .fold(0, u64::saturating_add);
            let more = format!("{} more files; --all names them", rest.len());
            writeln!(out, "  {:<9}  {:>10}  {:<9}  {more}", "", human(bytes), "")?;
        }
        Ok(())
    }

    /// All that is replaced, whoever hides whom.
    fn replaced(&self) -> Vec<&Replaced> {
        self.shadows
            .pairs
            .iter()
            .flat_map(|pair| &pair.replaced)
            .collect()
    }

    /// Hidden files, one a line.
    fn print_files<'r>(
        &self,
        out: &mut Out,
        replaced: impl Iterator<Item = &'r Replaced>,
    ) -> Result<(), Failure> {
        let stack = self.view.stack();
        let names_layers = self.args.by != By::Layer;
        for replaced in replaced {
            let entry = stack.entry(replaced.entry);
            let word = if replaced.is_identical {
                "identical"
            } else {
                "differs"
            };
            write!(out, "  {word:<9}  {:>10}  ", human(entry.declared_size))?;
            if names_layers {
                let (hidden, seen) = (replaced.entry.layer, stack.provider(replaced.node));
                out.dim(&format!("{} under {}  ", hidden.index() + 1, seen.index() + 1))?;
            }
            out.name(entry.path)?;
            writeln!(out)?;
        }
        Ok(())
    }

    fn spread<'r>(&self, replaced: impl Iterator<Item = &'r Replaced>) -> Vec<Row<Compared>> {
        let stack = self.view.stack();
        let directly = replaced.map(|r| (stack.parent(r.node), Compared::of(stack, r)));
        explain::spread(stack, directly, |compared| compared.all().entries, ROWS)
    }

    fn print_table(&self, out: &mut Out, rows: &[Row<Compared>], all: Compared) -> Result<(), Failure> {
        let line = |out: &mut Out, compared: Compared| -> Result<(), Failure> {
            if !self.args.differing {
                write!(out, "  {:>9}", compared.identical.entries)?;
            }
            Ok(write!(
                out,
                "  {:>7}  {:>10}  ",
                compared.differing.entries,
                human(compared.all().bytes)
            )?)
        };
        let identical = if self.args.differing { "" } else { "  identical" };
        out.dim(&format!(
            "{identical}  {:>7}  {:>10}  directory",
            "differ", "size"
        ))?;
        writeln!(out)?;
        let shown = if rows.len() > ROWS + 1 { ROWS } else { rows.len() };
        let (heaviest, rest) = rows.split_at(shown);
        for row in heaviest {
            line(out, row.tally)?;
            self.print_directory(out, row.directory)?;
            writeln!(out, "{}", if row.is_whole { "" } else { "  (itself)" })?;
        }
        if !rest.is_empty() {
            let mut sum = Compared::default();
            rest.iter().for_each(|row| sum += row.tally);
            line(out, sum)?;
            writeln!(out, "{} more directories; --all names the files", rest.len())?;
        }
        if rows.len() > 1 {
            line(out, all)?;
            writeln!(out, "all; {} zipped", human(all.all().compressed_bytes))?;
        }
        Ok(())
    }

    fn print_directory(&self, out: &mut Out, directory: NodeId) -> Result<(), Failure> {
        match directory == NodeId::ROOT {
            true => write!(out, "/opt/")?,
            false => {
                out.name(&self.view.stack().path(directory))?;
                write!(out, "/")?;
            }
        }
        Ok(())
    }

    fn print_conflict(&self, out: &mut Out, conflict: &Conflict) -> Result<(), Failure> {
        let stack = self.view.stack();
        write!(out, "  ")?;
        out.name(&stack.path(conflict.node))?;
        let (kind, seen) = (kind_word(kind_of(conflict.kind)), conflict.seen);
        writeln!(out, ": a {kind} of {}", self.view.layer_and_place(seen))?;
        for gave_way in &conflict.gave_way {
            let kind = kind_word(kind_of(gave_way.kind));
            let layer = self.view.layer_and_place(gave_way.layer);
            let (names, lost) = (counted(gave_way.lost.entries, "name"), human(gave_way.lost.bytes));
            let by = match gave_way.by == seen {
                true => String::new(),
                false => format!(", by {}", self.view.layer_name(gave_way.by)),
            };
            writeln!(
                out,
                "    took the place of a {kind} of {layer}: {names}, {lost} lost{by}"
            )?;
        }
        if self.args.all {
            for lost in &conflict.lost {
                let entry = stack.entry(lost.entry);
                write!(out, "    {:>10}  ", human(Tally::of(stack, lost.entry).bytes))?;
                out.name(entry.path)?;
                out.dim(&format!("  [{}]", self.view.layer_name(lost.entry.layer)))?;
                writeln!(out)?;
            }
        }
        Ok(())
    }
}

/// Hidden entries in the order of their paths' bytes; as they are found, they are in that of the tree.
fn by_path<'r>(view: &View, replaced: &'r [Replaced]) -> Vec<&'r Replaced> {
    let stack = view.stack();
    let mut sorted: Vec<_> = replaced.iter().map(|r| (stack.entry(r.entry).path, r)).collect();
    sorted.sort_unstable_by_key(|&(path, replaced)| (path, replaced.entry));
    sorted.into_iter().map(|(_, replaced)| replaced).collect()
}

/// Both sizes of what is hidden.
fn sizes(tally: Tally) -> String {
    let (unzipped, zipped) = (human(tally.bytes), human(tally.compressed_bytes));
    format!("{unzipped} unzipped, {zipped} zipped")
}
