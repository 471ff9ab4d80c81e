//! An archive whose source fails: after n calls, for every n, from the first look at it to the last byte; or is written
//! over at that moment. Never another byte with a good status, never a panic, and all is well when the source is.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use optfs::archive::{Archive, ReadAt, Stamp};
use optfs::fs::{Fs, FsError, Kind, Options, ROOT};
use optfs::stack::Stack;

use crate::support::raw_zip::RawZip;
use crate::support::seen::{list, read_range};

/// What a source does once its good calls are used up.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// The device is gone.
    Error,
    /// The file ends after half of its bytes: somebody truncated it.
    HalfIsLeft,
    /// Other bytes, and the file says that it was written to.
    OtherBytes,
    /// Other bytes for so long as one call takes, then the old ones at another time.
    OtherBytesOnce,
}

/// An archive in memory with so many good calls left.
struct Failing {
    bytes: Arc<Vec<u8>>,
    other: Arc<Vec<u8>>,
    good_calls: AtomicI64,
    fault: Fault,
}

/// More calls than any scene makes.
const WELL: i64 = i64::MAX / 2;

impl Failing {
    /// Counts a call; how many were too many by now.
    fn called(&self) -> i64 {
        -(self.good_calls.fetch_sub(1, Ordering::SeqCst) - 1)
    }

    fn set(&self, good_calls: i64) {
        self.good_calls.store(good_calls, Ordering::SeqCst);
    }
}

impl ReadAt for Failing {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let late = self.called();
        match self.fault {
            _ if late <= 0 => self.bytes.read_at(buf, offset),
            Fault::Error => Err(io::Error::from_raw_os_error(5)),
            Fault::HalfIsLeft => {
                let left = (self.bytes.len() as u64 / 2).saturating_sub(offset);
                let len = buf.len().min(left as usize);
                self.bytes.read_at(&mut buf[..len], offset)
            }
            Fault::OtherBytesOnce if late > 1 => self.bytes.read_at(buf, offset),
            Fault::OtherBytes | Fault::OtherBytesOnce => self.other.read_at(buf, offset),
        }
    }

    fn stamp(&self) -> io::Result<Stamp> {
        let late = self.called();
        let stamp = |size: usize, modified_ns| {
            Ok(Stamp {
                size: size as u64,
                modified_ns,
                changed_ns: modified_ns,
            })
        };
        match self.fault {
            _ if late <= 0 => stamp(self.bytes.len(), 0),
            Fault::Error => Err(io::Error::from_raw_os_error(5)),
            Fault::HalfIsLeft => stamp(self.bytes.len() / 2, 1),
            Fault::OtherBytes | Fault::OtherBytesOnce => stamp(self.other.len(), 1),
        }
    }
}

/// Numbers in words; another `salt`, other bytes of the same length.
fn content(salt: usize, len: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..len / 4)
        .flat_map(|i| format!("{:x} ", i * i + salt * 0x10_000).into_bytes())
        .collect();
    bytes.truncate(len);
    bytes
}

/// Larger than what is inflated whole without a cache.
const LARGE: usize = 257 << 10;

/// A member of each kind: small and large, packed in each way.
fn zip(salt: usize) -> Vec<u8> {
    let large = content(salt, LARGE);
    RawZip::new()
        .dir("d/")
        .file("d/stored", content(salt, 3_000))
        .file("d/deflated", content(salt, 30_000))
        .deflate()
        .file("d/streamed", content(salt, 3_000))
        .deflate()
        .descriptor()
        .file("empty", "")
        .symlink("link", "d/stored")
        .file("large-stored", &large)
        .file("large-deflated", &large)
        .deflate()
        .file("large-zstd", &large)
        .raw_data(93, zstd(&large))
        .build()
}

/// One frame of raw blocks (RFC 8878): what a reader that only goes forward decodes.
fn zstd(content: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 100 << 10;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend((content.len() as u32).to_le_bytes());
    let blocks = content.chunks(BLOCK);
    let last = blocks.len() - 1;
    for (number, block) in blocks.enumerate() {
        let header = (block.len() as u32) << 3 | u32::from(number == last);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(block);
    }
    frame
}

/// The contents of all files and links by their names; nothing for those that could not be read.
type Seen = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

fn look(fs: &Fs) -> Seen {
    let mut seen = Seen::new();
    let mut directories = vec![ROOT];
    while let Some(directory) = directories.pop() {
        for listed in list(fs, directory, 0) {
            if listed.name == b"." || listed.name == b".." {
                continue;
            }
            // The tree is in memory: no fault reaches it.
            let attr = fs.lookup(directory, &listed.name).unwrap();
            let answer = match attr.kind {
                Kind::Directory => {
                    directories.push(attr.ino);
                    continue;
                }
                Kind::Symlink => fs.readlink(attr.ino),
                Kind::File => in_pieces(fs, attr.ino, attr.size),
            };
            let content = match answer {
                Ok(bytes) => Some(bytes),
                Err(FsError::Damaged(_)) => None,
                Err(error) => panic!("{}: {error}", listed.name.escape_ascii()),
            };
            seen.insert(listed.name, content);
        }
    }
    seen
}

/// A jump to the middle, then all in order.
fn in_pieces(fs: &Fs, ino: optfs::fs::Ino, size: u64) -> Result<Vec<u8>, FsError> {
    let middle = read_range(fs, ino, size / 2, 100)?;
    let mut all = Vec::new();
    while (all.len() as u64) < size {
        let more = read_range(fs, ino, all.len() as u64, 128 << 10)?;
        assert!(!more.is_empty(), "an end before the end");
        all.extend(more);
    }
    assert!(
        all[size as usize / 2..].starts_with(&middle),
        "two answers for one place"
    );
    Ok(all)
}

fn open(source: &Arc<Failing>) -> Option<Archive> {
    Archive::from_source(Path::new("layer.zip"), Arc::clone(source) as Arc<dyn ReadAt>).ok()
}

fn mount(archive: Archive, cache_capacity_bytes: u64, readers_keep: bool) -> Fs {
    let stack = Stack::merge(vec![archive]).expect("one layer always merges");
    let options = Options {
        cache_capacity_bytes,
        readers_keep,
        ..Options::default()
    };
    Fs::new(Arc::new(stack), options)
}

/// Plays one fault at every moment, and lets it pass; `opened_well` spares the opening.
fn play(fault: Fault, opened_well: bool, readers_keep: bool, cache_capacity_bytes: u64) {
    let (bytes, other) = (Arc::new(zip(1)), Arc::new(zip(2)));
    let source = |good_calls| {
        Arc::new(Failing {
            bytes: Arc::clone(&bytes),
            other: Arc::clone(&other),
            good_calls: AtomicI64::new(good_calls),
            fault,
        })
    };
    let expected = look(&mount(open(&source(WELL)).unwrap(), 0, false));
    assert!(expected.values().all(Option::is_some), "a zip without a fault");
    let (mut refused, mut damaged, mut unharmed) = (0, 0, 0);
    for good_calls in 0.. {
        let source = source(if opened_well { WELL } else { good_calls });
        let Some(archive) = open(&source) else {
            refused += 1;
            source.set(WELL);
            let seen = look(&mount(open(&source).unwrap(), 0, false));
            assert!(seen == expected, "{fault:?} after {good_calls}: opened again");
            continue;
        };
        let fs = mount(archive, cache_capacity_bytes, readers_keep);
        if opened_well {
            source.set(good_calls);
        }
        let seen = look(&fs);
        assert!(seen.keys().eq(expected.keys()), "{fault:?} after {good_calls}");
        for (name, content) in &seen {
            let name = name.escape_ascii();
            assert!(
                content.is_none() || content == &expected[name.to_string().as_bytes()],
                "{fault:?} after {good_calls} calls: {name} has other bytes"
            );
        }
        damaged += i32::from(seen != expected);
        let is_over = source.good_calls.load(Ordering::SeqCst) > 0;
        source.set(WELL);
        assert!(
            look(&fs) == expected,
            "{fault:?} after {good_calls} calls: recovered"
        );
        if is_over {
            unharmed += 1;
            // Threads that inflate ahead make it a call more or less.
            if unharmed > 3 {
                break;
            }
        }
    }
    assert!(damaged > 0, "{fault:?}: the scene proves something");
    assert_eq!(refused > 0, !opened_well, "{fault:?}");
}

#[test]
fn a_source_that_fails_after_any_number_of_calls_costs_no_more_than_that() {
    for fault in [Fault::Error, Fault::HalfIsLeft] {
        play(fault, false, false, 0);
        play(fault, true, true, 2 << 20);
    }
}

/// The time of the archive used to be looked at before a large entry was read and not after: what was written between
/// the two was given out.
#[test]
fn an_archive_written_over_at_any_moment_never_gives_other_bytes() {
    for fault in [Fault::OtherBytes, Fault::OtherBytesOnce] {
        play(fault, true, false, 0);
        play(fault, true, true, 2 << 20);
    }
}
