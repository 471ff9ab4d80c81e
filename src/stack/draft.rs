//! The tree while the merge goes on: nodes are only ever added, and found by directory and name.
//!
//! Archives mostly list a directory's names in order. A name greater than the greatest of a directory is
//! not in it, so that nothing is looked up while they come so; once they do not, the directory gets a hash
//! table of its own, near in memory while its names come together. What adding means is the merge's affair.

use std::cmp::Ordering;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::node::{NO_ENTRY, Node, entry_at};
use super::{EntryRef, LayerIdx, StackError};
use crate::archive::{Archive, EntryKind};

/// A node in the making. One that gives way to another kind loses its name and stays behind with
/// everything below it, out of reach of any path.
pub(super) struct Draft {
    pub(super) node: Node,
    /// The child of the same directory that was added next.
    next: u32,
}

/// What a directory has beside its draft.
pub(super) struct DirectoryDraft {
    /// Place in the provider's index, [`NO_ENTRY`] while no layer has an entry for it.
    pub(super) entry: u32,
    /// Whether the children were added in the order of their names.
    pub(super) is_sorted: bool,
    first: u32,
    last: u32,
    /// Children, those without a name included.
    count: u32,
    /// Children that have their name, once they are many and came out of order.
    table: Option<HashTable<u32>>,
}

/// A draft that gave way to one of another kind.
pub(super) struct Replaced {
    pub(super) old: u32,
    pub(super) new: u32,
    /// The layer whose entry did it.
    pub(super) by: LayerIdx,
}

/// What a directory has by a name.
pub(super) enum Found {
    /// This draft.
    At(u32),
    /// Nothing; whether all its names are smaller.
    Nothing { is_greatest: bool },
}

/// What is to be added.
pub(super) struct New {
    pub(super) parent: u32,
    pub(super) name_start: u32,
    pub(super) name_len: u8,
    pub(super) layer: LayerIdx,
    pub(super) entry: u32,
    pub(super) kind: EntryKind,
}

pub(super) struct Drafts<'a> {
    layers: &'a [Archive],
    drafts: Vec<Draft>,
    directories: Vec<DirectoryDraft>,
    replaced: Vec<Replaced>,
    /// Keyed with a random seed: names come from strangers.
    hasher: DefaultHashBuilder,
}

pub(super) const ROOT: u32 = 0;
const NO_DRAFT: u32 = u32::MAX;
/// So many names are compared one by one.
const FEW: u32 = 8;

impl<'a> Drafts<'a> {
    pub(super) fn new(layers: &'a [Archive]) -> Drafts<'a> {
        // Pages that are never written cost nothing.
        let entries: usize = layers.iter().map(Archive::len).sum();
        let mut drafts = Vec::with_capacity(entries + entries / 8 + 1);
        drafts.push(Draft {
            node: Node::ROOT,
            next: NO_DRAFT,
        });
        Drafts {
            layers,
            drafts,
            directories: vec![DirectoryDraft::new(NO_ENTRY)],
            replaced: Vec::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.drafts.len()
    }

    pub(super) fn node(&self, at: u32) -> &Node {
        &self.drafts[at as usize].node
    }

    pub(super) fn name(&self, at: u32) -> &'a [u8] {
        self.node(at).name(self.layers)
    }

    pub(super) fn directory(&self, at: u32) -> &DirectoryDraft {
        &self.directories[self.node(at).place as usize]
    }

    /// The entry that a draft was made from or took over.
    pub(super) fn entry(&self, at: u32) -> Option<EntryRef> {
        let node = self.node(at);
        let place = match node.kind {
            EntryKind::Directory => self.directory(at).entry,
            EntryKind::File | EntryKind::Symlink => node.place,
        };
        entry_at(node.provider, place)
    }

    /// Drafts that gave way, in the order in which they did.
    pub(super) fn replaced(&self) -> &[Replaced] {
        &self.replaced
    }

    /// The children of a directory that stand, in the order in which they were added.
    pub(super) fn children(&self, directory: u32) -> impl Iterator<Item = u32> {
        let mut next = self.directory(directory).first;
        let all = std::iter::from_fn(move || {
            let at = next;
            next = self.drafts.get(at as usize)?.next;
            Some(at)
        });
        all.filter(|&at| self.node(at).name_len > 0)
    }

    /// Looks a name up in a directory.
    pub(super) fn find(&mut self, parent: u32, name: &[u8]) -> Found {
        let directory = self.directory(parent);
        if directory.is_sorted {
            if directory.last == NO_DRAFT {
                return Found::Nothing { is_greatest: true };
            }
            match name.cmp(self.name(directory.last)) {
                Ordering::Greater => return Found::Nothing { is_greatest: true },
                Ordering::Equal => return Found::At(directory.last),
                Ordering::Less => {}
            }
        }
        let found = if directory.table.is_none() && directory.count <= FEW {
            self.children(parent).find(|&at| self.name(at) == name)
        } else {
            self.find_in_table(parent, name)
        };
        found.map_or(Found::Nothing { is_greatest: false }, Found::At)
    }

    fn find_in_table(&mut self, parent: u32, name: &[u8]) -> Option<u32> {
        let hash_of = |at: u32| self.hasher.hash_one(self.name(at));
        if self.directory(parent).table.is_none() {
            let mut table = HashTable::with_capacity(self.directory(parent).count as usize);
            for child in self.children(parent) {
                table.insert_unique(hash_of(child), child, |&at| hash_of(at));
            }
            let place = self.node(parent).place;
            self.directories[place as usize].table = Some(table);
        }
        let table = self.directory(parent).table.as_ref()?;
        let hash = self.hasher.hash_one(name);
        table.find(hash, |&at| self.name(at) == name).copied()
    }

    /// Adds a name that the directory does not have.
    pub(super) fn add(&mut self, new: &New, is_greatest: bool) -> Result<u32, StackError> {
        let at = self.append(new, is_greatest)?;
        if self.directory(new.parent).table.is_some() {
            self.put_into_table(new.parent, at);
        }
        Ok(at)
    }

    /// Adds a draft in the place of one of another kind.
    pub(super) fn replace(&mut self, old: u32, new: &New) -> Result<u32, StackError> {
        let at = self.append(new, false)?;
        let hash = self.hasher.hash_one(self.name(at));
        let place = self.node(new.parent).place as usize;
        if let Some(table) = &mut self.directories[place].table
            && let Ok(slot) = table.find_entry(hash, |&child| child == old)
        {
            slot.remove();
        }
        self.put_into_table(new.parent, at);
        self.drafts[old as usize].node.name_len = 0;
        self.replaced.push(Replaced {
            old,
            new: at,
            by: new.layer,
        });
        Ok(at)
    }

    /// Lets a later entry of the same kind stand for a draft, and hands back the one that stood for it.
    pub(super) fn take_over(&mut self, at: u32, new: &New) -> Option<EntryRef> {
        let below = self.entry(at);
        let node = &mut self.drafts[at as usize].node;
        // The name is the same, but it is looked for among the provider's.
        node.provider = new.layer;
        node.name_start = new.name_start;
        node.kind = new.kind;
        match new.kind {
            EntryKind::Directory => self.directories[node.place as usize].entry = new.entry,
            EntryKind::File | EntryKind::Symlink => node.place = new.entry,
        }
        below
    }

    fn append(&mut self, new: &New, is_greatest: bool) -> Result<u32, StackError> {
        let at = u32::try_from(self.drafts.len()).map_err(|_| StackError::TooManyNodes)?;
        if at == NO_DRAFT {
            return Err(StackError::TooManyNodes);
        }
        let place = match new.kind {
            EntryKind::Directory => {
                self.directories.push(DirectoryDraft::new(new.entry));
                self.directories.len() as u32 - 1
            }
            EntryKind::File | EntryKind::Symlink => new.entry,
        };
        self.drafts.push(Draft {
            node: Node {
                parent: new.parent,
                place,
                provider: new.layer,
                kind: new.kind,
                name_len: new.name_len,
                name_start: new.name_start,
            },
            next: NO_DRAFT,
        });
        let parent = &mut self.directories[self.drafts[new.parent as usize].node.place as usize];
        parent.is_sorted &= is_greatest;
        parent.count += 1;
        let before = std::mem::replace(&mut parent.last, at);
        match self.drafts.get_mut(before as usize) {
            Some(before) => before.next = at,
            None => parent.first = at,
        }
        Ok(at)
    }

    fn put_into_table(&mut self, parent: u32, at: u32) {
        let (layers, drafts, hasher) = (self.layers, &self.drafts, &self.hasher);
        let place = drafts[parent as usize].node.place as usize;
        if let Some(table) = &mut self.directories[place].table {
            let hash_of = |at: u32| hasher.hash_one(drafts[at as usize].node.name(layers));
            table.insert_unique(hash_of(at), at, |&at| hash_of(at));
        }
    }
}

impl DirectoryDraft {
    fn new(entry: u32) -> DirectoryDraft {
        DirectoryDraft {
            entry,
            is_sorted: true,
            first: NO_DRAFT,
            last: NO_DRAFT,
            count: 0,
            table: None,
        }
    }
}
