//! Which entries readers were given whole: whoever keeps what it was given does not ask again soon, and loading
//! ahead would be for nobody.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::stack::{EntryRef, Stack};

/// A bit for each entry of the layers that were read from.
pub(super) struct Given {
    layers: Vec<Layer>,
}

struct Layer {
    entries: usize,
    words: OnceLock<Box<[AtomicU64]>>,
}

impl Given {
    pub(super) fn new(stack: &Stack) -> Given {
        let layer = |entries| Layer {
            entries,
            words: OnceLock::new(),
        };
        Given {
            layers: stack
                .layers()
                .iter()
                .map(|archive| layer(archive.len()))
                .collect(),
        }
    }

    pub(super) fn has(&self, entry: EntryRef) -> bool {
        let words = self.layers[entry.layer.index()].words.get();
        words.is_some_and(|words| words[entry.entry.index() / 64].load(Ordering::Relaxed) & bit(entry) != 0)
    }

    /// Notes an entry. One that was given before and is asked for again means that readers have begun to forget:
    /// then all of the layer counts as not given.
    pub(super) fn note(&self, entry: EntryRef) {
        let layer = &self.layers[entry.layer.index()];
        let words = layer.words.get_or_init(|| {
            let words = layer.entries.div_ceil(64);
            std::iter::repeat_with(AtomicU64::default).take(words).collect()
        });
        let before = words[entry.entry.index() / 64].fetch_or(bit(entry), Ordering::Relaxed);
        if before & bit(entry) != 0 {
            for word in words {
                word.store(0, Ordering::Relaxed);
            }
        }
    }
}

fn bit(entry: EntryRef) -> u64 {
    1 << (entry.entry.index() % 64)
}
