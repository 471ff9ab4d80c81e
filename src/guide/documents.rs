//! The texts in `.optfs`: what stands in each.

use std::os::unix::ffi::OsStrExt;

use serde_json::{Map, Value, json};

use super::Guide;
use super::directory::Layer;
use super::number::Fixed;
use crate::explain::schema::{document, put_name};
use crate::explain::shadows;
use crate::stack::LayerIdx;

impl Guide {
    /// A text that never changes, made when it is first wanted; of anything else, nothing.
    pub(super) fn document(&self, fixed: Fixed) -> &[u8] {
        match fixed {
            Fixed::Stack => self
                .stack_text
                .get_or_init(|| text_of(&self.stack_json()).into_boxed_slice()),
            Fixed::Conflicts => self
                .conflicts_text
                .get_or_init(|| self.conflicts().into_boxed_slice()),
            _ => &[],
        }
    }

    /// A text as it is now; of anything else, nothing.
    pub(super) fn live_document(&self, fixed: Fixed) -> Vec<u8> {
        match fixed {
            Fixed::Stats => text_of(&self.stats_json()),
            Fixed::Errors => self.failures.lines(),
            _ => Vec::new(),
        }
    }

    /// What was asked so far, and what became of it.
    pub(super) fn stats_json(&self) -> Value {
        let mut requests = Map::new();
        for (name, summary) in self.statistics.summaries() {
            let us = |nanoseconds: u64| nanoseconds as f64 / 1000.0;
            let times = json!({
                "count": summary.count,
                "p50_us": us(summary.half_ns),
                "p99_us": us(summary.nearly_all_ns),
                "max_us": us(summary.most_ns),
            });
            requests.insert(name.to_owned(), times);
        }
        let cache = self.fs.content().cache_stats();
        let body = json!({
            "optfs": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "uptime_seconds": self.statistics.age().as_secs_f64(),
            "requests": requests,
            "cache": {
                "hits": cache.hits,
                "misses": cache.loads,
                "inflated_bytes": cache.loaded_bytes,
                "kept": cache.kept,
                "kept_bytes": cache.kept_bytes,
                "capacity_bytes": self.fs.options().cache_capacity_bytes,
            },
            "served_bytes": self.served_bytes(),
            "failed_entries": self.failures.count(),
        });
        document("stats", body)
    }

    fn stack_json(&self) -> Value {
        let stack = self.fs.stack();
        let layers = self.layers.iter().map(|layer| {
            let archive = stack.layer(layer.index);
            let mut object = json!({
                "position": layer.index.index() + 1,
                "entries": archive.len(),
                "zipped_size": archive.opened().size,
                "left_out": archive.rejected().len(),
            });
            put_name(&mut object, "layer", layer.path.as_os_str().as_bytes());
            put_name(&mut object, "name", &layer.name);
            object
        });
        let layers: Vec<_> = layers.collect();
        document("stack", json!({ "layers": layers, "nodes": stack.node_count() }))
    }

    /// Entries that are not seen although they differ from what is, in the order of the tree.
    fn conflicts(&self) -> Vec<u8> {
        let stack = self.fs.stack();
        let shadows = shadows(stack);
        let replaced = shadows.pairs.iter().flat_map(|pair| &pair.replaced);
        let differing = replaced
            .filter(|one| !one.is_identical)
            .map(|one| (one.node, one.entry, one.by, "other content"));
        let lost = shadows.conflicts.iter().flat_map(|conflict| {
            let path = stack.path(conflict.node);
            conflict.lost.iter().map(move |lost| {
                let how = match stack.entry(lost.entry).path == path {
                    true => "other kind",
                    false => "below what is no directory now",
                };
                (conflict.node, lost.entry, lost.by, how)
            })
        });
        let mut all: Vec<_> = differing.chain(lost).collect();
        all.sort_unstable();
        let mut text =
            b"# What a later layer hides, and is not the same: path, hidden in, hidden by, how\n".to_vec();
        for (_, entry, by, how) in all {
            text.extend(on_one_line(stack.entry(entry).path));
            for layer in [entry.layer, by] {
                text.push(b'\t');
                text.extend(
                    self.layer_named(layer)
                        .map_or(Vec::new(), |layer| on_one_line(&layer.name)),
                );
            }
            text.push(b'\t');
            text.extend_from_slice(how.as_bytes());
            text.push(b'\n');
        }
        text
    }

    pub(super) fn layer_named(&self, layer: LayerIdx) -> Option<&Layer> {
        self.layers.get(layer.index())
    }
}

fn text_of(value: &Value) -> Vec<u8> {
    // For people who look at it with cat.
    format!("{value:#}\n").into_bytes()
}

/// A name in a list of lines: what would break a line, or command a terminal, is escaped.
pub(super) fn on_one_line(name: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(name.len());
    for &byte in name {
        match byte.is_ascii_control() || byte == b'\\' {
            true => line.extend(byte.escape_ascii()),
            false => line.push(byte),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_on_its_line() {
        assert_eq!(on_one_line(b"a\nb\tc\x1b\\d"), b"a\\nb\\tc\\x1b\\\\d");
        assert_eq!(on_one_line("café".as_bytes()), "café".as_bytes());
    }
}
