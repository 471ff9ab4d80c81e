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
    has_threads: bool,
}

struct Shared<K> {
    waiting: Mutex<Waiting<K>>,
    wake: Condvar,
}

struct Waiting<K> {
    keys: VecDeque<K>,
    closed: bool,
}

impl<K: Send + PartialEq + 'static> Ahead<K> {
    /// `threads` threads that load with `loader`; with 0 nothing is loaded ahead.
    ///
    /// They start at once: a thread inherits the cores that the one which starts it is bound to, and those
    /// that answer requests may be bound to their client's.
    pub(super) fn new(threads: usize, loader: &Weak<impl LoadAhead<K>>) -> Ahead<K> {
        let waiting = Waiting {
            keys: VecDeque::new(),
            closed: false,
        };
        let shared = Arc::new(Shared {
            waiting: Mutex::new(waiting),
            wake: Condvar::new(),
        });
        let start = |_| {
            let (shared, loader) = (Arc::clone(&shared), Weak::clone(loader));
            let thread = thread::Builder::new().name("ahead".to_owned());
            // Without a thread everything is still loaded when it is asked for.
            thread.spawn(move || shared.work(&loader)).is_ok()
        };
        let has_threads = (0..threads).map(start).filter(|started| *started).count() > 0;
        Ahead { shared, has_threads }
    }

    /// Takes back a key that nobody wants any more.
    pub(super) fn unwant(&self, key: &K) {
        if self.has_threads {
            self.shared.waiting.lock().keys.retain(|waiting| waiting != key);
        }
    }

    /// Has keys loaded soon, unless too many wait already. Name many at once: each call may wake a thread.
    pub(super) fn want(&self, keys: impl IntoIterator<Item = K>) {
        if !self.has_threads {
            return;
        }
        let mut waiting = self.shared.waiting.lock();
        let before = waiting.keys.len();
        for key in keys {
            if waiting.keys.len() < MAX_WAITING && !waiting.keys.contains(&key) {
                waiting.keys.push_back(key);
            }
        }
        let added = waiting.keys.len() - before;
        drop(waiting);
        match added {
            0 => {}
            1 => drop(self.shared.wake.notify_one()),
            _ => drop(self.shared.wake.notify_all()),
        }
    }
}

impl<K> Shared<K> {
    fn work(&self, loader: &Weak<impl LoadAhead<K>>) {
        while let (Some(key), Some(loader)) = (self.next(), loader.upgrade()) {
            loader.load_ahead(key);
        }
    }

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
        let ahead = Ahead::new(1, &Arc::downgrade(&loader));
        ahead.want([1, 2]);
        ahead.want([3]);
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
        let ahead = Ahead::new(0, &Arc::downgrade(&loader));
        ahead.want([1]);
        assert!(ahead.shared.waiting.lock().keys.is_empty());
    }
}
