//! The tree while the merge goes on: nodes are only ever added, and found by directory and name.
//!
//! Archives mostly list a directory's names in order. A name greater than the greatest of a directory is
//! not in it, so that nothing is looked up while they come so, and entries that follow one another are one
//! draft: a run. Once they do not come so, the directory's runs are spread, and it gets a hash table of its
//! own, near in memory while its names come together. What adding means is the merge's affair.

use std::cmp::Ordering;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::node::{NO_ENTRY, Node, entry_at};
use super::{EntryRef, LayerIdx, StackError};
use crate::archive::{Archive, EntryId, EntryKind};

/// A node in the making. One that gives way to another kind loses its name and stays behind with
/// everything below it, out of reach of any path.
#[derive(Clone, Copy)]
pub(super) struct Draft {
    pub(super) node: Node,
    /// The child of the same directory that was added next.
    next: u32,
    /// The entries it stands for: its own, and those right behind it in the archive, files and links of the
    /// same directory in the order of their names. More than one only in a sorted directory not yet spread.
    count: u32,
}

/// What a directory has beside its draft.
pub(super) struct DirectoryDraft {
    /// Place in the provider's index, [`NO_ENTRY`] while no layer has an entry for it.
    pub(super) entry: u32,
    /// Whether the children were added in the order of their names.
    pub(super) is_sorted: bool,
    /// Whether its drafts stand for one entry each from now on.
    is_spread: bool,
    first: u32,
    last: u32,
    /// Drafts of children, those without a name included.
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
    /// Entries without a draft of their own.
    in_runs: usize,
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
            count: 1,
        });
        Drafts {
            layers,
            drafts,
            directories: vec![DirectoryDraft::new(NO_ENTRY)],
            replaced: Vec::new(),
            in_runs: 0,
            hasher: DefaultHashBuilder::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.drafts.len()
    }

    /// Nodes that they may become at most.
    pub(super) fn node_limit(&self) -> usize {
        self.drafts.len() + self.in_runs
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

    /// The nodes that a draft stands for, in the order of their names.
    pub(super) fn nodes(&self, at: u32) -> impl Iterator<Item = Node> {
        let Draft { node, count, .. } = self.drafts[at as usize];
        (0..count).map(move |nth| self.nth_node(&node, nth))
    }

    /// The entries of [`Drafts::nodes`].
    pub(super) fn entries(&self, at: u32) -> impl Iterator<Item = EntryRef> {
        let behind = (1..self.drafts[at as usize].count).filter_map(move |nth| {
            let first = self.node(at);
            entry_at(first.provider, first.place + nth)
        });
        self.entry(at).into_iter().chain(behind)
    }

    /// A node of a run, by its place behind the first.
    fn nth_node(&self, first: &Node, nth: u32) -> Node {
        if nth == 0 {
            return *first;
        }
        let archive = &self.layers[first.provider.index()];
        let id = |place: u32| EntryId::from_index(place as usize);
        // What lies before the name is the same directory.
        let name_at = first.name_start - archive.path_start(id(first.place));
        let entry = id(first.place + nth);
        Node {
            place: first.place + nth,
            kind: archive.entry_kind(entry),
            name_len: (archive.entry_path(entry).len() as u32 - name_at) as u8,
            name_start: archive.path_start(entry) + name_at,
            ..*first
        }
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
            let Some(last) = self.drafts.get(directory.last as usize) else {
                return Found::Nothing { is_greatest: true };
            };
            let greatest = self.nth_node(&last.node, last.count - 1);
            let order = name.cmp(greatest.name(self.layers));
            match order {
                Ordering::Greater => return Found::Nothing { is_greatest: true },
                Ordering::Equal if last.count == 1 => return Found::At(directory.last),
                Ordering::Equal | Ordering::Less => self.spread(parent),
            }
        }
        let directory = self.directory(parent);
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

    /// Gives every entry of a sorted directory a draft of its own: once, or names that come in order and back
    /// in turns would have it walk the directory each time.
    fn spread(&mut self, parent: u32) {
        let place = self.node(parent).place as usize;
        if std::mem::replace(&mut self.directories[place].is_spread, true) {
            return;
        }
        let mut at = self.directories[place].first;
        while let Some(&Draft { node, next, count }) = self.drafts.get(at as usize) {
            let mut before = at;
            self.drafts[at as usize].count = 1;
            for nth in 1..count {
                let (node, new) = (self.nth_node(&node, nth), self.drafts.len() as u32);
                self.drafts[before as usize].next = new;
                self.drafts.push(Draft { node, next, count: 1 });
                before = new;
            }
            self.in_runs -= count as usize - 1;
            self.directories[place].count += count - 1;
            if next == NO_DRAFT {
                self.directories[place].last = before;
            }
            at = next;
        }
    }

    /// Lets the entry behind those of a run belong to it. The caller knows that it is a file or a link of the
    /// same directory, and that its name is greater.
    pub(super) fn extend(&mut self, run: u32) -> Result<(), StackError> {
        if self.node_limit() >= NO_DRAFT as usize {
            return Err(StackError::TooManyNodes);
        }
        self.drafts[run as usize].count += 1;
        self.in_runs += 1;
        Ok(())
    }

    /// Whether entries may follow the last one of a directory in one run.
    pub(super) fn may_run(&self, parent: u32) -> bool {
        let directory = self.directory(parent);
        directory.is_sorted && !directory.is_spread
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
        // Its name is not the greatest: from here on the directory is searched draft by draft.
        self.spread(new.parent);
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
        if self.node_limit() >= NO_DRAFT as usize {
            return Err(StackError::TooManyNodes);
        }
        let at = self.drafts.len() as u32;
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
            count: 1,
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
            is_spread: false,
            first: NO_DRAFT,
            last: NO_DRAFT,
            count: 0,
            table: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Who makes a zip cannot know the key: names that fall together in one merge lie apart in the next.
    #[test]
    fn names_that_collide_in_one_merge_are_spread_in_another() {
        let (one, other) = (Drafts::new(&[]), Drafts::new(&[]));
        let bucket = |drafts: &Drafts<'_>, name: &str| drafts.hasher.hash_one(name.as_bytes()) % 1024;
        for len in [7, 40] {
            let names = (0..1 << 18).map(|number| format!("{number:0len$}"));
            let colliding: Vec<_> = names.filter(|name| bucket(&one, name) == 0).collect();
            assert!(colliding.len() > 128, "{} names", colliding.len());
            let buckets: HashSet<_> = colliding.iter().map(|name| bucket(&other, name)).collect();
            let (names, buckets) = (colliding.len(), buckets.len());
            assert!(2 * buckets > names, "{names} names in {buckets} buckets");
        }
    }
}
