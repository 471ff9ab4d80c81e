//! What each layer does to each path over which layers can disagree, and what comes of it in an order.
//!
//! Only paths that more than one layer touches are looked at. Where all have files there, or all have
//! directories, the entries of that path decide alone. Where kinds meet, everything below counts too: a file
//! takes a whole directory away, and a directory over a file starts empty.

use std::collections::HashMap;

use crate::archive::EntryKind;
use crate::stack::{Body, EntryRef, LayerIdx, NodeId, Stack};

/// What a path is: numbers that mean something for one dispute alone. Directories have [`DIRECTORY`] set.
pub(super) type Value = u8;
/// Nothing is there.
pub(super) const ABSENT: Value = 0;
const DIRECTORY: Value = 0x80;
/// A directory as it is without an entry: 0755.
const PLAIN_DIRECTORY: Value = DIRECTORY;
/// No value: what was a directory stays as it is, everything else becomes a plain one.
const ENSURES_DIRECTORY: u8 = 0xff;

/// Paths for which the same layers do the same.
pub(super) struct Dispute {
    /// Layers that touch the path, bottom first, each with the value that it makes of it or
    /// [`ENSURES_DIRECTORY`].
    pub(super) effects: Effects,
    pub(super) count: u64,
    /// The first of the paths.
    examples: Vec<PathAt>,
}

type Effects = Vec<(LayerIdx, u8)>;

/// A path as the beginning of an entry's path.
#[derive(Clone, Copy)]
struct PathAt {
    entry: EntryRef,
    len: usize,
}

impl Dispute {
    pub(super) fn touches(&self, layer: LayerIdx) -> bool {
        self.effect(layer).is_some()
    }

    /// Whether two layers make different things of these paths, depending on which is the upper one.
    pub(super) fn is_between(&self, one: LayerIdx, other: LayerIdx) -> bool {
        match (self.effect(one), self.effect(other)) {
            (None, _) | (_, None) => false,
            (Some(ENSURES_DIRECTORY), Some(ENSURES_DIRECTORY)) => false,
            (Some(ENSURES_DIRECTORY), Some(value)) | (Some(value), Some(ENSURES_DIRECTORY)) => {
                value & DIRECTORY == 0
            }
            (Some(one), Some(other)) => one != other,
        }
    }

    pub(super) fn examples<'s>(&self, stack: &'s Stack) -> impl Iterator<Item = &'s [u8]> {
        self.examples.iter().map(|example| example.of(stack))
    }

    fn effect(&self, layer: LayerIdx) -> Option<u8> {
        let found = self.effects.iter().find(|&&(touching, _)| touching == layer);
        found.map(|&(_, effect)| effect)
    }
}

/// What a path becomes in an order, bottom first.
pub(super) fn outcome(effects: &[(LayerIdx, u8)], order: &[LayerIdx]) -> Value {
    let mut is_ensured = false;
    for layer in order.iter().rev() {
        match effects.iter().find(|(touching, _)| touching == layer) {
            None => {}
            Some((_, ENSURES_DIRECTORY)) => is_ensured = true,
            Some(&(_, value)) if is_ensured && value & DIRECTORY == 0 => return PLAIN_DIRECTORY,
            Some(&(_, value)) => return value,
        }
    }
    if is_ensured { PLAIN_DIRECTORY } else { ABSENT }
}

impl PathAt {
    fn of<'s>(&self, stack: &'s Stack) -> &'s [u8] {
        &stack.layer(self.entry.layer).entry_path(self.entry.entry)[..self.len]
    }
}

/// Everything that layers dispute.
pub(super) fn disputes(stack: &Stack) -> Vec<Dispute> {
    let mut found = Found {
        stack,
        disputes: Vec::new(),
        known: HashMap::new(),
        values: Vec::new(),
    };
    // Parents come before children: a conflict of kinds takes everything below with it.
    let mut is_mixed = vec![false; stack.node_count()];
    let (mut tops, mut mixed) = (Vec::new(), Vec::new());
    for node in stack.nodes() {
        let own = match stack.body(node) {
            Body::Directory(entry) => entry,
            Body::File(entry) | Body::Symlink(entry) => Some(entry),
        };
        let hidden = stack.shadowed(node).iter().map(|shadowed| shadowed.entry);
        let is_below = is_mixed[stack.parent(node).index()];
        let is_top = !is_below
            && stack.shadowed(node).iter().any(|shadowed| {
                let entry = stack.entry(shadowed.entry);
                let is_directory = entry.kind == EntryKind::Directory;
                is_directory != stack.is_directory(node) || entry.path.len() != path_len(stack, node)
            });
        is_mixed[node.index()] = is_below || is_top;
        if is_below || is_top {
            mixed.extend(hidden.chain(own));
            if is_top {
                tops.push(stack.path(node));
            }
        } else if !stack.shadowed(node).is_empty() {
            found.alike(hidden.chain(own));
        }
    }
    if !tops.is_empty() {
        // Layer by layer, and in each as its entries are applied.
        mixed.sort_unstable();
        Paths::new(stack, &mixed).each(&tops, |path, effects| found.add(path, effects));
    }
    found.disputes
}

fn path_len(stack: &Stack, node: NodeId) -> usize {
    let (mut len, mut at) = (0, node);
    while at != NodeId::ROOT {
        len += stack.name(at).len() + usize::from(len > 0);
        at = stack.parent(at);
    }
    len
}

/// What one layer does to one path.
#[derive(Clone, Copy)]
enum Effect {
    /// A file, a link, or a directory of its own.
    Entry(EntryRef),
    /// An empty directory without an entry.
    Plain,
    /// Nothing is left.
    Removes,
    Ensures,
}

/// Disputes, each once, as they are found.
struct Found<'a> {
    stack: &'a Stack,
    disputes: Vec<Dispute>,
    known: HashMap<Effects, usize>,
    /// Of the path at hand: the entries that its values from 1 on stand for.
    values: Vec<EntryRef>,
}

impl Found<'_> {
    /// A path where all entries are directories, or none is. Of those of one layer the last counts.
    fn alike(&mut self, entries: impl Iterator<Item = EntryRef>) {
        let mut effects: Vec<(LayerIdx, Effect)> = Vec::new();
        for entry in entries {
            match effects.last_mut() {
                Some((layer, effect)) if *layer == entry.layer => *effect = Effect::Entry(entry),
                _ => effects.push((entry.layer, Effect::Entry(entry))),
            }
        }
        if let Some(&(_, Effect::Entry(entry))) = effects.first() {
            let len = self.stack.entry(entry).path.len();
            self.add(PathAt { entry, len }, &effects);
        }
    }

    fn add(&mut self, path: PathAt, effects: &[(LayerIdx, Effect)]) {
        let is_certain = |(_, effect): &(_, Effect)| !matches!(effect, Effect::Ensures);
        if effects.len() < 2 || !effects.iter().any(is_certain) {
            return;
        }
        self.values.clear();
        let effects: Effects = effects
            .iter()
            .map(|&(layer, effect)| (layer, self.number(effect)))
            .collect();
        let at = match self.known.get(&effects) {
            Some(&at) => at,
            None => {
                self.known.insert(effects.clone(), self.disputes.len());
                self.disputes.push(Dispute {
                    effects,
                    count: 0,
                    examples: Vec::new(),
                });
                self.disputes.len() - 1
            }
        };
        let dispute = &mut self.disputes[at];
        dispute.count += 1;
        let before = |other: &PathAt| other.of(self.stack) < path.of(self.stack);
        let place = dispute.examples.partition_point(before);
        if place < super::EXAMPLES {
            dispute.examples.insert(place, path);
            dispute.examples.truncate(super::EXAMPLES);
        }
    }

    /// The number of an effect: entries that look alike have the same.
    fn number(&mut self, effect: Effect) -> u8 {
        let entry = match effect {
            Effect::Removes => return ABSENT,
            Effect::Plain => return PLAIN_DIRECTORY,
            Effect::Ensures => return ENSURES_DIRECTORY,
            Effect::Entry(entry) => entry,
        };
        let look = self.stack.entry(entry);
        let directory = match look.kind {
            EntryKind::Directory if look.permissions == 0o755 => return PLAIN_DIRECTORY,
            EntryKind::Directory => DIRECTORY,
            EntryKind::File | EntryKind::Symlink => 0,
        };
        let is_alike = |&other: &EntryRef| {
            let other = self.stack.entry(other);
            let bytes = (look.kind, look.permissions) == (other.kind, other.permissions);
            let is_directory = look.kind == EntryKind::Directory;
            bytes && (is_directory || (look.declared_size, look.crc) == (other.declared_size, other.crc))
        };
        let known = self.values.iter().position(is_alike);
        let number = known.unwrap_or_else(|| {
            self.values.push(entry);
            self.values.len() - 1
        });
        // A layer brings one value at most, and there are no more than 32 layers.
        directory | (number + 1) as u8
    }
}

/// The paths at and below conflicts of kinds, and when in a layer's turn what happens to them.
struct Paths<'a> {
    stack: &'a Stack,
    entries: &'a [EntryRef],
    /// Parents before children; the root is the first.
    nodes: Vec<PathNode>,
    /// By entry, its path.
    node_of: Vec<u32>,
    /// By parent and name.
    known: HashMap<(u32, &'a [u8]), u32>,
}

struct PathNode {
    parent: u32,
    path: PathAt,
}

/// The moments of one layer at which something last happened to a path; 0 is never.
#[derive(Clone, Copy, Default)]
struct Moments {
    /// A file or link was put there.
    leaf: u32,
    /// A directory's own entry was put there.
    directory: u32,
    /// Something was put below, which needs a directory.
    below: u32,
    /// A file or link was put in the place of a directory above.
    removed: u32,
}

impl<'a> Paths<'a> {
    /// `entries` must be sorted by layer and then as they are applied.
    fn new(stack: &'a Stack, entries: &'a [EntryRef]) -> Paths<'a> {
        let root = PathNode {
            parent: 0,
            path: PathAt {
                entry: entries[0],
                len: 0,
            },
        };
        let mut paths = Paths {
            stack,
            entries,
            nodes: vec![root],
            node_of: Vec::with_capacity(entries.len()),
            known: HashMap::new(),
        };
        // Archives list a directory's entries one after another.
        let (mut recent, mut recent_node): (&[u8], u32) = (b"", 0);
        for &entry in entries {
            let path = stack.layer(entry.layer).entry_path(entry.entry);
            let slash = path.iter().rposition(|&byte| byte == b'/');
            let directory = &path[..slash.unwrap_or(0)];
            let mut step = |parent: u32, len: usize, name: &'a [u8]| {
                *paths.known.entry((parent, name)).or_insert_with(|| {
                    paths.nodes.push(PathNode {
                        parent,
                        path: PathAt { entry, len },
                    });
                    paths.nodes.len() as u32 - 1
                })
            };
            if directory != recent {
                let mut len = 0;
                recent_node = 0;
                for part in directory.split(|&byte| byte == b'/') {
                    len += part.len() + usize::from(len > 0);
                    if !part.is_empty() {
                        recent_node = step(recent_node, len, part);
                    }
                }
                recent = directory;
            }
            let name = &path[slash.map_or(0, |slash| slash + 1)..];
            let node = step(recent_node, path.len(), name);
            paths.node_of.push(node);
        }
        paths
    }

    /// Hands out every path at or below `tops` with what the layers do to it, bottom first.
    fn each(&self, tops: &[Vec<u8>], mut take: impl FnMut(PathAt, &[(LayerIdx, Effect)])) {
        let turns: Vec<_> = self
            .entries
            .chunk_by(|a, b| a.layer == b.layer)
            .map(|entries| (entries[0].layer, self.turn(entries)))
            .collect();
        let mut is_inside = vec![false; self.nodes.len()];
        // Walked to, for the paths of a thousand levels are too long to be compared at each.
        for top in tops {
            if let Some(at) = self.find(top) {
                is_inside[at] = true;
            }
        }
        for (at, node) in self.nodes.iter().enumerate().skip(1) {
            is_inside[at] |= is_inside[node.parent as usize];
            if is_inside[at] {
                let effects: Vec<_> = turns
                    .iter()
                    .filter_map(|(layer, turn)| Some((*layer, turn[at]?)))
                    .collect();
                take(node.path, &effects);
            }
        }
    }

    fn find(&self, path: &[u8]) -> Option<usize> {
        let mut parts = path.split(|&byte| byte == b'/');
        let at = parts.try_fold(0, |at, part| self.known.get(&(at, part)).copied());
        at.map(|at| at as usize)
    }

    /// What one layer does to each path.
    fn turn(&self, entries: &[EntryRef]) -> Vec<Option<Effect>> {
        let first = self.entries.partition_point(|entry| *entry < entries[0]);
        let mut moments = vec![Moments::default(); self.nodes.len()];
        let mut own: Vec<Option<EntryRef>> = vec![None; self.nodes.len()];
        for (i, &entry) in entries.iter().enumerate() {
            let (at, now) = (self.node_of[first + i] as usize, i as u32 + 1);
            match self.stack.layer(entry.layer).entry_kind(entry.entry) {
                EntryKind::Directory => moments[at].directory = now,
                EntryKind::File | EntryKind::Symlink => moments[at].leaf = now,
            }
            own[at] = Some(entry);
        }
        for at in (1..self.nodes.len()).rev() {
            let here = moments[at];
            let above = &mut moments[self.nodes[at].parent as usize];
            above.below = above.below.max(here.leaf).max(here.directory).max(here.below);
        }
        for at in 1..self.nodes.len() {
            let above = moments[self.nodes[at].parent as usize];
            moments[at].removed = above.removed.max(above.leaf);
        }
        let own = own.into_iter();
        moments
            .iter()
            .zip(own)
            .map(|(moments, own)| moments.effect(own))
            .collect()
    }
}

impl Moments {
    /// What comes of it all; `own` is the last entry of the path itself.
    fn effect(self, own: Option<EntryRef>) -> Option<Effect> {
        let start = self.leaf.max(self.removed);
        let directory = self.directory.max(self.below);
        if directory > start {
            // The last entry of its own is the directory's, if that came behind all leaves.
            return match own {
                Some(own) if self.directory > start => Some(Effect::Entry(own)),
                _ if start > 0 => Some(Effect::Plain),
                _ => Some(Effect::Ensures),
            };
        }
        match own {
            Some(own) if self.leaf > self.removed => Some(Effect::Entry(own)),
            _ if self.removed > 0 => Some(Effect::Removes),
            _ => None,
        }
    }
}
