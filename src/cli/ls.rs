//! `optfs ls`: names in the merged tree, with the layer of each on request.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::failure::{Class, Failure};
use super::json;
use super::layers::StackArgs;
use super::stack_view::{View, below_home, mode_text, or_root, time_text};
use super::terminal::{Out, each, print};
use crate::fs::{Attr, Ino, Kind};

/// List directories of the merged tree
#[derive(Args)]
pub(super) struct LsArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// With mode, size, time (UTC) and the layer that provides each name
    #[arg(short = 'l', long = "long")]
    long: bool,
    /// With everything below
    #[arg(short = 'R', long)]
    recursive: bool,
    /// One JSON object a line
    #[arg(long, conflicts_with = "long")]
    json: bool,
    /// Paths in the tree, with or without /opt in front (can be repeated) [default: /]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(super) fn run(args: &LsArgs) -> Result<ExitCode, Failure> {
    let view = View::open(&args.stack)?;
    print(|out| {
        let layer_columns = view.layer_columns();
        let paths = or_root(&args.paths);
        let with_headings = paths.len() > 1 || args.recursive;
        each(out, paths.iter().enumerate(), |out, (place, path)| {
            let mut listing = Listing {
                args,
                view: &view,
                out,
                layer_columns,
            };
            listing.argument(path, place == 0, with_headings)?;
            Ok(ExitCode::SUCCESS)
        })
    })
}

struct Listing<'a> {
    args: &'a LsArgs,
    view: &'a View,
    out: &'a mut Out,
    layer_columns: usize,
}

impl Listing<'_> {
    fn argument(&mut self, path: &Path, first: bool, with_heading: bool) -> Result<(), Failure> {
        let itself = self.view.find_itself(path)?;
        let attr = self.view.attr(itself)?;
        let name = without_slashes(&below_home(path)).to_vec();
        // As ls does: a link to a directory is listed as the directory, unless its own line is wanted. One
        // that leads nowhere is a name all the same.
        let directory = match attr.kind {
            Kind::Directory => itself,
            Kind::Symlink if !self.args.long => self.view.find(path).unwrap_or(itself),
            _ => return self.line(&attr, &name),
        };
        if self.view.attr(directory)?.kind != Kind::Directory {
            return self.line(&attr, &name);
        }
        let shown = if name.is_empty() { b"." } else { name.as_slice() };
        self.directory(directory, shown, first, with_heading)
    }

    fn directory(
        &mut self,
        top: Ino,
        name: &[u8],
        mut first: bool,
        with_heading: bool,
    ) -> Result<(), Failure> {
        let mut waiting = vec![(top, name.to_vec())];
        while let Some((directory, path)) = waiting.pop() {
            if with_heading && !self.args.json {
                if !first {
                    writeln!(self.out)?;
                }
                self.out.name(&path)?;
                writeln!(self.out, ":")?;
            }
            first = false;
            let mut below = Vec::new();
            let entries = self
                .view
                .fs
                .readdir(directory, 0)
                .map_err(|e| Failure::new(Class::Trouble, e))?;
            for entry in entries.skip(2) {
                let attr = self.view.attr(entry.ino)?;
                let child = [path.as_slice(), b"/", entry.name].concat();
                match self.args.json {
                    true => self.line(&attr, child.strip_prefix(b"./").unwrap_or(&child))?,
                    false => self.line(&attr, entry.name)?,
                }
                if self.args.recursive && attr.kind == Kind::Directory {
                    below.push((entry.ino, child));
                }
            }
            waiting.extend(below.into_iter().rev());
        }
        Ok(())
    }

    fn line(&mut self, attr: &Attr, name: &[u8]) -> Result<(), Failure> {
        if self.args.json {
            return json::write_line(self.out, &json::node(self.view, attr, name)?);
        }
        if self.args.long {
            let (mode, time) = (mode_text(attr), time_text(attr.mtime.seconds));
            write!(self.out, "{mode} {:>11} {time}  ", attr.size)?;
            let layer = self.view.layer_name(self.view.provider(attr.ino)?);
            self.out.dim(&format!("{layer:<0$}", self.layer_columns))?;
            write!(self.out, "  ")?;
        }
        self.out.name(name)?;
        if self.args.long && attr.kind == Kind::Symlink {
            write!(self.out, " -> ")?;
            match self.view.fs.readlink(attr.ino) {
                Ok(target) => self.out.name(&target)?,
                Err(e) => write!(self.out, "? ({e})")?,
            }
        }
        Ok(writeln!(self.out)?)
    }
}

/// A path as it stands in a listing, where everything begins at the root of the tree.
fn without_slashes(path: &[u8]) -> &[u8] {
    let Some(start) = path.iter().position(|&b| b != b'/') else {
        return &[];
    };
    let end = path.iter().rposition(|&b| b != b'/').unwrap_or(start);
    &path[start..=end]
}

/// A kind as JSON says it.
pub(super) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Directory => "directory",
        Kind::File => "file",
        Kind::Symlink => "symlink",
    }
}
