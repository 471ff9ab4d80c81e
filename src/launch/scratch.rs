//! A directory for what a process of ours needs on disk while it runs, gone with the value.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A directory of our own, removed when the value is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one in `parent`, which is made too when it is missing; `purpose` is part of its name.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(parent: &Path, purpose: &str) -> io::Result<Scratch> {
        fs::create_dir_all(parent)?;
        for attempt in 0..1000 {
            let path = parent.join(format!("optfs-{purpose}-{}-{attempt}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Scratch(path)),
                // A process that was killed had our number.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A name in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.0).ok();
    }
}

/// Removes a tree, also one whose directories may not be written to, as layers have them.
///
/// # Errors
/// What the system says; some of it may be gone then.
pub fn remove(tree: &Path) -> io::Result<()> {
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
