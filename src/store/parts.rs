//! Objects that come in parts, each uploaded by itself, and become one object at the end or nothing: a directory for each upload,
//! `buckets/NAME/uploads/ID`, with a file for each part.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::content::{make_directories, names, sync};
use super::error::at;
use super::object::{About, Object, ObjectError};
use super::{Intake, Store, StoreError, record};

/// Parts have numbers from 1 to this.
const MOST_PARTS: u32 = 10_000;

/// What an upload will be.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
}

impl Store {
    /// Begins an upload; gives its name.
    ///
    /// # Errors
    /// [`ObjectError`], or the system's.
    pub fn begin_upload(
        &self,
        bucket: &str,
        key: &str,
        content_type: Option<String>,
    ) -> Result<String, StoreError> {
        // Whether the object could be there is asked now, not after hundreds of megabytes.
        match self.object(bucket, key) {
            Err(StoreError::Object(ObjectError::NoSuchKey)) | Ok(_) => {}
            Err(error) => return Err(error),
        }
        let _shared = self.share()?;
        let _kept = self.locked("buckets.lock", File::lock_shared)?;
        self.bucket(bucket)?;
        let id = Uuid::new_v4().simple().to_string();
        let directory = self.buckets().join(bucket).join("uploads").join(&id);
        make_directories(&directory)?;
        let upload = Upload {
            key: key.to_owned(),
            content_type,
        };
        record::written(&self.scratch(), &upload)?.publish(&directory.join("upload.json"))?;
        Ok(id)
    }

    /// Keeps a part; a second one of the same number and content is the first.
    ///
    /// # Errors
    /// [`ObjectError`], or the system's.
    pub fn put_part(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        number: u32,
        etag: &str,
        intake: &Intake,
    ) -> Result<(), StoreError> {
        let (directory, _) = self.upload(bucket, key, upload)?;
        let name = part_name(number, etag).ok_or(ObjectError::InvalidPart)?;
        match intake.incoming.publish(&directory.join(name)) {
            // Aborted meanwhile.
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Err(ObjectError::NoSuchUpload.into())
            }
            done => done.map(|_| ()),
        }
    }

    /// Makes an object of the parts that are named, by number and ETag, in this order.
    ///
    /// # Errors
    /// [`ObjectError`], or the system's.
    pub fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        parts: &[(u32, String)],
        etag: &str,
    ) -> Result<Object, StoreError> {
        let (directory, about) = self.upload(bucket, key, upload)?;
        if parts.is_empty() {
            return Err(ObjectError::InvalidPart.into());
        }
        if !parts.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(ObjectError::InvalidPartOrder.into());
        }
        let mut intake = self.intake(&PathBuf::from(format!("s3://{bucket}/{key}")))?;
        for (number, etag) in parts {
            let name = part_name(*number, etag).ok_or(ObjectError::InvalidPart)?;
            let path = directory.join(name);
            let mut part = match File::open(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err(ObjectError::InvalidPart.into());
                }
                opened => opened.map_err(at(&path))?,
            };
            io::copy(&mut part, intake.incoming.file()).map_err(at(&path))?;
        }
        let about = About {
            etag: etag.to_owned(),
            content_type: about.content_type,
        };
        let object = self.put_object(bucket, key, about, intake)?;
        self.abort_upload(bucket, key, upload)?;
        Ok(object)
    }

    /// Forgets an upload and its parts.
    ///
    /// # Errors
    /// [`ObjectError`], or the system's.
    pub fn abort_upload(&self, bucket: &str, key: &str, upload: &str) -> Result<(), StoreError> {
        let (directory, _) = self.upload(bucket, key, upload)?;
        record::remove(&directory.join("upload.json"))?;
        for name in names(&directory)? {
            record::remove(&directory.join(name))?;
        }
        // A part may just have come; it is found by the next.
        let _ = fs::remove_dir(&directory);
        directory.parent().map_or(Ok(()), sync)
    }

    fn upload(&self, bucket: &str, key: &str, upload: &str) -> Result<(PathBuf, Upload), StoreError> {
        self.bucket(bucket)?;
        let is_id = upload.len() == 32 && upload.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_id {
            return Err(ObjectError::NoSuchUpload.into());
        }
        let directory = self.buckets().join(bucket).join("uploads").join(upload);
        let found: Option<Upload> = record::read(&directory.join("upload.json"), "an upload")?;
        match found.filter(|found| found.key == key) {
            Some(found) => Ok((directory, found)),
            None => Err(ObjectError::NoSuchUpload.into()),
        }
    }
}

/// The file of a part: its number and the ETag that its uploader was told.
fn part_name(number: u32, etag: &str) -> Option<String> {
    let is_etag = etag.len() == 32 && etag.bytes().all(|b| b.is_ascii_hexdigit());
    let fits = (1..=MOST_PARTS).contains(&number) && is_etag;
    fits.then(|| format!("{number}-{}", etag.to_ascii_lowercase()))
}
