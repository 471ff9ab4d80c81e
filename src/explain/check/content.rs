//! Every entry read through and verified, on all cores.

use std::cmp::Reverse;

use super::{Findings, Place, Rule, Severity};
use crate::archive::{EntryId, EntryKind};
use crate::explain::crew::{Progress, on_all_cores};
use crate::stack::{LayerIdx, Stack};

const DAMAGED: Rule = Rule {
    code: "Z050",
    slug: "damaged-entry",
    severity: Severity::Error,
    title: "the bytes of an entry are not what the directory declares (--deep)",
    why: "Its data does not decode, or has another size or CRC-32: the archive is damaged, or lies.",
    cure: "Fetch or build the archive again, and compare its SHA-256 with the source's.",
};

pub(super) const RULES: &[&Rule] = &[&DAMAGED];

pub(super) fn check(stack: &Stack, progress: &dyn Progress, findings: &mut Findings) {
    let mut all: Vec<(LayerIdx, EntryId, u64)> = Vec::new();
    for (layer, archive) in stack.layers_in_order() {
        for (id, entry) in archive.entries() {
            // What says of itself that it cannot be read was found without reading it.
            if entry.kind != EntryKind::Directory && !entry.encrypted && entry.method.is_supported() {
                all.push((layer, id, entry.declared_size));
            }
        }
    }
    progress.begins(
        all.iter()
            .fold(0, |sum: u64, &(_, _, bytes)| sum.saturating_add(bytes)),
    );
    // The largest first, so that none of them is left for one core at the end.
    all.sort_by_key(|&(_, _, bytes)| Reverse(bytes));
    let verified = on_all_cores(all.len(), all.len(), |i| {
        let (layer, id, bytes) = all[i];
        let result = stack.layer(layer).verify(id);
        progress.read(bytes);
        result.err().map(|error| error.to_string())
    });
    let mut damaged: Vec<_> = all.iter().zip(verified).collect();
    damaged.retain(|(_, error)| error.is_some());
    damaged.sort_by_key(|(read, _)| (read.0, read.1));
    for (&(layer, id, _), error) in damaged {
        let place = Place {
            layer: Some(layer),
            entry: Some(stack.layer(layer).entry_path(id).to_vec()),
            offset: None,
        };
        findings.add(&DAMAGED, place, error.unwrap_or_default());
    }
}
