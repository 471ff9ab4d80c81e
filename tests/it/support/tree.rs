//! A tree as every judge describes it: the model, a directory on disk and a stack seen through optfs end up
//! as this, so that comparing them is comparing maps.

use std::collections::{BTreeMap, BTreeSet};

/// Every path under the root, the root itself as the empty path; parts joined by `/`.
pub(crate) type Tree = BTreeMap<Vec<u8>, Node>;

/// One file, directory or symlink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Permission bits, without the kind.
    pub(crate) mode: u16,
    /// Time of modification in whole seconds.
    pub(crate) mtime: i64,
    /// Kind and content.
    pub(crate) body: Body,
}

/// What a node is and holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// A directory; what it holds are the paths below it.
    Directory,
    /// A file and its bytes.
    File(Vec<u8>),
    /// A file that is listed with its size but answers EIO to who reads it.
    Unreadable { declared_size: u64 },
    /// A symlink and its target.
    Symlink(Vec<u8>),
}

impl Body {
    /// The size that `stat` shows; that of a directory is nobody's promise.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Body::Directory => None,
            Body::File(bytes) => Some(bytes.len() as u64),
            Body::Unreadable { declared_size } => Some(*declared_size),
            Body::Symlink(target) => Some(target.len() as u64),
        }
    }
}

/// What is different between two trees, a line each; empty when nothing is.
pub(crate) fn differences(expected: &Tree, found: &Tree) -> Vec<String> {
    let paths: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let mut lines = Vec::new();
    for path in paths {
        let name = path.escape_ascii();
        match (expected.get(path), found.get(path)) {
            (Some(expected), None) => lines.push(format!("/{name}: expected {expected:?}, found nothing")),
            (None, Some(found)) => lines.push(format!("/{name}: expected nothing, found {found:?}")),
            (Some(expected), Some(found)) => {
                if expected.body != found.body {
                    lines.push(format!(
                        "/{name}: expected {:?}, found {:?}",
                        expected.body, found.body
                    ));
                }
                if expected.mode != found.mode {
                    lines.push(format!(
                        "/{name}: expected mode {:o}, found {:o}",
                        expected.mode, found.mode
                    ));
                }
                if expected.mtime != found.mtime {
                    lines.push(format!(
                        "/{name}: expected mtime {}, found {}",
                        expected.mtime, found.mtime
                    ));
                }
            }
            (None, None) => unreachable!("a path comes from one of the two"),
        }
    }
    lines
}
