//! The tree of a layer, built from a list of packages: `requirements.txt` by pip, `package.json` by npm, for the runtime and
//! the architecture that it is for, whatever this machine is. The same packages give the same tree.
//!
//! Knows nothing of zips, of the store, and of how progress is shown. Nothing is left behind, however this process ends: what
//! the tools write lies in a directory of the [`keeper`]'s.

mod error;
pub mod keeper;
mod npm;
mod pip;
mod settle;

use std::path::{Path, PathBuf};
use std::process::Command;

pub use error::BuildError;

use crate::launch::runtime::Runtime;
use keeper::Kept;

/// What a layer is built from.
#[derive(Debug, Clone)]
pub enum List {
    /// What pip reads.
    Requirements(PathBuf),
    /// What npm reads.
    Package {
        /// The package whose dependencies are meant.
        file: PathBuf,
        /// Whether what it depends on may run programs of its own while it is installed.
        allow_scripts: bool,
    },
}

/// The processor that a layer is for, as AWS names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Intel's and AMD's.
    X86_64,
    /// 64-bit ARM, AWS's Graviton.
    Arm64,
}

/// A tree as it is to be in `/opt`. Dropped, it is gone.
pub struct Built {
    top: PathBuf,
    /// What may be wrong with it, in sentences.
    pub doubts: Vec<String>,
    _kept: Kept,
}

/// Who is told how far it is.
pub trait Progress {
    /// A line that pip or npm has printed.
    fn says(&self, line: &str);
}

impl List {
    /// The file.
    pub fn file(&self) -> &Path {
        match self {
            List::Requirements(file) | List::Package { file, .. } => file,
        }
    }
}

impl Architecture {
    /// Of the machine that this program runs on; none where AWS has no such.
    pub fn of_this_machine() -> Option<Architecture> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Architecture::X86_64),
            "aarch64" => Some(Architecture::Arm64),
            _ => None,
        }
    }

    /// As AWS writes it.
    pub fn word(self) -> &'static str {
        match self {
            Architecture::X86_64 => "x86_64",
            Architecture::Arm64 => "arm64",
        }
    }
}

impl Built {
    /// The directory of what will be in `/opt`.
    pub fn top(&self) -> &Path {
        &self.top
    }
}

/// Builds the tree. `keeper` is this program in the role of [`keeper::keep`].
///
/// # Errors
/// When the list is none, the runtime is of another language, pip or npm is not there, or it fails: then in its own words.
pub fn build(
    list: &List,
    runtime: Runtime,
    architecture: Architecture,
    keeper: Command,
    progress: &dyn Progress,
) -> Result<Built, BuildError> {
    match list {
        List::Requirements(file) => pip::build(file, runtime, architecture, keeper, progress),
        List::Package { file, allow_scripts } => {
            npm::build(file, *allow_scripts, runtime, architecture, keeper, progress)
        }
    }
}
