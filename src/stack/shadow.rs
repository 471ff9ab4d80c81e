//! What the merge hid: every entry that extraction in order would have written and then lost, under the
//! node that stands where it fell.

use super::draft::{Drafts, ROOT};
use super::{LayerIdx, NodeId, Shadowed};

/// An entry that gave way to one of the same kind at the same path.
pub(super) struct Overwritten {
    pub(super) draft: u32,
    pub(super) shadowed: Shadowed,
}

const NO_DRAFT: u32 = u32::MAX;

/// All hidden entries with the node that stands in their place, sorted by node, then in the order in
/// which the archives have them.
pub(super) fn collect(
    drafts: &Drafts<'_>,
    overwritten: &[Overwritten],
    number: &[NodeId],
) -> Vec<(NodeId, Shadowed)> {
    let mut all = Vec::with_capacity(overwritten.len());
    if drafts.replaced().is_empty() {
        // Everything stands where it was put.
        all.extend(
            overwritten
                .iter()
                .map(|over| (number[over.draft as usize], over.shadowed)),
        );
    } else {
        let fallen = Fallen::new(drafts);
        let node_of = |draft: u32| number[fallen.standing_at[draft as usize] as usize];
        for draft in 1..drafts.len() as u32 {
            if fallen.standing_at[draft as usize] != draft {
                let by = fallen.hidden_by[draft as usize];
                let entries = drafts.entries(draft);
                all.extend(entries.map(|entry| (node_of(draft), Shadowed { entry, by })));
            }
        }
        all.extend(
            overwritten
                .iter()
                .map(|over| (node_of(over.draft), over.shadowed)),
        );
    }
    all.sort_by_key(|&(node, shadowed)| (node, shadowed.entry));
    all
}

/// Where the entries of each node begin in what [`collect`] gives.
pub(super) fn starts(hidden: &[(NodeId, Shadowed)]) -> Vec<(NodeId, u32)> {
    let mut starts: Vec<(NodeId, u32)> = Vec::new();
    for (i, (owner, _)) in hidden.iter().enumerate() {
        if starts.last().is_none_or(|(last, _)| last != owner) {
            starts.push((*owner, i as u32));
        }
    }
    starts
}

/// What became of the drafts that lost their place.
struct Fallen {
    /// For each draft the one that stands where it fell: itself, or what finally took its path or that
    /// of a directory above it.
    standing_at: Vec<u32>,
    /// For each draft that fell, the layer whose entry took its path or that of a directory above it.
    hidden_by: Vec<LayerIdx>,
}

impl Fallen {
    /// A draft is younger than its parent and older than what replaced it.
    fn new(drafts: &Drafts<'_>) -> Fallen {
        let mut replaced_by = vec![NO_DRAFT; drafts.len()];
        let mut hidden_by = vec![LayerIdx(0); drafts.len()];
        for replaced in drafts.replaced() {
            replaced_by[replaced.old as usize] = replaced.new;
            hidden_by[replaced.old as usize] = replaced.by;
        }
        let parent = |draft: usize| drafts.node(draft as u32).parent as usize;
        let mut standing_at = vec![ROOT; drafts.len()];
        let mut lost = vec![false; drafts.len()];
        // Downwards: whose own path, or an ancestor's, was taken.
        for i in 1..drafts.len() {
            lost[i] = replaced_by[i] != NO_DRAFT || lost[parent(i)];
            if replaced_by[i] == NO_DRAFT {
                hidden_by[i] = hidden_by[parent(i)];
            }
        }
        // A replacement is younger than what it replaces: its place is known before, from the end.
        for i in (1..drafts.len()).rev() {
            standing_at[i] = match (lost[i], replaced_by[i]) {
                (false, _) => i as u32,
                (true, NO_DRAFT) => NO_DRAFT,
                (true, by) => standing_at[by as usize],
            };
        }
        // What was lost with a directory above it stands where that directory does.
        for i in 1..drafts.len() {
            if standing_at[i] == NO_DRAFT {
                standing_at[i] = standing_at[parent(i)];
            }
        }
        Fallen {
            standing_at,
            hidden_by,
        }
    }
}
