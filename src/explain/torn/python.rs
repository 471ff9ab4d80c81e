//! Torn Python distributions: two `.dist-info` directories of one name, or files that are not those of the RECORD
//! that counts, which is the one of the uppermost layer.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::record::{Row, name_and_version, rows};
use super::{
    Altered, DESCRIPTION_BYTES, Disagreement, Ecosystem, Findings, How, Installed, LayersBelow, Nature, Torn,
};
use crate::archive::EntryKind;
use crate::explain::likeness::{Likeness, likeness};
use crate::explain::opt::{Opt, Unread, below, folded};
use crate::explain::version::compare;
use crate::stack::{Body, EntryRef, LayerIdx, NodeId, Stack};

/// A `.dist-info` directory.
struct Distribution {
    /// The directory's path.
    directory: Vec<u8>,
    node: NodeId,
    /// Of the directory's name; METADATA may say it nicer.
    version: String,
    record: EntryRef,
    /// RECORDs of the same path in lower layers, with other bytes.
    hidden_records: Vec<EntryRef>,
}

/// Paths of files that a later layer hides, made once when the first file is missing: a search for each would
/// walk the same lists again and again.
struct Hidden<'a>(HashMap<&'a [u8], LayerIdx>);

impl<'a> Hidden<'a> {
    fn of(stack: &'a Stack) -> Hidden<'a> {
        let mut by_path = HashMap::new();
        for shadowed in stack.nodes().flat_map(|node| stack.shadowed(node)) {
            let entry = stack.entry(shadowed.entry);
            if entry.kind != EntryKind::Directory {
                let by = by_path.entry(entry.path).or_insert(shadowed.by);
                *by = shadowed.by.max(*by);
            }
        }
        Hidden(by_path)
    }

    /// The layer that hides a path, the topmost of several.
    fn by(&self, path: &[u8]) -> Option<LayerIdx> {
        self.0.get(path).copied()
    }
}

/// A RECORD that does not count.
struct Lower {
    layer: LayerIdx,
    rows: Vec<Row>,
    /// Its own directory, whose files are no news.
    directory: Vec<u8>,
}

pub(super) fn find(tree: &Opt<'_>, layers: &LayersBelow, deep: bool, findings: &mut Findings) {
    let stack = tree.stack();
    let mut places: BTreeMap<NodeId, BTreeMap<String, Vec<Distribution>>> = BTreeMap::new();
    for node in stack.nodes() {
        if let Some(stem) = stack.name(node).strip_suffix(b".dist-info")
            && let Some((name, distribution)) = distribution(tree, node, stem)
        {
            let place = places.entry(stack.parent(node)).or_default();
            place.entry(name).or_default().push(distribution);
        }
    }
    let hidden = OnceCell::new();
    for (place, by_name) in places {
        let path = stack.path(place);
        for (name, distributions) in by_name {
            findings.packages += 1;
            if layers.is_mixed(place) || distributions.len() > 1 || deep {
                let mut judge = Judge {
                    tree,
                    place: &path,
                    deep,
                    hidden: &hidden,
                    findings,
                };
                judge.judge(name, distributions);
            }
        }
    }
}

/// Name and version stand in the directory's name; without a RECORD there is nothing to compare with.
fn distribution(tree: &Opt<'_>, node: NodeId, stem: &[u8]) -> Option<(String, Distribution)> {
    let stack = tree.stack();
    let record_node = stack.child(node, b"RECORD")?;
    let record = tree.entry_of(record_node)?;
    let stem = String::from_utf8_lossy(stem);
    let (name, version) = stem.split_once('-')?;
    // As the specification normalises names: 'Foo.Bar' and 'foo_bar' are one.
    let name = name.to_ascii_lowercase().replace(['-', '.'], "_");
    let record_path = stack.entry(record).path;
    let hidden = stack.shadowed(record_node).iter().map(|shadowed| shadowed.entry);
    let hidden_records = hidden.filter(|&entry| {
        stack.entry(entry).path == record_path && likeness(stack, record, entry) == Likeness::Differs
    });
    Some((
        name,
        Distribution {
            directory: stack.path(node),
            node,
            version: version.to_owned(),
            record,
            hidden_records: hidden_records.collect(),
        },
    ))
}

/// One distribution's name in one directory.
struct Judge<'a, 's> {
    tree: &'a Opt<'s>,
    place: &'a [u8],
    deep: bool,
    hidden: &'a OnceCell<Hidden<'s>>,
    findings: &'a mut Findings,
}

impl Judge<'_, '_> {
    fn judge(&mut self, name: String, mut distributions: Vec<Distribution>) {
        distributions.sort_by(by_what_counts);
        let Some((counts, lower)) = distributions.split_last() else {
            return;
        };
        let Some(rows) = self.read(counts.record) else {
            return;
        };
        let mut records = Vec::new();
        for (distribution, record) in lower
            .iter()
            .map(|lower| (lower, lower.record))
            .chain(counts.hidden_records.iter().map(|&record| (counts, record)))
        {
            records.extend(self.read(record).map(|rows| Lower {
                layer: record.layer,
                rows,
                directory: distribution.directory.clone(),
            }));
        }
        let mut files = Vec::new();
        let mut own = HashSet::with_capacity(rows.len());
        for row in rows {
            // A path that leads out of the tree is nobody's here.
            let Some(path) = self.path(&row) else { continue };
            files.extend(self.compare(&name, counts, &row, &path));
            own.insert(path);
        }
        for lower in records {
            files.extend(self.left_over(&lower, &own));
        }
        files.sort();
        files.dedup();
        if files.is_empty() && lower.is_empty() {
            return;
        }
        let mut versions: Vec<_> = lower.iter().map(|lower| self.installed(lower).1).collect();
        let (nice_name, installed) = self.installed(counts);
        versions.extend(counts.hidden_records.iter().map(|record| Installed {
            layer: record.layer,
            ..installed.clone()
        }));
        versions.push(installed);
        self.findings.torn.push(Torn {
            ecosystem: Ecosystem::Python,
            name: nice_name.unwrap_or(name),
            place: self.place.to_vec(),
            nature: Nature::Mixed,
            versions,
            files,
        });
    }

    /// What is wrong with a file that the RECORD which counts lists.
    fn compare(&mut self, name: &str, counts: &Distribution, row: &Row, path: &[u8]) -> Option<Disagreement> {
        let stack = self.tree.stack();
        let disagree = |how, layer| {
            Some(Disagreement {
                path: path.to_vec(),
                how,
                layer,
            })
        };
        let Some(entry) = self.seen(path) else {
            // What no layer has was left out when the layer was made, and a merge has no part in it.
            let hidden = self.hidden.get_or_init(|| Hidden::of(stack));
            return hidden.by(path).and_then(|layer| disagree(How::Missing, layer));
        };
        let is_own_layer = entry.layer == counts.record.layer;
        if row.sha256.is_none() || entry == counts.record || (is_own_layer && !self.deep) {
            return None;
        }
        if !is_own_layer && self.is_same_as_below(path, counts.record.layer, entry) && !self.deep {
            return None;
        }
        let is_other_size = row
            .size
            .is_some_and(|size| size != stack.entry(entry).declared_size);
        let is_link = stack.entry(entry).kind == EntryKind::Symlink;
        let differs = is_other_size || is_link || self.other_hash(entry, row);
        match (differs, is_own_layer) {
            (false, _) => None,
            (true, false) => disagree(How::OtherContent, entry.layer),
            (true, true) => {
                self.findings.altered.push(Altered {
                    name: name.to_owned(),
                    path: path.to_vec(),
                    layer: entry.layer,
                });
                None
            }
        }
    }

    /// The file or link at a path. No link is followed on the way: installers write through none.
    fn seen(&self, path: &[u8]) -> Option<EntryRef> {
        let stack = self.tree.stack();
        match stack.body(stack.find(path.split(|&b| b == b'/'))?) {
            Body::File(entry) | Body::Symlink(entry) => Some(entry),
            Body::Directory(_) => None,
        }
    }

    /// Whether the layer of the RECORD has the same bytes at this path, by size and CRC-32.
    fn is_same_as_below(&self, path: &[u8], layer: LayerIdx, seen: EntryRef) -> bool {
        let stack = self.tree.stack();
        let Some(node) = stack.find(path.split(|&b| b == b'/')) else {
            return false;
        };
        let mut hidden = stack.shadowed(node).iter().map(|shadowed| shadowed.entry);
        hidden.any(|entry| {
            entry.layer == layer
                && stack.entry(entry).path == path
                && likeness(stack, seen, entry) == Likeness::Same
        })
    }

    fn other_hash(&mut self, entry: EntryRef, row: &Row) -> bool {
        match self.tree.sha256(entry) {
            Ok(hash) => row.sha256.is_some_and(|expected| expected != hash),
            Err(unread) => {
                self.findings.unread.push(unread);
                false
            }
        }
    }

    /// Files of a lower RECORD that are still seen, and that the one which counts does not list.
    fn left_over(&self, lower: &Lower, own: &HashSet<Vec<u8>>) -> Vec<Disagreement> {
        let paths = lower.rows.iter().filter_map(|row| self.path(row));
        let stray =
            paths.filter(|path| !own.contains(path) && !super::is_at_or_below(path, &lower.directory));
        stray
            .filter_map(|path| {
                let layer = self.seen(&path)?.layer;
                // What a layer above has put there is not what was left over.
                (layer <= lower.layer).then_some(Disagreement {
                    path,
                    how: How::LeftOver,
                    layer,
                })
            })
            .collect()
    }

    fn path(&self, row: &Row) -> Option<Vec<u8>> {
        match row.path.starts_with(b"/") {
            true => None,
            false => folded(self.place, &row.path),
        }
    }

    fn read(&mut self, record: EntryRef) -> Option<Vec<Row>> {
        match self.tree.read(record, DESCRIPTION_BYTES) {
            Ok(text) => Some(rows(&text)),
            Err(unread) => {
                self.findings.unread.push(unread);
                None
            }
        }
    }

    /// The name as METADATA writes it, and what is installed.
    fn installed(&mut self, distribution: &Distribution) -> (Option<String>, Installed) {
        let stack = self.tree.stack();
        let metadata = stack.child(distribution.node, b"METADATA");
        let entry = metadata.and_then(|node| self.tree.entry_of(node));
        let text = entry.map(|entry| self.tree.read(entry, DESCRIPTION_BYTES));
        let (name, version) = match text {
            Some(Ok(text)) => name_and_version(&text),
            Some(Err(Unread { path, entry, why })) => {
                self.findings.unread.push(Unread { path, entry, why });
                (None, None)
            }
            None => (None, None),
        };
        let file: &[u8] = if entry.is_some() { b"METADATA" } else { b"RECORD" };
        let installed = Installed {
            version: version.unwrap_or_else(|| distribution.version.clone()),
            described_by: below(&distribution.directory, file),
            layer: distribution.record.layer,
        };
        (name, installed)
    }
}

/// The one of the uppermost layer counts; within a layer, the higher version.
fn by_what_counts(one: &Distribution, other: &Distribution) -> Ordering {
    let by_layer = one.record.layer.cmp(&other.record.layer);
    by_layer.then_with(|| compare(&one.version, &other.version))
}
