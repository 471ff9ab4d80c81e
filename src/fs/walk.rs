//! Paths through the tree as the kernel would walk them in a mount at /opt: part by part, links
//! followed.

use thiserror::Error;

use super::{Fs, FsError, Ino, Kind, ROOT};

/// Where Lambda shows the tree: absolute targets that begin so lead back into it.
const HOME: &[u8] = b"/opt";
/// Links that are followed on one walk before it counts as a loop (path_resolution(7)).
const MAX_LINKS: usize = 40;

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
        let follow = follow || path.ends_with(b"/");
        let mut left: Vec<Vec<u8>> = parts_reversed(path);
        let mut at = ROOT;
        let mut links = 0;
        while let Some(part) = left.pop() {
            let attr = self.lookup(at, &part).map_err(|e| match e {
                FsError::NotADirectory => WalkError::NotADirectory,
                _ => WalkError::NotFound,
            })?;
            if attr.kind != Kind::Symlink || (left.is_empty() && !follow) {
                at = attr.ino;
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(WalkError::Loop);
            }
            let target = self.readlink(attr.ino).map_err(WalkError::Damaged)?;
            let target = match inside(&target) {
                Some(inside) if target.starts_with(b"/") => {
                    at = ROOT;
                    inside
                }
                Some(relative) => relative,
                None => return Err(WalkError::Outside(target.escape_ascii().to_string())),
            };
            left.extend(parts_reversed(target));
        }
        Ok(at)
    }
}

/// A target as seen from the root of the tree, or as it is when it is relative; nothing when it is
/// absolute and leads elsewhere.
fn inside(target: &[u8]) -> Option<&[u8]> {
    if !target.starts_with(b"/") {
        return Some(target);
    }
    let below = target.strip_prefix(HOME)?;
    (below.is_empty() || below.starts_with(b"/")).then_some(below)
}

fn parts_reversed(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|&b| b == b'/')
        .filter(|part| !part.is_empty())
        .rev()
        .map(<[u8]>::to_vec)
        .collect()
}
