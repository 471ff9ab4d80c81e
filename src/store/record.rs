//! The small files of the store: one JSON object each, there whole or not at all.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use super::content::Incoming;
use super::error::at;

/// Writes an object into a new file of the store, which has no name for others yet.
pub(super) fn written(scratch: &Path, record: &impl Serialize) -> Result<Incoming, StoreError> {
    let mut file = Incoming::new(scratch)?;
    let mut text = serde_json::to_vec_pretty(record).map_err(|error| at(file.path())(error.into()))?;
    text.push(b'\n');
    match file.file().write_all(&text) {
        Ok(()) => Ok(file),
        Err(error) => Err(at(file.path())(error)),
    }
}

/// Reads the object of a file, which is `what`; none where there is no file.
pub(super) fn read<T: DeserializeOwned>(path: &Path, what: &str) -> Result<Option<T>, StoreError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(path)(error)),
    };
    let record = serde_json::from_slice(&text);
    record.map(Some).map_err(|error| StoreError::Damaged {
        path: path.to_owned(),
        why: format!("not the file of {what}: {error}"),
    })
}

/// Removes a file, which may be gone already.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}
