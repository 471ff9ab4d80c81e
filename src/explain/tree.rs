//! What two trees are compared by, and a stack as such a tree. A directory on disk is `on_disk`'s.

use std::ops::Range;

use super::digest::kind_and_mode;
use crate::archive::{EntryKind, Mtime};
use crate::content::Content;
use crate::stack::{Body, LayerIdx, NodeId, Stack};

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Names below it.
    Directory,
    /// Bytes.
    File,
    /// A target.
    Symlink,
    /// Something that no layer can hold, in words: `pipe`, `socket`, `device`.
    Other(&'static str),
}

/// What is known of a path without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// What it is.
    pub kind: Kind,
    /// Permission bits, below 0o1000.
    pub mode: u16,
    /// Bytes of a file or of a link's target; else 0.
    pub size: u64,
    /// CRC-32 of these bytes, where it is known.
    pub crc: Option<u32>,
    /// Last modification; a directory without an entry of its own has none.
    pub mtime: Option<Mtime>,
}

/// A tree that can be compared. Nodes are numbers, 0 is the root.
pub trait Tree: Sync {
    /// The names in a directory, sorted by their bytes; nothing for other nodes.
    fn children(&self, at: usize) -> Range<usize>;
    /// The last part of the path.
    fn name(&self, at: usize) -> &[u8];
    /// What is known without reading.
    fn facts(&self, at: usize) -> Facts;
    /// CRC-32 of a file's bytes, read if need be; or why it cannot be had.
    fn crc(&self, at: usize) -> Result<u32, String>;
    /// A link's target; or why it cannot be had.
    fn target(&self, at: usize) -> Result<Vec<u8>, String>;
    /// Why nothing is known of a node, or not what is in it.
    fn trouble(&self, at: usize) -> Option<&str>;
    /// The layer that provides a node, where there are layers.
    fn layer(&self, at: usize) -> Option<LayerIdx>;
}

/// The node at a path given by its parts, no link followed.
pub fn find<'p>(tree: &dyn Tree, parts: impl IntoIterator<Item = &'p [u8]>) -> Option<usize> {
    parts.into_iter().try_fold(0, |at, part| {
        let mut children = tree.children(at);
        let (mut low, mut high) = (children.start, children.end);
        while low < high {
            let middle = low + (high - low) / 2;
            match tree.name(middle) < part {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        children.start = low;
        children.next().filter(|&found| tree.name(found) == part)
    })
}

/// The tree that a stack shows. Sizes and CRCs are those of the records: nothing is read but links.
pub struct Merged<'a>(pub &'a Stack, pub &'a Content);

impl Merged<'_> {
    fn node(&self, at: usize) -> NodeId {
        self.0.node_at(at).unwrap_or(NodeId::ROOT)
    }
}

impl Tree for Merged<'_> {
    fn children(&self, at: usize) -> Range<usize> {
        let mut children = self.0.children(self.node(at));
        let count = children.len();
        children
            .next()
            .map_or(0..0, |first| first.index()..first.index() + count)
    }

    fn name(&self, at: usize) -> &[u8] {
        self.0.name(self.node(at))
    }

    fn facts(&self, at: usize) -> Facts {
        let node = self.node(at);
        let (kind, mode) = kind_and_mode(self.0, node);
        let entry = match self.0.body(node) {
            Body::Directory(entry) => entry,
            Body::File(entry) | Body::Symlink(entry) => Some(entry),
        };
        let entry = entry.map(|entry| self.0.entry(entry));
        let bytes = entry.filter(|entry| entry.kind != EntryKind::Directory);
        Facts {
            kind: match kind {
                EntryKind::Directory => Kind::Directory,
                EntryKind::File => Kind::File,
                EntryKind::Symlink => Kind::Symlink,
            },
            mode,
            size: bytes.map_or(0, |entry| entry.declared_size),
            crc: bytes.map(|entry| entry.crc),
            mtime: entry.map(|entry| entry.mtime),
        }
    }

    fn crc(&self, at: usize) -> Result<u32, String> {
        self.facts(at).crc.ok_or_else(|| "not a file".to_owned())
    }

    fn target(&self, at: usize) -> Result<Vec<u8>, String> {
        match self.0.body(self.node(at)) {
            Body::Symlink(entry) => self.1.link_target(entry).map_err(|error| error.to_string()),
            Body::File(_) | Body::Directory(_) => Err("not a symlink".to_owned()),
        }
    }

    fn trouble(&self, _: usize) -> Option<&str> {
        None
    }

    fn layer(&self, at: usize) -> Option<LayerIdx> {
        Some(self.0.provider(self.node(at)))
    }
}
