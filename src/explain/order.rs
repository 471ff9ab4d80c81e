//! What the order of the layers decides: which paths would be other if layers changed places.
//!
//! The merge is not done again for every order. What a layer does to one path is one of three things,
//! whatever lies below it (`effects`): it leaves it alone, it makes it something certain, or it makes sure
//! that a directory is there. What a path becomes in an order follows from these, and the many paths for
//! which the same layers do the same are counted together.
//!
//! Times do not count, and neither does which of two layers gives the same bytes.

mod effects;

use std::collections::HashMap;

use crate::stack::{LayerIdx, Stack};
use effects::{ABSENT, Dispute, disputes, outcome};

/// So many layers are compared at most; Lambda takes five.
pub const MOST_LAYERS: usize = 32;
/// Of so many layers at most every order is tried: 720.
pub const MOST_PERMUTED: usize = 6;
/// So many paths are named for a pair of layers.
const EXAMPLES: usize = 3;

/// A stack with more layers than [`MOST_LAYERS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany(pub usize);

/// All that the order of a stack's layers decides.
pub struct Order<'a> {
    stack: &'a Stack,
    layers: Vec<LayerIdx>,
    disputes: Vec<Dispute>,
    /// What becomes of the paths of each dispute in the order of the stack.
    present: Vec<u8>,
}

/// How many paths would be other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Of another content, mode or kind.
    pub changed: u64,
    /// There, and not now.
    pub added: u64,
    /// There now, and then no more.
    pub removed: u64,
}

/// Two layers, and what their places decide.
#[derive(Debug)]
pub struct Pair {
    /// The lower one.
    pub lower: LayerIdx,
    /// The upper one.
    pub upper: LayerIdx,
    /// Paths of which the two make different things, whichever layers lie around them. 0: they can be
    /// exchanged where they are neighbours, in every order of the stack.
    pub disputed: u64,
    /// What would be other if the two changed places, and all others kept theirs.
    pub swapped: Count,
    /// Some of those paths, or of the disputed ones if there is none.
    pub examples: Vec<Vec<u8>>,
}

/// One order of all layers.
#[derive(Debug)]
pub struct Permutation {
    /// The layers, bottom first.
    pub order: Vec<LayerIdx>,
    /// What would be other.
    pub count: Count,
    /// Orders of one number show the same tree; the present one is of number 0.
    pub view: usize,
}

impl<'a> Order<'a> {
    /// Finds what the layers of a stack dispute.
    ///
    /// # Errors
    /// When there are too many layers.
    pub fn of(stack: &'a Stack) -> Result<Order<'a>, TooMany> {
        let layers: Vec<_> = stack.layers_in_order().map(|(layer, _)| layer).collect();
        if layers.len() > MOST_LAYERS {
            return Err(TooMany(layers.len()));
        }
        let disputes = disputes(stack);
        let mut order = Order {
            stack,
            present: Vec::new(),
            layers,
            disputes,
        };
        order.present = order.outcomes(&order.layers);
        Ok(order)
    }

    /// What would be other in another order of all layers.
    pub fn reordered(&self, order: &[LayerIdx]) -> Count {
        let mut count = Count::default();
        for (dispute, &now) in self.disputes.iter().zip(&self.present) {
            count.add(now, outcome(&dispute.effects, order), dispute.count);
        }
        count
    }

    /// Every two layers, the lower one in the order of the stack.
    pub fn pairs(&self) -> Vec<Pair> {
        let all = || self.layers.iter().copied();
        let above = |lower: LayerIdx| all().skip(lower.index() + 1);
        all()
            .flat_map(|lower| above(lower).map(move |upper| (lower, upper)))
            .map(|(lower, upper)| self.pair(lower, upper))
            .collect()
    }

    fn pair(&self, lower: LayerIdx, upper: LayerIdx) -> Pair {
        let mut order = self.layers.clone();
        order.swap(lower.index(), upper.index());
        let (mut swapped, mut disputed) = (Count::default(), 0);
        let (mut changed_paths, mut disputed_paths) = (Vec::new(), Vec::new());
        for (dispute, &now) in self.disputes.iter().zip(&self.present) {
            if !(dispute.touches(lower) || dispute.touches(upper)) {
                continue;
            }
            let then = outcome(&dispute.effects, &order);
            swapped.add(now, then, dispute.count);
            if now != then {
                changed_paths.extend(dispute.examples(self.stack));
            }
            if dispute.is_between(lower, upper) {
                disputed += dispute.count;
                disputed_paths.extend(dispute.examples(self.stack));
            }
        }
        let mut examples = if changed_paths.is_empty() {
            disputed_paths
        } else {
            changed_paths
        };
        examples.sort_unstable();
        examples.truncate(EXAMPLES);
        Pair {
            lower,
            upper,
            disputed,
            swapped,
            examples: examples.into_iter().map(<[u8]>::to_vec).collect(),
        }
    }

    /// The layers by who disputes with whom, directly or through others, bottom first. Only inside a group
    /// the order matters: layers of different groups can stand among each other in any way. A group of one
    /// is a layer that can stand anywhere.
    pub fn groups(&self) -> Vec<Vec<LayerIdx>> {
        let mut group_of: Vec<usize> = (0..self.layers.len()).collect();
        for &upper in &self.layers {
            for &lower in &self.layers[..upper.index()] {
                if self
                    .disputes
                    .iter()
                    .any(|dispute| dispute.is_between(lower, upper))
                {
                    let (from, to) = (group_of[upper.index()], group_of[lower.index()]);
                    for group in group_of.iter_mut().filter(|group| **group == from) {
                        *group = to;
                    }
                }
            }
        }
        let mut groups: Vec<Vec<LayerIdx>> = vec![Vec::new(); self.layers.len()];
        for &layer in &self.layers {
            groups[group_of[layer.index()]].push(layer);
        }
        groups.retain(|group| !group.is_empty());
        groups.sort();
        groups
    }

    /// Every order of the layers, the present one first, then as the places of the layers count up; nothing
    /// when there are more layers than [`MOST_PERMUTED`].
    pub fn permutations(&self) -> Option<Vec<Permutation>> {
        if self.layers.len() > MOST_PERMUTED {
            return None;
        }
        let mut views = HashMap::from([(self.present.clone(), 0)]);
        let mut order = self.layers.clone();
        let mut all = Vec::new();
        loop {
            let outcomes = self.outcomes(&order);
            let mut count = Count::default();
            for ((dispute, &now), &then) in self.disputes.iter().zip(&self.present).zip(&outcomes) {
                count.add(now, then, dispute.count);
            }
            let next = views.len();
            all.push(Permutation {
                view: *views.entry(outcomes).or_insert(next),
                order: order.clone(),
                count,
            });
            if !advance(&mut order) {
                return Some(all);
            }
        }
    }

    fn outcomes(&self, order: &[LayerIdx]) -> Vec<u8> {
        let disputes = self.disputes.iter();
        disputes.map(|dispute| outcome(&dispute.effects, order)).collect()
    }
}

impl Count {
    /// Whether anything would be other.
    pub fn any(self) -> bool {
        self != Count::default()
    }

    /// All paths that would be other.
    pub fn total(self) -> u64 {
        self.changed + self.added + self.removed
    }

    fn add(&mut self, now: u8, then: u8, paths: u64) {
        match (now, then) {
            (now, then) if now == then => {}
            (ABSENT, _) => self.added += paths,
            (_, ABSENT) => self.removed += paths,
            _ => self.changed += paths,
        }
    }
}

/// The next order as a dictionary has them; false behind the last.
fn advance(order: &mut [LayerIdx]) -> bool {
    let Some(at) = order.windows(2).rposition(|two| two[0] < two[1]) else {
        return false;
    };
    if let Some(larger) = order.iter().rposition(|layer| *layer > order[at]) {
        order.swap(at, larger);
    }
    order[at + 1..].reverse();
    true
}
