//! A stack of layers as a description, and the archives it stands for.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::raw_zip::RawZip;

/// A layer: what its archive holds, in the order of its central directory.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// The archive file's own time of modification, in seconds since 1970.
    pub(crate) mtime: i64,
    /// Names as they stand in the archive, odd ones included; a directory's slash is added when the archive
    /// is made.
    pub(crate) entries: Vec<(Vec<u8>, Item)>,
}

/// What an entry says it is. `mode: None` is a writer that knows no modes.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Dir {
        mode: Option<u16>,
        mtime: i32,
    },
    File {
        mode: Option<u16>,
        mtime: i32,
        bytes: Vec<u8>,
        method: Method,
    },
    Symlink {
        mtime: i32,
        target: Vec<u8>,
    },
}

/// How a file's bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Stored,
    Deflate,
    /// Deflated, with the sizes behind the data.
    Streamed,
    /// A method that nobody knows: the file is listed, and cannot be read.
    Unknown,
}

impl Layer {
    /// The layer's archive.
    pub(crate) fn zip(&self) -> Vec<u8> {
        let mut zip = RawZip::new();
        for (name, item) in &self.entries {
            zip = match item {
                Item::Dir { mode, mtime } => {
                    let zip = zip.dir([name, &b"/"[..]].concat()).mtime(*mtime);
                    with_mode(zip, *mode)
                }
                Item::File {
                    mode,
                    mtime,
                    bytes,
                    method,
                } => {
                    let zip = with_mode(zip.file(name, bytes).mtime(*mtime), *mode);
                    match method {
                        Method::Stored => zip,
                        Method::Deflate => zip.deflate(),
                        Method::Streamed => zip.deflate().descriptor(),
                        Method::Unknown => zip.method(77),
                    }
                }
                Item::Symlink { mtime, target } => zip.symlink(name, target).mtime(*mtime),
            };
        }
        zip.build()
    }
}

fn with_mode(zip: RawZip, mode: Option<u16>) -> RawZip {
    match mode {
        Some(mode) => zip.mode(mode.into()),
        None => zip.external_attributes(0),
    }
}

/// Writes the archives of a stack into a directory, first layer first, each with its layer's mtime.
pub(crate) fn write(stack: &[Layer], directory: &Path) -> Vec<PathBuf> {
    stack
        .iter()
        .enumerate()
        .map(|(number, layer)| {
            let path = directory.join(format!("layer{number}.zip"));
            write_archive(&path, &layer.zip(), layer.mtime);
            path
        })
        .collect()
}

/// Writes one archive with a time of modification in seconds since 1970.
pub(crate) fn write_archive(path: &Path, bytes: &[u8], mtime: i64) {
    fs::write(path, bytes).expect("a writable temporary directory");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(mtime.try_into().expect("a time after 1970"));
    let file = File::options()
        .write(true)
        .open(path)
        .expect("the file just written");
    file.set_modified(time).expect("the owner may set the time");
}
