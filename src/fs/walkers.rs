//! Who goes through the tree file by file, and which files come next for them.
//!
//! Tools that read everything (cp, tar, grep -r, find with cat) take a directory's names in the order in
//! which readdir gives them and go down into each directory as they come to it. Two steps in that order
//! are taken for such a walk.

use parking_lot::Mutex;

use crate::stack::{Body, EntryRef, NodeId, Stack};

/// Walks that are followed at once.
const WALKS: usize = 4;
/// Steps in order that make a walk.
const STEPS: u32 = 2;
/// How far ahead of a walk files are named: so many of them, or so many declared bytes. More are named when half of
/// that is left: each time wakes a thread, which costs as much as inflating a small file does.
const AHEAD_FILES: usize = 32;

/// The walks that are going on.
pub(super) struct Walkers {
    walks: Mutex<[Option<Walk>; WALKS]>,
    ahead_bytes: u64,
}

#[derive(Clone, Copy)]
struct Walk {
    last: NodeId,
    /// The file that is expected now.
    expected: Option<NodeId>,
    steps: u32,
    /// The last file that was named ahead.
    named: Option<NodeId>,
    /// How many files lie between `last` and `named`, and their bytes.
    files_between: usize,
    bytes_between: u64,
}

impl Walkers {
    /// Follows walks and names at most `ahead_bytes` of files ahead of each; 0 to name none.
    pub(super) fn new(ahead_bytes: u64) -> Walkers {
        Walkers {
            walks: Mutex::new([None; WALKS]),
            ahead_bytes,
        }
    }

    /// Notes that a file is being read from its beginning; returns the files to have ready next, those
    /// already named left out.
    pub(super) fn note(&self, stack: &Stack, file: NodeId) -> Vec<EntryRef> {
        if self.ahead_bytes == 0 {
            return Vec::new();
        }
        // Somebody else is being noted: a hint less does no harm, waiting would.
        let Some(mut walks) = self.walks.try_lock() else {
            return Vec::new();
        };
        if walks.iter().flatten().any(|walk| walk.last == file) {
            return Vec::new();
        }
        let going_on = walks
            .iter()
            .position(|walk| walk.is_some_and(|walk| walk.expected == Some(file)));
        let place = going_on.unwrap_or(WALKS - 1);
        let mut walk = match going_on.and_then(|place| walks[place]) {
            Some(walk) => walk.step(stack, file),
            None => Walk::begin(stack, file),
        };
        let next = if walk.steps >= STEPS {
            walk.name_ahead(stack, self.ahead_bytes)
        } else {
            Vec::new()
        };
        // The most recent walk first: a new one takes the place of the one that rested longest.
        walks[..=place].rotate_right(1);
        walks[0] = Some(walk);
        next
    }
}

impl Walk {
    fn begin(stack: &Stack, file: NodeId) -> Walk {
        let expected = next_file(stack, file);
        Walk {
            last: file,
            expected,
            steps: 0,
            named: None,
            files_between: 0,
            bytes_between: 0,
        }
    }

    fn step(self, stack: &Stack, file: NodeId) -> Walk {
        let expected = next_file(stack, file);
        let steps = self.steps + 1;
        if self.named.is_none() || self.named == Some(file) {
            return Walk {
                last: file,
                expected,
                steps,
                named: None,
                files_between: 0,
                bytes_between: 0,
            };
        }
        Walk {
            last: file,
            expected,
            steps,
            named: self.named,
            files_between: self.files_between.saturating_sub(1),
            bytes_between: self.bytes_between.saturating_sub(size(stack, file)),
        }
    }

    fn name_ahead(&mut self, stack: &Stack, ahead_bytes: u64) -> Vec<EntryRef> {
        let mut entries = Vec::new();
        if self.files_between > AHEAD_FILES / 2 || self.bytes_between > ahead_bytes / 2 {
            return entries;
        }
        while self.files_between < AHEAD_FILES && self.bytes_between < ahead_bytes {
            let Some(next) = next_file(stack, self.named.unwrap_or(self.last)) else {
                break;
            };
            if let Body::File(entry) = stack.body(next) {
                entries.push(entry);
            }
            self.named = Some(next);
            self.files_between += 1;
            self.bytes_between = self.bytes_between.saturating_add(size(stack, next));
        }
        entries
    }
}

fn size(stack: &Stack, file: NodeId) -> u64 {
    match stack.body(file) {
        Body::File(entry) => stack.entry(entry).declared_size,
        Body::Directory(_) | Body::Symlink(_) => 0,
    }
}

/// The file that a walk comes to after this one.
fn next_file(stack: &Stack, file: NodeId) -> Option<NodeId> {
    /// A tree of many empty directories is not worth looking through.
    const MOST_STEPS: usize = 64;
    let mut at = file;
    for _ in 0..MOST_STEPS {
        at = next_in_walk(stack, at)?;
        if matches!(stack.body(at), Body::File(_)) {
            return Some(at);
        }
    }
    None
}

/// The first child of a directory, else the next sibling, else that of the nearest directory above.
fn next_in_walk(stack: &Stack, node: NodeId) -> Option<NodeId> {
    if let Some(child) = stack.children(node).next() {
        return Some(child);
    }
    let mut at = node;
    while at != NodeId::ROOT {
        if let Some(sibling) = stack.next_sibling(at) {
            return Some(sibling);
        }
        at = stack.parent(at);
    }
    None
}
