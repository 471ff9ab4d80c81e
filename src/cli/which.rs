//! `optfs which`: the layer that provides a path and why, what it hides, and where links lead.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::failure::{Class, Failure};
use super::json;
use super::layers::StackArgs;
use super::ls::kind_word;
use super::printable::printable;
use super::size::{counted, human};
use super::stack_view::{View, checked_path, time_text};
use super::terminal::{Out, each, print};
use crate::explain::{self, Chain, Contribution, Hidden, Likeness, Reason, Seen, Which};
use crate::fs::{FsError, Kind};
use crate::path::{NameError, RelPath};
use crate::stack::{Body, EntryKind, EntryRef, LayerIdx, NodeId, Stop};

/// Say which layer provides a path and why, and what it hides
///
/// Links in the path are followed and shown, and where a link leads. 'differs' and 'identical' compare what
/// is hidden with what is seen. Exit status 1 when no layer provides one of the paths.
#[derive(Args)]
pub(super) struct WhichArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Paths in the tree, with or without /opt in front (can be repeated)
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(super) fn run(args: &WhichArgs) -> Result<ExitCode, Failure> {
    let view = View::open(&args.stack)?;
    print(|out| {
        each(out, &args.paths, |out, path| {
            let answer = Answer::find(&view, checked_path(path)?);
            match args.json {
                true => writeln!(out, "{}", answer.object())?,
                false => answer.print(out)?,
            }
            Ok(match answer.which.seen {
                Some(_) => ExitCode::SUCCESS,
                None => ExitCode::from(Class::No as u8),
            })
        })
    })
}

struct Answer<'a> {
    view: &'a View,
    /// From the root of the tree, which is the empty path.
    asked: Vec<u8>,
    /// The same without links on the way.
    real: Vec<u8>,
    /// The links on the way, and behind them those that the last one leads through.
    chain: Chain<FsError>,
    /// How many of the links are on the way.
    on_the_way: usize,
    which: Which,
}

impl Answer<'_> {
    fn find(view: &View, asked: Vec<u8>) -> Answer<'_> {
        let stack = view.stack();
        let target = |link: NodeId| view.fs.readlink(view.fs.attr(link).ino);
        let way = explain::chain(stack, &asked, false, target);
        let on_the_way = way.hops.len();
        let real = match &way.end {
            Ok(node) => stack.path(*node),
            Err(Stop::Missing { path } | Stop::NotADirectory { path }) => path.clone(),
            Err(_) => asked.clone(),
        };
        let which = match RelPath::check(&real) {
            Ok(checked) => explain::which(stack, &checked),
            Err(NameError::Empty) => explain::root(stack),
            // What is left of a path that a link's target made may have dots.
            Err(_) => Which::default(),
        };
        let is_link = matches!(
            which.seen,
            Some(Seen {
                body: Body::Symlink(_),
                ..
            })
        );
        let chain = match is_link {
            true => explain::chain(stack, &asked, true, target),
            false => way,
        };
        Answer {
            view,
            asked,
            real,
            chain,
            on_the_way,
            which,
        }
    }

    fn print(&self, out: &mut Out) -> Result<(), Failure> {
        out.name(if self.asked.is_empty() {
            b"/opt"
        } else {
            &self.asked
        })?;
        writeln!(out)?;
        self.print_links(out, 0..self.on_the_way)?;
        if self.on_the_way > 0 {
            label(out, "leads to")?;
            match &self.chain.end {
                Err(stop) if self.which.seen.is_none() => writeln!(out, "{}", nowhere(stop))?,
                _ => {
                    out.name(if self.real.is_empty() { b"/opt" } else { &self.real })?;
                    writeln!(out)?;
                }
            }
        }
        match &self.which.seen {
            None => writeln!(out, "  no layer provides it")?,
            Some(seen) => self.print_seen(out, seen)?,
        }
        let columns = self.columns();
        for hidden in &self.which.hidden {
            label(out, self.relation(hidden))?;
            let (entry, by) = (self.describe(hidden.entry, columns), self.by(hidden));
            writeln!(out, "{entry}{by}")?;
        }
        for buried in &self.which.buried {
            label(out, "buried")?;
            let (layer, lost) = (self.layer(buried.layer), buried.lost);
            let (names, size) = (counted(lost.entries, "name"), human(lost.bytes));
            let by = match self.which.seen.as_ref().map(|seen| seen.provider) {
                Some(provider) if provider == buried.by => String::new(),
                _ => format!("  by {}", self.view.layer_name(buried.by)),
            };
            writeln!(out, "{layer}  a directory: {names} below, {size}{by}")?;
        }
        if self.chain.hops.len() > self.on_the_way || self.is_link() {
            self.print_links(out, self.on_the_way..self.chain.hops.len())?;
            label(out, "leads to")?;
            writeln!(out, "{}", self.end_text())?;
        }
        Ok(())
    }

    fn is_link(&self) -> bool {
        let seen = self.which.seen.as_ref();
        seen.is_some_and(|seen| matches!(seen.body, Body::Symlink(_)))
    }

    fn print_links(&self, out: &mut Out, which: std::ops::Range<usize>) -> Result<(), Failure> {
        for hop in &self.chain.hops[which] {
            label(out, "link")?;
            out.name(&self.view.stack().path(hop.link))?;
            write!(out, " -> ")?;
            out.name(&hop.target)?;
            out.dim(&format!("  [{}]", self.view.layer_name(hop.provider)))?;
            writeln!(out)?;
        }
        Ok(())
    }

    fn print_seen(&self, out: &mut Out, seen: &Seen) -> Result<(), Failure> {
        label(out, "seen")?;
        match seen.body {
            Body::File(entry) | Body::Symlink(entry) => {
                writeln!(out, "{}", self.describe(entry, self.columns()))?;
            }
            Body::Directory(_) => {
                let layers = seen.contributions.len() as u64;
                writeln!(out, "a directory of {}", counted(layers, "layer"))?;
            }
        }
        label(out, "why")?;
        writeln!(out, "{}", self.why(seen))?;
        let names = |c: &Contribution| self.layer(c.layer).chars().count();
        let columns = seen.contributions.iter().map(names).max().unwrap_or(0);
        for its in &seen.contributions {
            label(out, "layer")?;
            let (layer, files) = (self.layer(its.layer), counted(its.seen.entries, "file"));
            let size = human(its.seen.bytes);
            write!(out, "{layer:<columns$}  {files:>12}  {size:>10}")?;
            if !its.hidden.is_empty() {
                let size = human(its.hidden.bytes);
                write!(out, "  hidden: {}, {size}", its.hidden.entries)?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    /// Why it is this one that is seen, in a sentence.
    fn why(&self, seen: &Seen) -> String {
        if let Body::Directory(entry) = seen.body {
            let layer = self.view.layer_name(seen.provider);
            return match entry {
                Some(_) => format!("directories are merged; mode and time are of {layer}"),
                None => format!("directories are merged; none has an entry, {layer} is the first to need it"),
            };
        }
        let (win, twice) = (seen.win, format!("{} of its entries", seen.win.entries));
        match (win.layers, win.entries) {
            (1, 1) => "the only layer that has it".to_owned(),
            (1, _) => format!("the only layer that has it; the last {twice} of that name counts"),
            (layers, 1) => format!("the last of {layers} layers that have it"),
            (layers, _) => {
                format!("the last of {layers} layers that have it; the last {twice} of that name counts")
            }
        }
    }

    /// Where a link at the end leads.
    fn end_text(&self) -> String {
        match &self.chain.end {
            Err(stop) => nowhere(stop),
            Ok(node) => {
                let stack = self.view.stack();
                let (path, provider) = (stack.path(*node), self.layer(stack.provider(*node)));
                let shown = if path.is_empty() { &b"/opt"[..] } else { &path };
                let shown = printable(shown);
                match stack.body(*node) {
                    Body::Directory(_) => format!("{shown}, a directory"),
                    Body::File(_) => format!("{shown}, a file of {provider}"),
                    // Never: a walk that follows the last link ends at none.
                    Body::Symlink(_) => format!("{shown}, a link of {provider}"),
                }
            }
        }
    }

    fn layer(&self, layer: LayerIdx) -> String {
        self.view.layer_and_place(layer)
    }

    fn describe(&self, entry: EntryRef, (layer_columns, size_columns): (usize, usize)) -> String {
        let e = self.view.stack().entry(entry);
        let layer = format!("{:<layer_columns$}", self.layer(entry.layer));
        let (size, time) = (human(e.declared_size), time_text(e.mtime.seconds));
        match kind_of(e.kind) {
            Kind::Directory => format!("{layer}  directory  {time}"),
            Kind::File => format!("{layer}  {size:>size_columns$}  crc {:08x}  {time}", e.crc),
            Kind::Symlink => format!("{layer}  symlink  {time}"),
        }
    }

    /// Of layers and sizes, so that what one would compare stands below each other.
    fn columns(&self) -> (usize, usize) {
        let layer = self.widest(|entry| self.layer(entry.layer));
        let size = self.widest(|entry| human(self.view.stack().entry(entry).declared_size));
        (layer, size)
    }

    fn widest(&self, text: impl Fn(EntryRef) -> String) -> usize {
        let seen = self.which.seen.iter().filter_map(|seen| match seen.body {
            Body::File(entry) | Body::Symlink(entry) => Some(entry),
            Body::Directory(_) => None,
        });
        let entries = seen.chain(self.which.hidden.iter().map(|hidden| hidden.entry));
        let widths = entries.map(|entry| text(entry).chars().count());
        widths.max().unwrap_or(0)
    }

    /// How a hidden entry stands to what is seen.
    fn relation(&self, hidden: &Hidden) -> &'static str {
        match (&hidden.reason, self.likeness(hidden)) {
            (Reason::Buried { .. }, _) => "buried",
            (Reason::Replaced, None) => "hidden",
            (Reason::Replaced, Some(Likeness::Same)) => "identical",
            (Reason::Replaced, Some(Likeness::Differs)) => "differs",
            (Reason::Replaced, Some(Likeness::OtherKind)) => "other kind",
        }
    }

    /// Who hid an entry, where that is not plain from what is seen.
    fn by(&self, hidden: &Hidden) -> String {
        let layer = self.view.layer_name(hidden.by);
        let seen = self.which.seen.as_ref().map(|seen| seen.provider);
        match &hidden.reason {
            Reason::Buried { under } => format!("  {layer} has {}, no directory", printable(under)),
            Reason::Replaced if seen == Some(hidden.by) => String::new(),
            Reason::Replaced => format!("  hidden by {layer}"),
        }
    }

    /// How a hidden entry compares with what is seen, if anything is.
    fn likeness(&self, hidden: &Hidden) -> Option<Likeness> {
        let stack = self.view.stack();
        self.which.seen.as_ref().map(|seen| match seen.body {
            Body::File(entry) | Body::Symlink(entry) => explain::likeness(stack, entry, hidden.entry),
            Body::Directory(_) => Likeness::OtherKind,
        })
    }

    fn object(&self) -> Value {
        let seen = self.which.seen.as_ref().map(|seen| self.seen_object(seen));
        let hidden = self.which.hidden.iter().map(|hidden| {
            let mut object = self.entry_object(hidden.entry);
            object["hidden_by"] = json::layer(self.view, hidden.by);
            object["identical"] = json!(self.likeness(hidden) == Some(Likeness::Same));
            if let Reason::Buried { under } = &hidden.reason {
                json::put_name(&mut object, "buried_under", under);
            }
            object
        });
        let buried = self.which.buried.iter().map(|buried| {
            let mut object = json::layer(self.view, buried.layer);
            object["hidden_by"] = json::layer(self.view, buried.by);
            object["lost"] = json::tally(buried.lost);
            object
        });
        let links = self.chain.hops.iter().map(|hop| {
            let mut object = json::layer(self.view, hop.provider);
            json::put_name(&mut object, "path", &self.view.stack().path(hop.link));
            json::put_name(&mut object, "target", &hop.target);
            object
        });
        let has_links = !self.chain.hops.is_empty() || self.is_link();
        let mut answer = json!({
            "seen": seen,
            "hidden": hidden.collect::<Value>(),
            "buried": buried.collect::<Value>(),
            "links": links.collect::<Value>(),
            "leads_to": has_links.then(|| self.end_object()),
        });
        json::put_name(&mut answer, "path", &self.asked);
        match &self.which.seen {
            Some(_) => json::put_name(&mut answer, "real_path", &self.real),
            None => answer["real_path"] = Value::Null,
        }
        json::document("which", answer)
    }

    fn seen_object(&self, seen: &Seen) -> Value {
        let mut object = match seen.body {
            Body::File(entry) | Body::Symlink(entry) | Body::Directory(Some(entry)) => {
                self.entry_object(entry)
            }
            Body::Directory(None) => json!({ "type": "directory" }),
        };
        let is_directory = matches!(seen.body, Body::Directory(_));
        let why = match (is_directory, seen.win.layers, seen.win.entries) {
            (true, _, _) => "merged",
            (false, 1, 1) => "only",
            (false, 1, _) => "later_entry",
            (false, _, _) => "last_layer",
        };
        object["why"] = json!(why);
        object["of_layers"] = json!(seen.win.layers);
        object["of_entries"] = json!(seen.win.entries);
        if is_directory {
            let in_layer = |its: &Contribution| {
                let mut object = json::layer(self.view, its.layer);
                object["files"] = json!(its.seen.entries);
                object["size"] = json!(its.seen.bytes);
                object["hidden"] = json::tally(its.hidden);
                object
            };
            let (seen_ones, others): (Vec<_>, Vec<_>) =
                seen.contributions.iter().partition(|its| its.is_seen());
            object["layers"] = seen_ones.into_iter().map(in_layer).collect();
            object["hidden_layers"] = others.into_iter().map(in_layer).collect();
        }
        object
    }

    fn end_object(&self) -> Value {
        let stack = self.view.stack();
        let node = match &self.chain.end {
            Ok(node) => *node,
            Err(stop) => {
                let (problem, name) = match stop {
                    Stop::Missing { path } => ("missing", Some(("path", path))),
                    Stop::NotADirectory { path } => ("not_a_directory", Some(("path", path))),
                    Stop::Loop => ("loop", None),
                    Stop::Outside(target) => ("outside", Some(("target", target))),
                    Stop::Unreadable { .. } => ("unreadable", None),
                };
                let mut object = json!({ "problem": problem });
                if let Some((field, name)) = name {
                    json::put_name(&mut object, field, name);
                }
                return object;
            }
        };
        let mut object = json::layer(self.view, stack.provider(node));
        json::put_name(&mut object, "path", &stack.path(node));
        object["type"] = json!(kind_word(self.view.fs.attr(node).kind));
        object
    }

    fn entry_object(&self, entry: EntryRef) -> Value {
        let e = self.view.stack().entry(entry);
        let mut object = json::layer(self.view, entry.layer);
        object["type"] = json!(kind_word(kind_of(e.kind)));
        object["mtime"] = json!(e.mtime.seconds);
        if kind_of(e.kind) != Kind::Directory {
            object["size"] = json!(e.declared_size);
            object["crc32"] = json!(format!("{:08x}", e.crc));
        }
        object
    }
}

/// What a line is about, where all of them begin alike.
fn label(out: &mut Out, word: &str) -> Result<(), Failure> {
    let text = format!("  {word:<10}  ");
    match word {
        "seen" => out.bold(&text)?,
        _ => out.dim(&text)?,
    }
    Ok(())
}

/// Why a path ends at nothing.
fn nowhere(stop: &Stop<FsError>) -> String {
    match stop {
        Stop::Missing { path } => format!("nothing: there is no {}", printable(path)),
        Stop::NotADirectory { path } => {
            format!("nothing: {} has a file for a directory", printable(path))
        }
        Stop::Loop => "nothing: too many links, they go round in a loop".to_owned(),
        Stop::Outside(target) => format!("{}, outside of /opt", printable(target)),
        Stop::Unreadable { error, .. } => {
            format!("what cannot be read: {}", printable(error.to_string().as_bytes()))
        }
    }
}

/// A kind of entry as the kind of file that it is.
pub(super) fn kind_of(kind: EntryKind) -> Kind {
    match kind {
        EntryKind::Directory => Kind::Directory,
        EntryKind::File => Kind::File,
        EntryKind::Symlink => Kind::Symlink,
    }
}
