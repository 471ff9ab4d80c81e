//! Findings for scripts; docs/json.md is the schema. Written one by one: there may be a hundred thousand.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Serialize;

use super::Checked;
use crate::cli::json::{self, Each, SCHEMA, hex, text};
use crate::explain::check::{self, Finding, Rule, Severity};
use crate::stack::LayerIdx;

/// The whole answer to `question`, `passed` or not; `more` fields stand before the findings.
pub(in crate::cli) fn answer<'a>(
    question: &'static str,
    checked: &'a Checked,
    passed: bool,
    more: impl Serialize + 'a,
) -> impl Serialize + 'a {
    let layers = checked.stack.layers_in_order();
    let unusable = checked.unusable.iter();
    let broken: HashSet<_> = checked
        .findings
        .iter()
        .map(|(found, _)| found.rule.code)
        .collect();
    Answer {
        version: SCHEMA,
        question,
        passed,
        errors: checked.count(Severity::Error),
        warnings: checked.count(Severity::Warning),
        notes: checked.count(Severity::Note),
        denied: checked.denied(),
        allowed: checked.allowed,
        more,
        layers: layers
            .map(|(index, archive)| Layer {
                layer: layer(checked, index),
                entries: archive.len(),
            })
            .collect(),
        unusable: unusable
            .map(|(position, error)| Unusable {
                position: *position,
                error: error.to_string(),
            })
            .collect(),
        rules: check::rules()
            .filter(|rule| broken.contains(rule.code))
            .map(told)
            .collect(),
        findings: Each(|| {
            let findings = checked.findings.iter();
            findings.map(|(found, denied)| finding(checked, found, *denied))
        }),
    }
}

/// Rules alone, as they are asked for by code.
pub(super) fn rules(chosen: &[&'static Rule]) -> impl Serialize {
    Rules {
        version: SCHEMA,
        question: "check",
        rules: chosen.iter().copied().map(told).collect(),
    }
}

#[derive(Serialize)]
struct Answer<'a, M, F> {
    version: u32,
    question: &'static str,
    passed: bool,
    errors: usize,
    warnings: usize,
    notes: usize,
    denied: usize,
    allowed: usize,
    #[serde(flatten)]
    more: M,
    layers: Vec<Layer<'a>>,
    unusable: Vec<Unusable>,
    rules: Vec<Told>,
    findings: F,
}

#[derive(Serialize)]
struct Rules {
    version: u32,
    question: &'static str,
    rules: Vec<Told>,
}

#[derive(Serialize)]
struct Layer<'a> {
    #[serde(flatten)]
    layer: json::Layer<'a>,
    entries: usize,
}

#[derive(Serialize)]
struct Unusable {
    position: usize,
    error: String,
}

#[derive(Serialize)]
struct Told {
    code: &'static str,
    slug: &'static str,
    severity: &'static str,
    title: &'static str,
    why: &'static str,
    cure: &'static str,
}

#[derive(Serialize)]
struct Found<'a> {
    code: &'static str,
    slug: &'static str,
    severity: &'static str,
    denied: bool,
    #[serde(flatten)]
    layer: Option<json::Layer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    found: &'a str,
}

fn told(rule: &'static Rule) -> Told {
    Told {
        code: rule.code,
        slug: rule.slug,
        severity: rule.severity.word(),
        title: rule.title,
        why: rule.why,
        cure: rule.cure,
    }
}

fn finding<'a>(checked: &'a Checked, finding: &'a Finding, denied: bool) -> Found<'a> {
    let entry = finding.place.entry.as_deref();
    Found {
        code: finding.rule.code,
        slug: finding.rule.slug,
        severity: finding.rule.severity.word(),
        denied,
        layer: finding.place.layer.map(|index| layer(checked, index)),
        entry: entry.map(text),
        entry_hex: entry.and_then(hex),
        offset: finding.place.offset,
        found: &finding.found,
    }
}

/// A layer by its place among those that were named: archives that cannot be opened count.
fn layer(checked: &Checked, index: LayerIdx) -> json::Layer<'_> {
    json::Layer::named(checked.stack.layer(index).path(), checked.position(index))
}
