//! How two entries compare, told from their records alone: nothing is read.

use crate::archive::EntryKind;
use crate::stack::{EntryRef, Stack};

/// How the content of two entries compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Likeness {
    /// Same kind, size and CRC-32: the same bytes, but for one pair in four billion, or a forged one.
    Same,
    /// Other bytes.
    Differs,
    /// A file and a directory, a link and a file: nothing to compare.
    OtherKind,
}

/// Compares the content of two entries; neither mode nor time counts. Two directories are the same.
pub fn likeness(stack: &Stack, one: EntryRef, other: EntryRef) -> Likeness {
    let (one, other) = (stack.entry(one), stack.entry(other));
    match (one.kind == other.kind, one.kind) {
        (false, _) => Likeness::OtherKind,
        (true, EntryKind::Directory) => Likeness::Same,
        (true, EntryKind::File | EntryKind::Symlink) => {
            match (one.crc, one.declared_size) == (other.crc, other.declared_size) {
                true => Likeness::Same,
                false => Likeness::Differs,
            }
        }
    }
}
