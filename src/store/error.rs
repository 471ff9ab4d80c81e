//! What goes wrong in a store. Where AWS refuses, the message is AWS's, word for word, and the variant says which of AWS's
//! codes it is.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::object::ObjectError;

/// What goes wrong in a store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// ValidationException, 400: a value that AWS's model does not allow.
    #[error("{0}")]
    Invalid(String),
    /// InvalidParameterValueException, 400, and what it does not say.
    #[error("{message}")]
    Parameter {
        /// AWS's words.
        message: String,
        /// Which entry or file it is about.
        because: Option<String>,
    },
    /// ResourceNotFoundException, 404.
    #[error("{0}")]
    NotFound(String),
    /// ResourceConflictException, 409.
    #[error("{0}")]
    Conflict(String),
    /// PreconditionFailedException, 412: the revision that was named is not the latest.
    #[error("{0}")]
    Precondition(String),
    /// AccessDeniedException, 403: no policy allows it.
    #[error("{0}")]
    Denied(String),
    /// PolicyLengthExceededException, 400.
    #[error("{0}")]
    PolicyLength(String),
    /// CodeStorageExceededException, 400.
    #[error("{0}")]
    CodeStorage(String),
    /// RequestEntityTooLargeException, 413.
    #[error("{0}")]
    TooLarge(String),
    /// What S3 refuses.
    #[error(transparent)]
    Object(#[from] ObjectError),
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
    /// InvalidParameterValueException.
    pub(super) fn parameter(message: impl Into<String>) -> StoreError {
        StoreError::Parameter {
            message: message.into(),
            because: None,
        }
    }

    /// ResourceNotFoundException, where nothing is said of what is missing.
    pub(super) fn not_found() -> StoreError {
        StoreError::NotFound("The resource you requested does not exist.".to_owned())
    }
}

/// Names the file that the system's answer is about.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError + '_ {
    |source| StoreError::Io {
        path: path.to_owned(),
        source,
    }
}
