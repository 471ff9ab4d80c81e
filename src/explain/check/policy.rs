//! Which findings fail a check: errors do, unless a code or a severity is denied or allowed by name.

use std::fmt;
use std::str::FromStr;

use super::{Rule, Severity, rule};

/// One rule, or all of a severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    /// A rule by its code or slug.
    Rule(&'static Rule),
    /// When denied: this severity and all above. When allowed: this one alone.
    Severity(Severity),
}

/// A text that names neither a rule nor a severity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownSelector(String);

/// What becomes of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The check fails.
    Denied,
    /// It is told, no more.
    Told,
    /// Nobody wants to hear of it.
    Allowed,
}

/// What is denied and what is allowed. A rule named by itself counts before its severity.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    deny: Vec<Selector>,
    allow: Vec<Selector>,
}

impl Policy {
    /// Errors are denied when nothing is said of them.
    ///
    /// # Errors
    /// When the same is denied and allowed.
    pub fn new(deny: Vec<Selector>, allow: Vec<Selector>) -> Result<Policy, Selector> {
        match deny.iter().find(|denied| allow.contains(denied)) {
            Some(&both) => Err(both),
            None => Ok(Policy { deny, allow }),
        }
    }

    /// What becomes of a finding of a rule.
    pub fn verdict(&self, rule: &'static Rule) -> Verdict {
        let named = Selector::Rule(rule);
        if self.deny.contains(&named) {
            return Verdict::Denied;
        }
        if self.allow.contains(&named) || self.allow.contains(&Selector::Severity(rule.severity)) {
            return Verdict::Allowed;
        }
        let is_denied = |selector: &Selector| match selector {
            Selector::Severity(severity) => rule.severity >= *severity,
            Selector::Rule(_) => false,
        };
        match rule.severity == Severity::Error || self.deny.iter().any(is_denied) {
            true => Verdict::Denied,
            false => Verdict::Told,
        }
    }
}

impl FromStr for Selector {
    type Err = UnknownSelector;

    fn from_str(text: &str) -> Result<Selector, UnknownSelector> {
        let severities = [Severity::Note, Severity::Warning, Severity::Error];
        let of_word = |severity: &Severity| severity.word() == text.trim_end_matches('s');
        match severities.into_iter().find(of_word) {
            Some(severity) => Ok(Selector::Severity(severity)),
            None => rule(text)
                .map(Selector::Rule)
                .ok_or_else(|| UnknownSelector(text.to_owned())),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Selector::Rule(rule) => rule.code,
            Selector::Severity(severity) => severity.word(),
        })
    }
}

impl fmt::Display for UnknownSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no code, slug or severity of findings; 'optfs check --list-codes' lists them",
            self.0
        )
    }
}

impl std::error::Error for UnknownSelector {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::check::rules;

    fn policy(deny: &[&str], allow: &[&str]) -> Policy {
        let read = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        Policy::new(read(deny), read(allow)).unwrap()
    }

    fn first(severity: Severity) -> &'static Rule {
        rules().find(|rule| rule.severity == severity).unwrap()
    }

    #[test]
    fn what_is_named_by_itself_counts_before_its_severity() {
        let [note, warning, error] = [Severity::Note, Severity::Warning, Severity::Error].map(first);
        let plain = Policy::default();
        let verdicts = |policy: &Policy| [note, warning, error].map(|rule| policy.verdict(rule));
        use Verdict::{Allowed, Denied, Told};
        assert_eq!(verdicts(&plain), [Told, Told, Denied]);
        assert_eq!(verdicts(&policy(&["warning"], &[])), [Told, Denied, Denied]);
        assert_eq!(verdicts(&policy(&["notes"], &[])), [Denied, Denied, Denied]);
        assert_eq!(
            verdicts(&policy(&[], &["errors", "note"])),
            [Allowed, Told, Allowed]
        );
        assert_eq!(
            verdicts(&policy(&["note"], &[note.slug])),
            [Allowed, Denied, Denied]
        );
        assert_eq!(verdicts(&policy(&[error.code], &["error"])), [Told, Told, Denied]);
        assert!(Policy::new(vec![Selector::Rule(note)], vec![Selector::Rule(note)]).is_err());
        assert!("Z9999".parse::<Selector>().is_err());
    }
}
