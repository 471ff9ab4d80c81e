//! The directory `.optfs`: what lies where, with the attributes of each. A tree of one layer is made when somebody
//! first looks into it.
//!
//! Leaves texts to `documents` and inodes that pass to `snapshots`.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Guide;
use super::number::{Fixed, Place, Tree, TreeOf};
use super::snapshots::Snapshot;
use crate::explain::{Shadows, shadows};
use crate::fs::{Attr, DirEntry, Fs, FsError, Ino, Kind, Mtime, ROOT};
use crate::path::MAX_PART_BYTES;
use crate::stack::{EntryId, LayerIdx, Stack};

/// What lies in `.optfs`, sorted.
const TOP: [(&[u8], Fixed); 6] = [
    (b"conflicts.txt", Fixed::Conflicts),
    (b"errors", Fixed::Errors),
    (b"layers", Fixed::Layers),
    (b"shadowed", Fixed::Shadowed),
    (b"stack.json", Fixed::Stack),
    (b"stats.json", Fixed::Stats),
];

/// What directories report as their size, as `fs` has it.
const DIRECTORY_BYTES: u64 = 4096;
const SECTOR_BYTES: u64 = 512;

/// One layer as `.optfs` shows it.
pub(super) struct Layer {
    pub(super) index: LayerIdx,
    /// Where its archive lies.
    pub(super) path: PathBuf,
    /// Its directory's name: place and archive, as in `1-base`.
    pub(super) name: Vec<u8>,
    whole: OnceLock<Option<Box<Fs>>>,
    shadowed: OnceLock<Option<Box<Fs>>>,
}

impl Layer {
    pub(super) fn new(index: LayerIdx, path: PathBuf) -> Layer {
        Layer {
            name: directory_name(index.index() + 1, &path),
            index,
            path,
            whole: OnceLock::new(),
            shadowed: OnceLock::new(),
        }
    }

    /// Its trees, as far as they were made.
    pub(super) fn trees(&self) -> impl Iterator<Item = &Fs> {
        let made = [self.whole.get(), self.shadowed.get()];
        made.into_iter().flatten().flatten().map(|tree| &**tree)
    }
}

fn directory_name(position: usize, path: &Path) -> Vec<u8> {
    let file = path.file_name().unwrap_or_default().as_bytes();
    let stem = match file.len().checked_sub(4).map(|dot| file.split_at(dot)) {
        Some((stem, suffix)) if !stem.is_empty() && suffix.eq_ignore_ascii_case(b".zip") => stem,
        _ => file,
    };
    let mut name = format!("{position}-").into_bytes();
    name.extend_from_slice(stem);
    name.truncate(MAX_PART_BYTES);
    name
}

impl Guide {
    /// `.optfs` itself.
    pub(super) fn top(&self) -> Result<Attr, FsError> {
        self.attr_beside(Some(Place::Fixed(Fixed::Top)))
    }

    /// The tree of a layer, made if nobody has asked for it yet.
    pub(super) fn tree(&self, tree: Tree) -> Result<&Fs, FsError> {
        if !self.has_directory {
            return Err(FsError::NotFound);
        }
        let layer = self
            .layers
            .get(usize::from(tree.layer))
            .ok_or(FsError::NotFound)?;
        let stack = self.fs.stack();
        let (made, entries): (_, fn(&Stack, LayerIdx) -> Vec<EntryId>) = match tree.of {
            TreeOf::All => (&layer.whole, |stack, layer| {
                stack.layer(layer).entry_ids().collect()
            }),
            TreeOf::Shadowed => (&layer.shadowed, shadowed_entries),
        };
        let made = made.get_or_init(|| {
            let tree = stack.only(layer.index, entries(stack, layer.index)).ok()?;
            Some(Box::new(self.fs.beside(Arc::new(tree))))
        });
        made.as_deref().ok_or(FsError::NotFound)
    }

    pub(super) fn lookup_beside(&self, parent: Option<Place>, name: &[u8]) -> Result<Attr, FsError> {
        if name.len() > MAX_PART_BYTES {
            return Err(FsError::NameTooLong);
        }
        let parent = parent.ok_or(FsError::NotFound)?;
        // A file handle is found again so, also that of a file.
        if name == b"." {
            return self.attr_beside(Some(parent));
        }
        let found = match (parent, name) {
            (Place::Tree(tree, ROOT), b"..") => Place::Fixed(tree.of.home()),
            (Place::Tree(tree, local), name) => {
                let attr = self.tree(tree)?.lookup(local, name)?;
                return Ok(of_tree(tree, attr));
            }
            (Place::Fixed(Fixed::Top), b"..") => return self.fs.getattr(ROOT),
            (Place::Fixed(Fixed::Layers | Fixed::Shadowed), b"..") => Place::Fixed(Fixed::Top),
            (Place::Fixed(Fixed::Top), name) => {
                let found = TOP.into_iter().find(|(known, _)| *known == name);
                Place::Fixed(found.ok_or(FsError::NotFound)?.1)
            }
            (Place::Fixed(Fixed::Layers), name) => self.layer_root(TreeOf::All, name)?,
            (Place::Fixed(Fixed::Shadowed), name) => self.layer_root(TreeOf::Shadowed, name)?,
            (Place::Fixed(_) | Place::Snapshot(_), _) => return Err(FsError::NotADirectory),
        };
        self.attr_beside(Some(found))
    }

    fn layer_root(&self, of: TreeOf, name: &[u8]) -> Result<Place, FsError> {
        let found = self.layers.iter().position(|layer| layer.name == name);
        let layer = found
            .and_then(|at| u16::try_from(at).ok())
            .ok_or(FsError::NotFound)?;
        Ok(Place::Tree(Tree { of, layer }, ROOT))
    }

    pub(super) fn attr_beside(&self, place: Option<Place>) -> Result<Attr, FsError> {
        if !self.has_directory {
            return Err(FsError::NotFound);
        }
        match place.ok_or(FsError::NotFound)? {
            Place::Tree(tree, local) => Ok(of_tree(tree, self.tree(tree)?.getattr(local)?)),
            Place::Fixed(fixed @ (Fixed::Top | Fixed::Layers | Fixed::Shadowed)) => {
                let below = match fixed {
                    Fixed::Top => 2,
                    _ => self.layers.len() as u32,
                };
                Ok(self.directory_attr(fixed, 2 + below))
            }
            Place::Fixed(fixed @ (Fixed::Stack | Fixed::Conflicts)) => {
                let bytes = self.document(fixed).len() as u64;
                Ok(self.file_attr(Place::Fixed(fixed), bytes, time_of(self.began)))
            }
            Place::Fixed(fixed @ (Fixed::Stats | Fixed::Errors)) => {
                let snapshot = self
                    .snapshots
                    .take(fixed, self.live_document(fixed), SystemTime::now());
                Ok(self.snapshot_attr(&snapshot))
            }
            Place::Snapshot(nth) => {
                let snapshot = self.snapshots.get(nth).ok_or(FsError::NotFound)?;
                Ok(self.snapshot_attr(&snapshot))
            }
        }
    }

    pub(super) fn readdir_beside(
        &self,
        place: Option<Place>,
        offset: u64,
    ) -> Result<Box<dyn Iterator<Item = DirEntry<'_>> + '_>, FsError> {
        if !self.has_directory {
            return Err(FsError::NotFound);
        }
        let fixed = match place.ok_or(FsError::NotFound)? {
            Place::Tree(tree, local) => {
                let names = self.tree(tree)?.readdir(local, offset)?;
                return Ok(Box::new(names.map(move |name| DirEntry {
                    ino: match (local, name.name) {
                        (ROOT, b"..") => Place::Fixed(tree.of.home()).ino(),
                        _ => Place::Tree(tree, name.ino).ino(),
                    },
                    ..name
                })));
            }
            Place::Fixed(fixed) => fixed,
            Place::Snapshot(_) => return Err(FsError::NotADirectory),
        };
        let (above, names): (Ino, Vec<(&[u8], Place)>) = match fixed {
            Fixed::Top => {
                let names = TOP.map(|(name, fixed)| (name, Place::Fixed(fixed)));
                (ROOT, names.into())
            }
            Fixed::Layers => (Place::Fixed(Fixed::Top).ino(), self.layer_roots(TreeOf::All)),
            Fixed::Shadowed => (Place::Fixed(Fixed::Top).ino(), self.layer_roots(TreeOf::Shadowed)),
            Fixed::Stack | Fixed::Conflicts | Fixed::Stats | Fixed::Errors => {
                return Err(FsError::NotADirectory);
            }
        };
        let dots = [
            (&b"."[..], Place::Fixed(fixed).ino(), Kind::Directory),
            (&b".."[..], above, Kind::Directory),
        ];
        let names = names
            .into_iter()
            .map(|(name, place)| (name, place.ino(), kind_of(place)));
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        let next_offsets = offset.saturating_add(1)..;
        let all = dots.into_iter().chain(names).skip(skipped).zip(next_offsets);
        Ok(Box::new(all.map(|((name, ino, kind), next_offset)| DirEntry {
            name,
            ino,
            kind,
            next_offset,
        })))
    }

    fn layer_roots(&self, of: TreeOf) -> Vec<(&[u8], Place)> {
        let roots = self.layers.iter().zip(0..).map(|(layer, number)| {
            let tree = Tree { of, layer: number };
            (&layer.name[..], Place::Tree(tree, ROOT))
        });
        roots.collect()
    }

    pub(super) fn read_document<R>(
        &self,
        place: Option<Place>,
        offset: u64,
        size: usize,
        deliver: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, FsError> {
        let piece = |text: &[u8]| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
            let end = start.saturating_add(size).min(text.len());
            deliver(&text[start..end])
        };
        match place.filter(|_| self.has_directory).ok_or(FsError::NotFound)? {
            Place::Fixed(fixed @ (Fixed::Stack | Fixed::Conflicts)) => Ok(piece(self.document(fixed))),
            Place::Fixed(fixed @ (Fixed::Stats | Fixed::Errors)) => Ok(piece(&self.live_document(fixed))),
            Place::Fixed(Fixed::Top | Fixed::Layers | Fixed::Shadowed) => Err(FsError::IsADirectory),
            Place::Snapshot(nth) => Ok(piece(&self.snapshots.get(nth).ok_or(FsError::NotFound)?.text)),
            // Whose tree cannot be made.
            Place::Tree(..) => Err(FsError::NotFound),
        }
    }

    fn directory_attr(&self, fixed: Fixed, nlink: u32) -> Attr {
        let options = self.fs.options();
        Attr {
            ino: Place::Fixed(fixed).ino(),
            kind: Kind::Directory,
            mode: 0o555 & !options.directory_mask,
            size: DIRECTORY_BYTES,
            blocks: DIRECTORY_BYTES / SECTOR_BYTES,
            mtime: time_of(self.began),
            nlink,
            uid: options.uid,
            gid: options.gid,
        }
    }

    fn file_attr(&self, place: Place, size: u64, mtime: Mtime) -> Attr {
        let options = self.fs.options();
        Attr {
            ino: place.ino(),
            kind: Kind::File,
            mode: 0o444 & !options.file_mask,
            size,
            blocks: size.div_ceil(SECTOR_BYTES),
            mtime,
            nlink: 1,
            uid: options.uid,
            gid: options.gid,
        }
    }

    fn snapshot_attr(&self, snapshot: &Snapshot) -> Attr {
        let size = snapshot.text.len() as u64;
        self.file_attr(Place::Snapshot(snapshot.number), size, time_of(snapshot.time))
    }
}

impl TreeOf {
    /// The directory that its trees lie in.
    fn home(self) -> Fixed {
        match self {
            TreeOf::All => Fixed::Layers,
            TreeOf::Shadowed => Fixed::Shadowed,
        }
    }
}

fn kind_of(place: Place) -> Kind {
    match place {
        Place::Tree(..) | Place::Fixed(Fixed::Top | Fixed::Layers | Fixed::Shadowed) => Kind::Directory,
        Place::Fixed(_) | Place::Snapshot(_) => Kind::File,
    }
}

fn of_tree(tree: Tree, attr: Attr) -> Attr {
    Attr {
        ino: Place::Tree(tree, attr.ino).ino(),
        ..attr
    }
}

fn time_of(time: SystemTime) -> Mtime {
    // A clock before 1970 is wrong.
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Mtime {
        seconds: since.as_secs() as i64,
        nanoseconds: since.subsec_nanos(),
    }
}

/// The entries of a layer that are not seen, in the order of its central directory.
fn shadowed_entries(stack: &Stack, layer: LayerIdx) -> Vec<EntryId> {
    let Shadows { pairs, conflicts } = shadows(stack);
    let replaced = pairs.iter().flat_map(|pair| &pair.replaced).map(|one| one.entry);
    let lost = conflicts.iter().flat_map(|conflict| &conflict.lost);
    let all = replaced.chain(lost.map(|lost| lost.entry));
    let mut entries: Vec<_> = all
        .filter(|entry| entry.layer == layer)
        .map(|entry| entry.entry)
        .collect();
    entries.sort_unstable();
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_from_as_far_as_numbers_go_is_empty() {
        let fs = Fs::new(Arc::new(Stack::merge(Vec::new()).unwrap()), Default::default());
        let guide = Guide::new(Arc::new(fs), super::super::Options::default());
        let top = Place::Fixed(Fixed::Top).ino();
        for directory in [ROOT, top, Place::Fixed(Fixed::Layers).ino()] {
            assert!(guide.readdir(directory, 0).unwrap().next().is_some());
            for far in [u64::MAX, u64::MAX - 1, i64::MAX as u64] {
                assert!(guide.readdir(directory, far).unwrap().next().is_none());
            }
        }
    }

    #[test]
    fn a_layers_directory_is_named_by_place_and_archive() {
        let name = |path: &str| String::from_utf8(directory_name(1, Path::new(path))).unwrap();
        assert_eq!(name("/srv/layers/base.zip"), "1-base");
        assert_eq!(name("BASE.ZIP"), "1-BASE");
        assert_eq!(name("/srv/.zip"), "1-.zip");
        assert_eq!(name("python.3.12"), "1-python.3.12");
        assert_eq!(name(&"n".repeat(255)).len(), 255);
    }
}
