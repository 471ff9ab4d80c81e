//! Loading ahead: a few threads that fetch what will be asked for next, while whoever asked goes on with
//! what it got.
//!
//! Knows keys and a way to load one, nothing of what they mean. Bounded: what does not fit into the queue
//! is not worth waiting for.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::thread;

use parking_lot::{Condvar, Mutex};

/// Keys that wait to be loaded. A reader who is farther ahead than this needs no help.
const MAX_WAITING: usize = 64;

/// What can load a key ahead of its time. Failures are found again, and told, by whoever asks for the key.
pub(super) trait LoadAhead<K>: Send + Sync + 'static {
    fn load_ahead(&self, key: K);
}

/// The threads and the keys that wait for them. The threads end when the value is dropped.
pub(super) struct Ahead<K> {
    shared: Arc<Shared<K>>,
    threads: usize,
}

struct Shared<K> {
    waiting: Mutex<Waiting<K>>,
    wake: Condvar,
}

struct Waiting<K> {
    keys: VecDeque<K>,
    /// Threads are started with the first key: an idle mount has none.
    started: bool,
    closed: bool,
}

impl<K: Send + PartialEq + 'static> Ahead<K> {
    /// Up to `threads` threads, 0 for none: then nothing is loaded ahead.
    pub(super) fn new(threads: usize) -> Ahead<K> {
        let waiting = Waiting {
            keys: VecDeque::new(),
            started: false,
            closed: false,
        };
        let shared = Shared {
            waiting: Mutex::new(waiting),
            wake: Condvar::new(),
        };
        Ahead {
            shared: Arc::new(shared),
            threads,
        }
    }

    /// Has a key loaded soon by `loader`, unless too many wait already.
    pub(super) fn want(&self, key: K, loader: &Weak<impl LoadAhead<K>>) {
        if self.threads == 0 {
            return;
        }
        let mut waiting = self.shared.waiting.lock();
        if waiting.keys.len() >= MAX_WAITING || waiting.keys.contains(&key) {
            return;
        }
        waiting.keys.push_back(key);
        let start = !std::mem::replace(&mut waiting.started, true);
        drop(waiting);
        if start {
            self.start(loader);
        }
        self.shared.wake.notify_one();
    }

    fn start(&self, loader: &Weak<impl LoadAhead<K>>) {
        for _ in 0..self.threads {
            let (shared, loader) = (Arc::clone(&self.shared), Weak::clone(loader));
            // Without a thread nothing is loaded ahead, and everything still when it is asked for.
            let _ = thread::Builder::new().name("ahead".to_owned()).spawn(move || {
                while let (Some(key), Some(loader)) = (shared.next(), loader.upgrade()) {
                    loader.load_ahead(key);
                }
            });
        }
    }
}

impl<K> Shared<K> {
    fn next(&self) -> Option<K> {
        let mut waiting = self.waiting.lock();
        loop {
            if waiting.closed {
                return None;
            }
            match waiting.keys.pop_front() {
                Some(key) => return Some(key),
                None => self.wake.wait(&mut waiting),
            }
        }
    }
}

impl<K> Drop for Ahead<K> {
    fn drop(&mut self) {
        self.shared.waiting.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    struct Loader(Mutex<Sender<u32>>);

    impl LoadAhead<u32> for Loader {
        fn load_ahead(&self, key: u32) {
            self.0.lock().send(key).unwrap();
        }
    }

    #[test]
    fn what_is_wanted_is_loaded_in_order_and_once() {
        let (sender, loaded) = channel();
        let loader = Arc::new(Loader(Mutex::new(sender)));
        let ahead = Ahead::new(1);
        for key in [1, 2, 3] {
            ahead.want(key, &Arc::downgrade(&loader));
        }
        assert_eq!([1, 2, 3], std::array::from_fn(|_| loaded.recv().unwrap()));
        drop(ahead);
        // The thread lets go of its loader, and with it of the sender.
        drop(loader);
        assert!(loaded.recv().is_err());
    }

    #[test]
    fn without_threads_nothing_waits() {
        let (sender, _loaded) = channel();
        let loader = Arc::new(Loader(Mutex::new(sender)));
        let ahead = Ahead::new(0);
        ahead.want(1, &Arc::downgrade(&loader));
        assert!(ahead.shared.waiting.lock().keys.is_empty());
    }
}
