//! What names a stack on the command line: `--layer`, `--stack FILE`, and plain arguments of `mount` and
//! `extract`; and opening the layers that are named. What a name means in the store is said by `published`.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::num::NonZero;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use clap::Args;
use log::{info, warn};

use super::attached::{Attached, AttachedArgs};
use super::failure::{Class, Failure};
use super::published::StoreArgs;
use super::size::counted;
use crate::archive::{Archive, ArchiveError};
use crate::stack::Stack;
use crate::store::is_named;

const LIST_HINT: &str = "write the paths of the layers into a text file, one a line, first to last";

/// The options that name a stack, alike for every verb.
#[derive(Args, Debug, Clone, Default)]
pub(super) struct StackArgs {
    /// A layer: a zip, or a published one: NAME, NAME:3 or an ARN (can be repeated, first to last: the last
    /// one wins)
    #[arg(long = "layer", value_name = "ZIP|NAME")]
    pub(super) layers: Vec<PathBuf>,
    /// A text file of layers, one a line, first to last; '#' begins a comment
    #[arg(long, value_name = "FILE", conflicts_with_all = ["layers", "template", "function"])]
    pub(super) stack: Option<PathBuf>,
    #[command(flatten)]
    pub(super) function: AttachedArgs,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

/// A stack that is named: the zips of its layers, and the function they are of.
pub(super) struct Named {
    /// Bottom first.
    pub(super) paths: Vec<PathBuf>,
    /// The function whose layers come first, where one is named.
    pub(super) function: Option<Attached>,
}

impl StackArgs {
    /// The zips of the layers, bottom first, `more` of them named as plain arguments.
    pub(super) fn paths(&self, more: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
        Ok(self.named(more)?.paths)
    }

    /// The same, with the function they are of: its layers come first, as what is named beside it is tried on top.
    pub(super) fn named(&self, more: &[PathBuf]) -> Result<Named, Failure> {
        let function = self.function.attached(&self.store)?;
        let mut paths = match (&self.stack, &function) {
            (Some(file), _) => read_list(file, &self.store)?,
            (None, Some(function)) => function.layers.clone(),
            (None, None) => Vec::new(),
        };
        for word in self.layers.iter().chain(more) {
            paths.push(self.store.zip_of(word)?);
        }
        if paths.is_empty() {
            return Err(Failure::new(Class::Usage, "no layer is named")
                .hint("name zips with --layer ZIP, first to last, or list them in a file for --stack FILE"));
        }
        Ok(Named { paths, function })
    }

    /// Whether any option names a layer.
    pub(super) fn is_named(&self) -> bool {
        !self.layers.is_empty() || self.stack.is_some() || self.function.is_named()
    }

    /// Opens and merges the layers.
    pub(super) fn open(&self) -> Result<Stack, Failure> {
        open(&self.paths(&[])?)
    }
}

/// Opens layers each for itself, bottom first: one that cannot be opened does not keep the others away.
pub(super) fn open_each(paths: &[PathBuf]) -> Result<Vec<Result<Archive, ArchiveError>>, Failure> {
    refuse_twins(paths)?;
    Ok(open_all(paths.len(), |number| Archive::open(&paths[number])))
}

/// Opens layers and merges them, bottom first.
pub(super) fn open(paths: &[PathBuf]) -> Result<Stack, Failure> {
    let archives = open_each(paths)?.into_iter().collect::<Result<Vec<_>, _>>()?;
    for archive in &archives {
        info!(
            "{}: {}",
            archive.path().display(),
            counted(archive.len() as u64, "entry")
        );
        for rejected in archive.rejected() {
            let (archive, name) = (archive.path().display(), rejected.name.escape_ascii());
            warn!("{archive}: \"{name}\" is left out: {}", rejected.reason);
        }
    }
    Ok(Stack::merge(archives)?)
}

/// Opens so many archives. Reading one directory does not depend on another: a thread for each core takes the next one, this
/// thread being one of them. More threads than that would only cost their stacks and heaps.
pub(super) fn open_all(
    count: usize,
    open: impl Fn(usize) -> Result<Archive, ArchiveError> + Sync,
) -> Vec<Result<Archive, ArchiveError>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let numbers = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
        let mine = numbers.take_while(|&number| number < count);
        mine.map(|number| (number, open(number))).collect::<Vec<_>>()
    };
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(count);
    let mut opened = thread::scope(|scope| {
        // Who gets no thread does the work alone.
        let others: Vec<_> = (1..workers)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut opened = work();
        for other in others {
            opened.extend(
                other
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
        opened
    });
    // The first layer that cannot be opened is the one that is named.
    opened.sort_unstable_by_key(|&(number, _)| number);
    opened.into_iter().map(|(_, archive)| archive).collect()
}

/// Lambda refuses one layer version twice in a list; here it can only be a slip, for the lower of the
/// two could never be seen. Two layers that were published with the same bytes are two.
fn refuse_twins(paths: &[PathBuf]) -> Result<(), Failure> {
    let mut seen: HashMap<(u64, u64), &Path> = HashMap::new();
    for path in paths {
        // Who cannot be asked is reported when it is opened.
        let Ok(meta) = fs::metadata(path) else { continue };
        if let Some(first) = seen.insert((meta.dev(), meta.ino()), path) {
            if first != path.as_path() && is_named(first) && is_named(path) {
                continue;
            }
            let message = match first == path.as_path() {
                true => format!("{}: named twice as a layer", path.display()),
                false => format!("{} and {} are the same file", first.display(), path.display()),
            };
            return Err(Failure::new(Class::Layer, message)
                .hint("leave one of the two out: the later one would hide the earlier one whole"));
        }
    }
    Ok(())
}

/// Paths in the list are relative to the file, so that it can move together with its layers.
pub(super) fn read_list(file: &Path, store: &StoreArgs) -> Result<Vec<PathBuf>, Failure> {
    let refuse = |class, why: &str| Failure::new(class, format_args!("{}: {why}", file.display()));
    let text = fs::read(file).map_err(|e| match e.kind() {
        ErrorKind::NotFound => refuse(Class::Layer, "no such file").hint("check the path behind --stack"),
        ErrorKind::IsADirectory => refuse(Class::Layer, "a directory, not a list of layers").hint(LIST_HINT),
        _ => refuse(Class::Layer, &e.to_string()),
    })?;
    if text.starts_with(b"PK\x03\x04") || text.starts_with(b"PK\x05\x06") {
        return Err(refuse(Class::Usage, "a zip, not a list of layers")
            .hint("name a zip with --layer; --stack takes a text file with one path a line"));
    }
    if text.contains(&0) {
        return Err(refuse(Class::Usage, "not a text that lists layers").hint(LIST_HINT));
    }
    let base = file.parent().unwrap_or(Path::new("."));
    let mut paths = Vec::new();
    for (number, line) in (1..).zip(text.split(|&b| b == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let path = base.join(OsStr::from_bytes(line));
        // Said here, where the line is known; every other trouble with it names the layer itself.
        if fs::metadata(&path).is_err_and(|e| e.kind() == ErrorKind::NotFound) {
            if let Some(zip) = store.published(Path::new(OsStr::from_bytes(line)))? {
                paths.push(zip);
                continue;
            }
            let message = format!("line {number}: {}: no such file", path.display());
            return Err(refuse(Class::Layer, &message)
                .hint("a path in the list counts from the directory that the list lies in"));
        }
        paths.push(path);
    }
    if paths.is_empty() {
        return Err(refuse(Class::Usage, "lists no layer").hint(LIST_HINT));
    }
    Ok(paths)
}
