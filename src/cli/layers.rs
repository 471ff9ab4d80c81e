//! What names a stack on the command line: `--layer`, `--stack FILE`, and plain arguments of `mount` and
//! `extract`; and opening the layers that are named.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use clap::Args;
use log::warn;

use super::failure::{Class, Failure};
use crate::archive::{Archive, ArchiveError};
use crate::stack::Stack;

/// The options that name a stack, alike for every verb.
#[derive(Args, Debug, Clone, Default)]
pub(super) struct StackArgs {
    /// A layer zip; the last one wins (can be repeated, in order)
    #[arg(long = "layer", value_name = "ZIP")]
    pub(super) layers: Vec<PathBuf>,
    /// A file that lists layers, one path a line, first to last; '#' begins a comment
    #[arg(long, value_name = "FILE", conflicts_with = "layers")]
    pub(super) stack: Option<PathBuf>,
}

impl StackArgs {
    /// The paths of the layers, bottom first, `more` of them named as plain arguments.
    pub(super) fn paths(&self, more: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
        let mut paths = match &self.stack {
            Some(file) => read_list(file)?,
            None => self.layers.clone(),
        };
        paths.extend_from_slice(more);
        if paths.is_empty() {
            return Err(Failure::new(Class::Usage, "no layer is named")
                .hint("name layer zips with --layer ZIP, first to last, or list them with --stack FILE"));
        }
        Ok(paths)
    }

    /// Opens and merges the layers.
    pub(super) fn open(&self) -> Result<Stack, Failure> {
        open(&self.paths(&[])?)
    }
}

/// Opens layers and merges them, bottom first.
pub(super) fn open(paths: &[PathBuf]) -> Result<Stack, Failure> {
    refuse_twins(paths)?;
    // Reading one directory does not depend on another.
    let archives: Result<Vec<Archive>, ArchiveError> = thread::scope(|scope| {
        let opening: Vec<_> = paths
            .iter()
            .map(|path| scope.spawn(|| Archive::open(path)))
            .collect();
        let joined = opening.into_iter().map(|thread| thread.join());
        joined
            .map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let archives = archives?;
    for archive in &archives {
        for rejected in archive.rejected() {
            let (archive, name) = (archive.path().display(), rejected.name.escape_ascii());
            warn!("{archive}: \"{name}\" is left out: {}", rejected.reason);
        }
    }
    Ok(Stack::merge(archives)?)
}

/// Lambda refuses one layer version twice in a list; here it can only be a slip, for the lower of the
/// two could never be seen.
fn refuse_twins(paths: &[PathBuf]) -> Result<(), Failure> {
    let mut seen: HashMap<(u64, u64), &Path> = HashMap::new();
    for path in paths {
        // Who cannot be asked is reported when it is opened.
        let Ok(meta) = fs::metadata(path) else { continue };
        if let Some(first) = seen.insert((meta.dev(), meta.ino()), path) {
            let message = match first == path.as_path() {
                true => format!("{}: the layer is named twice", path.display()),
                false => format!("{} and {} are the same file", first.display(), path.display()),
            };
            return Err(Failure::new(Class::Layer, message)
                .hint("name each layer once; where it stood first, the later one hides it whole"));
        }
    }
    Ok(())
}

/// Paths in the list are relative to the file, so that it can move together with its layers.
fn read_list(file: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |e| Failure::new(Class::Layer, format_args!("{}: {e}", file.display()));
    let text = fs::read(file).map_err(unreadable)?;
    if text.starts_with(b"PK") {
        return Err(Failure::new(
            Class::Usage,
            format_args!("{}: a zip, not a list of layers", file.display()),
        )
        .hint("name a zip with --layer; --stack takes a text file with one path a line"));
    }
    let base = file.parent().unwrap_or(Path::new("."));
    let lines = text.split(|&b| b == b'\n').map(|line| line.trim_ascii());
    let named = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    let paths: Vec<PathBuf> = named
        .map(|line| base.join(std::ffi::OsStr::from_bytes(line)))
        .collect();
    if paths.is_empty() {
        return Err(
            Failure::new(Class::Usage, format_args!("{}: lists no layer", file.display()))
                .hint("write one path a line, first to last"),
        );
    }
    Ok(paths)
}
