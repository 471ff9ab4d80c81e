//! Buckets and objects, as many as it takes to publish from S3: a small file for each object, and its bytes with those of the
//! layers, once. The names of buckets are one for all accounts and regions, as on AWS.
//!
//! ```text
//! buckets/NAME/bucket.json                 region and date; without it there is no bucket
//! buckets/NAME/objects/SHA256-OF-KEY.json  key, digest, size, ETag: an object
//! buckets/NAME/uploads/                    objects that come in parts: see parts
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::content::{self, Digest, Incoming, make_directories, names, sync};
use super::error::at;
use super::{Intake, Place, Store, StoreError, date, record};

/// The longest key, in bytes.
const LONGEST_KEY: usize = 1024;

/// What S3 refuses, in its words; the variants are its codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ObjectError {
    /// 409
    #[error("Your previous request to create the named bucket succeeded and you already own it.")]
    BucketAlreadyOwnedByYou,
    /// 409
    #[error("The bucket you tried to delete is not empty")]
    BucketNotEmpty,
    /// 400
    #[error("The specified bucket is not valid.")]
    InvalidBucketName,
    /// 400
    #[error(
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not \
         match the part's entity tag."
    )]
    InvalidPart,
    /// 400
    #[error("The list of parts was not in ascending order. Parts must be ordered by part number.")]
    InvalidPartOrder,
    /// 400
    #[error("Your key is too long")]
    KeyTooLong,
    /// 404
    #[error("The specified bucket does not exist")]
    NoSuchBucket,
    /// 404
    #[error("The specified key does not exist.")]
    NoSuchKey,
    /// 404
    #[error(
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
    )]
    NoSuchUpload,
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// 3 to 63 lower-case letters, digits, dots and hyphens.
    pub name: String,
    /// Where it was made.
    pub region: String,
    /// When, as [`date`] writes it.
    pub created_date: String,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// At most 1,024 bytes of UTF-8.
    pub key: String,
    /// Its bytes.
    pub size: u64,
    /// Of its bytes.
    pub digest: Digest,
    /// What its uploader's service calls its content.
    pub etag: String,
    /// What it was said to be.
    pub content_type: Option<String>,
    /// When it was put.
    pub modified: SystemTime,
}

/// What is said of an object with its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct About {
    /// What its uploader's service calls its content.
    #[serde(rename = "ETag")]
    pub etag: String,
    /// A media type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BucketRecord {
    region: String,
    created_date: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ObjectRecord {
    key: String,
    size: u64,
    sha256: Digest,
    modified_ms: u64,
    #[serde(flatten)]
    about: About,
}

impl ObjectError {
    /// S3's code.
    pub fn code(self) -> &'static str {
        match self {
            ObjectError::BucketAlreadyOwnedByYou => "BucketAlreadyOwnedByYou",
            ObjectError::BucketNotEmpty => "BucketNotEmpty",
            ObjectError::InvalidBucketName => "InvalidBucketName",
            ObjectError::InvalidPart => "InvalidPart",
            ObjectError::InvalidPartOrder => "InvalidPartOrder",
            ObjectError::KeyTooLong => "KeyTooLongError",
            ObjectError::NoSuchBucket => "NoSuchBucket",
            ObjectError::NoSuchKey => "NoSuchKey",
            ObjectError::NoSuchUpload => "NoSuchUpload",
        }
    }
}

impl Store {
    /// Makes a bucket.
    ///
    /// # Errors
    /// [`ObjectError`], or the system's.
    pub fn create_bucket(&self, place: &Place, name: &str) -> Result<(), StoreError> {
        if !is_bucket_name(name) {
            return Err(ObjectError::InvalidBucketName.into());
        }
        let _shared = self.make()?;
        let _alone = self.locked("buckets.lock", File::lock)?;
        let directory = self.buckets().join(name);
        for part in ["objects", "uploads"] {
            make_directories(&directory.join(part))?;
        }
        let bucket = BucketRecord {
            region: place.region().to_owned(),
            created_date: date::now(),
        };
        match record::written(&self.scratch(), &bucket)?.publish(&directory.join("bucket.json"))? {
            true => Ok(()),
            false => Err(ObjectError::BucketAlreadyOwnedByYou.into()),
        }
    }

    /// A bucket.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchBucket`], or the system's.
    pub fn bucket(&self, name: &str) -> Result<Bucket, StoreError> {
        let found: Option<BucketRecord> = match is_bucket_name(name) {
            true => record::read(&self.buckets().join(name).join("bucket.json"), "a bucket")?,
            false => None,
        };
        let found = found.ok_or(ObjectError::NoSuchBucket)?;
        Ok(Bucket {
            name: name.to_owned(),
            region: found.region,
            created_date: found.created_date,
        })
    }

    /// All buckets, by name.
    ///
    /// # Errors
    /// When a file of the store cannot be read.
    pub fn list_buckets(&self) -> Result<Vec<Bucket>, StoreError> {
        let mut buckets = Vec::new();
        for name in names(&self.buckets())? {
            match self.bucket(&name) {
                Err(StoreError::Object(_)) => {}
                bucket => buckets.push(bucket?),
            }
        }
        Ok(buckets)
    }

    /// Removes a bucket that has no objects.
    ///
    /// # Errors
    /// [`ObjectError`], or the system's.
    pub fn delete_bucket(&self, name: &str) -> Result<(), StoreError> {
        self.bucket(name)?;
        let _alone = self.locked("buckets.lock", File::lock)?;
        let directory = self.buckets().join(name);
        if !names(&directory.join("objects"))?.is_empty() {
            return Err(ObjectError::BucketNotEmpty.into());
        }
        // From here on there is none.
        record::remove(&directory.join("bucket.json"))?;
        fs::remove_dir_all(&directory).map_err(at(&directory))?;
        sync(&self.buckets())
    }

    /// Puts an object in a bucket, in the place of one of the same key.
    ///
    /// # Errors
    /// [`ObjectError`], or the system's.
    pub fn put_object(
        &self,
        bucket: &str,
        key: &str,
        about: About,
        intake: Intake,
    ) -> Result<Object, StoreError> {
        let mut intake = intake;
        let target = self.object_file(bucket, key)?;
        let (digest, size) = intake.incoming.digest()?;
        content::install(&self.contents(), &intake.incoming, digest, size)?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let object = ObjectRecord {
            key: key.to_owned(),
            size,
            sha256: digest,
            modified_ms: u64::try_from(since.as_millis()).unwrap_or(0),
            about,
        };
        let file = record::written(&self.scratch(), &object)?;
        let _kept = self.locked("buckets.lock", File::lock_shared)?;
        self.bucket(bucket)?;
        file.replace(&target)?;
        Ok(object.into())
    }

    /// An object.
    ///
    /// # Errors
    /// [`ObjectError`], or the system's.
    pub fn object(&self, bucket: &str, key: &str) -> Result<Object, StoreError> {
        let found = read_object(&self.object_file(bucket, key)?)?;
        Ok(found.ok_or(ObjectError::NoSuchKey)?)
    }

    /// The file with the bytes of an object, which never change.
    pub fn object_bytes(&self, object: &Object) -> PathBuf {
        content::plain(&self.contents(), object.digest)
    }

    /// Removes an object; that there is none is no error.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchBucket`], or the system's.
    pub fn delete_object(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        record::remove(&self.object_file(bucket, key)?)
    }

    /// The objects of a bucket whose keys begin so, in the order of their keys.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchBucket`], or the system's.
    pub fn list_objects(&self, bucket: &str, prefix: &str) -> Result<Vec<Object>, StoreError> {
        self.bucket(bucket)?;
        let directory = self.buckets().join(bucket).join("objects");
        let mut objects = Vec::new();
        for name in names(&directory)? {
            objects.extend(read_object(&directory.join(name))?);
        }
        objects.retain(|object| object.key.starts_with(prefix));
        objects.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// Takes in what an object holds, without copying it: to publish it, or as the code of a function.
    ///
    /// # Errors
    /// [`StoreError::Parameter`], in the words in which AWS says that S3 has refused.
    pub fn take_object(&self, place: &Place, bucket: &str, key: &str) -> Result<Intake, StoreError> {
        let refused = |code: &str, message: &str| {
            StoreError::parameter(format!(
                "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
            ))
        };
        let named = |error| match error {
            StoreError::Object(error) => refused(error.code(), &error.to_string()),
            error => error,
        };
        let region = self.bucket(bucket).map_err(named)?.region;
        if region != place.region() {
            let message = format!(
                "The bucket is in this region: {region}. Please use this region to retry the request"
            );
            return Err(refused("PermanentRedirect", &message));
        }
        let shared = self.share()?;
        let object = self.object(bucket, key).map_err(named)?;
        Ok(Intake {
            incoming: Incoming::of(&self.scratch(), &self.object_bytes(&object))?,
            name: format!("s3://{bucket}/{key}").into(),
            _shared: shared,
        })
    }

    /// The digests of all objects.
    pub(super) fn used_by_objects(&self) -> Result<Vec<Digest>, StoreError> {
        let mut used = Vec::new();
        for bucket in self.list_buckets()? {
            used.extend(
                self.list_objects(&bucket.name, "")?
                    .iter()
                    .map(|object| object.digest),
            );
        }
        Ok(used)
    }

    pub(super) fn buckets(&self) -> PathBuf {
        self.root.join("buckets")
    }

    /// Where an object is kept, in a bucket that is there. A key may be longer than a file's name, and may have slashes and dots.
    fn object_file(&self, bucket: &str, key: &str) -> Result<PathBuf, StoreError> {
        self.bucket(bucket)?;
        if key.len() > LONGEST_KEY {
            return Err(ObjectError::KeyTooLong.into());
        }
        let mut name = String::new();
        for byte in Sha256::digest(key) {
            name.push_str(&format!("{byte:02x}"));
        }
        let objects = self.buckets().join(bucket).join("objects");
        Ok(objects.join(format!("{name}.json")))
    }
}

impl From<ObjectRecord> for Object {
    fn from(record: ObjectRecord) -> Object {
        Object {
            key: record.key,
            size: record.size,
            digest: record.sha256,
            etag: record.about.etag,
            content_type: record.about.content_type,
            modified: UNIX_EPOCH + Duration::from_millis(record.modified_ms),
        }
    }
}

fn read_object(file: &Path) -> Result<Option<Object>, StoreError> {
    let found: Option<ObjectRecord> = record::read(file, "an object")?;
    Ok(found.map(Object::from))
}

/// Names that are no path and no address: letters, digits, dots and hyphens, dots only between others.
fn is_bucket_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let fits = |b: u8| is_plain(b) || b == b'-' || b == b'.';
    let ends = [name.bytes().next(), name.bytes().last()];
    (3..=63).contains(&name.len())
        && name.bytes().all(fits)
        && ends.iter().all(|end| end.is_some_and(is_plain))
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_bucket_is_named_as_on_aws() {
        for good in ["lambda-layers-us-east-2-123456789012", "a.b", "bkt", "0-0"] {
            assert!(is_bucket_name(good), "{good}");
        }
        for bad in [
            "",
            "ab",
            "..",
            "a..b",
            ".ab",
            "ab-",
            "Abc",
            "a/b",
            "a_b",
            &"a".repeat(64),
        ] {
            assert!(!is_bucket_name(bad), "{bad}");
        }
    }

    #[test]
    fn objects_of_any_key_are_put_listed_and_kept_from_collection() {
        let scratch = tempfile::TempDir::new().unwrap();
        let store = Store::open(&scratch.path().join("store")).unwrap();
        let place = Place::new("123456789012", "us-east-2").unwrap();
        let put = |key: &str, text: &str| {
            let mut intake = store.intake(Path::new(key)).unwrap();
            intake.write_all(text.as_bytes()).unwrap();
            store.put_object("bkt", key, About::default(), intake)
        };
        assert!(matches!(
            put("a", "x"),
            Err(StoreError::Object(ObjectError::NoSuchBucket))
        ));
        store.create_bucket(&place, "bkt").unwrap();
        let again = store.create_bucket(&place, "bkt").unwrap_err();
        assert!(matches!(
            again,
            StoreError::Object(ObjectError::BucketAlreadyOwnedByYou)
        ));
        let long = "ü".repeat(512);
        for key in ["../../x", "a//b", "a\0b", &long] {
            put(key, key).unwrap();
        }
        assert!(put(&"k".repeat(1025), "").is_err());
        put("a//b", "newer").unwrap();
        let keys = |prefix: &str| {
            let listed = store.list_objects("bkt", prefix).unwrap();
            listed.into_iter().map(|object| object.key).collect::<Vec<_>>()
        };
        assert_eq!(keys(""), ["../../x", "a\0b", "a//b", &long]);
        assert_eq!(keys("a/"), ["a//b"]);
        store.collect().unwrap();
        let object = store.object("bkt", "a//b").unwrap();
        assert_eq!(fs::read(store.object_bytes(&object)).unwrap(), b"newer");
        assert_eq!(object.size, 5);
        let refused = store.delete_bucket("bkt").unwrap_err();
        assert!(matches!(refused, StoreError::Object(ObjectError::BucketNotEmpty)));
        for key in ["../../x", "a//b", "a\0b", &long, "never"] {
            store.delete_object("bkt", key).unwrap();
        }
        store.delete_bucket("bkt").unwrap();
        assert!(store.list_buckets().unwrap().is_empty());
        assert_eq!(store.collect().unwrap().zips, 4);
    }

    #[test]
    fn what_s3_refuses_is_said_as_lambda_says_it() {
        let scratch = tempfile::TempDir::new().unwrap();
        let store = Store::open(&scratch.path().join("store")).unwrap();
        let place = Place::new("123456789012", "us-east-2").unwrap();
        let refusal = |place: &Place| store.take_object(place, "bkt", "key").err().unwrap().to_string();
        let begin = "Error occurred while GetObject. S3 Error Code: ";
        // Recorded against AWS, the full stops as they are.
        assert_eq!(
            refusal(&place),
            format!("{begin}NoSuchBucket. S3 Error Message: The specified bucket does not exist")
        );
        store.create_bucket(&place, "bkt").unwrap();
        assert_eq!(
            refusal(&place),
            format!("{begin}NoSuchKey. S3 Error Message: The specified key does not exist.")
        );
        let elsewhere = Place::new("123456789012", "eu-west-1").unwrap();
        assert_eq!(
            refusal(&elsewhere),
            format!(
                "{begin}PermanentRedirect. S3 Error Message: The bucket is in this region: us-east-2. Please use this region to retry the \
                 request"
            )
        );
    }
}
