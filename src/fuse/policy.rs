//! What all transports answer alike: what the kernel may keep and for how long, what it may do by itself,
//! what is refused, and which error is which errno.
//!
//! The tree never changes, so the kernel keeps everything for ever: entries, attributes, names that do
//! not exist, directory pages, targets of links, file pages. Only names below `.optfs` may pass. How an answer is written is left to the
//! transports.

use std::collections::HashSet;

use log::warn;
use nix::errno::Errno;
use parking_lot::Mutex;

use super::wire::Opcode;
use crate::fs::{Attr, FsError, Ino};
use crate::guide::{XattrError, is_passing};

/// How long the kernel may keep an answer: for ever, as far as its clock counts.
pub(super) const FOR_EVER_SECONDS: u64 = u32::MAX as u64;
/// Inode numbers are never used twice.
pub(super) const GENERATION: u64 = 0;
/// Requests that the kernel may have under way in the background, read-ahead above all.
pub(super) const MAX_BACKGROUND: u16 = 64;
/// Damaged files that are remembered, so that each is logged once.
const MAX_LOGGED: usize = 10_000;

/// What the kernel is asked for in its greeting, each with its bit (`FUSE_INIT`).
pub(super) const CAPABILITIES: [(&str, u64); 7] = [
    // Names of one directory are looked up at the same time.
    ("PARALLEL_DIROPS", 1 << 18),
    ("CACHE_SYMLINKS", 1 << 23),
    // Files and directories are opened without a message.
    ("NO_OPEN_SUPPORT", 1 << 17),
    ("NO_OPENDIR_SUPPORT", 1 << 24),
    // Directories are read with attributes, where somebody will want them.
    ("DO_READDIRPLUS", 1 << 13),
    ("READDIRPLUS_AUTO", 1 << 14),
    // `.` and `..` can be looked up, for file handles.
    ("EXPORT_SUPPORT", 1 << 4),
];

/// What is answered to an operation that no question to the tree stands behind; `None` is a yes.
pub(super) fn refusal(opcode: Opcode) -> Option<Errno> {
    match opcode {
        // The kernel stops asking once it has heard this, and does what is wanted by itself: opening
        // without a handle, data everywhere in a file. Of birth times, which is all
        // that statx adds, an archive knows nothing.
        Opcode::Open
        | Opcode::Opendir
        | Opcode::Flush
        | Opcode::Access
        | Opcode::Lseek
        | Opcode::Bmap
        | Opcode::Poll
        | Opcode::CopyFileRange
        | Opcode::Statx
        | Opcode::Fsync
        | Opcode::Fsyncdir
        | Opcode::Getlk
        | Opcode::Setlk
        | Opcode::Setlkw
        | Opcode::Syncfs
        | Opcode::Setupmapping
        | Opcode::Removemapping => Some(Errno::ENOSYS),
        Opcode::Ioctl => Some(Errno::ENOTTY),
        // Semantics decision: (8) everything that would write answers EROFS. The kernel says so by itself,
        // for the mount is read-only, until somebody remounts it.
        Opcode::Setattr
        | Opcode::Mknod
        | Opcode::Mkdir
        | Opcode::Symlink
        | Opcode::Link
        | Opcode::Create
        | Opcode::Tmpfile
        | Opcode::Write
        | Opcode::Unlink
        | Opcode::Rmdir
        | Opcode::Rename
        | Opcode::Rename2
        | Opcode::Setxattr
        | Opcode::Removexattr
        | Opcode::Fallocate => Some(Errno::EROFS),
        Opcode::Release | Opcode::Releasedir | Opcode::Destroy => None,
        // These have answers of their own, or none.
        Opcode::Lookup
        | Opcode::Forget
        | Opcode::BatchForget
        | Opcode::Getattr
        | Opcode::Readlink
        | Opcode::Read
        | Opcode::Statfs
        | Opcode::Getxattr
        | Opcode::Listxattr
        | Opcode::Init
        | Opcode::Readdir
        | Opcode::ReaddirPlus
        | Opcode::Interrupt
        | Opcode::NotifyReply
        | Opcode::Unknown => Some(Errno::ENOSYS),
    }
}

/// How long the kernel may keep what a name stands for, and its attributes.
pub(super) fn kept_seconds(attr: &Attr) -> u64 {
    match is_passing(attr.ino) {
        true => 0,
        false => FOR_EVER_SECONDS,
    }
}

/// What is said to who asks for an extended attribute, or for a list of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum XattrReply {
    /// How long it is: nothing else was asked.
    Size(u32),
    /// The value or the list.
    Value(Vec<u8>),
}

/// Puts a value into the room that was offered for it; 0 asks how much that would have to be.
pub(super) fn xattr_reply(value: Result<Vec<u8>, XattrError>, room: u32) -> Result<XattrReply, Errno> {
    let value = value.map_err(|error| match error {
        XattrError::NoData => Errno::ENODATA,
        // Programs that hear it ask no more on this filesystem: ls does so for every file otherwise.
        XattrError::NoSuchSort => Errno::EOPNOTSUPP,
        // The kernel asks no more.
        XattrError::Never => Errno::ENOSYS,
        XattrError::Fs(_) => Errno::ENOENT,
    })?;
    let size = u32::try_from(value.len()).unwrap_or(u32::MAX);
    match room {
        0 => Ok(XattrReply::Size(size)),
        room if room < size => Err(Errno::ERANGE),
        _ => Ok(XattrReply::Value(value)),
    }
}

/// The errnos of errors, and which files have been complained about.
#[derive(Default)]
pub(super) struct Complaints(Mutex<HashSet<Ino>>);

impl Complaints {
    /// The errno of an error; damage is logged once for each file.
    pub(super) fn errno(&self, ino: Ino, error: &FsError) -> Errno {
        match error {
            FsError::NotFound => Errno::ENOENT,
            FsError::NotADirectory => Errno::ENOTDIR,
            FsError::IsADirectory => Errno::EISDIR,
            FsError::NotALink => Errno::EINVAL,
            FsError::NameTooLong => Errno::ENAMETOOLONG,
            FsError::Damaged(what) => {
                let mut logged = self.0.lock();
                if logged.len() < MAX_LOGGED && logged.insert(ino) {
                    warn!("{what}");
                }
                Errno::EIO
            }
        }
    }
}
