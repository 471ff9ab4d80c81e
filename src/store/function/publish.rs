//! Versions of functions: what a function is now, under the next number, for ever.

use std::path::Path;

use serde::Deserialize;

use super::change::Edit;
use super::{Function, Latest, Store, StoreError, VersionRecord, read_version, version_file};
use crate::store::complaint::Complaints;
use crate::store::policy::new_revision;
use crate::store::versions::numbers;
use crate::store::{Place, record, shape};

/// A version that is to be published. Reads AWS's JSON.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VersionOfFunction {
    /// Only where the code has this digest, in base64.
    #[serde(rename = "CodeSha256")]
    pub code_sha256: Option<String>,
    /// In the place of the function's own, at most 256 characters.
    pub description: Option<String>,
    /// Only where this is the latest revision.
    pub revision_id: Option<String>,
}

impl Store {
    /// Publishes what a function is now as its next version. Where nothing was changed since the last one, that is the answer.
    ///
    /// # Errors
    /// What AWS refuses, in AWS's words; or the system's.
    pub fn publish_version(
        &self,
        place: &Place,
        name: &str,
        about: VersionOfFunction,
    ) -> Result<Function, StoreError> {
        let mut wrong = Complaints::default();
        wrong.longest("description", about.description.as_deref().unwrap_or(""), 256);
        wrong.end()?;
        let Edit {
            directory,
            mut latest,
            _alone,
        } = self.edit_function(place, name)?;
        latest.check_revision(about.revision_id.as_deref())?;
        let digest = shape::code_sha256(&latest.function.code);
        if let Some(expected) = about.code_sha256.filter(|expected| *expected != digest) {
            return Err(StoreError::parameter(format!(
                "CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST ({digest}). Please try again with the CodeSHA256 \
                 in $LATEST."
            )));
        }
        self.publish_latest(place, name, &directory, &mut latest, about.description)
    }

    /// Publishes, for whoever has the place to himself.
    pub(super) fn publish_latest(
        &self,
        place: &Place,
        name: &str,
        directory: &Path,
        latest: &mut Latest,
        description: Option<String>,
    ) -> Result<Function, StoreError> {
        if let Some(number) = latest.published
            && let Some(kept) = read_version(directory, number)?
        {
            return Ok(Function::of(place, name, Some(number), kept));
        }
        let mut kept = latest.function.clone();
        kept.revision_id = new_revision();
        if let Some(description) = description {
            kept.settings.description = Some(description);
        }
        let file = record::written(&self.scratch(), &VersionRecord::Live(Box::new(kept.clone())))?;
        let highest = numbers(directory)?.last().copied().unwrap_or(0);
        let mut number = highest.max(latest.numbers_before) + 1;
        while !file.publish(&version_file(directory, number))? {
            number += 1;
        }
        latest.published = Some(number);
        self.put(directory, latest)?;
        Ok(Function::of(place, name, Some(number), kept))
    }
}
