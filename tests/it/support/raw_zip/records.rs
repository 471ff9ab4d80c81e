//! The records of a zip, field by field, and how each is written. Numbers are written as they stand:
//! nothing is checked.

/// The record in front of an entry's data.
pub(crate) struct LocalHeader {
    /// Bent: no entry stands where the central directory says.
    pub(crate) signature: u32,
    /// Bent: a reader of this version should not be able to read the entry.
    pub(crate) version_needed: u16,
    /// Bent: bit 0 encrypted, bit 3 descriptor, bit 11 UTF-8; may differ from the central ones.
    pub(crate) flags: u16,
    /// Bent: the two headers disagree on how the data is packed.
    pub(crate) method: u16,
    /// Bent: the two headers disagree on the time.
    pub(crate) dos_time: u16,
    /// Bent: the two headers disagree on the date.
    pub(crate) dos_date: u16,
    /// Bent: the two headers disagree on the bytes.
    pub(crate) crc: u32,
    /// Bent: the two headers disagree on where the data ends.
    pub(crate) compressed_size: u32,
    /// Bent: the two headers disagree on the size of the file.
    pub(crate) uncompressed_size: u32,
    /// Bent: one entry goes by two names.
    pub(crate) name: Vec<u8>,
    /// Bent: the name's length is not that of the name, so the data starts elsewhere. `None` is honest.
    pub(crate) name_len: Option<u16>,
    /// Bent: fields that the central header does not have.
    pub(crate) extra: Vec<u8>,
    /// Bent: the fields' length is not that of the fields, so the data starts elsewhere. `None` is honest.
    pub(crate) extra_len: Option<u16>,
}

/// The record after an entry's data when the local header did not know the sizes yet.
pub(crate) struct Descriptor {
    /// Bent: false leaves the (optional) signature away.
    pub(crate) with_signature: bool,
    /// Bent: the descriptor disagrees with the central header on the bytes.
    pub(crate) crc: u32,
    /// Bent: the descriptor disagrees with the central header on where the data ends.
    pub(crate) compressed_size: u64,
    /// Bent: the descriptor disagrees with the central header on the size of the file.
    pub(crate) uncompressed_size: u64,
    /// Bent: sizes of eight bytes instead of four.
    pub(crate) wide: bool,
}

/// The record of an entry in the central directory.
pub(crate) struct CentralHeader {
    /// Bent: the central directory breaks off here.
    pub(crate) signature: u32,
    /// Bent: the version of the writer.
    pub(crate) made_by_version: u8,
    /// Bent: who made the entry decides how names and attributes read: 0 FAT, 3 unix, 10 NTFS, 11 VFAT
    /// (MVS), 14 VFAT.
    pub(crate) made_by_host: u8,
    /// Bent: a reader of this version should not be able to read the entry.
    pub(crate) version_needed: u16,
    /// Bent: bit 0 encrypted, bit 3 descriptor, bit 11 UTF-8.
    pub(crate) flags: u16,
    /// Bent: the data is not packed as the header says, or in a way nobody knows.
    pub(crate) method: u16,
    /// Bent: hours, minutes and pairs of seconds that no clock shows.
    pub(crate) dos_time: u16,
    /// Bent: 0 is the 31st of November 1979 to some readers.
    pub(crate) dos_date: u16,
    /// Bent: the bytes do not have this sum.
    pub(crate) crc: u32,
    /// Bent: the data ends elsewhere.
    pub(crate) compressed_size: u32,
    /// Bent: the file's size is a lie.
    pub(crate) uncompressed_size: u32,
    /// Bent: one entry goes by two names.
    pub(crate) name: Vec<u8>,
    /// Bent: the name's length is not that of the name, so the next record starts elsewhere. `None` is
    /// honest.
    pub(crate) name_len: Option<u16>,
    /// Bent: fields that the local header does not have.
    pub(crate) extra: Vec<u8>,
    /// Bent: the fields' length is not that of the fields. `None` is honest.
    pub(crate) extra_len: Option<u16>,
    /// Bent: a comment that looks like something else.
    pub(crate) comment: Vec<u8>,
    /// Bent: the comment's length is not that of the comment. `None` is honest.
    pub(crate) comment_len: Option<u16>,
    /// Bent: the entry starts on another disk.
    pub(crate) disk: u16,
    /// Bent: the text bit and its unknown neighbours.
    pub(crate) internal_attributes: u16,
    /// Bent: the upper half is a unix mode, the lowest byte DOS attributes (1 read-only, 16 directory).
    pub(crate) external_attributes: u32,
    /// Bent: the entry's data is another entry's, or outside of the file.
    pub(crate) local_offset: u32,
}

/// The end of central directory record.
pub(crate) struct End {
    /// Bent: there is no end of central directory.
    pub(crate) signature: u32,
    /// Bent: this is not the only disk.
    pub(crate) disk: u16,
    /// Bent: the central directory starts on another disk.
    pub(crate) directory_disk: u16,
    /// Bent: some entries are on other disks.
    pub(crate) entries_on_disk: u16,
    /// Bent: there are more or fewer entries than that.
    pub(crate) entries: u16,
    /// Bent: the central directory ends elsewhere.
    pub(crate) directory_size: u32,
    /// Bent: the central directory starts elsewhere.
    pub(crate) directory_offset: u32,
    /// Bent: the comment is longer or shorter than the rest of the file. `None` is honest.
    pub(crate) comment_len: Option<u16>,
}

/// The Zip64 end of central directory record.
pub(crate) struct Zip64End {
    /// Bent: the locator points at nothing.
    pub(crate) signature: u32,
    /// Bent: the record ends elsewhere (44 is honest).
    pub(crate) record_size: u64,
    /// Bent: this is not the only disk.
    pub(crate) disk: u32,
    /// Bent: the central directory starts on another disk.
    pub(crate) directory_disk: u32,
    /// Bent: some entries are on other disks.
    pub(crate) entries_on_disk: u64,
    /// Bent: there are more or fewer entries than that.
    pub(crate) entries: u64,
    /// Bent: the central directory ends elsewhere.
    pub(crate) directory_size: u64,
    /// Bent: the central directory starts elsewhere.
    pub(crate) directory_offset: u64,
}

/// The Zip64 end of central directory locator.
pub(crate) struct Locator {
    /// Bent: there is no locator.
    pub(crate) signature: u32,
    /// Bent: the Zip64 end is on another disk.
    pub(crate) disk: u32,
    /// Bent: the Zip64 end is elsewhere, or outside of the file.
    pub(crate) end_offset: u64,
    /// Bent: there are other disks.
    pub(crate) disks: u32,
}

impl LocalHeader {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.signature.to_le_bytes());
        for field in [
            self.version_needed,
            self.flags,
            self.method,
            self.dos_time,
            self.dos_date,
        ] {
            out.extend(field.to_le_bytes());
        }
        for field in [self.crc, self.compressed_size, self.uncompressed_size] {
            out.extend(field.to_le_bytes());
        }
        out.extend(self.name_len.unwrap_or(self.name.len() as u16).to_le_bytes());
        out.extend(self.extra_len.unwrap_or(self.extra.len() as u16).to_le_bytes());
        out.extend(&self.name);
        out.extend(&self.extra);
    }
}

impl Descriptor {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if self.with_signature {
            out.extend(0x0807_4b50u32.to_le_bytes());
        }
        out.extend(self.crc.to_le_bytes());
        for size in [self.compressed_size, self.uncompressed_size] {
            match self.wide {
                true => out.extend(size.to_le_bytes()),
                false => out.extend((size as u32).to_le_bytes()),
            }
        }
    }
}

impl CentralHeader {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.signature.to_le_bytes());
        out.extend([self.made_by_version, self.made_by_host]);
        for field in [
            self.version_needed,
            self.flags,
            self.method,
            self.dos_time,
            self.dos_date,
        ] {
            out.extend(field.to_le_bytes());
        }
        for field in [self.crc, self.compressed_size, self.uncompressed_size] {
            out.extend(field.to_le_bytes());
        }
        out.extend(self.name_len.unwrap_or(self.name.len() as u16).to_le_bytes());
        out.extend(self.extra_len.unwrap_or(self.extra.len() as u16).to_le_bytes());
        out.extend(
            self.comment_len
                .unwrap_or(self.comment.len() as u16)
                .to_le_bytes(),
        );
        out.extend(self.disk.to_le_bytes());
        out.extend(self.internal_attributes.to_le_bytes());
        out.extend(self.external_attributes.to_le_bytes());
        out.extend(self.local_offset.to_le_bytes());
        out.extend(&self.name);
        out.extend(&self.extra);
        out.extend(&self.comment);
    }
}

impl End {
    pub(super) fn write(&self, out: &mut Vec<u8>, comment: &[u8]) {
        out.extend(self.signature.to_le_bytes());
        for field in [self.disk, self.directory_disk, self.entries_on_disk, self.entries] {
            out.extend(field.to_le_bytes());
        }
        out.extend(self.directory_size.to_le_bytes());
        out.extend(self.directory_offset.to_le_bytes());
        out.extend(self.comment_len.unwrap_or(comment.len() as u16).to_le_bytes());
        out.extend(comment);
    }
}

impl Zip64End {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.signature.to_le_bytes());
        out.extend(self.record_size.to_le_bytes());
        out.extend(45u16.to_le_bytes());
        out.extend(45u16.to_le_bytes());
        out.extend(self.disk.to_le_bytes());
        out.extend(self.directory_disk.to_le_bytes());
        for field in [
            self.entries_on_disk,
            self.entries,
            self.directory_size,
            self.directory_offset,
        ] {
            out.extend(field.to_le_bytes());
        }
    }
}

impl Locator {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.signature.to_le_bytes());
        out.extend(self.disk.to_le_bytes());
        out.extend(self.end_offset.to_le_bytes());
        out.extend(self.disks.to_le_bytes());
    }
}

/// Adds an extra field to those of a header.
pub(super) fn push_extra(extra: &mut Vec<u8>, id: u16, field: &[u8]) {
    extra.extend(id.to_le_bytes());
    extra.extend((field.len() as u16).to_le_bytes());
    extra.extend(field);
}
