//! Findings for people: by archive and rule, each rule explained once, what is found often folded.

use std::collections::HashSet;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

use super::Checked;
use crate::cli::failure::Failure;
use crate::cli::printable::printable;
use crate::cli::size::counted;
use crate::cli::terminal::Out;
use crate::explain::check::{Finding, Rule, Severity};

/// So many places of one rule in one archive are shown, unless all are asked for.
const FOLDED_FROM: usize = 4;
const WIDTH: usize = 80;

pub(super) fn print(checked: &Checked, all: bool, out: &mut Out) -> Result<(), Failure> {
    let same_rule = |a: &(Finding, bool), b: &(Finding, bool)| {
        a.0.place.layer == b.0.place.layer && a.0.rule.code == b.0.rule.code
    };
    let (mut headed, mut explained) = (None, HashSet::new());
    for group in checked.findings.chunk_by(same_rule) {
        let layer = group[0].0.place.layer;
        if headed != Some(layer) {
            headed = Some(layer);
            match layer {
                Some(layer) => {
                    let path = checked.stack.layer(layer).path().as_os_str().as_bytes();
                    out.bold(&printable(path))?;
                }
                None => out.bold("the stack as a whole")?,
            }
            writeln!(out, "\n")?;
        }
        print_group(group, all, out)?;
        let rule = group[0].0.rule;
        if explained.insert(rule.code) {
            reasons(rule, out)?;
        }
        writeln!(out)?;
    }
    summary(checked, out)
}

fn print_group(group: &[(Finding, bool)], all: bool, out: &mut Out) -> Result<(), Failure> {
    let rule = group[0].0.rule;
    write!(out, "  ")?;
    severity(rule.severity, out)?;
    write!(out, " {} ", rule.code)?;
    out.bold(rule.slug)?;
    writeln!(out)?;
    paragraph("", rule.title, out)?;
    let shown = match all || group.len() <= FOLDED_FROM {
        true => group.len(),
        false => FOLDED_FROM - 1,
    };
    for (finding, _) in &group[..shown] {
        let found = printable(finding.found.as_bytes());
        let place = match (&finding.place.entry, finding.place.offset) {
            (Some(entry), _) => format!("{}:", printable(entry)),
            (None, Some(offset)) => format!("at byte {offset}:"),
            (None, None) => String::new(),
        };
        // What is too long for one line gets another, so that places stand below each other.
        let is_short = place.chars().count() + found.chars().count() < WIDTH - "    -  ".len();
        match (place.is_empty(), is_short) {
            (true, _) => writeln!(out, "    - {found}")?,
            (false, true) => writeln!(out, "    - {place} {found}")?,
            (false, false) => writeln!(out, "    - {place}\n      {found}")?,
        }
    }
    if shown < group.len() {
        out.dim(&format!(
            "    and {} more; --all lists them\n",
            group.len() - shown
        ))?;
    }
    Ok(())
}

fn reasons(rule: &Rule, out: &mut Out) -> io::Result<()> {
    paragraph("why", rule.why, out)?;
    paragraph("cure", rule.cure, out)
}

/// How many of what, in one line.
fn summary(checked: &Checked, out: &mut Out) -> Result<(), Failure> {
    let layers = checked.stack.layers();
    let entries: u64 = layers.iter().map(|archive| archive.len() as u64).sum();
    let (zips, entries) = (counted(layers.len() as u64, "zip"), counted(entries, "entry"));
    write!(out, "{zips}, {entries}: ")?;
    let counts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .map(|severity| (checked.count(severity) as u64, severity.word()))
        .filter(|&(count, _)| count > 0)
        .map(|(count, word)| counted(count, word))
        .collect();
    let counts = match counts.is_empty() {
        true => "nothing found".to_owned(),
        false => counts.join(", "),
    };
    match (checked.denied(), checked.count(Severity::Warning)) {
        (0, 0) => out.green(&counts)?,
        (0, _) => out.yellow(&counts)?,
        (_, _) => out.red(&counts)?,
    }
    if checked.allowed > 0 {
        write!(out, "; {} allowed", checked.allowed)?;
    }
    if !checked.unusable.is_empty() {
        write!(out, "; {} cannot be opened", checked.unusable.len())?;
    }
    // Errors are denied by themselves: only where it is otherwise there is something to say.
    if checked.denied() != checked.count(Severity::Error) {
        write!(out, "; {} denied", checked.denied())?;
    }
    Ok(writeln!(out)?)
}

fn severity(severity: Severity, out: &mut Out) -> io::Result<()> {
    match severity {
        Severity::Error => out.red("error"),
        Severity::Warning => out.yellow("warning"),
        Severity::Note => out.blue("note"),
    }
}

/// All codes, a line each; on a terminal broken at the width of a page.
pub(super) fn list(rules: &[&Rule], out: &mut Out) -> Result<(), Failure> {
    let widest = rules.iter().map(|rule| rule.slug.len()).max().unwrap_or(0);
    for rule in rules {
        write!(out, "{}  ", rule.code)?;
        severity(rule.severity, out)?;
        let gap = "warning".len() - rule.severity.word().len();
        write!(out, "{:gap$}  {:<widest$}", "", rule.slug)?;
        let indent = "Z001  warning  ".len() + widest + 2;
        match out.is_terminal() {
            true => writeln!(
                out,
                "  {}",
                wrapped(rule.title, WIDTH - indent).join(&format!("\n{:indent$}", ""))
            )?,
            false => writeln!(out, "  {}", rule.title)?,
        }
    }
    Ok(())
}

/// All that is known of one code.
pub(super) fn explain(rule: &Rule, out: &mut Out) -> Result<(), Failure> {
    severity(rule.severity, out)?;
    write!(out, " {} ", rule.code)?;
    out.bold(rule.slug)?;
    writeln!(out)?;
    paragraph("", rule.title, out)?;
    Ok(reasons(rule, out)?)
}

/// Text broken at the width of a page, behind a word that says what it is.
fn paragraph(word: &str, text: &str, out: &mut Out) -> io::Result<()> {
    let indent = if word.is_empty() { 4 } else { 10 };
    for (number, line) in wrapped(text, WIDTH - indent).iter().enumerate() {
        match (number, word) {
            (0, "") | (1.., _) => write!(out, "{:indent$}", "")?,
            (0, word) => out.dim(&format!("    {word:<6}"))?,
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_full_as_they_can_be() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one-two-three four", 7), ["one-two-three", "four"]);
        assert_eq!(wrapped("", 7), [""; 0]);
    }
}
