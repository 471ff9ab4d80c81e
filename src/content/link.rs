//! The target of a symlink: the one rule of what can be one. Promise 13 of docs/semantics.md.

use std::sync::Arc;

use thiserror::Error;

use super::Content;
use crate::archive::EntryError;
use crate::stack::EntryRef;

/// The longest target that a symlink may have, in bytes: `PATH_MAX` less the NUL.
pub const MAX_TARGET_BYTES: u64 = 4095;

/// Why a symlink has no target.
#[derive(Debug, Clone, Error)]
pub enum LinkError {
    /// Linux takes no longer one.
    #[error("the link's target is longer than {MAX_TARGET_BYTES} bytes")]
    TooLong,
    /// A link to nothing.
    #[error("the link's target is empty")]
    Empty,
    /// No path has one.
    #[error("the link's target contains a NUL byte")]
    Nul,
    /// Its bytes cannot be served.
    #[error("{0}")]
    Unreadable(Arc<EntryError>),
}

impl Content {
    /// The target of a symlink's entry, as the archive has it.
    ///
    /// # Errors
    /// When it can be no target, or cannot be served.
    pub fn link_target(&self, entry: EntryRef) -> Result<Vec<u8>, LinkError> {
        let read = self.read_small(entry, MAX_TARGET_BYTES);
        match read.map_err(LinkError::Unreadable)? {
            None => Err(LinkError::TooLong),
            Some(target) if target.is_empty() => Err(LinkError::Empty),
            Some(target) if target.contains(&0) => Err(LinkError::Nul),
            Some(target) => Ok(target),
        }
    }
}
