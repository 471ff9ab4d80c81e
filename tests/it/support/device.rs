//! /dev/fuse for every user, for the time of a test. Where only root may open it, as on a fresh server, an
//! ordinary user's scene needs this and must leave no trace of it.
//!
//! All tests of all test processes share one count of holders, kept as locks of the kernel, which a killed test
//! gives up by itself: the first to come opens the device, the last to go restores it.

use std::env;
use std::fs::{self, File, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;

use nix::unistd::geteuid;

const DEVICE: &str = "/dev/fuse";
const FOR_ALL: u32 = 0o666;

/// As long as one of these is alive, everybody may open /dev/fuse.
pub(crate) struct DeviceForAll {
    /// Locked by everyone who holds the device open, shared.
    held: File,
    /// The device itself, locked so too: a test that wants another mode for it waits for an exclusive lock.
    device: File,
}

impl DeviceForAll {
    pub(crate) fn open() -> DeviceForAll {
        let mut turn = Turn::take();
        let device = File::open(DEVICE).expect("/dev/fuse: these tests need it");
        device.lock_shared().expect("a device can be locked");
        let held = lock_file("held");
        held.lock_shared().expect("locked otherwise only during a turn");
        if mode() & FOR_ALL != FOR_ALL {
            // A record that is there already is of a test that was killed.
            let mode = turn.recorded_mode().unwrap_or_else(|| turn.record(mode()));
            set_mode(mode | FOR_ALL);
        }
        DeviceForAll { held, device }
    }
}

impl Drop for DeviceForAll {
    fn drop(&mut self) {
        let mut turn = Turn::take();
        self.held.unlock().expect("held by us");
        if self.held.try_lock().is_ok()
            && let Some(true_mode) = turn.recorded_mode()
        {
            set_mode(true_mode);
            turn.forget();
        }
        // Explicitly: a child that another test is starting may have a copy for a moment more.
        self.held.unlock().ok();
        self.device.unlock().ok();
    }
}

/// The right to look at the holders and to change the mode; one at a time. Its file keeps the true mode.
struct Turn(File);

impl Turn {
    fn take() -> Turn {
        let file = lock_file("turn");
        file.lock().expect("a temporary directory that knows locks");
        Turn(file)
    }

    fn recorded_mode(&mut self) -> Option<u32> {
        let mut text = String::new();
        self.0.rewind().ok()?;
        self.0.read_to_string(&mut text).ok()?;
        text.parse().ok()
    }

    fn record(&mut self, mode: u32) -> u32 {
        self.forget();
        write!(self.0, "{mode}").expect("a writable temporary directory");
        mode
    }

    fn forget(&mut self) {
        self.0.set_len(0).expect("a writable temporary directory");
        self.0.rewind().expect("a file can be rewound");
    }
}

/// One for each user: a sticky directory keeps others, root too, from opening it for writing.
fn lock_file(name: &str) -> File {
    let path = env::temp_dir().join(format!("optfs-tests-{}-device.{name}", geteuid()));
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .expect("a writable temporary directory")
}

fn mode() -> u32 {
    let device = fs::metadata(DEVICE).expect("/dev/fuse: these tests need it");
    device.permissions().mode() & 0o7777
}

fn set_mode(mode: u32) {
    fs::set_permissions(DEVICE, Permissions::from_mode(mode))
        .expect("/dev/fuse: only root can open it for ordinary users");
}
