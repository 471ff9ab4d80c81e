//! Huffman decode tables: code lengths in, packed entries for the symbol loops out.
//!
//! The layout and the filling order follow libdeflate's, which is the fastest table builder known to us; which
//! incomplete codes are accepted follows zlib. Reading the lengths from a block's header is left to `deflate`.

use super::DeflateError;

/// Bits looked up at once for literals and lengths; longer codes go through a sub-table.
pub(super) const LITLEN_BITS: u32 = 11;
/// Bits looked up at once for distances.
pub(super) const DISTANCE_BITS: u32 = 8;
/// Code lengths of the code length code have at most 7 bits, so it needs no sub-table.
pub(super) const PRECODE_BITS: u32 = 7;

/// Powers of two above the largest tables possible (2342 and 402 entries), so that an index is masked, not checked.
pub(super) const LITLEN_ENTRIES: usize = 4096;
pub(super) const DISTANCE_ENTRIES: usize = 512;

pub(super) const MAX_LITLEN_SYMBOLS: usize = 288;
pub(super) const MAX_DISTANCE_SYMBOLS: usize = 32;
const MAX_CODE_LENGTH: usize = 15;

/// What the next bits mean, in 32 bits:
///
/// - bits 0 to 7: the bits to drop, the code and its extra bits together (for a sub-table: the main table's bits)
/// - bits 8 to 11: how many of them are the code (for a sub-table: how many bits index it)
/// - bits 16 to 30: the literal, the base of the length or distance, or where the sub-table starts
#[derive(Clone, Copy)]
pub(super) struct Entry(pub(super) u32);

impl Entry {
    const LITERAL: u32 = 1 << 31;
    const EXCEPTIONAL: u32 = 1 << 15;
    const SUBTABLE: u32 = 1 << 14;
    const END_OF_BLOCK: u32 = 1 << 13;
    const INVALID: u32 = Self::EXCEPTIONAL;

    #[inline(always)]
    pub(super) fn is_literal(self) -> bool {
        self.0 & Self::LITERAL != 0
    }

    /// Neither a literal nor a base: a sub-table, the end of the block or an unused code.
    #[inline(always)]
    pub(super) fn is_exceptional(self) -> bool {
        self.0 & Self::EXCEPTIONAL != 0
    }

    #[inline(always)]
    pub(super) fn is_subtable(self) -> bool {
        self.0 & Self::SUBTABLE != 0
    }

    #[inline(always)]
    pub(super) fn is_end_of_block(self) -> bool {
        self.0 & Self::END_OF_BLOCK != 0
    }

    #[inline(always)]
    pub(super) fn literal(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// The bits that this entry takes from the stream.
    #[inline(always)]
    pub(super) fn bits(self) -> u32 {
        self.0 & 63
    }

    /// The length or distance, given the bits as they were before the code was dropped.
    #[inline(always)]
    pub(super) fn value(self, before: u64) -> usize {
        let extra = (before & !(u64::MAX << self.bits())) >> ((self.0 >> 8) & 15);
        (self.0 >> 16) as usize + extra as usize
    }

    /// The index in the sub-table's table, given the bits after those of the main table.
    #[inline(always)]
    pub(super) fn subtable_index(self, after: u64) -> usize {
        let index_bits = (self.0 >> 8) & 15;
        (self.0 >> 16) as usize + (after & !(u64::MAX << index_bits)) as usize
    }

    const fn literal_result(byte: u8) -> u32 {
        Self::LITERAL | (byte as u32) << 16
    }

    const fn base_result(base: u32, extra_bits: u32) -> u32 {
        base << 16 | extra_bits
    }

    const fn with_code_length(result: u32, length: u32) -> Self {
        Self(result + (length << 8) + length)
    }
}

const LITLEN_RESULTS: [u32; MAX_LITLEN_SYMBOLS] = {
    let mut results = [Entry::INVALID; MAX_LITLEN_SYMBOLS];
    let mut symbol = 0;
    while symbol < 256 {
        results[symbol] = Entry::literal_result(symbol as u8);
        symbol += 1;
    }
    results[256] = Entry::EXCEPTIONAL | Entry::END_OF_BLOCK;
    let mut base = 3;
    symbol = 257;
    while symbol < 285 {
        let extra_bits = if symbol < 265 {
            0
        } else {
            (symbol as u32 - 261) / 4
        };
        results[symbol] = Entry::base_result(base, extra_bits);
        base += 1 << extra_bits;
        symbol += 1;
    }
    results[285] = Entry::base_result(258, 0);
    results
};

const DISTANCE_RESULTS: [u32; MAX_DISTANCE_SYMBOLS] = {
    let mut results = [Entry::INVALID; MAX_DISTANCE_SYMBOLS];
    let mut base = 1;
    let mut symbol = 0;
    while symbol < 30 {
        let extra_bits = if symbol < 4 { 0 } else { (symbol as u32 - 2) / 2 };
        results[symbol] = Entry::base_result(base, extra_bits);
        base += 1 << extra_bits;
        symbol += 1;
    }
    results
};

/// The code length code's symbols are kept as bases, whatever they mean.
const PRECODE_RESULTS: [u32; 19] = {
    let mut results = [0; 19];
    let mut symbol = 0;
    while symbol < 19 {
        results[symbol] = Entry::base_result(symbol as u32, 0);
        symbol += 1;
    }
    results
};

/// The two tables of a block.
pub(super) struct Tables {
    pub(super) litlen: [Entry; LITLEN_ENTRIES],
    pub(super) distance: [Entry; DISTANCE_ENTRIES],
}

impl Tables {
    pub(super) fn boxed() -> Box<Self> {
        Box::new(Self {
            litlen: [Entry(Entry::INVALID); LITLEN_ENTRIES],
            distance: [Entry(Entry::INVALID); DISTANCE_ENTRIES],
        })
    }

    /// Rebuilds both tables for a block whose codes have these lengths.
    pub(super) fn build(&mut self, litlen: &[u8], distance: &[u8]) -> Result<(), DeflateError> {
        fill(
            &mut self.litlen,
            LITLEN_BITS,
            litlen,
            &LITLEN_RESULTS,
            Incomplete::OneCode,
        )
        .ok_or(DeflateError::LiteralCode)?;
        fill(
            &mut self.distance,
            DISTANCE_BITS,
            distance,
            &DISTANCE_RESULTS,
            Incomplete::OneCodeOrNone,
        )
        .ok_or(DeflateError::DistanceCode)
    }

    /// Rebuilds both tables for a block with the fixed codes of RFC 1951, 3.2.6.
    pub(super) fn build_fixed(&mut self) -> Result<(), DeflateError> {
        let mut litlen = [8; MAX_LITLEN_SYMBOLS];
        litlen[144..256].fill(9);
        litlen[256..280].fill(7);
        self.build(&litlen, &[5; MAX_DISTANCE_SYMBOLS])
    }
}

/// The table that decodes the code lengths of a dynamic block.
pub(super) fn precode(lengths: &[u8; 19]) -> Result<[Entry; 1 << PRECODE_BITS], DeflateError> {
    let mut table = [Entry(Entry::INVALID); 1 << PRECODE_BITS];
    fill(
        &mut table,
        PRECODE_BITS,
        lengths,
        &PRECODE_RESULTS,
        Incomplete::Never,
    )
    .ok_or(DeflateError::CodeLengths)?;
    Ok(table)
}

/// Which codes that leave bit patterns unused are accepted: zlib's rules.
#[derive(Clone, Copy, PartialEq)]
enum Incomplete {
    Never,
    /// A single code of one bit.
    OneCode,
    /// A single code of one bit, or no code at all in a block of literals only.
    OneCodeOrNone,
}

/// Fills `table` with the canonical Huffman code of `lengths`; None when these lengths make no acceptable code.
fn fill(
    table: &mut [Entry],
    table_bits: u32,
    lengths: &[u8],
    results: &[u32],
    incomplete: Incomplete,
) -> Option<()> {
    let mut counts = [0usize; MAX_CODE_LENGTH + 1];
    for &length in lengths {
        counts[usize::from(length & 15)] += 1;
    }
    let unused = lengths.len() - counts[0];
    let sorted = sort_by_length(lengths, &counts);
    let sorted = &sorted[..unused];

    // Both sums are in units of the longest code: 2^15 is the whole code space.
    let used: usize = (1..=MAX_CODE_LENGTH)
        .map(|length| counts[length] << (MAX_CODE_LENGTH - length))
        .sum();
    match used.cmp(&(1 << MAX_CODE_LENGTH)) {
        std::cmp::Ordering::Greater => return None,
        std::cmp::Ordering::Less => {
            return fill_incomplete(table, table_bits, sorted, counts[1], results, incomplete);
        }
        std::cmp::Ordering::Equal => {}
    }

    let entry =
        |symbol: u16, length: usize| Entry::with_code_length(results[usize::from(symbol)], length as u32);
    let table_bits = table_bits as usize;
    let mut symbols = sorted.iter().copied();
    let mut codeword = 0usize;
    let mut length = 1;
    let mut table_end = 2usize;

    // Codes that fit the main table: it doubles with each bit of length, so that every entry is written once and
    // copied by the doubling.
    while length <= table_bits {
        for _ in 0..counts[length] {
            table[codeword] = entry(symbols.next()?, length);
            if codeword == table_end - 1 {
                for _ in length..table_bits {
                    table.copy_within(0..table_end, table_end);
                    table_end <<= 1;
                }
                return Some(());
            }
            codeword = next_codeword(codeword, length);
        }
        length += 1;
        if length <= table_bits {
            table.copy_within(0..table_end, table_end);
            table_end <<= 1;
        }
    }

    // Longer codes share sub-tables behind the main table, by their first `table_bits` bits.
    let main_mask = (1 << table_bits) - 1;
    let mut prefix = usize::MAX;
    let mut start = 0;
    while length <= MAX_CODE_LENGTH {
        for done in 0..counts[length] {
            if codeword & main_mask != prefix {
                prefix = codeword & main_mask;
                start = table_end;
                // As many bits as the longest code with this prefix needs: until the codes left fill the sub-table.
                let mut index_bits = length - table_bits;
                let mut space_used = counts[length] - done;
                while space_used < 1 << index_bits {
                    index_bits += 1;
                    space_used = (space_used << 1) + counts.get(table_bits + index_bits)?;
                }
                table_end = start + (1 << index_bits);
                table[prefix] = Entry(
                    (start as u32) << 16
                        | Entry::EXCEPTIONAL
                        | Entry::SUBTABLE
                        | (index_bits as u32) << 8
                        | table_bits as u32,
                );
            }
            let filled = entry(symbols.next()?, length - table_bits);
            let first = start + (codeword >> table_bits);
            for slot in table[first..table_end]
                .iter_mut()
                .step_by(1 << (length - table_bits))
            {
                *slot = filled;
            }
            if codeword == (1 << length) - 1 {
                return Some(());
            }
            codeword = next_codeword(codeword, length);
        }
        length += 1;
    }
    None
}

/// The codeword after this one among those of `length` bits, both with their bits reversed as they stand in the stream.
fn next_codeword(codeword: usize, length: usize) -> usize {
    let zeros = codeword ^ ((1 << length) - 1);
    let bit = 1 << zeros.ilog2();
    codeword & (bit - 1) | bit
}

/// The symbols that have a code, by length and then by value.
fn sort_by_length(lengths: &[u8], counts: &[usize; MAX_CODE_LENGTH + 1]) -> [u16; MAX_LITLEN_SYMBOLS] {
    let mut next = [0usize; MAX_CODE_LENGTH + 1];
    for length in 1..MAX_CODE_LENGTH {
        next[length + 1] = next[length] + counts[length];
    }
    let mut sorted = [0; MAX_LITLEN_SYMBOLS];
    for (symbol, &length) in lengths.iter().enumerate() {
        if length != 0 {
            let place = &mut next[usize::from(length & 15)];
            sorted[*place] = symbol as u16;
            *place += 1;
        }
    }
    sorted
}

fn fill_incomplete(
    table: &mut [Entry],
    table_bits: u32,
    sorted: &[u16],
    one_bit_codes: usize,
    results: &[u32],
    incomplete: Incomplete,
) -> Option<()> {
    let main = &mut table[..1 << table_bits];
    match sorted {
        [] if incomplete == Incomplete::OneCodeOrNone => {
            main.fill(Entry(Entry::INVALID));
            Some(())
        }
        [symbol] if one_bit_codes == 1 && incomplete != Incomplete::Never => {
            for pair in main.chunks_exact_mut(2) {
                pair[0] = Entry::with_code_length(results[usize::from(*symbol)], 1);
                pair[1] = Entry(Entry::INVALID);
            }
            Some(())
        }
        _ => None,
    }
}
