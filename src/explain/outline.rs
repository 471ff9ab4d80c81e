//! The merged tree line by line, with what every directory holds: a picture of it needs no more.
//!
//! Where there are more lines than anyone wants, the heaviest stay and the others become sums of the directories
//! that they lie in.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::tally::Tally;
use crate::stack::{Body, NodeId, Stack};

/// A name in the tree. Those of a directory follow it, each with all that is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub node: NodeId,
    /// Of a file or link its size; of a directory what is seen below it.
    pub bytes: u64,
    /// How many names right in the directory have lines.
    pub named: usize,
    /// Files and links below the directory that have no line, and lie in no other directory that has one.
    pub rest: Tally,
}

/// Lists the tree from its root, with `most` lines at most: the heaviest, and the root always.
pub fn outline(stack: &Stack, most: usize) -> Vec<Line> {
    let bytes = weigh(stack);
    let is_named = heaviest(stack, &bytes, most.max(1));
    let mut rests: HashMap<NodeId, Tally> = HashMap::new();
    for node in stack.nodes().rev().filter(|node| !is_named[node.index()]) {
        let mut rest = rests.remove(&node).unwrap_or_default();
        if let Body::File(entry) | Body::Symlink(entry) = stack.body(node) {
            rest += Tally::of(stack, entry);
        }
        *rests.entry(stack.parent(node)).or_default() += rest;
    }
    let mut lines = Vec::with_capacity(stack.node_count().min(most));
    let mut waiting = vec![NodeId::ROOT];
    while let Some(node) = waiting.pop() {
        let before = waiting.len();
        let named = stack.children(node).filter(|child| is_named[child.index()]);
        waiting.extend(named.rev());
        lines.push(Line {
            node,
            bytes: bytes[node.index()],
            named: waiting.len() - before,
            rest: rests.remove(&node).unwrap_or_default(),
        });
    }
    lines
}

/// What each node weighs, directories with all below.
fn weigh(stack: &Stack) -> Vec<u64> {
    let mut bytes = vec![0u64; stack.node_count()];
    // A directory has a smaller number than what lies in it.
    for node in stack.nodes().skip(1).rev() {
        if let Body::File(entry) | Body::Symlink(entry) = stack.body(node) {
            bytes[node.index()] = stack.entry(entry).declared_size;
        }
        let parent = stack.parent(node).index();
        bytes[parent] = bytes[parent].saturating_add(bytes[node.index()]);
    }
    bytes
}

/// Which nodes are among the heaviest. A directory is as heavy as anything in it and comes before it, so that
/// nothing is named whose directory is not.
fn heaviest(stack: &Stack, bytes: &[u64], most: usize) -> Vec<bool> {
    let mut is_named = vec![true; bytes.len()];
    if bytes.len() > most {
        let mut order: Vec<NodeId> = stack.nodes().collect();
        order.select_nth_unstable_by_key(most, |&node| (Reverse(bytes[node.index()]), node));
        for node in &order[most..] {
            is_named[node.index()] = false;
        }
    }
    is_named
}
