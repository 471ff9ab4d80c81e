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
/// output that later matches may reach back to, which [`Checkpoint::packed`] compresses.
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
            window: Window::Plain(window.into()),
        }
    }

    /// How many bytes of output come before this place.
    pub fn output_offset(&self) -> u64 {
        self.output_offset
    }

    /// The same with another window, not compressed: the last bytes of output before this place, as far as a decoder that
    /// goes on from here repeats any of them.
    pub fn with_window(&self, window: &[u8]) -> Self {
        Self::new(self.place, self.output_offset, window)
    }

    /// Its window, unless that is compressed.
    pub fn plain_window(&self) -> Option<&[u8]> {
        match &self.window {
            Window::Plain(bytes) => Some(bytes),
            Window::Deflated { .. } => None,
        }
    }

    /// The same with its window compressed, which takes a tenth of a millisecond and two thirds of the memory away.
    pub fn packed(&self) -> Self {
        let window = match &self.window {
            Window::Plain(bytes) => Window::pack(bytes),
            window @ Window::Deflated { .. } => window.clone(),
        };
        Self { window, ..*self }
    }

    /// What the checkpoint costs.
    pub fn memory_bytes(&self) -> usize {
        let (Window::Plain(bytes) | Window::Deflated { bytes, .. }) = &self.window;
        size_of::<Self>() + bytes.len()
    }

    /// Appends what [`Checkpoint::read_from`] reads; nothing for a place where nobody can start again.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let (kind, header_bit, bit, rest, distance) = match self.place {
            Place::Header { bit } => (0, 0, bit, 0, 0),
            Place::Stored {
                bit,
                remaining,
                is_last,
            } => (1 + u8::from(is_last), 0, bit, remaining, 0),
            Place::Symbols {
                header_bit,
                bit,
                pending,
            } => {
                let Match { length, distance } = pending.unwrap_or(Match {
                    length: 0,
                    distance: 0,
                });
                (3, header_bit, bit, length, distance)
            }
            Place::End { .. } | Place::Failed => return,
        };
        let (bytes, length) = match &self.window {
            Window::Plain(bytes) => (bytes, 0),
            Window::Deflated { bytes, length } => (bytes, *length),
        };
        out.push(kind);
        for number in [self.output_offset, header_bit, bit] {
            out.extend(number.to_le_bytes());
        }
        for number in [rest, distance, length, bytes.len()] {
            out.extend((number as u32).to_le_bytes());
        }
        out.extend_from_slice(bytes);
    }

    /// Takes one off the front of `bytes`; nothing when they make no sense.
    pub fn read_from(bytes: &mut &[u8]) -> Option<Checkpoint> {
        let (&[kind], rest) = bytes.split_first_chunk()?;
        let mut rest = rest;
        let mut long = || take(&mut rest).map(u64::from_le_bytes);
        let (output_offset, header_bit, bit) = (long()?, long()?, long()?);
        let mut short = || take(&mut rest).map(|bytes| u32::from_le_bytes(bytes) as usize);
        let (remaining, distance, length, packed) = (short()?, short()?, short()?, short()?);
        let place = match kind {
            0 => Place::Header { bit },
            1 | 2 => Place::Stored {
                bit,
                remaining,
                is_last: kind == 2,
            },
            3 if remaining == 0 => Place::Symbols {
                header_bit,
                bit,
                pending: None,
            },
            3 => {
                let pending = Some(Match {
                    length: remaining,
                    distance,
                });
                Place::Symbols {
                    header_bit,
                    bit,
                    pending,
                }
            }
            _ => return None,
        };
        // Codes count to these; bits and bytes are multiplied and added to.
        let is_possible = remaining <= usize::from(u16::MAX)
            && (1..=WINDOW).contains(&distance.max(1))
            && length.max(packed) <= WINDOW
            && output_offset.max(bit).max(header_bit) <= u64::MAX / 16;
        if !is_possible {
            return None;
        }
        let (window, rest) = rest.split_at_checked(packed)?;
        *bytes = rest;
        let window = match length {
            0 => Window::Plain(window.into()),
            _ => Window::Deflated {
                bytes: window.into(),
                length,
            },
        };
        Some(Checkpoint {
            place,
            output_offset,
            window,
        })
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

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*number)
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
