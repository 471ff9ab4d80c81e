//! The merge: a left fold over the entries of the layers, then a numbering of what stands.
//!
//! The fold is not associative and is never computed in pieces: a third layer's directory over a
//! directory and a file starts from what lies above the file.

use std::sync::Arc;

use super::draft::{Drafts, Found, New, ROOT};
use super::node::{Directory, NO_ENTRY, Node};
use super::shadow::{self, Overwritten};
use super::{LayerIdx, NodeId, Shadowed, Stack, StackError};
use crate::archive::{Archive, EntryId, EntryKind};

struct Fold<'a> {
    layers: &'a [Archive],
    drafts: Drafts<'a>,
    overwritten: Vec<Overwritten>,
}

/// The last entry and the directory that it lay in: archives list a directory's entries one after another.
struct Recent<'a> {
    path: &'a [u8],
    draft: u32,
    name: &'a [u8],
    /// Place of the entry that comes next in the archive, for where not all are wanted.
    next: usize,
    /// The draft that the entry ended, when the next one may run on from it.
    run: Option<u32>,
}

pub(super) fn merge(layers: Arc<[Archive]>) -> Result<Stack, StackError> {
    if layers.len() > usize::from(u16::MAX) {
        return Err(StackError::TooManyLayers(layers.len()));
    }
    let mut fold = Fold::new(&layers);
    for (index, archive) in layers.iter().enumerate() {
        fold.apply(LayerIdx(index as u16), archive.entry_ids())?;
    }
    Ok(fold.finish(Arc::clone(&layers)))
}

/// The tree of some entries of one layer.
pub(super) fn only(
    layers: &Arc<[Archive]>,
    layer: LayerIdx,
    entries: impl IntoIterator<Item = EntryId>,
) -> Result<Stack, StackError> {
    let mut fold = Fold::new(layers);
    fold.apply(layer, entries)?;
    let mut stack = fold.finish(Arc::clone(layers));
    // Of what has no entry, this layer's file gives the time; the root never has one.
    stack.nodes[NodeId::ROOT.index()].provider = layer;
    Ok(stack)
}

impl<'a> Fold<'a> {
    fn new(layers: &'a [Archive]) -> Fold<'a> {
        Fold {
            layers,
            drafts: Drafts::new(layers),
            overwritten: Vec::new(),
        }
    }

    /// Applies one layer, entry by entry in the order of its central directory.
    ///
    /// Semantics decision: (2) of several entries with one name in one archive the last one wins: they
    /// are applied one after another like those of different layers.
    fn apply(
        &mut self,
        layer: LayerIdx,
        entries: impl IntoIterator<Item = EntryId>,
    ) -> Result<(), StackError> {
        let archive = &self.layers[layer.index()];
        let mut recent = Recent {
            path: &[],
            draft: ROOT,
            name: &[],
            next: 0,
            run: None,
        };
        for id in entries {
            let path = archive.entry_path(id);
            let kind = archive.entry_kind(id);
            let slash = path.iter().rposition(|&b| b == b'/');
            let name_at = slash.map_or(0, |slash| slash + 1);
            let (directory, name) = (&path[..slash.unwrap_or(0)], &path[name_at..]);
            let is_in_same = recent.path == directory;
            if is_in_same
                && kind != EntryKind::Directory
                && let Some(run) = recent.run
                && name > recent.name
                && id.index() == recent.next
            {
                self.drafts.extend(run)?;
                (recent.name, recent.next) = (name, id.index() + 1);
                continue;
            }
            let start = archive.path_start(id);
            if !is_in_same {
                recent.draft = self.directory_at(layer, start, directory)?;
            }
            // What is put now may take the place of a child of this directory, never of itself.
            recent.path = directory;
            (recent.name, recent.next) = (name, id.index() + 1);
            let new = New {
                parent: recent.draft,
                name_start: start + name_at as u32,
                name_len: name.len() as u8,
                layer,
                entry: id.index() as u32,
                kind,
            };
            recent.run = self.put(&new, name)?.filter(|_| !is_directory(&new));
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
            let new = New {
                parent: at,
                name_start: start + offset,
                name_len: part.len() as u8,
                layer,
                entry: NO_ENTRY,
                kind: EntryKind::Directory,
            };
            offset += part.len() as u32 + 1;
            at = match self.drafts.find(at, part) {
                Found::At(found) if self.drafts.node(found).is_directory() => found,
                Found::At(found) => self.drafts.replace(found, &new)?,
                Found::Nothing { is_greatest } => self.drafts.add(&new, is_greatest)?,
            };
        }
        Ok(at)
    }

    /// Puts an entry at its place.
    ///
    /// Semantics decision: (1) the last layer wins. Directories merge only with directories: the upper
    /// one's own entry gives mode and time. In every other pair the later one wins and hides everything
    /// that earlier ones had under the path. Gives the draft when the next entry may run on from it.
    fn put(&mut self, new: &New, name: &[u8]) -> Result<Option<u32>, StackError> {
        match self.drafts.find(new.parent, name) {
            Found::Nothing { is_greatest } => {
                let added = self.drafts.add(new, is_greatest)?;
                return Ok(self.drafts.may_run(new.parent).then_some(added));
            }
            Found::At(found) if self.drafts.node(found).is_directory() != is_directory(new) => {
                self.drafts.replace(found, new)?;
            }
            Found::At(found) => {
                if let Some(entry) = self.drafts.take_over(found, new) {
                    let shadowed = Shadowed { entry, by: new.layer };
                    self.overwritten.push(Overwritten {
                        draft: found,
                        shadowed,
                    });
                }
            }
        }
        Ok(None)
    }

    /// Numbers what stands.
    fn finish(self, layers: Arc<[Archive]>) -> Stack {
        let has_hidden = !(self.overwritten.is_empty() && self.drafts.replaced().is_empty());
        let numbered = number(&self.drafts, has_hidden);
        let hidden = shadow::collect(&self.drafts, &self.overwritten, &numbered.number);
        Stack {
            shadow_starts: shadow::starts(&hidden),
            shadowed: hidden.into_iter().map(|(_, shadowed)| shadowed).collect(),
            nodes: numbered.nodes,
            directories: numbered.directories,
            layers,
        }
    }
}

fn is_directory(new: &New) -> bool {
    new.kind == EntryKind::Directory
}

struct Numbered {
    nodes: Vec<Node>,
    directories: Vec<Directory>,
    /// By draft, its node, when that was asked for; of drafts that do not stand, the root.
    number: Vec<NodeId>,
}

/// A directory whose children have no number yet.
struct Unlisted {
    draft: u32,
    node: u32,
}

/// Numbers what stands by depth and name, so that children lie side by side and the numbers depend on
/// the list of archives alone.
fn number(drafts: &Drafts<'_>, remember: bool) -> Numbered {
    let mut nodes = Vec::with_capacity(drafts.node_limit());
    let mut directories: Vec<Directory> = Vec::new();
    let mut number = vec![NodeId::ROOT; if remember { drafts.len() } else { 0 }];
    let mut found = vec![Unlisted { draft: ROOT, node: 0 }];
    let mut children = Vec::new();
    nodes.push(*drafts.node(ROOT));
    while let Some(&Unlisted { draft, node: parent }) = found.get(directories.len()) {
        children.clear();
        children.extend(drafts.children(draft));
        let directory = drafts.directory(draft);
        if !directory.is_sorted {
            children.sort_unstable_by(|&a, &b| drafts.name(a).cmp(drafts.name(b)));
        }
        let (first_child, found_before) = (nodes.len() as u32, found.len());
        for &child in &children {
            let at = nodes.len() as u32;
            if remember {
                number[child as usize] = NodeId(at);
            }
            nodes.extend(drafts.nodes(child).map(|node| Node { parent, ..node }));
            if drafts.node(child).is_directory() {
                nodes[at as usize].place = found.len() as u32;
                found.push(Unlisted {
                    draft: child,
                    node: at,
                });
            }
        }
        directories.push(Directory {
            entry: directory.entry,
            first_child,
            child_count: nodes.len() as u32 - first_child,
            subdirectories: (found.len() - found_before) as u32,
        });
    }
    nodes.shrink_to_fit();
    directories.shrink_to_fit();
    Numbered {
        nodes,
        directories,
        number,
    }
}
