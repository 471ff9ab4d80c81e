//! Which entries could not be read since the mount began, and why.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::fs::FsError;

/// Reasons that are kept.
const MOST: usize = 10_000;

/// Reasons, each with its archive and entry, in the order of their bytes.
#[derive(Default)]
pub(super) struct Failures(Mutex<BTreeSet<Arc<str>>>);

impl Failures {
    /// Keeps the reason if bytes of an archive are at fault, and not the question.
    pub(super) fn note(&self, error: &FsError) {
        if let FsError::Damaged(why) = error {
            let mut known = self.0.lock();
            if known.len() < MOST {
                known.insert(Arc::clone(why));
            }
        }
    }

    pub(super) fn count(&self) -> usize {
        self.0.lock().len()
    }

    /// One on each line.
    pub(super) fn lines(&self) -> Vec<u8> {
        let mut text = String::new();
        for why in &*self.0.lock() {
            text.push_str(why);
            text.push('\n');
        }
        text.into_bytes()
    }
}
