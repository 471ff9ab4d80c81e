//! Who asks the cache for what at once.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use shuttle::thread;

use crate::cache::Cache;

type Bytes = Cache<u32, Arc<Vec<u8>>, &'static str>;

const WEIGHT: usize = 8;

fn value(of: u32) -> Result<Arc<Vec<u8>>, &'static str> {
    // Somebody else's turn may come while bytes are loaded.
    thread::yield_now();
    let mut bytes = Vec::with_capacity(WEIGHT);
    bytes.push(of as u8);
    Ok(Arc::new(bytes))
}

fn at_once(threads: impl IntoIterator<Item = Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = threads.into_iter().map(thread::spawn).collect();
    for thread in threads {
        thread.join().expect("it does not panic");
    }
}

fn is_balanced(cache: &Bytes) {
    let stats = cache.stats();
    assert_eq!(stats.kept_bytes, (stats.kept * WEIGHT) as u64, "{stats:?}");
    assert!(stats.kept_bytes <= cache.capacity_bytes(), "{stats:?}");
}

/// One loads, all get it.
pub(crate) fn ask_for_one_key<const THREADS: usize>() {
    let cache = Arc::new(Bytes::new(100));
    at_once((0..THREADS).map(|_| {
        let cache = Arc::clone(&cache);
        Box::new(move || assert_eq!(*cache.get_or_load(&1, || value(1)).expect("it loads"), [1])) as _
    }));
    let stats = cache.stats();
    assert_eq!((stats.loads, stats.hits, stats.kept), (1, THREADS as u64 - 1, 1));
    is_balanced(&cache);
}

/// Whoever waited for it loads again, and nobody waits for ever.
pub(crate) fn a_loader_panics() {
    let cache = Arc::new(Bytes::new(100));
    let (panics, asks) = (Arc::clone(&cache), Arc::clone(&cache));
    at_once([
        Box::new(move || {
            let lost = || -> Result<_, _> {
                thread::yield_now();
                resume_unwind(Box::new("lost"))
            };
            let asked = catch_unwind(AssertUnwindSafe(|| panics.get_or_load(&1, lost)));
            assert!(asked.is_err() || asked.is_ok_and(|got| *got.expect("it loads") == [1]));
        }) as Box<dyn FnOnce() + Send>,
        Box::new(move || assert_eq!(*asks.get_or_load(&1, || value(1)).expect("it loads"), [1])),
    ]);
    assert_eq!(cache.stats().kept, 1);
    is_balanced(&cache);
}

/// Who waited gets the error, and the next one loads.
pub(crate) fn a_loader_fails() {
    let cache = Arc::new(Bytes::new(100));
    let failures = Arc::new(AtomicU32::new(0));
    at_once((0..2).map(|_| {
        let (cache, failures) = (Arc::clone(&cache), Arc::clone(&failures));
        Box::new(move || {
            let load = || {
                failures.fetch_add(1, Ordering::Relaxed);
                thread::yield_now();
                Err("broken")
            };
            assert_eq!(cache.get_or_load(&1, load), Err("broken"));
        }) as _
    }));
    assert_eq!(cache.stats().loads, u64::from(failures.load(Ordering::Relaxed)));
    assert_eq!(cache.get_or_load(&1, || value(1)).map(|got| got[0]), Ok(1));
    is_balanced(&cache);
}

/// As a reader does who keeps what it was given, while another asks for it.
pub(crate) fn a_key_is_forgotten() {
    let cache = Arc::new(Bytes::new(100));
    let (first, second) = (Arc::clone(&cache), Arc::clone(&cache));
    at_once([
        Box::new(move || {
            assert_eq!(*first.get_or_load(&1, || value(1)).expect("it loads"), [1]);
            first.forget(&1);
        }) as Box<dyn FnOnce() + Send>,
        Box::new(move || {
            let found = second
                .find(&1)
                .unwrap_or_else(|| second.get_or_load(&1, || value(1)));
            assert_eq!(*found.expect("it loads"), [1]);
        }),
    ]);
    is_balanced(&cache);
}

/// The lighter of two evils: either may have to go, and what is kept is counted right.
pub(crate) fn room_for_one() {
    let cache = Arc::new(Bytes::new(WEIGHT as u64));
    at_once([1u32, 2].map(|key| {
        let cache = Arc::clone(&cache);
        Box::new(move || {
            assert_eq!(
                *cache.get_or_load(&key, || value(key)).expect("it loads"),
                [key as u8]
            );
        }) as Box<dyn FnOnce() + Send>
    }));
    assert_eq!(cache.stats().kept, 1);
    is_balanced(&cache);
}
