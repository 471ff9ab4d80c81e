//! The order in which the bytes of a stack were asked for, kept for the next mount: whoever starts the same program again
//! finds inflated what it will ask for.
//!
//! Says what is worth having next; loading it is left to `ahead`. It is followed only once readers have taken a few steps
//! of it in order, only a bounded way ahead of them, and not beyond a moment at which they rested.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Key;
use super::index::{Format, Identity, Index};
use super::large::BLOCK_BYTES;
use crate::stack::Stack;

const TRAIL: Format = Format {
    magic: b"optfs trail   1\n",
    suffix: ".trail",
};
/// Longest trail. Who reads more goes through everything, and is helped by who follows walks.
const MOST_STEPS: usize = 4096;
/// A shorter one is not worth a file.
const LEAST_STEPS: usize = 8;
/// Readers who asked for nothing for so long have come to the end of something.
const REST: Duration = Duration::from_secs(1);
/// Steps in order before it is followed.
const STEPS_IN_ORDER: usize = 3;
/// Several who read at the same time, or one who leaves something out, are still on it within so many steps.
const REACH: usize = 64;
/// Named ahead at most; more are named when half of them are left.
const AHEAD_STEPS: usize = 48;
/// A step as it is kept: layer, entry, block.
const STEP_BYTES: usize = 12;
/// Stands for the block of what is inflated whole.
const WHOLE: u32 = u32::MAX;
/// Stands for the layer where readers rested.
const RESTED: u32 = u32::MAX;

/// The trail of the mounts before this one, and this one's own.
pub(super) struct Trail {
    index: Arc<Index>,
    /// Most bytes that are inflated ahead of readers.
    ahead_bytes: u64,
    is_full: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: Option<Known<Key>>,
    /// What this mount's readers asked for, each once; `None` where they rested.
    walked: Vec<Option<Key>>,
    seen: HashSet<Key>,
    last: Option<Instant>,
}

/// What was kept, and where readers are on it.
struct Known<K> {
    steps: Vec<Option<K>>,
    places: HashMap<K, usize>,
    at: Option<usize>,
    in_order: usize,
    /// Up to here everything was named.
    named: usize,
}

impl Trail {
    /// A trail that is kept in `index`. Nothing is read before the first note.
    pub(super) fn new(index: &Arc<Index>, ahead_bytes: u64) -> Trail {
        Trail {
            index: Arc::clone(index),
            ahead_bytes,
            is_full: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Notes what a reader asks for; returns what to have ready next, those already named left out.
    pub(super) fn note(&self, stack: &Stack, key: Key) -> Vec<Key> {
        if self.is_full.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut state = self.state.lock();
        if !state.seen.insert(key) {
            return Vec::new();
        }
        let now = Instant::now();
        let rested = state.last.replace(now).is_some_and(|last| now - last > REST);
        state.walked.extend(rested.then_some(None));
        state.walked.push(Some(key));
        if state.walked.len() >= MOST_STEPS {
            self.is_full.store(true, Ordering::Relaxed);
        }
        let known = state.known.get_or_insert_with(|| {
            let kept = self.index.read(&Identity::of_stack(stack), &TRAIL);
            Known::new(kept.and_then(|kept| unpack(&kept, stack)).unwrap_or_default())
        });
        known.follow(key, self.ahead_bytes, |key| weight_bytes(stack, key))
    }

    /// Keeps this mount's trail, and behind it what earlier ones walked beside it.
    pub(super) fn remember(&self, stack: &Stack) {
        let mut state = self.state.lock();
        let walked = std::mem::take(&mut state.walked);
        if walked.len() < LEAST_STEPS {
            return;
        }
        let before = state.known.take().map(|known| known.steps).unwrap_or_default();
        let steps = join(walked, &before, &state.seen);
        if steps != before {
            self.index.keep(&Identity::of_stack(stack), &TRAIL, &pack(&steps));
        }
    }
}

impl<K: Copy + Eq + Hash> Known<K> {
    fn new(steps: Vec<Option<K>>) -> Known<K> {
        let places = steps.iter().enumerate();
        Known {
            places: places
                .filter_map(|(place, step)| Some(((*step)?, place)))
                .collect(),
            steps,
            at: None,
            in_order: 0,
            named: 0,
        }
    }

    /// Notes what a reader asks for; returns what to have ready next, so that at most so many bytes lie ahead, and one
    /// step more.
    fn follow(&mut self, key: K, ahead_bytes: u64, weight_bytes: impl Fn(K) -> u64) -> Vec<K> {
        let Some(&place) = self.places.get(&key) else {
            return Vec::new();
        };
        match self.at {
            Some(at) if place < at && at - place <= REACH => return Vec::new(),
            Some(at) if place > at && place - at <= REACH => self.in_order += 1,
            _ => (self.in_order, self.named) = (1, 0),
        }
        self.at = Some(place);
        if self.in_order < STEPS_IN_ORDER {
            return Vec::new();
        }
        self.named = self.named.max(place + 1);
        let between = self.steps[place + 1..self.named].iter().flatten();
        // Declared sizes are claims, and may be too large to add up.
        let mut bytes = between.fold(0, |sum: u64, &key| sum.saturating_add(weight_bytes(key)));
        let mut wanted = Vec::new();
        if self.named - (place + 1) > AHEAD_STEPS / 2 || bytes > ahead_bytes / 2 {
            return wanted;
        }
        while self.named - (place + 1) < AHEAD_STEPS && bytes < ahead_bytes {
            let Some(&Some(next)) = self.steps.get(self.named) else {
                break;
            };
            wanted.push(next);
            bytes = bytes.saturating_add(weight_bytes(next));
            self.named += 1;
        }
        wanted
    }
}

/// What was walked now, and behind a rest what was walked before and not now.
fn join<K: Copy + Eq + Hash>(
    walked: Vec<Option<K>>,
    before: &[Option<K>],
    seen: &HashSet<K>,
) -> Vec<Option<K>> {
    let mut steps = walked;
    let mut rested = true;
    for &step in before {
        match step {
            Some(key) if seen.contains(&key) => {}
            Some(_) => {
                steps.extend(rested.then_some(None));
                steps.push(step);
                rested = false;
            }
            None => rested = true,
        }
    }
    steps.truncate(MOST_STEPS);
    steps
}

fn weight_bytes(stack: &Stack, key: Key) -> u64 {
    match key {
        Key::Whole(entry) => stack.entry(entry).declared_size,
        Key::Block(..) => BLOCK_BYTES,
        Key::Checkpoints(_) => 0,
    }
}

fn pack(steps: &[Option<Key>]) -> Vec<u8> {
    let numbers = |step: &Option<Key>| match *step {
        Some(Key::Whole(entry)) => [entry.layer.index() as u32, entry.entry.index() as u32, WHOLE],
        // Blocks beyond are of files of a petabyte.
        Some(Key::Block(entry, block)) => {
            let block = u32::try_from(block).unwrap_or(WHOLE);
            [entry.layer.index() as u32, entry.entry.index() as u32, block]
        }
        Some(Key::Checkpoints(_)) | None => [RESTED, 0, 0],
    };
    steps
        .iter()
        .flat_map(numbers)
        .flat_map(u32::to_le_bytes)
        .collect()
}

/// The steps, unless one of them is nowhere in this stack.
fn unpack(kept: &[u8], stack: &Stack) -> Option<Vec<Option<Key>>> {
    let (steps, []) = kept.as_chunks::<STEP_BYTES>() else {
        return None;
    };
    let step = |step: &[u8; STEP_BYTES]| {
        let (numbers, _) = step.as_chunks::<4>();
        let [layer, entry, block] = [0, 1, 2].map(|i| u32::from_le_bytes(numbers[i]));
        if layer == RESTED {
            return Some(None);
        }
        let entry = stack.entry_at(layer as usize, entry as usize)?;
        let declared_size = stack.entry(entry).declared_size;
        match block {
            WHOLE => Some(Some(Key::Whole(entry))),
            block if u64::from(block) < declared_size.div_ceil(BLOCK_BYTES) => {
                Some(Some(Key::Block(entry, block.into())))
            }
            _ => None,
        }
    };
    steps.iter().take(MOST_STEPS).map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: [u32; 0] = [];

    /// Steps that are numbers and weigh a byte each, and rests where there is none.
    fn known(steps: impl IntoIterator<Item = Option<u32>>) -> Known<u32> {
        Known::new(steps.into_iter().collect())
    }

    fn after(known: &mut Known<u32>, steps: impl IntoIterator<Item = u32>, ahead_bytes: u64) -> Vec<u32> {
        let named = |step| known.follow(step, ahead_bytes, |_| 1);
        steps.into_iter().flat_map(named).collect()
    }

    #[test]
    fn three_steps_in_order_are_followed_a_bounded_way_ahead() {
        let mut trail = known((0..1000).map(Some));
        assert_eq!(after(&mut trail, [0, 1], u64::MAX), NOTHING);
        assert_eq!(after(&mut trail, [2], u64::MAX), Vec::from_iter(3..51));
        assert_eq!(
            after(&mut trail, 3..26, u64::MAX),
            NOTHING,
            "half of it lies ahead"
        );
        assert_eq!(after(&mut trail, [26], u64::MAX), Vec::from_iter(51..75));

        let mut trail = known((0..1000).map(Some));
        assert_eq!(after(&mut trail, 0..3, 10), Vec::from_iter(3..13));
        assert_eq!(
            after(&mut trail, 3..8, 10),
            Vec::from_iter(13..18),
            "five bytes are left"
        );
    }

    #[test]
    fn each_step_is_named_once_and_the_end_is_an_end() {
        let mut trail = known((0..200).map(Some));
        assert_eq!(after(&mut trail, 0..200, u64::MAX), Vec::from_iter(3..200));
        assert_eq!(
            after(&mut trail, 0..200, 0),
            NOTHING,
            "again, and there is no room"
        );
    }

    #[test]
    fn readers_at_the_same_time_and_what_was_never_asked_for_do_not_lead_away() {
        let mut trail = known((0..1000).map(Some));
        let order = [0, 2, 5000, 1, 4, 3, 6];
        assert_eq!(after(&mut trail, order, u64::MAX), Vec::from_iter(5..53));
    }

    #[test]
    fn elsewhere_it_begins_anew_and_at_random_places_never() {
        let mut trail = known((0..1000).map(Some));
        after(&mut trail, 0..3, u64::MAX);
        assert_eq!(after(&mut trail, [500, 501], u64::MAX), NOTHING);
        assert_eq!(after(&mut trail, [502], u64::MAX), Vec::from_iter(503..551));
        assert_eq!(after(&mut trail, [10, 700, 300, 900, 100], u64::MAX), NOTHING);
    }

    #[test]
    fn nothing_behind_a_rest_is_named_before_a_reader_is_there() {
        let steps = (0..10).map(Some).chain([None]).chain((10..20).map(Some));
        let mut trail = known(steps);
        assert_eq!(after(&mut trail, 0..10, u64::MAX), Vec::from_iter(3..10));
        assert_eq!(after(&mut trail, [10], u64::MAX), Vec::from_iter(11..20));
    }

    #[test]
    fn what_was_walked_now_comes_first_and_the_rest_of_before_behind_a_rest() {
        let (walked, before) = (
            vec![Some(3), None, Some(1)],
            [Some(1), Some(2), None, Some(3), Some(4)],
        );
        let seen = HashSet::from([1, 3]);
        let steps = [Some(3), None, Some(1), None, Some(2), None, Some(4)];
        assert_eq!(join(walked, &before, &seen), steps);
        let all = (0..MOST_STEPS as u32).map(Some).collect();
        assert_eq!(join(all, &[Some(u32::MAX)], &HashSet::new()).len(), MOST_STEPS);
    }
}
