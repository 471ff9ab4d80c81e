//! A mount as its own guide: the tree of `fs` as it is, and beside it what the mount tells of it. Extended
//! attributes of every object, and a directory `.optfs` that is found by name and never listed.
//!
//! Answers what `fs` answers, for both transports. The tree's own answers pass through; numbers of inodes say which
//! those are. What is counted and timed on the way is in `statistics`.

mod directory;
mod documents;
mod failures;
mod number;
mod snapshots;
mod statistics;
mod xattr;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use crate::fs::{Attr, DirEntry, Fs, FsError, Ino, ROOT, Statfs};
use crate::path::RelPath;
use directory::Layer;
use failures::Failures;
use number::Place;
use snapshots::Snapshots;
use statistics::{Request, Statistics, Timed};

pub use number::is_passing;
pub use xattr::{XattrError, Xattrs};

/// The name of the directory at the root.
pub const DIRECTORY: &[u8] = b".optfs";

/// What a mount tells of itself.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether there is a directory `.optfs`.
    pub directory: bool,
    /// What is known of extended attributes.
    pub xattrs: Xattrs,
    /// The number of the first text that changes. Where a process goes on with the mount of another one it has to be
    /// above all that the other gave: the kernel keeps what it has of those.
    pub first_snapshot: u64,
}

impl Default for Options {
    /// All of it, and nothing listed.
    fn default() -> Self {
        Options {
            directory: true,
            xattrs: Xattrs::default(),
            first_snapshot: 0,
        }
    }
}

/// A tree and what is told of it.
pub struct Guide {
    fs: Arc<Fs>,
    /// Whether there is a directory `.optfs`, and whether a layer's own stands in its way.
    has_directory: bool,
    is_in_the_way: bool,
    xattrs: Xattrs,
    layers: Box<[Layer]>,
    stack_text: OnceLock<Box<[u8]>>,
    conflicts_text: OnceLock<Box<[u8]>>,
    snapshots: Snapshots,
    statistics: Statistics,
    failures: Failures,
    began: SystemTime,
}

impl Guide {
    /// A guide to a tree.
    pub fn new(fs: Arc<Fs>, options: Options) -> Guide {
        let stack = fs.stack();
        let is_in_the_way = RelPath::check(DIRECTORY).is_ok_and(|path| stack.find(path.parts()).is_some());
        let layers = stack.layers_in_order().map(|(index, archive)| {
            // A background process leaves the directory that it was started in.
            let path = std::path::absolute(archive.path()).unwrap_or_else(|_| PathBuf::from(archive.path()));
            Layer::new(index, path)
        });
        Guide {
            has_directory: options.directory && !is_in_the_way,
            is_in_the_way: options.directory && is_in_the_way,
            xattrs: options.xattrs,
            layers: layers.collect(),
            stack_text: OnceLock::new(),
            conflicts_text: OnceLock::new(),
            snapshots: Snapshots::from(options.first_snapshot),
            statistics: Statistics::new(),
            failures: Failures::default(),
            began: SystemTime::now(),
            fs,
        }
    }

    /// Whether there is no `.optfs` because a layer has one of its own.
    pub fn is_in_the_way(&self) -> bool {
        self.is_in_the_way
    }

    /// Bytes of files that were handed out so far, each as often as it was asked for.
    pub fn served_bytes(&self) -> u64 {
        let trees = self.layers.iter().flat_map(Layer::trees);
        trees.fold(self.fs.served_bytes(), |sum, tree| sum + tree.served_bytes())
    }

    /// The attributes of a name in a directory: [`Fs::lookup`].
    ///
    /// Semantics decision: (9) what a mount adds is found by name alone, and a layer's own `.optfs` wins.
    pub fn lookup(&self, parent: Ino, name: &[u8]) -> Result<Attr, FsError> {
        let _timed = self.statistics.time(Request::Lookup);
        if !number::is_in_tree(parent) {
            return self.lookup_beside(Place::of(parent), name);
        }
        match self.fs.lookup(parent, name) {
            Err(FsError::NotFound) if parent == ROOT && name == DIRECTORY => self.top(),
            answer => answer,
        }
    }

    /// The attributes of an inode: [`Fs::getattr`].
    pub fn getattr(&self, ino: Ino) -> Result<Attr, FsError> {
        let _timed = self.statistics.time(Request::Getattr);
        self.attr(ino)
    }

    /// The attributes of a name that [`Guide::readdir`] gave.
    pub fn attr(&self, ino: Ino) -> Result<Attr, FsError> {
        match number::is_in_tree(ino) {
            true => self.fs.getattr(ino),
            false => self.attr_beside(Place::of(ino)),
        }
    }

    /// The target of a symlink: [`Fs::readlink`].
    pub fn readlink(&self, ino: Ino) -> Result<Vec<u8>, FsError> {
        let _timed = self.statistics.time(Request::Readlink);
        let (fs, local) = self.tree_of(ino).ok_or(FsError::NotALink)?;
        fs.readlink(local).inspect_err(|e| self.failures.note(e))
    }

    /// The names in a directory: [`Fs::readdir`].
    pub fn readdir(&self, ino: Ino, offset: u64) -> Result<impl Iterator<Item = DirEntry<'_>>, FsError> {
        let timed = self.statistics.time(Request::Readdir);
        let names = match number::is_in_tree(ino) {
            true => Names::Tree(self.fs.readdir(ino, offset)?),
            false => Names::Beside(self.readdir_beside(Place::of(ino), offset)?),
        };
        Ok(Listing { names, _timed: timed })
    }

    /// Hands the bytes of a file to `deliver`: [`Fs::read`].
    pub fn read<R>(
        &self,
        ino: Ino,
        offset: u64,
        size: usize,
        deliver: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, FsError> {
        let _timed = self.statistics.time(Request::Read);
        match self.tree_of(ino) {
            Some((fs, local)) => {
                let read = fs.read(local, offset, size, deliver);
                read.inspect_err(|e| self.failures.note(e))
            }
            None => self.read_document(Place::of(ino), offset, size, deliver),
        }
    }

    /// Whether [`Guide::read`] would answer at once: [`Fs::is_at_hand`].
    pub fn is_at_hand(&self, ino: Ino, offset: u64) -> bool {
        self.tree_of(ino)
            .is_none_or(|(fs, local)| fs.is_at_hand(local, offset))
    }

    /// Sizes of the whole tree: [`Fs::statfs`].
    pub fn statfs(&self) -> Statfs {
        let _timed = self.statistics.time(Request::Statfs);
        self.fs.statfs()
    }

    /// What was asked so far, and what became of it, as JSON on one line.
    pub fn statistics(&self) -> String {
        self.stats_json().to_string()
    }

    /// The tree that an inode is in, and its number there.
    fn tree_of(&self, ino: Ino) -> Option<(&Fs, Ino)> {
        if number::is_in_tree(ino) {
            return Some((&self.fs, ino));
        }
        match Place::of(ino)? {
            Place::Tree(which, local) => Some((self.tree(which).ok()?, local)),
            Place::Fixed(_) | Place::Snapshot(_) => None,
        }
    }
}

/// Names, from two kinds of directories.
enum Names<T, B> {
    Tree(T),
    Beside(B),
}

/// Names that are being asked for; their time is up when the value is dropped.
struct Listing<'g, T, B> {
    names: Names<T, B>,
    _timed: Timed<'g>,
}

impl<'a, T: Iterator<Item = DirEntry<'a>>, B: Iterator<Item = DirEntry<'a>>> Iterator for Listing<'_, T, B> {
    type Item = DirEntry<'a>;

    fn next(&mut self) -> Option<DirEntry<'a>> {
        match &mut self.names {
            Names::Tree(names) => names.next(),
            Names::Beside(names) => names.next(),
        }
    }
}
