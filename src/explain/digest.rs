//! One digest for what a stack shows, and one for each directory, file and link of it: whatever the order,
//! times or compression of the entries in the zips. docs/hash.md is the format.
//!
//! Leaves to `lock` what is kept of them, and to others how they are printed.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD as STANDARD, Engine as _};
use sha2::{Digest as _, Sha256};

use super::crew::{Progress, on_all_cores};
use crate::archive::EntryKind;
use crate::content::{Content, MAX_READ_BYTES};
use crate::stack::{Body, EntryRef, NodeId, Stack};

/// What a directory's bytes begin with, so that no file is taken for a directory, and no other format for this.
const DIRECTORY_HEAD: &[u8] = b"optfs tree 1\n";
/// Files of this size are begun first, so that none of them is left for one thread at the end.
const LARGE_BYTES: u64 = 4 << 20;

/// A SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// What a directory's digest says of one name in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits, 0777 for a link.
    pub mode: u16,
    /// Of a file's bytes, a link's target, or what is in a directory.
    pub digest: Digest,
}

/// The digests of a stack, or of some paths of it.
#[derive(Debug)]
pub struct Digests {
    /// By node.
    of: Vec<Option<Digest>>,
    /// What has no digest, and neither has a directory above it.
    pub unreadable: Vec<Unreadable>,
}

/// An entry whose bytes cannot be had.
#[derive(Debug)]
pub struct Unreadable {
    /// The entry.
    pub entry: EntryRef,
    /// The reason, without the names of archive and entry.
    pub why: String,
}

impl Digests {
    /// The digest of a node; none where something of it cannot be read, or nobody asked for it.
    pub fn of(&self, node: NodeId) -> Option<Digest> {
        self.of.get(node.index()).copied().flatten()
    }

    /// What the directory above says of a node.
    pub fn record(&self, stack: &Stack, node: NodeId) -> Option<Record> {
        let (kind, mode) = kind_and_mode(stack, node);
        let digest = self.of(node)?;
        Some(Record { kind, mode, digest })
    }
}

/// Reads everything below some nodes, on all cores, and digests it.
pub fn digests(content: &Content, stack: &Stack, tops: &[NodeId], progress: &dyn Progress) -> Digests {
    // Parents come before children.
    let mut is_wanted = vec![false; stack.node_count()];
    for &top in tops {
        is_wanted[top.index()] = true;
    }
    for node in stack.nodes() {
        is_wanted[node.index()] |= is_wanted[stack.parent(node).index()];
    }
    let wanted = || stack.nodes().filter(|node| is_wanted[node.index()]);
    let mut of = vec![None; stack.node_count()];
    let mut unreadable = Vec::new();
    let leaves = Leaves::new(stack, wanted());
    progress.begins(leaves.declared_bytes);
    let read = on_all_cores(leaves.nodes.len(), leaves.large, |i| {
        let (node, entry) = leaves.nodes[i];
        match stack.body(node) {
            Body::Symlink(_) => match content.link_target(entry) {
                Ok(target) => Ok(sha256(&target)),
                Err(error) => Err(error.to_string()),
            },
            Body::File(_) | Body::Directory(_) => file(content, stack, entry, progress),
        }
    });
    for (&(node, entry), digest) in leaves.nodes.iter().zip(read) {
        match digest {
            Ok(digest) => of[node.index()] = Some(digest),
            Err(why) => unreadable.push(Unreadable { entry, why }),
        }
    }
    unreadable.sort_by_key(|unreadable| unreadable.entry);
    let mut digests = Digests { of, unreadable };
    let directories: Vec<_> = wanted().filter(|&node| stack.is_directory(node)).collect();
    for node in directories.into_iter().rev() {
        let records = stack
            .children(node)
            .map(|child| Some((stack.name(child), digests.record(stack, child)?)));
        digests.of[node.index()] = directory(records);
    }
    digests
}

/// The digest of a directory, of what it holds in the order of the names' bytes; none if one of them has
/// none.
pub(super) fn directory<'n>(records: impl IntoIterator<Item = Option<(&'n [u8], Record)>>) -> Option<Digest> {
    let mut hasher = Sha256::new();
    hasher.update(DIRECTORY_HEAD);
    for record in records {
        let (name, record) = record?;
        hasher.update(record.to_string().as_bytes());
        hasher.update(b" ");
        hasher.update(name);
        hasher.update([0]);
    }
    Some(Digest(hasher.finalize().into()))
}

fn file(
    content: &Content,
    stack: &Stack,
    entry: EntryRef,
    progress: &dyn Progress,
) -> Result<Digest, String> {
    let size = stack.entry(entry).declared_size;
    let (mut hasher, mut offset) = (Sha256::new(), 0);
    // Also an empty file is asked for its bytes: it may be damaged.
    loop {
        let read = content.read(entry, offset, MAX_READ_BYTES, |bytes| {
            hasher.update(bytes);
            bytes.len() as u64
        });
        let read = read.map_err(|error| error.to_string())?;
        progress.read(read);
        offset += read;
        if read == 0 || offset >= size {
            return Ok(Digest(hasher.finalize().into()));
        }
    }
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// What has bytes of its own, in the order in which it is best read.
struct Leaves {
    nodes: Vec<(NodeId, EntryRef)>,
    /// So many of them are large, and stand in front.
    large: usize,
    declared_bytes: u64,
}

impl Leaves {
    fn new(stack: &Stack, nodes: impl Iterator<Item = NodeId>) -> Leaves {
        let mut turns = Vec::new();
        let mut declared_bytes = 0u64;
        for node in nodes {
            if let Body::File(entry) | Body::Symlink(entry) = stack.body(node) {
                let size = stack.entry(entry).declared_size;
                declared_bytes = declared_bytes.saturating_add(size);
                let large = if size < LARGE_BYTES { 0 } else { size };
                turns.push((Reverse(large), entry, node));
            }
        }
        turns.sort_unstable();
        Leaves {
            large: turns.partition_point(|&(Reverse(size), _, _)| size >= LARGE_BYTES),
            nodes: turns.into_iter().map(|(_, entry, node)| (node, entry)).collect(),
            declared_bytes,
        }
    }
}

/// What a node is, and its permission bits as a mount shows them.
pub(super) fn kind_and_mode(stack: &Stack, node: NodeId) -> (EntryKind, u16) {
    let of = |entry| stack.entry(entry).permissions;
    match stack.body(node) {
        Body::Directory(entry) => (EntryKind::Directory, entry.map_or(0o755, of)),
        Body::File(entry) => (EntryKind::File, of(entry)),
        Body::Symlink(_) => (EntryKind::Symlink, 0o777),
    }
}

impl Digest {
    /// The digest as Lambda's `CodeSha256` writes it.
    pub fn base64(&self) -> String {
        STANDARD.encode(self.0)
    }
}

impl fmt::Display for Digest {
    /// 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is no digest, or no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOne;

impl FromStr for Digest {
    type Err = NotOne;

    fn from_str(text: &str) -> Result<Digest, NotOne> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|digit| Some(digit.to_digit(16)? as u8))
            .collect();
        let digits = digits.ok_or(NotOne)?;
        let digits: [u8; 64] = digits.try_into().map_err(|_| NotOne)?;
        Ok(Digest(std::array::from_fn(|i| {
            digits[2 * i] << 4 | digits[2 * i + 1]
        })))
    }
}

impl fmt::Display for Record {
    /// `file 0644 ` and the digest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            EntryKind::Directory => "directory",
            EntryKind::File => "file",
            EntryKind::Symlink => "symlink",
        };
        write!(f, "{kind} {:04o} {}", self.mode, self.digest)
    }
}

impl FromStr for Record {
    type Err = NotOne;

    fn from_str(text: &str) -> Result<Record, NotOne> {
        let [kind, mode, digest] = text
            .split(' ')
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|_| NotOne)?;
        let kind = match kind {
            "directory" => EntryKind::Directory,
            "file" => EntryKind::File,
            "symlink" => EntryKind::Symlink,
            _ => return Err(NotOne),
        };
        let mode = u16::from_str_radix(mode, 8).map_err(|_| NotOne)?;
        let digest = digest.parse()?;
        Ok(Record { kind, mode, digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_as_sha256sum_and_lambda_do() {
        // printf '' | sha256sum; printf '' | sha256sum | xxd -r -p | base64
        let empty = sha256(b"");
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(empty.to_string(), hex);
        assert_eq!(hex.parse(), Ok(empty));
        assert_eq!(empty.base64(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        let record = Record {
            kind: EntryKind::Symlink,
            mode: 0o777,
            digest: sha256(b"x"),
        };
        assert_eq!(record.to_string().parse(), Ok(record));
        for text in [
            "",
            "file 0644",
            "file 0644 12",
            "pipe 0644 12",
            "file 9 12",
            "a b c d",
        ] {
            assert_eq!(text.parse::<Record>(), Err(NotOne), "{text}");
        }
        assert_eq!("é".repeat(32).parse::<Digest>(), Err(NotOne));
    }
}
