//! Directories packed to be mounted, outside of any store: the zip of one is kept, and made again when anything in it has changed.
//!
//! ```text
//! CACHE/SHA256 OF THE DIRECTORY'S PATH/state              what the directory looked like, and the digest of its zip
//! CACHE/SHA256 OF THE DIRECTORY'S PATH/SHA256/NAME.zip    the zip: a path means the same bytes for ever
//! ```

use std::fs;
use std::io::{Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use super::StoreError;
use super::content::{Digest, Incoming, make_directories, names};
use super::error::at;
use super::pack::{self, Tree};

/// Clocks of file systems tick slowly: what was changed within this time may change again without its time's changing.
const RACY: Duration = Duration::from_secs(2);
/// A zip that is no longer current is left for who has just been told of it.
const GRACE: Duration = Duration::from_secs(3600);
const STATE: &str = "state";

/// The zip of a directory, which is called `name`; kept in `cache`.
///
/// # Errors
/// When something in the directory cannot be read, or be in a zip of a layer, or the cache cannot be written.
pub fn packed(directory: &Path, cache: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let whole = directory.canonicalize().map_err(at(directory))?;
    let home = cache.join(hex(&Sha256::digest(whole.as_os_str().as_bytes())));
    let file = format!("{name}.zip");
    let now = SystemTime::now();
    let tree = Tree::list(&whole)?;
    let looks = hex(&Sha256::digest(tree.looks()));
    if let Some(kept) = kept(&home, &looks, &file) {
        return Ok(kept);
    }
    make_directories(&home)?;
    let mut incoming = Incoming::new(&home)?;
    pack::write(&tree, &whole, incoming.file())?;
    incoming.file().seek(SeekFrom::Start(0)).map_err(at(&home))?;
    let (digest, _) = incoming.digest()?;
    let place = home.join(digest.to_string());
    make_directories(&place)?;
    let zip = place.join(&file);
    fs::rename(incoming.path(), &zip).map_err(at(&zip))?;
    // What changed while it was read, or a moment before, is packed again next time.
    let is_settled = tree.newest() + RACY < now && Tree::list(&whole)?.looks() == tree.looks();
    let state = home.join(STATE);
    match is_settled {
        true => {
            let next = Incoming::new(&home)?;
            fs::write(next.path(), format!("{looks} {digest}\n")).map_err(at(&state))?;
            fs::rename(next.path(), &state).map_err(at(&state))?;
        }
        false => drop(fs::remove_file(&state)),
    }
    forget(&home, digest)?;
    Ok(zip)
}

/// The zip that is there, where the directory looks as it did.
fn kept(home: &Path, looks: &str, file: &str) -> Option<PathBuf> {
    let state = fs::read_to_string(home.join(STATE)).ok()?;
    let (looked, digest) = state.trim_end().split_once(' ')?;
    let zip = home.join(Digest::of(digest)?.to_string()).join(file);
    (looked == looks && zip.is_file()).then_some(zip)
}

/// Removes what is neither current nor just made.
fn forget(home: &Path, current: Digest) -> Result<(), StoreError> {
    for name in names(home)? {
        let place = home.join(&name);
        let age = fs::metadata(&place).and_then(|meta| meta.modified()).ok();
        let age = age.and_then(|made| made.elapsed().ok()).unwrap_or_default();
        if Digest::of(&name).is_some_and(|digest| digest != current) && age > GRACE {
            // Somebody else may be at it.
            let _ = fs::remove_dir_all(&place);
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
