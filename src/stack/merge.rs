//! The merge: a left fold over the entries of the layers, then a renumbering into the final tree.
//!
//! The fold is not associative and is never computed in pieces: a third layer's directory over a
//! directory and a file starts from what lies above the file.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::{EntryRef, LayerIdx, NO_ENTRY, NameRef, Node, NodeId, Shadowed, Stack, StackError};
use crate::archive::{Archive, Entry, EntryId, EntryKind};

/// A node while the fold goes on. Nodes are only ever added: one that gives way to another kind stays
/// behind with everything below it, unreachable from its parent.
struct Draft {
    parent: u32,
    name: NameRef,
    provider: LayerIdx,
    entry: u32,
    kind: EntryKind,
    /// The draft that took its path, [`NO_DRAFT`] while it stands.
    replaced_by: u32,
}

const NO_DRAFT: u32 = u32::MAX;
const ROOT: u32 = 0;

struct Fold<'a> {
    layers: &'a [Archive],
    drafts: Vec<Draft>,
    /// Standing drafts by parent and name. Keyed with a random seed: names come from strangers.
    by_name: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Entries that gave way to one of the same kind at the same path.
    overwritten: Vec<(u32, Shadowed)>,
}

/// The directory that the last entry lay in: archives list a directory's entries one after another.
struct Recent {
    start: u32,
    len: u16,
    draft: u32,
}

pub(super) fn merge(layers: Vec<Archive>) -> Result<Stack, StackError> {
    if layers.len() > usize::from(u16::MAX) {
        return Err(StackError::TooManyLayers(layers.len()));
    }
    let mut fold = Fold::new(&layers);
    for index in 0..layers.len() {
        fold.apply(LayerIdx(index as u16))?;
    }
    let Fold {
        drafts, overwritten, ..
    } = fold;
    Ok(finish(layers, &drafts, overwritten))
}

impl<'a> Fold<'a> {
    fn new(layers: &'a [Archive]) -> Fold<'a> {
        let most = layers.iter().map(Archive::len).max().unwrap_or(0);
        let mut drafts = Vec::with_capacity(most + most / 8 + 1);
        drafts.push(Draft {
            parent: ROOT,
            // No layer has this index: the root's name is empty.
            name: NameRef {
                start: 0,
                len: 0,
                layer: LayerIdx(u16::MAX),
            },
            provider: LayerIdx(0),
            entry: NO_ENTRY,
            kind: EntryKind::Directory,
            replaced_by: NO_DRAFT,
        });
        Fold {
            layers,
            drafts,
            by_name: HashTable::with_capacity(most),
            hasher: DefaultHashBuilder::default(),
            overwritten: Vec::new(),
        }
    }

    /// Applies one layer, entry by entry in the order of its central directory.
    ///
    /// Semantics decision: (2) of several entries with one name in one archive the last one wins: they
    /// are applied one after another like those of different layers.
    fn apply(&mut self, layer: LayerIdx) -> Result<(), StackError> {
        let archive = &self.layers[layer.index()];
        let mut recent: Option<Recent> = None;
        for (id, entry) in archive.entries() {
            let start = archive.path_start(id);
            let name_at = entry
                .path
                .iter()
                .rposition(|&b| b == b'/')
                .map_or(0, |slash| slash + 1);
            let directory = &entry.path[..name_at.saturating_sub(1)];
            let parent = match &recent {
                Some(r) if archive.name(r.start, r.len) == directory => r.draft,
                _ => self.directory_at(layer, start, directory)?,
            };
            // What is put now may take the place of a child of `parent`, never of `parent` itself.
            recent = Some(Recent {
                start,
                len: directory.len() as u16,
                draft: parent,
            });
            let name = NameRef {
                start: start + name_at as u32,
                len: (entry.path.len() - name_at) as u16,
                layer,
            };
            self.put(layer, parent, name, id, &entry)?;
        }
        Ok(())
    }

    /// The directory at a path, made where it is missing.
    ///
    /// Semantics decision: (1) no symlink is ever followed while merging: where a part is a link or a
    /// file, a new and empty directory takes its place.
    fn directory_at(&mut self, layer: LayerIdx, start: u32, path: &[u8]) -> Result<u32, StackError> {
        let mut at = ROOT;
        let mut offset = 0;
        for part in path.split(|&b| b == b'/').filter(|part| !part.is_empty()) {
            let name = NameRef {
                start: start + offset,
                len: part.len() as u16,
                layer,
            };
            offset += part.len() as u32 + 1;
            at = match self.find(at, part) {
                Some(found) if self.drafts[found as usize].kind == EntryKind::Directory => found,
                found => self.add(found, at, name, layer, NO_ENTRY, EntryKind::Directory)?,
            };
        }
        Ok(at)
    }

    /// Puts an entry at its place.
    ///
    /// Semantics decision: (1) the last layer wins. Directories merge only with directories: the upper
    /// one's own entry gives mode and time. In every other pair the later one wins and hides everything
    /// that earlier ones had under the path.
    fn put(
        &mut self,
        layer: LayerIdx,
        parent: u32,
        name: NameRef,
        id: EntryId,
        entry: &Entry<'_>,
    ) -> Result<(), StackError> {
        let kind = entry.kind;
        let bytes = self.layers[layer.index()].name(name.start, name.len);
        let Some(found) = self.find(parent, bytes) else {
            self.add(None, parent, name, layer, id.index() as u32, kind)?;
            return Ok(());
        };
        let standing = &mut self.drafts[found as usize];
        if (standing.kind == EntryKind::Directory) != (kind == EntryKind::Directory) {
            self.add(Some(found), parent, name, layer, id.index() as u32, kind)?;
            return Ok(());
        }
        if let Some(below) = standing.entry() {
            self.overwritten.push((
                found,
                Shadowed {
                    entry: below,
                    by: layer,
                },
            ));
        }
        standing.kind = kind;
        standing.provider = layer;
        standing.entry = id.index() as u32;
        Ok(())
    }

    fn find(&self, parent: u32, name: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one((parent, name));
        self.by_name.find(hash, |&at| self.is(at, parent, name)).copied()
    }

    fn is(&self, at: u32, parent: u32, name: &[u8]) -> bool {
        let draft = &self.drafts[at as usize];
        draft.parent == parent && name_bytes(self.layers, draft.name) == name
    }

    /// Adds a draft, in place of `standing` if that is given.
    fn add(
        &mut self,
        standing: Option<u32>,
        parent: u32,
        name: NameRef,
        provider: LayerIdx,
        entry: u32,
        kind: EntryKind,
    ) -> Result<u32, StackError> {
        let new = u32::try_from(self.drafts.len()).map_err(|_| StackError::TooManyNodes)?;
        if new == NO_DRAFT {
            return Err(StackError::TooManyNodes);
        }
        let bytes = name_bytes(self.layers, name);
        let hash = self.hasher.hash_one((parent, bytes));
        self.drafts.push(Draft {
            parent,
            name,
            provider,
            entry,
            kind,
            replaced_by: NO_DRAFT,
        });
        match standing {
            Some(old) => {
                self.drafts[old as usize].replaced_by = new;
                if let Some(slot) = self.by_name.find_mut(hash, |&at| at == old) {
                    *slot = new;
                }
            }
            None => {
                let (drafts, hasher, layers) = (&self.drafts, &self.hasher, self.layers);
                self.by_name.insert_unique(hash, new, |&at| {
                    let draft = &drafts[at as usize];
                    hasher.hash_one((draft.parent, name_bytes(layers, draft.name)))
                });
            }
        }
        Ok(new)
    }
}

impl Draft {
    fn entry(&self) -> Option<EntryRef> {
        (self.entry != NO_ENTRY).then(|| EntryRef {
            layer: self.provider,
            entry: EntryId::from_index(self.entry as usize),
        })
    }
}

fn name_bytes(layers: &[Archive], name: NameRef) -> &[u8] {
    layers
        .get(name.layer.index())
        .map_or(&[], |layer| layer.name(name.start, name.len))
}

/// Numbers what still stands by depth and name, so that children lie side by side and the numbers
/// depend on the list of archives alone.
fn finish(layers: Vec<Archive>, drafts: &[Draft], overwritten: Vec<(u32, Shadowed)>) -> Stack {
    let standing_at = standing_places(drafts);
    let is_standing = |i: u32| standing_at[i as usize] == i;

    // Children by parent: counts, then places (a counting sort by parent).
    let mut first = vec![0u32; drafts.len() + 1];
    let standing = || (1..drafts.len() as u32).filter(|&i| is_standing(i));
    standing().for_each(|i| first[drafts[i as usize].parent as usize + 1] += 1);
    for i in 1..first.len() {
        first[i] += first[i - 1];
    }
    let mut next = first.clone();
    let mut children = vec![0u32; *first.last().unwrap_or(&0) as usize];
    for i in standing() {
        let place = &mut next[drafts[i as usize].parent as usize];
        children[*place as usize] = i;
        *place += 1;
    }

    let mut nodes = Vec::with_capacity(children.len() + 1);
    let mut order = Vec::with_capacity(children.len() + 1);
    let mut number = vec![0u32; drafts.len()];
    order.push(ROOT);
    nodes.push(node_of(&drafts[ROOT as usize], 0));
    let mut done = 0;
    while done < order.len() {
        let draft = order[done] as usize;
        let below = &mut children[first[draft] as usize..first[draft + 1] as usize];
        below.sort_unstable_by(|&a, &b| {
            name_bytes(&layers, drafts[a as usize].name).cmp(name_bytes(&layers, drafts[b as usize].name))
        });
        nodes[done].first_child = order.len() as u32;
        nodes[done].child_count = below.len() as u32;
        for &child in below.iter() {
            number[child as usize] = order.len() as u32;
            order.push(child);
            nodes.push(node_of(&drafts[child as usize], done as u32));
            if drafts[child as usize].kind == EntryKind::Directory {
                nodes[done].subdirectories += 1;
            }
        }
        done += 1;
    }

    let shadowed = collect_shadowed(drafts, overwritten, &standing_at, &number);
    let mut shadow_starts: Vec<(NodeId, u32)> = Vec::new();
    for (i, (owner, _)) in shadowed.iter().enumerate() {
        if shadow_starts.last().is_none_or(|(last, _)| last != owner) {
            shadow_starts.push((*owner, i as u32));
        }
    }
    let shadowed = shadowed.into_iter().map(|(_, shadowed)| shadowed).collect();
    Stack {
        layers,
        nodes,
        shadow_starts,
        shadowed,
    }
}

fn node_of(draft: &Draft, parent: u32) -> Node {
    Node {
        name: draft.name,
        parent,
        entry: draft.entry,
        first_child: 0,
        child_count: 0,
        subdirectories: 0,
        provider: draft.provider,
        kind: draft.kind,
    }
}

/// For each draft the one that stands where it fell: itself, or what finally took its path or that of
/// a directory above it. A draft is younger than its parent and older than what replaced it.
fn standing_places(drafts: &[Draft]) -> Vec<u32> {
    let mut standing = vec![ROOT; drafts.len()];
    let mut lost = vec![false; drafts.len()];
    // Downwards: whose own path, or an ancestor's, was taken.
    for i in 1..drafts.len() {
        lost[i] = drafts[i].replaced_by != NO_DRAFT || lost[drafts[i].parent as usize];
    }
    // A replacement is younger than what it replaces: its place is known before, from the end.
    for i in (1..drafts.len()).rev() {
        let draft = &drafts[i];
        standing[i] = match (lost[i], draft.replaced_by) {
            (false, _) => i as u32,
            (true, NO_DRAFT) => NO_DRAFT,
            (true, by) => standing[by as usize],
        };
    }
    // What was lost with a directory above it stands where that directory does.
    for i in 1..drafts.len() {
        if standing[i] == NO_DRAFT {
            standing[i] = standing[drafts[i].parent as usize];
        }
    }
    standing
}

/// All hidden entries with the node that stands in their place, sorted by node, then in the order in
/// which the archives have them.
fn collect_shadowed(
    drafts: &[Draft],
    overwritten: Vec<(u32, Shadowed)>,
    standing_at: &[u32],
    number: &[u32],
) -> Vec<(NodeId, Shadowed)> {
    let node_of = |draft: usize| NodeId(number[standing_at[draft] as usize]);
    let mut hider = vec![LayerIdx(0); drafts.len()];
    let mut all = Vec::with_capacity(overwritten.len());
    for (i, draft) in drafts.iter().enumerate().skip(1) {
        hider[i] = match draft.replaced_by {
            NO_DRAFT => hider[draft.parent as usize],
            // The name was taken from the entry that made the draft.
            by => drafts[by as usize].name.layer,
        };
        if standing_at[i] != i as u32
            && let Some(entry) = draft.entry()
        {
            all.push((node_of(i), Shadowed { entry, by: hider[i] }));
        }
    }
    all.extend(
        overwritten
            .iter()
            .map(|&(draft, shadowed)| (node_of(draft as usize), shadowed)),
    );
    all.sort_by_key(|&(node, shadowed)| (node, shadowed.entry));
    all
}
