//! The kernel's switch for FUSE over io_uring: on while somebody needs it, afterwards as it was.
//!
//! It belongs to the whole machine: a lock on a file keeps the tests of another process from putting it back
//! too early, and those of this process share it.

use std::env;
use std::fs::{self, File};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use nix::fcntl::{Flock, FlockArg};

const SWITCH: &str = "/sys/module/fuse/parameters/enable_uring";

static SHARED: Mutex<Weak<Switch>> = Mutex::new(Weak::new());

/// For as long as it lives, new mounts can be served over io_uring.
#[derive(Debug)]
pub(crate) struct Switch {
    before: String,
    _lock: Flock<File>,
}

impl Switch {
    /// Switches it on; `None` where the kernel has no such thing.
    pub(crate) fn on() -> Option<Arc<Switch>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(switch) = shared.upgrade() {
            return Some(switch);
        }
        fs::metadata(SWITCH).ok()?;
        let file = env::temp_dir().join("optfs-tests-enable-uring.lock");
        let file = File::create(file).expect("a writable temporary directory");
        let lock = Flock::lock(file, FlockArg::LockExclusive).expect("a lock that others let go of");
        let before = fs::read_to_string(SWITCH).expect("a parameter that can be read");
        fs::write(SWITCH, "Y").expect("the tests run as root");
        let switch = Arc::new(Switch { before, _lock: lock });
        *shared = Arc::downgrade(&switch);
        Some(switch)
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = fs::write(SWITCH, self.before.trim());
    }
}
