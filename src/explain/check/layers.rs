//! What the merge of the layers hides and replaces, and what one archive does so to itself.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

use super::{Findings, Options, Place, Rule, Severity, counted};
use crate::archive::EntryKind;
use crate::explain::likeness::{Likeness, likeness};
use crate::stack::{Body, EntryRef, LayerIdx, NodeId, Shadowed, Stack};

const DUPLICATE: Rule = Rule {
    code: "Z011",
    slug: "duplicate-name",
    severity: Severity::Error,
    title: "one archive has several entries of one name",
    why: "Tools disagree which of them counts; AWS does not say. optfs takes the last in the directory, as unzip does.",
    cure: "Build the zip anew instead of adding to it: `rm layer.zip` first.",
};
const KIND_CONFLICT_INSIDE: Rule = Rule {
    code: "Z012",
    slug: "kind-conflict-in-archive",
    severity: Severity::Error,
    title: "one archive has a path as a directory and as something else",
    why: "No tool can extract both. optfs lets the later entry win, with all that lay below the earlier one gone.",
    cure: "Build the zip anew, with one of the two.",
};
const KIND_CONFLICT: Rule = Rule {
    code: "S001",
    slug: "kind-conflict",
    severity: Severity::Error,
    title: "a path is a directory in one layer and a file or link in another",
    why: "AWS does not say what Lambda makes of it, and extraction tools disagree. optfs lets the later layer win and \
          hides all that earlier ones had there.",
    cure: "Rename one of the two, or leave it out of its layer.",
};
const REPLACED: Rule = Rule {
    code: "S002",
    slug: "replaced-content",
    severity: Severity::Note,
    title: "a layer replaces files of an earlier one by others",
    why: "The last layer wins: of two versions of a package only one is seen, or a mixture of both.",
    cure: "If it is not meant, change the order or leave the package out of one layer; `optfs which PATH` tells who wins.",
};
const CASE: Rule = Rule {
    code: "S003",
    slug: "case-collision",
    severity: Severity::Note,
    title: "names that differ in upper and lower case only",
    why: "Lambda keeps them apart; extracted on macOS or Windows one overwrites the other.",
    cure: "Rename one of them where developers unpack the layer there.",
};

/// What an archive does to itself.
pub(super) const RULES_OF_ARCHIVES: &[&Rule] = &[&DUPLICATE, &KIND_CONFLICT_INSIDE];
/// What layers do to each other.
pub(super) const RULES: &[&Rule] = &[&KIND_CONFLICT, &REPLACED, &CASE];

/// Files of one layer that another one replaces.
struct Replaced {
    differing: usize,
    first: Vec<u8>,
}

pub(super) fn check(stack: &Stack, options: &Options, findings: &mut Findings) {
    let mut replaced: BTreeMap<(LayerIdx, LayerIdx), Replaced> = BTreeMap::new();
    for (node, shadowed) in stack.all_shadowed() {
        let path = stack.path(node);
        let mut conflicts: BTreeMap<(LayerIdx, LayerIdx), Conflict> = BTreeMap::new();
        let here = entries_at(stack, node, &path, shadowed);
        for hidden in shadowed {
            let (lower, upper) = (hidden.entry.layer, hidden.by);
            if options.apart && lower != upper {
                continue;
            }
            let entry = stack.entry(hidden.entry);
            let above = (entry.path == path).then(|| replacement(&here, hidden)).flatten();
            let likeness = above.map_or(Likeness::OtherKind, |above| likeness(stack, hidden.entry, above));
            let is_directory = |kind| kind == EntryKind::Directory;
            let same_kind =
                above.is_some_and(|above| is_directory(stack.entry(above).kind) == is_directory(entry.kind));
            if !same_kind {
                let conflict = conflicts.entry((lower, upper)).or_default();
                conflict.count += 1;
                conflict.at_path |= entry.path == path;
                conflict.below |= entry.path != path || is_directory(entry.kind);
            } else if lower == upper {
                let place = place(upper, path.clone());
                findings.add(&DUPLICATE, place, duplicate(stack, hidden));
            } else if likeness != Likeness::Same {
                let known = replaced.entry((lower, upper)).or_insert_with(|| Replaced {
                    differing: 0,
                    first: path.clone(),
                });
                known.differing += 1;
            }
        }
        for ((lower, upper), conflict) in conflicts {
            let (rule, whose) = match lower == upper {
                true => (&KIND_CONFLICT_INSIDE, "an earlier entry".to_owned()),
                false => (&KIND_CONFLICT, layer_name(stack, lower)),
            };
            findings.add(rule, place(upper, path.clone()), conflict.in_words(&whose));
        }
    }
    for ((lower, upper), known) in replaced {
        let found = format!(
            "{} of {} replaced by other content, such as {}",
            counted(known.differing, "file"),
            layer_name(stack, lower),
            known.first.escape_ascii()
        );
        let place = Place {
            layer: Some(upper),
            ..Place::default()
        };
        findings.add(&REPLACED, place, found);
    }
    check_case(stack, findings);
}

/// What one layer loses at a path because another made something of another kind of it.
#[derive(Default)]
struct Conflict {
    count: usize,
    at_path: bool,
    below: bool,
}

impl Conflict {
    fn in_words(&self, whose: &str) -> String {
        match self.below {
            true => format!(
                "takes the place of a directory of {whose}: {} hidden",
                counted(self.count, "entry")
            ),
            false => format!("a directory takes the place of a file or link of {whose}"),
        }
    }
}

/// The entries of a node's own path, seen and hidden, in their order.
fn entries_at(stack: &Stack, node: NodeId, path: &[u8], shadowed: &[Shadowed]) -> Vec<EntryRef> {
    let seen = match stack.body(node) {
        Body::Directory(own) => own,
        Body::File(entry) | Body::Symlink(entry) => Some(entry),
    };
    let all = shadowed.iter().map(|shadowed| shadowed.entry).chain(seen);
    let mut here: Vec<_> = all.filter(|&entry| stack.entry(entry).path == path).collect();
    here.sort_unstable();
    here
}

/// The entry that hid another one of the same path: the next of that path, in its hider's layer.
fn replacement(here: &[EntryRef], hidden: &Shadowed) -> Option<EntryRef> {
    let next = here.partition_point(|other| other.layer < hidden.by || *other <= hidden.entry);
    here.get(next).copied().filter(|next| next.layer == hidden.by)
}

fn duplicate(stack: &Stack, hidden: &Shadowed) -> String {
    let entry = stack.entry(hidden.entry);
    let size = counted(entry.declared_size as usize, "byte");
    format!("hidden by a later entry: {size}, crc {:08x}", entry.crc)
}

fn place(layer: LayerIdx, entry: Vec<u8>) -> Place {
    Place {
        layer: Some(layer),
        entry: Some(entry),
        offset: None,
    }
}

/// A layer as people call it: the name of its file.
fn layer_name(stack: &Stack, layer: LayerIdx) -> String {
    let path = stack.layer(layer).path();
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// Names of one directory that only case keeps apart. Only hashes are kept: most names have no such twin.
fn check_case(stack: &Stack, findings: &mut Findings) {
    let hasher = DefaultHashBuilder::default();
    let mut hashes: Vec<(u64, NodeId)> = stack
        .nodes()
        .skip(1)
        .map(|node| {
            (
                hasher.hash_one((stack.parent(node), folded(stack.name(node)).as_slice())),
                node,
            )
        })
        .collect();
    hashes.sort_unstable();
    for twins in hashes.chunk_by(|a, b| a.0 == b.0).filter(|twins| twins.len() > 1) {
        let (_, first) = twins[0];
        for &(_, other) in &twins[1..] {
            let same_directory = stack.parent(first) == stack.parent(other);
            if !same_directory || folded(stack.name(first)) != folded(stack.name(other)) {
                continue;
            }
            let found = format!("beside \"{}\"", stack.name(first).escape_ascii());
            findings.add(&CASE, place(stack.provider(other), stack.path(other)), found);
        }
    }
}

/// A name without the difference of case.
fn folded(name: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(name) {
        Ok(text) if !text.is_ascii() => text.to_lowercase().into_bytes(),
        _ => name.to_ascii_lowercase(),
    }
}
