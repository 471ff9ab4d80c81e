//! The client of `scripts/bench-peers`: what is timed on a mounted or extracted tree, done with as few steps of its
//! own as possible. Answers in one line of JSON, times in seconds.
//!
//! ```text
//! client walk DIR TIMES                     every directory listed, every name asked for its attributes
//! client read DIR READERS TIMES < names     every name opened, read to its end and closed
//! client stat DIR SUFFIX TIMES < names      every name, SUFFIX behind it, asked for its attributes
//! client sequence FILE TIMES                a file read from its start to its end
//! client random FILE READS                  the first byte; 4 KiB at so many places
//! client inflate THREADS TIMES ZIP…         the members that the merged tree shows, inflated by libdeflate alone, from memory
//!                                           to memory
//! ```
//!
//! Names are paths below DIR, a NUL behind each.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use libdeflater::Decompressor;

use serde_json::{Value, json};
use zip::CompressionMethod;

const READ_BYTES: usize = 128 << 10;
const PAGE_BYTES: usize = 4 << 10;

fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| {
        word.parse::<usize>()
            .map_err(|e| io::Error::other(format!("{word}: {e}")))
    };
    let answer = match words[..] {
        ["walk", directory, times] => times_of(number(times)?, || walk(Path::new(directory)))?,
        ["read", directory, readers, times] => {
            let (names, readers) = (names(directory)?, number(readers)?);
            times_of(number(times)?, || read_all(&names, readers))?
        }
        ["stat", directory, suffix, times] => {
            let names = names(directory)?;
            let names: Vec<_> = names.iter().map(|name| with_suffix(name, suffix)).collect();
            times_of(number(times)?, || {
                Ok(names
                    .iter()
                    .filter(|name| name.symlink_metadata().is_ok())
                    .count())
            })?
        }
        ["sequence", file, times] => times_of(number(times)?, || {
            read(Path::new(file), &mut vec![0; READ_BYTES]).map(|bytes| bytes as usize)
        })?,
        ["random", file, reads] => random(Path::new(file), number(reads)?)?,
        ["inflate", threads, times, ref zips @ ..] => {
            let members = members(zips)?;
            let most = members.iter().map(|member| member.size).max().unwrap_or(0);
            // Written to once, so that the pages are there.
            let mut rooms = vec![vec![1; most]; number(threads)?];
            times_of(number(times)?, || inflate_all(&members, &mut rooms))?
        }
        _ => return Err(io::Error::other("wrong usage: see the head of bench/client.rs")),
    };
    println!("{answer}");
    Ok(())
}

/// How long each of so many times took, and what the last one counted.
fn times_of(times: usize, mut work: impl FnMut() -> io::Result<usize>) -> io::Result<Value> {
    let mut seconds = Vec::new();
    let mut count = 0;
    for _ in 0..times {
        let begin = Instant::now();
        count = work()?;
        seconds.push(begin.elapsed().as_secs_f64());
    }
    Ok(json!({ "s": seconds, "count": count }))
}

fn names(directory: &str) -> io::Result<Vec<PathBuf>> {
    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text)?;
    let names = text.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    Ok(names
        .map(|name| Path::new(directory).join(OsStr::from_bytes(name)))
        .collect())
}

fn with_suffix(name: &Path, suffix: &str) -> PathBuf {
    let mut name = name.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn walk(root: &Path) -> io::Result<usize> {
    let mut names = 0;
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            names += 1;
            if entry.metadata()?.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    Ok(names)
}

/// Each reader has a part of the names, those of a directory together.
fn read_all(names: &[PathBuf], readers: usize) -> io::Result<usize> {
    let part = names.len().div_ceil(readers).max(1);
    thread::scope(|scope| {
        let readers: Vec<_> = names
            .chunks(part)
            .map(|names| scope.spawn(|| read_each(names)))
            .collect();
        sum_of(readers)
    })
}

fn sum_of(threads: Vec<ScopedJoinHandle<'_, io::Result<usize>>>) -> io::Result<usize> {
    let counts = threads
        .into_iter()
        .map(|thread| thread.join().expect("a thread does not panic"));
    counts.sum()
}

fn read_each(names: &[PathBuf]) -> io::Result<usize> {
    let mut buffer = vec![0; READ_BYTES];
    for name in names {
        read(name, &mut buffer).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", name.display())))?;
    }
    Ok(names.len())
}

fn read(path: &Path, buffer: &mut [u8]) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut length = 0;
    loop {
        match file.read(buffer)? {
            0 => return Ok(length),
            n => length += n as u64,
        }
    }
}

fn random(path: &Path, reads: usize) -> io::Result<Value> {
    let file = File::open(path)?;
    let pages = file.metadata()?.len() / PAGE_BYTES as u64;
    let timed = |buffer: &mut [u8], offset: u64| -> io::Result<f64> {
        let begin = Instant::now();
        file.read_exact_at(buffer, offset)?;
        Ok(begin.elapsed().as_secs_f64())
    };
    let first_byte = timed(&mut [0], 0)?;
    let mut seed = 1u64;
    let mut page = vec![0; PAGE_BYTES];
    let mut seconds = Vec::new();
    let mut first_offset = None;
    for _ in 0..reads {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let offset = (seed >> 20) % pages.max(1) * PAGE_BYTES as u64;
        first_offset.get_or_insert(offset);
        seconds.push(timed(&mut page, offset)?);
    }
    let (first_page, first_offset) = (seconds.first().copied(), first_offset.unwrap_or_default());
    seconds.sort_by(f64::total_cmp);
    let at = |part: usize| seconds.get(seconds.len() * part / 100).copied();
    Ok(
        json!({ "first_byte": first_byte, "first_page": first_page, "first_offset": first_offset, "p50": at(50), "p99": at(99) }),
    )
}

/// A member in memory, as it lies in its archive.
struct Packed {
    bytes: Vec<u8>,
    is_deflated: bool,
    size: usize,
}

/// What is to be seen of some archives: of each name the last member.
fn members(zips: &[&str]) -> io::Result<Vec<Packed>> {
    let mut last = HashMap::new();
    for zip_name in zips {
        let mut zip = zip::ZipArchive::new(File::open(zip_name)?)?;
        for index in 0..zip.len() {
            let mut member = zip.by_index_raw(index)?;
            let is_deflated = match member.compression() {
                CompressionMethod::Deflated => true,
                CompressionMethod::Stored => false,
                other => {
                    return Err(io::Error::other(format!(
                        "{zip_name}: a member of method {other}"
                    )));
                }
            };
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes)?;
            let size = member.size() as usize;
            last.insert(
                member.name_raw().to_vec(),
                Packed {
                    bytes,
                    is_deflated,
                    size,
                },
            );
        }
    }
    // The longest first: so no thread is left alone with one of them in the end.
    let mut members: Vec<_> = last.into_values().collect();
    members.sort_by_key(|member| std::cmp::Reverse(member.size));
    Ok(members)
}

/// A thread for each room takes the next member and inflates it to where it inflated the last; returns their bytes.
fn inflate_all(members: &[Packed], rooms: &mut [Vec<u8>]) -> io::Result<usize> {
    let next = AtomicUsize::new(0);
    let inflate = |room: &mut [u8]| -> io::Result<usize> {
        let (mut decompressor, mut done) = (Decompressor::new(), 0);
        while let Some(member) = members.get(next.fetch_add(1, Ordering::Relaxed)) {
            let out = &mut room[..member.size];
            done += match member.is_deflated {
                true => decompressor
                    .deflate_decompress(&member.bytes, out)
                    .map_err(io::Error::other)?,
                false => {
                    out.copy_from_slice(&member.bytes);
                    member.size
                }
            };
        }
        Ok(done)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = rooms
            .iter_mut()
            .map(|room| scope.spawn(|| inflate(room)))
            .collect();
        sum_of(threads)
    })
}
