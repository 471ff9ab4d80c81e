//! Names, without a mount: lookups that hit and that miss, a deep path, directories listed, attributes.
//!
//! `cargo bench --bench lookup`. The corpus is made: five layers, of 20,000 small files each, half of them in every layer.

#[allow(dead_code, reason = "it also times what is counted in bytes")]
#[path = "timing.rs"]
mod timing;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use optfs::archive::Archive;
use optfs::fs::{Fs, Ino, Kind, Options, ROOT};
use optfs::guide::Guide;
use optfs::stack::Stack;
use tempfile::TempDir;
use timing::{Case, Per, time};
use zip::write::SimpleFileOptions;

const LAYERS: usize = 5;
const DIRECTORIES: usize = 400;
const FILES: usize = 50;
const DEPTH: usize = 32;
const ROUNDS: usize = 15;

fn main() {
    timing::print_machine();
    let scratch = TempDir::new().expect("a temporary directory");
    let layers = (0..LAYERS).map(|layer| {
        let path = scratch.path().join(format!("layer{layer}.zip"));
        write_layer(&path, layer);
        Archive::open(&path).expect("the archive just written")
    });
    let stack = Stack::merge(layers.collect()).expect("few enough entries");
    let fs = Arc::new(Fs::new(Arc::new(stack), Options::default()));
    // As a mount answers: counted and timed.
    let guide = Guide::new(Arc::clone(&fs), optfs::guide::Options::default());
    let names = names(&fs);
    println!(
        "corpus: {LAYERS} layers of {} entries, {} names in the tree",
        DIRECTORIES * FILES,
        names.len()
    );
    let deep: Vec<u8> = (0..DEPTH)
        .flat_map(|depth| format!("deep{depth}/").into_bytes())
        .collect();
    let misses: Vec<_> = names
        .iter()
        .map(|(parent, name)| (*parent, [name, &b".pyc"[..]].concat()))
        .collect();
    let scattered = scattered(&names);
    let directories: Vec<Ino> = directories(&fs);
    timing::run(
        ROUNDS,
        vec![
            Case::new("lookup, hit, in order", Per::Operations(names.len()), || {
                time(|| look(&fs, &names))
            }),
            Case::new("lookup, hit, scattered", Per::Operations(names.len()), || {
                time(|| look(&fs, &scattered))
            }),
            Case::new(
                "lookup, hit, in order, counted",
                Per::Operations(names.len()),
                || {
                    time(|| {
                        let found = names.iter();
                        found
                            .filter(|(parent, name)| guide.lookup(*parent, name).is_ok())
                            .count()
                    })
                },
            ),
            Case::new("lookup, miss", Per::Operations(names.len()), || {
                time(|| look(&fs, &misses))
            }),
            Case::new("walk to a path of 32 parts", Per::Operations(1000), || {
                time(|| (0..1000).filter(|_| fs.walk(&deep, true).is_ok()).count())
            }),
            Case::new("getattr", Per::Operations(names.len()), || {
                time(|| {
                    (1..=names.len() as u64)
                        .filter(|&ino| fs.getattr(Ino(ino)).is_ok())
                        .count()
                })
            }),
            Case::new("readdir, each name", Per::Operations(names.len()), || {
                time(|| list(&fs, &directories))
            }),
            Case::new(
                "readdir and attributes, each name",
                Per::Operations(names.len()),
                || time(|| list_with_attributes(&fs, &directories)),
            ),
        ],
    );
}

/// Half of the names are those of every layer, half its own.
fn write_layer(path: &Path, layer: usize) {
    let file = File::create(path).expect("a writable temporary directory");
    let mut zip = zip::ZipWriter::new(std::io::BufWriter::new(file));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut add = |name: String| {
        zip.start_file(name, stored).expect("a legal name");
        zip.write_all(b"content").expect("a writable disk");
    };
    for directory in 0..DIRECTORIES {
        for file in 0..FILES {
            let whose = if file % 2 == 0 {
                "shared".to_owned()
            } else {
                format!("own{layer}")
            };
            add(format!(
                "python/package{directory:03}/module_{whose}_{file:02}.py"
            ));
        }
    }
    let deep: String = (0..DEPTH - 1).map(|depth| format!("deep{depth}/")).collect();
    add(format!("{deep}deep{}/file", DEPTH - 1));
    zip.finish().expect("a writable disk");
}

/// Every name, with the directory it is in, as a walk comes to it.
fn names(fs: &Fs) -> Vec<(Ino, Vec<u8>)> {
    let mut names = Vec::new();
    for directory in directories(fs) {
        let entries = fs.readdir(directory, 2).expect("a directory");
        names.extend(entries.map(|entry| (directory, entry.name.to_vec())));
    }
    names
}

fn directories(fs: &Fs) -> Vec<Ino> {
    let mut found = vec![ROOT];
    let mut next = 0;
    while let Some(&directory) = found.get(next) {
        let entries = fs.readdir(directory, 2).expect("a directory");
        found.extend(
            entries
                .filter(|entry| entry.kind == Kind::Directory)
                .map(|entry| entry.ino),
        );
        next += 1;
    }
    found
}

/// The same names in an order in which no two neighbours are near.
fn scattered(names: &[(Ino, Vec<u8>)]) -> Vec<(Ino, Vec<u8>)> {
    let mut order: Vec<_> = (0..names.len() as u64).collect();
    order.sort_by_key(|&n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    order.iter().map(|&n| names[n as usize].clone()).collect()
}

fn look(fs: &Fs, names: &[(Ino, Vec<u8>)]) -> usize {
    names
        .iter()
        .filter(|(parent, name)| fs.lookup(*parent, name).is_ok())
        .count()
}

fn list(fs: &Fs, directories: &[Ino]) -> usize {
    directories
        .iter()
        .map(|&directory| fs.readdir(directory, 0).map_or(0, Iterator::count))
        .sum()
}

fn list_with_attributes(fs: &Fs, directories: &[Ino]) -> usize {
    let attributes = |directory: Ino| {
        let entries = fs.readdir(directory, 0).expect("a directory");
        entries.filter(|entry| fs.getattr(entry.ino).is_ok()).count()
    };
    directories.iter().map(|&directory| attributes(directory)).sum()
}
