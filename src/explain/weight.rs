//! What a stack weighs: its layers, what is seen of each, what lies where, and Lambda's limits.

use super::spread::{Row, spread};
use super::tally::Tally;
use crate::archive::EntryKind;
use crate::stack::{Body, LayerIdx, NodeId, Stack};

/// Layers that a function may have.
pub const LAYERS_LIMIT: u64 = 5;
/// Bytes that a function and all of its layers may have unzipped: 250 MB.
pub const UNZIPPED_LIMIT_BYTES: u64 = 262_144_000;
/// Bytes that a zip may have when it is uploaded directly, not through S3: 50 MB.
pub const UPLOAD_LIMIT_BYTES: u64 = 52_428_800;

/// How many of the largest files are named.
const LARGEST: usize = 10;

/// What a stack weighs.
#[derive(Debug)]
pub struct Weight {
    /// The layers, bottom first.
    pub layers: Vec<LayerWeight>,
    /// What is seen.
    pub seen: Contents,
    /// Where in the tree what is seen lies: directories that add up to the whole, the largest first.
    pub directories: Vec<Row<Tally>>,
    /// The largest files, the largest first.
    pub files: Vec<NodeId>,
}

/// What one layer weighs.
#[derive(Debug, Clone, Copy)]
pub struct LayerWeight {
    /// The layer.
    pub layer: LayerIdx,
    /// Everything that its directory lists.
    pub entries: u64,
    /// Bytes of its file.
    pub zipped_bytes: u64,
    /// Its files and links.
    pub unzipped: Tally,
    /// Its files and links that are seen.
    pub seen: Tally,
}

/// What the merged tree holds, its root not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contents {
    /// Files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Links.
    pub symlinks: u64,
    /// Files and links together.
    pub bytes: Tally,
}

impl Weight {
    /// The files and links of all layers, hidden ones included: what counts for Lambda's limit.
    pub fn unzipped(&self) -> Tally {
        self.layers.iter().map(|layer| layer.unzipped).sum()
    }

    /// The layer with the largest zip.
    pub fn largest_zip(&self) -> Option<&LayerWeight> {
        self.layers.iter().max_by_key(|layer| layer.zipped_bytes)
    }
}

/// Weighs a stack. Directories are opened up until there are `enough` of them, and may be many more.
pub fn weight(stack: &Stack, enough: usize) -> Weight {
    let mut layers: Vec<_> = stack
        .layers_in_order()
        .map(|(layer, archive)| LayerWeight {
            layer,
            entries: archive.len() as u64,
            zipped_bytes: archive.opened().size,
            unzipped: archive
                .entries()
                .filter(|(_, entry)| entry.kind != EntryKind::Directory)
                .map(|(_, entry)| Tally {
                    entries: 1,
                    bytes: entry.declared_size,
                    compressed_bytes: entry.compressed_size,
                })
                .sum(),
            seen: Tally::default(),
        })
        .collect();
    let mut seen = Contents::default();
    let mut directly = Vec::with_capacity(stack.node_count());
    let mut files = Vec::new();
    // The root is where the tree hangs, not one of its directories.
    for node in stack.nodes().skip(1) {
        let entry = match stack.body(node) {
            Body::Directory(_) => {
                seen.directories += 1;
                continue;
            }
            Body::File(entry) => {
                seen.files += 1;
                files.push((stack.entry(entry).declared_size, node));
                entry
            }
            Body::Symlink(entry) => {
                seen.symlinks += 1;
                entry
            }
        };
        let tally = Tally::of(stack, entry);
        seen.bytes += tally;
        layers[entry.layer.index()].seen += tally;
        directly.push((stack.parent(node), tally));
    }
    Weight {
        layers,
        seen,
        directories: spread(stack, directly, |tally| tally.bytes, enough),
        files: largest(files),
    }
}

/// The nodes of the largest sizes; of equal ones, the first in the tree.
fn largest(mut files: Vec<(u64, NodeId)>) -> Vec<NodeId> {
    let order = |&(size, node): &(u64, NodeId)| (std::cmp::Reverse(size), node);
    if files.len() > LARGEST {
        files.select_nth_unstable_by_key(LARGEST, order);
        files.truncate(LARGEST);
    }
    files.sort_unstable_by_key(order);
    files.into_iter().map(|(_, node)| node).collect()
}
