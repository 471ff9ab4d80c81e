//! Findings for code scanning: a SARIF 2.1.0 log
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::{Value, json};

use super::Checked;
use crate::cli::printable::printable;
use crate::explain::check::{self, Finding};

pub(super) fn log(checked: &Checked) -> Value {
    let rules: Vec<Value> = check::rules()
        .map(|rule| {
            json!({
                "id": rule.code,
                "name": rule.slug,
                "shortDescription": { "text": rule.title },
                "fullDescription": { "text": rule.why },
                "help": { "text": rule.cure },
                "defaultConfiguration": { "level": rule.severity.word() },
            })
        })
        .collect();
    let complaints = checked.unusable.iter().map(|(_, error)| {
        json!({ "level": "error", "message": { "text": printable(error.to_string().as_bytes()) } })
    });
    let findings = checked
        .findings
        .iter()
        .map(|(finding, _)| result(checked, finding));
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "optfs",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "invocations": [{
                "executionSuccessful": checked.unusable.is_empty(),
                "toolExecutionNotifications": complaints.collect::<Vec<_>>(),
            }],
            "results": findings.collect::<Vec<_>>(),
        }],
    })
}

fn result(checked: &Checked, finding: &Finding) -> Value {
    let place = &finding.place;
    let entry = place.entry.as_ref().map(|entry| printable(entry));
    let found = printable(finding.found.as_bytes());
    let text = match &entry {
        Some(entry) => format!("{}: {entry}: {found}", finding.rule.title),
        None => format!("{}: {found}", finding.rule.title),
    };
    let mut location = json!({});
    if let Some(layer) = place.layer {
        location["physicalLocation"] = json!({
            "artifactLocation": { "uri": uri(checked.stack.layer(layer).path()) },
        });
        if let Some(offset) = place.offset {
            location["physicalLocation"]["region"] = json!({ "byteOffset": offset });
        }
    }
    if let Some(entry) = &entry {
        location["logicalLocations"] = json!([{ "fullyQualifiedName": entry, "kind": "member" }]);
    }
    let locations = match place.layer.is_some() || entry.is_some() {
        true => vec![location],
        false => Vec::new(),
    };
    json!({
        "ruleId": finding.rule.code,
        "ruleIndex": check::rules().position(|rule| rule.code == finding.rule.code),
        "level": finding.rule.severity.word(),
        "message": { "text": text },
        "locations": locations,
    })
}

/// A path as a URI reference: relative ones count from where the check ran.
fn uri(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    let mut uri = if path.is_absolute() {
        "file://".to_owned()
    } else {
        String::new()
    };
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(char::from(byte))
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri_of_plain_letters() {
        assert_eq!(uri(Path::new("a b/ü.zip")), "a%20b/%C3%BC.zip");
        assert_eq!(uri(Path::new("/x/y.zip")), "file:///x/y.zip");
    }
}
