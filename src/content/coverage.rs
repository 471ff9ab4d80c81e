//! The CRC of an entry whose bytes are seen in pieces, in whatever order they are asked for.
//!
//! Pieces that touch are joined, so that the whole is verified as soon as every byte was seen once.

use std::collections::BTreeMap;

use crc32fast::Hasher;

/// Pieces that do not touch yet are forgotten beyond this many: verification then waits for a reader
/// who goes through in order.
const MAX_RUNS: usize = 4096;

/// Which bytes of an entry were seen, and their CRC-32.
pub(super) struct Coverage {
    size: u64,
    /// By start: end and CRC of a run of bytes seen.
    runs: BTreeMap<u64, (u64, Hasher)>,
}

impl Coverage {
    pub(super) fn new(size: u64) -> Coverage {
        Coverage {
            size,
            runs: BTreeMap::new(),
        }
    }

    /// Whether a piece would bring something new; if not, its CRC need not be computed.
    pub(super) fn wants(&self, start: u64, len: u64) -> bool {
        let end = start + len;
        let before = self
            .runs
            .range(..=start)
            .next_back()
            .is_none_or(|(_, (run_end, _))| *run_end <= start);
        let after = self
            .runs
            .range(start..)
            .next()
            .is_none_or(|(run_start, _)| *run_start >= end);
        len > 0 && before && after && self.runs.len() < MAX_RUNS
    }

    /// Adds a piece; returns the CRC of the whole once all of it was seen. A piece that overlaps what
    /// was seen is ignored.
    pub(super) fn add(&mut self, start: u64, len: u64, crc: Hasher) -> Option<u32> {
        if !self.wants(start, len) {
            return None;
        }
        let (mut start, mut end, mut crc) = (start, start + len, crc);
        if let Some((&run_start, (run_end, _))) = self.runs.range(..start).next_back()
            && *run_end == start
            && let Some((_, mut joined)) = self.runs.remove(&run_start)
        {
            joined.combine(&crc);
            (start, crc) = (run_start, joined);
        }
        if let Some((run_end, following)) = self.runs.remove(&end) {
            crc.combine(&following);
            end = run_end;
        }
        let whole = (start == 0 && end == self.size).then(|| crc.clone().finalize());
        self.runs.insert(start, (end, crc));
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hasher(bytes: &[u8]) -> Hasher {
        let mut hasher = Hasher::new();
        hasher.update(bytes);
        hasher
    }

    proptest! {
        #[test]
        fn pieces_in_any_order_give_the_crc_of_the_whole(
            bytes in prop::collection::vec(any::<u8>(), 1..200),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
            seed in any::<u64>(),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|c| c.index(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            cuts.dedup();
            let mut pieces: Vec<_> = cuts.windows(2).map(|w| (w[0], w[1])).collect();
            pieces.sort_by_key(|p| (p.0 as u64 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut coverage = Coverage::new(bytes.len() as u64);
            let mut last = None;
            for (start, end) in pieces {
                prop_assert_eq!(last, None);
                last = coverage.add(start as u64, (end - start) as u64, hasher(&bytes[start..end]));
                prop_assert_eq!(coverage.add(start as u64, (end - start) as u64, hasher(b"again")), None);
            }
            prop_assert_eq!(last, Some(crc32fast::hash(&bytes)));
        }
    }
}
