//! Our deflate decoder against libdeflate, on the files found under /usr/lib.
//!
//! `cargo bench --bench inflate [directory]` prints the median and the spread of MB/s of output, one core.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use libdeflater::{CompressionLvl, Compressor, Decompressor};
use optfs::archive::{Checkpoint, Inflater};

const CORPUS_BYTES: usize = 64 << 20;
const RUNS: usize = 9;
const CHECKPOINT_BYTES: u64 = 256 << 10;

fn main() {
    let directory = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let corpus = corpus(Path::new(directory.as_deref().unwrap_or("/usr/lib")));
    println!(
        "corpus: {} MB, {RUNS} runs, MB/s of output: median [min to max]",
        corpus.len() / 1_000_000
    );
    for level in [1, 6, 9, 12] {
        let deflated = deflate(&corpus, level);
        println!("level {level}: {} MB deflated", deflated.len() / 1_000_000);
        measure_level(&corpus, &deflated);
    }
}

/// The contestants take turns, so that a noisy machine is noisy for all of them.
fn measure_level(corpus: &[u8], deflated: &[u8]) {
    let pieces = [usize::MAX, 1 << 20, 128 << 10, 4 << 10];
    let mut times = vec![Vec::new(); 1 + pieces.len()];
    let mut out = vec![0; corpus.len()];
    let mut libdeflate = Decompressor::new();
    for _ in 0..RUNS {
        times[0].push(time(|| {
            libdeflate
                .deflate_decompress(deflated, &mut out)
                .expect("libdeflate's own stream");
        }));
        for (piece, times) in pieces.iter().zip(&mut times[1..]) {
            out.fill(0);
            times.push(time(|| {
                let mut inflater = Inflater::new();
                for out in out.chunks_mut((*piece).min(corpus.len())) {
                    inflater.read(&mut &*deflated, out).expect("libdeflate's stream");
                }
            }));
            assert!(out == corpus, "reads of {piece} give other bytes");
        }
    }
    for times in &mut times {
        times.sort();
    }
    let names = [
        "libdeflate, whole",
        "ours, whole",
        "ours, 1 MiB reads",
        "ours, 128 KiB reads",
        "ours, 4 KiB reads",
    ];
    for (name, own) in names.iter().zip(&times) {
        let rate = |time: Duration| corpus.len() as f64 / 1e6 / time.as_secs_f64();
        let ratio = |place: usize| times[0][place].as_secs_f64() / own[place].as_secs_f64() * 100.0;
        println!(
            "  {name:20} {:5.0} [{:.0} to {:.0}], {:.0} % of libdeflate by the median, {:.0} % by the best",
            rate(own[RUNS / 2]),
            rate(own[RUNS - 1]),
            rate(own[0]),
            ratio(RUNS / 2),
            ratio(0),
        );
    }
    measure_checkpoints(corpus, deflated);
}

fn time(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

/// What checkpoints cost to take, to keep and to read from.
fn measure_checkpoints(corpus: &[u8], deflated: &[u8]) {
    let mut input = deflated;
    let mut inflater = Inflater::new();
    let mut checkpoints: Vec<Checkpoint> = Vec::new();
    let mut taking = Duration::ZERO;
    while inflater
        .skip(&mut input, CHECKPOINT_BYTES)
        .expect("libdeflate's stream")
        > 0
    {
        let start = Instant::now();
        checkpoints.push(inflater.checkpoint().packed());
        taking += start.elapsed();
    }
    let start = Instant::now();
    let mut pruner = Inflater::new();
    let pruned: Vec<_> = checkpoints
        .iter()
        .map(|checkpoint| pruner.prune(checkpoint, &mut input).expect("libdeflate's stream"))
        .collect();
    let pruning = start.elapsed() / checkpoints.len() as u32;
    let pruned_bytes: usize = pruned.iter().map(Checkpoint::memory_bytes).sum();
    let memory: usize = checkpoints.iter().map(Checkpoint::memory_bytes).sum();
    println!(
        "  checkpoint every {} KiB: {:?} each, {:.1} KiB each, {:.1} % of the output",
        CHECKPOINT_BYTES >> 10,
        taking / checkpoints.len() as u32,
        memory as f64 / checkpoints.len() as f64 / 1024.0,
        memory as f64 / corpus.len() as f64 * 100.0
    );
    println!(
        "    pruned: {pruning:?} each, {:.1} KiB each, {:.1} % of the output",
        pruned_bytes as f64 / pruned.len() as f64 / 1024.0,
        pruned_bytes as f64 / corpus.len() as f64 * 100.0
    );
    let checkpoints = pruned;

    let mut times = Vec::new();
    let mut page = vec![0; 4096];
    let mut seed = 1u64;
    for _ in 0..2000 {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let offset = (seed >> 20) % (corpus.len() as u64 - 4096);
        let start = Instant::now();
        let nearest = checkpoints.partition_point(|checkpoint| checkpoint.output_offset() <= offset);
        let from = match nearest.checked_sub(1) {
            Some(index) => {
                inflater
                    .restart(&checkpoints[index], &mut input)
                    .expect("own checkpoint");
                checkpoints[index].output_offset()
            }
            None => {
                inflater = Inflater::new();
                0
            }
        };
        inflater
            .skip(&mut input, offset - from)
            .expect("libdeflate's stream");
        inflater.read(&mut input, &mut page).expect("libdeflate's stream");
        times.push(start.elapsed());
        assert!(page == corpus[offset as usize..][..4096]);
    }
    times.sort();
    println!(
        "  random 4 KiB: p50 {:?}, p99 {:?}",
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    );
}

fn deflate(corpus: &[u8], level: i32) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::new(level).expect("a level of libdeflate"));
    let mut deflated = vec![0; compressor.deflate_compress_bound(corpus.len())];
    let length = compressor
        .deflate_compress(corpus, &mut deflated)
        .expect("room for the bound");
    deflated.truncate(length);
    deflated
}

/// The first files under a directory, by name, as many as it takes.
fn corpus(directory: &Path) -> Vec<u8> {
    let mut corpus = Vec::new();
    let mut open: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else {
            continue;
        };
        let mut entries: Vec<_> = entries.flatten().collect();
        entries.sort_by_key(|entry| entry.file_name());
        for entry in entries {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => corpus.extend(std::fs::read(entry.path()).unwrap_or_default()),
                _ => {}
            }
            if corpus.len() >= CORPUS_BYTES {
                corpus.truncate(CORPUS_BYTES);
                return corpus;
            }
        }
    }
    corpus
}
