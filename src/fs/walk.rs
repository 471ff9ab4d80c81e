//! Paths through the tree as the kernel would walk them in a mount at /opt: part by part, links
//! followed.

use thiserror::Error;

use super::{Fs, FsError, Ino, ino_of};
use crate::stack::Stop;

/// Why a path leads nowhere.
#[derive(Debug, Error)]
pub enum WalkError {
    /// A part of it does not exist.
    #[error("no such file or directory")]
    NotFound,
    /// Something below a file was asked for.
    #[error("not a directory")]
    NotADirectory,
    /// More than 40 links.
    #[error("too many levels of symbolic links")]
    Loop,
    /// A link leads out of /opt, to what only the machine that mounts it can know.
    #[error("a link leads out of the tree, to {0}")]
    Outside(String),
    /// A link's target cannot be read.
    #[error("{0}")]
    Damaged(FsError),
}

impl Fs {
    /// The inode that a path leads to. Parts `.` and `..` mean what they mean to the kernel; the last
    /// part, if it is a link, is followed when `follow` is given or a slash stands behind it.
    pub fn walk(&self, path: &[u8], follow: bool) -> Result<Ino, WalkError> {
        let target = |link| self.readlink(ino_of(link));
        let walked = self.stack.follow(path, follow, target, |_, _| {});
        walked.map(ino_of).map_err(|stop| match stop {
            Stop::Missing { .. } => WalkError::NotFound,
            Stop::NotADirectory { .. } => WalkError::NotADirectory,
            Stop::Loop => WalkError::Loop,
            Stop::Outside(target) => WalkError::Outside(target.escape_ascii().to_string()),
            Stop::Unreadable { error, .. } => WalkError::Damaged(error),
        })
    }
}
