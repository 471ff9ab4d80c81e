//! The bytes of an entry: small ones inflated whole and verified, large ones by range.
//!
//! Knows nothing of names, directories or the kernel. Every byte that is inflated goes through the
//! cache, so that each entry, or each block of a large one, is inflated by one thread at a time.

mod ahead;
mod coverage;
mod decoder;
mod given;
mod index;
mod large;
mod link;
mod piece;
mod places;
mod trail;

use std::cell::RefCell;
use std::collections::HashMap;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use crate::archive::{EntryError, Method};
use crate::cache::{Cache, CacheStats};
use crate::stack::{EntryRef, Stack};
use ahead::{Ahead, LoadAhead};
use given::Given;
use index::Index;
use large::{BLOCK_BYTES, Large};
use piece::{Buffers, Piece};
use trail::Trail;

pub use link::{LinkError, MAX_TARGET_BYTES};

/// Entries up to this size, declared and compressed, are inflated whole and verified before a byte of
/// them is served.
const WHOLE_BYTES: u64 = 8 << 20;
/// Inflating so much takes no longer than waking another thread for it.
const AT_HAND_BYTES: u64 = 64 << 10;
/// Inflated ahead of a reader at most, and never more than an eighth of the cache.
const AHEAD_BYTES: u64 = 4 << 20;
/// The same along what was read by an earlier mount, and never more than a quarter of the cache.
const TRAIL_BYTES: u64 = 32 << 20;
/// Threads that inflate ahead at most: one core less than there are.
const AHEAD_THREADS: usize = 4;
/// Large entries whose decoders may rest for readers who go on.
const LARGE_AT_REST: usize = 16;
/// Who reads a large entry while its archive is written to again and again is told so after so many attempts.
const ATTEMPTS: usize = 3;
/// Whatever the cache's size, entries up to this size are inflated whole.
const WHOLE_AT_LEAST_BYTES: u64 = 256 << 10;
/// One answer is never longer than this: the kernel asks for 1 MiB at most (`fs.fuse.max_pages_limit`).
pub const MAX_READ_BYTES: usize = 1 << 20;

thread_local! {
    /// Where an answer is put together that lies in no single buffer.
    static ANSWER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How bytes are kept.
#[derive(Debug, Clone, Default)]
pub struct Keeping {
    /// Most bytes of inflated content that are kept in memory.
    pub capacity_bytes: u64,
    /// Whether readers keep what they are given, as the kernel does: bytes that all were given are let go.
    pub readers_keep: bool,
    /// Where checkpoints of large entries are kept for the next time; nowhere when there is none.
    pub index_directory: Option<PathBuf>,
}

/// The bytes of all entries of a stack, read when asked for.
pub struct Content {
    inner: Arc<Inner>,
    ahead: Ahead<Key>,
}

struct Inner {
    stack: Arc<Stack>,
    cache: Cache<Key, Arc<Piece>, Arc<EntryError>>,
    blocks: Arc<Buffers>,
    /// Where readers keep what they are given: what they were given.
    given: Option<Given>,
    index: Option<Arc<Index>>,
    trail: Option<Trail>,
    whole_bytes: u64,
    large: Mutex<HashMap<EntryRef, Arc<Large>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Whole(EntryRef),
    Block(EntryRef, u64),
    /// Nothing to keep in the cache: the checkpoints that reading has left are to be made small, and kept for the
    /// next mount.
    Checkpoints(EntryRef),
}

impl Content {
    /// The bytes of a stack's entries.
    pub fn new(stack: Arc<Stack>, keeping: &Keeping) -> Content {
        // An entry that takes the whole cache would push out everything else for each of its reads.
        let whole_bytes = WHOLE_BYTES.min((keeping.capacity_bytes / 4).max(WHOLE_AT_LEAST_BYTES));
        let index = keeping.index_directory.as_deref().map(Index::new);
        let trail_bytes = TRAIL_BYTES.min(keeping.capacity_bytes / 4);
        let inner = Arc::new(Inner {
            given: keeping.readers_keep.then(|| Given::new(&stack)),
            stack,
            cache: Cache::new(keeping.capacity_bytes),
            blocks: Buffers::new(BLOCK_BYTES as usize, keeping.capacity_bytes),
            trail: index.as_ref().map(|index| Trail::new(index, trail_bytes)),
            index,
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
        let is_wanted = |&entry: &EntryRef| self.inner.is_whole(entry) && !self.inner.was_given(entry);
        let wanted: Vec<_> = entries.into_iter().filter(is_wanted).map(Key::Whole).collect();
        if !wanted.is_empty() {
            self.ahead.want(wanted);
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
            self.note(Key::Whole(entry));
            let is_all = offset == 0 && end == declared.declared_size;
            if inner.given.is_some() && is_all && end <= AT_HAND_BYTES {
                return self.read_at_once(entry, deliver);
            }
            let whole = self.wanted_now(Key::Whole(entry), || inner.whole(entry))?;
            let bytes = &whole[offset.min(end) as usize..end as usize];
            let given = deliver(bytes);
            inner.gave(Key::Whole(entry), &whole, bytes.len());
            return Ok(given);
        }
        if offset >= end {
            // Where there are no bytes, their CRC is known without reading any.
            return match (declared.declared_size, declared.crc) {
                (0, expected @ 1..) => Err(Arc::new(EntryError::Crc { expected, found: 0 })),
                _ => Ok(deliver(&[])),
            };
        }
        let large = inner.large(entry)?;
        match declared.method {
            Method::Stored => ANSWER.with_borrow_mut(|answer| {
                answer.resize((end - offset) as usize, 0);
                inner.settled(entry, &large, |large| large.read_stored(answer, offset))?;
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

    /// The whole of an entry that is at most `limit_bytes` long.
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

    /// What is in memory or on its way there, else what `load` gives. Who was to load it ahead need not any more,
    /// and must not: nobody would ask for it again.
    fn wanted_now(
        &self,
        key: Key,
        load: impl FnOnce() -> Result<Arc<Piece>, Arc<EntryError>>,
    ) -> Result<Arc<Piece>, Arc<EntryError>> {
        self.inner.cache.find(&key).unwrap_or_else(|| {
            self.ahead.unwant(&key);
            load()
        })
    }

    /// A small file in one piece, for a reader who keeps it: inflated into this thread's own buffer, and kept
    /// nowhere, unless it was inflated ahead.
    fn read_at_once<R>(
        &self,
        entry: EntryRef,
        deliver: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, Arc<EntryError>> {
        let (inner, key) = (&*self.inner, Key::Whole(entry));
        if let Some(found) = inner.cache.find(&key) {
            let whole = found?;
            let given = deliver(&whole);
            inner.gave(key, &whole, whole.len());
            return Ok(given);
        }
        self.ahead.unwant(&key);
        ANSWER.with_borrow_mut(|answer| {
            inner
                .stack
                .layer(entry.layer)
                .read_whole_into(entry.entry, answer)?;
            inner.note_given(entry);
            Ok(deliver(answer))
        })
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
        let inner = &*self.inner;
        for index in first..=last {
            self.note(Key::Block(entry, index));
        }
        // Blocks may be in memory from before.
        large.standing_verdict()?;
        if large.is_jump(offset..end) && !inner.cache.holds(&Key::Block(entry, first)) {
            return ANSWER.with_borrow_mut(|answer| {
                answer.resize((end - offset) as usize, 0);
                inner.settled(entry, large, |large| large.decode(offset, answer))?;
                let given = deliver(answer);
                self.want_pruned(large, entry);
                Ok(given)
            });
        }
        if first == last {
            let block = self.wanted_now(Key::Block(entry, first), || inner.block(entry, large, first))?;
            self.want_blocks_behind(large, entry, first);
            let bytes = &block[within(first, offset)..within(first, end)];
            let given = deliver(bytes);
            inner.gave(Key::Block(entry, first), &block, bytes.len());
            // The reader has what it asked for; the thread that inflates ahead is not kept from it.
            large.tidy_up();
            return Ok(given);
        }
        ANSWER.with_borrow_mut(|answer| {
            answer.clear();
            for index in first..=last {
                let block = self.wanted_now(Key::Block(entry, index), || inner.block(entry, large, index))?;
                let from = within(index, offset.max(index * BLOCK_BYTES));
                let to = within(index, end.min((index + 1) * BLOCK_BYTES));
                answer.extend_from_slice(&block[from..to]);
                inner.gave(Key::Block(entry, index), &block, to - from);
            }
            self.want_blocks_behind(large, entry, last);
            Ok(deliver(answer))
        })
    }

    /// Notes what is asked for, and has that inflated which was asked for next by an earlier mount.
    fn note(&self, key: Key) {
        let Some(trail) = &self.inner.trail else { return };
        let (inner, next) = (&self.inner, trail.note(&self.inner.stack, key));
        // What is whole depends on the size of the cache, which may have been another one.
        let is_wanted = |key: &Key| match *key {
            Key::Whole(entry) => inner.is_whole(entry) && !inner.was_given(entry),
            Key::Block(entry, _) => !inner.is_whole(entry),
            Key::Checkpoints(_) => false,
        };
        let mut next = next.into_iter().filter(is_wanted).peekable();
        if next.peek().is_some() {
            self.ahead.want(next);
        }
    }

    /// Goes on inflating for a reader who goes through in order. Only now, with the block in hand: the
    /// decoder that gave it is the one that goes on.
    fn want_blocks_behind(&self, large: &Large, entry: EntryRef, index: u64) {
        if large.is_last_block(index) {
            self.want_pruned(large, entry);
        }
        let ahead = large.blocks_ahead(index, self.ahead_bytes() / BLOCK_BYTES);
        if !ahead.is_empty() {
            self.ahead.want(ahead.map(|index| Key::Block(entry, index)));
        }
    }
}

impl Content {
    /// Has checkpoints made small by a thread that has nothing else to do, once there are some.
    fn want_pruned(&self, large: &Large, entry: EntryRef) {
        if large.has_much_to_prune() {
            self.ahead.want([Key::Checkpoints(entry)]);
        }
    }
}

impl Drop for Content {
    /// A thread that inflates ahead may still be at it: nobody waits for that, but what was found out is kept.
    fn drop(&mut self) {
        if let Some(trail) = &self.inner.trail {
            trail.remember(&self.inner.stack);
        }
        let large: Vec<_> = self.inner.large.lock().values().map(Arc::clone).collect();
        for large in large {
            large.remember();
        }
    }
}

impl Inner {
    /// Whether an entry is inflated whole, and not by blocks.
    fn is_whole(&self, entry: EntryRef) -> bool {
        let declared = self.stack.entry(entry);
        declared.declared_size.max(declared.compressed_size) <= self.whole_bytes
    }

    fn whole(&self, entry: EntryRef) -> Result<Arc<Piece>, Arc<EntryError>> {
        self.cache.get_or_load(&Key::Whole(entry), || {
            let bytes = self.stack.layer(entry.layer).read_whole(entry.entry)?;
            Ok(Piece::new(bytes))
        })
    }

    fn block(&self, entry: EntryRef, large: &Large, index: u64) -> Result<Arc<Piece>, Arc<EntryError>> {
        self.cache.get_or_load(&Key::Block(entry, index), || {
            self.settled(entry, large, |large| {
                let fill = |block: &mut [u8]| large.decode(index * BLOCK_BYTES, block);
                self.blocks.piece(large.block_len(index), fill)
            })
        })
    }

    /// What `read` gives; once more from the archive as it is now, when it was written to meanwhile.
    fn settled<R>(
        &self,
        entry: EntryRef,
        large: &Large,
        mut read: impl FnMut(&Large) -> Result<R, Arc<EntryError>>,
    ) -> Result<R, Arc<EntryError>> {
        let mut result = read(large);
        for _ in 0..ATTEMPTS {
            if !matches!(&result, Err(error) if matches!(**error, EntryError::Changed)) {
                break;
            }
            result = self.large(entry).and_then(|large| read(&large));
        }
        result
    }

    /// Lets go of what a reader keeps.
    fn gave(&self, key: Key, piece: &Piece, count: usize) {
        if self.given.is_none() || !piece.gave(count) {
            return;
        }
        if let Key::Whole(entry) = key {
            self.note_given(entry);
        }
        self.cache.forget(&key);
    }

    fn note_given(&self, entry: EntryRef) {
        if let Some(given) = &self.given {
            given.note(entry);
        }
    }

    fn was_given(&self, entry: EntryRef) -> bool {
        self.given.as_ref().is_some_and(|given| given.has(entry))
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
        let fresh = Arc::new(Large::new(archive, entry.entry, stamp, self.index.as_ref())?);
        if stamp != archive.opened() {
            fresh.verify_all()?;
        }
        let mut large = self.large.lock();
        let before = large.insert(entry, Arc::clone(&fresh));
        let crowd = match large.len() > LARGE_AT_REST {
            true => large.values().map(Arc::clone).collect(),
            false => Vec::new(),
        };
        drop(large);
        // It may have checkpoints to keep, which takes a while.
        drop(before);
        for other in crowd {
            other.rest_no_more();
        }
        Ok(fresh)
    }
}

impl LoadAhead<Key> for Inner {
    fn load_ahead(&self, key: Key) {
        // Who asks for it finds the same error, and tells.
        match key {
            Key::Whole(entry) if self.was_given(entry) => {}
            Key::Whole(entry) => drop(self.whole(entry)),
            Key::Block(entry, index) => {
                if let Ok(large) = self.large(entry) {
                    let _ = self.block(entry, &large, index);
                }
            }
            Key::Checkpoints(entry) => {
                if let Ok(large) = self.large(entry) {
                    large.prune();
                    large.remember();
                }
            }
        }
    }
}
