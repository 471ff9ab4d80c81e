//! A large central directory, read in pieces by several threads.
//!
//! Where a piece ends is found by stepping over records, which costs little; parsing them, which costs
//! more, then goes on beside the reading of the next. Only a directory without anything odd is read so:
//! whatever else it is, and what to say of it, is left to `directory`, which reads it from its start.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;
use std::thread;

use parking_lot::Mutex;
use rawzip::ZipArchive;

use super::directory::Directory;
use super::source::ReadAt;

/// A piece: small enough for a core's own cache, and longer than any record.
const PIECE_BYTES: usize = 256 * 1024;
/// A smaller directory is read sooner than a thread is started.
const LARGE_BYTES: u64 = 4 * PIECE_BYTES as u64;
/// More threads would wait for memory, and for each other.
const MOST_THREADS: usize = 4;

const RECORD_SIGNATURE: &[u8] = b"PK\x01\x02";
const ZIP64_END_SIGNATURE: &[u8] = b"PK\x06\x06";
const FIXED_BYTES: usize = 46;
const END_BYTES: usize = 22;

/// What an end record says of a directory.
pub(super) struct Declared {
    /// Where it lies, up to the end record.
    pub(super) range: Range<u64>,
    /// How many records it has.
    pub(super) entries: u64,
    /// Where its first record says that its entry lies, and its archive's other offsets count from.
    pub(super) first_header_offset: u64,
}

/// The part of the directory that nobody has taken yet.
struct Rest {
    offset: u64,
    entries: u64,
    pieces: usize,
}

/// What has been parsed: in order, and ahead of that.
struct Parsed {
    whole: Directory,
    pieces: usize,
    ahead: BTreeMap<usize, Directory>,
    spare: Vec<Directory>,
}

/// A directory with something odd about it.
#[derive(Debug)]
struct Odd;

/// Whether reading a directory in pieces is worth it.
pub(super) fn is_large(range: &Range<u64>) -> bool {
    range.end - range.start >= LARGE_BYTES
}

/// Reads a directory into `whole`, which has room and nothing in it, when there is nothing odd about it.
pub(super) fn read(source: &dyn ReadAt, declared: &Declared, whole: Directory) -> Option<Directory> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let rest = Mutex::new(Rest {
        offset: declared.range.start,
        entries: declared.entries,
        pieces: 0,
    });
    let parsed = Mutex::new(Parsed {
        whole,
        pieces: 0,
        ahead: BTreeMap::new(),
        spare: Vec::new(),
    });
    let base = base(source, declared)?;
    let work = || {
        let mut buffer = vec![0; PIECE_BYTES + END_BYTES];
        loop {
            let taken = rest.lock().take(source, declared.range.end, &mut buffer)?;
            let Some(piece) = taken else { return Ok(()) };
            let mut directory = parsed.lock().spare.pop().unwrap_or_default();
            parse(&mut buffer, &piece, base, &mut directory)?;
            parsed.lock().add(piece.number, directory)?;
        }
    };
    let results: Result<(), Odd> = thread::scope(|scope| {
        // Who gets no thread does the work alone.
        let others: Vec<_> = (1..threads.min(MOST_THREADS))
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mine = work();
        others.into_iter().fold(mine, |all, other| {
            let theirs = other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            all.and(theirs)
        })
    });
    results.ok()?;
    let rest = rest.into_inner();
    let is_whole = rest.entries == 0 && ends_at(source, declared.range.end, rest.offset);
    is_whole.then(|| parsed.into_inner().whole)
}

/// What `rawzip` adds to the offsets of an archive that has something before it: it does not say.
fn base(source: &dyn ReadAt, declared: &Declared) -> Option<u64> {
    let mut buffer = vec![0; PIECE_BYTES + END_BYTES];
    let mut first = Rest {
        offset: declared.range.start,
        entries: 1,
        pieces: 0,
    };
    let piece = first.take(source, declared.range.end, &mut buffer).ok()??;
    let archive = as_archive(&mut buffer, &piece).ok()?;
    let record = archive.entries().next_entry().ok()??;
    declared
        .first_header_offset
        .checked_sub(record.local_header_offset())
}

/// Whether a directory ends where it should: before the end record, or that of a Zip64 archive.
fn ends_at(source: &dyn ReadAt, end: u64, offset: u64) -> bool {
    let mut signature = [0; 4];
    offset == end || (source.read_full_at(&mut signature, offset).is_ok() && signature == ZIP64_END_SIGNATURE)
}

/// Whole records at the beginning of a buffer.
struct Piece {
    number: usize,
    bytes: usize,
    entries: usize,
}

impl Rest {
    /// Takes the next records, as many as the buffer holds.
    fn take(&mut self, source: &dyn ReadAt, end: u64, buffer: &mut [u8]) -> Result<Option<Piece>, Odd> {
        if self.entries == 0 {
            return Ok(None);
        }
        let wanted = end.saturating_sub(self.offset).min(PIECE_BYTES as u64) as usize;
        let read = source.read_full_at(&mut buffer[..wanted], self.offset);
        let bytes = &buffer[..read.map_err(|_| Odd)?];
        let mut piece = Piece {
            number: self.pieces,
            bytes: 0,
            entries: 0,
        };
        while (piece.entries as u64) < self.entries
            && let Some(record) = bytes[piece.bytes..].first_chunk::<FIXED_BYTES>()
        {
            if !record.starts_with(RECORD_SIGNATURE) {
                return Err(Odd);
            }
            let field = |at: usize| usize::from(u16::from_le_bytes([record[at], record[at + 1]]));
            // Name, extra fields and comment (APPNOTE 4.3.12).
            let next = piece.bytes + FIXED_BYTES + field(28) + field(30) + field(32);
            if next > bytes.len() {
                break;
            }
            piece.bytes = next;
            piece.entries += 1;
        }
        if piece.entries == 0 {
            return Err(Odd);
        }
        self.offset += piece.bytes as u64;
        self.entries -= piece.entries as u64;
        self.pieces += 1;
        Ok(Some(piece))
    }
}

fn parse(buffer: &mut [u8], piece: &Piece, base: u64, into: &mut Directory) -> Result<(), Odd> {
    let archive = as_archive(buffer, piece)?;
    let mut entries = archive.entries();
    let mut seen = 0;
    while let Some(record) = entries.next_entry().map_err(|_| Odd)? {
        let header_offset = record.local_header_offset().checked_add(base).ok_or(Odd)?;
        into.push(&record, header_offset).map_err(|_| Odd)?;
        seen += 1;
    }
    if seen == piece.entries { Ok(()) } else { Err(Odd) }
}

/// `rawzip` takes directories from archives alone: an end record behind the piece makes it one.
fn as_archive<'a>(buffer: &'a mut [u8], piece: &Piece) -> Result<rawzip::ZipSliceArchive<&'a [u8]>, Odd> {
    let entries = u16::try_from(piece.entries).map_err(|_| Odd)?.to_le_bytes();
    let end = &mut buffer[piece.bytes..piece.bytes + END_BYTES];
    end.fill(0);
    end[..4].copy_from_slice(b"PK\x05\x06");
    end[8..10].copy_from_slice(&entries);
    end[10..12].copy_from_slice(&entries);
    end[12..16].copy_from_slice(&(piece.bytes as u32).to_le_bytes());
    ZipArchive::from_slice(&buffer[..piece.bytes + END_BYTES]).map_err(|_| Odd)
}

impl Parsed {
    /// Puts a piece in its place, as soon as all before it are there.
    fn add(&mut self, number: usize, directory: Directory) -> Result<(), Odd> {
        self.ahead.insert(number, directory);
        while let Some(mut next) = self.ahead.remove(&self.pieces) {
            self.pieces += 1;
            self.whole.append(&mut next).map_err(|_| Odd)?;
            self.spare.push(next);
        }
        Ok(())
    }
}
