//! The work that is timed on a directory, as any program does it: all names listed and asked for their
//! attributes, all files read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// As large as cat(1) and cp(1) read.
const READ_BYTES: usize = 128 << 10;

/// What a walk found.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) nodes: u64,
    pub(super) files: Vec<PathBuf>,
    pub(super) elapsed: Duration,
}

/// What reading came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) bytes: u64,
    pub(super) elapsed: Duration,
}

/// Lists every directory and asks for the attributes of every name in it. The root counts as a name.
pub(super) fn walk(root: &Path) -> io::Result<Walk> {
    let begin = Instant::now();
    let mut nodes = 1;
    let mut files = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            nodes += 1;
            let kind = entry.metadata()?.file_type();
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(Walk {
        nodes,
        files,
        elapsed: begin.elapsed(),
    })
}

/// Opens each file, reads it to its end and closes it.
pub(super) fn read_all(files: &[PathBuf]) -> io::Result<Reading> {
    let begin = Instant::now();
    let mut buffer = vec![0; READ_BYTES];
    let mut bytes = 0;
    for file in files {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", file.display()));
        bytes += read(file, &mut buffer).map_err(named)?;
    }
    Ok(Reading {
        bytes,
        elapsed: begin.elapsed(),
    })
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
