//! The texts in `.optfs`: what stands in each.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

use serde_json::{Map, Value, json};

use super::Guide;
use super::directory::{Layer, hidden_entries};
use super::number::Fixed;
use crate::explain::{Likeness, likeness};
use crate::stack::LayerIdx;

/// Version of the schema of docs/json.md.
const SCHEMA: u32 = 1;

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
        json!({
            "version": SCHEMA,
            "question": "stats",
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
        })
    }

    fn stack_json(&self) -> Value {
        let stack = self.fs.stack();
        let layers = self.layers.iter().map(|layer| {
            let archive = stack.layer(layer.index);
            let mut object = json!({
                "position": layer.index.index() + 1,
                "entries": archive.len(),
                "bytes": archive.opened().size,
                "left_out": archive.rejected().len(),
            });
            put_name(&mut object, "layer", layer.path.as_os_str().as_bytes());
            put_name(&mut object, "name", &layer.name);
            object
        });
        json!({
            "version": SCHEMA,
            "question": "stack",
            "layers": layers.collect::<Vec<_>>(),
            "nodes": stack.node_count(),
        })
    }

    /// Entries that are not seen although they differ from what is.
    fn conflicts(&self) -> Vec<u8> {
        let stack = self.fs.stack();
        let mut text =
            b"# What a later layer hides, and is not the same: path, hidden in, hidden by, how\n".to_vec();
        for hidden in hidden_entries(stack) {
            let path = stack.entry(hidden.entry).path;
            let how = match hidden.seen {
                Some(seen) if stack.entry(seen).path == path => match likeness(stack, hidden.entry, seen) {
                    Likeness::Same => continue,
                    Likeness::Differs => "other content",
                    Likeness::OtherKind => "other kind",
                },
                // A directory without an entry of its own.
                None => "other kind",
                Some(_) => "below what is no directory now",
            };
            text.extend(on_one_line(path));
            for layer in [hidden.entry.layer, hidden.by] {
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

/// Sets a field to a name that may be no UTF-8, as docs/json.md says.
fn put_name(object: &mut Value, field: &str, name: &[u8]) {
    object[field] = json!(String::from_utf8_lossy(name));
    if std::str::from_utf8(name).is_err() {
        let mut hex = String::new();
        for byte in name {
            // A string takes whatever is written to it.
            let _ = write!(hex, "{byte:02x}");
        }
        object[format!("{field}_hex")] = json!(hex);
    }
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
