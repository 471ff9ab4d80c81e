//! One .zip: positioned reads, its entries (kind, size, mode, time, method, CRC), and the bytes of one
//! entry, whole or by range.
//!
//! Knows nothing of other archives, of their order, of inode numbers or of caching.

mod attributes;
mod deflate;
mod directory;
mod error;
mod local;
mod member;
mod method;
mod name;
mod pieces;
mod record;
mod source;
mod survey;
mod verify;

use std::fs::{self, File, FileType};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use attributes::Mtime;
pub use deflate::{Checkpoint, DeflateError, Inflater, Input};
pub use error::{ArchiveError, EntryError};
pub use local::Local;
pub use member::Member;
pub use method::{DecodeError, Method, decoder};
pub use source::{ReadAt, Stamp};
pub use survey::{Listed, Survey};

use crate::path::NameError;
use directory::Directory;
use record::Record;

/// An open archive: its index in memory, its bytes read when asked for.
pub struct Archive {
    path: PathBuf,
    source: Arc<dyn ReadAt>,
    opened: Stamp,
    directory: Directory,
}

/// One entry of one archive, by its place among the legal entries of the central directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(u32);

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// Its name ends in a slash.
    Directory,
    /// Bytes.
    File,
    /// Its bytes are the target.
    Symlink,
}

/// What the central directory says of an entry. The sizes are claims.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The checked path, without leading or trailing slash.
    pub path: &'a [u8],
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits, below 0o1000.
    pub permissions: u16,
    /// Last modification.
    pub mtime: Mtime,
    /// Declared size once decoded, in bytes.
    pub declared_size: u64,
    /// Declared size in the archive, in bytes.
    pub compressed_size: u64,
    /// CRC-32 of the decoded bytes.
    pub crc: u32,
    /// How it is compressed.
    pub method: Method,
    /// Whether it needs a password.
    pub encrypted: bool,
}

/// An entry left out of the index because of its name.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// The name as it lies in the archive.
    pub name: Vec<u8>,
    /// Why no path can be made of it.
    pub reason: NameError,
}

impl EntryId {
    /// Entries that an archive may have: one number below 2³² stays free for "no entry".
    pub(crate) const LIMIT: usize = u32::MAX as usize - 1;

    /// The place in the index, from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The entry at a place in the index; the place must be below [`Archive::len`].
    pub fn from_index(index: usize) -> EntryId {
        debug_assert!(index < EntryId::LIMIT);
        EntryId(index as u32)
    }
}

impl Archive {
    /// Opens a zip and reads its central directory, nothing more.
    ///
    /// # Errors
    /// When the file cannot be read or is no whole zip; the message names the file.
    pub fn open(path: &Path) -> Result<Archive, ArchiveError> {
        let open = |source| ArchiveError::Open {
            path: path.to_owned(),
            source,
        };
        // Asked before it is opened: opening a pipe waits for whoever writes to it.
        refuse_what_is_no_file(path, fs::metadata(path).map_err(open)?.file_type())?;
        let file = File::open(path).map_err(open)?;
        Archive::from_source(path, Arc::new(file))
    }

    /// Reads the central directory of an archive whose bytes come from `source`; `path` is its name in
    /// messages.
    pub fn from_source(path: &Path, source: Arc<dyn ReadAt>) -> Result<Archive, ArchiveError> {
        let open = |source| ArchiveError::Open {
            path: path.to_owned(),
            source,
        };
        let opened = source.stamp().map_err(open)?;
        Archive::opened_before(path, source, opened)
    }

    /// The same of one that somebody opened when its file had this stamp: what has changed since is not the archive.
    pub fn opened_before(
        path: &Path,
        source: Arc<dyn ReadAt>,
        opened: Stamp,
    ) -> Result<Archive, ArchiveError> {
        let directory = directory::read(path, &*source, opened.size)?;
        Ok(Archive {
            path: path.to_owned(),
            source,
            opened,
            directory,
        })
    }

    /// The name it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file, where the bytes come from one.
    pub fn file(&self) -> Option<BorrowedFd<'_>> {
        self.source.file()
    }

    /// Size and times of the file when it was opened.
    pub fn opened(&self) -> Stamp {
        self.opened
    }

    /// Size and times of the file now: not those of [`Archive::opened`] once somebody has written to it.
    pub fn stamp(&self) -> io::Result<Stamp> {
        self.source.stamp()
    }

    /// Fills `buf` with the file's own bytes at `offset`, or with as many as there are; returns how many.
    pub fn read_raw_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.source.read_full_at(buf, offset)
    }

    /// Number of legal entries.
    pub fn len(&self) -> usize {
        self.directory.records.len()
    }

    /// Whether it has no legal entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All legal entries in the order of the central directory.
    pub fn entries(&self) -> impl Iterator<Item = (EntryId, Entry<'_>)> {
        self.entry_ids().map(|id| (id, self.entry(id)))
    }

    /// The numbers of all legal entries, in the order of the central directory.
    pub fn entry_ids(&self) -> impl ExactSizeIterator<Item = EntryId> + use<> {
        (0..self.len()).map(EntryId::from_index)
    }

    /// What the directory says of one entry.
    pub fn entry(&self, id: EntryId) -> Entry<'_> {
        let record = self.record(id);
        Entry {
            path: self.entry_path(id),
            kind: record.kind,
            permissions: record.permissions,
            mtime: record.mtime,
            declared_size: record.declared_size,
            compressed_size: record.compressed_size,
            crc: record.crc,
            method: Method::from_code(record.method),
            encrypted: record.encrypted,
        }
    }

    /// The checked path of an entry.
    pub fn entry_path(&self, id: EntryId) -> &[u8] {
        self.directory.records.path(id.index())
    }

    /// What an entry is.
    pub fn entry_kind(&self, id: EntryId) -> EntryKind {
        self.directory.records.kind(id.index())
    }

    /// Where an entry's path begins among the names of this archive: what [`Archive::name`] takes.
    pub fn path_start(&self, id: EntryId) -> u32 {
        self.directory.records.path_start(id.index())
    }

    /// A run of the archive's checked paths: the tree above refers to parts of paths in this way, so
    /// that every name is in memory once.
    pub fn name(&self, start: u32, len: u16) -> &[u8] {
        &self.directory.records.paths()[start as usize..start as usize + usize::from(len)]
    }

    /// Entries left out because of their names.
    pub fn rejected(&self) -> &[Rejected] {
        &self.directory.rejected
    }

    /// Bytes of memory that the index takes, those of the paths left out.
    pub fn memory_bytes(&self) -> usize {
        self.directory.records.memory_bytes()
    }

    /// Bytes of all checked paths.
    pub fn path_bytes(&self) -> usize {
        self.directory.records.path_bytes()
    }

    fn record(&self, id: EntryId) -> Record {
        self.directory.records.get(id.index())
    }
}

fn refuse_what_is_no_file(path: &Path, kind: FileType) -> Result<(), ArchiveError> {
    let path = path.to_owned();
    let found = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_dir() => return Err(ArchiveError::Directory { path }),
        _ if kind.is_fifo() => "a pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(ArchiveError::NotAFile { path, found })
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive")
            .field("path", &self.path)
            .field("entries", &self.len())
            .finish()
    }
}
