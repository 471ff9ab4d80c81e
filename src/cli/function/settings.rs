//! The configuration and the layers of a function as options: those of AWS's own command line, and shorter ones.

use std::fs;

use clap::Args;
use serde::de::DeserializeOwned;

use crate::cli::failure::{Class, Failure};
use crate::cli::published::unknown;
use crate::store::function::{Environment, Settings};
use crate::store::{Place, Reference, Store, StoreError};

/// Where help lists them.
const HEADING: &str = "Configuration";

#[derive(Args)]
pub(super) struct SettingsArgs {
    /// Such as python3.12
    #[arg(long, value_name = "RUNTIME", help_heading = HEADING)]
    runtime: Option<String>,
    /// What Lambda calls, such as index.handler
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    handler: Option<String>,
    /// The ARN of a role, which nobody looks up [default for create: one named optfs]
    #[arg(long, value_name = "ARN", help_heading = HEADING)]
    role: Option<String>,
    /// What it is, at most 256 characters
    #[arg(long, value_name = "TEXT", help_heading = HEADING)]
    description: Option<String>,
    /// Seconds, 1 to 900 [default for create: 3]
    #[arg(long, value_name = "SECONDS", help_heading = HEADING, allow_negative_numbers = true)]
    timeout: Option<i64>,
    /// Megabytes, 128 to 10240 [default for create: 128]
    #[arg(long, value_name = "MB", help_heading = HEADING, allow_negative_numbers = true)]
    memory_size: Option<i64>,
    /// An environment variable (can be repeated); those that are named are all there are then
    #[arg(long, value_name = "NAME=VALUE", help_heading = HEADING)]
    env: Vec<String>,
    /// All variables as AWS's command line takes them: Variables={NAME=VALUE,...} or JSON
    #[arg(long, value_name = "VARIABLES", conflicts_with = "env", help_heading = HEADING)]
    environment: Option<String>,
    /// The key that the variables are encrypted with, on AWS
    #[arg(long, value_name = "ARN", help_heading = HEADING)]
    kms_key_arn: Option<String>,
    /// All the rest of AWS's members, as JSON or file://FILE; the options above go over it
    #[arg(long, value_name = "JSON", help_heading = HEADING)]
    cli_input_json: Option<String>,
}

#[derive(Args)]
pub(super) struct LayerArgs {
    /// Layer versions, first to last: NAME, NAME:3 or ARNs; none, or [], takes them all away
    #[arg(long, value_name = "LAYER", num_args = 0..)]
    layers: Option<Vec<String>>,
    /// The organization that the account is a member of, for layers that are granted to that
    #[arg(long, value_name = "ID", env = "OPTFS_ORGANIZATION", hide_env_values = true)]
    organization: Option<String>,
}

impl SettingsArgs {
    /// What is asked beyond the options.
    pub(super) fn input<T: DeserializeOwned + Default>(&self) -> Result<T, Failure> {
        let Some(input) = &self.cli_input_json else {
            return Ok(T::default());
        };
        let refuse = |why: &dyn std::fmt::Display| {
            Failure::new(Class::Usage, format_args!("--cli-input-json: {why}"))
                .hint("AWS's names, as in '{\"Timeout\": 9}'; 'aws lambda create-function --generate-cli-skeleton' lists them")
        };
        let text = match input.strip_prefix("file://") {
            Some(file) => {
                fs::read_to_string(file).map_err(|error| refuse(&format_args!("{file}: {error}")))?
            }
            None => input.clone(),
        };
        serde_json::from_str(&text).map_err(|error| refuse(&error))
    }

    /// Whether anything is asked.
    pub(super) fn asks(&self) -> bool {
        let texts = [
            &self.runtime,
            &self.handler,
            &self.role,
            &self.description,
            &self.environment,
            &self.kms_key_arn,
            &self.cli_input_json,
        ];
        texts.iter().any(|text| text.is_some())
            || self.timeout.is_some()
            || self.memory_size.is_some()
            || !self.env.is_empty()
    }

    /// Sets what the options say.
    pub(super) fn apply(&self, settings: &mut Settings) -> Result<(), Failure> {
        fn set<T: Clone>(old: &mut Option<T>, new: &Option<T>) {
            if new.is_some() {
                old.clone_from(new);
            }
        }
        set(&mut settings.runtime, &self.runtime);
        set(&mut settings.handler, &self.handler);
        set(&mut settings.role, &self.role);
        set(&mut settings.description, &self.description);
        set(&mut settings.timeout, &self.timeout);
        set(&mut settings.memory_size, &self.memory_size);
        set(&mut settings.kms_key_arn, &self.kms_key_arn);
        if let Some(text) = &self.environment {
            settings.environment = Some(environment(text)?);
        }
        if !self.env.is_empty() {
            let variables = self.env.iter().map(|word| name_and_value(word));
            let variables = variables.collect::<Result<_, _>>()?;
            settings.environment = Some(Environment { variables });
        }
        Ok(())
    }
}

impl LayerArgs {
    /// The ARNs of the layers, where any are named.
    pub(super) fn arns(&self, store: &Store, here: &Place) -> Result<Option<Vec<String>>, Failure> {
        let Some(words) = &self.layers else {
            return Ok(None);
        };
        if let [word] = &words[..]
            && word == "[]"
        {
            return Ok(Some(Vec::new()));
        }
        let arns = words.iter().map(|word| arn(word, store, here));
        arns.collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn organization(&self) -> Option<&str> {
        self.organization
            .as_deref()
            .filter(|organization| !organization.is_empty())
    }
}

/// The ARN of a version that a word names. What is an ARN, or nothing that names a layer, is left to AWS's checks.
fn arn(word: &str, store: &Store, here: &Place) -> Result<String, Failure> {
    let Some(reference) = Reference::parse(word).filter(|reference| reference.place.is_none()) else {
        return Ok(word.to_owned());
    };
    match store.find(here, &reference) {
        Ok(version) => Ok(version.arn()),
        Err(StoreError::NotFound(_)) => Err(unknown(store, here, &reference)?),
        Err(error) => Err(error.into()),
    }
}

/// `NAME=VALUE`
pub(super) fn name_and_value(word: &str) -> Result<(String, String), Failure> {
    match word.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Failure::new(Class::Usage, format_args!("{word}: no NAME=VALUE"))
            .hint("a name, '=' and a value, which may be empty")),
    }
}

/// AWS's shorthand, `Variables={NAME=VALUE,NAME="a, b"}`, or its JSON.
fn environment(text: &str) -> Result<Environment, Failure> {
    let refuse = |why: &dyn std::fmt::Display| {
        Failure::new(Class::Usage, format_args!("--environment: {why}"))
            .hint("such as 'Variables={NAME=VALUE,OTHER=VALUE}'; or --env NAME=VALUE for each")
    };
    let text = text.trim();
    if text.starts_with('{') {
        return serde_json::from_str(text).map_err(|error| refuse(&error));
    }
    let inside = text
        .strip_prefix("Variables=")
        .and_then(|rest| rest.strip_prefix('{'));
    let Some(inside) = inside.and_then(|rest| rest.strip_suffix('}')) else {
        return Err(refuse(&format_args!(
            "{text}: neither Variables={{...}} nor JSON"
        )));
    };
    let pairs = pairs(inside);
    let variables = pairs
        .iter()
        .filter(|pair| !pair.is_empty())
        .map(|pair| name_and_value(pair));
    let variables = variables.collect::<Result<_, _>>()?;
    Ok(Environment { variables })
}

/// Parts between commas. In quotes a comma is none, and a backslash keeps the next character as it is.
fn pairs(text: &str) -> Vec<String> {
    let (mut pairs, mut quote) = (vec![String::new()], None);
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        let last = pairs.len() - 1;
        match (char, quote) {
            ('\\', Some(_)) => pairs[last].extend(chars.next()),
            (char, Some(open)) if char == open => quote = None,
            ('"' | '\'', None) => quote = Some(char),
            (',', None) => pairs.push(String::new()),
            _ => pairs[last].push(char),
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_as_awss_command_line_reads_them() {
        let read = |text: &str| {
            let environment = environment(text).ok()?;
            let all = environment
                .variables
                .iter()
                .map(|(name, value)| format!("{name}:{value}"));
            Some(all.collect::<Vec<_>>().join(" "))
        };
        assert_eq!(read("Variables={A=b,C=}").as_deref(), Some("A:b C:"));
        assert_eq!(
            read(r#"Variables={A="b, c",B='d',C=e=f}"#).as_deref(),
            Some("A:b, c B:d C:e=f")
        );
        assert_eq!(
            read(r#"{"Variables": {"B": "1", "A": "2"}}"#).as_deref(),
            Some("B:1 A:2")
        );
        assert_eq!(read("Variables={}").as_deref(), Some(""));
        for no in ["A=b", "Variables=A", "Variables={A}", "{", "Variables={=a}"] {
            assert_eq!(read(no), None, "{no}");
        }
    }
}
