//! Inflated bytes in memory: how many of them nobody was given yet, and buffers of blocks that are used again.
//!
//! When to let go of bytes that were all given is left to `content`.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::cache::Weigh;

/// Buffers that wait to be used again at most, and never more than an eighth of what is kept: the memory that a new one
/// would take has to be cleared by the kernel page by page.
const MAX_WAITING: usize = 8;

/// The bytes of an entry or of a block of one.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Vec<u8>,
    ungiven_bytes: AtomicU64,
    buffers: Option<Arc<Buffers>>,
}

impl Piece {
    /// Bytes whose memory is given back to the system in the end.
    pub(super) fn new(bytes: Vec<u8>) -> Arc<Piece> {
        Arc::new(Piece {
            ungiven_bytes: AtomicU64::new(bytes.len() as u64),
            bytes,
            buffers: None,
        })
    }

    /// Notes that so many bytes were given to a reader; returns whether that was the last of them. Who is given
    /// the same twice is counted twice.
    pub(super) fn gave(&self, count: usize) -> bool {
        let before = self
            .ungiven_bytes
            .update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.saturating_sub(count as u64)
            });
        before <= count as u64
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Some(buffers) = self.buffers.take() {
            buffers.take_back(std::mem::take(&mut self.bytes));
        }
    }
}

impl Weigh for Arc<Piece> {
    fn weight_bytes(&self) -> u64 {
        self.bytes.capacity() as u64
    }
}

/// Buffers of one size.
#[derive(Debug)]
pub(super) struct Buffers {
    size_bytes: usize,
    most_waiting: usize,
    waiting: Mutex<Vec<Vec<u8>>>,
}

impl Buffers {
    /// Buffers beside a cache of so many bytes.
    pub(super) fn new(size_bytes: usize, capacity_bytes: u64) -> Arc<Buffers> {
        let eighth = capacity_bytes / 8 / size_bytes as u64;
        Arc::new(Buffers {
            size_bytes,
            most_waiting: usize::try_from(eighth).map_or(MAX_WAITING, |eighth| eighth.min(MAX_WAITING)),
            waiting: Mutex::default(),
        })
    }

    /// A piece of `len` bytes, filled by `fill`, which must write all of them.
    pub(super) fn piece<E>(
        self: &Arc<Self>,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Arc<Piece>, E> {
        let reusable = len == self.size_bytes;
        let waiting = if reusable { self.waiting.lock().pop() } else { None };
        let mut bytes = waiting.unwrap_or_else(|| vec![0; len]);
        let filled = fill(&mut bytes);
        let piece = Piece {
            ungiven_bytes: AtomicU64::new(len as u64),
            bytes,
            buffers: reusable.then(|| Arc::clone(self)),
        };
        filled.map(|()| Arc::new(piece))
    }

    fn take_back(&self, buffer: Vec<u8>) {
        let mut waiting = self.waiting.lock();
        if waiting.len() < self.most_waiting {
            waiting.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_byte_given_is_noticed_once_all_were() {
        let piece = Piece::new(vec![1, 2, 3]);
        assert!(!piece.gave(2));
        assert!(piece.gave(1));
        assert!(piece.gave(0), "nothing is left to give");
    }

    #[test]
    fn a_buffer_is_used_again_by_pieces_of_its_size() {
        let buffers = Buffers::new(4, 8 * 4 * 2);
        let fill = |with: u8| {
            move |bytes: &mut [u8]| -> Result<(), ()> {
                bytes.fill(with);
                Ok(())
            }
        };
        let first = buffers.piece(4, fill(1)).unwrap();
        let place = first.as_ptr();
        assert_ne!(buffers.piece(4, fill(2)).unwrap().as_ptr(), place);
        drop(first);
        drop(buffers.piece(3, fill(3)).unwrap());
        let again = [
            buffers.piece(4, fill(4)).unwrap(),
            buffers.piece(4, fill(4)).unwrap(),
        ];
        assert!(again.iter().any(|piece| piece.as_ptr() == place));
        assert!(again.iter().all(|piece| piece[..] == [4; 4]));
        assert!(buffers.piece(4, |_| Err(())).is_err());
    }
}
