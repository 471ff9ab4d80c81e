//! What can be wrong with an archive, and with one entry of it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::deflate::DeflateError;
use super::method::{DecodeError, Method};

/// Why an archive cannot be opened. Every message begins with the archive's path.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The file is missing, or its permissions are in the way.
    #[error("{}: {}", path.display(), in_words(source))]
    Open {
        /// The archive.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory was named where a zip belongs.
    #[error("{}: a directory, not a layer zip", path.display())]
    Directory {
        /// The archive.
        path: PathBuf,
    },
    /// A pipe, a device or a socket was named: a zip is read by position.
    #[error("{}: {found}, expected a zip file", path.display())]
    NotAFile {
        /// The archive.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// Zero bytes.
    #[error("{}: the file is empty, expected a zip", path.display())]
    Empty {
        /// The archive.
        path: PathBuf,
    },
    /// No end record, and the file does not even begin like a zip.
    #[error("{}: not a zip: {found}", path.display())]
    NotZip {
        /// The archive.
        path: PathBuf,
        /// What the file begins like.
        found: String,
    },
    /// It begins like a zip, but its end is missing.
    #[error(
        "{}: the zip's end is missing: {size} bytes are here, is the download or copy incomplete?",
        path.display()
    )]
    Truncated {
        /// The archive.
        path: PathBuf,
        /// The file's size in bytes.
        size: u64,
    },
    /// One part of a zip that was split into several files.
    #[error("{}: part {part} of a zip split into several files: join them first", path.display())]
    Split {
        /// The archive.
        path: PathBuf,
        /// Number of this part, from 1.
        part: u32,
    },
    /// The central directory cannot be followed.
    #[error("{}: the central directory is damaged after {entries} entries: {detail}", path.display())]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// Entries read before the damage.
        entries: usize,
        /// What was found.
        detail: String,
    },
    /// More entries or longer names than the index counts: 2³² − 1 entries, 4 GiB of names.
    #[error("{}: too large: more than {limit}", path.display())]
    TooLarge {
        /// The archive.
        path: PathBuf,
        /// Which limit it is over.
        limit: &'static str,
    },
}

impl ArchiveError {
    /// What the user can do next, where there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            ArchiveError::Open { source, .. } => match source.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Some("check the path of the layer"),
                io::ErrorKind::PermissionDenied => {
                    Some("make the file readable (chmod +r) and its directories searchable (chmod +x)")
                }
                _ => None,
            },
            ArchiveError::Directory { .. } => {
                Some("zip it first: (cd DIR && zip -qry ../layer.zip .), then name the zip")
            }
            ArchiveError::NotAFile { .. } => Some("write the zip to a file first, then name that"),
            ArchiveError::Empty { .. } | ArchiveError::Truncated { .. } => {
                Some("fetch or build the layer again, and compare its size")
            }
            ArchiveError::NotZip { .. } => Some("a layer is a .zip; convert other archives with zip -qry"),
            ArchiveError::Damaged { .. } => Some("test it with: unzip -t"),
            ArchiveError::Split { .. } | ArchiveError::TooLarge { .. } => None,
        }
    }
}

/// What the system said, as people say it.
fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied: this user may not read it".to_owned(),
        _ => error.to_string(),
    }
}

/// Why an entry cannot be read. The message says what was expected and what was found; the one who
/// prints it knows the archive and the entry.
#[derive(Debug, Error)]
pub enum EntryError {
    /// The archive's file cannot be read.
    #[error("reading the archive failed: {0}")]
    Io(#[from] io::Error),
    /// It needs a password.
    #[error("the entry is encrypted")]
    Encrypted,
    /// No reader for its method.
    #[error("compression method {} ({}) is not supported", .0.code(), .0.name())]
    Unsupported(Method),
    /// No local header where the central directory says.
    #[error("no local header at offset {offset}")]
    LocalHeader {
        /// Bytes from the start of the file.
        offset: u64,
    },
    /// The data runs past the end of the file.
    #[error("the data should be {expected} bytes, the archive ends after {found}")]
    Truncated {
        /// Bytes that the central directory promises.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The declared size is more than the data could ever decode to, or than memory allows.
    #[error("declared as {declared} bytes, but {compressed} compressed bytes cannot hold that")]
    ImpossibleSize {
        /// Declared size in bytes.
        declared: u64,
        /// Bytes of compressed data.
        compressed: u64,
    },
    /// The compressed data is not what its method writes, or not as long as declared.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// The deflated data cannot be decoded on.
    #[error("{0}")]
    Deflate(#[from] DeflateError),
    /// The compressed data cannot be decoded on.
    #[error("the compressed data is damaged: {0}")]
    Stream(io::Error),
    /// The compressed data ends before the declared size.
    #[error("declared as {declared} bytes, the data ends after {found}")]
    TooShort {
        /// Declared size in bytes.
        declared: u64,
        /// Bytes that came out.
        found: u64,
    },
    /// The compressed data goes on behind the declared size.
    #[error("declared as {declared} bytes, the data goes on behind them")]
    TooLong {
        /// Declared size in bytes.
        declared: u64,
    },
    /// The archive was written to between the look at its time and the end of the read.
    #[error("the archive was written to while it was read")]
    Changed,
    /// The bytes are not those that were packed.
    #[error("crc {found:08x}, expected {expected:08x}")]
    Crc {
        /// From the central directory.
        expected: u32,
        /// Of the bytes that came out.
        found: u32,
    },
}
