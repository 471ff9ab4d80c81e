//! The merged tree written into a directory, exactly as a mount would show it.
//!
//! Owns the order of the work, its threads, and what becomes of entries that cannot be served. How a
//! name is made so that nothing is written elsewhere is `target`'s; what is said about it, the caller's.

mod target;

use std::cmp::Reverse;
use std::fs::File;
use std::io::{self, Write};
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use thiserror::Error;

use crate::fs::{Attr, Fs, FsError, Kind, MAX_READ_BYTES};
use crate::stack::{Body, EntryRef, NodeId, Stack};
use target::{Target, Trail};

/// More threads would wait for each other's directories, and each keeps some of them open.
const MOST_THREADS: usize = 8;
/// Files of this size are begun first, so that none of them is left for one thread at the end.
const LARGE_BYTES: u64 = 4 << 20;
/// Neighbours that a thread takes at once: mostly files of one directory, which it opens once.
const BATCH: usize = 16;

/// How the tree is written.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Threads that write files.
    pub threads: usize,
}

impl Default for Options {
    /// A thread for each core, 8 at most.
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Options {
            threads: cores.min(MOST_THREADS),
        }
    }
}

/// Who is told how far it is, from many threads at once. `()` listens to nothing.
pub trait Progress: Sync {
    /// Before the first file: the bytes to come, as far as the archives tell the truth.
    fn begins(&self, _declared_bytes: u64) {}
    /// Bytes were written.
    fn wrote(&self, _bytes: u64) {}
    /// An entry is left out; the message names archive, entry and reason.
    fn left_out(&self, _why: &FsError) {}
}

impl Progress for () {}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Directories, the target not counted.
    pub directories: u64,
    /// Regular files.
    pub files: u64,
    /// Symlinks.
    pub symlinks: u64,
    /// Bytes in regular files.
    pub bytes: u64,
    /// Files and symlinks of which nothing is there, because their entries cannot be served.
    pub left_out: u64,
}

/// Why the tree is not, or not wholly, on disk.
#[derive(Debug, Error)]
pub enum ExtractError {
    /// The target cannot be made or used; nothing was written.
    #[error("{}: {source}", path.display())]
    Target {
        /// The directory that was named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something is in the target already; nothing was written.
    #[error("{}: the directory is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// Writing stopped here. What had been begun elsewhere is whole or gone, modes and times of
    /// directories are not set.
    #[error("{}: {source}", path.display())]
    Write {
        /// What could not be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes the tree into `dir`, which is made when missing and must be empty otherwise.
///
/// Files, symlinks and directories get the mode and time that a mount shows, and belong to whoever
/// runs this. A directory that was there keeps its own mode and time. Of an entry that cannot be served
/// nothing is left; the rest of the tree is written.
///
/// # Errors
/// When the target cannot be used, and when something cannot be written: the first such thing stops
/// everything.
pub fn write(fs: &Fs, dir: &Path, options: Options, progress: &dyn Progress) -> Result<Report, ExtractError> {
    let target = Target::prepare(dir)?;
    let stack = fs.stack();
    let plan = Plan::new(stack);
    progress.begins(plan.declared_bytes);
    let failed_at = |node| move |source| write_error(dir, stack, node, source);
    let mut trail = Trail::new(stack, &target);
    for &node in &plan.directories {
        trail
            .place(node)
            .and_then(|place| place.make_directory())
            .map_err(failed_at(node))?;
    }
    let crew = Crew {
        fs,
        dir,
        target: &target,
        progress,
        plan: &plan,
        next: AtomicUsize::new(0),
        stopped: AtomicBool::new(false),
    };
    let mut report = crew.write_files(options.threads)?;
    // Deepest first: a directory that nobody may enter is closed once everything in it is done.
    for &node in plan.directories.iter().rev() {
        let attr = fs.attr(node);
        trail
            .place(node)
            .and_then(|place| place.finish_directory(&attr))
            .map_err(failed_at(node))?;
    }
    target
        .finish(&fs.attr(NodeId::ROOT))
        .map_err(failed_at(NodeId::ROOT))?;
    report.directories = plan.directories.len() as u64;
    Ok(report)
}

/// What is to be made.
struct Plan {
    /// Parents before children, without the root.
    directories: Vec<NodeId>,
    /// Files and symlinks in the order in which they are best written.
    files: Vec<NodeId>,
    /// So many of them are large, and stand in front.
    large: usize,
    declared_bytes: u64,
}

impl Plan {
    fn new(stack: &Stack) -> Plan {
        let mut directories = Vec::new();
        let mut files = Vec::new();
        let mut declared_bytes = 0u64;
        for node in stack.nodes().skip(1) {
            match stack.body(node) {
                Body::Directory(_) => directories.push(node),
                Body::Symlink(entry) => files.push((turn(entry, 0), node)),
                Body::File(entry) => {
                    let declared_size = stack.entry(entry).declared_size;
                    declared_bytes = declared_bytes.saturating_add(declared_size);
                    files.push((turn(entry, declared_size), node));
                }
            }
        }
        files.sort_unstable_by_key(|&(turn, _)| turn);
        Plan {
            directories,
            large: files.partition_point(|&((Reverse(size), _), _)| size >= LARGE_BYTES),
            files: files.into_iter().map(|(_, node)| node).collect(),
            declared_bytes,
        }
    }
}

/// When a file's turn is: the large ones by size, then all others as they lie in their archives.
fn turn(entry: EntryRef, declared_size: u64) -> (Reverse<u64>, EntryRef) {
    let large = if declared_size < LARGE_BYTES {
        0
    } else {
        declared_size
    };
    (Reverse(large), entry)
}

/// The threads that write files, and what they share.
struct Crew<'a> {
    fs: &'a Fs,
    dir: &'a Path,
    target: &'a Target,
    progress: &'a dyn Progress,
    plan: &'a Plan,
    next: AtomicUsize,
    stopped: AtomicBool,
}

/// What became of one file.
enum Outcome {
    Written(u64),
    LeftOut,
    /// Another thread could not write.
    Abandoned,
}

impl Crew<'_> {
    fn write_files(&self, threads: usize) -> Result<Report, ExtractError> {
        thread::scope(|scope| {
            let start = |_| thread::Builder::new().spawn_scoped(scope, || self.work()).ok();
            // Who gets no thread does the work alone.
            let workers: Vec<_> = (1..threads).filter_map(start).collect();
            let mine = self.work();
            let mut sum = Report::default();
            let mut failure = None;
            let theirs = workers.into_iter().map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            for part in iter::once(mine).chain(theirs) {
                match part {
                    Ok(part) => sum.add(part),
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            failure.map_or(Ok(sum), Err)
        })
    }

    /// One thread's life.
    fn work(&self) -> Result<Report, ExtractError> {
        let stack = self.fs.stack();
        let mut trail = Trail::new(stack, self.target);
        let mut report = Report::default();
        for batch in std::iter::from_fn(|| self.next_batch()) {
            for &node in batch {
                if self.stopped.load(Ordering::Relaxed) {
                    return Ok(report);
                }
                let attr = self.fs.attr(node);
                let outcome = self.write_one(&mut trail, node, &attr).map_err(|source| {
                    self.stopped.store(true, Ordering::Relaxed);
                    write_error(self.dir, stack, node, source)
                })?;
                report.count(attr.kind, &outcome);
            }
        }
        Ok(report)
    }

    /// What one thread does next: a large file, or some neighbours.
    fn next_batch(&self) -> Option<&[NodeId]> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let (start, len) = match turn.checked_sub(self.plan.large) {
            None => (turn, 1),
            Some(batch) => (self.plan.large + batch * BATCH, BATCH),
        };
        let end = self.plan.files.len().min(start + len);
        self.plan.files.get(start..end).filter(|batch| !batch.is_empty())
    }

    fn write_one(&self, trail: &mut Trail<'_>, node: NodeId, attr: &Attr) -> io::Result<Outcome> {
        let place = trail.place(node)?;
        if attr.kind == Kind::Symlink {
            return match self.fs.readlink(attr.ino) {
                Ok(link) => place.make_symlink(&link, attr).map(|()| Outcome::Written(0)),
                Err(why) => Ok(self.leave_out(&why)),
            };
        }
        let file = place.make_file()?;
        let filled = self.fill(&file, attr);
        let outcome = match filled {
            Ok(Outcome::Written(bytes)) => target::finish(&file, attr).map(|()| Outcome::Written(bytes)),
            other => other,
        };
        if !matches!(outcome, Ok(Outcome::Written(_))) {
            // No half file is left. When even that fails, the first error says more.
            let removed = place.remove();
            return outcome.and_then(|outcome| removed.map(|()| outcome));
        }
        outcome
    }

    /// Writes the bytes of a file. Also an empty one is asked for its bytes: it may be damaged.
    fn fill(&self, mut file: &File, attr: &Attr) -> io::Result<Outcome> {
        let mut offset = 0;
        loop {
            let write = |bytes: &[u8]| file.write_all(bytes).map(|()| bytes.len() as u64);
            let written = match self.fs.read(attr.ino, offset, MAX_READ_BYTES, write) {
                Ok(written) => written?,
                Err(why) => return Ok(self.leave_out(&why)),
            };
            offset += written;
            self.progress.wrote(written);
            if offset >= attr.size || written == 0 {
                return Ok(Outcome::Written(offset));
            }
            if self.stopped.load(Ordering::Relaxed) {
                return Ok(Outcome::Abandoned);
            }
        }
    }

    fn leave_out(&self, why: &FsError) -> Outcome {
        self.progress.left_out(why);
        Outcome::LeftOut
    }
}

impl Report {
    fn count(&mut self, kind: Kind, outcome: &Outcome) {
        match (outcome, kind) {
            (Outcome::Written(_), Kind::Symlink) => self.symlinks += 1,
            (Outcome::Written(bytes), _) => {
                self.files += 1;
                self.bytes += bytes;
            }
            (Outcome::LeftOut, _) => self.left_out += 1,
            (Outcome::Abandoned, _) => {}
        }
    }

    fn add(&mut self, part: Report) {
        self.files += part.files;
        self.symlinks += part.symlinks;
        self.bytes += part.bytes;
        self.left_out += part.left_out;
    }
}

fn write_error(dir: &Path, stack: &Stack, node: NodeId, source: io::Error) -> ExtractError {
    ExtractError::Write {
        path: target::path_of(dir, &stack.path(node)),
        source,
    }
}
