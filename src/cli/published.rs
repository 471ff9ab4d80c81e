//! Published layers as the command line names them: `--store`, `--account`, `--region`, and the zip that `name`, `name:3` or
//! an ARN stands for, wherever a layer is taken.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::{Class, Failure};
use super::printable::printable;
use crate::store::{Filter, Place, Reference, Store, StoreError};

/// Where help lists the options.
const HEADING: &str = "Published layers";
/// How many names that are near are said.
const MOST_NEAR: usize = 3;

/// Where published layers are.
#[derive(Args, Debug, Clone, Default)]
pub(super) struct StoreArgs {
    /// The store of published layers [default: optfs/store in the user's data directory]
    #[arg(long, value_name = "DIR", env = "OPTFS_STORE", hide_env_values = true, help_heading = HEADING)]
    store: Option<PathBuf>,
    /// The account whose layers are meant [default: 123456789012]
    #[arg(long, value_name = "ID", env = "OPTFS_ACCOUNT", hide_env_values = true, help_heading = HEADING)]
    account: Option<String>,
    /// The region whose layers are meant [default: us-east-1]
    #[arg(long, value_name = "REGION", env = "AWS_REGION", hide_env_values = true, help_heading = HEADING)]
    region: Option<String>,
}

/// Where published layers are, and how the answer is to be written.
#[derive(Args)]
pub(super) struct AnswerArgs {
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// One JSON object, with AWS's names
    #[arg(long)]
    pub(super) json: bool,
}

impl StoreArgs {
    /// The store; the directory need not be there.
    pub(super) fn open(&self) -> Result<Store, Failure> {
        let Some(root) = self.root() else {
            return Err(
                Failure::new(Class::Trouble, "no directory for the store is known")
                    .hint("name one with --store DIR, or set HOME"),
            );
        };
        Ok(Store::open(&std::path::absolute(root)?)?)
    }

    fn root(&self) -> Option<PathBuf> {
        let named = self.store.clone().filter(|named| !named.as_os_str().is_empty());
        named.or_else(|| default_directory(|name| std::env::var_os(name)))
    }

    /// Account and region.
    pub(super) fn place(&self) -> Result<Place, Failure> {
        let other = std::env::var("AWS_DEFAULT_REGION").ok();
        let or = |named: Option<&String>, default: &str| match named {
            Some(named) if !named.is_empty() => named.clone(),
            _ => default.to_owned(),
        };
        let account = or(self.account.as_ref(), Place::DEFAULT_ACCOUNT);
        let region = or(other.as_ref(), Place::DEFAULT_REGION);
        let region = or(self.region.as_ref(), &region);
        Place::new(&account, &region)
            .map_err(|error| Failure::from(error).hint("name them with --account and --region"))
    }

    /// The zip that a word for a layer means. A file of that very name is meant first, and what has a slash or a dot in it is
    /// never a name in the store.
    pub(super) fn zip_of(&self, word: &Path) -> Result<PathBuf, Failure> {
        let meta = fs::metadata(word);
        let is_file = match &meta {
            Ok(meta) => !meta.is_dir(),
            Err(error) => error.kind() != ErrorKind::NotFound,
        };
        let Some(reference) = reference(word).filter(|_| !is_file) else {
            return Ok(word.to_owned());
        };
        match self.find(&reference)? {
            Ok(zip) => Ok(zip),
            // Of a directory there is better advice where it is opened.
            Err(_) if meta.is_ok() => Ok(word.to_owned()),
            Err(unknown) => Err(unknown),
        }
    }

    /// The zip of a layer of the store, where a word names one.
    pub(super) fn published(&self, word: &Path) -> Result<Option<PathBuf>, Failure> {
        match reference(word).filter(|_| self.root().is_some()) {
            None => Ok(None),
            Some(reference) => Ok(self.find(&reference)?.ok()),
        }
    }

    /// The zip, or what to say where there is none.
    fn find(&self, reference: &Reference) -> Result<Result<PathBuf, Failure>, Failure> {
        let (store, here) = (self.open()?, self.place()?);
        match store.find(&here, reference) {
            Ok(version) => Ok(Ok(store.zip(&version))),
            Err(StoreError::NotFound(_)) => Ok(Err(unknown(&store, &here, reference)?)),
            Err(error) => Err(error.into()),
        }
    }
}

/// A word that can name a layer of a store.
fn reference(word: &Path) -> Option<Reference> {
    Reference::parse(word.to_str()?)
}

/// That there is no such layer, or no such version; and what there is.
pub(super) fn unknown(store: &Store, here: &Place, reference: &Reference) -> Result<Failure, Failure> {
    let place = reference.place.as_ref().unwrap_or(here);
    let root = printable(store.root().as_os_str().as_encoded_bytes()).into_owned();
    let (name, account, region) = (&reference.name, place.account(), place.region());
    let versions = store.versions(place, name, &Filter::default())?;
    if let (Some(number), Some(highest)) = (reference.version, versions.first()) {
        let message = format!("{name}:{number}: the layer has no such version in the store {root}");
        return Ok(Failure::new(Class::Layer, message).hint(format_args!(
            "the highest is {}; 'optfs layer versions {name}' lists them",
            highest.short()
        )));
    }
    let message = format!(
        "{name}: no such file, and no such layer in the store {root} (account {account}, region {region})"
    );
    let layers = store.layers(place, &Filter::default())?;
    let names: Vec<_> = layers.iter().map(|layer| layer.name.to_string()).collect();
    let near = near(&name.to_string(), &names);
    Ok(
        Failure::new(Class::Layer, message).hint(match (near.is_empty(), names.is_empty()) {
            (false, _) => format!("near to it: {}", near.join(", ")),
            (true, false) => {
                "'optfs layer list' lists the layers there are; a path begins with ./ or /".to_owned()
            }
            (true, true) => {
                format!("publish it first: optfs layer publish {name} --zip FILE; or check the path")
            }
        }),
    )
}

/// What of the code or the layer cannot be read is its trouble, where it is no file of the store. `hints` are for what is not
/// there, and for a directory in the place of a zip.
pub(super) fn not_readable(error: StoreError, hints: [&str; 2]) -> Failure {
    match &error {
        StoreError::Io { path, source } if source.kind() == ErrorKind::NotFound => {
            let message = format!("{}: no such file or directory", path.display());
            Failure::new(Class::Layer, message).hint(hints[0])
        }
        StoreError::Io { path, source } if source.kind() == ErrorKind::IsADirectory => {
            let message = format!("{}: a directory, not a zip", path.display());
            Failure::new(Class::Layer, message).hint(hints[1])
        }
        _ => error.into(),
    }
}

/// The names that are most like one.
pub(super) fn near<'a>(wanted: &str, names: &'a [String]) -> Vec<&'a str> {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    similar::get_close_matches(wanted, &names, MOST_NEAR, 0.6)
}

fn default_directory(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    // The XDG Base Directory Specification: what is not absolute is to be ignored.
    let data = path("XDG_DATA_HOME").or_else(|| Some(path("HOME")?.join(".local/share")))?;
    Some(data.join("optfs/store"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_data_directory_is_found() {
        let with = |data: &str, home: &str| {
            default_directory(|name| match name {
                "XDG_DATA_HOME" => Some(data.into()),
                _ => Some(home.into()),
            })
        };
        assert_eq!(with("/d", "/h"), Some("/d/optfs/store".into()));
        assert_eq!(with("", "/h"), Some("/h/.local/share/optfs/store".into()));
        assert_eq!(with("", ""), None);
    }

    #[test]
    fn near_names_are_found() {
        let names = ["requests", "numpy", "request-tools"].map(str::to_owned);
        assert_eq!(near("reqests", &names)[0], "requests");
        assert!(near("zzz", &names).is_empty());
    }
}
