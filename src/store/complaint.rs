//! What AWS's model says of values that it does not allow: a ValidationException, with a sentence for each.

use std::fmt::Display;

use super::StoreError;

/// The sentences so far.
#[derive(Debug, Default)]
pub(super) struct Complaints(Vec<String>);

impl Complaints {
    /// That a value breaks a constraint.
    pub(super) fn add(&mut self, member: &str, value: impl Display, constraint: impl Display) {
        self.0.push(format!(
            "Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
        ));
    }

    /// That a value is missing.
    pub(super) fn add_null(&mut self, member: &str) {
        self.0.push(format!(
            "Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ));
    }

    /// That a value that is not repeated breaks a constraint.
    pub(super) fn add_hidden(&mut self, member: &str, constraint: &str) {
        self.0.push(format!(
            "Value at '{member}' failed to satisfy constraint: {constraint}"
        ));
    }

    /// That a text is too long, if it is, as Java counts.
    pub(super) fn longest(&mut self, member: &str, value: &str, most: usize) {
        if value.encode_utf16().count() > most {
            self.add(
                member,
                value,
                format_args!("Member must have length less than or equal to {most}"),
            );
        }
    }

    /// That a list is too long, if it is.
    pub(super) fn most(&mut self, member: &str, values: &[String], most: usize) {
        if values.len() > most {
            let constraint = format_args!("Member must have length less than or equal to {most}");
            self.add(member, shown(values), constraint);
        }
    }

    /// That a value does not fit a pattern, where it does not.
    pub(super) fn pattern(&mut self, member: &str, value: &str, fits: bool, pattern: &str) {
        if !fits {
            let constraint = format_args!("Member must satisfy regular expression pattern: {pattern}");
            self.add(member, value, constraint);
        }
    }

    /// That a value is none of those allowed, where it is not.
    pub(super) fn one_of(&mut self, member: &str, value: &str, allowed: &[&str]) {
        if !allowed.contains(&value) {
            let allowed = allowed.join(", ");
            self.add(
                member,
                value,
                format_args!("Member must satisfy enum value set: [{allowed}]"),
            );
        }
    }

    /// That a number is too small or too large, if it is.
    pub(super) fn range(&mut self, member: &str, value: i64, least: i64, most: i64) {
        let bound = match value {
            _ if value < least => format!("greater than or equal to {least}"),
            _ if value > most => format!("less than or equal to {most}"),
            _ => return,
        };
        self.add(member, value, format_args!("Member must have value {bound}"));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sentences in one.
    pub(super) fn message(&self) -> String {
        let s = if self.0.len() == 1 { "" } else { "s" };
        format!(
            "{} validation error{s} detected: {}",
            self.0.len(),
            self.0.join("; ")
        )
    }

    /// The ValidationException, if there is anything to say.
    pub(super) fn end(self) -> Result<(), StoreError> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(StoreError::Invalid(self.message())),
        }
    }
}

/// A list as the sentences show it.
pub(super) fn shown(values: &[String]) -> String {
    format!("[{}]", values.join(", "))
}
