//! `optfs tree`: the merged tree as a drawing, with the layer of each name.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::failure::{Class, Failure};
use super::json;
use super::layers::StackArgs;
use super::printable::printable;
use super::size::counted;
use super::stack_view::View;
use super::terminal::{Out, print};
use crate::fs::{Ino, Kind};

/// Draw the merged tree, with the layer that provides each name
#[derive(Args)]
pub(super) struct TreeArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Levels to draw, at least 1 [default: all]
    #[arg(short = 'L', long, value_name = "LEVELS", value_parser = levels)]
    depth: Option<usize>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Where to begin, with or without /opt in front
    #[arg(default_value = "/opt", value_name = "PATH")]
    path: PathBuf,
}

/// What is left to draw of one directory.
struct Level {
    entries: std::vec::IntoIter<(Vec<u8>, Ino, Kind)>,
}

pub(super) fn run(args: &TreeArgs) -> Result<ExitCode, Failure> {
    let view = View::open(&args.stack)?;
    let top = view.find(&args.path)?;
    if view.attr(top)?.kind != Kind::Directory {
        let message = format!("{}: not a directory", args.path.display());
        return Err(Failure::new(Class::No, message).hint("'optfs stat' shows what it is"));
    }
    print(|out| {
        if !args.json {
            out.bold(&printable(args.path.as_os_str().as_encoded_bytes()))?;
            writeln!(out)?;
        }
        let (mut directories, mut files) = (0u64, 0u64);
        let mut levels = vec![Level {
            entries: entries(&view, top)?,
        }];
        while let Some(level) = levels.last_mut() {
            let Some((name, ino, kind)) = level.entries.next() else {
                levels.pop();
                continue;
            };
            match args.json {
                true => line(&view, out, ino)?,
                false => draw(&view, out, &levels, &name, ino, kind)?,
            }
            match kind {
                Kind::Directory => {
                    directories += 1;
                    if args.depth.is_none_or(|depth| levels.len() < depth) {
                        levels.push(Level {
                            entries: entries(&view, ino)?,
                        });
                    }
                }
                Kind::File | Kind::Symlink => files += 1,
            }
        }
        let counts = [counted(directories, "directory"), counted(files, "file")];
        if !args.json {
            writeln!(out, "\n{}", counts.join(", "))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn levels(value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(levels @ 1..) => Ok(levels),
        _ => Err("expected a number from 1 up".to_owned()),
    }
}

fn entries(view: &View, directory: Ino) -> Result<std::vec::IntoIter<(Vec<u8>, Ino, Kind)>, Failure> {
    let entries = view
        .fs
        .readdir(directory, 0)
        .map_err(|e| Failure::new(Class::Trouble, e))?;
    let owned: Vec<_> = entries
        .skip(2)
        .map(|e| (e.name.to_vec(), e.ino, e.kind))
        .collect();
    Ok(owned.into_iter())
}

/// A name as `ls --json` says it, by its whole path from the root of the tree.
fn line(view: &View, out: &mut Out, ino: Ino) -> Result<(), Failure> {
    let node = view.fs.node(ino).map_err(|e| Failure::new(Class::Trouble, e))?;
    let path = view.stack().path(node);
    json::write_line(out, &json::node(view, &view.attr(ino)?, &path)?)
}

fn draw(
    view: &View,
    out: &mut Out,
    levels: &[Level],
    name: &[u8],
    ino: Ino,
    kind: Kind,
) -> Result<(), Failure> {
    let Some((last, above)) = levels.split_last() else {
        return Ok(());
    };
    for level in above {
        out.dim(if level.entries.len() > 0 { "│   " } else { "    " })?;
    }
    out.dim(if last.entries.len() > 0 {
        "├── "
    } else {
        "└── "
    })?;
    out.name(name)?;
    if kind == Kind::Symlink
        && let Ok(target) = view.fs.readlink(ino)
    {
        write!(out, " -> ")?;
        out.name(&target)?;
    }
    if kind != Kind::Directory {
        let layer = view.layer_name(view.provider(ino)?);
        out.dim(&format!("  [{layer}]"))?;
    }
    Ok(writeln!(out)?)
}
