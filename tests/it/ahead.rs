//! Inflating ahead of a reader: the same bytes, and nothing inflated twice.

use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use optfs::archive::Archive;
use optfs::fs::{Fs, Kind, Options, ROOT};
use optfs::stack::Stack;
use tempfile::TempDir;

use crate::support::raw_zip::RawZip;
use crate::support::seen::{UNLIMITED, attr, mounted_with_cache, read_range, scene};
use crate::support::until::until;

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

const FILES: usize = 100;
const FILE_BYTES: usize = 100_000;

/// The files of one directory, in an order that nobody walks in.
fn program() -> impl Iterator<Item = String> {
    (0..FILES).map(|i| format!("d/f{}", i * 37 % FILES))
}

fn mount_with_index(scratch: &Path) -> Fs {
    let archive = Archive::open(&scratch.join("layer.zip")).unwrap();
    let options = Options {
        readers_keep: true,
        index_directory: Some(scratch.join("index")),
        ..Options::default()
    };
    Fs::new(Arc::new(Stack::merge(vec![archive]).unwrap()), options)
}

fn layer_of_program(byte: u8) -> Vec<u8> {
    let files = program().fold(RawZip::new(), |zip, name| {
        zip.file(name, vec![byte; FILE_BYTES]).deflate()
    });
    files.build()
}

fn run(fs: &Fs, files: impl Iterator<Item = String>, byte: u8) {
    for name in files {
        let bytes = read_range(fs, attr(fs, &name).ino, 0, usize::MAX).unwrap();
        assert!(bytes == [byte; FILE_BYTES], "{name}");
    }
}

#[test]
fn who_reads_as_an_earlier_mount_did_finds_the_next_files_inflated() {
    let scratch = TempDir::new().unwrap();
    fs::write(scratch.path().join("layer.zip"), layer_of_program(7)).unwrap();
    run(&mount_with_index(scratch.path()), program(), 7);

    let again = mount_with_index(scratch.path());
    run(&again, program().take(3), 7);
    if thread::available_parallelism().is_ok_and(|cores| cores > NonZero::<usize>::MIN) {
        until("the next 48 are inflated", || {
            again.content().cache_stats().kept == 48
        });
    }
    run(&again, program().skip(3), 7);
    let stats = again.content().cache_stats();
    assert_eq!(
        (stats.loads, stats.kept),
        (FILES as u64, 0),
        "each once, and all were given"
    );
}

#[test]
fn an_order_that_is_damaged_or_of_other_archives_does_no_harm() {
    let scratch = TempDir::new().unwrap();
    let trail = || {
        let files = fs::read_dir(scratch.path().join("index")).unwrap();
        let mut files = files.map(|file| file.unwrap().path());
        files
            .find(|file| file.extension().is_some_and(|end| end == "trail"))
            .unwrap()
    };
    fs::write(scratch.path().join("layer.zip"), layer_of_program(7)).unwrap();
    run(&mount_with_index(scratch.path()), program(), 7);
    let kept = fs::read(trail()).unwrap();
    for place in [0, 20, 60, kept.len() - 1] {
        let mut damaged = kept.clone();
        damaged[place] ^= 0x10;
        for bytes in [&damaged[..], &kept[..place]] {
            fs::write(trail(), bytes).unwrap();
            let again = mount_with_index(scratch.path());
            run(&again, program(), 7);
            assert_eq!(again.content().cache_stats().loads, FILES as u64);
        }
        assert_eq!(fs::read(trail()).unwrap(), kept, "it is kept anew");
    }
    // The sum is right, and the entries are nobody's.
    let mut forged = kept[..48].to_vec();
    forged.extend([0xf0; 1200]);
    forged.extend(crc32fast::hash(&forged).to_le_bytes());
    fs::write(trail(), forged).unwrap();
    run(&mount_with_index(scratch.path()), program(), 7);
    assert_eq!(fs::read(trail()).unwrap(), kept);

    fs::write(scratch.path().join("layer.zip"), layer_of_program(9)).unwrap();
    run(&mount_with_index(scratch.path()), program(), 9);
}

/// What is inflated whole with a large cache is inflated in blocks with a small one.
#[test]
fn an_order_kept_with_another_cache_size_serves_the_same_bytes() {
    let scratch = TempDir::new().unwrap();
    let files = (0..12).fold(RawZip::new(), |zip, i| {
        zip.file(format!("f{i}"), content(1_000_000 + i)).deflate()
    });
    fs::write(scratch.path().join("layer.zip"), files.build()).unwrap();
    for cache_capacity_bytes in [UNLIMITED, 1 << 20, 0, 1 << 20, UNLIMITED] {
        let archive = Archive::open(&scratch.path().join("layer.zip")).unwrap();
        let options = Options {
            cache_capacity_bytes,
            readers_keep: true,
            index_directory: Some(scratch.path().join("index")),
            ..Options::default()
        };
        let fs = Fs::new(Arc::new(Stack::merge(vec![archive]).unwrap()), options);
        for i in 0..12 {
            let ino = attr(&fs, &format!("f{i}")).ino;
            assert!(read_range(&fs, ino, 0, usize::MAX).unwrap() == content(1_000_000 + i));
        }
    }
}
