//! The orders in which the bytes of a stack were asked for, kept for the next mount: whoever starts the same program again
//! finds inflated what it will ask for.
//!
//! Says what is worth having next; loading it is left to `ahead`. An order is followed only once readers have taken a few
//! steps of it, only a bounded way ahead of them, and not beyond a moment at which they rested. Several are kept, for a
//! stack is searched, too, and by more than one program.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::Key;
use super::index::{Format, Identity, Index};
use super::large::BLOCK_BYTES;
use crate::stack::Stack;

const TRAIL: Format = Format {
    magic: b"optfs trail   1\n",
    suffix: ".trail",
};
/// Orders that are kept of a stack.
const MOST_COURSES: usize = 4;
/// The longest. Who reads more goes through everything, and is helped by who follows walks.
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
/// Stand for a step: readers rested; the order ends.
const RESTED: [u32; 3] = [u32::MAX, 0, 0];
const END: [u32; 3] = [u32::MAX, 1, 0];

/// What was asked for, one after the other and each once; `None` where readers rested.
type Steps<K> = Vec<Option<K>>;

/// The orders of the mounts before this one, and this one's own.
pub(super) struct Trail {
    index: Arc<Index>,
    /// Most bytes that are inflated ahead of readers.
    ahead_bytes: u64,
    is_full: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was kept, the latest first; not known before somebody reads.
    kept: Option<Vec<Course<Key>>>,
    walked: Steps<Key>,
    seen: HashSet<Key>,
    last: Option<Instant>,
}

/// An order that was kept, and where readers are on it.
struct Course<K> {
    steps: Steps<K>,
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
        let courses = state.kept.get_or_insert_with(|| {
            let kept = self.index.read(&identity(stack), &TRAIL);
            let orders = kept.and_then(|kept| unpack(&kept, stack)).unwrap_or_default();
            orders.into_iter().map(Course::new).collect()
        });
        next(courses, key, self.ahead_bytes, |key| weight_bytes(stack, key))
    }

    /// Keeps this mount's order beside those of earlier ones.
    pub(super) fn remember(&self, stack: &Stack) {
        let mut state = self.state.lock();
        let walked = std::mem::take(&mut state.walked);
        let kept = state.kept.take().unwrap_or_default();
        if walked.len() < LEAST_STEPS {
            return;
        }
        let before: Vec<_> = kept.into_iter().map(|course| course.steps).collect();
        let orders = with_latest(walked, &state.seen, &before);
        if orders != before {
            self.index.keep(&identity(stack), &TRAIL, &pack(&orders));
        }
    }
}

/// Notes what a reader asks for in all orders; returns what to have ready next, along the latest of those that readers are
/// on.
fn next<K: Copy + Eq + Hash>(
    courses: &mut [Course<K>],
    key: K,
    ahead_bytes: u64,
    weight_bytes: impl Fn(K) -> u64,
) -> Vec<K> {
    let mut leading = None;
    for course in courses {
        if course.step(key) && leading.is_none() {
            leading = Some(course);
        }
    }
    leading.map_or_else(Vec::new, |course| course.ahead(ahead_bytes, weight_bytes))
}

impl<K: Copy + Eq + Hash> Course<K> {
    fn new(steps: Steps<K>) -> Course<K> {
        let places = steps.iter().enumerate();
        Course {
            places: places
                .filter_map(|(place, step)| Some(((*step)?, place)))
                .collect(),
            steps,
            at: None,
            in_order: 0,
            named: 0,
        }
    }

    /// Notes what a reader asks for; returns whether it is a step that leads on.
    fn step(&mut self, key: K) -> bool {
        let Some(&place) = self.places.get(&key) else {
            return false;
        };
        match self.at {
            Some(at) if place < at && at - place <= REACH => return false,
            Some(at) if place > at && place - at <= REACH => self.in_order += 1,
            _ => (self.in_order, self.named) = (1, 0),
        }
        self.at = Some(place);
        self.named = self.named.max(place + 1);
        self.in_order >= STEPS_IN_ORDER
    }

    /// What to have ready next, those already named left out, so that at most so many bytes lie ahead, and one step more.
    fn ahead(&mut self, ahead_bytes: u64, weight_bytes: impl Fn(K) -> u64) -> Vec<K> {
        let mut wanted = Vec::new();
        let Some(first) = self.at.map(|at| at + 1) else {
            return wanted;
        };
        let between = self.steps[first..self.named].iter().flatten();
        // Declared sizes are claims, and may be too large to add up.
        let mut bytes = between.fold(0, |sum: u64, &key| sum.saturating_add(weight_bytes(key)));
        if self.named - first > AHEAD_STEPS / 2 || bytes > ahead_bytes / 2 {
            return wanted;
        }
        while self.named - first < AHEAD_STEPS && bytes < ahead_bytes {
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

/// The orders to keep, the latest first. It takes the place of the one that was of the same program, of which it keeps,
/// behind a rest, what was not asked for this time. Who went through everything is not worth the place of another.
fn with_latest<K: Copy + Eq + Hash>(
    walked: Steps<K>,
    seen: &HashSet<K>,
    before: &[Steps<K>],
) -> Vec<Steps<K>> {
    if walked.len() >= MOST_STEPS && !before.is_empty() {
        return before.to_vec();
    }
    let same = before.iter().position(|order| {
        let both = order.iter().flatten().filter(|&key| seen.contains(key)).count();
        2 * both >= walked.len().max(order.len())
    });
    let mut latest = walked;
    let mut rested = true;
    for &step in same.map_or(&[][..], |same| &before[same]) {
        match step {
            Some(key) if seen.contains(&key) => {}
            Some(_) => {
                latest.extend(rested.then_some(None));
                latest.push(step);
                rested = false;
            }
            None => rested = true,
        }
    }
    latest.truncate(MOST_STEPS);
    let others = before.iter().enumerate().filter(|&(nth, _)| Some(nth) != same);
    let others = others.map(|(_, order)| order.clone());
    [latest].into_iter().chain(others).take(MOST_COURSES).collect()
}

/// Sizes and times of the archives, and how many entries each has. Another stack that has the same would be read in an order
/// that is not its own, which costs time and does no harm.
fn identity(stack: &Stack) -> Identity {
    let mut hash = Sha256::new();
    for archive in stack.layers() {
        let stamp = archive.opened();
        hash.update(stamp.size.to_le_bytes());
        hash.update(stamp.modified_ns.to_le_bytes());
        hash.update(archive.len().to_le_bytes());
    }
    Identity(hash.finalize().into())
}

fn weight_bytes(stack: &Stack, key: Key) -> u64 {
    match key {
        Key::Whole(entry) => stack.entry(entry).declared_size,
        Key::Block(..) => BLOCK_BYTES,
        Key::Checkpoints(_) => 0,
    }
}

fn pack(orders: &[Steps<Key>]) -> Vec<u8> {
    let numbers = |step: &Option<Key>| match *step {
        Some(Key::Whole(entry)) => [entry.layer.index() as u32, entry.entry.index() as u32, WHOLE],
        // Blocks beyond are of files of a petabyte.
        Some(Key::Block(entry, block)) => {
            let block = u32::try_from(block).unwrap_or(WHOLE);
            [entry.layer.index() as u32, entry.entry.index() as u32, block]
        }
        Some(Key::Checkpoints(_)) | None => RESTED,
    };
    let order = |steps: &Steps<Key>| steps.iter().map(numbers).chain([END]).collect::<Vec<_>>();
    let all = orders.iter().flat_map(order);
    all.flatten().flat_map(u32::to_le_bytes).collect()
}

/// The orders, unless one of their steps is nowhere in this stack.
fn unpack(kept: &[u8], stack: &Stack) -> Option<Vec<Steps<Key>>> {
    let (steps, []) = kept.as_chunks::<STEP_BYTES>() else {
        return None;
    };
    let mut orders = Vec::new();
    let mut order = Vec::new();
    for step in steps {
        let (numbers, _) = step.as_chunks::<4>();
        match [0, 1, 2].map(|i| u32::from_le_bytes(numbers[i])) {
            RESTED => order.push(None),
            END => orders.push(std::mem::take(&mut order)),
            [layer, entry, block] => order.push(Some(key(stack, layer, entry, block)?)),
        }
    }
    let is_bounded = orders.len() <= MOST_COURSES && orders.iter().all(|order| order.len() <= MOST_STEPS);
    (is_bounded && order.is_empty()).then_some(orders)
}

fn key(stack: &Stack, layer: u32, entry: u32, block: u32) -> Option<Key> {
    let entry = stack.entry_at(layer as usize, entry as usize)?;
    let declared_size = stack.entry(entry).declared_size;
    match block {
        WHOLE => Some(Key::Whole(entry)),
        block if u64::from(block) < declared_size.div_ceil(BLOCK_BYTES) => {
            Some(Key::Block(entry, block.into()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: [u32; 0] = [];

    /// Steps that are numbers and weigh a byte each, and rests where there is none.
    fn course(steps: impl IntoIterator<Item = Option<u32>>) -> Course<u32> {
        Course::new(steps.into_iter().collect())
    }

    fn after_in(
        courses: &mut [Course<u32>],
        steps: impl IntoIterator<Item = u32>,
        ahead_bytes: u64,
    ) -> Vec<u32> {
        let named = |step| next(courses, step, ahead_bytes, |_| 1);
        steps.into_iter().flat_map(named).collect()
    }

    fn after(course: &mut Course<u32>, steps: impl IntoIterator<Item = u32>, ahead_bytes: u64) -> Vec<u32> {
        after_in(std::slice::from_mut(course), steps, ahead_bytes)
    }

    #[test]
    fn three_steps_in_order_are_followed_a_bounded_way_ahead() {
        let mut trail = course((0..1000).map(Some));
        assert_eq!(after(&mut trail, [0, 1], u64::MAX), NOTHING);
        assert_eq!(after(&mut trail, [2], u64::MAX), Vec::from_iter(3..51));
        assert_eq!(
            after(&mut trail, 3..26, u64::MAX),
            NOTHING,
            "half of it lies ahead"
        );
        assert_eq!(after(&mut trail, [26], u64::MAX), Vec::from_iter(51..75));

        let mut trail = course((0..1000).map(Some));
        assert_eq!(after(&mut trail, 0..3, 10), Vec::from_iter(3..13));
        assert_eq!(
            after(&mut trail, 3..8, 10),
            Vec::from_iter(13..18),
            "five bytes are left"
        );
    }

    #[test]
    fn each_step_is_named_once_and_the_end_is_an_end() {
        let mut trail = course((0..200).map(Some));
        assert_eq!(after(&mut trail, 0..200, u64::MAX), Vec::from_iter(3..200));
        assert_eq!(
            after(&mut trail, 0..200, 0),
            NOTHING,
            "again, and there is no room"
        );
    }

    #[test]
    fn readers_at_the_same_time_and_what_was_never_asked_for_do_not_lead_away() {
        let mut trail = course((0..1000).map(Some));
        let order = [0, 2, 5000, 1, 4, 3, 6];
        assert_eq!(after(&mut trail, order, u64::MAX), Vec::from_iter(5..53));
    }

    #[test]
    fn elsewhere_it_begins_anew_and_at_random_places_never() {
        let mut trail = course((0..1000).map(Some));
        after(&mut trail, 0..3, u64::MAX);
        assert_eq!(after(&mut trail, [500, 501], u64::MAX), NOTHING);
        assert_eq!(after(&mut trail, [502], u64::MAX), Vec::from_iter(503..551));
        assert_eq!(after(&mut trail, [10, 700, 300, 900, 100], u64::MAX), NOTHING);
    }

    #[test]
    fn nothing_behind_a_rest_is_named_before_a_reader_is_there() {
        let steps = (0..10).map(Some).chain([None]).chain((10..20).map(Some));
        let mut trail = course(steps);
        assert_eq!(after(&mut trail, 0..10, u64::MAX), Vec::from_iter(3..10));
        assert_eq!(after(&mut trail, [10], u64::MAX), Vec::from_iter(11..20));
    }

    #[test]
    fn of_several_orders_the_latest_is_followed_that_readers_are_on() {
        let mut both = [
            course((0..100).map(Some)),
            course((0..4).chain(200..300).map(Some)),
        ];
        assert_eq!(after_in(&mut both, 0..4, 2), [3, 4, 5]);
        assert_eq!(after_in(&mut both, [200], 2), [201, 202], "where they part");
    }

    #[test]
    fn the_latest_order_of_a_program_takes_the_place_of_its_last_and_keeps_the_rest_behind_a_rest() {
        let latest = |walked: &[Option<u32>], before: &[Steps<u32>]| {
            let seen = walked.iter().copied().flatten().collect();
            with_latest(walked.to_vec(), &seen, before)
        };
        let before = [
            vec![Some(9), Some(8)],
            vec![Some(1), Some(2), None, Some(3), Some(4)],
        ];
        let order = vec![Some(3), None, Some(1), Some(2), None, Some(4)];
        assert_eq!(
            latest(&[Some(3), None, Some(1), Some(2)], &before),
            [order, before[0].clone()]
        );

        let other = vec![Some(5), Some(6), Some(3)];
        let with_other = latest(&other, &before);
        assert_eq!(with_other, [other, before[0].clone(), before[1].clone()]);

        let many: Vec<Steps<u32>> = (0..10).map(|i| vec![Some(i * 10), Some(i * 10 + 1)]).collect();
        let kept = many.iter().fold(Vec::new(), |kept, order| latest(order, &kept));
        assert_eq!(kept, [&many[9], &many[8], &many[7], &many[6]].map(Clone::clone));

        let all: Steps<u32> = (0..MOST_STEPS as u32).map(Some).collect();
        assert_eq!(
            latest(&all, &before),
            before,
            "nothing is lost to who reads everything"
        );
        assert_eq!(latest(&all, &[]), [all]);
    }
}
