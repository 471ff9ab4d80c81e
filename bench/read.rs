//! Bytes, without a mount: small files, large deflated and large stored ones, in order and at random, one and two
//! readers, found in the cache and not.
//!
//! `cargo bench --bench read [directory]`. The corpus is cut from the files under /usr/lib.

#[path = "timing.rs"]
mod timing;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use optfs::archive::Archive;
use optfs::fs::{Fs, Ino, Kind, Options, ROOT};
use optfs::stack::Stack;
use tempfile::TempDir;
use timing::{Case, Per, time};
use zip::CompressionMethod::{Deflated, Stored};
use zip::write::SimpleFileOptions;

const SMALL_FILES: usize = 4000;
const SMALL_BYTES: usize = 4 << 10;
const MIDDLE_FILES: usize = 32;
const MIDDLE_BYTES: usize = 1 << 20;
const LARGE_BYTES: usize = 64 << 20;
const ROUNDS: usize = 9;
/// As the kernel reads ahead.
const PIECE_BYTES: usize = 128 << 10;
const PAGE_BYTES: usize = 4 << 10;
const RANDOM_READS: usize = 500;
/// Whatever is asked for again is still there.
const ALL: u64 = 1 << 30;
/// Room for a few blocks of a large file.
const LITTLE: u64 = 4 << 20;

fn main() {
    timing::print_machine();
    let directory = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let content = content(Path::new(directory.as_deref().unwrap_or("/usr/lib")));
    let scratch = TempDir::new().expect("a temporary directory");
    let zip = scratch.path().join("layer.zip");
    write_layer(&zip, &content);
    println!(
        "corpus: {SMALL_FILES} files of {} KiB, {MIDDLE_FILES} of {} KiB, one of {} MiB deflated (to {} MB in all) and stored",
        SMALL_BYTES >> 10,
        MIDDLE_BYTES >> 10,
        content.len() >> 20,
        (std::fs::metadata(&zip).map_or(0, |meta| meta.len()) as usize - content.len()) / 1_000_000,
    );
    let open = |cache| Arc::new(open(&zip, cache));
    let (warm, little) = (open(ALL), open(LITTLE));
    // As a mount does it: what was given is let go.
    let given = |work: &dyn Fn(&Fs)| {
        let fs = open_as(&zip, ALL, true);
        time(|| work(&fs))
    };
    let small = files(&warm, "small");
    let middle = files(&warm, "middle");
    let [deflated, stored] = ["deflated", "stored"].map(|name| file(&warm, name));
    // All blocks cached in the one; in the other every checkpoint is taken and next to nothing is cached.
    read_through(&warm, deflated);
    read_through(&little, deflated);
    let fresh = |work: &dyn Fn(&Fs)| {
        let fs = open(ALL);
        time(|| work(&fs))
    };
    let (files_read, middle_bytes, large) = (
        Per::Operations(small.len()),
        Per::Bytes(middle.len() * MIDDLE_BYTES),
        Per::Bytes(content.len()),
    );
    let pages = Per::Operations(RANDOM_READS);
    timing::run(
        ROUNDS,
        vec![
            Case::new("small files, first time", files_read, || {
                fresh(&|fs| read_each(fs, &small))
            }),
            Case::new("small files, first time, 2 readers", files_read, || {
                fresh(&|fs| by_two(fs, &small))
            }),
            Case::new("small files, first time, kept by the reader", files_read, || {
                given(&|fs| read_each(fs, &small))
            }),
            Case::new("small files, cached", files_read, || {
                time(|| read_each(&warm, &small))
            }),
            Case::new("1 MiB files, first time", middle_bytes, || {
                fresh(&|fs| read_each(fs, &middle))
            }),
            Case::new("1 MiB files, first time, 2 readers", middle_bytes, || {
                fresh(&|fs| by_two(fs, &middle))
            }),
            Case::new("1 MiB files, cached", middle_bytes, || {
                time(|| read_each(&warm, &middle))
            }),
            Case::new("large deflated, in order, first time", large, || {
                fresh(&|fs| read_through(fs, deflated))
            }),
            Case::new("large deflated, in order, kept by the reader", large, || {
                given(&|fs| read_through(fs, deflated))
            }),
            Case::new(
                "large deflated, a page in the middle, first",
                Per::Operations(1),
                || {
                    let middle = content.len() as u64 / 2;
                    fresh(&|fs| {
                        assert_eq!(
                            fs.read(deflated, middle, PAGE_BYTES, <[u8]>::len).ok(),
                            Some(PAGE_BYTES)
                        )
                    })
                },
            ),
            Case::new("large deflated, first time, 2 readers of it", large, || {
                fresh(&|fs| by_two(fs, &[deflated, deflated]))
            }),
            Case::new("large deflated, in order, cached", large, || {
                time(|| read_through(&warm, deflated))
            }),
            Case::new("large deflated, random 4 KiB, cached", pages, || {
                at_random(&warm, deflated, &content)
            }),
            Case::new("large deflated, random 4 KiB, checkpoints", pages, || {
                at_random(&little, deflated, &content)
            }),
            Case::new("large stored, in order", large, || {
                time(|| read_through(&warm, stored))
            }),
            Case::new("large stored, in order, 2 readers of it", large, || {
                time(|| by_two(&warm, &[stored, stored]))
            }),
            Case::new("large stored, random 4 KiB", pages, || {
                at_random(&warm, stored, &content)
            }),
        ],
    );
}

fn open(zip: &Path, cache_capacity_bytes: u64) -> Fs {
    open_as(zip, cache_capacity_bytes, false)
}

fn open_as(zip: &Path, cache_capacity_bytes: u64, readers_keep: bool) -> Fs {
    let archive = Archive::open(zip).expect("the archive just written");
    let stack = Stack::merge(vec![archive]).expect("few enough entries");
    let options = Options {
        cache_capacity_bytes,
        readers_keep,
        ..Options::default()
    };
    Fs::new(Arc::new(stack), options)
}

fn file(fs: &Fs, name: &str) -> Ino {
    fs.lookup(ROOT, name.as_bytes())
        .expect("a name of the corpus")
        .ino
}

fn files(fs: &Fs, directory: &str) -> Vec<Ino> {
    let entries = fs
        .readdir(file(fs, directory), 2)
        .expect("a directory of the corpus");
    entries
        .filter(|entry| entry.kind == Kind::File)
        .map(|entry| entry.ino)
        .collect()
}

fn read_through(fs: &Fs, ino: Ino) {
    read_each(fs, &[ino]);
}

/// Copies what is read, as the answer to the kernel would.
fn read_each(fs: &Fs, files: &[Ino]) {
    let mut answer = vec![0; PIECE_BYTES];
    for &ino in files {
        let mut offset = 0;
        loop {
            let copy = |bytes: &[u8]| {
                answer[..bytes.len()].copy_from_slice(bytes);
                bytes.len()
            };
            let length = fs.read(ino, offset, PIECE_BYTES, copy).expect("a sound archive");
            offset += length as u64;
            if length < PIECE_BYTES {
                break;
            }
        }
    }
}

fn by_two(fs: &Fs, files: &[Ino]) {
    let (first, second) = files.split_at(files.len() / 2);
    thread::scope(|scope| {
        scope.spawn(|| read_each(fs, first));
        read_each(fs, second);
    });
}

/// The same pages for everybody, none twice in a row; each is compared with what it should be.
fn at_random(fs: &Fs, ino: Ino, content: &[u8]) -> Duration {
    let mut seed = 1u64;
    let mut took = Duration::ZERO;
    for _ in 0..RANDOM_READS {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let offset = (seed >> 20) as usize % (content.len() - PAGE_BYTES);
        let mut page = Vec::new();
        took += time(|| {
            fs.read(ino, offset as u64, PAGE_BYTES, |bytes| {
                page.extend_from_slice(bytes)
            })
        });
        assert!(page == content[offset..][..PAGE_BYTES], "other bytes at {offset}");
    }
    took
}

fn write_layer(path: &Path, content: &[u8]) {
    let file = File::create(path).expect("a writable temporary directory");
    let mut zip = zip::ZipWriter::new(std::io::BufWriter::new(file));
    let mut add = |name: String, bytes: &[u8], method| {
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(name, options).expect("a legal name");
        zip.write_all(bytes).expect("a writable disk");
    };
    // Spread over the whole content, so that they are of many kinds.
    let piece = |number: usize, of: usize, length: usize| {
        let start = (content.len() - length) / of * number;
        &content[start..][..length]
    };
    for number in 0..SMALL_FILES {
        add(
            format!("small/{number:04}"),
            piece(number, SMALL_FILES, SMALL_BYTES),
            Deflated,
        );
    }
    for number in 0..MIDDLE_FILES {
        add(
            format!("middle/{number:02}"),
            piece(number, MIDDLE_FILES, MIDDLE_BYTES),
            Deflated,
        );
    }
    add("deflated".to_owned(), content, Deflated);
    add("stored".to_owned(), content, Stored);
    zip.finish().expect("a writable disk");
}

/// The first files under a directory, by name, as many as it takes.
fn content(directory: &Path) -> Vec<u8> {
    let mut content = Vec::new();
    let mut open: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else {
            continue;
        };
        let mut entries: Vec<_> = entries.flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => content.extend(std::fs::read(entry.path()).unwrap_or_default()),
                _ => {}
            }
            if content.len() >= LARGE_BYTES {
                content.truncate(LARGE_BYTES);
                return content;
            }
        }
    }
    assert!(
        content.len() > 2 * MIDDLE_BYTES,
        "not enough files to read in {}",
        directory.display()
    );
    content
}
