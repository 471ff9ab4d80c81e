//! `optfs stat`: all that is known of one path, or the numbers of a whole stack.

mod whole;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::failure::{Class, Failure};
use super::json;
use super::layers::StackArgs;
use super::ls::kind_word;
use super::size::{counted, human};
use super::stack_view::{View, mode_text, time_text};
use super::terminal::{Out, each, print};
use crate::fs::Kind;
use crate::stack::{Body, EntryRef};

/// Show all that is known of a path, or the whole stack's numbers
#[derive(Args)]
pub(super) struct StatArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Paths in the tree, with or without /opt in front (can be repeated) [default: the whole stack]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(super) fn run(args: &StatArgs) -> Result<ExitCode, Failure> {
    let view = View::open(&args.stack)?;
    print(|out| {
        if args.paths.is_empty() {
            match args.json {
                true => writeln!(out, "{}", whole::object(&view))?,
                false => whole::print(&view, out)?,
            }
            return Ok(ExitCode::SUCCESS);
        }
        each(out, args.paths.iter().enumerate(), |out, (place, path)| {
            if args.json {
                writeln!(out, "{}", object(&view, path)?)?;
                return Ok(ExitCode::SUCCESS);
            }
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

fn object(view: &View, path: &Path) -> Result<Value, Failure> {
    let ino = view.find_itself(path)?;
    let attr = view.attr(ino)?;
    let node = view.fs.node(ino).map_err(|e| Failure::new(Class::Trouble, e))?;
    let path = view.stack().path(node);
    let mut object = json!(json::node(view, &attr, &path)?);
    object["mtime_nanoseconds"] = json!(attr.mtime.nanoseconds);
    object["inode"] = json!(attr.ino.0);
    object["links"] = json!(attr.nlink);
    match view.stack().body(node) {
        Body::File(entry) | Body::Symlink(entry) => {
            let e = view.stack().entry(entry);
            object["method"] = json!(e.method.name());
            object["encrypted"] = json!(e.encrypted);
            object["compressed_size"] = json!(e.compressed_size);
            object["crc32"] = json!(format!("{:08x}", e.crc));
        }
        Body::Directory(entry) => object["has_entry"] = json!(entry.is_some()),
    }
    Ok(json::document("stat", object))
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
