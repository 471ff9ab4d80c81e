//! Paths through links, walked part by part as the kernel would in a mount at /opt.
//!
//! Knows what a path means; the text of a link is asked of whoever reads entries.

use super::{Body, NodeId, Stack};

/// Where Lambda shows the tree: absolute targets that begin so lead back into it.
const HOME: &[u8] = b"/opt";
/// Links that are followed on one walk before it counts as a loop (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// Why a path leads to no node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop<E> {
    /// A part of it does not exist.
    Missing {
        /// The whole path without its links, from the root; what could not be walked may have `..` parts.
        path: Vec<u8>,
    },
    /// Something below a file was asked for.
    NotADirectory {
        /// The whole path without its links, from the root; what could not be walked may have `..` parts.
        path: Vec<u8>,
    },
    /// More than 40 links.
    Loop,
    /// A link leads out of /opt: its target.
    Outside(Vec<u8>),
    /// The target of a link cannot be had.
    Unreadable {
        /// The link.
        link: NodeId,
        /// Why.
        error: E,
    },
}

impl Stack {
    /// The node that a path leads to. Parts `.` and `..` mean what they mean to the kernel; the last part,
    /// if it is a link, is followed when `follow_last` is given or a slash stands behind it. `target` gives
    /// the text of a link, and `on_link` sees each link that is followed.
    ///
    /// # Errors
    /// When the path leads to no node.
    pub fn follow<E>(
        &self,
        path: &[u8],
        follow_last: bool,
        mut target: impl FnMut(NodeId) -> Result<Vec<u8>, E>,
        mut on_link: impl FnMut(NodeId, &[u8]),
    ) -> Result<NodeId, Stop<E>> {
        let follow_last = follow_last || path.ends_with(b"/");
        let mut left: Vec<Vec<u8>> = parts_reversed(path);
        let mut at = NodeId::ROOT;
        let mut links = 0;
        while let Some(part) = left.pop() {
            if !self.is_directory(at) {
                let path = self.unwalked(at, &part, &left);
                return Err(Stop::NotADirectory { path });
            }
            let found = match part.as_slice() {
                b"." => Some(at),
                b".." => Some(self.parent(at)),
                name => self.child(at, name),
            };
            let Some(node) = found else {
                let path = self.unwalked(at, &part, &left);
                return Err(Stop::Missing { path });
            };
            let is_link = matches!(self.body(node), Body::Symlink(_));
            if !is_link || (left.is_empty() && !follow_last) {
                at = node;
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(Stop::Loop);
            }
            let target = target(node).map_err(|error| Stop::Unreadable { link: node, error })?;
            on_link(node, &target);
            let inside = match inside(&target) {
                Some(inside) if target.starts_with(b"/") => {
                    at = NodeId::ROOT;
                    inside
                }
                Some(relative) => relative,
                None => return Err(Stop::Outside(target)),
            };
            left.extend(parts_reversed(inside));
        }
        Ok(at)
    }

    /// The path of what was asked of a node: its own, a part, and what is left behind it.
    fn unwalked(&self, at: NodeId, part: &[u8], left: &[Vec<u8>]) -> Vec<u8> {
        let mut path = self.path(at);
        let rest = std::iter::once(part).chain(left.iter().rev().map(Vec::as_slice));
        for part in rest {
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(part);
        }
        path
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
