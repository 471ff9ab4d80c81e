//! Inflating ahead of a reader: the same bytes, and nothing inflated twice.

use optfs::fs::{Fs, Kind, ROOT};

use crate::support::raw_zip::RawZip;
use crate::support::seen::{UNLIMITED, attr, mounted_with_cache, read_range, scene};

/// Reads every file in the order in which tools walk, and returns how many there were.
fn read_all(fs: &Fs, directory: optfs::fs::Ino) -> u64 {
    let entries: Vec<_> = fs
        .readdir(directory, 0)
        .unwrap()
        .skip(2)
        .map(|e| (e.ino, e.kind))
        .collect();
    let mut files = 0;
    for (ino, kind) in entries {
        match kind {
            Kind::Directory => files += read_all(fs, ino),
            Kind::File => {
                let bytes = read_range(fs, ino, 0, usize::MAX).unwrap();
                assert_eq!(bytes, content(fs.getattr(ino).unwrap().size as usize));
                files += 1;
            }
            Kind::Symlink => {}
        }
    }
    files
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 7 * len) as u8).collect()
}

fn many_files() -> RawZip {
    (0..600).fold(RawZip::new(), |zip, i| {
        zip.file(format!("d{}/e{}/f{i}", i % 5, i % 13), content(10 + i * 31))
            .deflate()
    })
}

#[test]
fn a_walk_inflates_each_file_once() {
    let fs = scene(many_files());
    assert_eq!(read_all(&fs, ROOT), 600);
    assert_eq!(fs.content().cache_stats().loads, 600);
    // Everything is in memory now.
    assert_eq!(read_all(&fs, ROOT), 600);
    assert_eq!(fs.content().cache_stats().loads, 600);
}

#[test]
fn a_cache_too_small_for_what_lies_ahead_serves_the_same() {
    for cache_capacity_bytes in [0, 1, 4 << 10, 1 << 20] {
        let fs = mounted_with_cache(&[many_files().build()], cache_capacity_bytes);
        assert_eq!(read_all(&fs, ROOT), 600);
    }
}

#[test]
fn a_large_file_in_order_inflates_each_block_once() {
    let len = 10 << 20;
    let fs = mounted_with_cache(
        &[RawZip::new().file("large", content(len)).deflate().build()],
        UNLIMITED,
    );
    let ino = attr(&fs, "large").ino;
    assert_eq!(read_range(&fs, ino, 0, usize::MAX).unwrap(), content(len));
    // Blocks of 256 KiB.
    assert_eq!(fs.content().cache_stats().loads, 40);
}

#[test]
fn eight_readers_of_one_file_inflate_it_once() {
    let len = 5 << 20;
    let fs = scene(RawZip::new().file("f", content(len)).deflate());
    let ino = attr(&fs, "f").ino;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(read_range(&fs, ino, 0, usize::MAX).unwrap(), content(len)));
        }
    });
    assert_eq!(fs.content().cache_stats().loads, 1);
}
