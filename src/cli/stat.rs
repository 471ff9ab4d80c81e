//! `optfs stat`: all that is known of one path, or the numbers of a whole stack.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::failure::{Class, Failure};
use super::layers::StackArgs;
use super::ls::kind_word;
use super::size::{counted, human};
use super::stack_view::{View, mode_text, time_text};
use super::terminal::{Out, each, print};
use crate::fs::Kind;
use crate::stack::{Body, EntryKind, EntryRef};

/// Show all that is known of a path, or the numbers of the whole stack
#[derive(Args)]
pub(super) struct StatArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Paths in the tree, with or without /opt in front (can be repeated) [default: the whole stack]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(super) fn run(args: &StatArgs) -> Result<ExitCode, Failure> {
    let view = View::open(&args.stack)?;
    print(|out| {
        if args.paths.is_empty() {
            whole(&view, out)?;
            return Ok(ExitCode::SUCCESS);
        }
        each(out, args.paths.iter().enumerate(), |out, (place, path)| {
            if place > 0 {
                writeln!(out)?;
            }
            one(&view, path, out)?;
            Ok(ExitCode::SUCCESS)
        })
    })
}

fn one(view: &View, path: &Path, out: &mut Out) -> Result<(), Failure> {
    let ino = view.find_itself(path)?;
    let attr = view.attr(ino)?;
    let node = view.fs.node(ino).map_err(|e| Failure::new(Class::Trouble, e))?;
    let mut field = |name: &str, value: &[u8]| -> Result<(), Failure> {
        write!(out, "{name:>12}  ")?;
        out.name(value)?;
        Ok(writeln!(out)?)
    };
    field("path", &[b"/opt/", view.stack().path(node).as_slice()].concat())?;
    field("type", kind_word(attr.kind).as_bytes())?;
    if attr.kind == Kind::Symlink {
        match view.fs.readlink(ino) {
            Ok(target) => field("target", &target)?,
            Err(e) => field("target", format!("cannot be read: {e}").as_bytes())?,
        }
    }
    field(
        "mode",
        format!("{:04o} {}", attr.mode, mode_text(&attr)).as_bytes(),
    )?;
    field("size", format!("{} ({})", attr.size, human(attr.size)).as_bytes())?;
    let time = time_text(attr.mtime.seconds);
    let time = match attr.mtime.nanoseconds {
        0 => format!("{time} UTC"),
        nanoseconds => format!("{time}.{nanoseconds:09} UTC"),
    };
    field("modified", time.as_bytes())?;
    let inode = format!("{}, {}", attr.ino.0, counted(attr.nlink.into(), "link"));
    field("inode", inode.as_bytes())?;
    let provider = view.provider(ino)?;
    let layer = format!(
        "{} (layer {})",
        view.stack().layer(provider).path().display(),
        provider.index() + 1
    );
    field("layer", layer.as_bytes())?;
    match view.stack().body(node) {
        Body::File(entry) | Body::Symlink(entry) => {
            for (name, value) in entry_fields(view, entry) {
                field(name, value.as_bytes())?;
            }
        }
        Body::Directory(Some(_)) => {}
        Body::Directory(None) => field("entry", b"none: an implicit directory")?,
    }
    Ok(())
}

fn entry_fields(view: &View, entry: EntryRef) -> Vec<(&'static str, String)> {
    let e = view.stack().entry(entry);
    let method = e.method.name();
    let encrypted = if e.encrypted { ", encrypted" } else { "" };
    vec![
        ("method", format!("{method}{encrypted}")),
        (
            "compressed",
            format!("{} ({})", e.compressed_size, human(e.compressed_size)),
        ),
        ("crc32", format!("{:08x}", e.crc)),
    ]
}

fn whole(view: &View, out: &mut Out) -> Result<(), Failure> {
    let stack = view.stack();
    writeln!(
        out,
        "{:>5}  {:>9}  {:>11}  {:>11}  name",
        "layer", "entries", "zipped", "unzipped"
    )?;
    let mut total = 0u64;
    for (index, archive) in stack.layers_in_order() {
        let unzipped = archive
            .entries()
            .filter(|(_, entry)| entry.kind != EntryKind::Directory)
            .fold(0u64, |sum, (_, entry)| sum.saturating_add(entry.declared_size));
        total = total.saturating_add(unzipped);
        let (entries, zipped) = (archive.len(), human(archive.opened().size));
        let place = index.index() + 1;
        writeln!(
            out,
            "{place:>5}  {entries:>9}  {zipped:>11}  {:>11}  {}",
            human(unzipped),
            view.layer_name(index)
        )?;
    }
    let (mut directories, mut files, mut links, mut seen) = (0u64, 0u64, 0u64, 0u64);
    // The root is where the tree hangs, not one of its directories.
    for node in stack.nodes().skip(1) {
        let counter = match stack.body(node) {
            Body::Directory(_) => &mut directories,
            Body::Symlink(_) => &mut links,
            Body::File(_) => &mut files,
        };
        *counter += 1;
        if let Body::File(entry) | Body::Symlink(entry) = stack.body(node) {
            seen = seen.saturating_add(stack.entry(entry).declared_size);
        }
    }
    let counts = [
        counted(files, "file"),
        counted(directories, "directory"),
        counted(links, "symlink"),
    ];
    writeln!(out, "\nmerged  {}; {}", counts.join(", "), human(seen))?;
    writeln!(out, "hidden  {}", human(total.saturating_sub(seen)))?;
    Ok(())
}
