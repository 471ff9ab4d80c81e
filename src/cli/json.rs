//! How answers become JSON for scripts: layers, nodes and sums, alike in every verb's objects. What a mount writes
//! alike too is `explain::schema`'s. docs/json.md is the schema.

use std::borrow::Cow;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::failure::Failure;
use super::ls::kind_word;
use super::stack_view::View;
use super::terminal::Out;
use crate::explain::{Tally, Waste};
use crate::fs::{Attr, Kind};
use crate::stack::LayerIdx;

pub(super) use crate::explain::schema::{SCHEMA, document, hex, put_name, text};

/// A layer as it was named, and its place in the stack, from 1 at the bottom.
pub(super) fn layer(view: &View, layer: LayerIdx) -> Value {
    let mut object = json!({ "position": layer.index() + 1 });
    let path = view.stack().layer(layer).path();
    put_name(&mut object, "layer", path.as_os_str().as_bytes());
    object
}

/// The same, where there are many to write.
#[derive(Serialize)]
pub(super) struct Layer<'a> {
    layer: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_hex: Option<String>,
    position: usize,
}

impl<'a> Layer<'a> {
    pub(super) fn of(view: &'a View, layer: LayerIdx) -> Layer<'a> {
        Layer::named(view.stack().layer(layer).path(), layer.index() + 1)
    }

    pub(super) fn named(path: &'a Path, position: usize) -> Layer<'a> {
        let path = path.as_os_str().as_bytes();
        Layer {
            layer: text(path),
            layer_hex: hex(path),
            position,
        }
    }
}

/// A list that is made while it is written.
pub(super) struct Each<F>(pub(super) F);

impl<F: Fn() -> I, I: IntoIterator<Item: Serialize>> Serialize for Each<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// What stands at a path, with the layer that provides it.
#[derive(Serialize)]
pub(super) struct Node<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    mode: String,
    size: u64,
    mtime: i64,
    #[serde(flatten)]
    layer: Layer<'a>,
    /// Of a symlink, and no other; null where it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_hex: Option<String>,
}

/// What stands at a path, with the layer that provides it.
pub(super) fn node<'a>(view: &'a View, attr: &Attr, path: &'a [u8]) -> Result<Node<'a>, Failure> {
    let is_link = attr.kind == Kind::Symlink;
    let target = is_link.then(|| view.fs.readlink(attr.ino).ok());
    Ok(Node {
        path: text(path),
        path_hex: hex(path),
        kind: kind_word(attr.kind),
        mode: format!("{:04o}", attr.mode),
        size: attr.size,
        mtime: attr.mtime.seconds,
        layer: Layer::of(view, view.provider(attr.ino)?),
        target_hex: target.iter().flatten().find_map(|target| hex(target)),
        target: target.map(|target| target.map(|target| text(&target).into_owned())),
    })
}

/// A number of entries and their sizes.
#[derive(Serialize)]
pub(super) struct Sizes {
    entries: u64,
    size: u64,
    compressed_size: u64,
}

impl From<Tally> for Sizes {
    fn from(tally: Tally) -> Sizes {
        Sizes {
            entries: tally.entries,
            size: tally.bytes,
            compressed_size: tally.compressed_bytes,
        }
    }
}

/// A number of entries and their sizes.
pub(super) fn tally(tally: Tally) -> Value {
    json!(Sizes::from(tally))
}

/// What paths that are there more than once cost.
#[derive(Serialize)]
pub(super) struct Wasted {
    paths: u64,
    size: u64,
    percent: f64,
}

impl From<&Waste> for Wasted {
    fn from(waste: &Waste) -> Wasted {
        Wasted {
            paths: waste.paths,
            size: waste.wasted_bytes,
            percent: waste.percent(),
        }
    }
}

/// Writes an object on a line of its own, piece by piece: it may be long.
pub(super) fn write_line(out: &mut Out, object: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, object).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}
