//! One large entry, read by range in bounded memory: stored ones where they lie, deflated ones by
//! blocks from the nearest checkpoint, others by blocks from a reader that only goes forward.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use crc32fast::Hasher;
use parking_lot::{Condvar, Mutex};

use super::coverage::Coverage;
use crate::archive::{Archive, Checkpoint, EntryError, EntryId, Inflater, Member, Method, Stamp, decoder};

/// What is inflated and cached at once.
pub(super) const BLOCK_BYTES: u64 = 256 << 10;
/// A decoder can start again at every multiple of this.
const CHECKPOINT_EVERY_BYTES: u64 = 1 << 20;
/// Decoders that rest behind the block they last gave, for readers who go on.
const RESTING_DECODERS: usize = 4;
/// A reader waits for another one's decoder that will stand this close before its block, rather than
/// start its own farther back.
const WORTH_WAITING_BYTES: u64 = 4 << 20;

/// A large entry of an archive as it was at one moment.
pub(super) struct Large {
    member: Member,
    method: Method,
    size: u64,
    expected_crc: u32,
    stamp: Stamp,
    state: Mutex<State>,
    rested: Condvar,
}

struct State {
    coverage: Coverage,
    /// What the coverage said once it was complete.
    verdict: Option<Arc<EntryError>>,
    checkpoints: BTreeMap<u64, Checkpoint>,
    resting: Vec<Decoder>,
    /// Where the decoders at work will stand when they are done.
    at_work: Vec<u64>,
    /// The block that was asked for last, and the first that nobody was sent ahead for.
    last_asked: u64,
    ahead_from: u64,
}

enum Decoder {
    Deflate(Box<Inflater>),
    Forward {
        reader: Box<dyn Read + Send>,
        offset: u64,
    },
}

impl Large {
    pub(super) fn new(archive: &Archive, id: EntryId, stamp: Stamp) -> Result<Large, EntryError> {
        let entry = archive.entry(id);
        Ok(Large {
            member: archive.member(id)?,
            method: entry.method,
            size: entry.declared_size,
            expected_crc: entry.crc,
            stamp,
            state: Mutex::new(State {
                coverage: Coverage::new(entry.declared_size),
                verdict: None,
                checkpoints: BTreeMap::new(),
                resting: Vec::new(),
                at_work: Vec::new(),
                last_asked: 0,
                ahead_from: 0,
            }),
            rested: Condvar::new(),
        })
    }

    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Fills `buf` with the bytes at `offset`, all of which lie within the entry.
    pub(super) fn read_stored(&self, buf: &mut [u8], offset: u64) -> Result<(), Arc<EntryError>> {
        self.standing_verdict()?;
        self.member.read_at(buf, offset)?;
        self.cover(offset, buf)
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

    /// Decodes one block; the last one may be shorter.
    pub(super) fn read_block(&self, index: u64) -> Result<Vec<u8>, Arc<EntryError>> {
        self.standing_verdict()?;
        let start = index * BLOCK_BYTES;
        let end = self.size.min(start + BLOCK_BYTES);
        let decoder = self.take_decoder(start, end)?;
        let mut block = vec![0; (end - start) as usize];
        let result = self.decode_block(decoder, start, &mut block);
        let mut state = self.state.lock();
        if let Some(done) = state.at_work.iter().position(|&at| at == end) {
            state.at_work.swap_remove(done);
        }
        if let Ok(decoder) = result {
            state.resting.push(decoder);
            if state.resting.len() > RESTING_DECODERS {
                state.resting.remove(0);
            }
            drop(state);
            self.rested.notify_all();
            self.cover(start, &block)?;
            return Ok(block);
        }
        drop(state);
        self.rested.notify_all();
        result.map(|_| block).map_err(Arc::new)
    }

    /// Reads the whole entry once and compares its CRC.
    pub(super) fn verify_all(&self) -> Result<(), Arc<EntryError>> {
        let mut buf = vec![0; BLOCK_BYTES as usize];
        let mut offset = 0;
        while offset < self.size {
            let len = (self.size - offset).min(BLOCK_BYTES) as usize;
            match self.method {
                Method::Stored => self.read_stored(&mut buf[..len], offset)?,
                _ => drop(self.read_block(offset / BLOCK_BYTES)?),
            }
            offset += len as u64;
        }
        Ok(())
    }

    fn standing_verdict(&self) -> Result<(), Arc<EntryError>> {
        self.state.lock().verdict.clone().map_or(Ok(()), Err)
    }

    /// Counts bytes as seen. Who completes the entry finds out whether it is what was packed; from
    /// then on a damaged entry gives nothing.
    fn cover(&self, offset: u64, bytes: &[u8]) -> Result<(), Arc<EntryError>> {
        let len = bytes.len() as u64;
        if !self.state.lock().coverage.wants(offset, len) {
            return Ok(());
        }
        let mut crc = Hasher::new();
        crc.update(bytes);
        let mut state = self.state.lock();
        match state.coverage.add(offset, len, crc) {
            Some(found) if found != self.expected_crc => {
                let error = Arc::new(EntryError::Crc {
                    expected: self.expected_crc,
                    found,
                });
                state.verdict = Some(Arc::clone(&error));
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// The decoder that is nearest before `start`: one at rest, one that is at work close before and
    /// will rest soon, or a new one from a checkpoint or the beginning.
    fn take_decoder(&self, start: u64, end: u64) -> Result<Decoder, EntryError> {
        let mut state = self.state.lock();
        loop {
            let resting = state.nearest_resting(start);
            let resting_at = resting.map(|i| state.resting[i].offset());
            let checkpoint_at = state.checkpoints.range(..=start).next_back().map(|(&at, _)| at);
            let known = resting_at.max(checkpoint_at).unwrap_or(0);
            let soon = |&at: &u64| at > known && at <= start && start - at <= WORTH_WAITING_BYTES;
            if state.at_work.iter().any(soon) {
                self.rested.wait(&mut state);
                continue;
            }
            state.at_work.push(end);
            if let Some(i) = resting
                && resting_at >= checkpoint_at
            {
                return Ok(state.resting.swap_remove(i));
            }
            let checkpoint = checkpoint_at.and_then(|at| state.checkpoints.get(&at).cloned());
            drop(state);
            let made = self.new_decoder(checkpoint.as_ref());
            if made.is_err() {
                self.state.lock().at_work.retain(|&at| at != end);
                self.rested.notify_all();
            }
            return made;
        }
    }

    fn new_decoder(&self, checkpoint: Option<&Checkpoint>) -> Result<Decoder, EntryError> {
        let inflater = match (self.method, checkpoint) {
            (Method::Deflate, Some(checkpoint)) => Inflater::resume(checkpoint, &mut self.member.clone()),
            (Method::Deflate, None) => Ok(Inflater::new()),
            (method, _) => {
                let reader = decoder(method, self.member.reader(), self.size)?;
                return Ok(Decoder::Forward { reader, offset: 0 });
            }
        };
        Ok(Decoder::Deflate(Box::new(inflater?)))
    }

    /// Goes on to `start`, leaving checkpoints on the way, and fills the block. At the entry's end the
    /// stream must end too.
    fn decode_block(
        &self,
        mut decoder: Decoder,
        start: u64,
        block: &mut [u8],
    ) -> Result<Decoder, EntryError> {
        let mut skipped = Vec::new();
        while decoder.offset() < start {
            let here = decoder.offset();
            let stop = start.min((here / BLOCK_BYTES + 1) * BLOCK_BYTES);
            skipped.resize((stop - here) as usize, 0);
            self.fill(&mut decoder, &mut skipped)?;
            self.leave_checkpoint(&decoder);
        }
        self.fill(&mut decoder, block)?;
        self.leave_checkpoint(&decoder);
        if decoder.offset() == self.size && decoder.read(&self.member, &mut [0])? != 0 {
            return Err(EntryError::TooLong { declared: self.size });
        }
        Ok(decoder)
    }

    fn fill(&self, decoder: &mut Decoder, buf: &mut [u8]) -> Result<(), EntryError> {
        let mut filled = 0;
        while filled < buf.len() {
            match decoder.read(&self.member, &mut buf[filled..])? {
                0 => {
                    let found = decoder.offset();
                    return Err(EntryError::TooShort {
                        declared: self.size,
                        found,
                    });
                }
                n => filled += n,
            }
        }
        Ok(())
    }

    fn leave_checkpoint(&self, decoder: &Decoder) {
        if let Decoder::Deflate(inflater) = decoder
            && inflater.output_offset().is_multiple_of(CHECKPOINT_EVERY_BYTES)
            && !self
                .state
                .lock()
                .checkpoints
                .contains_key(&inflater.output_offset())
        {
            let checkpoint = inflater.checkpoint();
            self.state
                .lock()
                .checkpoints
                .insert(checkpoint.output_offset(), checkpoint);
        }
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
}

impl Decoder {
    fn offset(&self) -> u64 {
        match self {
            Decoder::Deflate(inflater) => inflater.output_offset(),
            Decoder::Forward { offset, .. } => *offset,
        }
    }

    fn read(&mut self, member: &Member, buf: &mut [u8]) -> Result<usize, EntryError> {
        match self {
            Decoder::Deflate(inflater) => Ok(inflater.read(&mut member.clone(), buf)?),
            Decoder::Forward { reader, offset } => loop {
                match reader.read(buf) {
                    Ok(n) => {
                        *offset += n as u64;
                        return Ok(n);
                    }
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(EntryError::Stream(e)),
                }
            },
        }
    }
}
