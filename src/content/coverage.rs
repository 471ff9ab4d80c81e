//! The CRC of an entry whose bytes are seen in pieces, in whatever order they are asked for.
//!
//! Pieces that touch are joined, so that the whole is verified as soon as every byte was seen once.

use std::collections::BTreeMap;
use std::ops::Range;

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

    /// The first bytes of a piece that were not seen yet, and whose CRC is worth computing: those between two runs, or
    /// between a run and an end of the piece.
    pub(super) fn missing(&self, piece: Range<u64>) -> Option<Range<u64>> {
        let mut start = match self.runs.range(..=piece.start).next_back() {
            Some((_, &(run_end, _))) => run_end.max(piece.start),
            None => piece.start,
        };
        while start < piece.end {
            let following = self.runs.range(start..).next();
            let end = following.map_or(piece.end, |(&run_start, _)| run_start.min(piece.end));
            if self.keeps(&(start..end)) {
                return Some(start..end);
            }
            start = following.map_or(piece.end, |(_, &(run_end, _))| run_end);
        }
        None
    }

    /// Adds what [`Coverage::missing`] named; returns the CRC of the whole once all of it was seen. What was seen by
    /// another reader since is ignored.
    pub(super) fn add(&mut self, piece: Range<u64>, crc: Hasher) -> Option<u32> {
        if self.missing(piece.clone()).as_ref() != Some(&piece) {
            return None;
        }
        let (Range { mut start, mut end }, mut crc) = (piece, crc);
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

    /// Whether there is room for a piece that lies between two runs. The beginning and what touches a run always has.
    fn keeps(&self, piece: &Range<u64>) -> bool {
        let touches = || {
            let before = self.runs.range(..piece.start).next_back();
            before.is_some_and(|(_, (run_end, _))| *run_end == piece.start)
                || self.runs.contains_key(&piece.end)
        };
        !piece.is_empty() && (self.runs.len() < MAX_RUNS || piece.start == 0 || touches())
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

    /// Has a piece seen, as a reader does.
    fn see(coverage: &mut Coverage, bytes: &[u8], piece: Range<usize>) -> Option<u32> {
        let piece = piece.start as u64..piece.end as u64;
        let mut whole = None;
        while let Some(missing) = coverage.missing(piece.clone()) {
            let crc = hasher(&bytes[missing.start as usize..missing.end as usize]);
            whole = whole.or(coverage.add(missing, crc));
        }
        whole
    }

    proptest! {
        #[test]
        fn pieces_in_any_order_give_the_crc_of_the_whole_once_all_was_seen(
            bytes in prop::collection::vec(any::<u8>(), 1..200),
            ends in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..40),
        ) {
            let mut coverage = Coverage::new(bytes.len() as u64);
            let mut seen = vec![false; bytes.len()];
            // They overlap as they like, and in the end somebody goes through.
            let pieces = ends.iter().map(|(one, other)| (one.index(bytes.len() + 1), other.index(bytes.len() + 1)));
            let through = (0..bytes.len()).step_by(16).map(|at| (at, (at + 16).min(bytes.len())));
            for (one, other) in pieces.chain(through) {
                let piece = one.min(other)..one.max(other);
                let was_whole = seen.iter().all(|&seen| seen);
                seen[piece.clone()].fill(true);
                let completes = !was_whole && seen.iter().all(|&seen| seen);
                let expected = completes.then(|| crc32fast::hash(&bytes));
                prop_assert_eq!(see(&mut coverage, &bytes, piece), expected);
            }
        }
    }

    #[test]
    fn what_another_reader_saw_meanwhile_is_not_counted_twice() {
        let bytes = b"0123456789";
        let mut coverage = Coverage::new(10);
        let both = coverage.missing(2..8).unwrap();
        assert_eq!(see(&mut coverage, bytes, 4..6), None);
        assert_eq!(coverage.add(both, hasher(&bytes[2..8])), None);
        assert_eq!(coverage.missing(2..8), Some(2..4));
        assert_eq!(see(&mut coverage, bytes, 0..10), Some(crc32fast::hash(bytes)));
    }

    #[test]
    fn who_goes_through_verifies_it_all_however_many_jumped_about_before() {
        let bytes: Vec<u8> = (0..5 * MAX_RUNS).map(|at| (at * at) as u8).collect();
        let mut coverage = Coverage::new(bytes.len() as u64);
        for at in (1..bytes.len()).step_by(3) {
            assert_eq!(see(&mut coverage, &bytes, at..at + 1), None);
        }
        assert_eq!(coverage.runs.len(), MAX_RUNS);
        let mut last = None;
        for at in (0..bytes.len()).step_by(512) {
            assert_eq!(last, None);
            last = see(&mut coverage, &bytes, at..(at + 512).min(bytes.len()));
            assert!(coverage.runs.len() <= MAX_RUNS + 1);
        }
        assert_eq!(last, Some(crc32fast::hash(&bytes)));
    }
}
