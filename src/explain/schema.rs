//! What every answer in JSON has alike, whether a verb gives it or a mount: docs/json.md is the schema.
//!
//! Each answer's own fields are of whoever gives it.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

/// Version of the schema of docs/json.md. Fields may be added within a version; none changes its meaning.
pub const SCHEMA: u32 = 1;

/// One whole answer: the fields of `body`, an object, behind the version of the schema and the question.
pub fn document(question: &str, body: Value) -> Value {
    let mut whole = Map::new();
    whole.insert("version".to_owned(), json!(SCHEMA));
    whole.insert("question".to_owned(), json!(question));
    if let Value::Object(fields) = body {
        whole.extend(fields);
    }
    Value::Object(whole)
}

/// Sets a field to a name or path from an archive. JSON has no bytes: what is not UTF-8 shows replacement
/// characters, and its bytes stand in hexadecimal in a field of the same name with `_hex` behind it.
pub fn put_name(object: &mut Value, field: &str, name: &[u8]) {
    object[field] = json!(text(name));
    if let Some(hex) = hex(name) {
        object[format!("{field}_hex")] = json!(hex);
    }
}

/// A name or path from an archive as text.
pub fn text(name: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(name)
}

/// The bytes of a name that is no text.
pub fn hex(name: &[u8]) -> Option<String> {
    let is_text = std::str::from_utf8(name).is_ok();
    (!is_text).then(|| name.iter().map(|byte| format!("{byte:02x}")).collect())
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
