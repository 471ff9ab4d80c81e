//! The compressed side of a decoder: bytes fetched by position, handed out as bits, least significant first.
//!
//! What the bits mean is left to `deflate` and `symbols`.

use super::{DeflateError, Input};

/// Bytes kept of the compressed side, and the most that one fetch asks for.
const CAPACITY: usize = 64 * 1024;
/// The first fetch after a seek is small, as a random read needs little; each further one doubles.
const FIRST_FETCH: usize = 16 * 1024;
/// What the fast loop may take from the bytes in one turn: three refills of 8 bytes, with room to spare.
pub(super) const FAST_BYTES: usize = 32;

/// A bit buffer over a byte buffer over an `Input`.
///
/// Bits of `hold` above `held` are either zero or already what `bytes[next..]` will put there, so that a refill
/// may overlap the last one.
pub(super) struct Bits {
    pub(super) bytes: Box<[u8]>,
    pub(super) next: usize,
    pub(super) end: usize,
    pub(super) hold: u64,
    pub(super) held: u32,
    /// Where `bytes[0]` stands in the member.
    start: u64,
    fetch_bytes: usize,
    exhausted: bool,
}

impl Bits {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; CAPACITY].into_boxed_slice(),
            next: 0,
            end: 0,
            hold: 0,
            held: 0,
            start: 0,
            fetch_bytes: FIRST_FETCH,
            exhausted: false,
        }
    }

    /// The position of the next bit, counted from the start of the member.
    pub(super) fn position(&self) -> u64 {
        (self.start + self.next as u64) * 8 - u64::from(self.held)
    }

    /// Goes to a bit; bytes that are in the buffer are not fetched again.
    pub(super) fn seek(&mut self, bit: u64, input: &mut impl Input) -> Result<(), DeflateError> {
        let byte = bit / 8;
        self.hold = 0;
        self.held = 0;
        if byte >= self.start && byte <= self.start + self.end as u64 {
            self.next = (byte - self.start) as usize;
        } else {
            self.start = byte;
            self.next = 0;
            self.end = 0;
            self.fetch_bytes = FIRST_FETCH;
            self.exhausted = false;
        }
        self.take((bit % 8) as u32, input)?;
        Ok(())
    }

    /// Forgets the buffered bytes, which belong to another input.
    pub(super) fn clear(&mut self) {
        self.start = 0;
        self.next = 0;
        self.end = 0;
        self.hold = 0;
        self.held = 0;
        self.fetch_bytes = FIRST_FETCH;
        self.exhausted = false;
    }

    /// Whether the fast loop may take a turn.
    #[inline]
    pub(super) fn has_fast_bytes(&self) -> bool {
        self.end - self.next >= FAST_BYTES
    }

    /// Fetches unless there are bytes enough for the fast loop, or no more at all.
    #[inline]
    pub(super) fn fetch_if_low(&mut self, input: &mut impl Input) -> Result<(), DeflateError> {
        if self.has_fast_bytes() || self.exhausted {
            Ok(())
        } else {
            self.fetch(input)
        }
    }

    /// Moves what is left to the front and fetches behind it. Whole bytes in the bit buffer are given back first,
    /// so that `align_to_byte` always finds them in front of `next`.
    #[cold]
    fn fetch(&mut self, input: &mut impl Input) -> Result<(), DeflateError> {
        self.next -= (self.held / 8) as usize;
        self.held %= 8;
        self.hold &= !(u64::MAX << self.held);
        self.bytes.copy_within(self.next..self.end, 0);
        self.start += self.next as u64;
        self.end -= self.next;
        self.next = 0;
        let wanted = (self.end + self.fetch_bytes).min(CAPACITY);
        self.fetch_bytes = (self.fetch_bytes * 2).min(CAPACITY);
        while self.end < wanted {
            match input.read_at(&mut self.bytes[self.end..wanted], self.start + self.end as u64) {
                Ok(0) => {
                    self.exhausted = true;
                    break;
                }
                // An input that claims more than it was given room for is not believed.
                Ok(count) => self.end += count.min(wanted - self.end),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Tops the bit buffer up to at least 56 bits, or to all there are.
    pub(super) fn refill(&mut self, input: &mut impl Input) -> Result<(), DeflateError> {
        self.fetch_if_low(input)?;
        if let Some(chunk) = self.bytes[self.next..self.end].first_chunk() {
            self.hold |= u64::from_le_bytes(*chunk) << self.held;
            self.next += ((63 - self.held) >> 3) as usize;
            self.held |= 56;
        } else {
            while self.held < 56 && self.next < self.end {
                self.hold |= u64::from(self.bytes[self.next]) << self.held;
                self.next += 1;
                self.held += 8;
            }
        }
        Ok(())
    }

    /// Drops bits that were looked at; fewer may be left than the look-up, padded with zeros, pretended.
    #[inline]
    pub(super) fn drop_bits(&mut self, count: u32) -> Result<(), DeflateError> {
        self.held = self.held.checked_sub(count).ok_or(DeflateError::Truncated)?;
        self.hold >>= count;
        Ok(())
    }

    /// Takes up to 32 bits.
    pub(super) fn take(&mut self, count: u32, input: &mut impl Input) -> Result<u32, DeflateError> {
        if self.held < count {
            self.refill(input)?;
        }
        let bits = self.hold & !(u64::MAX << count);
        self.drop_bits(count)?;
        Ok(bits as u32)
    }

    /// Drops the bits before the next byte and gives the bytes in the bit buffer back.
    pub(super) fn align_to_byte(&mut self) {
        self.next -= (self.held / 8) as usize;
        self.hold = 0;
        self.held = 0;
    }

    /// Copies bytes of an aligned stream, at least one.
    pub(super) fn copy_bytes(
        &mut self,
        out: &mut [u8],
        input: &mut impl Input,
    ) -> Result<usize, DeflateError> {
        if self.next == self.end && !self.exhausted {
            self.fetch(input)?;
        }
        let count = out.len().min(self.end - self.next);
        if count == 0 && !out.is_empty() {
            return Err(DeflateError::Truncated);
        }
        out[..count].copy_from_slice(&self.bytes[self.next..self.next + count]);
        self.next += count;
        Ok(count)
    }
}
