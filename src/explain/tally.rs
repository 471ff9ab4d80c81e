//! How many entries, and how large: what sums of answers are made of.

use std::iter::Sum;
use std::ops::AddAssign;

use crate::archive::EntryKind;
use crate::stack::{EntryRef, Stack};

/// A number of entries and their declared sizes. Sizes are claims, and may be too large to add up: sums end
/// at the largest number there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub entries: u64,
    /// Bytes once decoded; those of directories count nothing.
    pub bytes: u64,
    /// Bytes in the archives.
    pub compressed_bytes: u64,
}

impl Tally {
    /// One entry.
    pub fn of(stack: &Stack, entry: EntryRef) -> Tally {
        let entry = stack.entry(entry);
        let sizes = match entry.kind {
            EntryKind::Directory => (0, 0),
            EntryKind::File | EntryKind::Symlink => (entry.declared_size, entry.compressed_size),
        };
        Tally {
            entries: 1,
            bytes: sizes.0,
            compressed_bytes: sizes.1,
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.entries += other.entries;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.compressed_bytes = self.compressed_bytes.saturating_add(other.compressed_bytes);
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Tally>>(tallies: I) -> Tally {
        tallies.fold(Tally::default(), |mut sum, tally| {
            sum += tally;
            sum
        })
    }
}
