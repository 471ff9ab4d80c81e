//! The caches of the kernel, dropped where that is allowed.

use std::{fs, io};

const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";

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
