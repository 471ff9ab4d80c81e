//! The POSIX face of a stack as plain values: lookup, getattr, readdir, readlink, read, statfs.
//!
//! Knows nothing of the kernel's messages, of threads or of mount points: two transports and all tests
//! ask the same questions here. Every answer stays true for as long as the stack lives.

mod walk;
mod walkers;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use thiserror::Error;

use crate::content::{Content, Keeping};
use crate::stack::{Body, EntryRef, NodeId, Stack};
use walkers::Walkers;

pub use crate::content::{MAX_READ_BYTES, MAX_TARGET_BYTES};
pub use crate::stack::Mtime;
pub use walk::WalkError;

/// What directories report as their size: a block, as ext4 does.
const DIRECTORY_BYTES: u64 = 4096;
/// The unit of `st_blocks`.
const SECTOR_BYTES: u64 = 512;
/// The unit of `statfs`.
const BLOCK_BYTES: u32 = 4096;

/// An inode number: the same on every mount of the same list of archives, 1 for the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ino(pub u64);

/// The inode number of the root.
pub const ROOT: Ino = Ino(1);

/// What an inode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Names below it.
    Directory,
    /// Bytes.
    File,
    /// A target.
    Symlink,
}

/// What `stat` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr {
    /// Inode number.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, below 0o1000.
    pub mode: u16,
    /// Bytes; of a symlink, of its target.
    pub size: u64,
    /// Blocks of 512 bytes.
    pub blocks: u64,
    /// Last modification; access, change and birth have no other.
    pub mtime: Mtime,
    /// For directories 2 and one for each directory in it, else 1.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// One name in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirEntry<'a> {
    /// The last part of the path, or `.` or `..`.
    pub name: &'a [u8],
    /// Its inode.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
    /// Where to go on behind this name.
    pub next_offset: u64,
}

/// What `statfs` shows of the whole tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statfs {
    /// Blocks in use, of [`Statfs::block_bytes`] each; none is free.
    pub blocks: u64,
    /// Inodes; none is free.
    pub files: u64,
    /// Bytes in a block.
    pub block_bytes: u32,
    /// Longest name, in bytes.
    pub name_max: u32,
}

/// How the tree is shown.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most bytes of inflated content that are kept.
    pub cache_capacity_bytes: u64,
    /// Whether readers keep what they are given, as the kernel does: what was given once is let go.
    pub readers_keep: bool,
    /// Where checkpoints of large files are kept for the next time; nowhere when there is none.
    pub index_directory: Option<PathBuf>,
    /// Owner of everything.
    pub uid: u32,
    /// Group of everything.
    pub gid: u32,
    /// Permission bits taken away from files.
    pub file_mask: u16,
    /// Permission bits taken away from directories.
    pub directory_mask: u16,
}

impl Default for Options {
    /// 256 MiB of cache, owned by root, no bits taken away.
    fn default() -> Self {
        Options {
            cache_capacity_bytes: 256 << 20,
            readers_keep: false,
            index_directory: None,
            uid: 0,
            gid: 0,
            file_mask: 0,
            directory_mask: 0,
        }
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone, Error)]
pub enum FsError {
    /// No such name, or no such inode.
    #[error("no such file or directory")]
    NotFound,
    /// A directory was needed.
    #[error("not a directory")]
    NotADirectory,
    /// Something other than a directory was needed.
    #[error("is a directory")]
    IsADirectory,
    /// Not a symlink.
    #[error("not a symbolic link")]
    NotALink,
    /// A name that no entry can have.
    #[error("the name is longer than 255 bytes")]
    NameTooLong,
    /// The archive does not give the bytes. The message names the archive, the entry and the reason.
    #[error("{0}")]
    Damaged(Arc<str>),
}

/// A stack as a filesystem.
pub struct Fs {
    stack: Arc<Stack>,
    content: Arc<Content>,
    options: Options,
    statfs: OnceLock<Statfs>,
    walkers: Walkers,
    served_bytes: AtomicU64,
}

impl Fs {
    /// Shows a stack.
    pub fn new(stack: Arc<Stack>, options: Options) -> Fs {
        let keeping = Keeping {
            capacity_bytes: options.cache_capacity_bytes,
            readers_keep: options.readers_keep,
            index_directory: options.index_directory.clone(),
        };
        let content = Content::new(Arc::clone(&stack), &keeping);
        Fs::over(stack, Arc::new(content), options)
    }

    /// Shows another tree of the same layers ([`Stack::only`]) in the same way. An entry that both have is inflated
    /// and kept once.
    pub fn beside(&self, stack: Arc<Stack>) -> Fs {
        Fs::over(stack, Arc::clone(&self.content), self.options.clone())
    }

    fn over(stack: Arc<Stack>, content: Arc<Content>, options: Options) -> Fs {
        let walkers = Walkers::new(content.ahead_bytes());
        Fs {
            stack,
            content,
            options,
            statfs: OnceLock::new(),
            walkers,
            served_bytes: AtomicU64::new(0),
        }
    }

    /// The stack that is shown.
    pub fn stack(&self) -> &Arc<Stack> {
        &self.stack
    }

    /// How it is shown.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The bytes behind it.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Bytes of files that were handed out so far, each as often as it was asked for.
    pub fn served_bytes(&self) -> u64 {
        self.served_bytes.load(Ordering::Relaxed)
    }

    /// The attributes of a name in a directory.
    pub fn lookup(&self, parent: Ino, name: &[u8]) -> Result<Attr, FsError> {
        // A file handle is found again so, also that of a file.
        if name == b"." {
            return self.getattr(parent);
        }
        let directory = self.directory(parent)?;
        if name.len() > crate::path::MAX_PART_BYTES {
            return Err(FsError::NameTooLong);
        }
        let node = match name {
            b".." => Some(self.stack.parent(directory)),
            name => self.stack.child(directory, name),
        };
        node.map(|node| self.attr(node)).ok_or(FsError::NotFound)
    }

    /// The attributes of an inode.
    pub fn getattr(&self, ino: Ino) -> Result<Attr, FsError> {
        Ok(self.attr(self.node(ino)?))
    }

    /// The target of a symlink, as the archive has it.
    ///
    /// Semantics decision: (4) symlinks are kept verbatim and only ever resolved by the kernel of
    /// whoever reads the mount. Targets longer than 4,095 bytes, empty or with NUL are refused.
    pub fn readlink(&self, ino: Ino) -> Result<Vec<u8>, FsError> {
        let Body::Symlink(entry) = self.stack.body(self.node(ino)?) else {
            return Err(FsError::NotALink);
        };
        let target = self.content.link_target(entry);
        target.map_err(|error| self.damaged(entry, &error.to_string()))
    }

    /// The names in a directory from `offset` on: 0, or the `next_offset` of any name. `.` and `..`
    /// come first, then the names in order of their bytes.
    pub fn readdir(&self, ino: Ino, offset: u64) -> Result<impl Iterator<Item = DirEntry<'_>>, FsError> {
        let directory = self.directory(ino)?;
        let dots = [(&b"."[..], directory), (&b".."[..], self.stack.parent(directory))];
        let children = self.stack.children(directory);
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        let children = children
            .skip(skipped.saturating_sub(2))
            .map(|node| (self.stack.name(node), node));
        let names = dots.into_iter().skip(skipped).chain(children);
        Ok(names.enumerate().map(move |(i, (name, node))| DirEntry {
            name,
            ino: ino_of(node),
            kind: self.kind(node),
            next_offset: offset + i as u64 + 1,
        }))
    }

    /// Hands the bytes of a file at `offset` to `deliver`: `size` of them, at most [`MAX_READ_BYTES`],
    /// fewer at the file's end.
    ///
    /// Semantics decision: (6) an entry that cannot be served is listed with its attributes, and reading
    /// it is an error that names the archive, the entry and the reason; the rest of the tree works.
    pub fn read<R>(
        &self,
        ino: Ino,
        offset: u64,
        size: usize,
        deliver: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, FsError> {
        let node = self.node(ino)?;
        match self.stack.body(node) {
            Body::File(entry) => {
                if offset == 0 {
                    self.content.ahead(self.walkers.note(&self.stack, node));
                }
                let read = self.content.read(entry, offset, size, |bytes| {
                    self.served_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                    deliver(bytes)
                });
                read.map_err(|e| self.damaged(entry, &e.to_string()))
            }
            Body::Directory(_) => Err(FsError::IsADirectory),
            Body::Symlink(_) => Err(FsError::NotFound),
        }
    }

    /// Whether [`Fs::read`] would answer at once, without inflating much. An error is at hand, too.
    pub fn is_at_hand(&self, ino: Ino, offset: u64) -> bool {
        match self.node(ino).map(|node| self.stack.body(node)) {
            Ok(Body::File(entry)) => self.content.is_at_hand(entry, offset),
            _ => true,
        }
    }

    /// Sizes of the whole tree.
    pub fn statfs(&self) -> Statfs {
        *self.statfs.get_or_init(|| {
            let blocks = |node| match self.stack.body(node) {
                Body::File(entry) => self
                    .stack
                    .entry(entry)
                    .declared_size
                    .div_ceil(u64::from(BLOCK_BYTES)),
                Body::Directory(_) | Body::Symlink(_) => 0,
            };
            Statfs {
                // Declared sizes are claims, and may be too large to add up.
                blocks: self.stack.nodes().map(blocks).fold(0, u64::saturating_add),
                files: self.stack.node_count() as u64,
                block_bytes: BLOCK_BYTES,
                name_max: crate::path::MAX_PART_BYTES as u32,
            }
        })
    }

    /// The node behind an inode number, for questions that only the stack can answer.
    pub fn node(&self, ino: Ino) -> Result<NodeId, FsError> {
        let index = ino.0.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        index
            .and_then(|index| self.stack.node_at(index))
            .ok_or(FsError::NotFound)
    }

    fn directory(&self, ino: Ino) -> Result<NodeId, FsError> {
        let node = self.node(ino)?;
        if self.stack.is_directory(node) {
            Ok(node)
        } else {
            Err(FsError::NotADirectory)
        }
    }

    fn kind(&self, node: NodeId) -> Kind {
        match self.stack.body(node) {
            Body::Directory(_) => Kind::Directory,
            Body::File(_) => Kind::File,
            Body::Symlink(_) => Kind::Symlink,
        }
    }

    /// The attributes of a node.
    ///
    /// Semantics decision: (5) everything is owned by who mounted it, or by `--uid` and `--gid`; an
    /// implicit directory takes its layer file's time and 0755.
    pub fn attr(&self, node: NodeId) -> Attr {
        let (kind, explicit) = match self.stack.body(node) {
            Body::Directory(entry) => (Kind::Directory, entry),
            Body::File(entry) => (Kind::File, Some(entry)),
            Body::Symlink(entry) => (Kind::Symlink, Some(entry)),
        };
        let entry = explicit.map(|entry| self.stack.entry(entry));
        let mtime = entry
            .as_ref()
            .map_or_else(|| self.layer_time(node), |entry| entry.mtime);
        let permissions = entry.as_ref().map_or(0o755, |entry| entry.permissions);
        let (size, mask, nlink) = match kind {
            Kind::Directory => (
                DIRECTORY_BYTES,
                self.options.directory_mask,
                2 + self.stack.subdirectories(node),
            ),
            Kind::File => (
                entry.map_or(0, |entry| entry.declared_size),
                self.options.file_mask,
                1,
            ),
            Kind::Symlink => (entry.map_or(0, |entry| entry.declared_size), 0, 1),
        };
        // What the kernel's signed 64-bit sizes cannot say cannot be read either.
        let size = size.min(i64::MAX as u64);
        Attr {
            ino: ino_of(node),
            kind,
            mode: permissions & !mask,
            size,
            blocks: size.div_ceil(SECTOR_BYTES),
            mtime,
            nlink,
            uid: self.options.uid,
            gid: self.options.gid,
        }
    }

    fn layer_time(&self, node: NodeId) -> Mtime {
        const SECOND: i128 = 1_000_000_000;
        let layer = self.stack.layers().get(self.stack.provider(node).index());
        let modified = layer.map_or(0, |archive| archive.opened().modified_ns);
        Mtime {
            seconds: modified.div_euclid(SECOND) as i64,
            nanoseconds: modified.rem_euclid(SECOND) as u32,
        }
    }

    fn damaged(&self, entry: EntryRef, why: &str) -> FsError {
        let archive = self.stack.layer(entry.layer).path().display();
        let path = self.stack.entry(entry).path.escape_ascii();
        FsError::Damaged(format!("{archive}: {path}: {why}").into())
    }
}

fn ino_of(node: NodeId) -> Ino {
    Ino(node.index() as u64 + 1)
}
