//! Which bytes of a checkpoint's window the stream behind it repeats: no others need to be kept.
//!
//! The symbols tell without a byte being written. After a window's worth of output nothing can reach back to
//! before the checkpoint.

use super::checkpoint::Checkpoint;
use super::symbols::{self, Match, Symbol};
use super::{Block, Decoder, DeflateError, Inflater, Input, WINDOW};

impl Inflater {
    /// The same place with a window in which everything is zero that is never asked for, compressed. Takes about
    /// two tenths of a millisecond, and most of the memory away. Where this inflater stood is forgotten.
    pub fn prune(
        &mut self,
        checkpoint: &Checkpoint,
        input: &mut impl Input,
    ) -> Result<Checkpoint, DeflateError> {
        self.restart(checkpoint, input)?;
        let mut asked = Asked {
            window: self.filled,
            at: self.filled,
            is_asked: [false; WINDOW],
        };
        let followed = self.decoder.follow(input, &mut asked);
        self.decoder.block = Block::Failed;
        followed?;
        let window = &mut self.buffer[..asked.window];
        for (byte, is_asked) in window.iter_mut().zip(asked.is_asked) {
            *byte *= u8::from(is_asked);
        }
        Ok(checkpoint.with_window(window).packed())
    }
}

/// What was asked for of a window.
struct Asked {
    window: usize,
    /// Where the output stands, counted from the start of the window.
    at: usize,
    is_asked: [bool; WINDOW],
}

impl Asked {
    fn repeat(&mut self, copy: Match) -> Result<(), DeflateError> {
        let from = self.at.checked_sub(copy.distance).ok_or(DeflateError::Distance)?;
        // What overlaps its own output asks for its first bytes only.
        let to = (from + copy.length.min(copy.distance)).min(self.window);
        if let Some(asked) = self.is_asked.get_mut(from..to) {
            asked.fill(true);
        }
        self.at += copy.length;
        Ok(())
    }
}

impl Decoder {
    fn follow(&mut self, input: &mut impl Input, asked: &mut Asked) -> Result<(), DeflateError> {
        let end = asked.window + WINDOW;
        while asked.at < end {
            match self.block {
                Block::Header => self.read_header(input)?,
                Block::Stored { remaining: 0 } => self.end_block(),
                Block::Stored { remaining } => {
                    let mut unseen = [0; 4096];
                    let wanted = remaining.min(unseen.len());
                    let count = self.bits.copy_bytes(&mut unseen[..wanted], input)?;
                    asked.at += count;
                    self.block = Block::Stored {
                        remaining: remaining - count,
                    };
                }
                Block::Symbols => self.follow_symbols(input, asked, end)?,
                Block::End => break,
                Block::Failed => return Err(DeflateError::Failed),
            }
        }
        Ok(())
    }

    fn follow_symbols(
        &mut self,
        input: &mut impl Input,
        asked: &mut Asked,
        end: usize,
    ) -> Result<(), DeflateError> {
        if let Some(rest) = self.pending.take() {
            asked.repeat(rest)?;
        }
        while asked.at < end {
            self.bits.refill(input)?;
            match symbols::decode_one(&self.tables, &mut self.bits)? {
                Symbol::Literal(_) => asked.at += 1,
                Symbol::Match(copy) => asked.repeat(copy)?,
                Symbol::EndOfBlock => {
                    self.end_block();
                    break;
                }
            }
        }
        Ok(())
    }
}
