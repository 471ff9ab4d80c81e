//! What `optfs shadows --json` answers: the same sums, with every directory.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::json;
use crate::cli::ls::kind_word;
use crate::cli::stack_view::View;
use crate::cli::which::kind_of;
use crate::explain::{Compared, Conflict, Pair, Replaced, Shadows};
use crate::stack::NodeId;

/// The whole answer; with `all`, each hidden entry too.
pub(super) fn object(view: &View, path: &[u8], shadows: &Shadows, all: bool) -> Value {
    let mut totals = compared(shadows.replaced());
    totals["lost"] = json::tally(shadows.lost());
    totals["conflicts"] = json!(shadows.conflicts.len());
    let mut answer = json!({
        "totals": totals,
        "pairs": shadows.pairs.iter().map(|p| pair(view, p, all)).collect::<Value>(),
        "conflicts": shadows.conflicts.iter().map(|c| conflict(view, c, all)).collect::<Value>(),
    });
    json::put_name(&mut answer, "path", path);
    json::document("shadows", answer)
}

fn compared(compared: Compared) -> Value {
    json!({ "identical": json::tally(compared.identical), "differing": json::tally(compared.differing) })
}

fn pair(view: &View, pair: &Pair, all: bool) -> Value {
    let stack = view.stack();
    let mut directories: BTreeMap<Vec<u8>, Compared> = BTreeMap::new();
    let directory = |replaced: &Replaced| -> NodeId { stack.parent(replaced.node) };
    for group in pair
        .replaced
        .chunk_by(|one, other| directory(one) == directory(other))
    {
        let sum = directories.entry(stack.path(directory(&group[0]))).or_default();
        group
            .iter()
            .for_each(|replaced| *sum += Compared::of(stack, replaced));
    }
    let directories = directories.into_iter().map(|(path, sum)| {
        let mut object = compared(sum);
        json::put_name(&mut object, "path", &path);
        object
    });
    let mut object = compared(pair.tally);
    object["hidden"] = json::layer(view, pair.hidden);
    object["seen"] = json::layer(view, pair.seen);
    object["directories"] = directories.collect();
    if all {
        object["entries"] = pair.replaced.iter().map(|r| replaced(view, r)).collect();
    }
    object
}

fn replaced(view: &View, replaced: &Replaced) -> Value {
    let entry = view.stack().entry(replaced.entry);
    let mut object = json!({
        "type": kind_word(kind_of(entry.kind)),
        "identical": replaced.is_identical,
        "hidden_by": json::layer(view, replaced.by),
        "size": entry.declared_size,
        "compressed_size": entry.compressed_size,
        "crc32": format!("{:08x}", entry.crc),
    });
    json::put_name(&mut object, "path", entry.path);
    object
}

fn conflict(view: &View, conflict: &Conflict, all: bool) -> Value {
    let stack = view.stack();
    let gave_way = conflict.gave_way.iter().map(|gave_way| {
        let mut object = json::layer(view, gave_way.layer);
        object["type"] = json!(kind_word(kind_of(gave_way.kind)));
        object["hidden_by"] = json::layer(view, gave_way.by);
        object["lost"] = json::tally(gave_way.lost);
        object
    });
    let mut object = json::layer(view, conflict.seen);
    json::put_name(&mut object, "path", &stack.path(conflict.node));
    object["type"] = json!(kind_word(kind_of(conflict.kind)));
    object["gave_way"] = gave_way.collect();
    if all {
        let lost = conflict.lost.iter().map(|lost| {
            let entry = stack.entry(lost.entry);
            let mut object = json::layer(view, lost.entry.layer);
            object["type"] = json!(kind_word(kind_of(entry.kind)));
            json::put_name(&mut object, "path", entry.path);
            object
        });
        object["entries"] = lost.collect();
    }
    object
}
