//! Large deflated files: from anywhere at once when they were passed over before, in this mount or an earlier one;
//! the same bytes whoever asks how.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use optfs::archive::Archive;
use optfs::fs::{Fs, Options};
use optfs::stack::Stack;
use tempfile::TempDir;

use crate::support::allocations::allocations_of;
use crate::support::place::Place;
use crate::support::raw_zip::RawZip;
use crate::support::seen::{UNLIMITED, attr, mounted_with_cache, read_range};
use crate::support::until::until;

const LEN: usize = 20 << 20;

/// Numbers in words, which deflate well and look different everywhere.
fn content() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..LEN / 8)
        .flat_map(|i| format!("{:x} ", i * i).into_bytes())
        .collect();
    bytes.truncate(LEN);
    bytes
}

fn layer(content: &[u8]) -> Vec<u8> {
    RawZip::new().file("large", content).deflate().build()
}

/// Some places, near each other and far apart, across blocks and up to the end.
fn places() -> impl Iterator<Item = (u64, usize)> {
    let mut seed = 7u64;
    (0..60).map(move |i| {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let len = [1, 4096, 5000, 128 << 10, 300 << 10][i % 5];
        ((seed >> 20) % (LEN - len) as u64, len)
    })
}

struct Library {
    scratch: TempDir,
}

impl Library {
    fn new(content: &[u8]) -> Library {
        Library::of(layer(content))
    }

    fn of(zip: Vec<u8>) -> Library {
        let scratch = TempDir::new().unwrap();
        fs::write(scratch.path().join("layer.zip"), zip).unwrap();
        Library { scratch }
    }

    fn index(&self) -> PathBuf {
        self.scratch.path().join("cache/index")
    }

    fn open(&self) -> Fs {
        let archive = Archive::open(&self.scratch.path().join("layer.zip")).unwrap();
        let stack = Stack::merge(vec![archive]).unwrap();
        let options = Options {
            cache_capacity_bytes: 4 << 20,
            readers_keep: true,
            index_directory: Some(self.index()),
            ..Options::default()
        };
        Fs::new(Arc::new(stack), options)
    }

    /// The files of checkpoints in the index, whatever they are called.
    fn kept(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.index()).map(|entries| entries.map(|entry| entry.unwrap().path()));
        let files = files.map(|files| files.filter(|file| file.extension().is_none()));
        files.map(Iterator::collect).unwrap_or_default()
    }
}

#[test]
fn pages_at_random_places_are_the_bytes_that_were_packed() {
    let content = content();
    for cache_capacity_bytes in [0, 1 << 20, UNLIMITED] {
        let fs = mounted_with_cache(&[layer(&content)], cache_capacity_bytes);
        let ino = attr(&fs, "large").ino;
        for (offset, len) in places().chain(places()) {
            let bytes = read_range(&fs, ino, offset, len).unwrap();
            assert!(bytes == content[offset as usize..][..len], "{len} at {offset}");
        }
    }
}

#[test]
fn eight_readers_of_a_large_file_inflate_each_block_once() {
    let content = content();
    let fs = mounted_with_cache(&[layer(&content)], UNLIMITED);
    let ino = attr(&fs, "large").ino;
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(read_range(&fs, ino, 0, usize::MAX).unwrap() == content));
        }
    });
    assert_eq!(fs.content().cache_stats().loads, LEN as u64 / (256 << 10));
}

/// The last page of a program is read before the rest of it: what was seen then counts, wherever blocks begin.
#[test]
fn a_wrong_sum_is_found_once_every_byte_was_seen_however_readers_jumped_about() {
    let content = content();
    let wrong = |zip: RawZip| zip.crc(crc32fast::hash(&content) ^ 1).build();
    let deflated = wrong(RawZip::new().file("f", &content).deflate());
    let stored = wrong(RawZip::new().file("f", &content));
    for (zip, cache_capacity_bytes) in [(&deflated, 0), (&deflated, UNLIMITED), (&stored, UNLIMITED)] {
        let fs = mounted_with_cache(std::slice::from_ref(zip), cache_capacity_bytes);
        let ino = attr(&fs, "f").ino;
        let last_page = LEN as u64 - 4096;
        for offset in [last_page, 7_000_000, 7_003_000] {
            assert_eq!(read_range(&fs, ino, offset, 4096).unwrap().len(), 4096);
        }
        let through = read_range(&fs, ino, 0, usize::MAX);
        assert!(
            through.is_err(),
            "{} bytes of a wrong sum",
            through.unwrap().len()
        );
        for offset in [0, 7_000_000, last_page] {
            assert!(
                read_range(&fs, ino, offset, 4096).is_err(),
                "for good, at {offset}"
            );
        }
    }
}

/// Small, whole and in memory; large, in blocks and stored; small and inflated for this answer alone.
#[test]
fn reading_what_was_read_before_allocates_nothing() {
    let content = content();
    let zip = || {
        RawZip::new()
            .file("large", &content)
            .deflate()
            .file("small", &content[..5000])
            .deflate()
            .file("stored", &content)
    };
    let kept = mounted_with_cache(&[zip().build()], UNLIMITED);
    let library = Library::of(zip().build());
    let given = library.open();
    let read = |fs: &Fs, name: &str, offset: u64, len: usize| {
        let ino = attr(fs, name).ino;
        let mut seen = 0;
        let once = |seen: &mut usize| {
            fs.read(ino, offset, len, |bytes| *seen += bytes.len()).unwrap();
        };
        once(&mut seen);
        once(&mut seen);
        let allocations = allocations_of(|| once(&mut seen));
        assert_eq!(seen, 3 * len, "{name}");
        allocations
    };
    assert_eq!(read(&kept, "small", 0, 5000), 0);
    assert_eq!(read(&kept, "large", 0, 100_000), 0);
    assert_eq!(read(&kept, "large", 200_000, 300_000), 0, "across two blocks");
    assert_eq!(read(&kept, "stored", 3_000_000, 128 << 10), 0);
    assert_eq!(read(&given, "small", 0, 5000), 0, "into the thread's own buffer");
}

/// What the kernel keeps is not kept twice.
#[test]
fn bytes_that_readers_keep_are_let_go() {
    let content = content();
    let library = Library::new(&content);
    let fs = library.open();
    let ino = attr(&fs, "large").ino;
    assert!(read_range(&fs, ino, 0, usize::MAX).unwrap() == content);
    let stats = fs.content().cache_stats();
    assert_eq!(
        (stats.loads, stats.kept, stats.kept_bytes),
        (LEN as u64 / (256 << 10), 0, 0)
    );
}

#[test]
fn what_one_mount_passed_over_the_next_one_need_not() {
    let content = content();
    let library = Library::new(&content);
    let first = library.open();
    let ino = attr(&first, "large").ino;
    assert!(read_range(&first, ino, 0, usize::MAX).unwrap() == content);
    drop(first);
    let [kept] = &library.kept()[..] else {
        panic!("one file is kept: {:?}", library.kept());
    };
    assert!(fs::metadata(kept).unwrap().len() < LEN as u64 / 15);
    let whole = fs::read(kept).unwrap();

    let read_all_places = || {
        let fs = library.open();
        for (offset, len) in places() {
            assert!(read_range(&fs, ino, offset, len).unwrap() == content[offset as usize..][..len]);
        }
    };
    read_all_places();
    // Damaged, cut off, of somebody else, open to others: as if nothing had been kept.
    for place in [0, 20, 60, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x10;
        fs::write(kept, damaged).unwrap();
        read_all_places();
        fs::write(kept, &whole[..place]).unwrap();
        read_all_places();
    }
    fs::write(kept, &whole).unwrap();
    fs::set_permissions(kept, fs::Permissions::from_mode(0o666)).unwrap();
    read_all_places();
}

/// The archive that is there now is another one than the checkpoints were taken of.
#[test]
fn checkpoints_of_another_archive_are_not_used() {
    let content = content();
    let library = Library::new(&content);
    let read = |content: &[u8]| {
        let fs = library.open();
        let ino = attr(&fs, "large").ino;
        let bytes = read_range(&fs, ino, 15 << 20, 4096).unwrap();
        assert!(bytes == content[15 << 20..][..4096]);
        assert!(read_range(&fs, ino, 0, usize::MAX).unwrap() == content);
    };
    read(&content);
    assert_eq!(library.kept().len(), 1);
    let other: Vec<u8> = content.iter().map(|byte| byte ^ 1).collect();
    fs::write(library.scratch.path().join("layer.zip"), layer(&other)).unwrap();
    read(&other);
    assert_eq!(library.kept().len(), 2);
}

#[test]
fn a_mount_keeps_its_checkpoints_where_it_is_told() {
    let content = content();
    let place = Place::new(&[RawZip::new().file("large", &content).deflate()]);
    let directory = place.scratch().join("index");
    let read = |path: &Path| {
        let mut page = [0; 4096];
        let file = fs::File::open(path).unwrap();
        file.read_exact_at(&mut page, 18 << 20).unwrap();
        assert!(page == content[18 << 20..][..4096]);
        assert!(fs::read(path).unwrap() == content);
    };
    let kept = || fs::read_dir(&directory).map_or(0, Iterator::count);
    place.mount(["--no-index"]);
    read(&place.path("large"));
    place.unmount();
    assert_eq!(kept(), 0);
    for _ in 0..2 {
        place.mount(["--index-dir", directory.to_str().unwrap()]);
        read(&place.path("large"));
        place.unmount();
        until("the checkpoints and the order are kept", || kept() == 2);
    }
}
