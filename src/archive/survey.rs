//! A second, closer look at an archive: what its central directory says beyond the index, where things lie
//! in the file, and which other ends it might be read from.
//!
//! Plain facts, read when somebody asks: mounts never need them. What they mean is for others to judge.

use std::ops::{ControlFlow, Range};

use super::directory::{BUFFER_BYTES, begins_with_an_entry, candidates, each_record, legal, locate};
use super::{Archive, ArchiveError, EntryId, EntryKind, attributes, name};

/// Where the parts of an archive lie, and all that its central directory lists.
#[derive(Debug)]
pub struct Survey {
    /// Bytes of the file.
    pub file_bytes: u64,
    /// The central directory, from its first record up to the end record.
    pub directory: Range<u64>,
    /// Where the end record and its comment end: behind it lies what is none of the archive.
    pub end_offset: u64,
    /// How many entries the end record declares.
    pub declared_entries: u64,
    /// Offsets of other end records that a reader might take for the archive's.
    pub other_ends: Vec<u64>,
    /// What the directory lists, in its order, entries with illegal names included.
    pub listed: Vec<Listed>,
}

/// One record of a central directory, as far as the index leaves it out.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Where the entry's local header should lie.
    pub header_offset: u64,
    /// Declared size in the archive, in bytes.
    pub compressed_size: u64,
    /// Declared size once decoded, in bytes.
    pub declared_size: u64,
    /// CRC-32 of the decoded bytes.
    pub crc: u32,
    /// The whole Unix mode, kind included; none from a creator that knows no modes.
    pub unix_mode: Option<u32>,
    /// Whether it needs a password.
    pub encrypted: bool,
    /// Whether sizes and CRC may stand behind the data and not in the local header (APPNOTE 4.4.4).
    pub has_descriptor: bool,
    /// The method's code.
    pub method: u16,
    /// The legal entry that it is; none where its name is illegal.
    pub entry: Option<EntryId>,
    /// The name as it lies in the archive, where that is not what the entry's path says already.
    raw_name: Option<Box<[u8]>>,
}

impl Archive {
    /// Reads the central directory again, for all that it says.
    ///
    /// Takes time and memory in proportion to the directory.
    ///
    /// # Errors
    /// When the file cannot be read, or is no longer the zip that was opened.
    pub fn survey(&self) -> Result<Survey, ArchiveError> {
        let (path, source, size) = (self.path(), &*self.source, self.opened().size);
        let mut buffer = vec![0; BUFFER_BYTES];
        let archive = locate(path, source, size, &mut buffer)?;
        let (first, end_offset) = (archive.directory_offset(), archive.end_offset());
        let mut other_ends = Vec::new();
        candidates(path, source, size, &mut buffer, |other, buffer| {
            let at = other.eocd_offset();
            // One that lies in an entry's data ends there, as that of a zip within the zip.
            let could_be_meant = other.end_offset() == size || at > first;
            if at != archive.eocd_offset()
                && could_be_meant
                && other.entries_hint() > 0
                && begins_with_an_entry(&other, buffer)
            {
                other_ends.push(at);
            }
            ControlFlow::Continue(())
        })?;
        let mut listed = Vec::with_capacity(self.len() + self.rejected().len());
        let mut next = 0;
        each_record(path, &archive, &mut buffer, |record| {
            let raw = record.file_path();
            let host = record.version_made_by().creator_system().as_u8();
            let decoded = name::decode(raw.as_ref(), record.extra_fields(), host);
            let entry = match legal(&decoded) {
                Ok(_) if next < self.len() => Some(EntryId::from_index(next)),
                Ok(_) => return Err(changed(path)),
                Err(_) => None,
            };
            next += usize::from(entry.is_some());
            let is_plain = entry.is_some_and(|id| self.plain_name(id).eq(raw.as_ref().iter().copied()));
            listed.push(Listed {
                header_offset: record.local_header_offset(),
                compressed_size: record.compressed_size_hint(),
                declared_size: record.uncompressed_size_hint(),
                crc: record.crc32(),
                unix_mode: attributes::unix_mode(record),
                encrypted: record.flags().is_encrypted(),
                has_descriptor: record.flags().has_data_descriptor(),
                method: record.compression_method().as_u16(),
                entry,
                raw_name: (!is_plain).then(|| raw.as_ref().into()),
            });
            Ok(())
        })?;
        if next != self.len() {
            return Err(changed(path));
        }
        Ok(Survey {
            file_bytes: size,
            directory: first..archive.eocd_offset(),
            end_offset,
            declared_entries: archive.entries_hint(),
            other_ends,
            listed,
        })
    }

    /// The name of a listed entry as it lies in the archive.
    pub fn raw_name(&self, listed: &Listed) -> Vec<u8> {
        match (&listed.raw_name, listed.entry) {
            (Some(raw), _) => raw.to_vec(),
            (None, Some(id)) => self.plain_name(id).collect(),
            (None, None) => Vec::new(),
        }
    }

    /// Whether these are the bytes of a listed entry's name.
    pub fn has_raw_name(&self, listed: &Listed, name: &[u8]) -> bool {
        match (&listed.raw_name, listed.entry) {
            (Some(raw), _) => **raw == *name,
            (None, Some(id)) => match self.entry_kind(id) {
                EntryKind::Directory => name.strip_suffix(b"/") == Some(self.entry_path(id)),
                EntryKind::File | EntryKind::Symlink => name == self.entry_path(id),
            },
            (None, None) => false,
        }
    }

    /// The path of an entry with the slash that marks a directory: what most names in archives are.
    fn plain_name(&self, id: EntryId) -> impl Iterator<Item = u8> {
        let slash = (self.entry_kind(id) == EntryKind::Directory).then_some(b'/');
        self.entry_path(id).iter().copied().chain(slash)
    }
}

impl Listed {
    /// The name as it lies in the archive, where something had to be done to make a path of it.
    pub fn odd_name(&self) -> Option<&[u8]> {
        self.raw_name.as_deref()
    }
}

fn changed(path: &std::path::Path) -> ArchiveError {
    ArchiveError::Open {
        path: path.to_owned(),
        source: std::io::Error::other("the file has changed since it was opened"),
    }
}
