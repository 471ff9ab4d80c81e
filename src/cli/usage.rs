//! Words that make no sense together: clap's complaint as one message of ours and what to type instead.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use super::failure::{Class, Failure};

/// Prints what was asked for (help, version) and ends; anything else is a failure with a hint.
pub(super) fn complaint(error: &Error, command: &Command, args: &[OsString]) -> Failure {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    if let DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand | DisplayVersion = error.kind() {
        error.exit();
    }
    let rendered = error.render().to_string();
    Failure::new(Class::Usage, message(&rendered)).hint(hint(error, command, args))
}

/// The first paragraph, on one line: below it stand tips and the usage.
fn message(rendered: &str) -> String {
    let paragraph = rendered.split("\n\n").next().unwrap_or(rendered);
    let lines: Vec<_> = paragraph.lines().map(str::trim).collect();
    let line = lines.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

fn hint(error: &Error, command: &Command, args: &[OsString]) -> String {
    let typed = args.iter().skip(1).filter_map(|arg| arg.to_str());
    let verb = typed
        .filter_map(|arg| command.find_subcommand(arg))
        .find(|verb| !verb.is_hide_set());
    if let Some(said) = suggested(error) {
        return format!("did you mean '{said}'?");
    }
    match (error.kind(), error.get(ContextKind::InvalidSubcommand), verb) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(word)), _) if word.contains(".zip") => {
            "a command comes first: optfs mount LAYER.zip... MOUNTPOINT".to_owned()
        }
        (_, _, Some(verb)) => format!("'optfs {} --help' shows what it takes", verb.get_name()),
        (_, _, None) => "'optfs --help' lists the commands".to_owned(),
    }
}

/// The word that clap takes to be meant.
fn suggested(error: &Error) -> Option<&str> {
    let kinds = [
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedArg,
        ContextKind::SuggestedValue,
    ];
    kinds.into_iter().find_map(|kind| match error.get(kind)? {
        ContextValue::String(word) => Some(word.as_str()),
        ContextValue::Strings(words) => words.first().map(String::as_str),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_one_line() {
        let rendered =
            "error: the following required arguments were not provided:\n  <PATH>...\n\nUsage: optfs cat\n";
        assert_eq!(
            message(rendered),
            "the following required arguments were not provided: <PATH>..."
        );
    }
}
