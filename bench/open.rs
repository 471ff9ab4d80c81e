//! Opening archives and merging them: time and memory an entry, on archives made for it.
//!
//! `cargo bench --bench open -- [runs] [ZIP...]` (the layers of one more corpus) prints the machine, then for each corpus the median and the spread of
//! opening (the layers one after another) and of merging, in ns an entry, and the bytes an entry that the
//! index and the tree take beside the names. The archives lie in a temporary directory and in the page
//! cache; their data is a hole, for opening never reads it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use optfs::archive::Archive;
use optfs::stack::{NodeId, Stack};

const RUNS: usize = 9;
/// A local header of 30 bytes, a name and one byte of data.
const LOCAL_BYTES: u64 = 80;

struct Corpus {
    what: &'static str,
    layers: Vec<PathBuf>,
    entries: usize,
}

fn main() -> std::io::Result<()> {
    let runs = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok());
    let runs: usize = runs.unwrap_or(RUNS).max(1);
    let directory = tempfile::tempdir()?;
    println!("{}, {runs} runs, median [min to max]", machine());
    println!(
        "{:34} {:>9} {:>22} {:>22} {:>8} {:>7}",
        "", "entries", "open, ns an entry", "merge, ns an entry", "B/entry", "names"
    );
    let mut corpora = corpora(directory.path())?;
    corpora.extend(given());
    for corpus in &corpora {
        measure(corpus, runs);
    }
    lookups(&corpora, runs);
    Ok(())
}

/// The archives that are named, as the layers of one stack.
fn given() -> Option<Corpus> {
    let arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let layers: Vec<_> = arguments.filter(|path| path.is_file()).collect();
    let entries = layers
        .iter()
        .map(|path| Archive::open(path).map_or(0, |layer| layer.len()));
    let entries = entries.sum::<usize>();
    (entries > 0).then_some(Corpus {
        what: "as given",
        entries,
        layers,
    })
}

fn measure(corpus: &Corpus, runs: usize) {
    let (mut opens, mut merges) = (Vec::new(), Vec::new());
    let mut row = String::new();
    for run in 0..runs {
        let start = Instant::now();
        let layers = open(corpus);
        opens.push(start.elapsed());
        let start = Instant::now();
        let stack = Stack::merge(layers).expect("few layers");
        merges.push(start.elapsed());
        if run == 0 {
            let an_entry = |bytes: usize| bytes as f64 / corpus.entries as f64;
            let names: usize = stack.layers().iter().map(Archive::path_bytes).sum();
            row = format!("{:8.1} {:7.1}", an_entry(stack.memory_bytes()), an_entry(names));
        }
    }
    let (open, merge) = (spread(opens, corpus.entries), spread(merges, corpus.entries));
    println!(
        "{:34} {:9} {open:>22} {merge:>22} {row}",
        corpus.what, corpus.entries
    );
}

/// Looks every name of a tree up in its directory, in an order that has nothing to do with the names.
fn lookups(corpora: &[Corpus], runs: usize) {
    println!("lookup of each node by its directory and name, ns");
    for corpus in corpora {
        let stack = Stack::merge(open(corpus)).expect("few layers");
        let mut nodes: Vec<NodeId> = stack.nodes().skip(1).collect();
        shuffle(&mut nodes);
        nodes.truncate(100_000);
        let times = (0..runs).map(|_| {
            let start = Instant::now();
            for &node in &nodes {
                assert_eq!(stack.child(stack.parent(node), stack.name(node)), Some(node));
            }
            start.elapsed()
        });
        let times = spread(times.collect(), nodes.len());
        println!("{:34} {:9} {times:>22}", corpus.what, nodes.len());
    }
}

fn open(corpus: &Corpus) -> Vec<Archive> {
    let layers = corpus.layers.iter();
    layers
        .map(|path| Archive::open(path).expect("an archive of our own"))
        .collect()
}

fn spread(mut times: Vec<Duration>, entries: usize) -> String {
    times.sort();
    let an_entry = |time: Duration| time.as_nanos() as f64 / entries as f64;
    format!(
        "{:.0} [{:.0} to {:.0}]",
        an_entry(times[times.len() / 2]),
        an_entry(times[0]),
        an_entry(times[times.len() - 1])
    )
}

fn corpora(directory: &Path) -> std::io::Result<Vec<Corpus>> {
    let one = |what, names: Vec<String>| -> std::io::Result<Corpus> {
        let path = directory.join(format!("{what}.zip"));
        write_zip(&path, &names)?;
        Ok(Corpus {
            what,
            entries: names.len(),
            layers: vec![path],
        })
    };
    let in_one_directory = |name: usize| format!("site/module_{name:07}.py");
    Ok(vec![
        one("in order, small", (0..20_000).map(name).collect())?,
        one("in order, large", (0..200_000).map(name).collect())?,
        one("in order, a million", (0..1_000_000).map(name).collect())?,
        one("directory by directory, mixed", mixed_within(200_000, 100))?,
        one("all mixed", mixed_within(200_000, 200_000))?,
        one("one directory", (0..100_000).map(in_one_directory).collect())?,
        five_layers(directory)?,
    ])
}

/// Each layer has half of its names in common with the one below.
fn five_layers(directory: &Path) -> std::io::Result<Corpus> {
    let mut layers = Vec::new();
    for layer in 0..5 {
        let path = directory.join(format!("layer{layer}.zip"));
        let names: Vec<_> = (layer * 10_000..layer * 10_000 + 20_000).map(name).collect();
        write_zip(&path, &names)?;
        layers.push(path);
    }
    Ok(Corpus {
        what: "five layers, half in common",
        entries: 100_000,
        layers,
    })
}

/// A hundred files a directory, twenty directories a package.
fn name(i: usize) -> String {
    format!("pkg{:04}/module_{:02}/file_{i:07}.py", i / 2000, i / 100 % 20)
}

/// Names as a writer gives them that takes a directory as the filesystem lists it.
fn mixed_within(entries: usize, group: usize) -> Vec<String> {
    let mut names: Vec<String> = (0..entries).map(name).collect();
    names.chunks_mut(group).for_each(shuffle);
    names
}

fn shuffle<T>(items: &mut [T]) {
    let mut seed = 1u64;
    for i in (1..items.len()).rev() {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        items.swap(i, (seed >> 33) as usize % (i + 1));
    }
}

/// A zip of stored files of one byte, with a hole where they would lie.
fn write_zip(path: &Path, names: &[String]) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let directory_offset = names.len() as u64 * LOCAL_BYTES;
    out.seek(SeekFrom::Start(directory_offset))?;
    let mut directory_bytes = 0u64;
    for (i, name) in names.iter().enumerate() {
        let mut record = [0u8; 46];
        record[..4].copy_from_slice(b"PK\x01\x02");
        // Made on Unix by version 2.0, a regular file of mode 0644, on the first of January 2020.
        record[4..6].copy_from_slice(&[20, 3]);
        record[12..16].copy_from_slice(&((40u32 << 9 | 1 << 5 | 1) << 16).to_le_bytes());
        record[20..24].copy_from_slice(&1u32.to_le_bytes());
        record[24..28].copy_from_slice(&1u32.to_le_bytes());
        record[28..30].copy_from_slice(&(name.len() as u16).to_le_bytes());
        record[38..42].copy_from_slice(&(0o100_644u32 << 16).to_le_bytes());
        record[42..46].copy_from_slice(&((i as u64 * LOCAL_BYTES) as u32).to_le_bytes());
        out.write_all(&record)?;
        out.write_all(name.as_bytes())?;
        directory_bytes += (record.len() + name.len()) as u64;
    }
    // The end record in its 64-bit form, where to find it, and the one that says "see there".
    let (entries, end) = (names.len() as u64, directory_offset + directory_bytes);
    let mut tail = b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\x03\x2d\0\0\0\0\0\0\0\0\0".to_vec();
    for field in [entries, entries, directory_bytes, directory_offset] {
        tail.extend_from_slice(&field.to_le_bytes());
    }
    tail.extend_from_slice(b"PK\x06\x07\0\0\0\0");
    tail.extend_from_slice(&end.to_le_bytes());
    tail.extend_from_slice(b"\x01\0\0\0PK\x05\x06\0\0\0\0");
    tail.extend_from_slice(&[0xff; 12]);
    tail.extend_from_slice(&[0, 0]);
    out.write_all(&tail)?;
    out.flush()
}

fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let mut machine = model
        .unwrap_or(": unknown processor")
        .trim_start_matches([' ', '\t', ':'])
        .to_owned();
    let load = load.split(' ').next().unwrap_or("?");
    let _ = write!(machine, ", {cores} cores, Linux {}, load {load}", release.trim());
    machine
}
