//! The bytes of an entry: small ones inflated whole and verified, large ones by range.
//!
//! Knows nothing of names, directories or the kernel. Every byte that is inflated goes through the
//! cache, so that each entry, or each block of a large one, is inflated by one thread at a time.

mod ahead;
mod coverage;
mod large;

use std::cell::RefCell;
use std::collections::HashMap;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use crate::archive::{EntryError, Method};
use crate::cache::{Cache, CacheStats};
use crate::stack::{EntryRef, Stack};
use ahead::{Ahead, LoadAhead};
use large::{BLOCK_BYTES, Large};

/// Entries up to this size, declared and compressed, are inflated whole and verified before a byte of
/// them is served.
const WHOLE_BYTES: u64 = 8 << 20;
/// Inflating so much takes no longer than waking another thread for it.
const AT_HAND_BYTES: u64 = 64 << 10;
/// Inflated ahead of a reader at most, and never more than an eighth of the cache.
const AHEAD_BYTES: u64 = 4 << 20;
/// Threads that inflate ahead at most: one core less than there are.
const AHEAD_THREADS: usize = 4;
/// Whatever the cache's size, entries up to this size are inflated whole.
const WHOLE_AT_LEAST_BYTES: u64 = 256 << 10;
/// One answer is never longer than this: the kernel asks for 1 MiB at most (`fs.fuse.max_pages_limit`).
pub const MAX_READ_BYTES: usize = 1 << 20;

thread_local! {
    /// Where an answer is put together that lies in no single buffer.
    static ANSWER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The bytes of all entries of a stack, read when asked for.
pub struct Content {
    inner: Arc<Inner>,
    ahead: Ahead<Key>,
}

struct Inner {
    stack: Arc<Stack>,
    cache: Cache<Key, Arc<Vec<u8>>, Arc<EntryError>>,
    whole_bytes: u64,
    large: Mutex<HashMap<EntryRef, Arc<Large>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Whole(EntryRef),
    Block(EntryRef, u64),
}

impl Content {
    /// The bytes of a stack's entries, with at most `cache_capacity_bytes` of them kept.
    pub fn new(stack: Arc<Stack>, cache_capacity_bytes: u64) -> Content {
        // An entry that takes the whole cache would push out everything else for each of its reads.
        let whole_bytes = WHOLE_BYTES.min((cache_capacity_bytes / 4).max(WHOLE_AT_LEAST_BYTES));
        let inner = Arc::new(Inner {
            stack,
            cache: Cache::new(cache_capacity_bytes),
            whole_bytes,
            large: Mutex::default(),
        });
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let ahead = Ahead::new((cores - 1).min(AHEAD_THREADS), &Arc::downgrade(&inner));
        Content { inner, ahead }
    }

    /// How many bytes are worth having ready ahead of a reader; 0 when there is no room for them.
    pub fn ahead_bytes(&self) -> u64 {
        AHEAD_BYTES.min(self.inner.cache.capacity_bytes() / 8)
    }

    /// Has entries inflated soon, those that are small enough for it.
    pub fn ahead(&self, entries: impl IntoIterator<Item = EntryRef>) {
        for entry in entries {
            if self.inner.is_whole(entry) {
                self.ahead.want(Key::Whole(entry));
            }
        }
    }

    /// Hands the bytes of an entry at `offset` to `deliver`: `size` of them, at most
    /// [`MAX_READ_BYTES`], fewer at the entry's end, none behind it.
    ///
    /// # Errors
    /// When the entry cannot be served; nothing is delivered then.
    pub fn read<R>(
        &self,
        entry: EntryRef,
        offset: u64,
        size: usize,
        deliver: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, Arc<EntryError>> {
        let inner = &*self.inner;
        let declared = inner.stack.entry(entry);
        let end = declared
            .declared_size
            .min(offset.saturating_add(size.min(MAX_READ_BYTES) as u64));
        if inner.is_whole(entry) {
            let whole = inner.whole(entry)?;
            return Ok(deliver(&whole[offset.min(end) as usize..end as usize]));
        }
        if offset >= end {
            return Ok(deliver(&[]));
        }
        let large = inner.large(entry)?;
        match declared.method {
            Method::Stored => ANSWER.with_borrow_mut(|answer| {
                answer.resize((end - offset) as usize, 0);
                large.read_stored(answer, offset)?;
                Ok(deliver(answer))
            }),
            _ => self.read_blocks(&large, entry, offset, end, deliver),
        }
    }

    /// Whether the bytes of an entry at `offset` can be had without inflating much.
    pub fn is_at_hand(&self, entry: EntryRef, offset: u64) -> bool {
        let declared = self.inner.stack.entry(entry);
        let key = match self.inner.is_whole(entry) {
            true if declared.declared_size <= AT_HAND_BYTES => return true,
            true => Key::Whole(entry),
            false if declared.method == Method::Stored => return true,
            false => Key::Block(entry, offset / BLOCK_BYTES),
        };
        self.inner.cache.holds(&key)
    }

    /// The whole of an entry that is at most `limit_bytes` long, for targets of links.
    pub fn read_small(&self, entry: EntryRef, limit_bytes: u64) -> Result<Option<Vec<u8>>, Arc<EntryError>> {
        let stack = &self.inner.stack;
        let declared = stack.entry(entry);
        if declared.declared_size > limit_bytes || declared.compressed_size > WHOLE_BYTES {
            return Ok(None);
        }
        Ok(Some(stack.layer(entry.layer).read_whole(entry.entry)?))
    }

    /// What the cache has done, and holds.
    pub fn cache_stats(&self) -> CacheStats {
        self.inner.cache.stats()
    }

    fn read_blocks<R>(
        &self,
        large: &Large,
        entry: EntryRef,
        offset: u64,
        end: u64,
        deliver: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, Arc<EntryError>> {
        let (first, last) = (offset / BLOCK_BYTES, (end - 1) / BLOCK_BYTES);
        let within = |index: u64, at: u64| (at - index * BLOCK_BYTES) as usize;
        if first == last {
            let bytes = self.inner.block(entry, large, first)?;
            self.want_blocks_behind(large, entry, first);
            return Ok(deliver(&bytes[within(first, offset)..within(first, end)]));
        }
        ANSWER.with_borrow_mut(|answer| {
            answer.clear();
            for index in first..=last {
                let bytes = self.inner.block(entry, large, index)?;
                let from = within(index, offset.max(index * BLOCK_BYTES));
                let to = within(index, end.min((index + 1) * BLOCK_BYTES));
                answer.extend_from_slice(&bytes[from..to]);
            }
            self.want_blocks_behind(large, entry, last);
            Ok(deliver(answer))
        })
    }

    /// Goes on inflating for a reader who goes through in order. Only now, with the block in hand: the
    /// decoder that gave it is the one that goes on.
    fn want_blocks_behind(&self, large: &Large, entry: EntryRef, index: u64) {
        for index in large.blocks_ahead(index, self.ahead_bytes() / BLOCK_BYTES) {
            self.ahead.want(Key::Block(entry, index));
        }
    }
}

impl Inner {
    /// Whether an entry is inflated whole, and not by blocks.
    fn is_whole(&self, entry: EntryRef) -> bool {
        let declared = self.stack.entry(entry);
        declared.declared_size.max(declared.compressed_size) <= self.whole_bytes
    }

    fn whole(&self, entry: EntryRef) -> Result<Arc<Vec<u8>>, Arc<EntryError>> {
        self.cache.get_or_load(&Key::Whole(entry), || {
            let bytes = self.stack.layer(entry.layer).read_whole(entry.entry)?;
            Ok(Arc::new(bytes))
        })
    }

    fn block(&self, entry: EntryRef, large: &Large, index: u64) -> Result<Arc<Vec<u8>>, Arc<EntryError>> {
        self.cache.get_or_load(&Key::Block(entry, index), || {
            large.read_block(index).map(Arc::new)
        })
    }

    /// The reader of a large entry. One that was made for other bytes than the file has now is thrown
    /// away: its checkpoints mean nothing any more.
    ///
    /// Semantics decision: (7) the archive changing under a mount never kills the mount: small entries
    /// are verified by their CRC as always; large ones are read through and verified again before any
    /// byte of the changed file is served.
    fn large(&self, entry: EntryRef) -> Result<Arc<Large>, Arc<EntryError>> {
        let archive = self.stack.layer(entry.layer);
        let stamp = archive.stamp().map_err(|e| Arc::new(EntryError::Io(e)))?;
        if let Some(known) = self.large.lock().get(&entry)
            && known.stamp() == stamp
        {
            return Ok(Arc::clone(known));
        }
        let fresh = Arc::new(Large::new(archive, entry.entry, stamp)?);
        if stamp != archive.opened() {
            fresh.verify_all()?;
        }
        self.large.lock().insert(entry, Arc::clone(&fresh));
        Ok(fresh)
    }
}

impl LoadAhead<Key> for Inner {
    fn load_ahead(&self, key: Key) {
        // Who asks for it finds the same error, and tells.
        let _ = match key {
            Key::Whole(entry) => self.whole(entry),
            Key::Block(entry, index) => self
                .large(entry)
                .and_then(|large| self.block(entry, &large, index)),
        };
    }
}
