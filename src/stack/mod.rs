//! The ordered layers and their one merge: a compact tree that never changes, with the provider and
//! the shadowed entries of each node.
//!
//! Knows nothing of file contents and does no I/O. Since nothing changes after [`Stack::merge`], no
//! lock guards it, and a node's number is the same for the same list of archives.

mod draft;
mod follow;
mod merge;
mod node;
mod shadow;

use std::ops::Range;
use std::sync::Arc;

use thiserror::Error;

use node::{Directory, Node, entry_at};

pub use crate::archive::{Archive, Entry, EntryId, EntryKind, Method, Mtime};
pub use follow::Stop;

/// A layer's place in the stack: 0 is the bottom, the highest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerIdx(u16);

/// A node of the merged tree, from 0 (the root), in order of depth and then of name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// One entry of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryRef {
    /// The layer that has it.
    pub layer: LayerIdx,
    /// Which of its entries.
    pub entry: EntryId,
}

/// Why layers cannot be merged.
#[derive(Debug, Error)]
pub enum StackError {
    /// Layers are counted in sixteen bits.
    #[error("{0} layers, 65535 is the limit")]
    TooManyLayers(usize),
    /// Nodes are counted in 32 bits.
    #[error("the merged tree has more than 4,294,967,294 nodes")]
    TooManyNodes,
}

/// What stands at a path of the merged tree.
#[derive(Debug, Clone, Copy)]
pub enum Body {
    /// Names below it. The entry that gave mode and time, if any layer has one for it.
    Directory(Option<EntryRef>),
    /// Bytes of an entry.
    File(EntryRef),
    /// A link whose target is the bytes of an entry.
    Symlink(EntryRef),
}

/// An entry that an extraction in order would have written and a later entry taken away or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shadowed {
    /// The entry that is not seen. Its path is that of the node, or below it where a directory gave
    /// way to something else.
    pub entry: EntryRef,
    /// The layer whose entry hid it.
    pub by: LayerIdx,
}

/// The merged layers.
#[derive(Debug)]
pub struct Stack {
    /// Shared with the trees of single layers that are made of it.
    layers: Arc<[Archive]>,
    nodes: Vec<Node>,
    /// Of the nodes that are directories, in the same order.
    directories: Vec<Directory>,
    /// By node: `shadowed[shadow_starts[i].1..shadow_starts[i + 1].1]` belongs to node
    /// `shadow_starts[i].0`. Only nodes that shadow something are listed.
    shadow_starts: Vec<(NodeId, u32)>,
    shadowed: Vec<Shadowed>,
}

impl LayerIdx {
    /// The place in the stack, from 0 at the bottom.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl NodeId {
    /// The root of the merged tree.
    pub const ROOT: NodeId = NodeId(0);

    /// The place among all nodes, from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Stack {
    /// Merges layers, first to last: the last wins.
    ///
    /// # Errors
    /// Only when there are more layers or names than can be counted.
    pub fn merge(layers: Vec<Archive>) -> Result<Stack, StackError> {
        merge::merge(layers.into())
    }

    /// The tree that some entries of one layer make alone, in the order of its central directory. Layers and
    /// entries are those of this stack, not copies.
    ///
    /// # Errors
    /// Only when there are more names than can be counted.
    pub fn only(
        &self,
        layer: LayerIdx,
        entries: impl IntoIterator<Item = EntryId>,
    ) -> Result<Stack, StackError> {
        merge::only(&self.layers, layer, entries)
    }

    /// The layers, bottom first.
    pub fn layers(&self) -> &[Archive] {
        &self.layers
    }

    /// The layers with their places, bottom first.
    pub fn layers_in_order(&self) -> impl DoubleEndedIterator<Item = (LayerIdx, &Archive)> {
        self.layers
            .iter()
            .enumerate()
            .map(|(i, archive)| (LayerIdx(i as u16), archive))
    }

    /// One layer.
    pub fn layer(&self, layer: LayerIdx) -> &Archive {
        &self.layers[layer.index()]
    }

    /// Number of nodes, the root included.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The node with a number, if there is one.
    pub fn node_at(&self, index: usize) -> Option<NodeId> {
        (index < self.nodes.len()).then_some(NodeId(index as u32))
    }

    /// All nodes: parents before children, siblings by name.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// What stands at a node.
    pub fn body(&self, node: NodeId) -> Body {
        let inner = &self.nodes[node.index()];
        let entry = EntryRef {
            layer: inner.provider,
            entry: EntryId::from_index(inner.place as usize),
        };
        match inner.kind {
            EntryKind::Directory => {
                let own = self.directories[inner.place as usize].entry;
                Body::Directory(entry_at(inner.provider, own))
            }
            EntryKind::File => Body::File(entry),
            EntryKind::Symlink => Body::Symlink(entry),
        }
    }

    /// Whether a node is a directory.
    pub fn is_directory(&self, node: NodeId) -> bool {
        self.nodes[node.index()].is_directory()
    }

    /// The layer whose entry is seen; for an implicit directory, the layer that first needed it.
    pub fn provider(&self, node: NodeId) -> LayerIdx {
        self.nodes[node.index()].provider
    }

    /// The entry at a place in the index of a layer, both counted from 0, if there is one.
    pub fn entry_at(&self, layer: usize, entry: usize) -> Option<EntryRef> {
        let archive = self.layers.get(layer)?;
        (entry < archive.len()).then(|| EntryRef {
            layer: LayerIdx(layer as u16),
            entry: EntryId::from_index(entry),
        })
    }

    /// The entry of a layer that a reference means.
    pub fn entry(&self, entry: EntryRef) -> Entry<'_> {
        self.layer(entry.layer).entry(entry.entry)
    }

    /// The last part of a node's path; empty for the root.
    pub fn name(&self, node: NodeId) -> &[u8] {
        self.nodes[node.index()].name(&self.layers)
    }

    /// The directory that a node lies in; the root lies in itself.
    pub fn parent(&self, node: NodeId) -> NodeId {
        NodeId(self.nodes[node.index()].parent)
    }

    /// The whole path of a node, without a leading slash; empty for the root.
    pub fn path(&self, node: NodeId) -> Vec<u8> {
        let mut parts = Vec::new();
        let mut at = node;
        while at != NodeId::ROOT {
            parts.push(self.name(at));
            at = self.parent(at);
        }
        parts.reverse();
        parts.join(&b'/')
    }

    /// The children of a directory, sorted by name; nothing for other nodes.
    pub fn children(
        &self,
        node: NodeId,
    ) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + use<> {
        self.child_range(node).map(NodeId)
    }

    /// The next name in the same directory.
    pub fn next_sibling(&self, node: NodeId) -> Option<NodeId> {
        let last = self.child_range(self.parent(node)).end;
        (node != NodeId::ROOT && node.0 + 1 < last).then_some(NodeId(node.0 + 1))
    }

    /// Number of directories directly below a node.
    pub fn subdirectories(&self, node: NodeId) -> u32 {
        self.directory(node)
            .map_or(0, |directory| directory.subdirectories)
    }

    /// The child of a directory with a name.
    pub fn child(&self, node: NodeId, name: &[u8]) -> Option<NodeId> {
        let range = self.child_range(node);
        let children = &self.nodes[range.start as usize..range.end as usize];
        let found = children
            .binary_search_by(|child| child.name(&self.layers).cmp(name))
            .ok()?;
        Some(NodeId(range.start + found as u32))
    }

    /// The node at a path given by its parts, no link followed.
    pub fn find<'p>(&self, parts: impl IntoIterator<Item = &'p [u8]>) -> Option<NodeId> {
        parts
            .into_iter()
            .try_fold(NodeId::ROOT, |node, part| self.child(node, part))
    }

    /// What the node hides: entries at its path in the order in which they were hidden, and, where it
    /// took the place of a directory, entries below.
    pub fn shadowed(&self, node: NodeId) -> &[Shadowed] {
        match self
            .shadow_starts
            .binary_search_by_key(&node, |&(owner, _)| owner)
        {
            Err(_) => &[],
            Ok(i) => {
                let start = self.shadow_starts[i].1 as usize;
                let end = self
                    .shadow_starts
                    .get(i + 1)
                    .map_or(self.shadowed.len(), |next| next.1 as usize);
                &self.shadowed[start..end]
            }
        }
    }

    /// All nodes that hide something, in their order, each with what it hides as [`Stack::shadowed`] has it.
    pub fn all_shadowed(&self) -> impl Iterator<Item = (NodeId, &[Shadowed])> {
        let starts = self.shadow_starts.iter().map(|&(_, start)| start as usize);
        let ends = starts.clone().skip(1).chain([self.shadowed.len()]);
        let owners = self.shadow_starts.iter().map(|&(owner, _)| owner);
        owners
            .zip(starts.zip(ends))
            .map(|(owner, (start, end))| (owner, &self.shadowed[start..end]))
    }

    /// Bytes of memory that the layers' indexes and the tree take, those of the paths left out.
    pub fn memory_bytes(&self) -> usize {
        let layers: usize = self.layers.iter().map(Archive::memory_bytes).sum();
        layers
            + self.nodes.capacity() * size_of::<Node>()
            + self.directories.capacity() * size_of::<Directory>()
            + self.shadow_starts.capacity() * size_of::<(NodeId, u32)>()
            + self.shadowed.capacity() * size_of::<Shadowed>()
    }

    fn child_range(&self, node: NodeId) -> Range<u32> {
        self.directory(node).map_or(0..0, |directory| {
            directory.first_child..directory.first_child + directory.child_count
        })
    }

    fn directory(&self, node: NodeId) -> Option<&Directory> {
        let inner = &self.nodes[node.index()];
        inner
            .is_directory()
            .then(|| &self.directories[inner.place as usize])
    }
}
