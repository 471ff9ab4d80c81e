//! Zips on their way into the store: written whole or not at all, looked at as AWS looks at them, and then content.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::content::{self, Digest, Incoming};
use super::error::at;
use super::examine::{self, Use};
use super::{
    CODE_STORAGE_LIMIT_BYTES, LayerName, LayerVersion, Place, Publication, Store, StoreError, date, pack,
};

/// A zip on its way into the store. As long as it is, nothing is collected.
pub struct Intake {
    pub(super) incoming: Incoming,
    /// What the zip is called in messages.
    pub(super) name: PathBuf,
    pub(super) _shared: File,
}

/// A zip that is content of the store. As long as it is held, nothing is collected.
pub(super) struct Taken {
    pub(super) digest: Digest,
    pub(super) code_size: u64,
    pub(super) unzipped_size: u64,
    _shared: File,
}

impl Intake {
    /// What AWS takes in one request; larger zips go through S3, there.
    pub const DIRECT_LIMIT_BYTES: u64 = 52_428_800;

    /// Whether AWS would take the zip in a request.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`], in AWS's words.
    pub fn check_direct(&self) -> Result<(), StoreError> {
        let size = self.incoming.size()?;
        match size <= Intake::DIRECT_LIMIT_BYTES {
            true => Ok(()),
            false => Err(StoreError::TooLarge(format!(
                "Zipped size must be smaller than {} bytes",
                Intake::DIRECT_LIMIT_BYTES
            ))),
        }
    }
}

impl Write for Intake {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.incoming.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.incoming.file().flush()
    }
}

impl Taken {
    /// A version that has it, without a number yet.
    pub(super) fn version(&self, place: &Place, name: &LayerName, about: Publication) -> LayerVersion {
        LayerVersion {
            place: place.clone(),
            name: name.clone(),
            version: 0,
            about,
            created_date: date::now(),
            digest: self.digest,
            code_size: self.code_size,
            unzipped_size: self.unzipped_size,
        }
    }
}

impl Store {
    /// Takes in a zip, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be read, or the store cannot be written.
    pub fn take_zip(&self, zip: &Path) -> Result<Intake, StoreError> {
        // Opened first: a store is not made for a slip of the keyboard.
        let mut from = File::open(zip).map_err(at(zip))?;
        if from.metadata().map_err(at(zip))?.is_dir() {
            return Err(at(zip)(ErrorKind::IsADirectory.into()));
        }
        let mut intake = self.intake(zip)?;
        io::copy(&mut from, intake.incoming.file()).map_err(at(zip))?;
        Ok(intake)
    }

    /// Zips a directory, the same zip for the same tree, and takes it in.
    ///
    /// # Errors
    /// When something in it cannot be read, or be in a zip.
    pub fn take_directory(&self, directory: &Path) -> Result<Intake, StoreError> {
        self.take_directory_as(directory, directory)
    }

    /// The same, of a directory that is called otherwise in messages.
    ///
    /// # Errors
    /// As [`Store::take_directory`].
    pub fn take_directory_as(&self, directory: &Path, name: &Path) -> Result<Intake, StoreError> {
        fs::read_dir(directory).map_err(at(directory))?;
        let mut intake = self.intake(name)?;
        pack::pack(directory, intake.incoming.file())?;
        Ok(intake)
    }

    /// A zip that is about to be written, which `name` stands for in messages. It is taken in when it is published.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn intake(&self, name: &Path) -> Result<Intake, StoreError> {
        let lock = self.make()?;
        Ok(Intake {
            incoming: Incoming::new(&self.scratch())?,
            name: name.to_owned(),
            _shared: lock,
        })
    }

    /// Makes a zip content of the store, if AWS would.
    pub(super) fn take_in(&self, place: &Place, intake: Intake, purpose: Use) -> Result<Taken, StoreError> {
        let mut intake = intake;
        let file = intake.incoming.file().try_clone().map_err(at(&intake.name))?;
        let unzipped_size = examine::examine(&intake.name, file, purpose)?;
        let (digest, code_size) = intake.incoming.digest()?;
        self.check_storage(place, code_size)?;
        content::install(&self.contents(), &intake.incoming, digest, code_size)?;
        Ok(Taken {
            digest,
            code_size,
            unzipped_size,
            _shared: intake._shared,
        })
    }

    /// Whether a zip more is within what AWS gives an account in a region. Small ones are not counted at the door: it would take
    /// tens of thousands of them.
    fn check_storage(&self, place: &Place, code_size: u64) -> Result<(), StoreError> {
        const COUNTED_BYTES: u64 = 1 << 20;
        if code_size < COUNTED_BYTES {
            return Ok(());
        }
        match self.usage(place)?.code_bytes.saturating_add(code_size) <= CODE_STORAGE_LIMIT_BYTES {
            true => Ok(()),
            false => Err(StoreError::CodeStorage("Code storage limit exceeded.".to_owned())),
        }
    }
}
