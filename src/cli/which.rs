//! `optfs which`: the layer that provides a path, and what it hides.

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
use super::size::human;
use super::stack_view::{View, below_home, time_text};
use super::terminal::{Out, each, print};
use crate::explain::{self, Hidden, Likeness, Reason, Which};
use crate::fs::Kind;
use crate::path::{NameError, RelPath};
use crate::stack::{Body, EntryRef, LayerIdx};

/// Say which layer provides a path, and what it hides
///
/// Exit status 1 when no layer provides one of the paths.
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
            let inside = below_home(path);
            let (path_in_tree, which) = match RelPath::check(&inside) {
                Ok(checked) => (
                    checked.as_bytes().to_vec(),
                    explain::which(view.stack(), &checked),
                ),
                Err(NameError::Empty) => (Vec::new(), explain::root(view.stack())),
                Err(e) => {
                    return Err(Failure::new(
                        Class::Usage,
                        format_args!("{}: {e}", path.display()),
                    ));
                }
            };
            let answer = Answer {
                view: &view,
                path: &path_in_tree,
                which: &which,
            };
            match args.json {
                true => writeln!(out, "{}", answer.object())?,
                false => answer.print(out)?,
            }
            Ok(match which.seen {
                Some(_) => ExitCode::SUCCESS,
                None => ExitCode::from(Class::No as u8),
            })
        })
    })
}

struct Answer<'a> {
    view: &'a View,
    /// From the root of the tree, which is the empty path.
    path: &'a [u8],
    which: &'a Which,
}

impl Answer<'_> {
    fn print(&self, out: &mut Out) -> Result<(), Failure> {
        out.name(if self.path.is_empty() { b"/opt" } else { self.path })?;
        writeln!(out)?;
        match &self.which.seen {
            None => writeln!(out, "  no layer provides it{}", self.through_links())?,
            Some(seen) => {
                out.bold("  seen    ")?;
                match seen.body {
                    Body::File(entry) | Body::Symlink(entry) => writeln!(out, "{}", self.describe(entry))?,
                    Body::Directory(_) => {
                        let names: Vec<_> =
                            seen.contributors.iter().map(|&layer| self.layer(layer)).collect();
                        writeln!(out, "a directory, of {}", names.join(", "))?;
                    }
                }
            }
        }
        for hidden in &self.which.hidden {
            out.dim("  hidden  ")?;
            let (entry, why) = (self.describe(hidden.entry), self.why(hidden));
            writeln!(out, "{entry}  {why}")?;
        }
        Ok(())
    }

    /// No link is followed in the answer, as layers never write through one. Who typed a path that
    /// leads through links wants to know where it ends.
    fn through_links(&self) -> String {
        let walked = self.view.fs.walk(self.path, true);
        match walked.ok().and_then(|ino| self.view.fs.node(ino).ok()) {
            Some(node) => {
                let path = self.view.stack().path(node);
                format!(": a symlink leads from there to {}", printable(&path))
            }
            None => String::new(),
        }
    }

    fn layer(&self, layer: LayerIdx) -> String {
        format!("{} (layer {})", self.view.layer_name(layer), layer.index() + 1)
    }

    fn describe(&self, entry: EntryRef) -> String {
        let e = self.view.stack().entry(entry);
        let layer_columns = self.widest(|entry| self.layer(entry.layer));
        let layer = format!("{:<layer_columns$}", self.layer(entry.layer));
        let kind = kind_of(e.kind);
        let size_columns = self.widest(|entry| human(self.view.stack().entry(entry).declared_size));
        let (size, time) = (human(e.declared_size), time_text(e.mtime.seconds));
        match kind {
            Kind::Directory => format!("{layer}  directory  {time}"),
            Kind::File => format!("{layer}  {size:>size_columns$}  crc {:08x}  {time}", e.crc),
            Kind::Symlink => format!("{layer}  symlink  {time}"),
        }
    }

    /// So that what one would compare stands below each other.
    fn widest(&self, text: impl Fn(EntryRef) -> String) -> usize {
        let seen = self.which.seen.iter().filter_map(|seen| match seen.body {
            Body::File(entry) | Body::Symlink(entry) => Some(entry),
            Body::Directory(_) => None,
        });
        let entries = seen.chain(self.which.hidden.iter().map(|hidden| hidden.entry));
        let widths = entries.map(|entry| text(entry).chars().count());
        widths.max().unwrap_or(0)
    }

    fn why(&self, hidden: &Hidden) -> String {
        let layer = self.view.layer_name(hidden.by);
        match &hidden.reason {
            Reason::Replaced if self.is_identical(hidden) => "same content".to_owned(),
            Reason::Replaced => format!("replaced by {layer}"),
            Reason::Buried { under } => format!("{layer} has {}, no directory", printable(under)),
        }
    }

    fn is_identical(&self, hidden: &Hidden) -> bool {
        let seen = self.which.seen.as_ref();
        seen.is_some_and(|seen| match seen.body {
            Body::File(entry) | Body::Symlink(entry) => {
                explain::likeness(self.view.stack(), entry, hidden.entry) == Likeness::Same
            }
            Body::Directory(_) => false,
        })
    }

    fn object(&self) -> Value {
        let seen = self.which.seen.as_ref().map(|seen| match seen.body {
            Body::File(entry) | Body::Symlink(entry) | Body::Directory(Some(entry)) => {
                let mut object = self.entry_object(entry);
                if !seen.contributors.is_empty() {
                    object["layers"] = self.layers_object(&seen.contributors);
                }
                object
            }
            Body::Directory(None) => {
                json!({ "type": "directory", "layers": self.layers_object(&seen.contributors) })
            }
        });
        let hidden: Vec<_> = self
            .which
            .hidden
            .iter()
            .map(|hidden| {
                let mut object = self.entry_object(hidden.entry);
                object["hidden_by"] = json::layer(self.view, hidden.by);
                object["identical"] = json!(self.is_identical(hidden));
                if let Reason::Buried { under } = &hidden.reason {
                    json::put_name(&mut object, "buried_under", under);
                }
                object
            })
            .collect();
        let mut answer = json!({ "seen": seen, "hidden": hidden });
        json::put_name(&mut answer, "path", self.path);
        json::document("which", answer)
    }

    fn layers_object(&self, layers: &[LayerIdx]) -> Value {
        layers
            .iter()
            .map(|&layer| json::layer(self.view, layer))
            .collect()
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

/// A kind of entry as the kind of file that it is.
pub(super) fn kind_of(kind: crate::stack::EntryKind) -> Kind {
    use crate::stack::EntryKind;
    match kind {
        EntryKind::Directory => Kind::Directory,
        EntryKind::File => Kind::File,
        EntryKind::Symlink => Kind::Symlink,
    }
}
