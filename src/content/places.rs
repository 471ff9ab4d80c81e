//! The checkpoints of one large entry: where a decoder can start again, and where one more is worth its memory.
//!
//! Taking them is left to `large`, keeping them for the next mount to `index`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::archive::Checkpoint;

/// How far apart they are. Pruned, each takes 2 to 4 KiB of real programs: less than one in a hundred of the
/// entry. Half of this is inflated for a page at a random place.
const GAP_BYTES: u64 = 448 << 10;
/// How far apart who has far to go leaves them.
pub(super) const FAR_GAP_BYTES: u64 = 1 << 20;
/// Windows that wait to be pruned at most, 32 KiB each: beyond this readers prune one whenever they were
/// answered, and beyond that whoever leaves one more compresses one. Either takes a quarter as long as inflating what lies
/// between two of them.
const MANY_UNPACKED: usize = 256;
const TOO_MANY_UNPACKED: usize = 384;

/// The checkpoints of one entry, by the offset where they stand.
#[derive(Default)]
pub(super) struct Places {
    by_offset: BTreeMap<u64, Standing>,
    /// Those that are not compressed. Their windows lie end to end: each by itself would leave a hole behind, too small for
    /// the next and large beside what is left of it.
    waiting: Vec<Waiting>,
    windows: Vec<u8>,
    /// Those that are compressed and not pruned.
    unpruned: Vec<u64>,
}

enum Standing {
    Kept(Arc<Checkpoint>),
    /// The place among those that wait.
    Waiting(usize),
}

struct Waiting {
    /// Without its window.
    checkpoint: Checkpoint,
    /// Where its window begins.
    window_at: usize,
}

impl Places {
    /// The last one at `offset` or before.
    pub(super) fn before(&self, offset: u64) -> Option<Arc<Checkpoint>> {
        let (_, standing) = self.by_offset.range(..=offset).next_back()?;
        Some(self.whole(standing))
    }

    fn whole(&self, standing: &Standing) -> Arc<Checkpoint> {
        match *standing {
            Standing::Kept(ref checkpoint) => Arc::clone(checkpoint),
            Standing::Waiting(nth) => {
                let (waiting, next) = (&self.waiting[nth], self.waiting.get(nth + 1));
                let end = next.map_or(self.windows.len(), |next| next.window_at);
                let window = &self.windows[waiting.window_at..end];
                Arc::new(waiting.checkpoint.with_window(window))
            }
        }
    }

    /// Where a decoder that stands at `offset` is to take the next one, unless there is one already.
    pub(super) fn next_after(&self, offset: u64) -> u64 {
        let from = self
            .by_offset
            .range(..=offset)
            .next_back()
            .map_or(0, |(&at, _)| at);
        let due = from + GAP_BYTES;
        if due > offset {
            return due;
        }
        // It was too close to the following one.
        let following = self.by_offset.range(offset + 1..).next();
        following.map_or(offset + GAP_BYTES, |(&at, _)| at)
    }

    /// Whether one at `offset` is worth taking.
    pub(super) fn wants(&self, offset: u64) -> bool {
        let from = (offset + 1).saturating_sub(GAP_BYTES);
        let mut near = self.by_offset.range(from..offset + GAP_BYTES / 2);
        offset >= GAP_BYTES && near.next().is_none()
    }

    /// Adds one whose window is not compressed.
    pub(super) fn add(&mut self, checkpoint: Checkpoint) {
        let window_at = self.windows.len();
        self.windows
            .extend_from_slice(checkpoint.plain_window().unwrap_or_default());
        let standing = Standing::Waiting(self.waiting.len());
        self.by_offset.insert(checkpoint.output_offset(), standing);
        self.waiting.push(Waiting {
            checkpoint: checkpoint.with_window(&[]),
            window_at,
        });
    }

    /// Whether more wait to be compressed than should.
    pub(super) fn has_many_unpacked(&self) -> bool {
        self.waiting.len() > MANY_UNPACKED
    }

    /// Whether no more may wait.
    pub(super) fn has_too_many_unpacked(&self) -> bool {
        self.waiting.len() > TOO_MANY_UNPACKED
    }

    /// One to be compressed, and given back to [`Places::put_packed`].
    pub(super) fn take_unpacked(&mut self) -> Option<Arc<Checkpoint>> {
        let standing = Standing::Waiting(self.waiting.len().checked_sub(1)?);
        let checkpoint = self.whole(&standing);
        if let Some(Waiting { window_at, .. }) = self.waiting.pop() {
            self.windows.truncate(window_at);
        }
        if self.waiting.is_empty() {
            self.windows = Vec::new();
        }
        // Until it is given back, whoever comes by starts from it.
        self.keep(Arc::clone(&checkpoint));
        Some(checkpoint)
    }

    pub(super) fn put_packed(&mut self, checkpoint: Checkpoint) {
        self.unpruned.push(checkpoint.output_offset());
        self.keep(Arc::new(checkpoint));
    }

    /// How many are not pruned.
    pub(super) fn unpruned(&self) -> usize {
        self.waiting.len() + self.unpruned.len()
    }

    /// One to be pruned, and given back to [`Places::put_pruned`].
    pub(super) fn next_unpruned(&mut self) -> Option<Arc<Checkpoint>> {
        if let Some(checkpoint) = self.take_unpacked() {
            return Some(checkpoint);
        }
        let offset = self.unpruned.pop()?;
        self.by_offset.get(&offset).map(|standing| self.whole(standing))
    }

    pub(super) fn put_pruned(&mut self, checkpoint: Checkpoint) {
        self.keep(Arc::new(checkpoint));
    }

    fn keep(&mut self, checkpoint: Arc<Checkpoint>) {
        let offset = checkpoint.output_offset();
        self.by_offset.insert(offset, Standing::Kept(checkpoint));
    }

    pub(super) fn len(&self) -> usize {
        self.by_offset.len()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Arc<Checkpoint>> {
        self.by_offset.values().map(|standing| self.whole(standing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Inflater;

    /// A stream without a symbol more than it needs, from end to end.
    fn left_in(stream: &[u8], size: u64, gap: impl Fn(&Places, u64) -> u64) -> Places {
        let mut places = Places::default();
        let (mut inflater, mut input) = (Inflater::new(), stream);
        while inflater.output_offset() < size {
            let next = gap(&places, inflater.output_offset());
            let step = next.min(size) - inflater.output_offset();
            assert_eq!(inflater.skip(&mut input, step).unwrap(), step);
            if places.wants(inflater.output_offset()) {
                places.add(inflater.checkpoint());
            }
        }
        places
    }

    #[test]
    fn they_stand_apart_and_gaps_are_filled_by_whoever_comes_by() {
        // Zeros: one literal and long matches, in blocks with the fixed codes.
        let plain = vec![0; 5 << 20];
        let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::fastest());
        let mut stream = vec![0; compressor.deflate_compress_bound(plain.len())];
        let len = compressor.deflate_compress(&plain, &mut stream).unwrap();
        stream.truncate(len);
        let size = plain.len() as u64;

        let mut far = left_in(&stream, size, |_, offset| offset + FAR_GAP_BYTES);
        assert_eq!(far.len(), 5);
        assert_eq!(
            far.before(FAR_GAP_BYTES - 1).map(|place| place.output_offset()),
            None
        );
        assert_eq!(far.next_after(FAR_GAP_BYTES), FAR_GAP_BYTES + GAP_BYTES);
        assert!(far.wants(FAR_GAP_BYTES + GAP_BYTES) && !far.wants(FAR_GAP_BYTES + 1000));
        assert!(!far.wants(FAR_GAP_BYTES - 1000));
        assert!(
            !far.wants(FAR_GAP_BYTES + GAP_BYTES - 1),
            "too close behind the one before"
        );

        let mut at = FAR_GAP_BYTES;
        let stops = std::iter::from_fn(|| {
            at = far.next_after(at);
            Some(at)
        });
        assert!(stops.take_while(|&at| at <= 2 * FAR_GAP_BYTES).count() <= 4);

        while let Some(plain) = far.take_unpacked() {
            far.put_packed(plain.packed());
        }
        assert_eq!(far.unpruned(), 5);
        while let Some(packed) = far.next_unpruned() {
            far.put_pruned(Inflater::new().prune(&packed, &mut &stream[..]).unwrap());
        }
        assert_eq!((far.unpruned(), far.len()), (0, 5));

        let near = left_in(&stream, size, Places::next_after);
        assert_eq!(near.len() as u64, size / GAP_BYTES);
    }
}
