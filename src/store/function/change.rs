//! Functions made, changed and deleted. All that is read, changed and put back happens while nobody else changes anything of
//! the place; one file is put in the place of another, so that a reader sees the function before or after.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::layers::{check_code, check_total};
use super::settings::Settings;
use super::{
    Code, Deleted, Function, FunctionName, Kept, LATEST, Latest, LatestRecord, Store, StoreError, Tags,
    VersionRecord, latest_file, not_found, number_of, read_latest, read_version, version_file,
};
use crate::store::complaint::Complaints;
use crate::store::content::make_directories;
use crate::store::examine::Use;
use crate::store::intake::Taken;
use crate::store::publication::check_architectures;
use crate::store::versions::numbers;
use crate::store::{Intake, Place, date, record};

const STALE: &str = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id";

/// A function that is to be made. Reads AWS's JSON.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NewFunction {
    /// `Zip`, if nothing is said, or `Image`.
    pub package_type: Option<String>,
    /// One of `x86_64`, which is the default, and `arm64`.
    pub architectures: Option<Vec<String>>,
    /// ARNs of layer versions, bottom first.
    pub layers: Option<Vec<String>>,
    /// Names and values to find it by.
    pub tags: Option<Tags>,
    /// Whether version 1 is published at once.
    pub publish: bool,
    /// Its configuration. A role must be there; runtime and handler too, where it is no image.
    #[serde(flatten)]
    pub settings: Settings,
}

/// What is to be changed of a configuration. Reads AWS's JSON.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ConfigurationUpdate {
    /// The whole new list, bottom first.
    pub layers: Option<Vec<String>>,
    /// Only where this is the latest revision.
    pub revision_id: Option<String>,
    /// What is absent is kept.
    #[serde(flatten)]
    pub settings: Settings,
}

/// What is said of new code beside the code. Reads AWS's JSON.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CodeUpdate {
    /// Kept, if nothing is said.
    pub architectures: Option<Vec<String>>,
    /// Whether a version is published at once.
    pub publish: bool,
    /// Only check.
    pub dry_run: bool,
    /// Only where this is the latest revision.
    pub revision_id: Option<String>,
}

/// Where new code comes from.
pub enum NewCode {
    /// A zip.
    Zip(Intake),
    /// The URI of an image.
    Image(String),
}

/// A function that nobody else changes meanwhile, nor collects anything of.
pub(super) struct Edit {
    pub(super) directory: PathBuf,
    pub(super) latest: Latest,
    pub(super) _alone: [File; 2],
}

impl NewCode {
    /// What AWS says where there is none.
    pub fn missing() -> StoreError {
        StoreError::parameter("Please provide a source for function code.")
    }
}

impl NewFunction {
    fn check(&self) -> Result<(), StoreError> {
        let mut wrong = Complaints::default();
        self.settings.complain(&mut wrong);
        if self.settings.role.is_none() {
            wrong.add_null("role");
        }
        if let Some(architectures) = &self.architectures {
            complain_of_architectures(&mut wrong, architectures);
        }
        if let Some(kind) = &self.package_type {
            wrong.one_of("packageType", kind, &["Image", "Zip"]);
        }
        wrong.end()
    }

    fn check_kind(&self, code: &NewCode) -> Result<(), StoreError> {
        let is_image = self.package_type.as_deref() == Some("Image");
        let message = match (is_image, code) {
            (true, _) if self.layers.as_ref().is_some_and(|layers| !layers.is_empty()) => {
                "Lambda layers are not supported for functions created with container images."
            }
            (true, NewCode::Zip(_)) => {
                "Please provide ImageUri when creating a function with packageType Image."
            }
            (false, NewCode::Image(_)) => {
                "Please don't provide ImageUri when creating a function with packageType Zip."
            }
            (false, NewCode::Zip(_))
                if self.settings.runtime.is_none() || self.settings.handler.is_none() =>
            {
                "Runtime and Handler are mandatory parameters for functions created with deployment packages."
            }
            _ => return Ok(()),
        };
        Err(StoreError::parameter(message))
    }
}

impl Store {
    /// Makes a function. `organization` is what its account is a member of, for layers that are granted to that.
    ///
    /// # Errors
    /// What AWS refuses, in AWS's words; or the system's.
    pub fn create_function(
        &self,
        place: &Place,
        name: &str,
        organization: Option<&str>,
        new: NewFunction,
        code: NewCode,
    ) -> Result<Function, StoreError> {
        new.check()?;
        let checked = FunctionName::check(name).ok_or_else(|| not_found(place, name, None))?;
        let directory = self.function_of(place, &checked);
        // A zip on its way has what keeps collections away.
        let _shared = match &code {
            NewCode::Zip(_) => None,
            NewCode::Image(_) => Some(self.make()?),
        };
        new.settings.check(&Settings::default())?;
        let layers = self.attach(place, organization, new.layers.as_deref().unwrap_or_default())?;
        new.check_kind(&code)?;
        refuse_existing(&directory, name)?;
        let (code, _taken) = self.take_code(place, code)?;
        check_total(code.unzipped_size(), &layers)?;
        let mut settings = Settings::defaults(name);
        settings.apply(new.settings);
        let mut kept = Kept {
            settings,
            architectures: new.architectures.unwrap_or_else(|| vec!["x86_64".to_owned()]),
            code,
            layers,
            last_modified: String::new(),
            revision_id: String::new(),
        };
        kept.stamp();
        make_directories(&directory)?;
        let _alone = self.edit(place)?;
        refuse_existing(&directory, name)?;
        let mut latest = Latest {
            function: kept,
            tags: new.tags.unwrap_or_default(),
            published: None,
            numbers_before: clear(&directory)?,
        };
        self.put(&directory, &latest)?;
        match new.publish {
            true => self.publish_latest(place, name, &directory, &mut latest, None),
            false => Ok(Function::of(place, name, None, latest.function)),
        }
    }

    /// Changes the configuration of a function.
    ///
    /// # Errors
    /// What AWS refuses, in AWS's words; or the system's.
    pub fn update_configuration(
        &self,
        place: &Place,
        name: &str,
        organization: Option<&str>,
        update: ConfigurationUpdate,
    ) -> Result<Function, StoreError> {
        let mut wrong = Complaints::default();
        update.settings.complain(&mut wrong);
        wrong.end()?;
        let Edit {
            directory,
            mut latest,
            _alone,
        } = self.edit_function(place, name)?;
        latest.check_revision(update.revision_id.as_deref())?;
        let before = latest.function.clone();
        update.settings.check(&before.settings)?;
        if let Some(arns) = &update.layers {
            if matches!(before.code, Code::Image(_)) && !arns.is_empty() {
                return Err(StoreError::parameter(
                    "Lambda layers are not supported for functions created with container images.",
                ));
            }
            let layers = self.attach(place, organization, arns)?;
            check_total(before.code.unzipped_size(), &layers)?;
            latest.function.layers = layers;
        }
        latest.function.settings.apply(update.settings);
        latest.changed(&before);
        self.put(&directory, &latest)?;
        Ok(Function::of(place, name, None, latest.function))
    }

    /// Gives a function other code.
    ///
    /// # Errors
    /// What AWS refuses, in AWS's words; or the system's.
    pub fn update_code(
        &self,
        place: &Place,
        name: &str,
        update: CodeUpdate,
        code: NewCode,
    ) -> Result<Function, StoreError> {
        let mut wrong = Complaints::default();
        if let Some(architectures) = &update.architectures {
            complain_of_architectures(&mut wrong, architectures);
        }
        wrong.end()?;
        let directory = self.function_directory(place, name, None)?;
        let latest = self.latest(place, name, None)?;
        latest.check_revision(update.revision_id.as_deref())?;
        let message = match (&latest.function.code, &code) {
            (Code::Image(_), NewCode::Zip(_)) => {
                Some("Please provide ImageUri when updating a function with packageType Image.")
            }
            (Code::Zip { .. }, NewCode::Image(_)) => {
                Some("Please don't provide ImageUri when updating a function with packageType Zip.")
            }
            _ => None,
        };
        if let Some(message) = message {
            return Err(StoreError::parameter(message));
        }
        // A zip on its way has what keeps collections away.
        let _shared = match &code {
            NewCode::Zip(_) => None,
            NewCode::Image(_) => Some(self.share()?),
        };
        let (code, _taken) = self.take_code(place, code)?;
        let _alone = self.edit(place)?;
        let mut latest = self.latest(place, name, None)?;
        latest.check_revision(update.revision_id.as_deref())?;
        check_code(code.unzipped_size(), &latest.function.layers)?;
        let before = latest.function.clone();
        latest.function.code = code;
        if let Some(architectures) = update.architectures {
            latest.function.architectures = architectures;
        }
        latest.changed(&before);
        if update.dry_run {
            return Ok(Function::of(place, name, None, latest.function));
        }
        self.put(&directory, &latest)?;
        match update.publish {
            true => self.publish_latest(place, name, &directory, &mut latest, None),
            false => Ok(Function::of(place, name, None, latest.function)),
        }
    }

    /// Deletes a function, or the version of it that the qualifier names. Numbers of versions are never given again, not even
    /// by another function of that name.
    ///
    /// # Errors
    /// What AWS refuses, in AWS's words; or the system's.
    pub fn delete_function(
        &self,
        place: &Place,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(), StoreError> {
        if qualifier == Some(LATEST) {
            return Err(StoreError::parameter(
                "$LATEST version cannot be deleted without deleting the function.",
            ));
        }
        let Edit {
            directory,
            latest,
            _alone,
        } = self.edit_function(place, name)?;
        let numbers_before = latest.numbers_before;
        match qualifier {
            None => {
                let highest = numbers(&directory)?.last().copied().unwrap_or(0);
                let record = LatestRecord::Deleted(Deleted {
                    deleted_date: date::now(),
                    numbers_before: numbers_before.max(highest),
                });
                record::written(&self.scratch(), &record)?.replace(&latest_file(&directory))?;
                clear(&directory)?;
            }
            Some(word) => {
                let Some(number) = number_of(word) else {
                    return Ok(());
                };
                if read_version(&directory, number)?.is_some() {
                    let record = VersionRecord::Deleted(Deleted {
                        deleted_date: date::now(),
                        numbers_before: 0,
                    });
                    record::written(&self.scratch(), &record)?.replace(&version_file(&directory, number))?;
                }
            }
        }
        Ok(())
    }

    /// Sets tags of a function, and removes others.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is no such function.
    pub fn tag(&self, place: &Place, name: &str, set: Tags, removed: &[String]) -> Result<Tags, StoreError> {
        let Edit {
            directory,
            mut latest,
            _alone,
        } = self.edit_function(place, name)?;
        latest.tags.extend(set);
        latest.tags.retain(|name, _| !removed.contains(name));
        self.put(&directory, &latest)?;
        Ok(latest.tags)
    }

    /// A function that is about to be changed.
    pub(super) fn edit_function(&self, place: &Place, name: &str) -> Result<Edit, StoreError> {
        let directory = self.function_directory(place, name, None)?;
        // Nobody waits for a function that is not there, and no store is made for it.
        self.latest(place, name, None)?;
        let _alone = [self.share()?, self.edit(place)?];
        let latest = self.latest(place, name, None)?;
        Ok(Edit {
            directory,
            latest,
            _alone,
        })
    }

    /// Takes code into the store. Until somebody has it, it must be held.
    fn take_code(&self, place: &Place, code: NewCode) -> Result<(Code, Option<Taken>), StoreError> {
        match code {
            NewCode::Image(uri) => Ok((Code::Image(uri), None)),
            NewCode::Zip(intake) => {
                let taken = self.take_in(place, intake, Use::Code)?;
                let code = Code::Zip {
                    sha256: taken.digest,
                    code_size: taken.code_size,
                    unzipped_size: taken.unzipped_size,
                };
                Ok((code, Some(taken)))
            }
        }
    }

    /// Puts what a function is in the place of what it was.
    pub(super) fn put(&self, directory: &Path, latest: &Latest) -> Result<(), StoreError> {
        let record = LatestRecord::Live(Box::new(latest.clone()));
        record::written(&self.scratch(), &record)?.replace(&latest_file(directory))
    }
}

impl Latest {
    pub(super) fn check_revision(&self, revision: Option<&str>) -> Result<(), StoreError> {
        match revision {
            Some(revision) if revision != self.function.revision_id => {
                Err(StoreError::Precondition(STALE.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// That it is no more what it was.
    fn changed(&mut self, before: &Kept) {
        if !self.function.is_like(before) {
            self.published = None;
        }
        self.function.stamp();
    }
}

fn complain_of_architectures(wrong: &mut Complaints, architectures: &[String]) {
    if architectures.is_empty() {
        wrong.add(
            "architectures",
            "[]",
            "Member must have length greater than or equal to 1",
        );
    }
    check_architectures(wrong, "architectures", architectures, 1);
}

fn refuse_existing(directory: &Path, name: &str) -> Result<(), StoreError> {
    match read_latest(directory)? {
        Some(_) => Err(StoreError::Conflict(format!("Function already exist: {name}"))),
        None => Ok(()),
    }
}

/// Removes what is left of a deleted function's versions, and says which numbers are taken.
fn clear(directory: &Path) -> Result<u64, StoreError> {
    let mut highest = match record::read(&latest_file(directory), "a function")? {
        Some(LatestRecord::Deleted(deleted)) => deleted.numbers_before,
        Some(LatestRecord::Live(_)) | None => 0,
    };
    for number in numbers(directory)? {
        record::remove(&version_file(directory, number))?;
        highest = highest.max(number);
    }
    Ok(highest)
}
