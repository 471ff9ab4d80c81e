//! How answers become JSON for scripts: what is the same in every verb's objects. docs/json.md is the schema.

use std::borrow::Cow;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::ls::kind_word;
use super::stack_view::View;
use super::terminal::Out;
use crate::explain::Tally;
use crate::fs::{Attr, Kind};
use crate::stack::LayerIdx;

/// Version of the schema of docs/json.md. Fields may be added within a version; none changes its meaning.
pub(super) const SCHEMA: u32 = 1;

/// One whole answer: the fields of `body`, an object, behind the version of the schema and the question.
pub(super) fn document(question: &str, body: Value) -> Value {
    let mut whole = Map::new();
    whole.insert("version".to_owned(), json!(SCHEMA));
    whole.insert("question".to_owned(), json!(question));
    if let Value::Object(fields) = body {
        whole.extend(fields);
    }
    Value::Object(whole)
}

/// Writes an answer on a line of its own, piece by piece: it may be long.
pub(super) fn json_line(out: &mut Out, answer: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, answer)?;
    writeln!(out)
}

/// Sets a field to a name or path from an archive. JSON has no bytes: what is not UTF-8 shows replacement
/// characters, and its bytes stand in hexadecimal in a field of the same name with `_hex` behind it.
pub(super) fn put_name(object: &mut Value, field: &str, name: &[u8]) {
    object[field] = json!(text(name));
    if let Some(hex) = hex(name) {
        object[format!("{field}_hex")] = json!(hex);
    }
}

/// A name or path from an archive as text.
pub(super) fn text(name: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(name)
}

/// The bytes of a name that is no text.
pub(super) fn hex(name: &[u8]) -> Option<String> {
    let is_text = std::str::from_utf8(name).is_ok();
    (!is_text).then(|| name.iter().map(|byte| format!("{byte:02x}")).collect())
}

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
        let path = view.stack().layer(layer).path().as_os_str().as_bytes();
        Layer {
            layer: text(path),
            layer_hex: hex(path),
            position: layer.index() + 1,
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

/// Writes an object on a line.
pub(super) fn write_line(out: &mut Out, object: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, object).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_kept_beside_it() {
        let mut object = json!({});
        put_name(&mut object, "path", b"caf\xe9");
        put_name(&mut object, "target", b"plain");
        assert_eq!(
            object,
            json!({ "path": "caf\u{fffd}", "path_hex": "636166e9", "target": "plain" })
        );
    }

    #[test]
    fn an_answer_says_which_schema_it_follows() {
        let answer = document("which", json!({ "path": "a" }));
        assert_eq!(answer, json!({ "version": 1, "question": "which", "path": "a" }));
    }
}
