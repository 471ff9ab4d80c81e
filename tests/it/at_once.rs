//! Entries inflate at the same time: the source lets no read of an entry go before a read of another entry stands beside
//! it. A lock held over either would keep them waiting for each other.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use optfs::archive::{Archive, ReadAt, Stamp};
use optfs::fs::{Fs, Options};
use optfs::stack::Stack;

use crate::support::raw_zip::RawZip;
use crate::support::seen::{attr, read_range};

/// Only a failing test waits for so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// An archive of which nothing can be read but two entries at a time.
struct InPairs {
    bytes: Vec<u8>,
    /// Where each entry begins.
    starts: Vec<u64>,
    meeting: Mutex<Meeting>,
    changed: Condvar,
}

#[derive(Default)]
struct Meeting {
    /// Off while the archive is opened.
    is_on: bool,
    /// The entries that are being read.
    inside: Vec<usize>,
    met: bool,
}

impl ReadAt for InPairs {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut meeting = self.meeting.lock().unwrap();
        if meeting.is_on && !meeting.met {
            let entry = self.starts.partition_point(|&start| start <= offset);
            meeting.met |= meeting.inside.iter().any(|&other| other != entry);
            meeting.inside.push(entry);
            self.changed.notify_all();
            let alone = |meeting: &mut Meeting| !meeting.met;
            let (after, waited) = self.changed.wait_timeout_while(meeting, PATIENCE, alone).unwrap();
            if waited.timed_out() {
                return Err(io::Error::other("nobody else read meanwhile"));
            }
            drop(after);
        } else {
            drop(meeting);
        }
        self.bytes.read_at(buf, offset)
    }

    fn stamp(&self) -> io::Result<Stamp> {
        self.bytes.stamp()
    }
}

/// Larger than what is inflated whole.
const LARGE: usize = 9 << 20;

fn content(salt: usize, len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 7 * salt) as u8).collect()
}

#[test]
fn two_entries_of_one_archive_inflate_at_once() {
    let kinds = [
        ("small", 50_000, true),
        ("large", LARGE, true),
        ("stored", LARGE, false),
    ];
    let (mut zip, mut names) = (RawZip::new(), Vec::new());
    for (name, len, is_deflated) in kinds {
        for salt in [1, 2] {
            names.push(format!("{name}{salt}"));
            zip = zip.file(format!("{name}{salt}"), content(salt, len));
            zip = if is_deflated { zip.deflate() } else { zip };
        }
    }
    let bytes = zip.build();
    // The first time that a name stands there is in its local header.
    let header = |name: &String| bytes.windows(name.len()).position(|part| part == name.as_bytes());
    let starts: Vec<_> = names
        .iter()
        .map(|name| header(name).unwrap() as u64 - 30)
        .collect();
    for cache_capacity_bytes in [0, 64 << 20] {
        for (first, first_len, _) in kinds {
            for (second, second_len, _) in kinds {
                let source = Arc::new(InPairs {
                    bytes: bytes.clone(),
                    starts: starts.clone(),
                    meeting: Mutex::default(),
                    changed: Condvar::new(),
                });
                let archive = Archive::from_source(Path::new("in-pairs.zip"), source.clone()).unwrap();
                let options = Options {
                    cache_capacity_bytes,
                    ..Options::default()
                };
                let fs = Fs::new(Arc::new(Stack::merge(vec![archive]).unwrap()), options);
                source.meeting.lock().unwrap().is_on = true;
                thread::scope(|scope| {
                    for (name, len, salt) in [(first, first_len, 1), (second, second_len, 2)] {
                        let (fs, path) = (&fs, format!("{name}{salt}"));
                        scope.spawn(move || {
                            let read = read_range(fs, attr(fs, &path).ino, 0, 40_000);
                            let read = read.unwrap_or_else(|error| panic!("{path}: {error}"));
                            assert!(read == content(salt, len)[..40_000], "{path}");
                        });
                    }
                });
                assert!(source.meeting.lock().unwrap().met, "{first} and {second}");
            }
        }
    }
}
