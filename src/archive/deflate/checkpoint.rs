//! What a decoder needs to start again in the middle of a stream, and keeping it small.
//!
//! Taking and resuming a checkpoint is left to `deflate`; when to take one is left to whoever reads.

use std::cell::RefCell;

use libdeflater::{CompressionLvl, Compressor, Decompressor};

use super::symbols::Match;
use super::{DeflateError, WINDOW};

/// A place in a deflate stream where an `Inflater` can start again.
///
/// It may stand at any byte of the output, also inside a match. Most of its memory is the window, the up to 32 KiB of
/// output that later matches may reach back to, which is kept compressed.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    pub(super) place: Place,
    pub(super) output_offset: u64,
    window: Window,
}

/// Where in the compressed stream a decoder stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// In front of a block's header.
    Header { bit: u64 },
    /// In a stored block, so many bytes before its end.
    Stored {
        bit: u64,
        remaining: usize,
        is_last: bool,
    },
    /// In a compressed block: its header, which holds the codes, and the next symbol.
    Symbols {
        header_bit: u64,
        bit: u64,
        pending: Option<Match>,
    },
    /// Behind the last block.
    End { bit: u64 },
    /// Nowhere: the decoder had failed.
    Failed,
}

#[derive(Clone, Debug)]
enum Window {
    Plain(Box<[u8]>),
    Deflated { bytes: Box<[u8]>, length: usize },
}

thread_local! {
    // Level 1 costs a tenth of a millisecond per window and takes half to two thirds of the memory away.
    static COMPRESSOR: RefCell<Compressor> =
        RefCell::new(Compressor::new(CompressionLvl::new(1).unwrap_or_default()));
    static DECOMPRESSOR: RefCell<Decompressor> = RefCell::new(Decompressor::new());
}

impl Checkpoint {
    pub(super) fn new(place: Place, output_offset: u64, window: &[u8]) -> Self {
        Self {
            place,
            output_offset,
            window: Window::pack(window),
        }
    }

    /// How many bytes of output come before this place.
    pub fn output_offset(&self) -> u64 {
        self.output_offset
    }

    /// What the checkpoint costs.
    pub fn memory_bytes(&self) -> usize {
        let (Window::Plain(bytes) | Window::Deflated { bytes, .. }) = &self.window;
        size_of::<Self>() + bytes.len()
    }

    /// Writes the window to the front of `out` and returns its length.
    pub(super) fn unpack_window(&self, out: &mut [u8]) -> Result<usize, DeflateError> {
        match &self.window {
            Window::Plain(bytes) => {
                out[..bytes.len()].copy_from_slice(bytes);
                Ok(bytes.len())
            }
            Window::Deflated { bytes, length } => DECOMPRESSOR
                .with_borrow_mut(|decompressor| decompressor.deflate_decompress(bytes, &mut out[..*length]))
                .map_err(|_| DeflateError::Window),
        }
    }
}

impl Window {
    fn pack(window: &[u8]) -> Self {
        // Room for anything worth keeping; a window that does not get smaller than this stays as it is.
        let mut packed = [0; WINDOW - WINDOW / 8];
        match COMPRESSOR.with_borrow_mut(|compressor| compressor.deflate_compress(window, &mut packed)) {
            Ok(count) if count < window.len() => Self::Deflated {
                bytes: packed[..count].into(),
                length: window.len(),
            },
            _ => Self::Plain(window.into()),
        }
    }
}
