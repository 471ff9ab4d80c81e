//! Functions: their configuration, their code and the layers they have, in the order of the list; what was published of them.
//! Nothing runs here.
//!
//! ```text
//! functions/NAME/latest.json   what the function is, and its tags; or that it was deleted
//! functions/NAME/3.json        a version that was published, or that it was deleted
//! ```
//!
//! A function keeps the digests of its layers: their versions may be deleted, and it still has them.

mod change;
mod environment;
mod layers;
mod publish;
mod reference;
mod settings;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::content::{self, Digest, names};
use super::policy::new_revision;
use super::record;
use super::versions::numbers;
use super::{LayerName, Place, Store, StoreError, date};
pub use change::{CodeUpdate, ConfigurationUpdate, NewCode, NewFunction};
pub use environment::{Environment, Variables};
pub use layers::LayerRef;
pub use publish::VersionOfFunction;
pub(super) use reference::FunctionName;
pub use reference::{FunctionReference, LATEST, Purpose};
pub use settings::{
    DeadLetterConfig, EphemeralStorage, FileSystemConfig, ImageConfig, LoggingConfig, Object, Settings,
    SnapStart, TracingConfig, VpcConfig,
};

/// Names and values that a function is marked with.
pub type Tags = BTreeMap<String, String>;

/// A function as it is, or a version of it as it was published.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Where it is.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// From 1; none is `$LATEST`.
    pub version: Option<u64>,
    /// Its configuration.
    pub settings: Settings,
    /// One.
    pub architectures: Vec<String>,
    /// Its code.
    pub code: Code,
    /// Bottom first.
    pub layers: Vec<LayerRef>,
    /// When it was changed, as AWS writes it.
    pub last_modified: String,
    /// A UUID that changes with every change.
    pub revision_id: String,
}

/// Where the code of a function is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Code {
    /// In the store.
    #[serde(rename_all = "PascalCase")]
    Zip {
        /// Of the zip.
        sha256: Digest,
        /// Bytes of the zip.
        code_size: u64,
        /// Bytes of its files, unzipped.
        unzipped_size: u64,
    },
    /// In an image, which nobody here looks at.
    Image(String),
}

/// What the functions and layers of a place take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of all zips, each as often as a version of a layer or a function has it.
    pub code_bytes: u64,
    /// Functions.
    pub functions: u64,
}

/// What is kept of a function or a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Kept {
    settings: Settings,
    architectures: Vec<String>,
    code: Code,
    layers: Vec<LayerRef>,
    last_modified: String,
    revision_id: String,
}

/// What `latest.json` says.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum LatestRecord {
    Live(Box<Latest>),
    Deleted(Deleted),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Latest {
    function: Kept,
    tags: Tags,
    /// The version that was published of it since it was last changed.
    published: Option<u64>,
    /// The highest number that an earlier function of this name has given.
    numbers_before: u64,
}

/// What `3.json` says.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum VersionRecord {
    Live(Box<Kept>),
    Deleted(Deleted),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Deleted {
    deleted_date: String,
    #[serde(default)]
    numbers_before: u64,
}

impl Function {
    /// Its ARN, without a version.
    pub fn arn(&self) -> String {
        self.place.function_arn(&self.name)
    }

    /// The ARN of this version; of `$LATEST` too.
    pub fn qualified_arn(&self) -> String {
        format!("{}:{}", self.arn(), self.version_word())
    }

    /// `$LATEST`, or the number of a version.
    pub fn version_word(&self) -> String {
        self.version
            .map_or_else(|| LATEST.to_owned(), |number| number.to_string())
    }

    fn of(place: &Place, name: &str, version: Option<u64>, kept: Kept) -> Function {
        Function {
            place: place.clone(),
            name: name.to_owned(),
            version,
            settings: kept.settings,
            architectures: kept.architectures,
            code: kept.code,
            layers: kept.layers,
            last_modified: kept.last_modified,
            revision_id: kept.revision_id,
        }
    }
}

impl Code {
    /// Bytes of the zip; none of an image.
    pub fn size(&self) -> u64 {
        match self {
            Code::Zip { code_size, .. } => *code_size,
            Code::Image(_) => 0,
        }
    }

    /// Bytes of the files in the zip.
    pub fn unzipped_size(&self) -> u64 {
        match self {
            Code::Zip { unzipped_size, .. } => *unzipped_size,
            Code::Image(_) => 0,
        }
    }
}

impl Kept {
    /// Whether two are the same but for date and revision.
    fn is_like(&self, other: &Kept) -> bool {
        (&self.settings, &self.architectures, &self.code, &self.layers)
            == (&other.settings, &other.architectures, &other.code, &other.layers)
    }

    /// That it has just been changed.
    fn stamp(&mut self) {
        self.last_modified = date::now();
        self.revision_id = new_revision();
    }

    fn digests(&self) -> impl Iterator<Item = Digest> {
        let code = match &self.code {
            Code::Zip { sha256, .. } => Some(*sha256),
            Code::Image(_) => None,
        };
        code.into_iter()
            .chain(self.layers.iter().map(|layer| layer.sha256))
    }
}

impl Store {
    /// A function, or the version of it that the qualifier names.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], in AWS's words.
    pub fn function(
        &self,
        place: &Place,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<Function, StoreError> {
        let directory = self.function_directory(place, name, qualifier)?;
        let latest = self.latest(place, name, qualifier)?;
        match qualifier {
            None | Some(LATEST) => Ok(Function::of(place, name, None, latest.function)),
            Some(word) => {
                let number = number_of(word);
                let kept = number
                    .map(|number| read_version(&directory, number))
                    .transpose()?
                    .flatten();
                let kept = kept.ok_or_else(|| not_found(place, name, qualifier))?;
                Ok(Function::of(place, name, number, kept))
            }
        }
    }

    /// The functions of a place, by name.
    ///
    /// # Errors
    /// When a file of the store cannot be read.
    pub fn functions(&self, place: &Place) -> Result<Vec<Function>, StoreError> {
        let mut functions = Vec::new();
        for name in self.function_names(place)? {
            if let Some(latest) = read_latest(&self.function_of(place, &name))? {
                functions.push(Function::of(place, name.as_str(), None, latest.function));
            }
        }
        Ok(functions)
    }

    /// A function and its published versions: `$LATEST`, then from the lowest.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is no such function.
    pub fn function_versions(&self, place: &Place, name: &str) -> Result<Vec<Function>, StoreError> {
        let directory = self.function_directory(place, name, None)?;
        let mut all = vec![self.function(place, name, None)?];
        for (number, kept) in read_versions(&directory)? {
            all.push(Function::of(place, name, Some(number), kept));
        }
        Ok(all)
    }

    /// The tags of a function.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is no such function.
    pub fn tags(&self, place: &Place, name: &str) -> Result<Tags, StoreError> {
        Ok(self.latest(place, name, None)?.tags)
    }

    /// The zip of a function's code; none of an image.
    pub fn function_code(&self, function: &Function) -> Option<PathBuf> {
        match &function.code {
            Code::Zip { sha256, .. } => Some(content::plain(&self.contents(), *sha256)),
            Code::Image(_) => None,
        }
    }

    /// The zip of a layer that a function has, under the name `name:3`, also when that version was deleted since.
    pub fn layer_zip(&self, layer: &LayerRef) -> PathBuf {
        content::named(&self.contents(), layer.sha256, &layer.short())
    }

    /// The ARNs of the functions, of all accounts, that have a layer version; of their published versions too.
    ///
    /// # Errors
    /// When a file of the store cannot be read.
    pub fn functions_with(&self, layer: &str) -> Result<Vec<String>, StoreError> {
        let has = |kept: &Kept| kept.layers.iter().any(|one| one.arn == layer);
        let mut arns = Vec::new();
        for place in self.places()? {
            for name in self.function_names(&place)? {
                let directory = self.function_of(&place, &name);
                let Some(latest) = read_latest(&directory)? else {
                    continue;
                };
                let arn = place.function_arn(name.as_str());
                if has(&latest.function) {
                    arns.push(arn.clone());
                }
                for (number, kept) in read_versions(&directory)? {
                    arns.extend(has(&kept).then(|| format!("{arn}:{number}")));
                }
            }
        }
        Ok(arns)
    }

    /// What the functions and layers of a place take.
    ///
    /// # Errors
    /// When a file of the store cannot be read.
    pub fn usage(&self, place: &Place) -> Result<Usage, StoreError> {
        let mut usage = Usage::default();
        for layer in self.layers_named(place)? {
            let versions = self.versions(place, &layer, &super::Filter::default())?;
            usage.code_bytes += versions.iter().map(|version| version.code_size).sum::<u64>();
        }
        for name in self.function_names(place)? {
            let directory = self.function_of(place, &name);
            let Some(latest) = read_latest(&directory)? else {
                continue;
            };
            usage.functions += 1;
            usage.code_bytes += latest.function.code.size();
            let versions = read_versions(&directory)?;
            usage.code_bytes += versions.iter().map(|(_, kept)| kept.code.size()).sum::<u64>();
        }
        Ok(usage)
    }

    /// Adds the digests that the functions of a place have, all their versions.
    pub(super) fn used_by_functions(
        &self,
        place: &Place,
        used: &mut HashSet<Digest>,
    ) -> Result<(), StoreError> {
        for name in self.function_names(place)? {
            let directory = self.function_of(place, &name);
            let Some(latest) = read_latest(&directory)? else {
                continue;
            };
            used.extend(latest.function.digests());
            for (_, kept) in read_versions(&directory)? {
                used.extend(kept.digests());
            }
        }
        Ok(())
    }

    /// What `latest.json` of a function says.
    fn latest(&self, place: &Place, name: &str, qualifier: Option<&str>) -> Result<Latest, StoreError> {
        let directory = self.function_directory(place, name, qualifier)?;
        read_latest(&directory)?.ok_or_else(|| not_found(place, name, qualifier))
    }

    /// The directory of a function, there or not; a name that no function can have is not found.
    fn function_directory(
        &self,
        place: &Place,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<PathBuf, StoreError> {
        let checked = FunctionName::check(name);
        let directory = checked.map(|name| self.function_of(place, &name));
        directory.ok_or_else(|| not_found(place, name, qualifier))
    }

    fn function_of(&self, place: &Place, name: &FunctionName) -> PathBuf {
        self.functions_of(place).join(name.as_str())
    }

    fn functions_of(&self, place: &Place) -> PathBuf {
        self.place(place).join("functions")
    }

    fn function_names(&self, place: &Place) -> Result<Vec<FunctionName>, StoreError> {
        let names = names(&self.functions_of(place))?;
        Ok(names
            .iter()
            .filter_map(|name| FunctionName::check(name))
            .collect())
    }
}

/// AWS's words for a function that is not there.
fn not_found(place: &Place, name: &str, qualifier: Option<&str>) -> StoreError {
    let arn = place.function_arn(name);
    let qualifier = qualifier.map_or(String::new(), |qualifier| format!(":{qualifier}"));
    StoreError::NotFound(format!("Function not found: {arn}{qualifier}"))
}

/// The number that a qualifier is, as it is written.
fn number_of(word: &str) -> Option<u64> {
    word.parse()
        .ok()
        .filter(|number: &u64| number.to_string() == word)
}

fn latest_file(directory: &Path) -> PathBuf {
    directory.join("latest.json")
}

fn version_file(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number}.json"))
}

fn read_latest(directory: &Path) -> Result<Option<Latest>, StoreError> {
    match record::read(&latest_file(directory), "a function")? {
        Some(LatestRecord::Live(latest)) => Ok(Some(*latest)),
        Some(LatestRecord::Deleted(_)) | None => Ok(None),
    }
}

fn read_version(directory: &Path, number: u64) -> Result<Option<Kept>, StoreError> {
    match record::read(&version_file(directory, number), "a function's version")? {
        Some(VersionRecord::Live(kept)) => Ok(Some(*kept)),
        Some(VersionRecord::Deleted(_)) | None => Ok(None),
    }
}

/// The published versions, from the lowest.
fn read_versions(directory: &Path) -> Result<Vec<(u64, Kept)>, StoreError> {
    let mut versions = Vec::new();
    for number in numbers(directory)? {
        versions.extend(read_version(directory, number)?.map(|kept| (number, kept)));
    }
    Ok(versions)
}
