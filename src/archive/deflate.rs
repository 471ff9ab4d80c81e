//! A resumable, streaming decoder of deflate (RFC 1951), the reason why a range of a large entry can be read
//! without reading all that comes before it.
//!
//! Here are the decoder and the blocks of a stream; bits, code tables, the symbol loops and checkpoints have files
//! of their own. Decoding small entries whole is left to `method`, which libdeflate does faster.

mod bits;
mod checkpoint;
mod prune;
mod symbols;
mod table;

use std::io;

pub use checkpoint::Checkpoint;

use bits::Bits;
use checkpoint::Place;
use symbols::{FAST_ROOM, Match, Symbol};
use table::{PRECODE_BITS, Tables};

/// How far back a match can reach.
const WINDOW: usize = 32 * 1024;
/// The decoder's own buffer: a window, and as much output again as makes sliding the window cheap.
const BUFFER: usize = WINDOW + 96 * 1024;
/// From this much output on, all but the first window's worth is decoded right into the caller's buffer.
const DIRECT: usize = 3 * WINDOW;

/// The compressed bytes of one stream, by position.
pub trait Input {
    /// Reads some bytes from `offset` on, counted from the start of the stream; 0 is the end of the stream.
    fn read_at(&mut self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl Input for &[u8] {
    fn read_at(&mut self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.get(offset..))
            .unwrap_or_default();
        let count = left.len().min(buf.len());
        buf[..count].copy_from_slice(&left[..count]);
        Ok(count)
    }
}

/// Why a stream cannot be decoded.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum DeflateError {
    #[error("deflate stream is cut off")]
    Truncated,
    #[error("deflate stream has a block of the reserved type")]
    BlockType,
    #[error("deflate stream has a stored block whose length does not match its complement")]
    StoredLength,
    #[error("deflate stream has a block with invalid code lengths")]
    CodeLengths,
    #[error("deflate stream has a block with an invalid literal and length code")]
    LiteralCode,
    #[error("deflate stream has a block with an invalid distance code")]
    DistanceCode,
    #[error("deflate stream uses a code that stands for nothing")]
    Symbol,
    #[error("deflate stream repeats bytes from before its start")]
    Distance,
    #[error("checkpoint's window cannot be decoded")]
    Window,
    #[error("deflate stream failed before")]
    Failed,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A decoder that stops at any byte of the output and goes on from there, in this value or from a checkpoint.
///
/// It owns about 210 KiB, whatever the stream says. The same input has to be given to every call.
pub struct Inflater {
    decoder: Decoder,
    /// The output before `filled` that matches may reach back to; its last `WINDOW` bytes always.
    buffer: Box<[u8]>,
    filled: usize,
    output_offset: u64,
}

/// Everything but the window, so that output can go to the caller's buffer as well as to the decoder's own.
struct Decoder {
    bits: Bits,
    tables: Box<Tables>,
    has_fixed_tables: bool,
    block: Block,
    is_last_block: bool,
    /// Where the header of the current block begins.
    header_bit: u64,
    /// The rest of a match that the output had no room for.
    pending: Option<Match>,
}

#[derive(Clone, Copy, PartialEq)]
enum Block {
    /// In front of a header.
    Header,
    Stored {
        remaining: usize,
    },
    Symbols,
    /// Behind the last block.
    End,
    /// Behind an error.
    Failed,
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflater {
    /// Starts at the beginning of a raw deflate stream.
    pub fn new() -> Self {
        Self {
            decoder: Decoder {
                bits: Bits::new(),
                tables: Tables::boxed(),
                has_fixed_tables: false,
                block: Block::Header,
                is_last_block: false,
                header_bit: 0,
                pending: None,
            },
            buffer: vec![0; BUFFER].into_boxed_slice(),
            filled: 0,
            output_offset: 0,
        }
    }

    /// Starts where a checkpoint of the same stream was taken.
    pub fn resume(checkpoint: &Checkpoint, input: &mut impl Input) -> Result<Self, DeflateError> {
        let mut inflater = Self::new();
        inflater.restart(checkpoint, input)?;
        Ok(inflater)
    }

    /// Goes back to the beginning, of any stream: as `new`, without allocating anew.
    pub fn rewind(&mut self) {
        let decoder = &mut self.decoder;
        decoder.bits.clear();
        decoder.block = Block::Header;
        decoder.pending = None;
        self.filled = 0;
        self.output_offset = 0;
    }

    /// Goes where a checkpoint was taken, of any stream: as `resume`, without allocating anew.
    pub fn restart(&mut self, checkpoint: &Checkpoint, input: &mut impl Input) -> Result<(), DeflateError> {
        self.decoder.block = Block::Failed;
        self.decoder.bits.clear();
        self.filled = checkpoint.unpack_window(&mut self.buffer)?;
        self.output_offset = checkpoint.output_offset();
        self.decoder.go_to(checkpoint.place, input)
    }

    /// Fills `out`, or as much of it as the stream still yields, and returns how much that is.
    ///
    /// Less than all means the end of the stream; `out` may be overwritten behind what is returned. After an error
    /// every further call fails.
    pub fn read(&mut self, input: &mut impl Input, out: &mut [u8]) -> Result<usize, DeflateError> {
        if out.len() < DIRECT {
            return self.read_through_buffer(input, out);
        }
        // Matches look for what they repeat in front of them, so a window's worth of output has to be there.
        let before_direct = if self.output_offset == 0 { 0 } else { WINDOW };
        let buffered = self.read_through_buffer(input, &mut out[..before_direct])?;
        if buffered < before_direct {
            return Ok(buffered);
        }
        let done = self.decoder.decode(input, out, buffered)?;
        self.output_offset += (done - buffered) as u64;
        let window = done.min(WINDOW);
        self.buffer[..window].copy_from_slice(&out[done - window..done]);
        self.filled = window;
        Ok(done)
    }

    /// Decodes without handing out, to come to a later place; returns how many bytes were passed over.
    pub fn skip(&mut self, input: &mut impl Input, count: u64) -> Result<u64, DeflateError> {
        let mut done = 0;
        while done < count {
            let step = usize::try_from(count - done).unwrap_or(usize::MAX);
            let decoded = self.decode_to_buffer(input, step)?;
            if decoded.is_empty() {
                break;
            }
            done += decoded.len() as u64;
        }
        Ok(done)
    }

    /// Remembers this place.
    pub fn checkpoint(&self) -> Checkpoint {
        let place = self.decoder.place();
        let window = match place {
            Place::End { .. } | Place::Failed => &[],
            _ => &self.buffer[self.filled.saturating_sub(WINDOW)..self.filled],
        };
        Checkpoint::new(place, self.output_offset, window)
    }

    /// How many bytes were handed out or passed over since the start of the stream.
    pub fn output_offset(&self) -> u64 {
        self.output_offset
    }

    /// How many bytes of the input come before this place; at the end of the stream, its length.
    pub fn input_offset(&self) -> u64 {
        self.decoder.bits.position().div_ceil(8)
    }

    /// Whether the last block has ended and all of its output was handed out.
    pub fn is_finished(&self) -> bool {
        self.decoder.block == Block::End
    }

    fn read_through_buffer(&mut self, input: &mut impl Input, out: &mut [u8]) -> Result<usize, DeflateError> {
        let mut done = 0;
        while done < out.len() {
            let decoded = self.decode_to_buffer(input, out.len() - done)?;
            if decoded.is_empty() {
                break;
            }
            out[done..done + decoded.len()].copy_from_slice(decoded);
            done += decoded.len();
        }
        Ok(done)
    }

    /// Decodes some bytes, at most `count`, into the decoder's own buffer; none at the end of the stream.
    fn decode_to_buffer(&mut self, input: &mut impl Input, count: usize) -> Result<&[u8], DeflateError> {
        if self.filled == BUFFER {
            self.buffer.copy_within(BUFFER - WINDOW.., 0);
            self.filled = WINDOW;
        }
        let start = self.filled;
        let end = start + count.min(BUFFER - start);
        self.filled = self.decoder.decode(input, &mut self.buffer[..end], start)?;
        self.output_offset += (self.filled - start) as u64;
        Ok(&self.buffer[start..self.filled])
    }
}

impl Decoder {
    /// Fills `out[at..]`, with `out[..at]` to reach back to, and returns where it came to.
    fn decode(&mut self, input: &mut impl Input, out: &mut [u8], at: usize) -> Result<usize, DeflateError> {
        let decoded = self.decode_blocks(input, out, at);
        if decoded.is_err() {
            self.block = Block::Failed;
        }
        decoded
    }

    fn decode_blocks(
        &mut self,
        input: &mut impl Input,
        out: &mut [u8],
        mut at: usize,
    ) -> Result<usize, DeflateError> {
        while at < out.len() {
            match self.block {
                Block::Header => self.read_header(input)?,
                Block::Stored { remaining: 0 } => self.end_block(),
                Block::Stored { remaining } => {
                    let end = out.len().min(at + remaining);
                    let count = self.bits.copy_bytes(&mut out[at..end], input)?;
                    at += count;
                    self.block = Block::Stored {
                        remaining: remaining - count,
                    };
                }
                Block::Symbols => at = self.decode_symbols(input, out, at)?,
                Block::End => break,
                Block::Failed => return Err(DeflateError::Failed),
            }
        }
        Ok(at)
    }

    /// Decodes to the end of the block or of `out`.
    fn decode_symbols(
        &mut self,
        input: &mut impl Input,
        out: &mut [u8],
        mut at: usize,
    ) -> Result<usize, DeflateError> {
        if let Some(rest) = self.pending.take() {
            at = self.copy(out, at, rest)?;
        }
        while at < out.len() {
            self.bits.fetch_if_low(input)?;
            if out.len() - at >= FAST_ROOM && self.bits.has_fast_bytes() {
                let ended;
                (at, ended) = symbols::decode_fast(&self.tables, &mut self.bits, out, at)?;
                if ended {
                    self.end_block();
                    break;
                }
                continue;
            }
            self.bits.refill(input)?;
            match symbols::decode_one(&self.tables, &mut self.bits)? {
                Symbol::Literal(byte) => {
                    out[at] = byte;
                    at += 1;
                }
                Symbol::Match(copy) => at = self.copy(out, at, copy)?,
                Symbol::EndOfBlock => {
                    self.end_block();
                    break;
                }
            }
        }
        Ok(at)
    }

    /// Copies a match as far as there is room and keeps the rest for later.
    fn copy(&mut self, out: &mut [u8], at: usize, copy: Match) -> Result<usize, DeflateError> {
        if copy.distance > at {
            return Err(DeflateError::Distance);
        }
        let count = symbols::copy_exact(out, at, copy);
        if count < copy.length {
            self.pending = Some(Match {
                length: copy.length - count,
                distance: copy.distance,
            });
        }
        Ok(at + count)
    }

    fn end_block(&mut self) {
        self.block = if self.is_last_block {
            Block::End
        } else {
            Block::Header
        };
    }

    fn read_header(&mut self, input: &mut impl Input) -> Result<(), DeflateError> {
        self.header_bit = self.bits.position();
        self.is_last_block = self.bits.take(1, input)? == 1;
        self.block = match self.bits.take(2, input)? {
            0 => self.read_stored_header(input)?,
            1 => {
                // Many small blocks with fixed codes are worth a look before building the same tables again.
                if !self.has_fixed_tables {
                    self.tables.build_fixed()?;
                    self.has_fixed_tables = true;
                }
                Block::Symbols
            }
            2 => {
                self.has_fixed_tables = false;
                self.read_codes(input)?;
                Block::Symbols
            }
            _ => return Err(DeflateError::BlockType),
        };
        Ok(())
    }

    fn read_stored_header(&mut self, input: &mut impl Input) -> Result<Block, DeflateError> {
        self.bits.align_to_byte();
        let length = self.bits.take(16, input)?;
        let complement = self.bits.take(16, input)?;
        self.bits.align_to_byte();
        if length != complement ^ 0xffff {
            return Err(DeflateError::StoredLength);
        }
        Ok(Block::Stored {
            remaining: length as usize,
        })
    }

    /// Reads the codes of a dynamic block: RFC 1951, 3.2.7.
    fn read_codes(&mut self, input: &mut impl Input) -> Result<(), DeflateError> {
        const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let bits = &mut self.bits;
        let litlen_count = bits.take(5, input)? as usize + 257;
        let distance_count = bits.take(5, input)? as usize + 1;
        let precode_count = bits.take(4, input)? as usize + 4;
        if litlen_count > 286 || distance_count > 30 {
            return Err(DeflateError::CodeLengths);
        }
        let mut precode_lengths = [0; 19];
        for &symbol in &ORDER[..precode_count] {
            precode_lengths[symbol] = bits.take(3, input)? as u8;
        }
        let precode = table::precode(&precode_lengths)?;

        let count = litlen_count + distance_count;
        let mut lengths = [0u8; 286 + 30];
        let mut at = 0;
        while at < count {
            // A code of 7 bits and the 7 extra bits of the longest run of zeros.
            if bits.held < 14 {
                bits.refill(input)?;
            }
            let entry = precode[(bits.hold & ((1 << PRECODE_BITS) - 1)) as usize];
            bits.drop_bits(entry.bits())?;
            let (value, repeat) = match entry.value(0) {
                16 if at == 0 => return Err(DeflateError::CodeLengths),
                16 => (lengths[at - 1], 3 + bits.take(2, input)?),
                17 => (0, 3 + bits.take(3, input)?),
                18 => (0, 11 + bits.take(7, input)?),
                length => (length as u8, 1),
            };
            let end = at + repeat as usize;
            if end > count {
                return Err(DeflateError::CodeLengths);
            }
            lengths[at..end].fill(value);
            at = end;
        }
        let (litlen, distance) = lengths[..count].split_at(litlen_count);
        if litlen[256] == 0 {
            return Err(DeflateError::LiteralCode);
        }
        self.tables.build(litlen, distance)
    }

    fn place(&self) -> Place {
        let bit = self.bits.position();
        match self.block {
            Block::Header => Place::Header { bit },
            Block::Stored { remaining } => Place::Stored {
                bit,
                remaining,
                is_last: self.is_last_block,
            },
            Block::Symbols => Place::Symbols {
                header_bit: self.header_bit,
                bit,
                pending: self.pending,
            },
            Block::End => Place::End { bit },
            Block::Failed => Place::Failed,
        }
    }

    fn go_to(&mut self, place: Place, input: &mut impl Input) -> Result<(), DeflateError> {
        self.pending = None;
        self.block = match place {
            Place::Header { bit } => {
                self.bits.seek(bit, input)?;
                Block::Header
            }
            Place::Stored {
                bit,
                remaining,
                is_last,
            } => {
                self.bits.seek(bit, input)?;
                self.is_last_block = is_last;
                Block::Stored { remaining }
            }
            Place::Symbols {
                header_bit,
                bit,
                pending,
            } => {
                self.bits.seek(header_bit, input)?;
                self.read_header(input)?;
                self.bits.seek(bit, input)?;
                self.pending = pending;
                Block::Symbols
            }
            Place::End { bit } => {
                self.bits.seek(bit, input)?;
                Block::End
            }
            Place::Failed => Block::Failed,
        };
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use flate2::{Decompress, FlushDecompress, Status};
    use libdeflater::{CompressionLvl, Compressor, Decompressor};
    use proptest::prelude::*;

    use super::*;

    /// Xorshift: the same numbers in every run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as usize % bound
        }
    }

    /// Words, noise, runs and short periods in turn: all symbols, all distances.
    fn mixed(length: usize, seed: u64) -> Vec<u8> {
        let mut random = Random(seed);
        let mut bytes = Vec::with_capacity(length + 5000);
        while bytes.len() < length {
            match random.below(5) {
                0 => {
                    for _ in 0..random.below(300) {
                        let word = random.below(400);
                        bytes.extend(format!("{:x}{word} ", word * word * 7919).bytes());
                    }
                }
                1 => bytes.extend((0..random.below(3000)).map(|_| random.below(256) as u8)),
                2 => {
                    let byte = random.below(256) as u8;
                    bytes.extend(std::iter::repeat_n(byte, random.below(2000)));
                }
                3 => {
                    let period = 1 + random.below(40);
                    let start = bytes.len();
                    bytes.extend((0..period).map(|_| random.below(256) as u8));
                    for i in 0..random.below(2000) {
                        bytes.push(bytes[start + i]);
                    }
                }
                _ if !bytes.is_empty() => {
                    let back = 1 + random.below(bytes.len().min(40_000));
                    for _ in 0..random.below(700) {
                        bytes.push(bytes[bytes.len() - back]);
                    }
                }
                _ => {}
            }
        }
        bytes.truncate(length);
        bytes
    }

    fn libdeflate(plain: &[u8], level: i32) -> Vec<u8> {
        let mut compressor = Compressor::new(CompressionLvl::new(level).unwrap());
        let mut deflated = vec![0; compressor.deflate_compress_bound(plain.len())];
        let length = compressor.deflate_compress(plain, &mut deflated).unwrap();
        deflated.truncate(length);
        deflated
    }

    fn zlib(plain: &[u8], level: u32) -> Vec<u8> {
        use std::io::Write;
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(level));
        // Flushes make many blocks, also empty stored ones.
        for piece in plain.chunks(20_000) {
            encoder.write_all(piece).unwrap();
            encoder.flush().unwrap();
        }
        encoder.finish().unwrap()
    }

    fn streams(plain: &[u8]) -> Vec<Vec<u8>> {
        let mut streams: Vec<_> = [0, 1, 6, 9, 12]
            .iter()
            .map(|&level| libdeflate(plain, level))
            .collect();
        streams.extend([0, 1, 6, 9].iter().map(|&level| zlib(plain, level)));
        streams
    }

    /// The bytes of a stream, as zlib gives them; None where zlib finds an error or the end is missing.
    fn zlib_inflate(deflated: &[u8], at_most: usize) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(at_most + 1);
        let status = Decompress::new(false).decompress_vec(deflated, &mut out, FlushDecompress::Finish);
        (status.ok()? == Status::StreamEnd).then_some(out)
    }

    /// Reads to the end in pieces whose sizes `piece` tells.
    fn inflate_with(mut deflated: &[u8], mut piece: impl FnMut() -> usize) -> Result<Vec<u8>, DeflateError> {
        let mut inflater = Inflater::new();
        let mut out = Vec::new();
        loop {
            let start = out.len();
            let wanted = piece();
            out.resize(start + wanted, 0xaa);
            let count = inflater.read(&mut deflated, &mut out[start..])?;
            out.truncate(start + count);
            assert_eq!(inflater.output_offset(), out.len() as u64);
            if count < wanted {
                assert!(inflater.is_finished());
                return Ok(out);
            }
        }
    }

    fn inflate(deflated: &[u8]) -> Result<Vec<u8>, DeflateError> {
        inflate_with(deflated, || 1 << 17)
    }

    /// Bits given as groups, each a value and its count, least significant first.
    fn bits(groups: &[(u64, u32)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut at = 0;
        for &(value, count) in groups {
            for i in 0..count {
                if at % 8 == 0 {
                    bytes.push(0);
                }
                *bytes.last_mut().unwrap() |= ((value >> i & 1) as u8) << (at % 8);
                at += 1;
            }
        }
        bytes
    }

    #[test]
    fn reads_of_any_size_give_the_same_bytes() {
        let mut random = Random(1);
        for length in [0, 1, 2, 300, 40_000, 700_000] {
            let plain = mixed(length, 7 + length as u64);
            for deflated in streams(&plain) {
                assert!(inflate(&deflated).unwrap() == plain);
                assert!(inflate_with(&deflated, || 1 << 20).unwrap() == plain);
                assert!(inflate_with(&deflated, || 4096).unwrap() == plain);
                assert!(inflate_with(&deflated, || 1).unwrap() == plain);
                let largest = [10, 1000, 200_000][random.below(3)];
                assert!(inflate_with(&deflated, || 1 + random.below(largest)).unwrap() == plain);
            }
        }
    }

    #[test]
    fn offsets_end_with_the_stream() {
        for mut deflated in streams(&mixed(50_000, 3)) {
            let length = deflated.len();
            deflated.extend([0xff; 100]);
            let mut inflater = Inflater::new();
            assert!(!inflater.is_finished());
            assert_eq!(inflater.skip(&mut &deflated[..], u64::MAX).unwrap(), 50_000);
            assert!(inflater.is_finished());
            assert_eq!(
                (inflater.input_offset(), inflater.output_offset()),
                (length as u64, 50_000)
            );
            assert_eq!(inflater.read(&mut &deflated[..], &mut [0; 10]).unwrap(), 0);
        }
    }

    #[test]
    fn resumes_at_every_byte_of_a_small_stream() {
        let mut plain = mixed(1500, 11);
        plain.extend([b'x'; 600]);
        plain.extend(mixed(300, 5));
        for deflated in streams(&plain) {
            let mut first = Inflater::new();
            for offset in 0..=plain.len() {
                let checkpoint = first.checkpoint();
                assert_eq!(checkpoint.output_offset(), offset as u64);
                let mut rest = vec![0; plain.len() + 10 - offset];
                let checkpoint = match offset % 4 {
                    0 => checkpoint,
                    1 => checkpoint.packed(),
                    2 => pruned(&checkpoint, &deflated),
                    _ => written_and_read(&checkpoint.packed()).unwrap_or(checkpoint),
                };
                let mut resumed = Inflater::resume(&checkpoint, &mut &deflated[..]).unwrap();
                let count = resumed.read(&mut &deflated[..], &mut rest).unwrap();
                assert!(rest[..count] == plain[offset..]);
                assert!(resumed.is_finished());
                first.skip(&mut &deflated[..], 1).unwrap();
            }
            let mut at_end = Inflater::resume(&first.checkpoint(), &mut &deflated[..]).unwrap();
            assert!(at_end.is_finished());
            assert_eq!(at_end.read(&mut &deflated[..], &mut [0]).unwrap(), 0);
        }
    }

    /// Nothing at the end of a stream.
    fn written_and_read(checkpoint: &Checkpoint) -> Option<Checkpoint> {
        let mut bytes = Vec::new();
        checkpoint.write_to(&mut bytes);
        for cut in 0..bytes.len() {
            assert!(Checkpoint::read_from(&mut &bytes[..cut]).is_none());
        }
        bytes.push(77);
        let mut rest = &bytes[..];
        let read = Checkpoint::read_from(&mut rest)?;
        assert_eq!(rest, [77]);
        Some(read)
    }

    #[test]
    fn checkpoints_that_make_no_sense_never_panic() {
        let mut random = Random(41);
        let mut inflater = Inflater::new();
        let deflated = libdeflate(&mixed(50_000, 43), 6);
        inflater.skip(&mut &deflated[..], 40_000).unwrap();
        let mut original = Vec::new();
        inflater.checkpoint().packed().write_to(&mut original);
        for _ in 0..3000 {
            let mut damaged = original.clone();
            let most = if random.below(4) == 0 { damaged.len() } else { 41 };
            let place = random.below(most);
            damaged[place] ^= 1 << random.below(8);
            if let Some(checkpoint) = Checkpoint::read_from(&mut &damaged[..])
                && inflater.restart(&checkpoint, &mut &deflated[..]).is_ok()
            {
                let _ = inflater.read(&mut &deflated[..], &mut [0; 1000]);
            }
        }
    }

    #[test]
    fn a_checkpoint_too_far_out_to_count_on_from_is_not_read() {
        let mut inflater = Inflater::new();
        inflater
            .skip(&mut &libdeflate(&mixed(5_000, 47), 6)[..], 3_000)
            .unwrap();
        let mut bytes = Vec::new();
        inflater.checkpoint().write_to(&mut bytes);
        assert!(Checkpoint::read_from(&mut &bytes[..]).is_some());
        // Behind the kind: where it stands in the output, and in the stream twice.
        for number in [1, 9, 17] {
            let mut far = bytes.clone();
            far[number..number + 8].fill(0xff);
            assert!(Checkpoint::read_from(&mut &far[..]).is_none());
        }
    }

    fn pruned(checkpoint: &Checkpoint, deflated: &[u8]) -> Checkpoint {
        let pruned = Inflater::new().prune(checkpoint, &mut &deflated[..]).unwrap();
        assert!(pruned.memory_bytes() <= checkpoint.packed().memory_bytes() + 1000);
        pruned
    }

    #[test]
    fn resumes_anywhere_in_a_large_stream() {
        let plain = mixed(1_500_000, 13);
        let mut random = Random(17);
        for deflated in streams(&plain) {
            let mut checkpoints = Vec::new();
            let mut inflater = Inflater::new();
            while !inflater.is_finished() {
                // Some of the steps are long enough to be decoded in the caller's buffer.
                let step = 1 + random.below(200_000);
                if random.below(2) == 0 {
                    inflater.skip(&mut &deflated[..], step as u64).unwrap();
                } else {
                    inflater.read(&mut &deflated[..], &mut vec![0; step]).unwrap();
                }
                let checkpoint = inflater.checkpoint();
                checkpoints.extend(written_and_read(&checkpoint));
                checkpoints.extend(written_and_read(&checkpoint.packed()));
                checkpoints.push(pruned(&checkpoint, &deflated));
            }
            for _ in 0..40 {
                let checkpoint = &checkpoints[random.below(checkpoints.len())];
                assert!(checkpoint.memory_bytes() < WINDOW + 200);
                // One inflater goes from place to place: nothing of the last one may shine through.
                inflater.restart(checkpoint, &mut &deflated[..]).unwrap();
                // What was left out of a window is not missed by who begins behind it either.
                if random.below(2) == 0 {
                    inflater
                        .skip(&mut &deflated[..], random.below(40_000) as u64)
                        .unwrap();
                    let later = pruned(&inflater.checkpoint(), &deflated);
                    inflater.restart(&later, &mut &deflated[..]).unwrap();
                }
                let checkpoint = &inflater.checkpoint();
                let offset = checkpoint.output_offset() as usize;
                let mut out = vec![0; 1 + random.below(300_000)];
                let count = inflater.read(&mut &deflated[..], &mut out).unwrap();
                assert_eq!(count, out.len().min(plain.len() - offset));
                assert!(out[..count] == plain[offset..offset + count]);
            }
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        for deflated in streams(&mixed(3000, 19)) {
            for length in 0..deflated.len() {
                assert!(inflate(&deflated[..length]).is_err());
                assert!(inflate_with(&deflated[..length], || 1).is_err());
            }
        }
    }

    #[test]
    fn mutated_streams_fare_as_with_zlib() {
        let mut random = Random(23);
        let (mut accepted, mut refused) = (0, 0);
        for round in 0..60 {
            for original in streams(&mixed(20 + 40 * round, 29 + round as u64)) {
                for _ in 0..8 {
                    let mut deflated = original.clone();
                    for _ in 0..1 + random.below(3) {
                        // The codes stand at the start: most of the harm is done there.
                        let reach = [80, deflated.len()][random.below(2)];
                        let place = random.below(reach);
                        if let Some(byte) = deflated.get_mut(place) {
                            *byte ^= 1 << random.below(8);
                        }
                    }
                    let expected = zlib_inflate(&deflated, 1 << 20);
                    let found = inflate(&deflated).ok();
                    assert!(found == expected, "{deflated:02x?}");
                    let piecewise = inflate_with(&deflated, || 1 + random.below(500)).ok();
                    assert!(piecewise == expected, "{deflated:02x?}");
                    match expected {
                        Some(expected) => {
                            accepted += 1;
                            // libdeflate accepts all that zlib accepts, and more.
                            let mut out = vec![0; expected.len()];
                            assert_eq!(
                                Decompressor::new().deflate_decompress(&deflated, &mut out),
                                Ok(expected.len())
                            );
                            assert!(out == expected);
                        }
                        None => refused += 1,
                    }
                }
            }
        }
        assert!(
            accepted > 500 && refused > 500,
            "{accepted} accepted, {refused} refused"
        );
    }

    #[test]
    fn fixed_codes_with_every_kind_of_symbol() {
        // 'a', length 258 (285) at distance 1, end; codes stand with their first bit first.
        let stream = bits(&[(1, 1), (1, 2), (0b1000_1001, 8), (0b1010_0011, 8), (0, 5), (0, 7)]);
        assert_eq!(inflate(&stream).unwrap(), [b'a'; 259]);
        let empty = bits(&[(1, 1), (1, 2), (0, 7)]);
        assert_eq!(inflate(&empty).unwrap(), b"");
    }

    #[test]
    fn a_stored_block_in_pieces() {
        let stream = [&[0, 3, 0, 0xfc, 0xff][..], b"abc", &[1, 2, 0, 0xfd, 0xff], b"de"].concat();
        assert_eq!(inflate(&stream).unwrap(), b"abcde");
        assert_eq!(inflate_with(&stream, || 2).unwrap(), b"abcde");
    }

    #[test]
    fn a_distance_code_of_one_bit_may_stand_alone() {
        // Code length code: 18 in 1 bit, 1 and 2 in 2 bits. Literal/length: 'a' 1 bit, 256 2 bits, 257 2 bits.
        // Distance: symbol 0 in 1 bit.
        let mut groups = vec![(1, 1), (2, 2), (1, 5), (0, 5), (14, 4)];
        // 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1: 18 has 1 bit, 2 and 1 have 2 bits.
        groups.extend([0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2].map(|length| (length, 3)));
        let (skip, one, two) = ((0, 1), (0b01, 2), (0b11, 2));
        groups.extend([
            skip,
            (97 - 11, 7),
            one,
            skip,
            (138 - 11, 7),
            skip,
            (20 - 11, 7),
            two,
            two,
            one,
        ]);
        let codes = groups.clone();
        // 'a', length 3 at distance 1, end.
        groups.extend([(0, 1), (0b11, 2), (0, 1), (0b01, 2)]);
        assert_eq!(inflate(&bits(&groups)).unwrap(), b"aaaa");
        // The other pattern of that bit stands for nothing.
        let mut unused = codes;
        unused.extend([(0, 1), (0b11, 2), (1, 1), (0b01, 2)]);
        assert!(matches!(inflate(&bits(&unused)), Err(DeflateError::Symbol)));
    }

    #[test]
    fn broken_streams_say_what_is_broken() {
        assert!(matches!(
            inflate(&bits(&[(1, 1), (3, 2)])),
            Err(DeflateError::BlockType)
        ));
        assert!(matches!(
            inflate(&[1, 1, 0, 1, 0, 7]),
            Err(DeflateError::StoredLength)
        ));
        assert!(matches!(
            inflate(&[1, 2, 0, 0xfd, 0xff, 7]),
            Err(DeflateError::Truncated)
        ));
        assert!(matches!(inflate(&[]), Err(DeflateError::Truncated)));
        // 'a', then length 3 at distance 2.
        let far = bits(&[
            (1, 1),
            (1, 2),
            (0b1000_1001, 8),
            (0b100_0000, 7),
            (0b10000, 5),
            (0, 7),
        ]);
        assert!(matches!(inflate(&far), Err(DeflateError::Distance)));
        // Symbol 286, which has a fixed code and no meaning.
        let unused = bits(&[(1, 1), (1, 2), (0b0110_0011, 8), (0, 16)]);
        assert!(matches!(inflate(&unused), Err(DeflateError::Symbol)));
        // 31 more than 256 literal and length codes.
        let many = bits(&[(1, 1), (2, 2), (31, 5), (0, 5), (0, 4), (0, 32)]);
        assert!(matches!(inflate(&many), Err(DeflateError::CodeLengths)));
        // A code length code with four codes of one bit.
        let over = bits(&[
            (1, 1),
            (2, 2),
            (0, 5),
            (0, 5),
            (0, 4),
            (0b001_001_001_001, 12),
            (0, 64),
        ]);
        assert!(matches!(inflate(&over), Err(DeflateError::CodeLengths)));
    }

    #[test]
    fn after_an_error_there_are_only_errors() {
        let mut inflater = Inflater::new();
        assert!(inflater.read(&mut &[][..], &mut [0]).is_err());
        assert!(matches!(
            inflater.read(&mut &[][..], &mut [0]),
            Err(DeflateError::Failed)
        ));
        let mut resumed = Inflater::resume(&inflater.checkpoint(), &mut &[][..]).unwrap();
        assert!(matches!(
            resumed.read(&mut &[][..], &mut [0]),
            Err(DeflateError::Failed)
        ));
    }

    /// Gives a byte at a time, is interrupted before each, and fails at a place.
    struct Reluctant<'a> {
        bytes: &'a [u8],
        interrupted: bool,
        fails_at: u64,
    }

    impl Input for Reluctant<'_> {
        fn read_at(&mut self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
            self.interrupted = !self.interrupted;
            if self.interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if offset >= self.fails_at {
                return Err(io::Error::other("disk on fire"));
            }
            self.bytes.read_at(&mut buf[..1], offset)
        }
    }

    #[test]
    fn a_reluctant_input_is_asked_again() {
        let plain = mixed(100_000, 31);
        let deflated = libdeflate(&plain, 6);
        let mut input = Reluctant {
            bytes: &deflated,
            interrupted: false,
            fails_at: u64::MAX,
        };
        let mut out = vec![0; plain.len()];
        assert_eq!(Inflater::new().read(&mut input, &mut out).unwrap(), plain.len());
        assert!(out == plain);
        input.fails_at = deflated.len() as u64 / 2;
        let error = Inflater::new().read(&mut input, &mut out).unwrap_err();
        assert_eq!(error.to_string(), "disk on fire");
    }

    proptest! {
        #[test]
        fn noise_never_panics_and_fares_as_with_zlib(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(inflate(&noise).ok(), zlib_inflate(&noise, 1 << 20));
        }

        #[test]
        fn what_is_deflated_is_inflated(plain in proptest::collection::vec(0u8..4, 0..3000), level in 0..=12, piece in 1usize..700) {
            prop_assert_eq!(inflate_with(&libdeflate(&plain, level), || piece).unwrap(), plain);
        }
    }
}
