//! The bytes of one entry: where its data lies, reading it whole and verified, reading it by range.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use super::method::{self, Method};
use super::record::Record;
use super::source::{ReadAt, Stamp};
use super::{Archive, EntryError, EntryId, Input};

/// Local header without its variable fields (APPNOTE 4.3.7).
const HEADER_BYTES: usize = 30;
const HEADER_SIGNATURE: [u8; 4] = *b"PK\x03\x04";
/// Extra fields of a local header that are fetched on suspicion, together with the data.
const EXTRA_GUESS: usize = 64;
/// DEFLATE cannot expand by more than this (zlib.net, "Maximum Compression Factor").
const DEFLATE_MAX_RATIO: u64 = 1032;
/// A thread keeps a buffer for compressed bytes up to this size between reads.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

thread_local! {
    static COMPRESSED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The compressed bytes of one entry, by position.
#[derive(Clone)]
pub struct Member {
    source: Arc<dyn ReadAt>,
    start: u64,
    len: u64,
}

impl Archive {
    /// Reads an entry whole and verifies its size and CRC-32.
    ///
    /// Allocates the declared size, so the caller decides first how large an entry it takes this way.
    ///
    /// # Errors
    /// Semantics decision: (6) an entry that is encrypted, of an unknown method, truncated, lying about
    /// its size or of another CRC gives an error and no byte.
    pub fn read_whole(&self, id: EntryId) -> Result<Vec<u8>, EntryError> {
        let mut out = Vec::new();
        self.read_whole_into(id, &mut out)?;
        Ok(out)
    }

    /// As [`Archive::read_whole`], into a vector that there is already: it holds the entry then, or what
    /// makes no sense after an error.
    ///
    /// # Errors
    /// As [`Archive::read_whole`].
    pub fn read_whole_into(&self, id: EntryId, out: &mut Vec<u8>) -> Result<(), EntryError> {
        let record = &self.record(id);
        check_servable(record)?;
        COMPRESSED.with_borrow_mut(|buffer| {
            let result = self.read_whole_through(record, buffer, out);
            if buffer.capacity() > KEPT_BUFFER_BYTES {
                *buffer = Vec::new();
            }
            result
        })
    }

    fn read_whole_through(
        &self,
        record: &Record,
        buffer: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<(), EntryError> {
        let data = self.fetch(record, buffer)?;
        let size = record.declared_size as usize;
        match out.capacity() {
            // Zeroed by the kernel, where the memory comes fresh from it.
            0 => *out = vec![0; size],
            _ => out.resize(size, 0),
        }
        // Some writers leave out the two bytes that an empty deflate stream has.
        if !(data.is_empty() && out.is_empty()) {
            method::decode_whole(Method::from_code(record.method), data, out)?;
        }
        verify(record, crc32fast::hash(out))
    }

    /// Fetches the local header and the data behind it, usually with one read.
    fn fetch<'b>(&self, record: &Record, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], EntryError> {
        let available = self.available(record)?;
        let guessed = (HEADER_BYTES + usize::from(record.path_len) + EXTRA_GUESS) as u64;
        let wanted = (guessed + record.compressed_size).min(available) as usize;
        buffer.resize(wanted, 0);
        let read = self.source.read_full_at(buffer, record.header_offset)?;
        let head = header_bytes(&buffer[..read], record.header_offset)?;
        let end = head as u64 + record.compressed_size;
        if end > read as u64 {
            // The variable fields are longer than guessed, or the file has shrunk.
            buffer.resize(usize::try_from(end.min(available)).unwrap_or(wanted).max(read), 0);
            let more = self
                .source
                .read_full_at(&mut buffer[read..], record.header_offset + read as u64)?;
            if ((read + more) as u64) < end {
                let found = ((read + more) as u64).saturating_sub(head as u64);
                return Err(EntryError::Truncated {
                    expected: record.compressed_size,
                    found,
                });
            }
        }
        Ok(&buffer[head..end as usize])
    }

    /// Bytes from the entry's local header to the end of the file as it was opened; what the entry
    /// declares must fit in there.
    fn available(&self, record: &Record) -> Result<u64, EntryError> {
        let available = self.opened().size.saturating_sub(record.header_offset);
        let room = available.saturating_sub(HEADER_BYTES as u64);
        if available < HEADER_BYTES as u64 {
            return Err(EntryError::LocalHeader {
                offset: record.header_offset,
            });
        }
        if record.compressed_size > room {
            return Err(EntryError::Truncated {
                expected: record.compressed_size,
                found: room,
            });
        }
        Ok(available)
    }

    /// Finds the data of an entry, for reading it by range.
    ///
    /// # Errors
    /// When the entry cannot be served, or its data does not lie within the file.
    pub fn member(&self, id: EntryId) -> Result<Member, EntryError> {
        let record = &self.record(id);
        check_servable(record)?;
        let available = self.available(record)?;
        let mut header = [0; HEADER_BYTES];
        let read = self.source.read_full_at(&mut header, record.header_offset)?;
        let head = header_bytes(&header[..read], record.header_offset)? as u64;
        if head + record.compressed_size > available {
            let found = available.saturating_sub(head);
            return Err(EntryError::Truncated {
                expected: record.compressed_size,
                found,
            });
        }
        let start = record.header_offset + head;
        Ok(Member {
            source: Arc::clone(&self.source),
            start,
            len: record.compressed_size,
        })
    }

    /// The name of an entry as it stands before its data, neither decoded nor folded.
    pub fn local_name(&self, id: EntryId) -> Result<Vec<u8>, EntryError> {
        let offset = self.record(id).header_offset;
        let mut header = [0; HEADER_BYTES];
        let read = self.source.read_full_at(&mut header, offset)?;
        header_bytes(&header[..read], offset)?;
        let mut name = vec![0; usize::from(u16::from_le_bytes([header[26], header[27]]))];
        let read = self
            .source
            .read_full_at(&mut name, offset + HEADER_BYTES as u64)?;
        name.truncate(read);
        Ok(name)
    }

    /// Compares the CRC-32 of an entry's decoded bytes with the directory's.
    pub fn verify_crc(&self, id: EntryId, found: u32) -> Result<(), EntryError> {
        verify(&self.record(id), found)
    }
}

impl Member {
    /// Size of the compressed data, in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no data.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Size and time of the archive now.
    ///
    /// # Errors
    /// When the archive cannot be asked.
    pub fn stamp(&self) -> io::Result<Stamp> {
        self.source.stamp()
    }

    /// Fills `buf` with the data at `offset`, up to the data's end; returns how much that was.
    ///
    /// # Errors
    /// When the file cannot be read or has become too short.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, EntryError> {
        let wanted = self.len.saturating_sub(offset).min(buf.len() as u64) as usize;
        let read = self
            .source
            .read_full_at(&mut buf[..wanted], self.start + offset)?;
        if read < wanted {
            return Err(EntryError::Truncated {
                expected: self.len,
                found: offset + read as u64,
            });
        }
        Ok(read)
    }

    /// Reads the data from its beginning.
    pub fn reader(&self) -> impl io::Read + Send + use<> {
        MemberReader {
            member: self.clone(),
            position: 0,
        }
    }
}

impl Input for Member {
    fn read_at(&mut self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        Member::read_at(self, buf, offset).map_err(io::Error::other)
    }
}

struct MemberReader {
    member: Member,
    position: u64,
}

impl io::Read for MemberReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self
            .member
            .read_at(buf, self.position)
            .map_err(io::Error::other)?;
        self.position += read as u64;
        Ok(read)
    }
}

/// Says at once what no reading could change.
fn check_servable(record: &Record) -> Result<(), EntryError> {
    let method = Method::from_code(record.method);
    if record.encrypted {
        return Err(EntryError::Encrypted);
    }
    if !method.is_supported() {
        return Err(EntryError::Unsupported(method));
    }
    let (declared, compressed) = (record.declared_size, record.compressed_size);
    let possible = match method {
        Method::Stored => declared == compressed,
        Method::Deflate => declared <= compressed.saturating_mul(DEFLATE_MAX_RATIO),
        _ => true,
    };
    if possible {
        Ok(())
    } else {
        Err(EntryError::ImpossibleSize { declared, compressed })
    }
}

fn verify(record: &Record, found: u32) -> Result<(), EntryError> {
    if found == record.crc {
        Ok(())
    } else {
        Err(EntryError::Crc {
            expected: record.crc,
            found,
        })
    }
}

/// Length of the local header at the start of `bytes`, with its name and extra fields.
fn header_bytes(bytes: &[u8], offset: u64) -> Result<usize, EntryError> {
    match bytes.first_chunk::<HEADER_BYTES>() {
        Some(header) if header[..4] == HEADER_SIGNATURE => {
            let field = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
            Ok(HEADER_BYTES + field(26) + field(28))
        }
        _ => Err(EntryError::LocalHeader { offset }),
    }
}
