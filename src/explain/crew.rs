//! Work on all cores, for the questions that have to read much, and who is told how far it is.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Neighbours that a thread takes at once: mostly files that lie side by side.
const BATCH: usize = 16;

/// Who is told how far reading is, from many threads at once. `()` listens to nothing.
pub trait Progress: Sync {
    /// Before the first byte: how many are to come, as far as it can be known.
    fn begins(&self, _bytes: u64) {}
    /// So many bytes were read.
    fn read(&self, _bytes: u64) {}
}

impl Progress for () {}

/// Does a piece of work for each number below `count`, those below `single` one by one, the others by
/// neighbours, and gives the results in the order of the numbers.
pub(super) fn on_all_cores<T: Send>(count: usize, single: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let turns = single + (count - single).div_ceil(BATCH);
    let next = AtomicUsize::new(0);
    let take = || {
        let turn = next.fetch_add(1, Ordering::Relaxed);
        let start = match turn.checked_sub(single) {
            None => turn..turn + 1,
            Some(batch) => single + batch * BATCH..count.min(single + (batch + 1) * BATCH),
        };
        (turn < turns).then_some(start)
    };
    let one = || {
        let mut done = Vec::new();
        while let Some(numbers) = take() {
            done.extend(numbers.map(|number| (number, work(number))));
        }
        done
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(turns);
    let mut done = thread::scope(|scope| {
        // Who gets no thread does the work alone.
        let others: Vec<_> = (1..threads)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, one).ok())
            .collect();
        let mut done = one();
        for other in others {
            done.extend(
                other
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
        done
    });
    done.sort_unstable_by_key(|&(number, _)| number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_turn_once() {
        for (count, single) in [(0, 0), (1, 0), (1, 1), (16, 0), (100, 3), (1000, 1000)] {
            let squares: Vec<_> = (0..count).map(|number| number * number).collect();
            assert_eq!(on_all_cores(count, single, |number| number * number), squares);
        }
    }
}
