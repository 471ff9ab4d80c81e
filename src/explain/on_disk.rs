//! A directory on disk as a tree to compare: listed on all cores, no link followed, nothing opened but what
//! has to be read.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::crew::on_all_cores;
use super::tree::{Facts, Kind, Tree};
use crate::archive::Mtime;
use crate::stack::LayerIdx;

const PIECE_BYTES: usize = 256 << 10;

/// A directory as it was when it was listed.
pub struct OnDisk {
    root: PathBuf,
    nodes: Vec<Node>,
}

struct Node {
    name: Vec<u8>,
    parent: usize,
    children: Range<usize>,
    facts: Facts,
    target: Vec<u8>,
    trouble: Option<String>,
}

impl OnDisk {
    /// Lists a directory and everything below it. What cannot be listed is a node's trouble.
    ///
    /// # Errors
    /// When the directory itself cannot be listed.
    pub fn list(root: &Path) -> io::Result<OnDisk> {
        fs::read_dir(root)?;
        let facts = facts(&fs::metadata(root)?, b"");
        let top = Node::new(Vec::new(), 0, facts);
        let mut listed = OnDisk {
            root: root.to_owned(),
            nodes: vec![top],
        };
        let mut level = vec![0];
        while !level.is_empty() {
            let found = on_all_cores(level.len(), 0, |i| names(&listed.path(level[i]), level[i]));
            let mut below = Vec::new();
            for (&directory, found) in level.iter().zip(found) {
                let start = listed.nodes.len();
                match found {
                    Ok(nodes) => listed.nodes.extend(nodes),
                    Err(error) => listed.nodes[directory].trouble = Some(error.to_string()),
                }
                let children = start..listed.nodes.len();
                let is_directory = |at: &usize| listed.nodes[*at].facts.kind == Kind::Directory;
                below.extend(children.clone().filter(is_directory));
                listed.nodes[directory].children = children;
            }
            level = below;
        }
        Ok(listed)
    }

    /// The directory that was listed.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a node lies on disk.
    pub fn path(&self, at: usize) -> PathBuf {
        let mut parts = Vec::new();
        let mut node = at;
        while node != 0 {
            parts.push(OsStr::from_bytes(&self.nodes[node].name));
            node = self.nodes[node].parent;
        }
        let mut path = self.root.clone();
        path.extend(parts.into_iter().rev());
        path
    }

    /// Opens a file for reading. A name that has become a pipe or a link meanwhile does not stop us.
    pub fn open(&self, at: usize) -> io::Result<File> {
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = File::options()
            .read(true)
            .custom_flags(flags.bits())
            .open(self.path(at))?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("no regular file any more")),
        }
    }

    fn crc_of(&self, at: usize) -> io::Result<u32> {
        let mut file = self.open(at)?;
        let mut hasher = crc32fast::Hasher::new();
        let (mut piece, mut size) = (vec![0; PIECE_BYTES], 0);
        loop {
            match file.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => {
                    hasher.update(&piece[..read]);
                    size += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        match size == self.nodes[at].facts.size {
            true => Ok(hasher.finalize()),
            false => Err(io::Error::other("its size changed while it was read")),
        }
    }
}

impl Tree for OnDisk {
    fn children(&self, at: usize) -> Range<usize> {
        self.nodes[at].children.clone()
    }

    fn name(&self, at: usize) -> &[u8] {
        &self.nodes[at].name
    }

    fn facts(&self, at: usize) -> Facts {
        self.nodes[at].facts
    }

    fn crc(&self, at: usize) -> Result<u32, String> {
        self.crc_of(at).map_err(|error| error.to_string())
    }

    fn target(&self, at: usize) -> Result<Vec<u8>, String> {
        Ok(self.nodes[at].target.clone())
    }

    fn trouble(&self, at: usize) -> Option<&str> {
        self.nodes[at].trouble.as_deref()
    }

    fn layer(&self, _: usize) -> Option<LayerIdx> {
        None
    }
}

impl Node {
    fn new(name: Vec<u8>, parent: usize, facts: Facts) -> Node {
        Node {
            name,
            parent,
            children: 0..0,
            facts,
            target: Vec::new(),
            trouble: None,
        }
    }
}

/// What is in a directory, sorted by name.
fn names(path: &Path, directory: usize) -> io::Result<Vec<Node>> {
    let mut nodes = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name().into_vec();
        let looked = entry.metadata().and_then(|meta| {
            let target = match meta.is_symlink() {
                true => fs::read_link(entry.path())?.into_os_string().into_vec(),
                false => Vec::new(),
            };
            Ok((facts(&meta, &target), target))
        });
        nodes.push(match looked {
            Ok((facts, target)) => Node {
                target,
                ..Node::new(name, directory, facts)
            },
            Err(error) => {
                let nothing = Facts {
                    kind: Kind::Other("unknown"),
                    mode: 0,
                    size: 0,
                    crc: None,
                    mtime: None,
                };
                Node {
                    trouble: Some(error.to_string()),
                    ..Node::new(name, directory, nothing)
                }
            }
        });
    }
    nodes.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(nodes)
}

fn facts(meta: &Metadata, target: &[u8]) -> Facts {
    let kind = match meta.file_type() {
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_file() => Kind::File,
        kind if kind.is_symlink() => Kind::Symlink,
        kind if kind.is_fifo() => Kind::Other("pipe"),
        kind if kind.is_socket() => Kind::Other("socket"),
        _ => Kind::Other("device"),
    };
    let (size, crc) = match kind {
        Kind::File => (meta.size(), (meta.size() == 0).then_some(0)),
        Kind::Symlink => (target.len() as u64, Some(crc32fast::hash(target))),
        Kind::Directory | Kind::Other(_) => (0, None),
    };
    Facts {
        kind,
        mode: (meta.mode() & 0o777) as u16,
        size,
        crc,
        mtime: Some(Mtime {
            seconds: meta.mtime(),
            nanoseconds: meta.mtime_nsec() as u32,
        }),
    }
}
