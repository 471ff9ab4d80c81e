//! `optfs hash`: one digest of what a stack shows, or of paths in it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::Verbosity;
use super::bar::Bar;
use super::failure::{Class, Failure};
use super::json::{document, put_name};
use super::layers::StackArgs;
use super::ls::kind_word;
use super::printable::printable;
use super::size::counted;
use super::stack_view::{View, or_root};
use super::terminal::print;
use super::which::kind_of;
use crate::explain::digest::{self, Digests, Unreadable};
use crate::fs::{Fs, Options};
use crate::stack::NodeId;

/// Nothing is read twice: enough for what the threads are at.
const CACHE_BYTES: u64 = 64 << 20;

/// Print one SHA-256 of all that a stack shows
///
/// Names, kinds, modes, targets and content count; neither times nor the order or compression of the entries in the zips count. A directory has the digest of
/// what is in it, a file that of its bytes, a symlink that of its target; docs/hash.md is the format.
#[derive(Args)]
pub(super) struct HashArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// One JSON object a path
    #[arg(long)]
    json: bool,
    /// No progress bar [default: one, on a terminal]
    #[arg(long)]
    no_progress: bool,
    /// Paths in the tree, with or without /opt in front (can be repeated) [default: /, all of it]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(super) fn run(args: &HashArgs, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    let view = open(&args.stack)?;
    let (mut found, mut failed) = (Vec::new(), None);
    for path in or_root(&args.paths) {
        match node(&view, &path) {
            Ok(node) => found.push((path, node)),
            Err(failure) => failed = Some(failure.report()),
        }
    }
    let tops: Vec<_> = found.iter().map(|&(_, node)| node).collect();
    let bar = Bar::new(args.no_progress, verbosity);
    let digests = digest::digests(view.fs.content(), view.stack(), &tops, &bar);
    bar.end();
    let printed = print(|out| {
        for (path, node) in &found {
            let (record, typed) = (
                digests.record(view.stack(), *node),
                path.as_os_str().as_encoded_bytes(),
            );
            match (record, args.json) {
                (None, _) => {}
                (Some(record), false) => {
                    write!(out, "{}  ", record.digest)?;
                    out.name(typed)?;
                    writeln!(out)?;
                }
                (Some(record), true) => {
                    let mut object = json!({
                        "type": kind_word(kind_of(record.kind)),
                        "mode": format!("{:04o}", record.mode),
                        "sha256": record.digest.to_string(),
                    });
                    put_name(&mut object, "path", &view.stack().path(*node));
                    writeln!(out, "{}", document("hash", object))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    })?;
    match digests.unreadable.is_empty() {
        true => Ok(failed.unwrap_or(printed)),
        false => Err(unreadable(&view, &digests.unreadable)),
    }
}

/// Opens a stack of which much is read, once.
pub(super) fn open(args: &StackArgs) -> Result<View, Failure> {
    let shown = Options {
        cache_capacity_bytes: CACHE_BYTES,
        ..Options::default()
    };
    Ok(View {
        fs: Fs::new(Arc::new(args.open()?), shown),
    })
}

/// Reads and digests the whole view.
pub(super) fn whole(view: &View, bar: &Bar) -> Result<Digests, Failure> {
    let digests = digest::digests(view.fs.content(), view.stack(), &[NodeId::ROOT], bar);
    bar.end();
    match digests.unreadable.is_empty() {
        true => Ok(digests),
        false => Err(unreadable(view, &digests.unreadable)),
    }
}

fn node(view: &View, path: &std::path::Path) -> Result<NodeId, Failure> {
    let ino = view.find_itself(path)?;
    view.fs
        .node(ino)
        .map_err(|error| Failure::new(Class::Trouble, error))
}

/// Names every entry that cannot be read.
fn unreadable(view: &View, all: &[Unreadable]) -> Failure {
    for Unreadable { entry, why } in all {
        let archive = view.stack().layer(entry.layer).path();
        let path = printable(view.stack().entry(*entry).path).into_owned();
        let archive = printable(archive.as_os_str().as_encoded_bytes()).into_owned();
        eprintln!("optfs: {archive}: {path}: {why}");
    }
    let count = counted(all.len() as u64, "entry");
    Failure::new(
        Class::Trouble,
        format_args!("{count} cannot be read: no digest of what is above"),
    )
    .hint("make the layer again; 'optfs hash PATH' digests what lies beside")
}
