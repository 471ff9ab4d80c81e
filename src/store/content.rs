//! The bytes of zips, each once, in a directory named for their SHA-256; how they come in whole or not at all, and how they
//! go. Knows nothing of names and versions.

use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::prelude::{BASE64_STANDARD as STANDARD, Engine as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::error::at;
use super::{Reference, StoreError};

/// The file of the bytes in the directory of their digest.
const ZIP: &str = "layer.zip";

/// The SHA-256 of a zip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// A file that is being written in the store. Dropped, it is gone; killed, the next collection takes it.
pub struct Incoming {
    path: PathBuf,
    file: File,
}

impl Digest {
    /// As AWS writes it: base64 with padding.
    pub fn base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    pub(super) fn of(text: &str) -> Option<Digest> {
        let mut bytes = [0; 32];
        let is_lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 64 || !text.bytes().all(is_lower_hex) {
            return None;
        }
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
        }
        Some(Digest(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        Digest::of(&text).ok_or_else(|| serde::de::Error::custom("64 hexadecimal digits are expected"))
    }
}

impl Incoming {
    /// A new file in a directory of the store, with a name that nobody else has.
    pub(super) fn new(directory: &Path) -> Result<Incoming, StoreError> {
        Incoming::made(directory, |path| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .open(path)
        })
    }

    /// Bytes that the store has already, by one more name.
    pub(super) fn of(directory: &Path, content: &Path) -> Result<Incoming, StoreError> {
        Incoming::made(directory, |path| {
            fs::hard_link(content, path)?;
            File::open(path)
        })
    }

    fn made(directory: &Path, make: impl Fn(&Path) -> io::Result<File>) -> Result<Incoming, StoreError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let name = format!("{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = directory.join(name);
            match make(&path) {
                Ok(file) => return Ok(Incoming { path, file }),
                // Left by a process of the same number that was killed.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(at(&path)(error)),
            }
        }
    }

    /// Where its bytes go.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// The name it has until it has a better one.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of it so far.
    pub(super) fn size(&self) -> Result<u64, StoreError> {
        self.file
            .metadata()
            .map(|meta| meta.len())
            .map_err(at(&self.path))
    }

    /// Reads it through: digest and size.
    pub(super) fn digest(&mut self) -> Result<(Digest, u64), StoreError> {
        let mut read = || -> io::Result<(Digest, u64)> {
            self.file.seek(SeekFrom::Start(0))?;
            let (mut hasher, mut size) = (Sha256::new(), 0);
            let mut buffer = vec![0; 1 << 18];
            loop {
                match self.file.read(&mut buffer)? {
                    0 => return Ok((Digest(hasher.finalize().into()), size)),
                    count => {
                        hasher.update(&buffer[..count]);
                        size += count as u64;
                    }
                }
            }
        };
        read().map_err(at(&self.path))
    }

    /// Gives the bytes, once they are on the disk, a name that must be free; false when it is taken.
    pub(super) fn publish(&self, target: &Path) -> Result<bool, StoreError> {
        self.file.sync_all().map_err(at(&self.path))?;
        match fs::hard_link(&self.path, target) {
            Ok(()) => {
                if let Some(directory) = target.parent() {
                    sync(directory)?;
                }
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(at(target)(error)),
        }
    }

    /// Puts the bytes in the place of what is there.
    pub(super) fn replace(&self, target: &Path) -> Result<(), StoreError> {
        self.file.sync_all().map_err(at(&self.path))?;
        fs::rename(&self.path, target).map_err(at(target))?;
        target.parent().map_or(Ok(()), sync)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Where it was renamed there is nothing to remove.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes the bytes content of the store; they may be that already.
pub(super) fn install(
    contents: &Path,
    incoming: &Incoming,
    digest: Digest,
    size: u64,
) -> Result<(), StoreError> {
    let directory = contents.join(digest.to_string());
    make_directories(&directory)?;
    let target = directory.join(ZIP);
    incoming
        .file
        .set_permissions(Permissions::from_mode(0o444))
        .map_err(at(&incoming.path))?;
    if incoming.publish(&target)? {
        return Ok(());
    }
    // Somebody has shortened it since: these are the bytes that belong there.
    match fs::metadata(&target).map_err(at(&target))?.len() == size {
        true => Ok(()),
        false => incoming.replace(&target),
    }
}

/// The file of some content, by a name that people know: a link beside it, which means the same bytes for ever.
pub(super) fn named(contents: &Path, digest: Digest, name: &str) -> PathBuf {
    let directory = contents.join(digest.to_string());
    let alias = directory.join(name);
    let is_there = match symlink(ZIP, &alias) {
        Ok(()) => true,
        Err(error) => error.kind() == ErrorKind::AlreadyExists,
    };
    // In a store that cannot be written it has no other name.
    if is_there { alias } else { plain(contents, digest) }
}

/// Whether a path is one of a layer version, as the store names it: two of them are two layers, be the bytes the same.
pub fn is_named(path: &Path) -> bool {
    let last = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
    let directory = path.parent().and_then(last);
    let name = last(path).and_then(|name| Reference::parse(&name));
    directory.and_then(|directory| Digest::of(&directory)).is_some()
        && name.is_some_and(|name| name.version.is_some())
}

/// The file of some content.
pub(super) fn plain(contents: &Path, digest: Digest) -> PathBuf {
    contents.join(digest.to_string()).join(ZIP)
}

/// All content: its digest, its directory and its bytes.
pub(super) fn all(contents: &Path) -> Result<Vec<(Digest, PathBuf, u64)>, StoreError> {
    let mut all = Vec::new();
    for name in names(contents)? {
        let directory = contents.join(&name);
        let bytes = fs::metadata(directory.join(ZIP)).map_or(0, |meta| meta.len());
        all.extend(Digest::of(&name).map(|digest| (digest, directory, bytes)));
    }
    Ok(all)
}

/// The names in a directory that are text, as ours are, sorted; none where there is no directory.
pub(super) fn names(directory: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(directory)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(at(directory))?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// Makes a directory and those above it, so that they are still there after the power has failed.
pub(super) fn make_directories(directory: &Path) -> Result<(), StoreError> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = directory.parent().filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above {
        make_directories(above)?;
    }
    match fs::create_dir(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(at(directory)(error)),
        _ => {}
    }
    above.map_or(Ok(()), sync)
}

/// Waits until the names in a directory are on the disk.
pub(super) fn sync(directory: &Path) -> Result<(), StoreError> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(at(directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_for_people_and_for_aws() {
        let empty = Digest(Sha256::new().finalize().into());
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(empty.to_string(), hex);
        assert_eq!(Digest::of(hex), Some(empty));
        assert_eq!(empty.base64(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(Digest::of(&hex.to_uppercase()), None);
    }
}
