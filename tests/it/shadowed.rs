//! Who stands and who is hidden, in crowded directories, judged by a fold that is too simple to be wrong; and
//! what the tree takes in memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use optfs::archive::{Archive, EntryId};
use optfs::stack::{Body, EntryRef, Stack};
use proptest::prelude::*;

use crate::support::generate::holds;
use crate::support::raw_zip::RawZip;

/// An entry by the numbers of its layer and its place.
type Place = (usize, usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    is_directory: bool,
    entry: Option<Place>,
    provider: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Hidden {
    at: String,
    entry: Place,
    by: usize,
}

/// The left fold, one map from path to what stands there.
#[derive(Default)]
struct Fold {
    standing: BTreeMap<String, Standing>,
    hidden: Vec<Hidden>,
}

impl Fold {
    fn apply(&mut self, layer: usize, index: usize, name: &str) {
        let (path, is_directory) = match name.strip_suffix('/') {
            Some(path) => (path, true),
            None => (name, false),
        };
        for (slash, _) in path.match_indices('/') {
            let prefix = &path[..slash];
            if !self.standing.get(prefix).is_some_and(|there| there.is_directory) {
                self.replace(prefix, true, None, layer);
            }
        }
        let entry = Some((layer, index));
        match self.standing.get_mut(path) {
            Some(there) if there.is_directory == is_directory => {
                let below = std::mem::replace(&mut there.entry, entry);
                there.provider = layer;
                self.hidden.extend(below.map(|entry| Hidden {
                    at: path.to_owned(),
                    entry,
                    by: layer,
                }));
            }
            _ => self.replace(path, is_directory, entry, layer),
        }
    }

    /// Whatever stood at a path and below it is gone, and what had been hidden below is hidden here.
    fn replace(&mut self, path: &str, is_directory: bool, entry: Option<Place>, layer: usize) {
        let is_gone =
            |at: &str| at == path || at.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        for hidden in self.hidden.iter_mut().filter(|hidden| is_gone(&hidden.at)) {
            hidden.at = path.to_owned();
        }
        let gone = self.standing.extract_if(.., |at, _| is_gone(at));
        self.hidden
            .extend(gone.filter_map(|(_, there)| there.entry).map(|entry| Hidden {
                at: path.to_owned(),
                entry,
                by: layer,
            }));
        let there = Standing {
            is_directory,
            entry,
            provider: layer,
        };
        self.standing.insert(path.to_owned(), there);
    }
}

/// Names of one to three parts, many siblings, files and directories under one name now and then.
fn crowded() -> impl Strategy<Value = Vec<Vec<String>>> {
    let top = (0..3u8).prop_map(|i| format!("d{i}"));
    let part = (0..40u8).prop_map(|i| format!("n{i:02}"));
    let name = prop_oneof![
        8 => (top.clone(), part.clone()).prop_map(|(top, part)| format!("{top}/{part}")),
        2 => (top.clone(), part.clone(), part.clone()).prop_map(|(top, a, b)| format!("{top}/{a}/{b}")),
        1 => (top.clone(), part).prop_map(|(top, part)| format!("{top}/{part}/")),
        1 => top.clone().prop_map(|top| format!("{top}/")),
    ];
    let entries = (prop::collection::vec(name, 0..80), any::<bool>(), top, 0..20u8);
    let layer = entries.prop_map(|(mut names, in_order, top, wipes)| {
        if in_order {
            names.sort();
        }
        if wipes == 0 {
            names.insert(names.len() / 2, top);
        }
        names
    });
    prop::collection::vec(layer, 1..=4)
}

/// Promises 1 and 2, and what `which` and `shadows` say of them.
#[test]
fn crowded_directories_hold_and_hide_what_a_plain_fold_says() {
    holds(256, crowded(), |layers| {
        let mut fold = Fold::default();
        for (layer, names) in layers.iter().enumerate() {
            for (index, name) in names.iter().enumerate() {
                fold.apply(layer, index, name);
            }
        }
        let stack = Stack::merge(layers.iter().map(|names| archive(names)).collect()).unwrap();
        let (standing, hidden) = seen(&stack);
        fold.hidden.sort();
        prop_assert_eq!(standing, fold.standing);
        prop_assert_eq!(hidden, fold.hidden);
        for node in stack.nodes() {
            let found = stack.child(stack.parent(node), stack.name(node));
            prop_assert!(stack.name(node).is_empty() || found == Some(node));
        }
        Ok(())
    });
}

/// The level: 48 bytes an entry beside the names, whatever order they come in.
#[test]
fn an_entry_takes_48_bytes_at_most_beside_its_name() {
    const ENTRIES: usize = 100_000;
    let name = |i: usize| format!("pkg{:02}/module_{:03}/file_{i:06}.py", i / 10_000, i / 100);
    let in_order: Vec<_> = (0..ENTRIES).map(name).collect();
    let mixed: Vec<_> = (0..ENTRIES).map(|i| name(i * 7919 % ENTRIES)).collect();
    for names in [in_order, mixed] {
        let stack = Stack::merge(vec![archive(&names)]).unwrap();
        assert_eq!(stack.layers()[0].len(), ENTRIES);
        let path_bytes: usize = names.iter().map(String::len).sum();
        assert_eq!(stack.layers()[0].path_bytes(), path_bytes);
        let memory = stack.memory_bytes();
        assert!(memory <= 48 * ENTRIES, "{memory} bytes for {ENTRIES} entries");
    }
}

fn seen(stack: &Stack) -> (BTreeMap<String, Standing>, Vec<Hidden>) {
    let place = |entry: EntryRef| (entry.layer.index(), EntryId::index(entry.entry));
    let mut standing = BTreeMap::new();
    let mut hidden = Vec::new();
    for node in stack.nodes() {
        let path = String::from_utf8(stack.path(node)).unwrap();
        hidden.extend(stack.shadowed(node).iter().map(|shadowed| Hidden {
            at: path.clone(),
            entry: place(shadowed.entry),
            by: shadowed.by.index(),
        }));
        let (is_directory, entry) = match stack.body(node) {
            Body::Directory(entry) => (true, entry),
            Body::File(entry) | Body::Symlink(entry) => (false, Some(entry)),
        };
        let there = Standing {
            is_directory,
            entry: entry.map(place),
            provider: stack.provider(node).index(),
        };
        if !path.is_empty() {
            standing.insert(path, there);
        }
    }
    hidden.sort();
    (standing, hidden)
}

fn archive(names: &[String]) -> Archive {
    let zip = names
        .iter()
        .fold(RawZip::new(), |zip, name| match name.strip_suffix('/') {
            Some(_) => zip.dir(name),
            None => zip.file(name, b""),
        });
    Archive::from_source(Path::new("layer.zip"), Arc::new(zip.build())).unwrap()
}
