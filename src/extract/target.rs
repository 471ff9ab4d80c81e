//! The directory that is written into, and places in it. Nothing is ever made or changed outside of it,
//! whatever the archives say and whoever moves things about in it meanwhile.
//!
//! Below it no path of more than one part is given to the system: each name is made in its directory,
//! which was opened in the one above, and no step follows a symlink. A file that is there is never opened.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, UtimensatFlags, fchmod, futimens, mkdirat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

use super::ExtractError;
use crate::fs::{Attr, Mtime};
use crate::stack::{NodeId, Stack};

/// Directories down to this depth stay open on the way to one below.
const KEPT_DEPTH: usize = 16;
/// Farther down only each one of so many does: an archive can nest 32,767 directories, and a process may
/// have 1,024 files open.
const KEPT_EVERY: usize = 512;

/// The directory that is written into.
pub(super) struct Target {
    directory: OwnedFd,
    is_new: bool,
}

/// Open directories on the way to the one that was asked for last.
pub(super) struct Trail<'a> {
    stack: &'a Stack,
    target: &'a Target,
    /// Each lies below the one before.
    open: Vec<Step>,
}

struct Step {
    node: NodeId,
    depth: usize,
    directory: OwnedFd,
}

/// A name in an open directory.
pub(super) struct Place<'a> {
    directory: BorrowedFd<'a>,
    name: &'a [u8],
}

impl Target {
    /// Makes the directory, or opens the one that is there and finds it empty.
    pub(super) fn prepare(path: &Path) -> Result<Target, ExtractError> {
        let refuse = |source| ExtractError::Target {
            path: path.to_owned(),
            source,
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(refuse)?;
        }
        // Nobody else looks inside before the modes are set.
        let is_new = match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => true,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => false,
            Err(e) => return Err(refuse(e)),
        };
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        // The user may name a directory by a symlink, and nobody may put one in the place of a new directory.
        let symlinks = if is_new { OFlag::O_NOFOLLOW } else { OFlag::empty() };
        let directory = open(path, flags | symlinks, Mode::empty()).map_err(|e| refuse(e.into()))?;
        let listed = Dir::openat(&directory, ".", flags, Mode::empty()).map_err(|e| refuse(e.into()))?;
        for entry in listed {
            let entry = entry.map_err(|e| refuse(e.into()))?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                return Err(ExtractError::NotEmpty(path.to_owned()));
            }
        }
        Ok(Target { directory, is_new })
    }

    /// Sets mode and time of the directory itself. One that was there belongs to somebody, who gave it both.
    pub(super) fn finish(&self, attr: &Attr) -> io::Result<()> {
        if self.is_new {
            finish(&self.directory, attr)?;
        }
        Ok(())
    }
}

impl<'a> Trail<'a> {
    pub(super) fn new(stack: &'a Stack, target: &'a Target) -> Trail<'a> {
        Trail {
            stack,
            target,
            open: Vec::new(),
        }
    }

    /// Where a node, not the root, is to be made: its directory must have been made before.
    pub(super) fn place(&mut self, node: NodeId) -> io::Result<Place<'_>> {
        let stack = self.stack;
        Ok(Place {
            directory: self.go_to(stack.parent(node))?,
            name: stack.name(node),
        })
    }

    fn go_to(&mut self, directory: NodeId) -> io::Result<BorrowedFd<'_>> {
        let mut missing = Vec::new();
        let mut at = directory;
        let kept = loop {
            if at == NodeId::ROOT {
                break 0;
            }
            if let Some(step) = self.open.iter().rposition(|step| step.node == at) {
                break step + 1;
            }
            missing.push(at);
            at = self.stack.parent(at);
        };
        self.open.truncate(kept);
        for node in missing.into_iter().rev() {
            self.step_into(node)?;
        }
        Ok(self.here())
    }

    fn step_into(&mut self, node: NodeId) -> io::Result<()> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let directory = openat(self.here(), self.stack.name(node), flags, Mode::empty())?;
        let above = self.open.last().map_or(0, |step| step.depth);
        if above > KEPT_DEPTH && !above.is_multiple_of(KEPT_EVERY) {
            self.open.pop();
        }
        self.open.push(Step {
            node,
            depth: above + 1,
            directory,
        });
        Ok(())
    }

    fn here(&self) -> BorrowedFd<'_> {
        let last = self.open.last().map(|step| &step.directory);
        last.unwrap_or(&self.target.directory).as_fd()
    }
}

impl Place<'_> {
    /// Makes a directory for its owner alone.
    pub(super) fn make_directory(&self) -> io::Result<()> {
        Ok(mkdirat(self.directory, self.name, Mode::S_IRWXU)?)
    }

    /// Gives the directory that was made here its mode and time.
    pub(super) fn finish_directory(&self, attr: &Attr) -> io::Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let directory = openat(self.directory, self.name, flags, Mode::empty())?;
        finish(&directory, attr)
    }

    /// Makes an empty file for its owner alone.
    pub(super) fn make_file(&self) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(self.directory, self.name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
        Ok(File::from(file))
    }

    /// Makes a symlink, with its time; its mode nobody can choose.
    pub(super) fn make_symlink(&self, link: &[u8], attr: &Attr) -> io::Result<()> {
        symlinkat(link, self.directory, self.name)?;
        let time = time_spec(attr.mtime);
        let flags = UtimensatFlags::NoFollowSymlink;
        Ok(utimensat(self.directory, self.name, &time, &time, flags)?)
    }

    /// Removes the file that was made here.
    pub(super) fn remove(&self) -> io::Result<()> {
        Ok(unlinkat(self.directory, self.name, UnlinkatFlags::NoRemoveDir)?)
    }
}

/// Sets mode and time of something open, whatever the umask is.
pub(super) fn finish(open: impl AsFd, attr: &Attr) -> io::Result<()> {
    fchmod(&open, Mode::from_bits_truncate(attr.mode.into()))?;
    let time = time_spec(attr.mtime);
    Ok(futimens(&open, &time, &time)?)
}

/// A path in the target, for messages.
pub(super) fn path_of(target: &Path, below: &[u8]) -> PathBuf {
    match below {
        b"" => target.to_owned(),
        below => target.join(OsStr::from_bytes(below)),
    }
}

fn time_spec(mtime: Mtime) -> TimeSpec {
    TimeSpec::new(mtime.seconds, mtime.nanoseconds.into())
}
