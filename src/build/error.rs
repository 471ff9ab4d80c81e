//! Why a layer cannot be built.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::launch::runtime::Runtime;

/// Why a layer cannot be built.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The list is not there, or is none.
    #[error("{}: {why}", path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A list of one language for the runtime of another.
    #[error("{}: {list}, and {runtime} is no runtime of {language}", path.display())]
    Language {
        /// The list.
        path: PathBuf,
        /// What it is.
        list: &'static str,
        /// The language it is of.
        language: &'static str,
        /// What it was to be built for.
        runtime: Runtime,
    },
    /// The tool is not installed.
    #[error("{tool} is not to be had: {tried}")]
    Missing {
        /// `pip` or `npm`.
        tool: &'static str,
        /// What was tried, and what came of it.
        tried: String,
    },
    /// The tool has failed.
    #[error("{}: {tool} ended with status {status}: {said}", path.display())]
    Failed {
        /// The list.
        path: PathBuf,
        /// `pip` or `npm`.
        tool: &'static str,
        /// Its exit status; 128 and more is a signal.
        status: i32,
        /// What it said was wrong, in one line.
        said: String,
    },
    /// The tool was content, and nothing is there.
    #[error("{}: names no package that this layer would hold", .0.display())]
    Nothing(PathBuf),
    /// The process that keeps the tools' directory has failed.
    #[error("the process that keeps the directory of the build: {0}")]
    Keeper(String),
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Names the file that the system's answer is about.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> BuildError + '_ {
    |source| BuildError::Io {
        path: path.to_owned(),
        source,
    }
}
