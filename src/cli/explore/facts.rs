//! The numbers of a tree, made in one pass over it: how many bytes lie below each node, which layer is seen
//! there, and what is hidden.
//!
//! Names are not looked at, and nothing is kept of a node but 16 bytes.

use crate::explain::{Likeness, likeness};
use crate::stack::{Body, EntryKind, EntryRef, LayerIdx, NodeId, Stack};

/// What a path hides, or how it is hidden: the worst of all, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// Nothing.
    Nothing,
    /// The same content twice.
    Same,
    /// Another content.
    Differs,
    /// A file over a directory, a directory over a link: another kind of thing.
    OtherKind,
}

/// Of one node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fact {
    /// Declared bytes of the file, or of all files below the directory.
    pub(super) bytes: u64,
    /// The layer that is seen there; of a directory, the one layer of all below it.
    seen: u16,
    /// At the node itself.
    pub(super) own: Mark,
    /// Below it.
    pub(super) below: Mark,
}

/// No layer yet, or several.
const UNKNOWN: u16 = u16::MAX;
const SEVERAL: u16 = u16::MAX - 1;

impl Fact {
    /// The one layer that is seen at the node and everywhere below it.
    pub(super) fn seen(&self) -> Option<usize> {
        (self.seen < SEVERAL).then_some(usize::from(self.seen))
    }

    fn new(bytes: u64, seen: Option<LayerIdx>, own: Mark) -> Fact {
        Fact {
            bytes,
            seen: seen.map_or(UNKNOWN, |layer| layer.index() as u16),
            own,
            below: Mark::Nothing,
        }
    }
}

/// The facts of a merged stack.
pub(super) fn of_stack(stack: &Stack) -> Vec<Fact> {
    let facts = stack.nodes().map(|node| {
        let own = mark_at(stack, node);
        match stack.body(node) {
            Body::Directory(_) => Fact::new(0, None, own),
            Body::File(entry) | Body::Symlink(entry) => {
                Fact::new(stack.entry(entry).declared_size, Some(entry.layer), own)
            }
        }
    });
    let mut facts: Vec<_> = facts.collect();
    add_up(stack, &mut facts, |node| stack.provider(node));
    facts
}

/// The facts of one layer's own tree, `own`, which the merge has at `layer`: where a path is hidden, the
/// layer that hides it.
pub(super) fn of_layer(own: &Stack, layer: LayerIdx, merged: &Stack) -> Vec<Fact> {
    // What stands at the same path of the merged tree, and the layer it is from.
    let mut standing: Vec<(Option<NodeId>, LayerIdx)> = Vec::with_capacity(own.node_count());
    let mut facts = Vec::with_capacity(own.node_count());
    for node in own.nodes() {
        let (found, seen) = match node == NodeId::ROOT {
            true => (Some(NodeId::ROOT), layer),
            false => {
                let (above, seen) = standing[own.parent(node).index()];
                let found = above.and_then(|above| merged.child(above, own.name(node)));
                (found, found.map_or(seen, |found| merged.provider(found)))
            }
        };
        let merged_body = found.map(|found| merged.body(found));
        let fact = match (own.body(node), merged_body) {
            (Body::Directory(_), Some(Body::Directory(_))) => {
                standing.push((found, layer));
                facts.push(Fact::new(0, None, Mark::Nothing));
                continue;
            }
            (Body::Directory(_), _) => Fact::new(0, Some(seen), Mark::OtherKind),
            (Body::File(entry) | Body::Symlink(entry), body) => {
                let bytes = own.entry(entry).declared_size;
                let mine = EntryRef { layer, ..entry };
                match (found, body) {
                    (Some(found), Some(Body::File(winner) | Body::Symlink(winner))) => {
                        let mark = match winner == mine {
                            true => mark_at(merged, found),
                            false => mark_of(likeness(merged, winner, mine)),
                        };
                        Fact::new(bytes, Some(seen), mark)
                    }
                    _ => Fact::new(bytes, Some(seen), Mark::OtherKind),
                }
            }
        };
        standing.push((found.filter(|&found| merged.is_directory(found)), seen));
        facts.push(fact);
    }
    add_up(own, &mut facts, |_| layer);
    facts
}

/// Brings what is known of children to their directories. Parents come before children, so from the end.
fn add_up(stack: &Stack, facts: &mut [Fact], provider: impl Fn(NodeId) -> LayerIdx) {
    for node in (1..stack.node_count())
        .rev()
        .filter_map(|index| stack.node_at(index))
    {
        let fact = &mut facts[node.index()];
        if fact.seen == UNKNOWN {
            // Nothing lies below it.
            fact.seen = provider(node).index() as u16;
        }
        let child = *fact;
        let parent = &mut facts[stack.parent(node).index()];
        parent.bytes = parent.bytes.saturating_add(child.bytes);
        parent.below = parent.below.max(child.own).max(child.below);
        parent.seen = match parent.seen {
            UNKNOWN => child.seen,
            same if same == child.seen => same,
            _ => SEVERAL,
        };
    }
}

/// What a node of the merged tree hides. Two directories are merged: neither hides the other.
fn mark_at(stack: &Stack, node: NodeId) -> Mark {
    let body = stack.body(node);
    let marks = stack
        .shadowed(node)
        .iter()
        .map(|hidden| match (body, stack.entry(hidden.entry)) {
            (Body::Directory(_), below) if below.kind == EntryKind::Directory => Mark::Nothing,
            (Body::File(winner) | Body::Symlink(winner), hidden_entry)
                if stack.entry(winner).path == hidden_entry.path =>
            {
                mark_of(likeness(stack, winner, hidden.entry))
            }
            _ => Mark::OtherKind,
        });
    marks.max().unwrap_or(Mark::Nothing)
}

/// How the content of two entries compares, as a mark.
pub(super) fn mark_of(likeness: Likeness) -> Mark {
    match likeness {
        Likeness::Same => Mark::Same,
        Likeness::Differs => Mark::Differs,
        Likeness::OtherKind => Mark::OtherKind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_takes_16_bytes() {
        assert_eq!(size_of::<Fact>(), 16);
    }
}
