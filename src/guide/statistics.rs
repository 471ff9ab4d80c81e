//! How often each kind of request came, and how long answering took, in steps of powers of two.
//!
//! All are counted, which is one addition. A look at the clock takes a third as long as answering a lookup does: every
//! read is timed, and one in eight of the others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Lookup,
    Getattr,
    Readlink,
    Read,
    Readdir,
    Statfs,
    Getxattr,
    Listxattr,
}

const KINDS: [(&str, Request); 8] = [
    ("lookup", Request::Lookup),
    ("getattr", Request::Getattr),
    ("readlink", Request::Readlink),
    ("read", Request::Read),
    ("readdir", Request::Readdir),
    ("statfs", Request::Statfs),
    ("getxattr", Request::Getxattr),
    ("listxattr", Request::Listxattr),
];

/// Requests of which one is timed, but for reads.
const TIMED_EVERY: u64 = 8;

/// What takes longer than 2⁴⁰ ns, a quarter of an hour, counts as that.
const STEPS: usize = 41;

/// What was counted since the value was made.
pub(super) struct Statistics {
    times: [Times; KINDS.len()],
    began: Instant,
}

/// One kind of request: how many came, and of those that were timed, by how many bits the nanoseconds take.
struct Times {
    count: AtomicU64,
    steps: [AtomicU64; STEPS],
}

/// A request that is being answered; its time is up when the value is dropped.
pub(super) struct Timed<'s> {
    /// Of one that is timed.
    began: Option<(&'s Times, Instant)>,
}

/// The times of one kind of request: each is the next power of two, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) count: u64,
    pub(super) half_ns: u64,
    pub(super) most_ns: u64,
    /// Of 99 in a hundred.
    pub(super) nearly_all_ns: u64,
}

impl Statistics {
    pub(super) fn new() -> Statistics {
        Statistics {
            times: std::array::from_fn(|_| Times::new()),
            began: Instant::now(),
        }
    }

    #[inline]
    pub(super) fn time(&self, request: Request) -> Timed<'_> {
        let times = &self.times[request as usize];
        let nth = times.count.fetch_add(1, Ordering::Relaxed);
        let every = match request {
            Request::Read => 1,
            _ => TIMED_EVERY,
        };
        Timed {
            began: nth.is_multiple_of(every).then(|| (times, Instant::now())),
        }
    }

    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// By kind.
    pub(super) fn summaries(&self) -> impl Iterator<Item = (&'static str, Summary)> {
        let kinds = KINDS.iter();
        kinds.map(|&(name, request)| (name, self.times[request as usize].summary()))
    }
}

impl Times {
    fn new() -> Times {
        Times {
            count: AtomicU64::new(0),
            steps: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    #[inline]
    fn add(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let step = (u64::BITS - nanoseconds.leading_zeros()) as usize;
        self.steps[step.min(STEPS - 1)].fetch_add(1, Ordering::Relaxed);
    }

    fn summary(&self) -> Summary {
        let counts: [u64; STEPS] = std::array::from_fn(|step| self.steps[step].load(Ordering::Relaxed));
        let timed: u64 = counts.iter().sum();
        // The first step that so many have not gone beyond.
        let reached = |wanted: u64| {
            let mut seen = 0;
            let step = counts.iter().position(|count| {
                seen += count;
                seen >= wanted && seen > 0
            });
            step.map_or(0, |step| 1u64 << step)
        };
        Summary {
            count: self.count.load(Ordering::Relaxed),
            half_ns: reached(timed.div_ceil(2)),
            nearly_all_ns: reached(timed - timed / 100),
            most_ns: reached(timed),
        }
    }
}

impl Drop for Timed<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some((times, began)) = self.began {
            times.add(began.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_the_next_power_of_two() {
        let times = Times::new();
        let none = Summary {
            count: 0,
            half_ns: 0,
            most_ns: 0,
            nearly_all_ns: 0,
        };
        assert_eq!(times.summary(), none);
        for _ in 0..99 {
            times.add(Duration::from_nanos(700));
        }
        times.add(Duration::from_micros(1500));
        let summary = times.summary();
        assert_eq!(summary.half_ns, 1024);
        assert_eq!((summary.nearly_all_ns, summary.most_ns), (1024, 1 << 21));
        times.add(Duration::MAX);
        assert_eq!(times.summary().most_ns, 1 << 40);
    }

    #[test]
    fn each_kind_has_its_place() {
        for (nth, (_, request)) in KINDS.into_iter().enumerate() {
            assert_eq!(nth, request as usize);
        }
        let statistics = Statistics::new();
        for _ in 0..3 {
            drop(statistics.time(Request::Readlink));
        }
        let counted = statistics.summaries().find(|(_, summary)| summary.count > 0);
        let (name, summary) = counted.unwrap();
        assert_eq!((name, summary.count), ("readlink", 3));
        assert!(summary.most_ns > 0);
    }
}
