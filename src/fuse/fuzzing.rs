//! The fuzzer's door to the protocol: a message as the kernel writes it, its answer as the kernel gets it. Not there
//! in an ordinary build.

use std::sync::Arc;

use super::answer::{Answerer, Reply};
use super::wire::{split_arguments, split_message};
use crate::guide::Guide;

/// Answers messages, without a kernel.
pub struct Door(Answerer);

impl Door {
    /// A door to a tree.
    pub fn new(guide: Guide) -> Door {
        Door(Answerer::new(Arc::new(guide)))
    }

    /// The length of the answer's body, where there is one.
    pub fn answer(&self, message: &[u8], room: &mut [u8]) -> Option<usize> {
        let (header, body) = split_message(message).ok()?;
        let (fixed, variable) = split_arguments(header.opcode, body);
        match self.0.answer(&header, fixed, variable, room) {
            Reply::Body(len) => Some(len),
            Reply::Error(_) | Reply::None => None,
        }
    }
}
