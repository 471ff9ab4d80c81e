//! The file of thresholds, `.optfs-ci.toml`: its keys, and what flags take over.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::Thresholds;
use crate::cli::check::Measure;
use crate::cli::failure::{Class, Failure};
use crate::cli::size;
use crate::explain::check::{Arch, Selector};
use crate::launch::runtime::Runtime;

/// What a file may say, each key as the flag of its name.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Config {
    #[serde(deserialize_with = "share")]
    lowest_efficiency: Option<f64>,
    #[serde(deserialize_with = "bytes")]
    highest_wasted_bytes: Option<u64>,
    #[serde(deserialize_with = "percent")]
    highest_wasted_percent: Option<f64>,
    max_layers: Option<u64>,
    #[serde(deserialize_with = "bytes")]
    max_unzipped: Option<u64>,
    #[serde(deserialize_with = "bytes")]
    max_zipped: Option<u64>,
    deny: Vec<Parsed<Selector>>,
    allow: Vec<Parsed<Selector>>,
    deep: bool,
    arch: Option<Parsed<Arch>>,
    runtime: Option<Parsed<Runtime>>,
}

impl Config {
    /// Reads the file that is named, or the default one where it is.
    pub(super) fn load(named: Option<&Path>, default: &str) -> Result<Config, Failure> {
        let path = named.unwrap_or(Path::new(default));
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => {
                return Ok(Config::default());
            }
            Err(error) => {
                let why = match error.kind() {
                    ErrorKind::NotFound => "no such file".to_owned(),
                    _ => error.to_string(),
                };
                return Err(
                    Failure::new(Class::Usage, format_args!("{}: {why}", path.display()))
                        .hint("name a text file of thresholds with --config"),
                );
            }
        };
        toml::from_str(&text).map_err(|error| {
            let line = error
                .span()
                .map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let line = line.map_or(String::new(), |line| format!("{line}: "));
            let message = error.message().lines().collect::<Vec<_>>().join(" ");
            Failure::new(Class::Usage, format_args!("{}:{line}{message}", path.display()))
                .hint("'optfs ci --help' shows what a file may hold")
        })
    }

    /// The thresholds; those of flags count before the file's.
    pub(super) fn thresholds(&self, flags: &Thresholds) -> Thresholds {
        Thresholds {
            lowest_efficiency: flags.lowest_efficiency.or(self.lowest_efficiency),
            highest_wasted_bytes: flags.highest_wasted_bytes.or(self.highest_wasted_bytes),
            highest_wasted_percent: flags.highest_wasted_percent.or(self.highest_wasted_percent),
            max_layers: flags.max_layers.or(self.max_layers),
            max_unzipped: flags.max_unzipped.or(self.max_unzipped),
            max_zipped: flags.max_zipped.or(self.max_zipped),
        }
    }

    /// What is looked at and what fails. What flags deny or allow they take from the file's other list.
    pub(super) fn measure(&self, flags: &Measure) -> Measure {
        let joined = |own: &[Parsed<Selector>], flags: &[Selector], others: &[Selector]| {
            let own = own
                .iter()
                .map(|parsed| parsed.0)
                .filter(|one| !others.contains(one));
            own.chain(flags.iter().copied()).collect()
        };
        Measure {
            deny: joined(&self.deny, &flags.deny, &flags.allow),
            allow: joined(&self.allow, &flags.allow, &flags.deny),
            deep: flags.deep || self.deep,
            arch: flags.arch.or(self.arch.as_ref().map(|parsed| parsed.0)),
            runtime: flags.runtime.or(self.runtime.as_ref().map(|parsed| parsed.0)),
            no_progress: flags.no_progress,
        }
    }
}

/// A word that is read as a flag's would be.
#[derive(Debug, Clone, Copy)]
struct Parsed<T>(T);

impl<'de, T> Deserialize<'de> for Parsed<T>
where
    T: std::str::FromStr,
    T::Err: fmt::Display,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Parsed).map_err(D::Error::custom)
    }
}

/// A size as a number of bytes or as a text such as "20M".
fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    struct Size;

    impl Visitor<'_> for Size {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number of bytes or a size such as \"20M\"")
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
            u64::try_from(number).map_err(|_| E::custom("a size is not negative"))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
            size::parse(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_any(Size).map(Some)
}

fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    within(deserializer, 1.0)
}

fn percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    within(deserializer, 100.0)
}

fn within<'de, D: Deserializer<'de>>(deserializer: D, most: f64) -> Result<Option<f64>, D::Error> {
    let number = f64::deserialize(deserializer)?;
    match (0.0..=most).contains(&number) {
        true => Ok(Some(number)),
        false => Err(D::Error::custom(format_args!(
            "expected a number from 0 to {most}"
        ))),
    }
}
