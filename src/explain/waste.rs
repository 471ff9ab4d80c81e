//! What packing the same paths again costs: dive's efficiency and wasted bytes, for layers that are zips.
//!
//! Of each path that any layer has a file or link at, dive takes the sizes that it has in all layers. Its
//! efficiency is the sum of each path's smallest size over the sum of all sizes; its wasted bytes are all
//! sizes of the paths that are found more than once. A path that a later layer removed has a smallest size
//! of 0 and is wasted. Layers of Lambda remove nothing, but bury what gave way to another kind.
//! <https://github.com/wagoodman/dive/blob/main/dive/filetree/efficiency.go>

use std::collections::HashMap;

use crate::archive::EntryKind;
use crate::path::RelPath;
use crate::stack::{Body, EntryRef, NodeId, Stack};

/// What the layers have more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waste {
    /// Paths found more than once, or buried.
    pub paths: u64,
    /// All sizes of those paths added up, those that are seen included.
    pub wasted_bytes: u64,
    /// The smallest size of each path, added up.
    pub smallest_bytes: u64,
    /// All sizes of all paths, added up.
    pub discovered_bytes: u64,
}

impl Waste {
    /// From 0 to 1; 1 when no layer has a path of another one.
    pub fn efficiency(&self) -> f64 {
        match self.discovered_bytes {
            0 => 1.0,
            all => self.smallest_bytes as f64 / all as f64,
        }
    }

    /// The wasted bytes' share of all, in percent.
    pub fn percent(&self) -> f64 {
        match self.discovered_bytes {
            0 => 0.0,
            all => self.wasted_bytes as f64 * 100.0 / all as f64,
        }
    }
}

/// The sizes of one path.
#[derive(Default, Clone, Copy)]
struct Sizes {
    smallest: Option<u64>,
    all: u64,
}

impl Sizes {
    fn add(&mut self, size: u64) {
        self.smallest = Some(self.smallest.map_or(size, |smallest| smallest.min(size)));
        self.all = self.all.saturating_add(size);
    }

    fn merge(&mut self, other: Sizes) {
        self.smallest = self.smallest.into_iter().chain(other.smallest).min();
        self.all = self.all.saturating_add(other.all);
    }
}

/// Weighs what the layers have more than once.
pub fn waste(stack: &Stack) -> Waste {
    let mut waste = Waste {
        paths: 0,
        wasted_bytes: 0,
        smallest_bytes: 0,
        discovered_bytes: 0,
    };
    for entry in stack.nodes().filter_map(|node| shown(stack, node)) {
        let size = stack.entry(entry).declared_size;
        waste.smallest_bytes = waste.smallest_bytes.saturating_add(size);
        waste.discovered_bytes = waste.discovered_bytes.saturating_add(size);
    }
    // Entries that do not lie at the path of the node that hides them, or of another kind than it: few.
    let mut buried: HashMap<&[u8], Sizes> = HashMap::new();
    for (node, shadowed) in stack.all_shadowed() {
        let path = shown(stack, node).map(|entry| stack.entry(entry).path);
        for hidden in shadowed {
            let there = stack.entry(hidden.entry);
            if there.kind != EntryKind::Directory && path != Some(there.path) {
                buried.entry(there.path).or_default().add(there.declared_size);
            }
        }
    }
    for (node, shadowed) in stack.all_shadowed() {
        let Some(entry) = shown(stack, node).map(|entry| stack.entry(entry)) else {
            continue;
        };
        let mut sizes = Sizes::default();
        for hidden in shadowed {
            let there = stack.entry(hidden.entry);
            if there.kind != EntryKind::Directory && there.path == entry.path {
                sizes.add(there.declared_size);
            }
        }
        if sizes.smallest.is_some() {
            sizes.merge(buried.remove(entry.path).unwrap_or_default());
            waste.count(sizes, Some(entry.declared_size));
        }
    }
    for (path, sizes) in buried {
        let node = RelPath::check(path)
            .ok()
            .and_then(|path| stack.find(path.parts()));
        let seen = node.and_then(|node| shown(stack, node));
        waste.count(sizes, seen.map(|entry| stack.entry(entry).declared_size));
    }
    waste
}

impl Waste {
    /// Counts a path with hidden sizes and, perhaps, one that is seen and already counted as its smallest.
    fn count(&mut self, hidden: Sizes, seen: Option<u64>) {
        let all = hidden.all.saturating_add(seen.unwrap_or(0));
        self.paths += 1;
        self.wasted_bytes = self.wasted_bytes.saturating_add(all);
        self.discovered_bytes = self.discovered_bytes.saturating_add(hidden.all);
        let too_many = seen.map_or(0, |seen| seen.saturating_sub(hidden.smallest.unwrap_or(seen)));
        self.smallest_bytes = self.smallest_bytes.saturating_sub(too_many);
    }
}

/// The entry of a file or link.
fn shown(stack: &Stack, node: NodeId) -> Option<EntryRef> {
    match stack.body(node) {
        Body::File(entry) | Body::Symlink(entry) => Some(entry),
        Body::Directory(_) => None,
    }
}
