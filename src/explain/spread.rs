//! Where in the tree something lies: sums by directory, opened up as far as is still read at a glance.

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;

use crate::stack::{NodeId, Stack};

/// One directory's share. The shares of all rows add up to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<T> {
    /// The directory.
    pub directory: NodeId,
    /// Whether everything below it counts; else only what lies in no directory below that is a row, too.
    pub is_whole: bool,
    /// What lies there.
    pub tally: T,
}

/// What lies right in a directory, and all below.
struct Sums<T> {
    own: Option<T>,
    all: T,
    below: Vec<NodeId>,
}

/// Sums what lies in directories. The heaviest directory gives way to those below it, again and again, until
/// there are `enough` rows; the last one to give way may leave many more. Heaviest first.
pub fn spread<T: Copy + Default + AddAssign>(
    stack: &Stack,
    directly: impl IntoIterator<Item = (NodeId, T)>,
    weight: impl Fn(&T) -> u64,
    enough: usize,
) -> Vec<Row<T>> {
    let sums = roll_up(stack, directly);
    let mut rows = Vec::new();
    let mut open = Vec::from_iter(sums.contains_key(&NodeId::ROOT).then_some(NodeId::ROOT));
    // One directory below and nothing beside it: that one says more.
    let narrowed = |mut at: NodeId| {
        while let Sums { own: None, below, .. } = &sums[&at]
            && let [only] = below[..]
        {
            at = only;
        }
        at
    };
    open.iter_mut().for_each(|at| *at = narrowed(*at));
    while rows.len() + open.len() < enough {
        let can_open = open
            .iter()
            .enumerate()
            .filter(|(_, at)| !sums[at].below.is_empty());
        let Some((heaviest, _)) = can_open.max_by_key(|(_, at)| weight(&sums[at].all)) else {
            break;
        };
        let directory = open.swap_remove(heaviest);
        rows.extend(sums[&directory].own.map(|tally| Row {
            directory,
            is_whole: false,
            tally,
        }));
        open.extend(sums[&directory].below.iter().map(|&below| narrowed(below)));
    }
    rows.extend(open.into_iter().map(|directory| Row {
        directory,
        is_whole: true,
        tally: sums[&directory].all,
    }));
    rows.sort_by_key(|row| (std::cmp::Reverse(weight(&row.tally)), row.directory));
    rows
}

fn roll_up<T: Copy + Default + AddAssign>(
    stack: &Stack,
    directly: impl IntoIterator<Item = (NodeId, T)>,
) -> HashMap<NodeId, Sums<T>> {
    let mut waiting: BTreeMap<NodeId, Sums<T>> = BTreeMap::new();
    let nothing = || Sums {
        own: None,
        all: T::default(),
        below: Vec::new(),
    };
    let mut add = |(directory, tally): (NodeId, T)| {
        let sums = waiting.entry(directory).or_insert_with(nothing);
        *sums.own.get_or_insert_default() += tally;
        sums.all += tally;
    };
    // In the order of the tree, what lies in one directory comes together.
    let mut run: Option<(NodeId, T)> = None;
    for (directory, tally) in directly {
        match &mut run {
            Some((at, sum)) if *at == directory => *sum += tally,
            _ => run.replace((directory, tally)).into_iter().for_each(&mut add),
        }
    }
    run.into_iter().for_each(add);
    let mut done = HashMap::with_capacity(waiting.len());
    // A directory has a greater number than the one it lies in.
    while let Some((directory, sums)) = waiting.pop_last() {
        if directory != NodeId::ROOT {
            let above = waiting.entry(stack.parent(directory)).or_insert_with(nothing);
            above.all += sums.all;
            above.below.push(directory);
        }
        done.insert(directory, sums);
    }
    done
}
