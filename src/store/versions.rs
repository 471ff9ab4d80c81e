//! Versions of layers: one small file each, `accounts/ACCOUNT/REGION/layers/NAME/3.json`, which appears whole under a name that
//! was free. A deleted one leaves its file behind, saying so: its number is never given again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::content::{Digest, make_directories, names};
use super::publication::{Filter, Publication};
use super::record;
use super::{LayerName, Place, StoreError};

/// A version of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerVersion {
    /// Where it was published.
    pub place: Place,
    /// Its layer.
    pub name: LayerName,
    /// From 1.
    pub version: u64,
    /// What its publisher said of it.
    pub about: Publication,
    /// When it was published, as AWS writes it.
    pub created_date: String,
    /// Of the zip.
    pub digest: Digest,
    /// Bytes of the zip.
    pub code_size: u64,
    /// Bytes of its files, unzipped.
    pub unzipped_size: u64,
}

/// What a file of a version says.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Record {
    Published(Published),
    Deleted(Deleted),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Published {
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    license_info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatible_runtimes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatible_architectures: Option<Vec<String>>,
    created_date: String,
    sha256: Digest,
    code_size: u64,
    unzipped_size: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Deleted {
    deleted_date: String,
}

impl LayerVersion {
    /// The ARN of its layer.
    pub fn layer_arn(&self) -> String {
        self.place.layer_arn(&self.name)
    }

    /// Its own ARN.
    pub fn arn(&self) -> String {
        format!("{}:{}", self.layer_arn(), self.version)
    }

    /// `name:3`, as it is named on a command line.
    pub fn short(&self) -> String {
        format!("{}:{}", self.name, self.version)
    }

    fn from_record(place: &Place, name: &LayerName, version: u64, record: Published) -> LayerVersion {
        LayerVersion {
            place: place.clone(),
            name: name.clone(),
            version,
            about: Publication {
                description: record.description,
                license_info: record.license_info,
                compatible_runtimes: record.compatible_runtimes,
                compatible_architectures: record.compatible_architectures,
            },
            created_date: record.created_date,
            digest: record.sha256,
            code_size: record.code_size,
            unzipped_size: record.unzipped_size,
        }
    }

    fn record(&self) -> Record {
        let about = self.about.clone();
        Record::Published(Published {
            description: about.description,
            license_info: about.license_info,
            compatible_runtimes: about.compatible_runtimes,
            compatible_architectures: about.compatible_architectures,
            created_date: self.created_date.clone(),
            sha256: self.digest,
            code_size: self.code_size,
            unzipped_size: self.unzipped_size,
        })
    }
}

/// Publishes a version under the next number of its layer, and says which that is.
pub(super) fn add(directory: &Path, scratch: &Path, version: &mut LayerVersion) -> Result<(), StoreError> {
    make_directories(directory)?;
    let file = record::written(scratch, &version.record())?;
    let mut next = numbers(directory)?.last().copied().unwrap_or(0) + 1;
    // Others publish too: who is first has the number, and the others try the next.
    while !file.publish(&file_of(directory, next))? {
        next += 1;
    }
    version.version = next;
    Ok(())
}

/// Puts a version under the number that it has, where nobody has that, or had it once; false where somebody has it.
pub(super) fn put(directory: &Path, scratch: &Path, version: &LayerVersion) -> Result<bool, StoreError> {
    make_directories(directory)?;
    let path = file_of(directory, version.version);
    let file = record::written(scratch, &version.record())?;
    match record::read(&path, "a layer version")? {
        Some(Record::Published(_)) => Ok(false),
        Some(Record::Deleted(_)) => file.replace(&path).map(|()| true),
        None => file.publish(&path),
    }
}

/// A version; none where it never was, or was deleted.
pub(super) fn read(
    directory: &Path,
    place: &Place,
    name: &LayerName,
    number: u64,
) -> Result<Option<LayerVersion>, StoreError> {
    match record::read(&file_of(directory, number), "a layer version")? {
        Some(Record::Published(record)) => Ok(Some(LayerVersion::from_record(place, name, number, record))),
        Some(Record::Deleted(_)) | None => Ok(None),
    }
}

/// Versions of a layer that a filter takes, the highest first: those below a number, where one is given, and so many at most.
pub(super) fn read_some(
    directory: &Path,
    place: &Place,
    name: &LayerName,
    filter: &Filter,
    below: Option<u64>,
    most: usize,
) -> Result<Vec<LayerVersion>, StoreError> {
    let mut some = Vec::new();
    for number in numbers(directory)?.into_iter().rev() {
        if some.len() == most {
            break;
        }
        if below.is_none_or(|below| number < below) {
            let version = read(directory, place, name, number)?;
            some.extend(version.filter(|version| filter.takes(&version.about)));
        }
    }
    Ok(some)
}

/// Deletes a version. The file stays, and with it the number's being taken, at every moment.
pub(super) fn delete(directory: &Path, scratch: &Path, number: u64) -> Result<(), StoreError> {
    let record = Record::Deleted(Deleted {
        deleted_date: super::date::now(),
    });
    record::written(scratch, &record)?.replace(&file_of(directory, number))
}

/// The numbers that were ever given, in order.
pub(super) fn numbers(directory: &Path) -> Result<Vec<u64>, StoreError> {
    let names = names(directory)?;
    let number = |name: &String| name.strip_suffix(".json")?.parse().ok();
    let mut numbers: Vec<_> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn file_of(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number}.json"))
}
