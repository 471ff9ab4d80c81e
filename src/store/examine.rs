//! Whether a zip can be a layer: what AWS looks at before it publishes one, with AWS's messages.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::StoreError;
use crate::archive::{Archive, ArchiveError, EntryKind};

/// Function and layers may have this many bytes together; one layer must have less.
pub const UNZIPPED_LIMIT_BYTES: u64 = 262_144_000;

/// Others may read a file; others may enter a directory.
const READ: u16 = 0o004;
const ENTER: u16 = 0o001;

/// What a zip is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Converted by AWS, which has to be able to read all of it.
    Layer,
    /// Unzipped as it is.
    Code,
}

/// Looks at a zip; `name` stands for it in messages. Gives its unzipped bytes, as its directory declares them.
pub(super) fn examine(name: &Path, file: File, purpose: Use) -> Result<u64, StoreError> {
    let archive = match Archive::from_source(name, Arc::new(file)) {
        Ok(archive) => archive,
        Err(ArchiveError::Open { path, source }) => return Err(StoreError::Io { path, source }),
        Err(error) => {
            let message = "Could not unzip uploaded file. Please check your file, then try to upload again.";
            return Err(refuse(message, error.to_string()));
        }
    };
    // What a mount would leave out (docs/semantics.md, 10) is not published.
    if let Some(rejected) = archive.rejected().first() {
        let because = format!("\"{}\": {}", rejected.name.escape_ascii(), rejected.reason);
        return Err(refuse(
            "Failed to unzip archive: Zip file contains invalid files/folders;",
            because,
        ));
    }
    if archive.is_empty() {
        return Err(refuse(
            "Uploaded file must be a non-empty zip",
            format!("{}: no entries", name.display()),
        ));
    }
    let mut unzipped = 0u64;
    for (_, entry) in archive.entries() {
        let lacks = |bits: u16| purpose == Use::Layer && entry.permissions & bits == 0;
        let message = match entry.kind {
            EntryKind::File if lacks(READ) => {
                "Layer conversion failed: Some files do not have read permissions;"
            }
            EntryKind::Directory if lacks(ENTER) => {
                "Layer conversion failed: Some directories do not have execute permissions"
            }
            EntryKind::File | EntryKind::Directory | EntryKind::Symlink => "",
        };
        if !message.is_empty() {
            let (path, mode) = (entry.path.escape_ascii(), entry.permissions);
            return Err(refuse(
                message,
                format!("{path} has mode {mode:04o}; chmod -R a+rX before it is zipped"),
            ));
        }
        if entry.kind == EntryKind::File {
            unzipped = unzipped.saturating_add(entry.declared_size);
        }
    }
    check_size(unzipped)?;
    Ok(unzipped)
}

/// Whether a layer of so many unzipped bytes is taken.
pub(super) fn check_size(unzipped: u64) -> Result<(), StoreError> {
    match unzipped < UNZIPPED_LIMIT_BYTES {
        true => Ok(()),
        false => Err(refuse(
            "Unzipped size must be smaller than 262144000 bytes",
            format!("it has {unzipped} bytes"),
        )),
    }
}

fn refuse(message: &str, because: String) -> StoreError {
    StoreError::Parameter {
        message: message.to_owned(),
        because: Some(because),
    }
}
