//! Lint of layer zips and of the stack they make: what is wrong or doubtful, where, why it matters on
//! Lambda, and what cures it. A file for each family of rules; each rule is data with a stable code.
//!
//! Owns which archives and entries are looked at, on how many threads, and the order of what was found.
//! Which findings fail a check is `policy`'s; how they are shown is left to others.

mod binaries;
mod content;
mod entries;
mod format;
mod layers;
mod limits;
mod names;
mod places;
mod policy;

use std::borrow::Cow;

use super::crew::{Progress, on_all_cores};
use crate::archive::{Archive, ArchiveError, Survey};
use crate::stack::{LayerIdx, Stack};

pub use binaries::Arch;
pub use limits::Limits;
pub use policy::{Policy, Selector, UnknownSelector, Verdict};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing, often intended.
    Note,
    /// Works mostly, and breaks somewhere.
    Warning,
    /// Lambda refuses it, or readers disagree about what is in the archive, or it cannot be read.
    Error,
}

/// What may be found, whatever archive it is found in.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Never changes, never is given to another rule: Z of the zip itself, L of Lambda, S of the stack.
    pub code: &'static str,
    /// The code in words; as stable.
    pub slug: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What was found, in a line.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub cure: &'static str,
}

/// Where something was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The archive; none when it is the stack as a whole.
    pub layer: Option<LayerIdx>,
    /// The entry's path, or its name as it lies in the archive where no path can be made of it.
    pub entry: Option<Vec<u8>>,
    /// Bytes from the start of the archive.
    pub offset: Option<u64>,
}

/// Something that was found.
#[derive(Debug)]
pub struct Finding {
    /// What it is.
    pub rule: &'static Rule,
    /// Where it is.
    pub place: Place,
    /// What exactly stands there. Names from archives may be in it.
    pub found: Cow<'static, str>,
}

/// What is looked at, and by which measure.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether every entry is read and verified.
    pub deep: bool,
    /// The function's architecture, where it is known.
    pub arch: Option<Arch>,
    /// The function's runtime, where it is known.
    pub runtime: Option<RuntimeFacts>,
    /// What Lambda allows.
    pub limits: Limits,
    /// Whether the archives have nothing to do with each other: the rules of stacks are left out.
    pub apart: bool,
}

/// What of a runtime decides whether a layer can work there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuntimeFacts {
    /// The identifier as AWS writes it.
    pub name: String,
    /// Python's version, such as `3.11`.
    pub python: Option<String>,
    /// Node's major version, such as `20`.
    pub node: Option<String>,
    /// The C library of its system, major and minor version.
    pub glibc: Option<(u32, u32)>,
}

/// Every rule there is, in the order of the codes.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    const FAMILIES: [&[&Rule]; 9] = [
        format::RULES,
        layers::RULES_OF_ARCHIVES,
        names::RULES,
        entries::RULES,
        content::RULES,
        limits::RULES,
        places::RULES,
        binaries::RULES,
        layers::RULES,
    ];
    FAMILIES.into_iter().flatten().copied()
}

/// The rule of a code or slug.
pub fn rule(name: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.code.eq_ignore_ascii_case(name) || rule.slug == name)
}

/// Looks at all layers of a stack, and at the stack: what was found, by layer, the weightiest first, and
/// then by place; what concerns the stack as a whole comes last.
///
/// # Errors
/// When an archive can no longer be read.
pub fn check(
    stack: &Stack,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Vec<Finding>, ArchiveError> {
    let mut findings = Findings::default();
    let layers: Vec<_> = stack.layers_in_order().collect();
    let looked_at = on_all_cores(layers.len(), layers.len(), |i| {
        let (index, archive) = layers[i];
        look_at(index, archive)
    });
    for found in looked_at {
        findings.0.extend(found?.0);
    }
    limits::check(stack, options, &mut findings);
    places::check_stack(stack, options, &mut findings);
    layers::check(stack, options, &mut findings);
    binaries::check(stack, options, &mut findings);
    if options.deep {
        content::check(stack, progress, &mut findings);
    }
    findings.0.sort_by_key(|finding| {
        let Place { layer, .. } = finding.place;
        let severity = std::cmp::Reverse(finding.rule.severity);
        (layer.is_none(), layer, severity, finding.rule.code)
    });
    Ok(findings.0)
}

/// What is known of one archive while it is looked at.
struct Look<'a> {
    layer: LayerIdx,
    archive: &'a Archive,
    survey: Survey,
}

fn look_at(layer: LayerIdx, archive: &Archive) -> Result<Findings, ArchiveError> {
    let look = Look {
        layer,
        archive,
        survey: archive.survey()?,
    };
    let mut findings = Findings::default();
    format::check(&look, &mut findings);
    names::check(&look, &mut findings);
    entries::check(&look, &mut findings);
    places::check(&look, &mut findings);
    Ok(findings)
}

impl Look<'_> {
    /// The place of something that is listed in the archive.
    fn listed(&self, index: usize) -> Place {
        let listed = &self.survey.listed[index];
        let name = match listed.entry {
            Some(id) => self.archive.entry_path(id).to_vec(),
            None => self.archive.raw_name(listed),
        };
        self.place(Some(name), Some(listed.header_offset))
    }

    fn place(&self, entry: Option<Vec<u8>>, offset: Option<u64>) -> Place {
        Place {
            layer: Some(self.layer),
            entry,
            offset,
        }
    }
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, rule: &'static Rule, place: Place, found: impl Into<Cow<'static, str>>) {
        let found = found.into();
        self.0.push(Finding { rule, place, found });
    }
}

impl Severity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// Says how many of something there are.
fn counted(count: usize, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_and_slug_stands_once_and_codes_are_in_order() {
        let codes: Vec<_> = rules().map(|rule| rule.code).collect();
        let mut families: Vec<_> = codes.iter().map(|code| &code[..1]).collect();
        families.dedup();
        assert_eq!(families, ["Z", "L", "S"], "{codes:?}");
        for pair in codes.windows(2) {
            assert!(pair[0][..1] != pair[1][..1] || pair[0] < pair[1], "{pair:?}");
        }
        for one in rules() {
            assert_eq!(rule(one.slug), Some(one));
            assert_eq!(rule(&one.code.to_lowercase()), Some(one));
            let is_slug = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(one.slug.chars().all(is_slug), "{}", one.slug);
            for text in [one.why, one.cure] {
                assert!(text.ends_with('.') && text.len() > 20, "{}: {text}", one.code);
            }
            assert!(!one.title.ends_with('.'), "{}: {}", one.code, one.title);
        }
    }
}
