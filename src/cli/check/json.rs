//! Findings for scripts; docs/json.md is the schema.

use std::os::unix::ffi::OsStrExt;

use serde_json::{Value, json};

use super::Checked;
use crate::cli::json::put_name;
use crate::explain::check::{Finding, Rule, Severity};

pub(in crate::cli) fn body(checked: &Checked) -> Value {
    let layers = checked.stack.layers_in_order().map(|(index, archive)| {
        let mut object = json!({ "position": checked.position(index), "entries": archive.len() });
        put_name(&mut object, "layer", archive.path().as_os_str().as_bytes());
        object
    });
    let unusable = checked
        .unusable
        .iter()
        .map(|(position, error)| json!({ "position": position, "error": error.to_string() }));
    let findings = checked
        .findings
        .iter()
        .map(|(found, denied)| finding(checked, found, *denied));
    json!({
        "passed": checked.passed(),
        "errors": checked.count(Severity::Error),
        "warnings": checked.count(Severity::Warning),
        "notes": checked.count(Severity::Note),
        "denied": checked.denied(),
        "allowed": checked.allowed,
        "layers": layers.collect::<Vec<_>>(),
        "unusable": unusable.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
    })
}

fn finding(checked: &Checked, finding: &Finding, denied: bool) -> Value {
    let mut object = json!({
        "code": finding.rule.code,
        "slug": finding.rule.slug,
        "severity": finding.rule.severity.word(),
        "denied": denied,
        "found": finding.found,
        "title": finding.rule.title,
        "cure": finding.rule.cure,
    });
    if let Some(layer) = finding.place.layer {
        object["position"] = json!(checked.position(layer));
        put_name(
            &mut object,
            "layer",
            checked.stack.layer(layer).path().as_os_str().as_bytes(),
        );
    }
    if let Some(entry) = &finding.place.entry {
        put_name(&mut object, "entry", entry);
    }
    if let Some(offset) = finding.place.offset {
        object["offset"] = json!(offset);
    }
    object
}

pub(super) fn rule(rule: &Rule) -> Value {
    json!({
        "code": rule.code,
        "slug": rule.slug,
        "severity": rule.severity.word(),
        "title": rule.title,
        "why": rule.why,
        "cure": rule.cure,
    })
}
