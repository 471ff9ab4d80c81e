//! Extended attributes: which there are, and their values.
//!
//! They are answered to who asks for one by name and not listed unless that was wished: what copies a tree with its
//! attributes (cp -a, tar --xattrs, rsync -X) should not take these along. The kernel has no `user.` attributes of
//! symlinks; every name works without that word, too.

use std::os::unix::ffi::OsStrExt;
use std::str::FromStr;

use super::Guide;
use super::documents::on_one_line;
use super::number;
use super::statistics::Request;
use crate::explain::which;
use crate::fs::{Fs, FsError, Ino, Kind, ROOT};
use crate::path::RelPath;
use crate::stack::{Body, EntryKind, EntryRef, LayerIdx, NodeId, Stack};

/// What is known of extended attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Xattrs {
    /// Answered by name, not listed.
    #[default]
    Hidden,
    /// Listed, too.
    Listed,
    /// None: the kernel asks once.
    Off,
}

/// Why there is no value.
#[derive(Debug, Clone)]
pub enum XattrError {
    /// This object has no such attribute.
    NoData,
    /// No object has attributes of that sort, such as access lists or labels: programs that are told so stop asking.
    NoSuchSort,
    /// Nothing of the kind is ever answered: the kernel may stop asking.
    Never,
    /// There is no such inode.
    Fs(FsError),
}

/// Every object's, as far as it has them.
const NAMES: [&str; 8] = [
    "layer",
    "layers",
    "shadowed",
    "crc32",
    "method",
    "compressed_size",
    "entry",
    "error",
];
/// The root's beside.
const ROOT_NAMES: [&str; 4] = ["stack", "version", "pid", "stats"];
const PREFIX: &str = "user.optfs.";

impl Xattrs {
    /// The words for it, as a user types them.
    pub const WORDS: [&str; 3] = ["hidden", "listed", "off"];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Xattrs::Hidden => "hidden",
            Xattrs::Listed => "listed",
            Xattrs::Off => "off",
        }
    }
}

impl FromStr for Xattrs {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let all = [Xattrs::Hidden, Xattrs::Listed, Xattrs::Off];
        let found = all.into_iter().find(|known| known.word() == word);
        found.ok_or_else(|| format!("expected one of {}", Xattrs::WORDS.join(", ")))
    }
}

impl From<FsError> for XattrError {
    fn from(error: FsError) -> Self {
        XattrError::Fs(error)
    }
}

/// An object that attributes are asked of.
#[derive(Clone, Copy)]
struct Object<'g> {
    ino: Ino,
    stack: &'g Stack,
    node: NodeId,
    /// Whether it is one of the merged tree.
    is_merged: bool,
}

impl Guide {
    /// The value of an attribute.
    pub fn getxattr(&self, ino: Ino, name: &[u8]) -> Result<Vec<u8>, XattrError> {
        let _timed = self.statistics.time(Request::Getxattr);
        if self.xattrs == Xattrs::Off {
            return Err(XattrError::Never);
        }
        let Some(name) = our_name(name) else {
            return Err(match name.starts_with(b"user.") {
                true => XattrError::NoData,
                false => XattrError::NoSuchSort,
            });
        };
        let object = self.object(ino)?.ok_or(XattrError::NoData)?;
        self.value(object, name).ok_or(XattrError::NoData)
    }

    /// Whether [`Guide::getxattr`] would answer at once, without inflating much.
    pub fn is_xattr_at_hand(&self, ino: Ino, name: &[u8]) -> bool {
        our_name(name) != Some(b"error") || self.is_at_hand(ino, 0)
    }

    /// The names of an object's attributes, a NUL behind each.
    pub fn listxattr(&self, ino: Ino) -> Result<Vec<u8>, XattrError> {
        let _timed = self.statistics.time(Request::Listxattr);
        if self.xattrs != Xattrs::Listed {
            return Err(XattrError::Never);
        }
        let mut list = Vec::new();
        let Some(object) = self.object(ino)? else {
            return Ok(list);
        };
        if matches!(object.stack.body(object.node), Body::Symlink(_)) {
            // Under these names the kernel would not ask for them.
            return Ok(list);
        }
        // Whether bytes can be read is found out by reading them: too much for a list.
        let names = NAMES.iter().chain(&ROOT_NAMES).filter(|name| **name != "error");
        for name in names.filter(|name| self.value(object, name.as_bytes()).is_some()) {
            list.extend_from_slice(PREFIX.as_bytes());
            list.extend_from_slice(name.as_bytes());
            list.push(0);
        }
        Ok(list)
    }

    /// Texts and directories of `.optfs` have no attributes, layers' trees do.
    fn object(&self, ino: Ino) -> Result<Option<Object<'_>>, FsError> {
        let Some((fs, local)) = self.tree_of(ino) else {
            return self.attr(ino).map(|_| None);
        };
        Ok(Some(Object {
            ino,
            stack: fs.stack(),
            node: fs.node(local)?,
            is_merged: number::is_in_tree(ino),
        }))
    }

    fn value(&self, object: Object<'_>, name: &[u8]) -> Option<Vec<u8>> {
        let Object { ino, stack, node, .. } = object;
        let provider = stack.provider(node);
        let entry = match stack.body(node) {
            Body::Directory(entry) => entry,
            Body::File(entry) | Body::Symlink(entry) => Some(entry),
        };
        let bytes = entry.filter(|entry| stack.entry(*entry).kind != EntryKind::Directory);
        let declared = bytes.map(|bytes| stack.entry(bytes));
        let is_root = ino == ROOT;
        match name {
            b"layer" => Some(self.layer_named(provider)?.path.as_os_str().as_bytes().to_vec()),
            b"layers" if object.is_merged => Some(self.lines(holders(stack, &stack.path(node)))),
            b"layers" => Some(self.lines([provider])),
            b"shadowed" if object.is_merged => {
                let mut hidden = hidden_versions(stack, node);
                hidden.sort_unstable();
                Some(self.lines(hidden.into_iter().map(|hidden| hidden.layer)))
                    .filter(|lines| !lines.is_empty())
            }
            b"crc32" => Some(format!("{:08x}", declared?.crc).into_bytes()),
            b"method" => Some(declared?.method.name().into()),
            b"compressed_size" => Some(declared?.compressed_size.to_string().into_bytes()),
            b"entry" => stack.layer(entry?.layer).local_name(entry?.entry).ok(),
            b"error" => self.error(ino),
            b"stack" if is_root => Some(self.lines(self.layers.iter().map(|layer| layer.index))),
            b"version" if is_root => Some(env!("CARGO_PKG_VERSION").into()),
            b"pid" if is_root => Some(std::process::id().to_string().into_bytes()),
            b"stats" if is_root => Some(self.statistics().into_bytes()),
            _ => None,
        }
    }

    /// Where layers lie, a line each.
    fn lines(&self, layers: impl IntoIterator<Item = LayerIdx>) -> Vec<u8> {
        let layers = layers.into_iter().filter_map(|layer| self.layer_named(layer));
        let lines = layers.map(|layer| on_one_line(layer.path.as_os_str().as_bytes()));
        lines.collect::<Vec<_>>().join(&b'\n')
    }

    /// Why an object's bytes cannot be read, which is tried: of what is inflated whole, all of them.
    fn error(&self, ino: Ino) -> Option<Vec<u8>> {
        let (fs, local) = self.tree_of(ino)?;
        let read = |fs: &Fs| match fs.getattr(local)?.kind {
            Kind::Directory => Ok(()),
            Kind::Symlink => fs.readlink(local).map(drop),
            Kind::File => fs.read(local, 0, 1, |_| ()),
        };
        match read(fs) {
            Err(FsError::Damaged(why)) => Some(why.as_bytes().to_vec()),
            _ => None,
        }
    }
}

/// What stands behind `user.optfs.` or `optfs.`.
fn our_name(name: &[u8]) -> Option<&[u8]> {
    name.strip_prefix(b"user.")
        .unwrap_or(name)
        .strip_prefix(b"optfs.")
}

/// The layers that have an entry at a path or below it, bottom first; all of them hold the root.
fn holders(stack: &Stack, path: &[u8]) -> Vec<LayerIdx> {
    let holds = |entry: &[u8]| {
        let behind = entry.strip_prefix(path);
        behind.is_some_and(|behind| path.is_empty() || behind.is_empty() || behind[0] == b'/')
    };
    let layers = stack.layers_in_order();
    let holders = layers.filter(|(_, archive)| {
        path.is_empty() || archive.entry_ids().any(|id| holds(archive.entry_path(id)))
    });
    holders.map(|(index, _)| index).collect()
}

/// Entries of a node's path that are not seen.
fn hidden_versions(stack: &Stack, node: NodeId) -> Vec<EntryRef> {
    let path = stack.path(node);
    // The root, which nothing hides, has no such path.
    let Ok(path) = RelPath::check(&path) else {
        return Vec::new();
    };
    let hidden = which(stack, &path).hidden.into_iter();
    hidden.map(|hidden| hidden.entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ours_with_and_without_the_kernels_word() {
        assert_eq!(our_name(b"user.optfs.layer"), Some(&b"layer"[..]));
        assert_eq!(our_name(b"optfs.layer"), Some(&b"layer"[..]));
        for other in [
            "user.layer",
            "security.capability",
            "user.optfs",
            "system.posix_acl_access",
        ] {
            assert_eq!(our_name(other.as_bytes()), None, "{other}");
        }
    }
}
