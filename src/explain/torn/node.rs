//! Torn packages in `node_modules`: a package.json of one layer above files that belong to another version of the
//! package, or below files that another layer has put over its own.

use std::collections::HashMap;

use super::{
    DESCRIPTION_BYTES, Disagreement, Ecosystem, Findings, How, Installed, LayersBelow, Nature, Torn,
    files_below,
};
use crate::explain::json::Json;
use crate::explain::likeness::{Likeness, likeness};
use crate::explain::opt::Opt;
use crate::stack::{EntryRef, LayerIdx, NodeId, Stack};

pub(super) fn find(tree: &Opt<'_>, layers: &LayersBelow, findings: &mut Findings) {
    let stack = tree.stack();
    // What lies inside a torn package is part of it, and told with it.
    let mut told: Vec<bool> = vec![false; stack.node_count()];
    for node in stack.nodes() {
        if stack.name(node) != b"package.json" || !is_package(stack, stack.parent(node)) {
            continue;
        }
        findings.packages += 1;
        let directory = stack.parent(node);
        if layers.is_mixed(directory)
            && !told[directory.index()]
            && let Some(torn) = judge(tree, directory, node, findings)
        {
            for inside in files_below(stack, directory) {
                told[stack.parent(inside).index()] = true;
            }
            findings.torn.push(torn);
        }
    }
}

/// Whether a directory lies in `node_modules`, a scope between them or not.
fn is_package(stack: &Stack, directory: NodeId) -> bool {
    let above = stack.parent(directory);
    let holder = match stack.name(above).starts_with(b"@") {
        true => stack.parent(above),
        false => above,
    };
    stack.name(holder) == b"node_modules"
}

fn judge(tree: &Opt<'_>, directory: NodeId, package_json: NodeId, findings: &mut Findings) -> Option<Torn> {
    let stack = tree.stack();
    let seen = tree.entry_of(package_json)?;
    let path = stack.entry(seen).path;
    let same_path = stack.shadowed(package_json).iter().map(|shadowed| shadowed.entry);
    let hidden: Vec<_> = same_path
        .filter(|&entry| stack.entry(entry).path == path)
        .collect();
    let mut describe = |entry: EntryRef| match tree.read(entry, DESCRIPTION_BYTES) {
        Ok(bytes) => Json::parse(&bytes),
        Err(unread) => {
            findings.unread.push(unread);
            None
        }
    };
    let counts = describe(seen)?;
    let version_of = |json: &Json| json.text("version").unwrap_or("").to_owned();
    let own_version = version_of(&counts);
    // Layers that have the package in another version.
    let mut others: HashMap<LayerIdx, Installed> = HashMap::new();
    for entry in hidden {
        if likeness(stack, seen, entry) != Likeness::Differs {
            continue;
        }
        let Some(json) = describe(entry) else { continue };
        if version_of(&json) != own_version {
            let installed = Installed {
                version: version_of(&json),
                described_by: path.to_vec(),
                layer: entry.layer,
            };
            others.insert(entry.layer, installed);
        }
    }
    let disagreement = |node: NodeId| {
        let layer = stack.provider(node);
        let how = match layer {
            layer if layer == seen.layer => return None,
            layer if others.contains_key(&layer) => How::LeftOver,
            layer if layer > seen.layer && replaces(tree, node, seen.layer) => How::OtherContent,
            _ => return None,
        };
        Some(Disagreement {
            path: stack.path(node),
            how,
            layer,
        })
    };
    let files: Vec<_> = files_below(stack, directory).filter_map(disagreement).collect();
    if files.is_empty() {
        return None;
    }
    let mut versions: Vec<_> = others.into_values().collect();
    versions.sort_by_key(|installed| installed.layer);
    versions.push(Installed {
        version: own_version,
        described_by: path.to_vec(),
        layer: seen.layer,
    });
    let name = counts.text("name").map(str::to_owned);
    let place = stack.path(directory);
    Some(Torn {
        ecosystem: Ecosystem::Node,
        name: name.unwrap_or_else(|| String::from_utf8_lossy(stack.name(directory)).into_owned()),
        place,
        nature: Nature::Mixed,
        versions,
        files,
    })
}

/// Whether a file hides one of a layer that has other bytes.
fn replaces(tree: &Opt<'_>, node: NodeId, layer: LayerIdx) -> bool {
    let stack = tree.stack();
    let Some(seen) = tree.entry_of(node) else {
        return false;
    };
    let mut hidden = stack.shadowed(node).iter().map(|shadowed| shadowed.entry);
    hidden.any(|entry| entry.layer == layer && likeness(stack, seen, entry) != Likeness::Same)
}
