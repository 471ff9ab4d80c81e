//! `optfs which`: the layer that provides a path, and what it hides.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::failure::{Class, Failure};
use super::layers::StackArgs;
use super::ls::kind_word;
use super::size::human;
use super::stack_view::{View, below_home, time_text};
use super::terminal::{Out, print, printable};
use crate::explain::{self, Hidden, Reason, Which};
use crate::fs::Kind;
use crate::path::RelPath;
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
    /// Paths in the tree, from its root; /opt in front is allowed (can be repeated)
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(super) fn run(args: &WhichArgs) -> Result<ExitCode, Failure> {
    let view = View::open(&args.stack)?;
    print(|out| {
        let mut all_there = true;
        for path in &args.paths {
            let inside = below_home(path);
            let checked = RelPath::check(&inside)
                .map_err(|e| Failure::new(Class::Usage, format_args!("{}: {e}", path.display())))?;
            let which = explain::which(view.stack(), &checked);
            all_there &= which.seen.is_some();
            let answer = Answer {
                view: &view,
                path: &checked,
                which: &which,
            };
            match args.json {
                true => writeln!(out, "{}", answer.object())?,
                false => answer.print(out, path)?,
            }
        }
        Ok(if all_there {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(Class::No as u8)
        })
    })
}

struct Answer<'a> {
    view: &'a View,
    path: &'a RelPath<'a>,
    which: &'a Which,
}

impl Answer<'_> {
    fn print(&self, out: &mut Out, named: &Path) -> Result<(), Failure> {
        out.name(self.path.as_bytes())?;
        writeln!(out)?;
        match &self.which.seen {
            None => writeln!(
                out,
                "  no layer provides {}",
                printable(named.as_os_str().as_encoded_bytes())
            )?,
            Some(seen) => match seen.body {
                Body::File(entry) | Body::Symlink(entry) => {
                    out.bold("  seen    ")?;
                    writeln!(out, "{}", self.describe(entry))?;
                }
                Body::Directory(_) => {
                    let names: Vec<_> = seen.contributors.iter().map(|&layer| self.layer(layer)).collect();
                    out.bold("  seen    ")?;
                    writeln!(out, "a directory, of {}", names.join(", "))?;
                }
            },
        }
        for hidden in &self.which.hidden {
            out.dim("  hidden  ")?;
            writeln!(out, "{}  {}", self.describe(hidden.entry), self.why(hidden))?;
        }
        Ok(())
    }

    fn layer(&self, layer: LayerIdx) -> String {
        format!("{} (layer {})", self.view.layer_name(layer), layer.index() + 1)
    }

    fn describe(&self, entry: EntryRef) -> String {
        let e = self.view.stack().entry(entry);
        let layer = self.layer(entry.layer);
        let kind = kind_of(e.kind);
        let (size, time) = (human(e.declared_size), time_text(e.mtime.seconds));
        match kind {
            Kind::Directory => format!("{layer}  directory  {time}"),
            Kind::File => format!("{layer}  {size}  crc {:08x}  {time}", e.crc),
            Kind::Symlink => format!("{layer}  symlink  {time}"),
        }
    }

    fn why(&self, hidden: &Hidden) -> String {
        match &hidden.reason {
            Reason::Replaced if self.is_identical(hidden) => "the same content".to_owned(),
            Reason::Replaced => format!("replaced by {}", self.view.layer_name(hidden.by)),
            Reason::Buried { under } => {
                let layer = self.view.layer_name(hidden.by);
                format!("hidden by {} of {layer}, no directory", printable(under))
            }
        }
    }

    /// Same size and CRC-32 as what is seen.
    fn is_identical(&self, hidden: &Hidden) -> bool {
        let Some(Body::File(seen)) = self.which.seen.as_ref().map(|seen| seen.body) else {
            return false;
        };
        let (seen, hidden) = (
            self.view.stack().entry(seen),
            self.view.stack().entry(hidden.entry),
        );
        (seen.kind, seen.crc, seen.declared_size) == (hidden.kind, hidden.crc, hidden.declared_size)
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
                object["hidden_by"] = json!(self.view.stack().layer(hidden.by).path().to_string_lossy());
                object["identical"] = json!(self.is_identical(hidden));
                if let Reason::Buried { under } = &hidden.reason {
                    object["buried_under"] = json!(String::from_utf8_lossy(under));
                }
                object
            })
            .collect();
        json!({
            "path": String::from_utf8_lossy(self.path.as_bytes()),
            "seen": seen,
            "hidden": hidden,
        })
    }

    fn layers_object(&self, layers: &[LayerIdx]) -> Value {
        layers
            .iter()
            .map(|&l| json!(self.view.stack().layer(l).path().to_string_lossy()))
            .collect()
    }

    fn entry_object(&self, entry: EntryRef) -> Value {
        let e = self.view.stack().entry(entry);
        json!({
            "layer": self.view.stack().layer(entry.layer).path().to_string_lossy(),
            "position": entry.layer.index() + 1,
            "type": kind_word(kind_of(e.kind)),
            "size": e.declared_size,
            "crc32": format!("{:08x}", e.crc),
            "mtime": e.mtime.seconds,
        })
    }
}

fn kind_of(kind: crate::stack::EntryKind) -> Kind {
    use crate::stack::EntryKind;
    match kind {
        EntryKind::Directory => Kind::Directory,
        EntryKind::File => Kind::File,
        EntryKind::Symlink => Kind::Symlink,
    }
}
