//! Everything that a stack hides: what later layers replaced, and what a conflict of kinds buried.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use super::likeness::{Likeness, likeness};
use super::tally::Tally;
use crate::archive::EntryKind;
use crate::path::RelPath;
use crate::stack::{Body, EntryRef, LayerIdx, NodeId, Shadowed, Stack};

/// All hidden entries, each of them once. A directory's own entry below another one's is not hidden: both
/// directories are merged.
#[derive(Debug, Default)]
pub struct Shadows {
    /// Entries that a thing of the same kind is seen instead of, by the two layers; lowest layers first.
    pub pairs: Vec<Pair>,
    /// Where a thing of another kind stands, in the order of the tree.
    pub conflicts: Vec<Conflict>,
}

/// What one layer has and another one's is seen of.
#[derive(Debug)]
pub struct Pair {
    /// The layer whose entries are hidden.
    pub hidden: LayerIdx,
    /// The layer whose entries are seen instead; the same one where an archive has a name twice.
    pub seen: LayerIdx,
    /// The hidden entries, in the order of the tree.
    pub replaced: Vec<Replaced>,
    /// How many they are.
    pub tally: Compared,
}

/// Hidden entries, counted by how they compare with what is seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Those with the content that is seen.
    pub identical: Tally,
    /// Those with other content.
    pub differing: Tally,
}

/// An entry that a thing of the same kind is seen instead of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// The entry.
    pub entry: EntryRef,
    /// What is seen at its path.
    pub node: NodeId,
    /// The layer that hid it first: another one than is seen, where three layers have the path.
    pub by: LayerIdx,
    /// Whether its content is what is seen.
    pub is_identical: bool,
}

/// A place where layers do not agree on what stands there: a file and a directory, a link and a file.
#[derive(Debug)]
pub struct Conflict {
    /// What is seen.
    pub node: NodeId,
    /// What that is.
    pub kind: EntryKind,
    /// The layer that is seen.
    pub seen: LayerIdx,
    /// What gave way, by layer, bottom first.
    pub gave_way: Vec<GaveWay>,
    /// The lost entries, bottom layer first: the other things that stood there, and all that lay below them.
    pub lost: Vec<Shadowed>,
}

/// What one layer had in the place of something of another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GaveWay {
    /// The layer.
    pub layer: LayerIdx,
    /// What it had: a directory also where nothing but names below it are listed.
    pub kind: EntryKind,
    /// The layer that took its place.
    pub by: LayerIdx,
    /// The entries that were lost with it.
    pub lost: Tally,
}

impl Compared {
    /// One entry.
    pub fn of(stack: &Stack, replaced: &Replaced) -> Compared {
        let mut compared = Compared::default();
        let tally = match replaced.is_identical {
            true => &mut compared.identical,
            false => &mut compared.differing,
        };
        *tally += Tally::of(stack, replaced.entry);
        compared
    }

    /// All of them.
    pub fn all(&self) -> Tally {
        [self.identical, self.differing].into_iter().sum()
    }
}

impl AddAssign for Compared {
    fn add_assign(&mut self, other: Compared) {
        self.identical += other.identical;
        self.differing += other.differing;
    }
}

impl Shadows {
    /// Entries that a thing of the same kind is seen instead of.
    pub fn replaced(&self) -> Compared {
        self.pairs.iter().fold(Compared::default(), |mut sum, pair| {
            sum += pair.tally;
            sum
        })
    }

    /// Entries lost to conflicts of kinds.
    pub fn lost(&self) -> Tally {
        let gave_way = self.conflicts.iter().flat_map(|conflict| &conflict.gave_way);
        gave_way.map(|gave_way| gave_way.lost).sum()
    }

    /// Whether nothing is hidden.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.conflicts.is_empty()
    }
}

/// Collects everything that is hidden.
pub fn shadows(stack: &Stack) -> Shadows {
    let mut collected = Collected::default();
    for (node, shadowed) in stack.all_shadowed() {
        collected.add(stack, node, shadowed.iter().copied());
    }
    collected.finish()
}

/// Collects what is hidden at a path and below it, no link followed; nothing when no layer has that path.
pub fn shadows_below(stack: &Stack, path: &RelPath<'_>) -> Option<Shadows> {
    let top = stack.find(path.parts());
    let above = |node| node != NodeId::ROOT && Some(node) != top;
    let is_inside = |mut node: NodeId| {
        // A directory has a smaller number than what lies in it.
        while top.is_some_and(|top| node > top) {
            node = stack.parent(node);
        }
        Some(node) == top
    };
    let mut collected = Collected::default();
    for (node, shadowed) in stack.all_shadowed() {
        if is_inside(node) {
            collected.add(stack, node, shadowed.iter().copied());
        }
    }
    // What a directory on the way took with it when it gave way.
    let mut at = NodeId::ROOT;
    for part in path.parts() {
        let Some(child) = stack.child(at, part) else { break };
        at = child;
        if above(at) {
            let buried = stack.shadowed(at).iter().copied();
            let inside = buried.filter(|s| is_at_or_below(stack.entry(s.entry).path, path.as_bytes()));
            collected.add(stack, at, inside);
        }
    }
    let shadows = collected.finish();
    (top.is_some() || !shadows.is_empty()).then_some(shadows)
}

fn is_at_or_below(path: &[u8], top: &[u8]) -> bool {
    path.strip_prefix(top)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[derive(Default)]
struct Collected {
    pairs: BTreeMap<(LayerIdx, LayerIdx), Pair>,
    conflicts: Vec<Conflict>,
}

impl Collected {
    fn add(&mut self, stack: &Stack, node: NodeId, shadowed: impl Iterator<Item = Shadowed>) {
        let (body, seen) = (stack.body(node), stack.provider(node));
        let kind = kind_of(body);
        let mut lost = Vec::new();
        let path_bytes = path_bytes(stack, node, body);
        for hidden in shadowed {
            let there = stack.entry(hidden.entry);
            // Paths of what a node hides are its own or below it.
            let is_same_path = there.path.len() == path_bytes;
            match body {
                Body::Directory(_) if is_same_path && there.kind == kind => {}
                Body::File(shown) | Body::Symlink(shown) if is_same_path && there.kind == kind => {
                    let key = (hidden.entry.layer, seen);
                    let pair = self.pairs.entry(key).or_insert_with(|| Pair::new(key));
                    let replaced = Replaced {
                        entry: hidden.entry,
                        node,
                        by: hidden.by,
                        is_identical: likeness(stack, shown, hidden.entry) == Likeness::Same,
                    };
                    pair.tally += Compared::of(stack, &replaced);
                    pair.replaced.push(replaced);
                }
                _ => lost.push(hidden),
            }
        }
        if !lost.is_empty() {
            self.conflicts.push(Conflict {
                node,
                kind,
                seen,
                gave_way: gave_way(stack, path_bytes, &lost),
                lost,
            });
        }
    }

    fn finish(self) -> Shadows {
        let mut conflicts = self.conflicts;
        conflicts.sort_by_key(|conflict| conflict.node);
        Shadows {
            pairs: self.pairs.into_values().collect(),
            conflicts,
        }
    }
}

impl Pair {
    fn new((hidden, seen): (LayerIdx, LayerIdx)) -> Pair {
        Pair {
            hidden,
            seen,
            replaced: Vec::new(),
            tally: Compared::default(),
        }
    }
}

/// What is lost, by layer and by what each had at the path, which has `path_bytes`.
fn gave_way(stack: &Stack, path_bytes: usize, lost: &[Shadowed]) -> Vec<GaveWay> {
    let mut all: Vec<GaveWay> = Vec::new();
    for hidden in lost {
        let there = stack.entry(hidden.entry);
        let kind = match there.path.len() == path_bytes {
            true => there.kind,
            false => EntryKind::Directory,
        };
        let (layer, by) = (hidden.entry.layer, hidden.by);
        let known = all
            .iter_mut()
            .rfind(|g| (g.layer, g.kind, g.by) == (layer, kind, by));
        let tally = Tally::of(stack, hidden.entry);
        match known {
            Some(known) => known.lost += tally,
            None => all.push(GaveWay {
                layer,
                kind,
                by,
                lost: tally,
            }),
        }
    }
    all
}

fn kind_of(body: Body) -> EntryKind {
    match body {
        Body::Directory(_) => EntryKind::Directory,
        Body::File(_) => EntryKind::File,
        Body::Symlink(_) => EntryKind::Symlink,
    }
}

/// The length of a node's path.
fn path_bytes(stack: &Stack, node: NodeId, body: Body) -> usize {
    match body {
        Body::File(entry) | Body::Symlink(entry) | Body::Directory(Some(entry)) => {
            stack.entry(entry).path.len()
        }
        Body::Directory(None) => stack.path(node).len(),
    }
}
