//! Archives made to cost: bombs, a million entries, ten thousand levels, one name over and over. Each is opened and
//! asked everything, in time and memory that its own bytes pay for.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::{Compress, Compression, FlushCompress};
use optfs::archive::Archive;
use optfs::fs::ROOT;
use optfs::stack::{NodeId, Stack};
use tempfile::TempDir;

use crate::support::command::{Answer, OPTFS, answer, optfs};
use crate::support::raw_zip::RawZip;
use crate::support::seen::{attr, mounted_with_cache, names, read_range};

/// What no linear work on these archives takes, in a debug build on a busy machine; quadratic work takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Two layers as files, to ask the binary about.
struct Layers {
    scratch: TempDir,
    paths: Vec<PathBuf>,
}

impl Layers {
    fn new(archives: &[Vec<u8>]) -> Layers {
        let scratch = TempDir::new().unwrap();
        let path = |(number, bytes): (usize, &Vec<u8>)| {
            let path = scratch.path().join(format!("{number}.zip"));
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let paths = archives.iter().enumerate().map(path).collect();
        Layers { scratch, paths }
    }

    fn ask(&self, verb: &str) -> Answer {
        let mut command = optfs();
        command
            .args(verb.split_whitespace())
            .current_dir(self.scratch.path());
        for path in &self.paths {
            command.arg("--layer").arg(path);
        }
        timed(verb, || answer(&mut command))
    }

    fn ask_everything(&self, path: &str) {
        let which = format!("which {path}");
        for verb in [
            "stat",
            "shadows",
            "shadows --json",
            "torn --deep",
            "check",
            "check --json",
            "order",
            "order --json",
            "hash",
            "tree --depth 2",
            "lock -F -",
            &which,
        ] {
            let answer = self.ask(verb);
            assert!(
                matches!(answer.code, Some(0 | 1)),
                "{verb}: {:?}: {}",
                answer.code,
                answer.stderr
            );
        }
        let mut diff = optfs();
        diff.args(["diff", "--stat"]).args(&self.paths);
        let answer = timed("diff", || answer(&mut diff));
        assert!(
            matches!(answer.code, Some(0 | 1)),
            "diff: {:?}: {}",
            answer.code,
            answer.stderr
        );
    }
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    assert!(began.elapsed() < PATIENCE, "{what} took {:?}", began.elapsed());
    done
}

#[test]
fn ten_thousand_levels_are_asked_everything() {
    let deep = "a/".repeat(10_000);
    let layer = |content: &str| RawZip::new().file(format!("{deep}f"), content).build();
    Layers::new(&[layer("1"), layer("2")]).ask_everything("a/a/a");
}

/// A file over directories of many levels: the conflict takes all of them with it.
#[test]
fn a_file_over_a_forest_of_deep_directories_is_asked_everything() {
    let deep = "a/".repeat(10_000);
    let forest = (0..6).fold(RawZip::new(), |zip, tree| {
        zip.file(format!("{tree}/{deep}f"), "1")
    });
    let fell = (0..6).fold(RawZip::new(), |zip, tree| zip.file(tree.to_string(), "2"));
    Layers::new(&[forest.build(), fell.build()]).ask_everything("3/a");
}

/// The conflict lies below ten thousand levels. Once, `order` compared the path of each level with it.
#[test]
fn a_conflict_below_a_forest_of_deep_directories_is_asked_everything() {
    let deep = "a/".repeat(10_000);
    let forest = |what: &str| {
        (0..6).fold(RawZip::new(), |zip, tree| {
            zip.file(format!("{tree}/{deep}{what}"), "1")
        })
    };
    Layers::new(&[forest("f").build(), forest("f/g").build()]).ask_everything("3/a");
}

/// Once, `diff` kept the whole path of every level that came or went, and a zip of a megabyte took all memory.
#[test]
fn a_forest_of_deep_directories_that_went_is_counted_in_bounded_memory() {
    let deep = "a/".repeat(30_000);
    let forest = (0..6).fold(RawZip::new(), |zip, tree| {
        zip.file(format!("{tree}/{deep}f"), "1")
    });
    let layers = Layers::new(&[forest.build(), RawZip::new().build()]);
    let mut diff = Command::new("sh");
    // Three times what is needed, and a tenth of what it was.
    diff.args(["-c", "ulimit -v 2000000; exec \"$@\"", "sh", OPTFS, "diff"])
        .args(&layers.paths);
    let answer = timed("diff", || answer(&mut diff));
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(
        answer.stdout.contains("0 added, 180012 removed, 0 changed"),
        "{}",
        answer.stdout
    );
}

/// Once, `check` compared each of them with all others, and `which` measured all of them for each line.
#[test]
fn one_name_in_thirty_thousand_entries_is_asked_everything() {
    let again = (0..30_000).fold(RawZip::new(), |zip, number: u32| {
        zip.file("a", (number % 3).to_string())
    });
    Layers::new(&[again.build(), RawZip::new().file("b", "").build()]).ask_everything("a");
}

/// Once, `which` looked through the whole archive for each entry that was hidden with a directory above.
#[test]
fn a_name_that_is_a_file_and_a_directory_in_turn_is_asked_everything() {
    let flip = (0..15_000).fold(RawZip::new(), |zip, _| zip.file("a", "1").file("a/b", "2"));
    let layers = Layers::new(&[flip.build(), RawZip::new().file("a", "3").build()]);
    layers.ask_everything("a");
    layers.ask_everything("a/b");
}

#[test]
fn a_million_entries_are_opened_and_merged() {
    let bytes = crowd((0..1_000_000u32).map(|number| format!("d{:03}/{number}", number % 997)));
    let (len, archive) = (bytes.len(), timed("opening", || open(bytes)));
    assert_eq!(archive.len(), 1_000_000);
    assert!(
        archive.memory_bytes() < 2 * len,
        "{} bytes for {len}",
        archive.memory_bytes()
    );
    let stack = timed("merging", || Stack::merge(vec![archive]).unwrap());
    assert_eq!(stack.node_count(), 1_000_000 + 997 + 1);
}

/// Backwards, so that every one of them is looked up in a hash table, which has a random key.
#[test]
fn a_hundred_thousand_names_lie_in_one_directory_in_any_order() {
    let bytes = crowd(
        (0..100_000u32)
            .rev()
            .map(|number| format!("d/{}", number.wrapping_mul(0x9e37_79b9))),
    );
    let stack = timed("merging", || Stack::merge(vec![open(bytes)]).unwrap());
    let directory = stack.child(NodeId::ROOT, b"d").unwrap();
    assert_eq!(stack.children(directory).len(), 100_000);
}

/// What an archive declares buys no memory: a directory of a few bytes that says it has four billion entries.
#[test]
fn a_count_of_billions_is_not_believed() {
    let zip = RawZip::new().file("f", "content").bend_zip64_end(|end| {
        (end.entries, end.entries_on_disk) = (u64::from(u32::MAX), u64::from(u32::MAX));
    });
    let archive = timed("opening", || {
        Archive::from_source("a.zip".as_ref(), Arc::new(zip.build()))
    });
    assert!(archive.is_err() || archive.is_ok_and(|archive| archive.len() == 1));
}

#[test]
fn a_ratio_bomb_is_opened_at_once_and_costs_what_is_read_of_it() {
    const CHUNK: usize = 1 << 20;
    const CHUNKS: usize = 4000;
    let packed = zeros(CHUNK, CHUNKS);
    let declared = (CHUNK * CHUNKS) as u32;
    let bomb = RawZip::new()
        .file("zeros", "")
        .raw_data(8, &packed)
        .crc(0x1234_5678)
        .declared_size(declared);
    let fs = timed("opening", || mounted_with_cache(&[bomb.build()], 4 << 20));
    let zeros = attr(&fs, "zeros");
    assert_eq!(zeros.size, u64::from(declared));
    let began = Instant::now();
    assert_eq!(read_range(&fs, zeros.ino, 0, 100_000).unwrap(), vec![0; 100_000]);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

/// Ten thousand entries, each of which says that the same 100 MB of zeros are its own: a terabyte.
#[test]
fn an_overlap_bomb_is_opened_at_once_and_costs_what_is_read_of_it() {
    let packed = zeros(1 << 20, 100);
    let first = RawZip::new()
        .file("0", "")
        .raw_data(8, &packed)
        .declared_size(100 << 20);
    let bomb = (1..10_000).fold(first, |zip, number: u32| {
        let len = packed.len() as u32;
        zip.file(number.to_string(), "")
            .without_local()
            .bend_central(move |header| {
                (header.method, header.local_offset) = (8, 0);
                (header.compressed_size, header.uncompressed_size) = (len, 100 << 20);
            })
    });
    let fs = timed("opening", || mounted_with_cache(&[bomb.build()], 4 << 20));
    assert_eq!(names(&fs, ROOT).len(), 10_000);
    for name in ["0", "5000", "9999"] {
        let ino = attr(&fs, name).ino;
        assert_eq!(read_range(&fs, ino, 1000, 5000).unwrap(), vec![0; 5000]);
    }
}

/// Deflated zeros: one chunk that ends at a whole byte, again and again.
fn zeros(chunk: usize, chunks: usize) -> Vec<u8> {
    let mut deflate = Compress::new(Compression::best(), false);
    let mut packed = Vec::with_capacity(chunk);
    deflate
        .compress_vec(&vec![0; chunk], &mut packed, FlushCompress::Full)
        .unwrap();
    // An empty last block behind all of them.
    [packed.repeat(chunks), vec![3, 0]].concat()
}

/// An archive whose entries share one empty file.
fn crowd(names: impl Iterator<Item = String>) -> Vec<u8> {
    let mut out = [&b"PK\x03\x04\x14\0"[..], &[0; 24]].concat();
    let start = out.len() as u64;
    let mut count = 0u64;
    for name in names {
        out.extend(b"PK\x01\x02\x14\x03\x14\0");
        out.extend([0; 20]);
        out.extend((name.len() as u16).to_le_bytes());
        out.extend([0; 8]);
        out.extend((0o100_644u32 << 16).to_le_bytes());
        out.extend([0; 4]);
        out.extend(name.as_bytes());
        count += 1;
    }
    let end = out.len() as u64;
    out.extend(b"PK\x06\x06");
    for number in [44, 45 | 45 << 16, 0, count, count, end - start, start] {
        out.extend(u64::to_le_bytes(number));
        if number == 45 | 45 << 16 {
            out.truncate(out.len() - 4);
        }
    }
    out.extend(b"PK\x06\x07\0\0\0\0");
    out.extend(end.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([0xff; 12]);
    out.extend([0; 2]);
    out
}

fn open(bytes: Vec<u8>) -> Archive {
    Archive::from_source("crowd.zip".as_ref(), Arc::new(bytes)).unwrap_or_else(|error| panic!("{error}"))
}
