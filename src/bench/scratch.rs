//! The directory that everything on disk lies in while a bench runs, gone with it; and the caches of the
//! kernel, dropped where that is allowed.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";

/// A directory of our own, removed when the value is dropped.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one in `parent`, which is made too when it is missing.
    pub(super) fn new(parent: &Path) -> io::Result<Scratch> {
        fs::create_dir_all(parent)?;
        for attempt in 0..1000 {
            let path = parent.join(format!("optfs-bench-{}-{attempt}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Scratch(path)),
                // A process that was killed had our number.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// A name in it.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.0).ok();
    }
}

/// Removes a tree, also one whose directories may not be written to, as layers have them.
pub(super) fn remove(tree: &Path) -> io::Result<()> {
    let mut waiting = vec![tree.to_owned()];
    while let Some(directory) = waiting.pop() {
        fs::set_permissions(&directory, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    fs::remove_dir_all(tree)
}

/// Whether [`drop_caches`] is allowed.
pub(super) fn may_drop_caches() -> bool {
    // Opened and not written: nothing is dropped yet.
    fs::OpenOptions::new().write(true).open(DROP_CACHES).is_ok()
}

/// Writes out what is dirty, then drops pages, names and inodes of the whole machine.
pub(super) fn drop_caches() -> io::Result<()> {
    nix::unistd::sync();
    fs::write(DROP_CACHES, "3")
}
