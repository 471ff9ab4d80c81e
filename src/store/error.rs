//! What goes wrong in a store. Where AWS refuses, the message is AWS's, word for word.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// What goes wrong in a store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// AWS's ValidationException: a value that its model does not allow.
    #[error("{0}")]
    Invalid(String),
    /// AWS's InvalidParameterValueException, and what it does not say.
    #[error("{message}")]
    Parameter {
        /// AWS's words.
        message: String,
        /// Which entry or file it is about.
        because: Option<String>,
    },
    /// AWS's ResourceNotFoundException.
    #[error("The resource you requested does not exist.")]
    NotFound,
    /// A directory holds what no zip of ours can.
    #[error("{}: {why}", path.display())]
    Unpackable {
        /// The file.
        path: PathBuf,
        /// Why it cannot be packed.
        why: String,
    },
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory with other things in it.
    #[error("{}: holds other files, and is no store of layers", .0.display())]
    NotAStore(PathBuf),
    /// A store of an optfs that keeps it otherwise.
    #[error("{}: a store of format {found:?}, this optfs knows 1", path.display())]
    Format {
        /// The store.
        path: PathBuf,
        /// What it says of itself.
        found: String,
    },
    /// A file of the store that no optfs has written.
    #[error("{}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl StoreError {
    /// AWS's InvalidParameterValueException.
    pub(super) fn parameter(message: impl Into<String>) -> StoreError {
        StoreError::Parameter {
            message: message.into(),
            because: None,
        }
    }
}

/// Names the file that the system's answer is about.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError + '_ {
    |source| StoreError::Io {
        path: path.to_owned(),
        source,
    }
}
