//! Packages whose files come from more than one layer or version: one version unzipped over another, so that what
//! the upper one does not have shows through from the lower one. A file for each ecosystem.
//!
//! The tree decides first: where all files below a place are of one layer nothing can be torn, and nothing is
//! read. Then the small files that describe packages are read, and contents only where those leave a doubt.

mod java;
mod node;
mod python;
mod record;
mod ruby;

use super::opt::{Opt, Unread};
use crate::stack::{Body, LayerIdx, NodeId, Stack};

/// Files that describe packages are read up to this size; a larger one is named as not read.
const DESCRIPTION_BYTES: u64 = 16 << 20;

/// What is found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Packages that are torn, by ecosystem and place.
    pub torn: Vec<Torn>,
    /// Files of whole Python distributions that are not what their RECORD says, though no other layer is involved.
    /// Looked for on demand alone.
    pub altered: Vec<Altered>,
    /// Packages that were looked at.
    pub packages: usize,
    /// Descriptions that could not be read.
    pub unread: Vec<Unread>,
}

/// A package that is torn.
#[derive(Debug)]
pub struct Torn {
    /// Who installs such packages.
    pub ecosystem: Ecosystem,
    /// The package's name.
    pub name: String,
    /// The directory it is installed in.
    pub place: Vec<u8>,
    /// How it is torn.
    pub nature: Nature,
    /// What is installed of it, the one that counts last.
    pub versions: Vec<Installed>,
    /// The files that disagree with the version that counts, by path.
    pub files: Vec<Disagreement>,
}

/// Who installs a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ecosystem {
    /// A distribution with a `.dist-info` directory.
    Python,
    /// A directory with a package.json in `node_modules`.
    Node,
    /// A jar in `java/lib`.
    Java,
    /// A gem.
    Ruby,
}

/// How a package is torn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Files of several versions lie in one directory.
    Mixed,
    /// Several versions lie whole beside each other, and the runtime sees them all.
    SideBySide,
}

/// One version of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// As its description says.
    pub version: String,
    /// The description: METADATA, package.json, the jar, the gemspec.
    pub described_by: Vec<u8>,
    /// The layer of the description.
    pub layer: LayerIdx,
}

/// A file that is not that of the version that counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Disagreement {
    /// Its path.
    pub path: Vec<u8>,
    /// How it disagrees.
    pub how: How,
    /// The layer it is seen from, or, when it is missing, the one that hides it.
    pub layer: LayerIdx,
}

/// How a file disagrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// The version that counts does not have it.
    LeftOver,
    /// The version that counts has another one.
    OtherContent,
    /// The version that counts has it, and something of another layer stands in its way.
    Missing,
}

/// A file that is not what its distribution's RECORD says, in the layer of the RECORD itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Altered {
    /// The distribution.
    pub name: String,
    /// The file.
    pub path: Vec<u8>,
    /// The layer.
    pub layer: LayerIdx,
}

/// Finds the torn packages of a stack. `deep` verifies every file of every Python distribution; otherwise a file is
/// trusted when it is of the layer that describes it, and hashed only when layer differs and size does not.
/// `below` keeps those that have to do with a path, the root being everything.
pub fn torn(tree: &Opt<'_>, deep: bool, below: &[u8]) -> Findings {
    let layers = LayersBelow::of(tree.stack());
    let mut findings = Findings::default();
    python::find(tree, &layers, deep, &mut findings);
    node::find(tree, &layers, &mut findings);
    java::find(tree, &mut findings);
    ruby::find(tree, &layers, &mut findings);
    if !below.is_empty() {
        findings.torn.retain(|torn| torn.has_to_do_with(below));
        findings
            .altered
            .retain(|altered| is_at_or_below(&altered.path, below));
    }
    for torn in &mut findings.torn {
        torn.files.sort();
    }
    findings
        .torn
        .sort_by(|a, b| (a.ecosystem, &a.place, &a.name).cmp(&(b.ecosystem, &b.place, &b.name)));
    findings
}

impl Torn {
    /// The layers that have a part in it, bottom first.
    pub fn layers(&self) -> Vec<LayerIdx> {
        let described = self.versions.iter().map(|installed| installed.layer);
        let seen = self.files.iter().map(|file| file.layer);
        let mut layers: Vec<_> = described.chain(seen).collect();
        layers.sort();
        layers.dedup();
        layers
    }

    fn has_to_do_with(&self, path: &[u8]) -> bool {
        let described = self.versions.iter().map(|installed| &installed.described_by);
        let mut paths = described.chain(self.files.iter().map(|file| &file.path));
        is_at_or_below(&self.place, path) || paths.any(|one| is_at_or_below(one, path))
    }
}

fn is_at_or_below(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// For each node, whether the files at and below it are of one layer.
struct LayersBelow(Vec<Below>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    Nothing,
    One(LayerIdx),
    Several,
}

impl LayersBelow {
    /// One pass: a directory comes before what lies in it, so that backwards everything is known in time.
    fn of(stack: &Stack) -> LayersBelow {
        let mut below = vec![Below::Nothing; stack.node_count()];
        for node in stack.nodes().rev() {
            let own = match stack.body(node) {
                Body::Directory(_) => below[node.index()],
                Body::File(entry) | Body::Symlink(entry) => Below::One(entry.layer),
            };
            below[node.index()] = own;
            let parent = &mut below[stack.parent(node).index()];
            *parent = match (*parent, own) {
                (Below::Nothing, own) => own,
                (known, Below::Nothing) => known,
                (known, own) if known == own => known,
                _ => Below::Several,
            };
        }
        LayersBelow(below)
    }

    fn is_mixed(&self, node: NodeId) -> bool {
        self.0[node.index()] == Below::Several
    }
}

/// The files and links below a directory.
fn files_below(stack: &Stack, directory: NodeId) -> impl Iterator<Item = NodeId> {
    let mut waiting = vec![directory];
    std::iter::from_fn(move || {
        loop {
            let node = waiting.pop()?;
            if !stack.is_directory(node) {
                return Some(node);
            }
            waiting.extend(stack.children(node).rev());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_a_path_is_below_a_directory_of_that_name() {
        assert!(is_at_or_below(b"a/b", b"a") && is_at_or_below(b"a", b"a"));
        assert!(!is_at_or_below(b"ab", b"a") && !is_at_or_below(b"a", b"a/b"));
    }
}
