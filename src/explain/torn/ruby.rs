//! Torn gems: one version whose files are of two builds, or two versions of two layers beside each other, of which
//! RubyGems takes the higher one whatever the layers' order.

use std::collections::{BTreeMap, HashSet};

use super::{Disagreement, Ecosystem, Findings, How, Installed, LayersBelow, Nature, Torn, files_below};
use crate::explain::likeness::{Likeness, likeness};
use crate::explain::opt::{Opt, below};
use crate::explain::resolve::{Gem, gems};
use crate::explain::version::compare;
use crate::stack::LayerIdx;

pub(super) fn find(tree: &Opt<'_>, layers: &LayersBelow, findings: &mut Findings) {
    let stack = tree.stack();
    let Some(homes) = tree.directory(b"ruby/gems") else {
        return;
    };
    for home in stack.children(homes) {
        let home = below(b"ruby/gems", stack.name(home));
        let mut by_name: BTreeMap<String, Vec<Gem>> = BTreeMap::new();
        for gem in gems(tree, &home, &mut findings.unread) {
            findings.packages += 1;
            findings.torn.extend(mixed(tree, layers, &home, &gem));
            by_name.entry(gem.name.clone()).or_default().push(gem);
        }
        for (name, mut gems) in by_name {
            gems.sort_by(|a, b| compare(&a.version, &b.version));
            let of_layers: HashSet<_> = gems.iter().map(|gem| stack.provider(gem.specification)).collect();
            let several = gems.iter().any(|gem| gem.version != gems[0].version);
            if several && of_layers.len() > 1 {
                findings.torn.push(Torn {
                    ecosystem: Ecosystem::Ruby,
                    name,
                    place: home.clone(),
                    nature: Nature::SideBySide,
                    versions: gems.iter().map(|gem| installed(tree, gem)).collect(),
                    files: Vec::new(),
                });
            }
        }
    }
}

/// A gem whose specification another layer has with other bytes, and of which files of that layer are seen.
fn mixed(tree: &Opt<'_>, layers: &LayersBelow, home: &[u8], gem: &Gem) -> Option<Torn> {
    let stack = tree.stack();
    let directory = tree.directory(&below(&below(home, b"gems"), gem.full_name.as_bytes()))?;
    let seen = tree.entry_of(gem.specification)?;
    let hidden = stack
        .shadowed(gem.specification)
        .iter()
        .map(|shadowed| shadowed.entry);
    let others: HashSet<LayerIdx> = hidden
        .filter(|&entry| likeness(stack, seen, entry) == Likeness::Differs)
        .map(|entry| entry.layer)
        .collect();
    if !layers.is_mixed(directory) || others.is_empty() {
        return None;
    }
    let files: Vec<_> = files_below(stack, directory)
        .filter(|&node| others.contains(&stack.provider(node)))
        .map(|node| Disagreement {
            path: stack.path(node),
            how: How::LeftOver,
            layer: stack.provider(node),
        })
        .collect();
    let mut versions: Vec<_> = others
        .iter()
        .map(|&layer| Installed {
            layer,
            ..installed(tree, gem)
        })
        .collect();
    versions.sort_by_key(|installed| installed.layer);
    versions.push(installed(tree, gem));
    (!files.is_empty()).then(|| Torn {
        ecosystem: Ecosystem::Ruby,
        name: gem.name.clone(),
        place: stack.path(directory),
        nature: Nature::Mixed,
        versions,
        files,
    })
}

fn installed(tree: &Opt<'_>, gem: &Gem) -> Installed {
    Installed {
        version: gem.version.clone(),
        described_by: tree.stack().path(gem.specification),
        layer: tree.stack().provider(gem.specification),
    }
}
