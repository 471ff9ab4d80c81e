//! Numbers of inodes that are not of the merged tree: far above it, so that a comparison tells them apart.

use crate::fs::Ino;

/// The first number that no node of a merged tree has: those are counted in 32 bits.
const FIRST_BESIDE: u64 = 1 << KIND_SHIFT;
const KIND_SHIFT: u32 = 48;
/// Of a tree: which layer's.
const LAYER_SHIFT: u32 = 32;
const LAYERS: u64 = 1;
const SHADOWED: u64 = 2;
const FIXED: u64 = 3;
const SNAPSHOTS: u64 = 4;
const BELOW_KIND: u64 = FIRST_BESIDE - 1;
/// The numbers that texts can have.
pub(super) const NUMBERS: u64 = BELOW_KIND;

/// What stands below `.optfs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// An inode of a layer's tree, by its number there.
    Tree(Tree, Ino),
    /// What every mount has.
    Fixed(Fixed),
    /// A text as it was at one moment.
    Snapshot(u64),
}

/// A tree of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) of: TreeOf,
    pub(super) layer: u16,
}

/// Which of a layer's entries a tree shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TreeOf {
    /// All of them.
    All,
    /// Those that are not seen in the merged tree.
    Shadowed,
}

/// What every mount has below `.optfs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fixed {
    /// `.optfs` itself.
    Top,
    Layers,
    Shadowed,
    Stack,
    Conflicts,
    Stats,
    Errors,
}

const ALL: [Fixed; 7] = [
    Fixed::Top,
    Fixed::Layers,
    Fixed::Shadowed,
    Fixed::Stack,
    Fixed::Conflicts,
    Fixed::Stats,
    Fixed::Errors,
];

/// Whether an inode can be one of the merged tree.
#[inline]
pub(super) fn is_in_tree(ino: Ino) -> bool {
    ino.0 < FIRST_BESIDE
}

/// Whether the name of an inode stands for another one a moment later: the kernel may not keep it.
#[inline]
pub fn is_passing(ino: Ino) -> bool {
    ino.0 >> KIND_SHIFT == SNAPSHOTS
}

impl Place {
    /// What an inode that is not of the merged tree stands for.
    pub(super) fn of(ino: Ino) -> Option<Place> {
        let below = ino.0 & BELOW_KIND;
        let tree = |of| {
            let layer = (below >> LAYER_SHIFT) as u16;
            let local = Ino(below & u64::from(u32::MAX));
            Place::Tree(Tree { of, layer }, local)
        };
        match ino.0 >> KIND_SHIFT {
            LAYERS => Some(tree(TreeOf::All)),
            SHADOWED => Some(tree(TreeOf::Shadowed)),
            FIXED => ALL
                .get(usize::try_from(below).ok()?)
                .map(|&fixed| Place::Fixed(fixed)),
            SNAPSHOTS => Some(Place::Snapshot(below)),
            _ => None,
        }
    }

    /// Its inode.
    pub(super) fn ino(self) -> Ino {
        let (kind, below) = match self {
            Place::Tree(tree, local) => {
                let kind = match tree.of {
                    TreeOf::All => LAYERS,
                    TreeOf::Shadowed => SHADOWED,
                };
                (kind, u64::from(tree.layer) << LAYER_SHIFT | local.0)
            }
            Place::Fixed(fixed) => (FIXED, fixed as u64),
            Place::Snapshot(nth) => (SNAPSHOTS, nth & BELOW_KIND),
        };
        Ino(kind << KIND_SHIFT | below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found_again_by_its_number() {
        let last = Ino(u32::MAX.into());
        let trees = [TreeOf::All, TreeOf::Shadowed].map(|of| Tree { of, layer: u16::MAX });
        let mut places: Vec<_> = trees.map(|tree| Place::Tree(tree, last)).into();
        places.extend(ALL.map(Place::Fixed));
        places.extend([Place::Snapshot(0), Place::Snapshot(BELOW_KIND)]);
        for place in places {
            assert!(!is_in_tree(place.ino()));
            assert_eq!(Place::of(place.ino()), Some(place));
            assert_eq!(is_passing(place.ino()), matches!(place, Place::Snapshot(_)));
        }
        for nobody in [0, 1, FIRST_BESIDE - 1, FIXED << KIND_SHIFT | 7, u64::MAX] {
            assert_eq!(Place::of(Ino(nobody)), None, "{nobody:x}");
        }
    }
}
