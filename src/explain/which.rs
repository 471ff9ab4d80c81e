//! Which layer provides a path, and what it hides.

use std::collections::BTreeSet;

use crate::path::RelPath;
use crate::stack::{Body, EntryRef, LayerIdx, NodeId, Shadowed, Stack};

/// What is known of one path.
#[derive(Debug)]
pub struct Which {
    /// What stands there, if anything does.
    pub seen: Option<Seen>,
    /// Entries of that very path that are not seen, the topmost first.
    pub hidden: Vec<Hidden>,
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
    /// For a directory: every layer that contributes something below it or its own entry, bottom first.
    pub contributors: Vec<LayerIdx>,
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
        seen: Some(seen(stack, NodeId::ROOT)),
        hidden: Vec::new(),
    }
}

/// Says what stands at a path, and which entries of that path are hidden.
pub fn which(stack: &Stack, path: &RelPath<'_>) -> Which {
    let mut hidden = Vec::new();
    let mut at = Some(NodeId::ROOT);
    let mut walked = Vec::new();
    for part in path.parts() {
        at = at.and_then(|node| stack.child(node, part));
        let Some(node) = at else { break };
        if !walked.is_empty() {
            walked.push(b'/');
        }
        walked.extend_from_slice(part);
        let here = stack
            .shadowed(node)
            .iter()
            .filter(|s| stack.entry(s.entry).path == path.as_bytes());
        hidden.extend(here.filter(|s| !is_own_merge(stack, node, s)).map(|s| Hidden {
            entry: s.entry,
            by: s.by,
            reason: match walked.len() == path.as_bytes().len() {
                true => Reason::Replaced,
                false => Reason::Buried {
                    under: walked.clone(),
                },
            },
        }));
    }
    hidden.sort_by_key(|h| std::cmp::Reverse(h.entry));
    Which {
        seen: at.map(|node| seen(stack, node)),
        hidden,
    }
}

fn seen(stack: &Stack, node: NodeId) -> Seen {
    Seen {
        node,
        body: stack.body(node),
        provider: stack.provider(node),
        contributors: contributors(stack, node),
    }
}

/// Whether an entry is hidden only in name: a directory's own entry below another one's. Both
/// directories are merged, and nothing of the lower one is lost but its mode and time.
fn is_own_merge(stack: &Stack, node: NodeId, shadowed: &Shadowed) -> bool {
    use crate::stack::EntryKind::Directory;
    stack.is_directory(node) && stack.entry(shadowed.entry).kind == Directory
}

/// Every layer that has something in a directory or gave it its own entry. For a file: nobody but the
/// provider, so nothing.
fn contributors(stack: &Stack, node: NodeId) -> Vec<LayerIdx> {
    if !stack.is_directory(node) {
        return Vec::new();
    }
    let mut layers = BTreeSet::from([stack.provider(node)]);
    layers.extend(
        stack
            .shadowed(node)
            .iter()
            .filter(|s| is_own_merge(stack, node, s))
            .map(|s| s.entry.layer),
    );
    let mut waiting = vec![node];
    while let Some(directory) = waiting.pop() {
        for child in stack.children(directory) {
            layers.insert(stack.provider(child));
            if stack.is_directory(child) {
                waiting.push(child);
            }
        }
    }
    layers.into_iter().collect()
}
