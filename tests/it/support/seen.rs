//! A stack seen through optfs, as values: opening it, walking to a path, and the whole of it as a tree.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use optfs::archive::Archive;
use optfs::fs::{Attr, Fs, FsError, Ino, Kind, MAX_READ_BYTES, Options, ROOT};
use optfs::stack::Stack;
use tempfile::TempDir;

use super::raw_zip::RawZip;
use super::stack::{self, Layer};
use super::tree::{Body, Node, Tree};

/// The mtime of every archive that `mounted_values` writes.
pub(crate) const ARCHIVE_MTIME: i64 = 1_600_000_000;

/// A filesystem and the directory its archives lie in.
pub(crate) struct Scene {
    fs: Fs,
    /// Kept for the archives' sake.
    _scratch: TempDir,
}

impl Deref for Scene {
    type Target = Fs;

    fn deref(&self) -> &Fs {
        &self.fs
    }
}

/// A name in a directory, as readdir gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: Vec<u8>,
    pub(crate) ino: Ino,
    pub(crate) kind: Kind,
    pub(crate) next_offset: u64,
}

/// The filesystem over these archives, first to last, with a cache that holds all of them.
pub(crate) fn mounted_values(archives: &[Vec<u8>]) -> Scene {
    mounted_with_cache(archives, UNLIMITED)
}

/// The filesystem over these archives, first to last, with a cache of so many bytes.
pub(crate) fn mounted_with_cache(archives: &[Vec<u8>], cache_capacity_bytes: u64) -> Scene {
    let scratch = TempDir::new().expect("a temporary directory");
    let mut stack = Vec::new();
    for (number, bytes) in archives.iter().enumerate() {
        let path = scratch.path().join(format!("layer{number}.zip"));
        stack::write_archive(&path, bytes, ARCHIVE_MTIME);
        stack.push(open_archive(&path));
    }
    Scene {
        fs: mount(stack, cache_capacity_bytes),
        _scratch: scratch,
    }
}

/// The filesystem over one archive.
pub(crate) fn scene(zip: RawZip) -> Scene {
    mounted_values(&[zip.build()])
}

/// The filesystem over a described stack, with a cache of so many bytes.
pub(crate) fn mounted_stack(layers: &[Layer], cache_capacity_bytes: u64) -> Scene {
    let scratch = TempDir::new().expect("a temporary directory");
    let archives = stack::write(layers, scratch.path())
        .iter()
        .map(PathBuf::as_path)
        .map(open_archive)
        .collect();
    Scene {
        fs: mount(archives, cache_capacity_bytes),
        _scratch: scratch,
    }
}

/// A cache that never has to let go of anything in these tests.
pub(crate) const UNLIMITED: u64 = 1 << 40;

fn open_archive(path: &Path) -> Archive {
    Archive::open(path).unwrap_or_else(|error| panic!("{}", chain(&error)))
}

fn mount(archives: Vec<Archive>, cache_capacity_bytes: u64) -> Fs {
    let stack = Stack::merge(archives).unwrap_or_else(|error| panic!("{}", chain(&error)));
    Fs::new(
        Arc::new(stack),
        Options {
            cache_capacity_bytes,
            uid: 501,
            gid: 502,
            ..Options::default()
        },
    )
}

/// An error and all of its causes, as main prints them.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Walks from the root to a path, part by part, as the kernel does.
pub(crate) fn find(fs: &Fs, path: &str) -> Result<Attr, FsError> {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts.fold(fs.getattr(ROOT), |parent, part| {
        fs.lookup(parent?.ino, part.as_bytes())
    })
}

/// The attributes of a path that is there.
#[track_caller]
pub(crate) fn attr(fs: &Fs, path: &str) -> Attr {
    find(fs, path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names in a directory to the byte, without `.` and `..`, in order.
pub(crate) fn names(fs: &Fs, ino: Ino) -> Vec<Vec<u8>> {
    let listed = list(fs, ino, 0).into_iter().map(|listed| listed.name);
    let mut names: Vec<_> = listed.filter(|name| name != b"." && name != b"..").collect();
    names.sort();
    names
}

/// Reads a file from its start to its end.
pub(crate) fn read(fs: &Fs, path: &str) -> Result<Vec<u8>, FsError> {
    read_range(fs, find(fs, path)?.ino, 0, usize::MAX)
}

/// Reads so many bytes, or those up to the end, in as many answers as it takes.
pub(crate) fn read_range(fs: &Fs, ino: Ino, offset: u64, size: usize) -> Result<Vec<u8>, FsError> {
    let mut bytes = Vec::new();
    while bytes.len() < size {
        let missing = (size - bytes.len()).min(MAX_READ_BYTES);
        let answer = fs.read(ino, offset + bytes.len() as u64, missing, <[u8]>::to_vec)?;
        let is_end = answer.len() < missing;
        bytes.extend(answer);
        if is_end {
            break;
        }
    }
    Ok(bytes)
}

/// Everything in a directory in one go, `.` and `..` included.
pub(crate) fn list(fs: &Fs, ino: Ino, offset: u64) -> Vec<Listed> {
    let entries = fs
        .readdir(ino, offset)
        .unwrap_or_else(|error| panic!("{ino:?}: readdir from {offset}: {error}"));
    let listed = entries.map(|entry| Listed {
        name: entry.name.to_vec(),
        ino: entry.ino,
        kind: entry.kind,
        next_offset: entry.next_offset,
    });
    listed.collect()
}

/// The paths of everything but the root, in order; names that are not UTF-8 are escaped.
pub(crate) fn paths(fs: &Fs) -> Vec<String> {
    tree(fs)
        .keys()
        .filter(|path| !path.is_empty())
        .map(|path| path.escape_ascii().to_string())
        .collect()
}

/// Everything under the root, found by readdir and asked for by lookup; what the two say has to agree.
pub(crate) fn tree(fs: &Fs) -> Tree {
    let mut tree = Tree::new();
    let root = fs.getattr(ROOT).expect("a filesystem has a root");
    for (path, attr) in walk(fs, Vec::new(), &root) {
        assert_eq!(
            attr.mtime.nanoseconds,
            0,
            "{}: times of whole seconds stay so",
            path.escape_ascii()
        );
        let node = Node {
            mode: attr.mode,
            mtime: attr.mtime.seconds,
            body: body(fs, &attr),
        };
        if let Some(size) = node.body.size() {
            assert_eq!(attr.size, size, "{}: size and content", path.escape_ascii());
        }
        tree.insert(path, node);
    }
    tree
}

/// The attributes of every path under the root, the root itself as the empty path.
pub(crate) fn attributes(fs: &Fs) -> BTreeMap<Vec<u8>, Attr> {
    let root = fs.getattr(ROOT).expect("a filesystem has a root");
    walk(fs, Vec::new(), &root).into_iter().collect()
}

fn walk(fs: &Fs, path: Vec<u8>, attr: &Attr) -> Vec<(Vec<u8>, Attr)> {
    let mut found = Vec::new();
    if attr.kind == Kind::Directory {
        for listed in list(fs, attr.ino, 0) {
            if listed.name == b"." || listed.name == b".." {
                continue;
            }
            let separator = if path.is_empty() { &b""[..] } else { b"/" };
            let child_path = [&path, separator, &listed.name].concat();
            let child = fs
                .lookup(attr.ino, &listed.name)
                .unwrap_or_else(|error| panic!("{}: listed, but: {error}", child_path.escape_ascii()));
            assert_eq!(
                (child.ino, child.kind),
                (listed.ino, listed.kind),
                "{}",
                child_path.escape_ascii()
            );
            found.extend(walk(fs, child_path, &child));
        }
    }
    let again = fs
        .getattr(attr.ino)
        .expect("a number that was given out stays good");
    found.push((path, again));
    found
}

fn body(fs: &Fs, attr: &Attr) -> Body {
    match attr.kind {
        Kind::Directory => Body::Directory,
        Kind::Symlink => Body::Symlink(fs.readlink(attr.ino).expect("a generated target is legal")),
        Kind::File => match read_range(fs, attr.ino, 0, usize::MAX) {
            Ok(bytes) => Body::File(bytes),
            Err(FsError::Damaged(_)) => Body::Unreadable {
                declared_size: attr.size,
            },
            Err(error) => panic!("{:?}: {error}", attr.ino),
        },
    }
}
