//! A map bounded by bytes: least recently used out, one loader per key at a time.
//!
//! Knows nothing of what a key or a value means. The lock guards the map alone: nothing is loaded
//! under it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lru::LruCache;
use parking_lot::{Condvar, Mutex};

/// Something that takes room in a cache.
pub trait Weigh {
    /// Bytes of memory that it holds.
    fn weight_bytes(&self) -> u64;
}

impl Weigh for Arc<Vec<u8>> {
    fn weight_bytes(&self) -> u64 {
        self.capacity() as u64
    }
}

/// A cache of `V` by `K`, whose loaders fail with `E`.
///
/// Values and errors are handed out as clones: make them cheap, an `Arc` each.
pub struct Cache<K, V, E> {
    capacity_bytes: u64,
    state: Mutex<State<K, V, E>>,
    hits: AtomicU64,
    loads: AtomicU64,
    loaded_bytes: AtomicU64,
}

struct State<K, V, E> {
    kept: LruCache<K, V>,
    kept_bytes: u64,
    flights: HashMap<K, Arc<Flight<V, E>>>,
}

/// One load that others may wait for.
struct Flight<V, E> {
    landing: Mutex<Landing<V, E>>,
    landed: Condvar,
}

enum Landing<V, E> {
    Aloft,
    Landed(Result<V, E>),
    /// The loader panicked: whoever waits has to load again.
    Lost,
}

/// What a cache has done since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheStats {
    /// Requests answered from memory or by somebody else's load.
    pub hits: u64,
    /// Loads begun.
    pub loads: u64,
    /// What those loads that did not fail have brought.
    pub loaded_bytes: u64,
    /// Bytes kept now.
    pub kept_bytes: u64,
    /// Values kept now.
    pub kept: usize,
}

impl<K: Hash + Eq + Clone, V: Clone + Weigh, E: Clone> Cache<K, V, E> {
    /// A cache that keeps at most `capacity_bytes` of values; 0 keeps nothing.
    pub fn new(capacity_bytes: u64) -> Self {
        let state = State {
            kept: LruCache::unbounded(),
            kept_bytes: 0,
            flights: HashMap::new(),
        };
        Cache {
            capacity_bytes,
            state: Mutex::new(state),
            hits: AtomicU64::new(0),
            loads: AtomicU64::new(0),
            loaded_bytes: AtomicU64::new(0),
        }
    }

    /// The most that is kept, in bytes.
    pub fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
    }

    /// The value of a key, from memory or from `load`.
    ///
    /// While one thread loads a key, others that ask for it wait and get what it got, errors included.
    /// Errors are not kept: the next request loads again. A value heavier than the whole cache is
    /// handed out and not kept.
    pub fn get_or_load(&self, key: &K, load: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        loop {
            let flight = {
                let mut state = self.state.lock();
                if let Some(value) = state.kept.get(key) {
                    self.hits.fetch_add(1, Ordering::Relaxed);
                    return Ok(value.clone());
                }
                match state.flights.get(key) {
                    Some(flight) => Arc::clone(flight),
                    None => {
                        let flight = Arc::new(Flight::new());
                        state.flights.insert(key.clone(), Arc::clone(&flight));
                        drop(state);
                        self.loads.fetch_add(1, Ordering::Relaxed);
                        return self.fly(key, &flight, load);
                    }
                }
            };
            if let Some(result) = flight.wait() {
                self.hits.fetch_add(1, Ordering::Relaxed);
                return result;
            }
        }
    }

    /// The value of a key that is in memory, or that another thread is loading: waits for it then.
    pub fn find(&self, key: &K) -> Option<Result<V, E>> {
        let flight = {
            let mut state = self.state.lock();
            if let Some(value) = state.kept.get(key) {
                self.hits.fetch_add(1, Ordering::Relaxed);
                return Some(Ok(value.clone()));
            }
            Arc::clone(state.flights.get(key)?)
        };
        let result = flight.wait()?;
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(result)
    }

    /// Lets go of a key that nobody is going to ask for.
    pub fn forget(&self, key: &K) {
        let mut state = self.state.lock();
        let Some(value) = state.kept.pop(key) else {
            return;
        };
        state.kept_bytes -= value.weight_bytes();
        drop(state);
        // Freeing megabytes takes time: not under the lock.
        drop(value);
    }

    /// Whether a key is in memory now. Does not count as a use of it.
    pub fn holds(&self, key: &K) -> bool {
        self.state.lock().kept.contains(key)
    }

    /// What the cache has done, and holds.
    pub fn stats(&self) -> CacheStats {
        let state = self.state.lock();
        CacheStats {
            hits: self.hits.load(Ordering::Relaxed),
            loads: self.loads.load(Ordering::Relaxed),
            loaded_bytes: self.loaded_bytes.load(Ordering::Relaxed),
            kept_bytes: state.kept_bytes,
            kept: state.kept.len(),
        }
    }

    fn fly(&self, key: &K, flight: &Arc<Flight<V, E>>, load: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        let guard = Unless {
            cache: self,
            key,
            flight,
        };
        let result = load();
        std::mem::forget(guard);
        if let Ok(value) = &result {
            self.loaded_bytes
                .fetch_add(value.weight_bytes(), Ordering::Relaxed);
        }
        let dropped = {
            let mut state = self.state.lock();
            state.flights.remove(key);
            match &result {
                Ok(value) => state.keep(key, value, self.capacity_bytes),
                Err(_) => Vec::new(),
            }
        };
        flight.land(Landing::Landed(result.clone()));
        // Freeing megabytes takes time: not under the lock.
        drop(dropped);
        result
    }
}

impl<K: Hash + Eq + Clone, V: Clone + Weigh, E> State<K, V, E> {
    /// Keeps a value and returns what had to go for it.
    fn keep(&mut self, key: &K, value: &V, capacity_bytes: u64) -> Vec<V> {
        let weight = value.weight_bytes();
        let mut dropped = Vec::new();
        if weight > capacity_bytes {
            return dropped;
        }
        while self.kept_bytes + weight > capacity_bytes {
            let Some((_, oldest)) = self.kept.pop_lru() else {
                break;
            };
            self.kept_bytes -= oldest.weight_bytes();
            dropped.push(oldest);
        }
        self.kept_bytes += weight;
        if let Some(before) = self.kept.put(key.clone(), value.clone()) {
            self.kept_bytes -= before.weight_bytes();
            dropped.push(before);
        }
        dropped
    }
}

impl<V: Clone, E: Clone> Flight<V, E> {
    fn new() -> Self {
        Flight {
            landing: Mutex::new(Landing::Aloft),
            landed: Condvar::new(),
        }
    }

    fn land(&self, landing: Landing<V, E>) {
        *self.landing.lock() = landing;
        self.landed.notify_all();
    }

    fn wait(&self) -> Option<Result<V, E>> {
        let mut landing = self.landing.lock();
        loop {
            match &*landing {
                Landing::Aloft => self.landed.wait(&mut landing),
                Landing::Landed(result) => return Some(result.clone()),
                Landing::Lost => return None,
            }
        }
    }
}

/// Runs only when a loader panics: frees the key and wakes the waiters.
struct Unless<'a, K: Hash + Eq + Clone, V: Clone + Weigh, E: Clone> {
    cache: &'a Cache<K, V, E>,
    key: &'a K,
    flight: &'a Flight<V, E>,
}

impl<K: Hash + Eq + Clone, V: Clone + Weigh, E: Clone> Drop for Unless<'_, K, V, E> {
    fn drop(&mut self) {
        self.cache.state.lock().flights.remove(self.key);
        self.flight.land(Landing::Lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::thread;

    type Bytes = Cache<u32, Arc<Vec<u8>>, &'static str>;

    fn value(len: usize) -> Arc<Vec<u8>> {
        vec![7; len].into()
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let cache = Bytes::new(30);
        for key in [1, 2, 3] {
            cache.get_or_load(&key, || Ok(value(10))).unwrap();
        }
        cache.get_or_load(&1, || panic!("still kept")).unwrap();
        cache.get_or_load(&4, || Ok(value(10))).unwrap();
        cache.get_or_load(&1, || panic!("used after 2")).unwrap();
        assert_eq!(cache.get_or_load(&2, || Err("gone")), Err("gone"));
        assert_eq!(cache.stats().kept_bytes, 30);
    }

    #[test]
    fn what_is_forgotten_takes_no_room() {
        let cache = Bytes::new(30);
        assert_eq!(cache.find(&1), None);
        cache.get_or_load(&1, || Ok(value(10))).unwrap();
        assert_eq!(cache.find(&1), Some(Ok(value(10))));
        cache.forget(&1);
        cache.forget(&1);
        assert_eq!(cache.find(&1), None);
        assert_eq!((cache.stats().kept_bytes, cache.stats().kept), (0, 0));
    }

    #[test]
    fn what_is_heavier_than_the_cache_is_served_and_not_kept() {
        let cache = Bytes::new(10);
        cache.get_or_load(&1, || Ok(value(10))).unwrap();
        assert_eq!(cache.get_or_load(&2, || Ok(value(11))).unwrap().len(), 11);
        assert_eq!(cache.stats().kept, 1);
        let nothing = Bytes::new(0);
        nothing.get_or_load(&1, || Ok(value(1))).unwrap();
        assert_eq!(nothing.stats().kept_bytes, 0);
    }

    #[test]
    fn one_loads_while_others_wait() {
        let cache = Bytes::new(100);
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    let load = || {
                        thread::yield_now();
                        Ok(value(3))
                    };
                    assert_eq!(cache.get_or_load(&1, load).unwrap().len(), 3);
                });
            }
        });
        assert_eq!(cache.stats().loads, 1);
    }

    #[test]
    fn two_keys_load_at_once() {
        let cache = Bytes::new(100);
        let both_inside = Barrier::new(2);
        thread::scope(|scope| {
            for key in [1, 2] {
                let (cache, both_inside) = (&cache, &both_inside);
                scope.spawn(move || {
                    let load = || {
                        both_inside.wait();
                        Ok(value(1))
                    };
                    cache.get_or_load(&key, load).unwrap();
                });
            }
        });
        assert_eq!(cache.stats().loads, 2);
    }

    #[test]
    fn an_error_reaches_all_who_wait_and_is_not_kept() {
        let cache = Bytes::new(100);
        assert_eq!(cache.get_or_load(&1, || Err("broken")), Err("broken"));
        assert_eq!(cache.get_or_load(&1, || Ok(value(2))).unwrap().len(), 2);
    }

    #[test]
    fn a_loader_that_panics_leaves_no_one_waiting() {
        let cache = Bytes::new(100);
        let waiting = Barrier::new(2);
        thread::scope(|scope| {
            let loader = scope.spawn(|| {
                let _ = cache.get_or_load(&1, || {
                    waiting.wait();
                    panic!("as the test wants")
                });
            });
            waiting.wait();
            assert_eq!(cache.get_or_load(&1, || Ok(value(5))).unwrap().len(), 5);
            assert!(loader.join().is_err());
        });
    }
}
