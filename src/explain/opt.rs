//! The merged tree as a program at `/opt` meets it: paths walked through links, files read within bounds.
//!
//! Knows nothing of what the files mean.

use sha2::{Digest, Sha256};

use crate::content::{Content, MAX_READ_BYTES};
use crate::stack::{Body, EntryRef, NodeId, Stack};

/// A stack and its bytes, for questions that have to look into files.
#[derive(Clone, Copy)]
pub struct Opt<'a> {
    stack: &'a Stack,
    content: &'a Content,
}

/// A file that a question wanted to read and could not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The file.
    pub path: Vec<u8>,
    /// The layer that has it.
    pub entry: EntryRef,
    /// Why.
    pub why: String,
}

impl<'a> Opt<'a> {
    /// The tree of a stack; `content` must be that of the same stack.
    pub fn new(stack: &'a Stack, content: &'a Content) -> Opt<'a> {
        Opt { stack, content }
    }

    /// The stack itself.
    pub(super) fn stack(&self) -> &'a Stack {
        self.stack
    }

    /// What a path from the root leads to, links followed. Nothing where a link leads out of `/opt`.
    pub(super) fn at(&self, path: &[u8]) -> Option<NodeId> {
        // What is no link gets no target asked.
        let target = |link| match self.stack.body(link) {
            Body::Symlink(entry) => self.content.link_target(entry).map_err(drop),
            Body::File(_) | Body::Directory(_) => Err(()),
        };
        self.stack.follow(path, true, target, |_, _| {}).ok()
    }

    /// The file that a path leads to, links followed.
    pub(super) fn file(&self, path: &[u8]) -> Option<NodeId> {
        self.at(path).filter(|&node| self.entry_of(node).is_some())
    }

    /// The directory that a path leads to, links followed.
    pub(super) fn directory(&self, path: &[u8]) -> Option<NodeId> {
        self.at(path).filter(|&node| self.stack.is_directory(node))
    }

    /// The entry of a node that is a file.
    pub(super) fn entry_of(&self, node: NodeId) -> Option<EntryRef> {
        match self.stack.body(node) {
            Body::File(entry) => Some(entry),
            Body::Directory(_) | Body::Symlink(_) => None,
        }
    }

    /// The whole of a file of at most `limit_bytes`.
    pub(super) fn read(&self, entry: EntryRef, limit_bytes: u64) -> Result<Vec<u8>, Unread> {
        match self.content.read_small(entry, limit_bytes) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(self.unread(entry, format!("more than {} MiB", limit_bytes >> 20))),
            Err(error) => Err(self.unread(entry, error.to_string())),
        }
    }

    /// The first bytes of a file, as many as there are up to `count`.
    pub(super) fn head(&self, entry: EntryRef, count: usize) -> Result<Vec<u8>, Unread> {
        let read = self.content.read(entry, 0, count, <[u8]>::to_vec);
        read.map_err(|error| self.unread(entry, error.to_string()))
    }

    /// The SHA-256 of a file, read piece by piece.
    pub(super) fn sha256(&self, entry: EntryRef) -> Result<[u8; 32], Unread> {
        let (mut hash, mut offset) = (Sha256::new(), 0);
        loop {
            let read = self.content.read(entry, offset, MAX_READ_BYTES, |bytes| {
                hash.update(bytes);
                bytes.len() as u64
            });
            match read {
                Ok(0) => return Ok(hash.finalize().into()),
                Ok(count) => offset += count,
                Err(error) => return Err(self.unread(entry, error.to_string())),
            }
        }
    }

    fn unread(&self, entry: EntryRef, why: String) -> Unread {
        Unread {
            path: self.stack.entry(entry).path.to_vec(),
            entry,
            why,
        }
    }
}

/// A path below another, which may be the empty root.
pub(super) fn below(directory: &[u8], name: &[u8]) -> Vec<u8> {
    match (directory.is_empty(), name.is_empty()) {
        (true, _) => name.to_vec(),
        (_, true) => directory.to_vec(),
        _ => [directory, b"/", name].concat(),
    }
}

/// A path below a directory with `.` and `..` taken away by their spelling, as programs do before they ask the
/// system. Nothing when it climbs out of the tree.
pub(super) fn folded(directory: &[u8], path: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = Vec::new();
    let whole = directory.split(|&b| b == b'/').chain(path.split(|&b| b == b'/'));
    for part in whole {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_folded_by_their_spelling() {
        let fold = |path: &str| folded(b"a/b", path.as_bytes()).map(|p| p.escape_ascii().to_string());
        assert_eq!(fold("./c//d").as_deref(), Some("a/b/c/d"));
        assert_eq!(fold("../../c").as_deref(), Some("c"));
        assert_eq!(fold("../../.."), None);
        assert_eq!(below(b"", b"x"), b"x");
        assert_eq!(below(b"a", b""), b"a");
    }
}
