//! How answers become JSON for scripts: what is the same in every verb's objects. docs/json.md is the schema.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::stack_view::View;
use super::terminal::Out;
use crate::stack::LayerIdx;

/// Version of the schema of docs/json.md. Fields may be added within a version; none changes its meaning.
const SCHEMA: u32 = 1;

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
    object[field] = json!(String::from_utf8_lossy(name));
    if std::str::from_utf8(name).is_err() {
        let hex: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        object[format!("{field}_hex")] = json!(hex);
    }
}

/// A layer as it was named, and its place in the stack, from 1 at the bottom.
pub(super) fn layer(view: &View, layer: LayerIdx) -> Value {
    let mut object = json!({ "position": layer.index() + 1 });
    let path = view.stack().layer(layer).path();
    put_name(&mut object, "layer", path.as_os_str().as_bytes());
    object
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
