//! One large entry, read by range in bounded memory: stored ones where they lie, deflated ones from the nearest
//! checkpoint, others from a reader that only goes forward.
//!
//! Who goes through in order is given blocks, who jumps about just the bytes that were asked for.

use std::ops::Range;
use std::sync::Arc;

use crc32fast::Hasher;
use parking_lot::{Condvar, Mutex};

use super::coverage::Coverage;
use super::decoder::Decoder;
use super::index::{Identity, Index};
use super::places::{FAR_GAP_BYTES, Places};
use crate::archive::{Archive, Checkpoint, EntryError, EntryId, Inflater, Member, Method, Stamp, decoder};

/// What is inflated and cached at once for who reads in order.
pub(super) const BLOCK_BYTES: u64 = 256 << 10;
/// A reader who asks for so much at once gets blocks.
const WORTH_A_BLOCK_BYTES: u64 = 64 << 10;
/// Blocks of which a part was given lately: whoever comes again is given the block.
const TOUCHED_BLOCKS: usize = 32;
/// Decoders that rest behind what they last gave, for readers who go on.
const RESTING_DECODERS: usize = 3;
/// A reader waits for another one's decoder that will stand this close before its place, rather than start its
/// own farther back. Farther away than this, checkpoints of an earlier mount are looked for.
const WORTH_WAITING_BYTES: u64 = 4 << 20;
/// Fewer new checkpoints are not worth a file.
const WORTH_A_FILE: usize = 8;
/// So many checkpoints are worth going through.
const WORTH_PRUNING: usize = 16;

/// A large entry of an archive as it was at one moment.
pub(super) struct Large {
    member: Member,
    method: Method,
    size: u64,
    expected_crc: u32,
    stamp: Stamp,
    remembered: Option<(Arc<Index>, Identity)>,
    state: Mutex<State>,
    rested: Condvar,
}

struct State {
    coverage: Coverage,
    /// What the coverage said once it was complete.
    verdict: Option<Arc<EntryError>>,
    places: Places,
    /// How many checkpoints came from the index or went there.
    places_kept: usize,
    /// Whether the index was asked.
    asked_index: bool,
    resting: Vec<Decoder>,
    /// Follows the stream to see what is needed of a window.
    pruner: Option<Box<Inflater>>,
    /// Where the decoders at work will stand when they are done.
    at_work: Vec<u64>,
    /// The block that was asked for last, and the first that nobody was sent ahead for.
    last_asked: u64,
    ahead_from: u64,
    /// Where the last reader stopped.
    last_end: u64,
    /// Blocks of which a part was given, the latest last.
    touched: Vec<u64>,
}

impl Large {
    /// An entry as it is now, with the checkpoints that `index` may have of it.
    pub(super) fn new(
        archive: &Archive,
        id: EntryId,
        stamp: Stamp,
        index: Option<&Arc<Index>>,
    ) -> Result<Large, EntryError> {
        let entry = archive.entry(id);
        let member = archive.member(id)?;
        let remembered = match (index, entry.method) {
            (Some(index), Method::Deflate) => {
                Some((Arc::clone(index), Identity::of(&entry, &member, stamp)?))
            }
            _ => None,
        };
        Ok(Large {
            member,
            method: entry.method,
            size: entry.declared_size,
            expected_crc: entry.crc,
            stamp,
            remembered,
            state: Mutex::new(State {
                coverage: Coverage::new(entry.declared_size),
                verdict: None,
                places: Places::default(),
                places_kept: 0,
                asked_index: false,
                resting: Vec::new(),
                pruner: None,
                at_work: Vec::new(),
                last_asked: 0,
                ahead_from: 0,
                last_end: 0,
                touched: Vec::new(),
            }),
            rested: Condvar::new(),
        })
    }

    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Length of a block; the last one may be shorter.
    pub(super) fn block_len(&self, index: u64) -> usize {
        (self.size - index * BLOCK_BYTES).min(BLOCK_BYTES) as usize
    }

    pub(super) fn is_last_block(&self, index: u64) -> bool {
        (index + 1) * BLOCK_BYTES >= self.size
    }

    /// Fills `buf` with the bytes at `offset`, all of which lie within the entry.
    pub(super) fn read_stored(&self, buf: &mut [u8], offset: u64) -> Result<(), Arc<EntryError>> {
        self.standing_verdict()?;
        self.member.read_at(buf, offset)?;
        self.expect_unchanged()?;
        self.cover(offset, buf)
    }

    /// Notes what is asked for; returns whether it is a jump, for which nothing but that is worth inflating.
    pub(super) fn is_jump(&self, asked: Range<u64>) -> bool {
        let mut state = self.state.lock();
        let block = asked.start / BLOCK_BYTES;
        let goes_on = asked.start == state.last_end
            || block == state.last_asked
            || block == state.last_asked + 1
            || state.touched.contains(&block);
        state.last_end = asked.end;
        if goes_on || asked.end - asked.start >= WORTH_A_BLOCK_BYTES || self.method != Method::Deflate {
            return false;
        }
        if state.touched.len() >= TOUCHED_BLOCKS {
            state.touched.remove(0);
        }
        state.touched.push(block);
        true
    }

    /// The blocks worth decoding next, now that `index` was asked for: up to `count` behind it, those
    /// already named left out, and none for a reader who jumps about.
    pub(super) fn blocks_ahead(&self, index: u64, count: u64) -> Range<u64> {
        let mut state = self.state.lock();
        let in_order = index == state.last_asked || index == state.last_asked + 1;
        state.last_asked = index;
        let next = index + 1;
        if !in_order {
            state.ahead_from = next;
            return next..next;
        }
        let from = if state.ahead_from > next + count {
            next
        } else {
            state.ahead_from.max(next)
        };
        let to = (next + count).min(self.size.div_ceil(BLOCK_BYTES));
        state.ahead_from = from.max(to);
        from..to
    }

    /// Decodes the bytes at `start`, all of which lie within the entry.
    pub(super) fn decode(&self, start: u64, out: &mut [u8]) -> Result<(), Arc<EntryError>> {
        self.standing_verdict()?;
        let end = start + out.len() as u64;
        let decoder = self.take_decoder(start, end)?;
        let result = self.decode_with(decoder, start, out);
        let mut state = self.state.lock();
        if let Some(done) = state.at_work.iter().position(|&at| at == end) {
            state.at_work.swap_remove(done);
        }
        let result = result.map(|decoder| {
            // Nobody goes on behind the end.
            if end < self.size {
                state.resting.push(decoder);
                if state.resting.len() > RESTING_DECODERS {
                    state.resting.remove(0);
                }
            }
        });
        drop(state);
        self.rested.notify_all();
        result?;
        self.expect_unchanged()?;
        self.cover(start, out)
    }

    /// Whether what was just read is of the archive that this was made for: it may have been written to since its time
    /// was asked for.
    fn expect_unchanged(&self) -> Result<(), EntryError> {
        match self.member.stamp()?.is_same_writing(&self.stamp) {
            true => Ok(()),
            false => Err(EntryError::Changed),
        }
    }

    /// Reads the whole entry once and compares its CRC.
    pub(super) fn verify_all(&self) -> Result<(), Arc<EntryError>> {
        let mut buf = vec![0; BLOCK_BYTES as usize];
        let mut offset = 0;
        while offset < self.size {
            let len = (self.size - offset).min(BLOCK_BYTES) as usize;
            match self.method {
                Method::Stored => self.read_stored(&mut buf[..len], offset)?,
                _ => self.decode(offset, &mut buf[..len])?,
            }
            offset += len as u64;
        }
        Ok(())
    }

    /// Lets go of memory that only makes the next read faster.
    pub(super) fn rest_no_more(&self) {
        let mut state = self.state.lock();
        let resting = (std::mem::take(&mut state.resting), state.pruner.take());
        drop(state);
        drop(resting);
        while self.pack_one() {}
    }

    /// Keeps the checkpoints for the next mount, if there are enough new ones.
    pub(super) fn remember(&self) {
        let Some((index, identity)) = &self.remembered else {
            return;
        };
        // Of an archive that is being written to they mean nothing.
        if !self
            .member
            .stamp()
            .is_ok_and(|now| now.is_same_writing(&self.stamp))
        {
            return;
        }
        while self.pack_one() {}
        let mut state = self.state.lock();
        if state.verdict.is_some() || state.places.len() < state.places_kept + WORTH_A_FILE {
            return;
        }
        state.places_kept = state.places.len();
        let checkpoints: Vec<_> = state.places.all().collect();
        drop(state);
        index.store(identity, &checkpoints);
    }

    /// The error of an entry all of whose bytes were seen, and are not what was packed.
    pub(super) fn standing_verdict(&self) -> Result<(), Arc<EntryError>> {
        self.state.lock().verdict.clone().map_or(Ok(()), Err)
    }

    /// Counts bytes as seen. Who completes the entry finds out whether it is what was packed; from
    /// then on a damaged entry gives nothing.
    fn cover(&self, offset: u64, bytes: &[u8]) -> Result<(), Arc<EntryError>> {
        let end = offset + bytes.len() as u64;
        let mut missing = self.state.lock().coverage.missing(offset..end);
        while let Some(piece) = missing {
            let mut crc = Hasher::new();
            crc.update(&bytes[(piece.start - offset) as usize..(piece.end - offset) as usize]);
            let mut state = self.state.lock();
            if let Some(found) = state.coverage.add(piece, crc)
                && found != self.expected_crc
            {
                let error = Arc::new(EntryError::Crc {
                    expected: self.expected_crc,
                    found,
                });
                state.verdict = Some(Arc::clone(&error));
                return Err(error);
            }
            missing = state.coverage.missing(offset..end);
        }
        Ok(())
    }

    /// The decoder that is nearest before `start`: one at rest, one that is at work close before and
    /// will rest soon, or one from a checkpoint or the beginning.
    fn take_decoder(&self, start: u64, end: u64) -> Result<Decoder, EntryError> {
        let mut state = self.state.lock();
        loop {
            let resting = state.nearest_resting(start);
            let resting_at = resting.map(|i| state.resting[i].offset());
            let checkpoint = state.places.before(start);
            let checkpoint_at = checkpoint.as_ref().map(|checkpoint| checkpoint.output_offset());
            let known = resting_at.max(checkpoint_at).unwrap_or(0);
            let soon = |&at: &u64| at > known && at <= start && start - at <= WORTH_WAITING_BYTES;
            if state.at_work.iter().any(soon) {
                self.rested.wait(&mut state);
                continue;
            }
            if start - known > WORTH_WAITING_BYTES && !state.asked_index {
                state.asked_index = true;
                drop(state);
                let found = self
                    .remembered
                    .as_ref()
                    .map(|(index, identity)| index.load(identity));
                state = self.state.lock();
                state.take_remembered(found.flatten().unwrap_or_default());
                continue;
            }
            state.at_work.push(end);
            if let Some(i) = resting
                && resting_at >= checkpoint_at
            {
                return Ok(state.resting.swap_remove(i));
            }
            // The one that rested longest goes to another place, rather than a new one.
            let idle = (state.resting.len() >= RESTING_DECODERS).then(|| state.resting.remove(0));
            drop(state);
            let made = self.start_decoder(idle, checkpoint.as_deref());
            if made.is_err() {
                self.state.lock().at_work.retain(|&at| at != end);
                self.rested.notify_all();
            }
            return made;
        }
    }

    fn start_decoder(&self, idle: Option<Decoder>, from: Option<&Checkpoint>) -> Result<Decoder, EntryError> {
        if self.method != Method::Deflate {
            let reader = decoder(self.method, self.member.reader(), self.size)?;
            return Ok(Decoder::Forward { reader, offset: 0 });
        }
        let mut inflater = match idle {
            Some(Decoder::Deflate(inflater)) => inflater,
            _ => Box::default(),
        };
        match from {
            Some(checkpoint) => inflater.restart(checkpoint, &mut self.member.clone())?,
            None => inflater.rewind(),
        }
        Ok(Decoder::Deflate(inflater))
    }

    /// Goes on to `start`, leaving checkpoints on the way, and fills `out`. At the entry's end the stream must
    /// end too.
    fn decode_with(&self, mut decoder: Decoder, start: u64, out: &mut [u8]) -> Result<Decoder, EntryError> {
        while decoder.offset() < start {
            // Who has far to go leaves few behind, and whoever comes later more.
            let next = match start - decoder.offset() {
                far if far > WORTH_WAITING_BYTES => decoder.offset() + FAR_GAP_BYTES,
                _ => self.next_place(&decoder),
            };
            let step = next.min(start) - decoder.offset();
            if decoder.pass_over(&self.member, step)? < step {
                return Err(self.too_short(&decoder));
            }
            self.leave_checkpoint(&decoder);
        }
        let mut filled = 0;
        while filled < out.len() {
            let step = (self.next_place(&decoder) - decoder.offset()).min((out.len() - filled) as u64);
            let end = filled + step as usize;
            self.fill(&mut decoder, &mut out[filled..end])?;
            self.leave_checkpoint(&decoder);
            filled = end;
        }
        if decoder.offset() == self.size && decoder.read(&self.member, &mut [0])? != 0 {
            return Err(EntryError::TooLong { declared: self.size });
        }
        Ok(decoder)
    }

    fn fill(&self, decoder: &mut Decoder, out: &mut [u8]) -> Result<(), EntryError> {
        let mut filled = 0;
        while filled < out.len() {
            match decoder.read(&self.member, &mut out[filled..])? {
                0 => return Err(self.too_short(decoder)),
                n => filled += n,
            }
        }
        Ok(())
    }

    fn too_short(&self, decoder: &Decoder) -> EntryError {
        EntryError::TooShort {
            declared: self.size,
            found: decoder.offset(),
        }
    }

    fn next_place(&self, decoder: &Decoder) -> u64 {
        match decoder {
            Decoder::Deflate(_) => self.state.lock().places.next_after(decoder.offset()),
            Decoder::Forward { .. } => u64::MAX,
        }
    }

    fn leave_checkpoint(&self, decoder: &Decoder) {
        let Decoder::Deflate(inflater) = decoder else {
            return;
        };
        let offset = inflater.output_offset();
        if self.state.lock().places.wants(offset) {
            let checkpoint = inflater.checkpoint();
            let mut state = self.state.lock();
            state.places.add(checkpoint);
            let too_many = state.places.has_too_many_unpacked();
            drop(state);
            if too_many {
                self.pack_one();
            }
        }
    }

    /// Does some of what was left undone in a hurry, if there is much of it.
    pub(super) fn tidy_up(&self) {
        let mut state = self.state.lock();
        if !state.places.has_many_unpacked() {
            return;
        }
        let pruner = state.pruner.take();
        drop(state);
        let mut pruner = pruner.unwrap_or_default();
        self.prune_one(&mut pruner);
        self.state.lock().pruner = Some(pruner);
    }

    /// Compresses the window of a checkpoint that was left in a hurry; returns whether there was one.
    fn pack_one(&self) -> bool {
        let Some(checkpoint) = self.state.lock().places.take_unpacked() else {
            return false;
        };
        let packed = checkpoint.packed();
        self.state.lock().places.put_packed(packed);
        true
    }

    /// Whether pruning would make room for more.
    pub(super) fn has_much_to_prune(&self) -> bool {
        self.state.lock().places.unpruned() >= WORTH_PRUNING
    }

    /// Takes out of the windows of all checkpoints what nobody needs. Takes a while.
    pub(super) fn prune(&self) {
        let mut pruner = Box::default();
        while self.prune_one(&mut pruner) {}
        self.state.lock().pruner = None;
    }

    fn prune_one(&self, pruner: &mut Inflater) -> bool {
        let Some(checkpoint) = self.state.lock().places.next_unpruned() else {
            return false;
        };
        let pruned = pruner.prune(&checkpoint, &mut self.member.clone());
        // Where the stream is damaged behind it, the whole window does no harm.
        let pruned = pruned.unwrap_or_else(|_| checkpoint.packed());
        self.state.lock().places.put_pruned(pruned);
        true
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        self.remember();
    }
}

impl State {
    fn nearest_resting(&self, start: u64) -> Option<usize> {
        let before = self
            .resting
            .iter()
            .enumerate()
            .filter(|(_, decoder)| decoder.offset() <= start);
        before.max_by_key(|(_, decoder)| decoder.offset()).map(|(i, _)| i)
    }

    fn take_remembered(&mut self, checkpoints: Vec<Checkpoint>) {
        for checkpoint in checkpoints {
            self.places.put_pruned(checkpoint);
        }
        self.places_kept = self.places.len();
    }
}
