//! The list of verbs in `optfs --help`, by what they are for: clap knows one flat list.
//!
//! Which verbs there are, and what each says of itself, stays with `Verb`.

use std::fmt::Write;

use clap::builder::Styles;
use clap::{Command, Subcommand};

use super::Verb;

/// Every verb that is shown stands in one of these.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Mount and run", &["mount", "umount", "run", "env", "extract"]),
    ("Look", &["ls", "tree", "cat", "stat", "explore"]),
    (
        "Explain",
        &["which", "shadows", "resolve", "torn", "diff", "order", "report"],
    ),
    ("Guard", &["check", "ci", "hash", "lock"]),
    ("Publish", &["layer", "function", "serve", "gc"]),
    ("Tools", &["doctor", "bench", "completions", "help"]),
];

/// What is said of `help`, which clap brings.
const ABOUT_HELP: &str = "Show what a verb takes, as in 'optfs help which'";

/// The page of `optfs --help`, with clap's own parts in braces.
pub(super) fn page() -> String {
    let verbs = Verb::augment_subcommands(Command::new("optfs"));
    let styles = Styles::styled();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut page = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for (group, names) in GROUPS {
        let _ = writeln!(page, "\n{header}{group}:{header:#}");
        for name in names {
            let about = verbs.find_subcommand(name).and_then(Command::get_about);
            let about = about.map_or_else(|| ABOUT_HELP.to_owned(), ToString::to_string);
            let _ = writeln!(page, "  {literal}{name:<12}{literal:#} {about}");
        }
    }
    let _ = write!(page, "\n{header}Options:{header:#}\n{{options}}{{after-help}}");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_stands_once_in_the_list_and_on_one_line() {
        let verbs = Verb::augment_subcommands(Command::new("optfs"));
        let shown = verbs.get_subcommands().filter(|verb| !verb.is_hide_set());
        let mut shown: Vec<_> = shown.map(|verb| verb.get_name().to_owned()).collect();
        shown.push("help".to_owned());
        shown.sort();
        let mut listed: Vec<_> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        listed.sort();
        assert_eq!(listed, shown);
        for verb in verbs.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let about = verb.get_about().unwrap().to_string();
            assert!("  completions  ".len() + about.len() <= 80, "{about}");
        }
    }
}
