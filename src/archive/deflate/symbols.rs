//! The inner loops: symbols of a compressed block in, bytes out.
//!
//! `decode_fast` runs while there is room on both sides and checks as little as it can; `decode_one` takes a single
//! symbol and stops wherever input or output do. Both follow libdeflate's decoder. Blocks are left to `deflate`.

use super::DeflateError;
use super::bits::{Bits, FAST_BYTES};
use super::table::{DISTANCE_BITS, DISTANCE_ENTRIES, LITLEN_BITS, LITLEN_ENTRIES, Tables};

/// The longest match.
const MAX_LENGTH: usize = 258;
/// Matches are copied this many bytes at a time and may run over by as many, less one.
const STRIDE: usize = 16;
/// The room one turn of the fast loop may need: two literals, a match, and what its copy runs over.
pub(super) const FAST_ROOM: usize = 2 + MAX_LENGTH + 2 * STRIDE;

const LITLEN_MASK: u64 = (1 << LITLEN_BITS) - 1;
const DISTANCE_MASK: u64 = (1 << DISTANCE_BITS) - 1;
/// The bits of the longest distance code with its extra bits.
const MAX_DISTANCE_BITS: u32 = 15 + 13;

/// A symbol for the caller of `decode_one`.
pub(super) enum Symbol {
    Literal(u8),
    Match(Match),
    EndOfBlock,
}

/// Bytes to be repeated from `distance` back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Match {
    pub(super) length: usize,
    pub(super) distance: usize,
}

/// Decodes symbols into `out[at..]` until the block ends, or less than `FAST_ROOM` or `FAST_BYTES` is left.
///
/// `out[..at]` is what matches may reach back to. Returns where the output stands and whether the block has ended;
/// bytes behind that place may have been overwritten.
///
/// Never inlined: the registers of whoever calls it are wanted here.
#[inline(never)]
pub(super) fn decode_fast(
    tables: &Tables,
    bits: &mut Bits,
    out: &mut [u8],
    mut at: usize,
) -> Result<(usize, bool), DeflateError> {
    let input = &bits.bytes[..bits.end];
    let (Some(last_input), Some(last_output)) = (
        input.len().checked_sub(FAST_BYTES),
        out.len().checked_sub(FAST_ROOM),
    ) else {
        return Ok((at, false));
    };
    let (mut next, mut hold, mut held) = (bits.next, bits.hold, bits.held);

    // Measured and not worth it: BMI2 shifts behind an unsafe call (4 %), masking input indices instead of checking
    // them and borrowing a fixed-size slice of the output for each turn (nothing); two literals to an entry (6 % slower:
    // building the table costs more than is saved), 12 bits of table, counting turns instead of comparing (nothing).
    //
    // `held` counts in its low 6 bits only: subtracting whole entries from it saves masking them.
    macro_rules! refill {
        () => {
            let Some(chunk) = input[next..].first_chunk() else {
                return Err(DeflateError::Truncated);
            };
            hold |= u64::from_le_bytes(*chunk) << (held & 63);
            next += ((63 - (held & 63)) >> 3) as usize;
            held |= 56;
        };
    }
    macro_rules! drop_bits {
        ($entry:expr) => {
            hold >>= $entry.bits();
            held = held.wrapping_sub($entry.0);
        };
    }

    let mut ended = false;
    refill!();
    let mut entry = tables.litlen[(hold & LITLEN_MASK) as usize];
    while next <= last_input && at <= last_output {
        let mut before = hold;
        drop_bits!(entry);
        if entry.is_literal() {
            // Two more short codes fit into the bits at hand, with the longest length behind them.
            out[at] = entry.literal();
            at += 1;
            entry = tables.litlen[(hold & LITLEN_MASK) as usize];
            before = hold;
            drop_bits!(entry);
            if entry.is_literal() {
                out[at] = entry.literal();
                at += 1;
                entry = tables.litlen[(hold & LITLEN_MASK) as usize];
                before = hold;
                drop_bits!(entry);
                if entry.is_literal() {
                    out[at] = entry.literal();
                    at += 1;
                    refill!();
                    entry = tables.litlen[(hold & LITLEN_MASK) as usize];
                    continue;
                }
            }
        }
        if entry.is_exceptional() {
            if entry.is_subtable() {
                entry = tables.litlen[entry.subtable_index(hold) & (LITLEN_ENTRIES - 1)];
                before = hold;
                drop_bits!(entry);
                if entry.is_literal() {
                    out[at] = entry.literal();
                    at += 1;
                    refill!();
                    entry = tables.litlen[(hold & LITLEN_MASK) as usize];
                    continue;
                }
            }
            if entry.is_end_of_block() {
                ended = true;
                break;
            }
            if entry.is_exceptional() {
                return Err(DeflateError::Symbol);
            }
        }
        let length = entry.value(before);

        entry = tables.distance[(hold & DISTANCE_MASK) as usize];
        if held & 63 < MAX_DISTANCE_BITS + LITLEN_BITS {
            refill!();
        }
        if entry.is_exceptional() {
            if !entry.is_subtable() {
                return Err(DeflateError::Symbol);
            }
            drop_bits!(entry);
            entry = tables.distance[entry.subtable_index(hold) & (DISTANCE_ENTRIES - 1)];
            if entry.is_exceptional() {
                return Err(DeflateError::Symbol);
            }
        }
        let before = hold;
        drop_bits!(entry);
        let distance = entry.value(before);
        if distance > at {
            return Err(DeflateError::Distance);
        }
        // The next symbol is looked up before the copy, which takes a while.
        entry = tables.litlen[(hold & LITLEN_MASK) as usize];
        refill!();
        copy_wide(out, at, Match { length, distance });
        at += length;
    }
    bits.next = next;
    bits.hold = hold;
    bits.held = held & 63;
    Ok((at, ended))
}

/// Decodes one symbol, knowing that input may end. The caller has refilled the bits.
pub(super) fn decode_one(tables: &Tables, bits: &mut Bits) -> Result<Symbol, DeflateError> {
    let mut entry = tables.litlen[(bits.hold & LITLEN_MASK) as usize];
    if entry.is_subtable() {
        bits.drop_bits(entry.bits())?;
        entry = tables.litlen[entry.subtable_index(bits.hold) & (LITLEN_ENTRIES - 1)];
    }
    let before = bits.hold;
    bits.drop_bits(entry.bits())?;
    if entry.is_literal() {
        return Ok(Symbol::Literal(entry.literal()));
    }
    if entry.is_exceptional() {
        return if entry.is_end_of_block() {
            Ok(Symbol::EndOfBlock)
        } else {
            Err(DeflateError::Symbol)
        };
    }
    let length = entry.value(before);

    let mut entry = tables.distance[(bits.hold & DISTANCE_MASK) as usize];
    if entry.is_subtable() {
        bits.drop_bits(entry.bits())?;
        entry = tables.distance[entry.subtable_index(bits.hold) & (DISTANCE_ENTRIES - 1)];
    }
    if entry.is_exceptional() {
        return Err(DeflateError::Symbol);
    }
    let before = bits.hold;
    bits.drop_bits(entry.bits())?;
    Ok(Symbol::Match(Match {
        length,
        distance: entry.value(before),
    }))
}

/// Copies a match to `out[at..]`, all of it or as much as there is room for, and returns how much that is.
pub(super) fn copy_exact(out: &mut [u8], at: usize, copy: Match) -> usize {
    let count = copy.length.min(out.len() - at);
    let source = at - copy.distance;
    if copy.distance >= count {
        out.copy_within(source..source + count, at);
    } else {
        for i in 0..count {
            out[at + i] = out[source + i];
        }
    }
    count
}

/// Copies a match with no regard for up to `2 * STRIDE - 1` bytes behind it.
///
/// Most matches are short, so two strides are copied without asking. No call of memset or memmove: the loop would have
/// to save its registers for it.
#[inline(always)]
fn copy_wide(out: &mut [u8], at: usize, copy: Match) {
    let Match { length, distance } = copy;
    let span = &mut out[at - distance..];
    if distance >= STRIDE {
        copy_words::<STRIDE>(span, 0, distance);
        copy_words::<STRIDE>(span, STRIDE, distance + STRIDE);
        let mut done = 2 * STRIDE;
        while done < length {
            copy_words::<STRIDE>(span, done, distance + done);
            done += STRIDE;
        }
    } else if distance == 1 {
        let bytes = [span[0]; STRIDE];
        let mut done = 0;
        while done < length {
            span[1 + done..1 + done + STRIDE].copy_from_slice(&bytes);
            done += STRIDE;
        }
    } else {
        // The first `distance` bytes repeat: each step writes more than it advances.
        let step = distance.min(8);
        let mut done = 0;
        while done < length {
            copy_words::<8>(span, done, distance + done);
            done += step;
        }
    }
}

#[inline(always)]
fn copy_words<const N: usize>(span: &mut [u8], from: usize, to: usize) {
    let mut words = [0; N];
    words.copy_from_slice(&span[from..from + N]);
    span[to..to + N].copy_from_slice(&words);
}
