//! Which layer provides a path and why, what it hides, and what each layer has in a directory.

use std::collections::BTreeMap;

use super::tally::Tally;
use crate::archive::EntryKind;
use crate::path::RelPath;
use crate::stack::{Body, EntryRef, LayerIdx, NodeId, Shadowed, Stack};

/// What is known of one path.
#[derive(Debug, Default)]
pub struct Which {
    /// What stands there, if anything does.
    pub seen: Option<Seen>,
    /// Entries of that very path that are not seen, the topmost first.
    pub hidden: Vec<Hidden>,
    /// Directories that other things took the place of at that very path, bottom layer first.
    pub buried: Vec<Buried>,
}

/// What stands at a path.
#[derive(Debug)]
pub struct Seen {
    /// The node.
    pub node: NodeId,
    /// What it is, and the entry it comes from.
    pub body: Body,
    /// The layer whose entry is seen; for a directory without an entry, the first that needed it.
    pub provider: LayerIdx,
    /// Why this one is seen.
    pub win: Win,
    /// For a directory: every layer that has something in it or an entry for it, bottom first.
    pub contributions: Vec<Contribution>,
}

/// Among how many an entry won. It is the last one of the last of those layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Win {
    /// Layers that have the path, itself or names below it.
    pub layers: usize,
    /// Entries that the winner's archive has for the very path: more than 1 when it has the name twice.
    pub entries: usize,
}

/// What one layer has in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contribution {
    /// The layer.
    pub layer: LayerIdx,
    /// Its files and links below the directory that are seen.
    pub seen: Tally,
    /// Its files and links below the directory that are not.
    pub hidden: Tally,
    /// Whether a directory that is seen, this one or one below, has its entry from this layer or was first
    /// needed by it, or whether it has an entry for this one.
    pub has_directory: bool,
}

impl Contribution {
    /// Whether anything of the layer is seen.
    pub fn is_seen(&self) -> bool {
        self.has_directory || !self.seen.is_empty()
    }
}

/// A directory that gave way to something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buried {
    /// The layer that had it.
    pub layer: LayerIdx,
    /// The layer that took its place.
    pub by: LayerIdx,
    /// The entries below it that are lost.
    pub lost: Tally,
}

/// An entry that is not seen.
#[derive(Debug)]
pub struct Hidden {
    /// The entry.
    pub entry: EntryRef,
    /// The layer that hid it.
    pub by: LayerIdx,
    /// How.
    pub reason: Reason,
}

/// Why an entry is not seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A later entry has the same path.
    Replaced,
    /// A later entry, no directory, has the path of a directory above it.
    Buried {
        /// That path.
        under: Vec<u8>,
    },
}

/// Says what stands at the root: a directory that nothing can hide.
pub fn root(stack: &Stack) -> Which {
    Which {
        seen: Some(seen(stack, NodeId::ROOT, &[], &[])),
        hidden: Vec::new(),
        buried: Vec::new(),
    }
}

/// Says what stands at a path, no link followed, and which entries of that path are hidden.
pub fn which(stack: &Stack, path: &RelPath<'_>) -> Which {
    let mut hidden = Vec::new();
    let mut buried = Vec::new();
    // Of one path, so that one look through an archive answers for all that it hid there.
    let mut under: BTreeMap<LayerIdx, Reason> = BTreeMap::new();
    let mut at = Some(NodeId::ROOT);
    let mut walked_bytes = 0;
    for part in path.parts() {
        at = at.and_then(|node| stack.child(node, part));
        let Some(node) = at else { break };
        walked_bytes += usize::from(walked_bytes > 0) + part.len();
        let is_last = walked_bytes == path.as_bytes().len();
        for shadowed in stack.shadowed(node) {
            let there = stack.entry(shadowed.entry).path;
            if there == path.as_bytes() {
                if !is_own_merge(stack, node, shadowed) {
                    let reason = match is_last {
                        true => Reason::Replaced,
                        false => {
                            let found = || reason(stack, shadowed.by, path.as_bytes());
                            under.entry(shadowed.by).or_insert_with(found).clone()
                        }
                    };
                    hidden.push(Hidden {
                        entry: shadowed.entry,
                        by: shadowed.by,
                        reason,
                    });
                }
            } else if is_below(there, path.as_bytes()) {
                bury(stack, &mut buried, shadowed);
            }
        }
    }
    hidden.sort_by_key(|h| std::cmp::Reverse(h.entry));
    Which {
        seen: at.map(|node| seen(stack, node, &hidden, &buried)),
        hidden,
        buried,
    }
}

fn is_below(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.starts_with(b"/"))
}

fn bury(stack: &Stack, buried: &mut Vec<Buried>, shadowed: &Shadowed) {
    let (layer, by) = (shadowed.entry.layer, shadowed.by);
    let lost = Tally::of(stack, shadowed.entry);
    match buried.last_mut() {
        Some(last) if (last.layer, last.by) == (layer, by) => last.lost += lost,
        _ => buried.push(Buried { layer, by, lost }),
    }
}

/// What a layer that hid an entry has in its place: the same path, or the place of a directory above.
fn reason(stack: &Stack, by: LayerIdx, path: &[u8]) -> Reason {
    let archive = stack.layer(by);
    let mut under: &[u8] = &[];
    for id in archive.entry_ids() {
        let other = archive.entry_path(id);
        let is_above = other.len() > under.len()
            && is_below(path, other)
            && archive.entry_kind(id) != EntryKind::Directory;
        if is_above {
            under = other;
        }
        if other == path {
            return Reason::Replaced;
        }
    }
    // A directory that no entry is listed for may have taken the place of a file.
    match under.is_empty() {
        true => Reason::Replaced,
        false => Reason::Buried {
            under: under.to_vec(),
        },
    }
}

fn seen(stack: &Stack, node: NodeId, hidden: &[Hidden], buried: &[Buried]) -> Seen {
    let (body, provider) = (stack.body(node), stack.provider(node));
    let contributions = contributions(stack, node);
    let mut layers = vec![provider];
    layers.extend(hidden.iter().map(|hidden| hidden.entry.layer));
    layers.extend(buried.iter().map(|buried| buried.layer));
    layers.extend(contributions.iter().map(|c| c.layer));
    layers.sort_unstable();
    layers.dedup();
    let in_own_archive = hidden.iter().filter(|h| h.entry.layer == provider).count();
    Seen {
        node,
        body,
        provider,
        win: Win {
            layers: layers.len(),
            entries: in_own_archive + 1,
        },
        contributions,
    }
}

/// Whether an entry is hidden only in name: a directory's own entry below another one's. Both
/// directories are merged, and nothing of the lower one is lost but its mode and time.
fn is_own_merge(stack: &Stack, node: NodeId, shadowed: &Shadowed) -> bool {
    stack.is_directory(node) && stack.entry(shadowed.entry).kind == EntryKind::Directory
}

/// What every layer has in a directory. For a file: nobody but the provider has it, so nothing.
fn contributions(stack: &Stack, node: NodeId) -> Vec<Contribution> {
    if !stack.is_directory(node) {
        return Vec::new();
    }
    let mut all: Vec<_> = stack
        .layers_in_order()
        .map(|(layer, _)| Contribution {
            layer,
            seen: Tally::default(),
            hidden: Tally::default(),
            has_directory: false,
        })
        .collect();
    let path = stack.path(node);
    // What a directory above took with it when it gave way for a time.
    let mut above = node;
    while above != NodeId::ROOT {
        above = stack.parent(above);
        for shadowed in stack.shadowed(above) {
            let entry = stack.entry(shadowed.entry);
            if entry.kind != EntryKind::Directory && is_below(entry.path, &path) {
                all[shadowed.entry.layer.index()].hidden += Tally::of(stack, shadowed.entry);
            }
        }
    }
    let mut waiting = vec![node];
    while let Some(at) = waiting.pop() {
        for shadowed in stack.shadowed(at) {
            let its = &mut all[shadowed.entry.layer.index()];
            let entry = stack.entry(shadowed.entry);
            let is_below = entry.path.len() > path.len();
            match entry.kind {
                EntryKind::Directory => its.has_directory |= !is_below,
                EntryKind::File | EntryKind::Symlink if is_below => {
                    its.hidden += Tally::of(stack, shadowed.entry);
                }
                // It stood where the directory is.
                EntryKind::File | EntryKind::Symlink => {}
            }
        }
        match stack.body(at) {
            Body::File(entry) | Body::Symlink(entry) => {
                all[entry.layer.index()].seen += Tally::of(stack, entry);
            }
            Body::Directory(_) => {
                if let Some(its) = all.get_mut(stack.provider(at).index()) {
                    its.has_directory = true;
                }
                waiting.extend(stack.children(at));
            }
        }
    }
    all.retain(|c| c.is_seen() || !c.hidden.is_empty());
    all
}
