//! Published layers: names and versions of accounts and regions, and the zips behind them, in a directory. No server and no
//! database: plain files that appear whole or not at all, for several processes at once.
//!
//! Knows nothing of mounts, of HTTP, and of how answers are printed.
//!
//! ```text
//! format                                       which layout this is
//! lock                                         publishers share it, the collection of what is unused has it alone
//! gate                                         passed on the way to the lock, so that publishers cannot keep a collection waiting
//! incoming/                                    files that are being written
//! content/SHA256/layer.zip                     the bytes, once; beside it links with the names it is known by
//! accounts/ACCOUNT/REGION/layers/NAME/3.json   a version, or that it was deleted
//! buckets/NAME/objects/SHA256-OF-KEY.json      an object of a bucket
//! accounts/ACCOUNT/REGION/layers/NAME/3.policy.json  which others may use it
//! accounts/ACCOUNT/REGION/functions/NAME/  a function and its versions (`function`)
//! accounts/ACCOUNT/REGION/edits                held while something of the place is read, changed and put back
//! ```

mod complaint;
mod content;
pub mod date;
mod error;
mod examine;
pub mod function;
mod intake;
mod name;
pub mod object;
mod pack;
mod packed;
mod parts;
mod policy;
mod publication;
mod record;
pub mod shape;
mod versions;

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

pub use content::{Digest, Incoming, is_named};
pub use error::StoreError;
pub use examine::UNZIPPED_LIMIT_BYTES;
pub use intake::Intake;
pub use name::{LayerName, Place, Reference};
pub use packed::packed;
pub use policy::{Caller, Granted, Permission, Policy};
pub use publication::{Filter, Publication};
pub use versions::LayerVersion;

use content::{make_directories, names};
use error::at;
use examine::Use;

/// What the zips of an account in a region may take together on AWS.
pub const CODE_STORAGE_LIMIT_BYTES: u64 = 80_530_636_800;
const FORMAT: &str = "optfs store 1\n";
/// What a store has at its top; anything else there is somebody else's.
const PARTS: [&str; 8] = [
    "format",
    "gate",
    "lock",
    "incoming",
    "content",
    "accounts",
    "buckets",
    "buckets.lock",
];

/// A directory of published layers.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// A layer, and the highest of its versions that was asked for.
#[derive(Debug)]
pub struct Layer {
    /// Its name.
    pub name: LayerName,
    /// Its ARN.
    pub arn: String,
    /// The highest version that the filter takes.
    pub latest: LayerVersion,
}

/// What a collection has freed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Freed {
    /// Zips that no version had any more.
    pub zips: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that killed publishers have left.
    pub unfinished: u64,
}

impl Store {
    /// The store in a directory, which is made when something is published.
    ///
    /// # Errors
    /// When the directory is something else, or of another format.
    pub fn open(root: &Path) -> Result<Store, StoreError> {
        let store = Store {
            root: root.to_owned(),
        };
        let format = store.root.join("format");
        match fs::read_to_string(&format) {
            Ok(found) if found == FORMAT => Ok(store),
            Ok(found) => Err(StoreError::Format {
                path: root.to_owned(),
                found: found.trim_end().to_owned(),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                match names(root)?.iter().all(|name| PARTS.contains(&name.as_str())) {
                    true => Ok(store),
                    false => Err(StoreError::NotAStore(root.to_owned())),
                }
            }
            Err(error) => Err(at(&format)(error)),
        }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Publishes a zip as the next version of a layer.
    ///
    /// Once this returns, the version survives whatever happens to this process or the power; before, there is nothing of it
    /// to be seen.
    ///
    /// # Errors
    /// What AWS refuses, in AWS's words; or the system's.
    pub fn publish(
        &self,
        place: &Place,
        name: &LayerName,
        about: Publication,
        intake: Intake,
    ) -> Result<LayerVersion, StoreError> {
        about.check()?;
        let taken = self.take_in(place, intake, Use::Layer)?;
        let mut version = taken.version(place, name, about);
        versions::add(&self.layer(place, name), &self.scratch(), &mut version)?;
        Ok(version)
    }

    /// Brings in a version that was published elsewhere, under the number that it has there. What was deleted here can be brought
    /// in again. That the very same is there already is no error.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the version has other bytes here; what AWS refuses, in AWS's words; or the system's.
    pub fn import(
        &self,
        place: &Place,
        name: &LayerName,
        number: u64,
        about: Publication,
        intake: Intake,
    ) -> Result<LayerVersion, StoreError> {
        check_number(number)?;
        about.check()?;
        let taken = self.take_in(place, intake, Use::Layer)?;
        let mut version = taken.version(place, name, about);
        version.version = number;
        let directory = self.layer(place, name);
        make_directories(&directory)?;
        let _alone = self.edit(place)?;
        if matches!(self.version(place, name, number), Err(StoreError::NotFound(_))) {
            // A killed deletion may have left it.
            record::remove(&self.policy_file(place, name, number))?;
        }
        if versions::put(&directory, &self.scratch(), &version)? {
            return Ok(version);
        }
        let there = self.version(place, name, number)?;
        match there.digest == version.digest {
            true => Ok(there),
            false => Err(StoreError::Conflict(format!(
                "{} is there, with other bytes: {}",
                there.arn(),
                there.digest
            ))),
        }
    }

    /// One version.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is none of that number, or no more.
    pub fn version(&self, place: &Place, name: &LayerName, number: u64) -> Result<LayerVersion, StoreError> {
        check_number(number)?;
        let found = versions::read(&self.layer(place, name), place, name, number)?;
        found.ok_or_else(StoreError::not_found)
    }

    /// The version that is meant, the highest where none is named; `here` where no other place is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub fn find(&self, here: &Place, reference: &Reference) -> Result<LayerVersion, StoreError> {
        let place = reference.place.as_ref().unwrap_or(here);
        match reference.version {
            Some(number) => self.version(place, &reference.name, number),
            None => {
                let latest = self.versions_below(place, &reference.name, &Filter::default(), None, 1)?;
                latest.into_iter().next().ok_or_else(StoreError::not_found)
            }
        }
    }

    /// The versions of a layer, the highest first; none of a layer that there is not.
    ///
    /// # Errors
    /// When a file of the store cannot be read.
    pub fn versions(
        &self,
        place: &Place,
        name: &LayerName,
        filter: &Filter,
    ) -> Result<Vec<LayerVersion>, StoreError> {
        self.versions_below(place, name, filter, None, usize::MAX)
    }

    /// The same, but those below a number alone, where one is given, and so many at most: no more of the store is read.
    ///
    /// # Errors
    /// When a file of the store cannot be read.
    pub fn versions_below(
        &self,
        place: &Place,
        name: &LayerName,
        filter: &Filter,
        below: Option<u64>,
        most: usize,
    ) -> Result<Vec<LayerVersion>, StoreError> {
        filter.check()?;
        versions::read_some(&self.layer(place, name), place, name, filter, below, most)
    }

    /// The layers of a place that have a version which the filter takes, by name.
    ///
    /// # Errors
    /// When a file of the store cannot be read.
    pub fn layers(&self, place: &Place, filter: &Filter) -> Result<Vec<Layer>, StoreError> {
        let mut layers = Vec::new();
        for name in names(&self.layers_of(place))? {
            let Some(name) = LayerName::check(&name) else {
                continue;
            };
            let latest = self.versions_below(place, &name, filter, None, 1)?;
            if let Some(latest) = latest.into_iter().next() {
                let arn = latest.layer_arn();
                layers.push(Layer { name, arn, latest });
            }
        }
        Ok(layers)
    }

    /// Deletes a version; says whether it was there. Its number is never given again; its content stays until it is collected.
    ///
    /// # Errors
    /// When the number is below 1, or the store cannot be written.
    pub fn delete(&self, place: &Place, name: &LayerName, number: u64) -> Result<bool, StoreError> {
        match self.version(place, name, number) {
            Ok(_) => {}
            Err(StoreError::NotFound(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
        let _shared = self.share()?;
        let _alone = self.edit(place)?;
        versions::delete(&self.layer(place, name), &self.scratch(), number)?;
        record::remove(&self.policy_file(place, name, number))?;
        Ok(true)
    }

    /// The zip of a version: a file whose bytes never change, under the name `name:3`.
    pub fn zip(&self, version: &LayerVersion) -> PathBuf {
        content::named(&self.contents(), version.digest, &version.short())
    }

    /// The zip of a version, by its digest alone.
    pub fn zip_by_digest(&self, version: &LayerVersion) -> PathBuf {
        content::plain(&self.contents(), version.digest)
    }

    /// Removes content that no version of a layer or function has, and what killed publishers have left. Waits until nobody publishes.
    ///
    /// # Errors
    /// When a file of the store cannot be read, and so nobody knows what is in use; nothing is removed then.
    pub fn collect(&self) -> Result<Freed, StoreError> {
        let mut freed = Freed::default();
        if !self.root.join("format").exists() {
            return Ok(freed);
        }
        let _gate = self.locked("gate", File::lock)?;
        let _alone = self.locked("lock", File::lock)?;
        let used = self.used()?;
        for (digest, directory, bytes) in content::all(&self.contents())? {
            if !used.contains(&digest) {
                fs::remove_dir_all(&directory).map_err(at(&directory))?;
                freed.zips += 1;
                freed.bytes += bytes;
            }
        }
        for name in names(&self.scratch())? {
            let path = self.scratch().join(name);
            fs::remove_file(&path).map_err(at(&path))?;
            freed.unfinished += 1;
        }
        Ok(freed)
    }

    /// The digests that any version of a layer or function of any place has.
    fn used(&self) -> Result<HashSet<Digest>, StoreError> {
        let mut used: HashSet<_> = self.used_by_objects()?.into_iter().collect();
        for place in self.places()? {
            for layer in self.layers_named(&place)? {
                let versions = self.versions(&place, &layer, &Filter::default())?;
                used.extend(versions.iter().map(|version| version.digest));
            }
            self.used_by_functions(&place, &mut used)?;
        }
        Ok(used)
    }

    /// The accounts and regions that have anything.
    fn places(&self) -> Result<Vec<Place>, StoreError> {
        let accounts = self.root.join("accounts");
        let mut places = Vec::new();
        for account in names(&accounts)? {
            for region in names(&accounts.join(&account))? {
                let place = Place::new(&account, &region).map_err(|error| StoreError::Damaged {
                    path: accounts.join(&account).join(&region),
                    why: error.to_string(),
                })?;
                places.push(place);
            }
        }
        Ok(places)
    }

    fn layers_named(&self, place: &Place) -> Result<Vec<LayerName>, StoreError> {
        let names = names(&self.layers_of(place))?;
        Ok(names.iter().filter_map(|name| LayerName::check(name)).collect())
    }

    /// Makes what a store consists of, where it is not there yet, and keeps it from being collected.
    fn make(&self) -> Result<File, StoreError> {
        for directory in [self.scratch(), self.contents(), self.root.join("accounts")] {
            make_directories(&directory)?;
        }
        let lock = self.share()?;
        if self.root.join("format").exists() {
            return Ok(lock);
        }
        let mut format = Incoming::new(&self.scratch())?;
        let written = format.file().write_all(FORMAT.as_bytes());
        written.map_err(at(format.path()))?;
        // Another process may have done it meanwhile: it wrote the same.
        format.publish(&self.root.join("format"))?;
        Ok(lock)
    }

    /// Keeps everything from being collected, as long as the file is open.
    fn share(&self) -> Result<File, StoreError> {
        let _gate = self.locked("gate", File::lock_shared)?;
        self.locked("lock", File::lock_shared)
    }

    /// Keeps others from changing policies and functions of a place, as long as the file is open. Who has what keeps the
    /// collection away takes it before this.
    fn edit(&self, place: &Place) -> Result<File, StoreError> {
        self.locked_in(&self.place(place), "edits", File::lock)
    }

    /// A lock of flock(2): the kernel takes it from whoever dies.
    fn locked(&self, name: &str, lock: fn(&File) -> io::Result<()>) -> Result<File, StoreError> {
        self.locked_in(&self.root, name, lock)
    }

    fn locked_in(
        &self,
        directory: &Path,
        name: &str,
        lock: fn(&File) -> io::Result<()>,
    ) -> Result<File, StoreError> {
        let path = directory.join(name);
        let opened = OpenOptions::new().append(true).create(true).open(&path);
        let file = opened.map_err(at(&path))?;
        lock(&file).map_err(at(&path))?;
        Ok(file)
    }

    fn scratch(&self) -> PathBuf {
        self.root.join("incoming")
    }

    fn contents(&self) -> PathBuf {
        self.root.join("content")
    }

    fn place(&self, place: &Place) -> PathBuf {
        let account = self.root.join("accounts").join(place.account());
        account.join(place.region())
    }

    fn layers_of(&self, place: &Place) -> PathBuf {
        self.place(place).join("layers")
    }

    fn layer(&self, place: &Place, name: &LayerName) -> PathBuf {
        self.layers_of(place).join(name.to_string())
    }
}

fn check_number(number: u64) -> Result<(), StoreError> {
    match number {
        0 => Err(StoreError::parameter("Layer Version Cannot be less than 1")),
        _ => Ok(()),
    }
}
