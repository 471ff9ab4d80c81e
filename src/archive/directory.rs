//! The central directory: finding it, and reading it into the index of an archive.
//!
//! Every declared number is a claim. Time and memory grow with the directory as it lies in the file.

use std::ops::ControlFlow;
use std::path::Path;

use rawzip::{ErrorKind, ZipArchive, ZipFileHeaderRecord, ZipLocator};

use super::pieces::{self, Declared};
use super::record::{Record, Records};
use super::source::ReadAt;
use super::{ArchiveError, EntryId, Rejected, attributes, name};
use crate::path::{NameError, RelPath};

/// Read at once from the directory; also the longest record that is understood (three fields of
/// 65,535 bytes after 46 fixed ones).
pub(super) const BUFFER_BYTES: usize = 256 * 1024;
/// How far from the end the end record is searched: its comment has at most 65,535 bytes, the rest
/// forgives trailing garbage.
const SEARCH_BYTES: u64 = 1 << 20;
/// End-record candidates that are tried before the search gives up.
const MAX_CANDIDATES: usize = 256;

/// Enough for a first look at one record: most have far less than this.
const GLANCE_BYTES: usize = 4096;

const END_SIZE: usize = 22;
const FIXED_RECORD_BYTES: u64 = 46;

/// What a central directory holds: the legal entries in order with their paths, and the entries left out.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) records: Records,
    pub(super) rejected: Vec<Rejected>,
}

/// Lets `rawzip` read from our sources.
pub(super) struct Positioned<'a>(&'a dyn ReadAt);

impl rawzip::ReaderAt for Positioned<'_> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
        self.0.read_at(buf, offset)
    }
}

/// Reads the directory of the archive at `path`, whose bytes are `source`, `size` of them.
pub(super) fn read(path: &Path, source: &dyn ReadAt, size: u64) -> Result<Directory, ArchiveError> {
    let mut buffer = vec![0; BUFFER_BYTES];
    if size == 0 {
        return Err(ArchiveError::Empty {
            path: path.to_owned(),
        });
    }
    let archive = locate(path, source, size, &mut buffer)?;
    refuse_split(path, source, archive.eocd_offset())?;

    let range = archive.directory_offset()..archive.eocd_offset().max(archive.directory_offset());
    let directory_bytes = range.end - range.start;
    let expected = archive.entries_hint().min(directory_bytes / FIXED_RECORD_BYTES);
    // What is not fixed is names, and extra fields: pages that are never written cost nothing.
    let path_bytes = (directory_bytes - expected * FIXED_RECORD_BYTES).min(u32::MAX.into());
    let empty = || {
        let mut directory = Directory::default();
        directory.records.reserve(expected as usize, path_bytes as usize);
        directory
    };
    let in_pieces = match pieces::is_large(&range) {
        true => first_header_offset(&archive, &mut buffer).and_then(|first_header_offset| {
            let declared = Declared {
                range,
                entries: archive.entries_hint(),
                first_header_offset,
            };
            pieces::read(source, &declared, empty())
        }),
        false => None,
    };
    let mut directory = match in_pieces {
        Some(directory) => directory,
        None => one_by_one(path, &archive, &mut buffer, empty())?,
    };
    directory.records.shrink();
    Ok(directory)
}

fn first_header_offset(archive: &Located<'_>, buffer: &mut [u8]) -> Option<u64> {
    let mut entries = archive.entries(&mut buffer[..GLANCE_BYTES]);
    Some(entries.next_entry().ok()??.local_header_offset())
}

fn one_by_one(
    path: &Path,
    archive: &Located<'_>,
    buffer: &mut [u8],
    mut directory: Directory,
) -> Result<Directory, ArchiveError> {
    each_record(path, archive, buffer, |record| {
        let header_offset = record.local_header_offset();
        directory
            .push(record, header_offset)
            .map_err(|limit| limit.of(path))
    })?;
    Ok(directory)
}

/// Hands out the records of a central directory in order, the illegal ones included.
pub(super) fn each_record(
    path: &Path,
    archive: &Located<'_>,
    buffer: &mut [u8],
    mut visit: impl FnMut(&ZipFileHeaderRecord<'_>) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut entries = archive.entries(buffer);
    let mut seen = 0;
    loop {
        match entries.next_entry() {
            Ok(None) => return Ok(()),
            Ok(Some(record)) => visit(&record)?,
            // What lies between the last declared entry and the end record is somebody else's.
            Err(_) if seen as u64 == archive.entries_hint() && seen > 0 => return Ok(()),
            Err(e) => {
                let detail = e.to_string().to_lowercase();
                return Err(ArchiveError::Damaged {
                    path: path.to_owned(),
                    entries: seen,
                    detail,
                });
            }
        }
        seen += 1;
    }
}

/// Checks a decoded name, and that the index can say how long it is. A Unicode path field may hold a name
/// of 65,530 bytes, CP437 may treble 65,535: the longest names of all are past every limit of a filesystem.
pub(super) fn legal(decoded: &[u8]) -> Result<RelPath<'_>, NameError> {
    let checked = RelPath::check(decoded)?;
    match checked.as_bytes().len() {
        len if len > usize::from(u16::MAX) => Err(NameError::TooLong(len)),
        _ => Ok(checked),
    }
}

/// What an index cannot count any more.
#[derive(Debug)]
pub(super) struct Limit(&'static str);

impl Limit {
    fn of(self, archive: &Path) -> ArchiveError {
        ArchiveError::TooLarge {
            path: archive.to_owned(),
            limit: self.0,
        }
    }
}

impl Directory {
    pub(super) fn push(&mut self, record: &ZipFileHeaderRecord<'_>, header_offset: u64) -> Result<(), Limit> {
        let raw = record.file_path();
        let host = record.version_made_by().creator_system().as_u8();
        let decoded = name::decode(raw.as_ref(), record.extra_fields(), host);
        let checked = match legal(&decoded) {
            Ok(checked) => checked,
            Err(reason) => {
                self.rejected.push(Rejected {
                    name: raw.as_ref().to_vec(),
                    reason,
                });
                return Ok(());
            }
        };
        let path_len = checked.as_bytes().len() as u16;
        self.check_limits(1, path_len.into())?;
        let (kind, permissions) = attributes::kind_and_permissions(record);
        let record = Record {
            header_offset,
            compressed_size: record.compressed_size_hint(),
            declared_size: record.uncompressed_size_hint(),
            mtime: attributes::mtime(record),
            crc: record.crc32(),
            path_len,
            permissions,
            method: record.compression_method().as_u16(),
            kind,
            encrypted: record.flags().is_encrypted(),
        };
        self.records.push(checked.as_bytes(), record);
        Ok(())
    }

    /// Takes all from a directory whose records come behind ours.
    pub(super) fn append(&mut self, behind: &mut Directory) -> Result<(), Limit> {
        self.check_limits(behind.records.len(), behind.records.path_bytes())?;
        self.records.append(&mut behind.records);
        self.rejected.append(&mut behind.rejected);
        Ok(())
    }

    /// Places and paths are counted in 32 bits.
    fn check_limits(&self, entries: usize, path_bytes: usize) -> Result<(), Limit> {
        if self.records.path_bytes() + path_bytes > u32::MAX as usize {
            return Err(Limit("4 GiB of names"));
        }
        if self.records.len() + entries > EntryId::LIMIT {
            return Err(Limit("4,294,967,294 entries"));
        }
        Ok(())
    }
}

pub(super) type Located<'a> = ZipArchive<Positioned<'a>>;

/// Finds the end record. The signature may also stand in a comment, or in bytes behind the archive:
/// the first candidate from the end whose comment ends with the file and whose directory begins with
/// an entry is it; failing that, the first whose directory begins with an entry.
pub(super) fn locate<'a>(
    path: &Path,
    source: &'a dyn ReadAt,
    size: u64,
    buffer: &mut [u8],
) -> Result<Located<'a>, ArchiveError> {
    let mut second_best = None;
    let best = candidates(path, source, size, buffer, |archive, buffer| {
        if begins_with_an_entry(&archive, buffer) {
            if archive.end_offset() == size {
                return ControlFlow::Break(archive);
            }
            second_best.get_or_insert(archive);
        }
        ControlFlow::Continue(())
    })?;
    best.or(second_best).ok_or_else(|| not_a_zip(path, source, size))
}

/// Tries the end records that stand in the last MiB of a file, the last first, until one is taken.
pub(super) fn candidates<'a>(
    path: &Path,
    source: &'a dyn ReadAt,
    size: u64,
    buffer: &mut [u8],
    mut visit: impl FnMut(Located<'a>, &mut [u8]) -> ControlFlow<Located<'a>>,
) -> Result<Option<Located<'a>>, ArchiveError> {
    let mut end = size;
    for _ in 0..MAX_CANDIDATES {
        let searched = size - end;
        let locator = ZipLocator::new().max_search_space(SEARCH_BYTES.saturating_sub(searched));
        let candidate_offset = match locator.locate_in_reader(Positioned(source), buffer, end) {
            Ok(archive) => {
                let at = archive.eocd_offset();
                if let ControlFlow::Break(taken) = visit(archive, buffer) {
                    return Ok(Some(taken));
                }
                at
            }
            Err((_, e)) => match (e.eocd_offset(), e.kind()) {
                (Some(at), _) => at,
                (None, ErrorKind::IO(io)) => {
                    return Err(ArchiveError::Open {
                        path: path.to_owned(),
                        source: std::io::Error::new(io.kind(), io.to_string()),
                    });
                }
                (None, _) => break,
            },
        };
        // An earlier signature may still end inside the four bytes of this one.
        end = candidate_offset.saturating_add(3).min(end.saturating_sub(1));
        if end < END_SIZE as u64 || size - end >= SEARCH_BYTES {
            break;
        }
    }
    Ok(None)
}

pub(super) fn begins_with_an_entry(archive: &Located<'_>, buffer: &mut [u8]) -> bool {
    if matches!(
        archive.entries(&mut buffer[..GLANCE_BYTES]).next_entry(),
        Ok(Some(_))
    ) {
        return true;
    }
    match archive.entries(buffer).next_entry() {
        Ok(Some(_)) => true,
        Ok(None) => archive.entries_hint() == 0,
        Err(_) => false,
    }
}

/// `rawzip` does not show the disk numbers of the end record (APPNOTE 4.3.16).
fn refuse_split(path: &Path, source: &dyn ReadAt, end_offset: u64) -> Result<(), ArchiveError> {
    let mut end = [0; END_SIZE];
    let read = source.read_full_at(&mut end, end_offset);
    let field = |at: usize| u16::from_le_bytes([end[at], end[at + 1]]);
    match read {
        Ok(END_SIZE) if field(4) != 0 && field(4) != u16::MAX && field(8) != field(10) => {
            Err(ArchiveError::Split {
                path: path.to_owned(),
                part: u32::from(field(4)) + 1,
            })
        }
        _ => Ok(()),
    }
}

/// Says what the file is instead.
fn not_a_zip(path: &Path, source: &dyn ReadAt, size: u64) -> ArchiveError {
    let mut head = [0; 8];
    let read = source.read_full_at(&mut head, 0).unwrap_or(0);
    let path = path.to_owned();
    let found = match &head[..read] {
        [b'P', b'K', 1..=8, 1..=8, ..] => return ArchiveError::Truncated { path, size },
        [0x1f, 0x8b, ..] => "it begins like a gzip file".to_owned(),
        [b'B', b'Z', b'h', ..] => "it begins like a bzip2 file".to_owned(),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => "it begins like an xz file".to_owned(),
        [b'7', b'z', 0xbc, 0xaf, ..] => "it begins like a 7z archive".to_owned(),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "it begins like a zstd file".to_owned(),
        [0x7f, b'E', b'L', b'F', ..] => "it is an ELF program".to_owned(),
        [b'<', ..] => "it begins like an HTML or XML page, is it a failed download?".to_owned(),
        [b'{', ..] => "it begins like JSON, is it a failed download?".to_owned(),
        bytes => format!("it begins with \"{}\"", bytes.escape_ascii()),
    };
    ArchiveError::NotZip { path, found }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::SimpleFileOptions;

    use super::*;

    /// Enough for several pieces, with names that take more or less room than they have in the archive.
    fn archive(before: usize) -> Vec<u8> {
        let mut out = Cursor::new(vec![b'#'; before]);
        out.set_position(before as u64);
        let mut writer = zip::ZipWriter::new(out);
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        for i in 0..30_000 {
            let name = match i % 1000 {
                7 => format!("../out-{i}"),
                8 => format!("/a//./folded-{i}"),
                9 => format!("{}-{i}", "long".repeat(30)),
                10 => format!("directory-{i}/"),
                _ => format!("directory-{i}/file.txt"),
            };
            writer.start_file(name, options).unwrap();
            writer.write_all(b"x").unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn alone(path: &Path, source: &Vec<u8>) -> Result<Directory, ArchiveError> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let archive = locate(path, source, source.len() as u64, &mut buffer)?;
        one_by_one(path, &archive, &mut buffer, Directory::default())
    }

    fn in_pieces(path: &Path, source: &Vec<u8>) -> Option<Directory> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let archive = locate(path, source, source.len() as u64, &mut buffer).ok()?;
        let declared = Declared {
            range: archive.directory_offset()..archive.eocd_offset(),
            entries: archive.entries_hint(),
            first_header_offset: first_header_offset(&archive, &mut buffer)?,
        };
        assert!(pieces::is_large(&declared.range));
        pieces::read(source, &declared, Directory::default())
    }

    fn assert_alike(one: &Directory, other: &Directory) {
        assert_eq!(one.records.len(), other.records.len());
        for i in 0..other.records.len() {
            assert_eq!(one.records.get(i), other.records.get(i));
            assert_eq!(one.records.path(i), other.records.path(i));
        }
        let names = |directory: &Directory| -> Vec<Vec<u8>> {
            let rejected = directory.rejected.iter();
            rejected.map(|rejected| rejected.name.clone()).collect()
        };
        assert_eq!(names(one), names(other));
    }

    #[test]
    fn a_directory_read_in_pieces_is_the_same() {
        let path = Path::new("large.zip");
        for before in [0, 1000] {
            let source = archive(before);
            let (whole, pieces) = (alone(path, &source).unwrap(), in_pieces(path, &source).unwrap());
            assert_eq!((whole.records.len(), whole.rejected.len()), (29_970, 30));
            assert_alike(&pieces, &whole);
        }
    }

    #[test]
    fn a_bent_directory_read_in_pieces_is_the_same_or_left_to_the_other_way() {
        let path = Path::new("bent.zip");
        let source = archive(0);
        let end = source.len() - END_SIZE;
        let start = u32::from_le_bytes(source[end + 16..end + 20].try_into().unwrap()) as usize;
        let records: Vec<_> = (start..end)
            .filter(|&at| source[at..].starts_with(b"PK\x01\x02"))
            .collect();
        let (mut in_both, mut left) = (0, 0);
        for turn in 0..40 {
            // Any byte of some record's first fifty, the last of which are of its name.
            let mut bent = source.clone();
            let at = records[turn * 7919 % records.len()] + turn * 7 % 50;
            bent[at] ^= 1 << (turn % 8);
            let Some(pieces) = in_pieces(path, &bent) else {
                left += 1;
                continue;
            };
            assert_alike(&pieces, &alone(path, &bent).unwrap());
            in_both += 1;
        }
        assert!(in_both > 10 && left > 3, "{in_both} and {left}");
    }

    #[test]
    fn a_large_directory_with_something_odd_is_read_from_its_start() {
        let path = Path::new("odd.zip");
        let source = archive(0);
        let end = source.len() - END_SIZE;
        // One entry fewer than there are, one more, and a record whose signature is bent.
        let bend = |at: usize, to: u8| {
            let mut bent = source.clone();
            bent[at] = to;
            bent
        };
        let fewer = bend(end + 10, source[end + 10] - 1);
        let more = bend(end + 10, source[end + 10] + 1);
        let start = u32::from_le_bytes(source[end + 16..end + 20].try_into().unwrap()) as usize;
        let mut signatures = (start..end).filter(|&at| source[at..].starts_with(b"PK\x01\x02"));
        let damaged = bend(signatures.next_back().unwrap() + 2, 9);
        for odd in [&fewer, &more, &damaged] {
            assert!(in_pieces(path, odd).is_none());
        }
        for odd in [&fewer, &more] {
            let read = read(path, odd, odd.len() as u64).unwrap();
            assert_eq!(read.records.len(), 29_970);
        }
        let refused = read(path, &damaged, damaged.len() as u64).unwrap_err();
        assert!(
            matches!(refused, ArchiveError::Damaged { entries: 29_999, .. }),
            "{refused}"
        );
    }
}
