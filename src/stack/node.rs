//! How a node of the tree lies in memory: 16 bytes, and 16 more for a directory. Names are not copied, they
//! lie among the paths of an archive.

use super::{EntryRef, LayerIdx};
use crate::archive::{Archive, EntryId, EntryKind};

/// A node of the merged tree, or of the draft of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) parent: u32,
    /// Place in the provider's index; of a directory, among the directories of the tree.
    pub(super) place: u32,
    pub(super) provider: LayerIdx,
    pub(super) kind: EntryKind,
    /// One part of a path: at most [`crate::path::MAX_PART_BYTES`].
    pub(super) name_len: u8,
    /// Among the paths of the provider.
    pub(super) name_start: u32,
}

/// What a directory has beside its node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Directory {
    /// Place in the provider's index, [`NO_ENTRY`] for an implicit directory.
    pub(super) entry: u32,
    /// Children are consecutive nodes, sorted by name.
    pub(super) first_child: u32,
    pub(super) child_count: u32,
    pub(super) subdirectories: u32,
}

pub(super) const NO_ENTRY: u32 = u32::MAX;

impl Node {
    pub(super) const ROOT: Node = Node {
        parent: 0,
        place: 0,
        provider: LayerIdx(0),
        kind: EntryKind::Directory,
        name_len: 0,
        name_start: 0,
    };

    /// The last part of the path; a stack without layers has a root all the same.
    pub(super) fn name<'a>(&self, layers: &'a [Archive]) -> &'a [u8] {
        layers
            .get(self.provider.index())
            .map_or(&[], |layer| layer.name(self.name_start, u16::from(self.name_len)))
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind == EntryKind::Directory
    }
}

/// The entry of a layer at a place in its index, if there is one.
pub(super) fn entry_at(layer: LayerIdx, place: u32) -> Option<EntryRef> {
    (place != NO_ENTRY).then(|| EntryRef {
        layer,
        entry: EntryId::from_index(place as usize),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_takes_16_bytes() {
        assert_eq!((size_of::<Node>(), size_of::<Directory>()), (16, 16));
        assert!(crate::path::MAX_PART_BYTES <= u8::MAX.into());
    }
}
