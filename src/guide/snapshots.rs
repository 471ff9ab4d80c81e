//! Texts that change while the mount lives, each as it was when its name was last looked up.
//!
//! The kernel keeps the pages of a file for ever and opens files without a message. So every look at such a name
//! gives an inode of its own whose content never changes, and the name is never kept. Only the latest are held:
//! whoever opened one reads it soon.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

use super::number::{Fixed, NUMBERS};

/// So many are held.
const MOST: usize = 64;
/// And so many bytes of them, but always the last two.
const MOST_BYTES: usize = 4 << 20;

/// A text at one moment.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) number: u64,
    of: Fixed,
    pub(super) text: Arc<[u8]>,
    pub(super) time: SystemTime,
}

/// The latest of them.
#[derive(Default)]
pub(super) struct Snapshots(Mutex<Held>);

#[derive(Default)]
struct Held {
    kept: VecDeque<Snapshot>,
    bytes: usize,
    taken: u64,
}

impl Snapshots {
    /// None yet; the first one will have this number.
    pub(super) fn from(first: u64) -> Snapshots {
        let taken = first & NUMBERS;
        Snapshots(Mutex::new(Held {
            taken,
            ..Held::default()
        }))
    }

    /// Holds a text. One that has not changed since it was last taken is that one again.
    pub(super) fn take(&self, of: Fixed, text: Vec<u8>, time: SystemTime) -> Snapshot {
        let mut held = self.0.lock();
        let last = held.kept.iter().rev().find(|known| known.of == of);
        if let Some(same) = last.filter(|last| *last.text == *text) {
            return same.clone();
        }
        let number = held.taken;
        held.taken = (held.taken + 1) & NUMBERS;
        let text: Arc<[u8]> = text.into();
        let snapshot = Snapshot {
            number,
            of,
            text,
            time,
        };
        held.bytes += snapshot.text.len();
        held.kept.push_back(snapshot.clone());
        while held.kept.len() > MOST || (held.bytes > MOST_BYTES && held.kept.len() > 2) {
            let Some(oldest) = held.kept.pop_front() else {
                break;
            };
            held.bytes -= oldest.text.len();
        }
        snapshot
    }

    /// One that is still held.
    pub(super) fn get(&self, number: u64) -> Option<Snapshot> {
        let held = self.0.lock();
        held.kept.iter().find(|known| known.number == number).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_has_not_changed_keeps_its_number() {
        let (snapshots, now) = (Snapshots::default(), SystemTime::now());
        let take = |of, text: &str| snapshots.take(of, text.into(), now).number;
        let first = take(Fixed::Errors, "a");
        assert_eq!(take(Fixed::Errors, "a"), first);
        let other = take(Fixed::Stats, "a");
        assert_ne!(other, first);
        assert_ne!(take(Fixed::Errors, "b"), first);
        assert_eq!(*snapshots.get(first).unwrap().text, *b"a");
    }

    #[test]
    fn only_the_latest_are_held() {
        let (snapshots, now) = (Snapshots::default(), SystemTime::now());
        for nth in 0..=MOST {
            snapshots.take(Fixed::Stats, format!("{nth}").into(), now);
        }
        assert!(snapshots.get(0).is_none());
        assert!(snapshots.get(1).is_some());
        for byte in [b'x', b'y', b'z'] {
            snapshots.take(Fixed::Stats, vec![byte; MOST_BYTES], now);
        }
        assert_eq!(snapshots.0.lock().kept.len(), 2);
        assert_eq!(snapshots.0.lock().bytes, 2 * MOST_BYTES);
    }
}
