//! What is kept of a stack so that it can be told later what has changed: its layers' own bytes, the digest of
//! what it shows, and those of its directories down to some depth; and the comparison.
//!
//! The file that holds it is `cli`'s; docs/lock.md is the format.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::crew::{Progress, on_all_cores};
use super::digest::{Digest, Digests, Record, directory};
use crate::archive::EntryKind;
use crate::stack::{LayerIdx, NodeId, Stack};

const PIECE_BYTES: usize = 256 << 10;

/// A layer as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The name of its file, without the directory.
    pub name: Vec<u8>,
    /// Bytes of the zip.
    pub size: u64,
    /// Of the zip's bytes.
    pub sha256: Digest,
}

/// Which paths are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Directories, down to so many parts of a path.
    Directories(u32),
    /// Everything.
    Full,
}

/// A stack as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The digest of the root.
    pub view: Digest,
    /// Bottom first.
    pub layers: Vec<Pin>,
    /// What `paths` lists.
    pub depth: Depth,
    /// By path, what the directory above says of it.
    pub paths: BTreeMap<Vec<u8>, Record>,
}

/// A layer's file that cannot be read, or changes while it is.
#[derive(Debug)]
pub struct PinError {
    /// The layer.
    pub layer: LayerIdx,
    /// The reason.
    pub why: String,
}

/// What became of a layer. Places count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerChange {
    /// A file of that name has other bytes; the numbers are its places then and now.
    Bytes(usize, usize),
    /// The same bytes under another name.
    Renamed(usize, usize),
    /// The same, and not in the same order with the others that stayed.
    Moved(usize, usize),
    /// There was none such.
    Added(usize),
    /// There is none such any more.
    Removed(usize),
}

/// What became of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathChange {
    /// The path from the root; empty for the root.
    pub path: Vec<u8>,
    /// What it was.
    pub before: Option<Record>,
    /// What it is.
    pub after: Option<Record>,
    /// How much is said by that.
    pub extent: Extent,
}

/// Where a change lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The path itself: there or not, its kind, its mode, its bytes.
    Itself,
    /// Files and links right in this directory; what is in its directories is listed for itself.
    FilesIn,
    /// Anywhere below this directory: the lock lists nothing of it.
    Below,
}

/// Digests the layers' own files, on all cores.
///
/// # Errors
/// For the first file that cannot be read, or is written to meanwhile.
pub fn pins(stack: &Stack, progress: &dyn Progress) -> Result<Vec<Pin>, PinError> {
    let layers: Vec<_> = stack.layers_in_order().collect();
    progress.begins(layers.iter().map(|(_, archive)| archive.opened().size).sum());
    let pinned = on_all_cores(layers.len(), layers.len(), |i| {
        let (layer, archive) = layers[i];
        let fail = |why: String| PinError { layer, why };
        let mut hasher = Sha256::new();
        let (mut piece, mut size) = (vec![0; PIECE_BYTES], 0u64);
        loop {
            let read = archive.read_raw_at(&mut piece, size);
            let read = read.map_err(|error| fail(error.to_string()))?;
            if read == 0 {
                break;
            }
            hasher.update(&piece[..read]);
            size += read as u64;
            progress.read(read as u64);
        }
        let is_as_opened = archive.stamp().is_ok_and(|stamp| stamp == archive.opened());
        if !is_as_opened || size != archive.opened().size {
            return Err(fail("it was written to meanwhile".to_owned()));
        }
        let name = archive.path().file_name().unwrap_or(archive.path().as_os_str());
        Ok(Pin {
            name: name.as_encoded_bytes().to_vec(),
            size,
            sha256: Digest(hasher.finalize().into()),
        })
    });
    pinned.into_iter().collect()
}

/// Puts together what is kept of a stack; nothing if something of it cannot be read.
pub fn lock(stack: &Stack, digests: &Digests, layers: Vec<Pin>, depth: Depth) -> Option<Lock> {
    let mut paths = BTreeMap::new();
    let mut waiting: Vec<(NodeId, Vec<u8>, u32)> = vec![(NodeId::ROOT, Vec::new(), 0)];
    while let Some((directory, path, above)) = waiting.pop() {
        for child in stack.children(directory) {
            if depth != Depth::Full && !stack.is_directory(child) {
                continue;
            }
            let mut below = path.clone();
            if !below.is_empty() {
                below.push(b'/');
            }
            below.extend_from_slice(stack.name(child));
            let is_last = matches!(depth, Depth::Directories(depth) if above + 1 >= depth);
            let is_listed = matches!(depth, Depth::Full | Depth::Directories(1..));
            if stack.is_directory(child) && !is_last {
                waiting.push((child, below.clone(), above + 1));
            }
            if is_listed {
                paths.insert(below, digests.record(stack, child)?);
            }
        }
    }
    Some(Lock {
        view: digests.of(NodeId::ROOT)?,
        layers,
        depth,
        paths,
    })
}

/// What became of the layers, in the order of their present places, those that are gone at the end.
pub fn layer_changes(before: &[Pin], after: &[Pin]) -> Vec<LayerChange> {
    let mut was: Vec<Option<usize>> = vec![None; after.len()];
    let mut is_taken = vec![false; before.len()];
    // The same file, else the same bytes, else the same name.
    let alike: [fn(&Pin, &Pin) -> bool; 3] = [
        |b, a| b == a,
        |b, a| b.sha256 == a.sha256,
        |b, a| b.name == a.name,
    ];
    for is_alike in alike {
        for (now, pin) in after.iter().enumerate() {
            if was[now].is_some() {
                continue;
            }
            // The one at the same place first.
            let candidates = std::iter::once(now).chain(0..before.len());
            let found = candidates
                .filter(|&then| then < before.len() && !is_taken[then])
                .find(|&then| is_alike(&before[then], pin));
            if let Some(then) = found {
                (was[now], is_taken[then]) = (Some(then), true);
            }
        }
    }
    let stayed: Vec<usize> = was.iter().flatten().copied().collect();
    let kept = longest_rise(&stayed);
    let mut changes = Vec::new();
    for (now, then) in was.into_iter().enumerate() {
        let Some(then) = then else {
            changes.push(LayerChange::Added(now));
            continue;
        };
        let (old, new) = (&before[then], &after[now]);
        if old.sha256 != new.sha256 {
            changes.push(LayerChange::Bytes(then, now));
        } else if old.name != new.name {
            changes.push(LayerChange::Renamed(then, now));
        }
        if !kept.contains(&then) {
            changes.push(LayerChange::Moved(then, now));
        }
    }
    changes.extend(
        (0..before.len())
            .filter(|&then| !is_taken[then])
            .map(LayerChange::Removed),
    );
    changes
}

/// The most numbers of a list that rise: layers that are still in order with each other.
fn longest_rise(numbers: &[usize]) -> BTreeSet<usize> {
    // For each number, how long a rise ends there, and the place of the number before it.
    let mut ends: Vec<(usize, Option<usize>)> = Vec::new();
    for (i, number) in numbers.iter().enumerate() {
        let before = (0..i).filter(|&earlier| numbers[earlier] < *number);
        let longest = before.max_by_key(|&earlier| ends[earlier].0);
        ends.push((longest.map_or(1, |earlier| ends[earlier].0 + 1), longest));
    }
    let mut at = (0..ends.len()).max_by_key(|&i| ends[i].0);
    let mut rise = BTreeSet::new();
    while let Some(i) = at {
        rise.insert(numbers[i]);
        at = ends[i].1;
    }
    rise
}

/// What became of the paths: `after` is of the same depth as `before`, and of this stack.
pub fn path_changes(before: &Lock, after: &Lock, stack: &Stack, digests: &Digests) -> Vec<PathChange> {
    let mut changes = Vec::new();
    if before.view == after.view {
        return changes;
    }
    let of_root = |view| Record {
        kind: EntryKind::Directory,
        mode: 0o755,
        digest: view,
    };
    let is_deepest = |path: &[u8]| match before.depth {
        Depth::Full => false,
        Depth::Directories(depth) => {
            path.split(|&b| b == b'/').filter(|part| !part.is_empty()).count() >= depth as usize
        }
    };
    let subdirectories = children_of(&before.paths);
    let paths: BTreeSet<&Vec<u8>> = before.paths.keys().chain(after.paths.keys()).collect();
    let root = (Vec::new(), Some(of_root(before.view)), Some(of_root(after.view)));
    let listed = paths.into_iter().map(|path| {
        let records = (before.paths.get(path).copied(), after.paths.get(path).copied());
        (path.clone(), records.0, records.1)
    });
    for (path, was, is) in std::iter::once(root).chain(listed) {
        let mut change = |extent| {
            changes.push(PathChange {
                path: path.clone(),
                before: was,
                after: is,
                extent,
            });
        };
        let (Some(was), Some(is)) = (was, is) else {
            // What came or went with a directory above is not said again.
            let up = path
                .iter()
                .rposition(|&b| b == b'/')
                .map_or(&b""[..], |slash| &path[..slash]);
            let is_whole = |paths: &BTreeMap<Vec<u8>, Record>| {
                up.is_empty() || paths.get(up).is_some_and(|up| up.kind == EntryKind::Directory)
            };
            if is_whole(&before.paths) && is_whole(&after.paths) {
                change(Extent::Itself);
            }
            continue;
        };
        if (was.kind, was.mode) != (is.kind, is.mode) {
            change(Extent::Itself);
        }
        if was.kind != is.kind || was.digest == is.digest {
            continue;
        }
        if was.kind != EntryKind::Directory {
            if was.mode == is.mode {
                change(Extent::Itself);
            }
        } else if is_deepest(&path) {
            change(Extent::Below);
        } else if before.depth != Depth::Full {
            // The directory with its files of now and its directories of then: if that is what it was, all
            // that changed lies in the directories.
            let empty = Vec::new();
            let then = subdirectories.get(path.as_slice()).unwrap_or(&empty);
            if mixed_digest(stack, digests, &path, then) != Some(was.digest) {
                change(Extent::FilesIn);
            }
        }
    }
    changes
}

type Named<'a> = (&'a [u8], Record);

/// The listed names in each directory.
fn children_of(paths: &BTreeMap<Vec<u8>, Record>) -> BTreeMap<&[u8], Vec<Named<'_>>> {
    let mut children: BTreeMap<&[u8], Vec<Named<'_>>> = BTreeMap::new();
    for (path, &record) in paths {
        let slash = path.iter().rposition(|&b| b == b'/');
        let (up, name) = (
            &path[..slash.unwrap_or(0)],
            &path[slash.map_or(0, |slash| slash + 1)..],
        );
        children.entry(up).or_default().push((name, record));
    }
    children
}

fn mixed_digest(stack: &Stack, digests: &Digests, path: &[u8], directories: &[Named<'_>]) -> Option<Digest> {
    let parts = path.split(|&b| b == b'/').filter(|part| !part.is_empty());
    let node = stack.find(parts)?;
    let mut records: Vec<Named<'_>> = directories.to_vec();
    for child in stack.children(node).filter(|&child| !stack.is_directory(child)) {
        records.push((stack.name(child), digests.record(stack, child)?));
    }
    records.sort_by_key(|&(name, _)| name);
    directory(records.into_iter().map(Some))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(name: &str, content: u8) -> Pin {
        Pin {
            name: name.into(),
            size: 1,
            sha256: Digest([content; 32]),
        }
    }

    #[test]
    fn layers_are_known_again_by_bytes_and_by_name() {
        let (a, b, c) = (pin("a", 1), pin("b", 2), pin("c", 3));
        let changes = |after: &[Pin]| layer_changes(&[a.clone(), b.clone(), c.clone()], after);
        use LayerChange::{Added, Bytes, Moved, Removed, Renamed};
        assert_eq!(changes(&[a.clone(), b.clone(), c.clone()]), []);
        assert_eq!(changes(&[a.clone(), pin("b", 9), c.clone()]), [Bytes(1, 1)]);
        assert_eq!(changes(&[a.clone(), pin("x", 2), c.clone()]), [Renamed(1, 1)]);
        assert_eq!(changes(&[a.clone(), c.clone()]), [Removed(1)]);
        assert_eq!(changes(&[b.clone(), c.clone(), a.clone()]), [Moved(0, 2)]);
        assert_eq!(
            changes(&[a.clone(), pin("x", 9), b.clone(), c.clone()]),
            [Added(1)]
        );
        assert_eq!(
            changes(&[c.clone(), pin("a", 9)]),
            [Moved(2, 0), Bytes(0, 1), Removed(1)]
        );
        assert_eq!(changes(&[]), [Removed(0), Removed(1), Removed(2)]);
    }
}
