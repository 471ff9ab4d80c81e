//! Mounts and users: what others may see of root's mount, and mounts of an ordinary user, made through fusermount3.
//!
//! These tests become another user, so they need root; and they change who may open /dev/fuse, one after the other.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;

use crate::support::command::{Answer, OPTFS, answer, output};
use crate::support::place::Place;
use crate::support::raw_zip::RawZip;
use crate::support::until::until;

/// Whom these tests become: nobody.
const USER: u32 = 65534;

#[test]
fn others_read_a_mount_of_root_as_the_modes_allow() {
    let theirs = Theirs::new();
    theirs.place.mount([]);
    for (command, status) in [
        ("cat public", 0),
        ("ls -l .", 0),
        ("./program", 0),
        ("test -r public", 0),
        ("cat private", 1),
        ("cat closed/public", 1),
        ("test -r private", 1),
        ("test -w public", 1),
        ("test -x public", 1),
    ] {
        let said = theirs.shell(command);
        assert_eq!(said.code, Some(status), "{command}: {said:?}");
        let is_refused = command.starts_with("cat") && status == 1;
        assert_eq!(
            said.stderr.contains("Permission denied"),
            is_refused,
            "{command}: {said:?}"
        );
    }
}

#[test]
fn private_files_open_to_the_owner_that_uid_names() {
    let theirs = Theirs::new();
    theirs.place.mount(["--uid", "65534"]);
    assert_eq!(theirs.shell("cat private").stdout, "private");
}

#[test]
fn an_ordinary_users_mount_outlives_its_serving_process() {
    let _device = Device::with_mode(0o666);
    let theirs = Theirs::new();
    theirs.mount_with(&["--supervise", "--transport=fuser"]);
    for (file, content) in [("public", "public"), ("program", "#!/bin/sh\necho runs\n")] {
        let mut worker = None;
        until("somebody serves", || {
            worker = theirs.place.worker();
            worker.is_some()
        });
        worker.expect("found above").kill();
        assert_eq!(theirs.shell(&format!("cat {file}")).stdout, content);
    }
    theirs.unmount();
}

#[test]
fn an_ordinary_user_mounts_and_unmounts() {
    let _device = Device::with_mode(0o666);
    let theirs = Theirs::new();
    theirs.mount();
    let [source, _, filesystem, options] = &theirs.place.mounts()[0];
    assert_eq!((&source[..], &filesystem[..]), ("layer0.zip", "fuse.optfs"));
    for expected in [
        "ro",
        "nosuid",
        "nodev",
        "noatime",
        "user_id=65534",
        "group_id=65534",
        "default_permissions",
    ] {
        let is_there = options.split(',').any(|option| option == expected);
        assert!(is_there, "{expected} is not in {options}");
    }
    let said = theirs.shell("cat public private; stat -c ' %u:%g' public; ./program");
    assert_eq!(said.stdout, "publicprivate 65534:65534\nruns\n", "{said:?}");

    let daemon = theirs.place.daemon();
    theirs.unmount();
    until("the daemon ends", || !daemon.is_alive());
}

/// fusermount3 splits its options at commas: what stands in a name must not become an option.
#[test]
fn the_source_of_a_users_mount_is_taken_literally() {
    let _device = Device::with_mode(0o666);
    let theirs = Theirs::new();
    let odd = theirs.place.scratch().join(r"a,suid b\c,allow_other=\é.zip");
    fs::copy(&theirs.place.layers()[0], &odd).unwrap();
    let said = theirs.optfs(&["mount", odd.to_str().unwrap()]);
    assert_eq!((said.code, &said.stderr[..]), (Some(0), ""), "{said:?}");
    let [source, _, filesystem, options] = &theirs.place.mounts()[0];
    // The table writes a space and a backslash in octal digits.
    assert_eq!(source, r"a,suid\040b\134c,allow_other=\134é.zip");
    assert_eq!(filesystem, "fuse.optfs");
    assert!(options.contains("nosuid"), "{options}");
    theirs.unmount();
}

/// The kernel keeps even root out: what a daemon of another user says could be anything.
#[test]
fn the_mount_of_an_ordinary_user_is_theirs_alone_and_root_can_unmount_it() {
    let _device = Device::with_mode(0o666);
    let theirs = Theirs::new();
    theirs.mount();
    let refused = fs::read(theirs.place.path("public")).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    let said = answer(&mut theirs.place.mounting([]));
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.stderr.contains("already a mount of optfs"), "{said:?}");
    theirs.place.unmount();
}

#[test]
fn a_users_mount_in_use_is_unmounted_by_lazy_alone() {
    let _device = Device::with_mode(0o666);
    let theirs = Theirs::new();
    theirs.mount();
    // Stands in the mount until its input ends.
    let mut stands = as_user(&mut Command::new("cat"))
        .current_dir(theirs.place.opt())
        .stdin(Stdio::piped())
        .spawn()
        .expect("cat starts in the mount");

    let said = theirs.optfs(&["umount"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    for word in ["in use", "optfs umount --lazy"] {
        assert!(said.stderr.contains(word), "{said:?}");
    }
    assert!(theirs.place.is_mounted());
    let said = theirs.optfs(&["umount", "--lazy"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(!theirs.place.is_mounted());

    drop(stands.stdin.take());
    stands.wait().expect("our own child");
}

/// Ctrl-C, SIGTERM and the daemon's violent death: no mount is left to a user either.
#[test]
fn a_users_mount_ends_by_a_signal_and_by_auto_unmount() {
    let _device = Device::with_mode(0o666);
    let theirs = Theirs::new();
    theirs.mount();
    let daemon = theirs.place.daemon();
    daemon.signal(Signal::SIGTERM);
    until("the daemon ends", || !daemon.is_alive());
    assert!(!theirs.place.is_mounted());

    theirs.mount_with(&["--auto-unmount"]);
    theirs.place.daemon().kill();
    until("the mount is cleared", || !theirs.place.is_mounted());
}

#[test]
fn a_users_dead_mount_is_cleared_by_their_next_mount() {
    let _device = Device::with_mode(0o666);
    let theirs = Theirs::new();
    theirs.mount();
    theirs.place.daemon().kill();
    let said = theirs.optfs_mount(&[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("clearing a dead mount"), "{said:?}");
    assert_eq!(theirs.shell("cat public").stdout, "public");
    theirs.unmount();
}

#[test]
fn allow_other_needs_the_consent_of_fuse_conf() {
    let _device = Device::with_mode(0o666);
    let theirs = Theirs::new();
    let without = theirs.place.scratch().join("without");
    let with = theirs.place.scratch().join("with");
    fs::write(&without, "# nothing\n").unwrap();
    fs::write(&with, "user_allow_other\n").unwrap();
    // In mount namespaces of their own, so that the machine's fuse.conf stays out of it: $0 is the file to stand in its
    // place, $1 where to mount and the rest the command.
    let script = r#"
        mount --bind "$0" /etc/fuse.conf
        at=$1; shift
        setpriv --reuid 65534 --regid 65534 --clear-groups "$@" && cat "$at/public" && umount "$at""#;
    let try_with = |conf: &PathBuf| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script]).arg(conf);
        command.arg(theirs.place.opt()).arg(&theirs.program);
        command.args(["mount", "--allow-other"]);
        answer(command.args(theirs.place.layers()).arg(theirs.place.opt()))
    };
    let said = try_with(&without);
    assert_eq!(said.code, Some(5), "{said:?}");
    for word in [
        "allow_other",
        "hint: add the line 'user_allow_other' to /etc/fuse.conf",
    ] {
        assert!(said.stderr.contains(word), "{said:?}");
    }
    let said = try_with(&with);
    assert_eq!((said.code, &said.stdout[..]), (Some(0), "public"), "{said:?}");
}

#[test]
fn a_forbidden_device_is_named_with_what_to_do() {
    let _device = Device::with_mode(0o600);
    let theirs = Theirs::new();
    let said = theirs.optfs_mount(&[]);
    assert_eq!(said.code, Some(5), "{said:?}");
    for word in [
        "/dev/fuse cannot be opened: Permission denied",
        "hint: as root: chmod 666 /dev/fuse",
    ] {
        assert!(said.stderr.contains(word), "{said:?}");
    }
    assert!(!theirs.place.is_mounted());
}

#[test]
fn a_missing_fusermount3_is_named_with_what_to_do() {
    let _device = Device::with_mode(0o666);
    let theirs = Theirs::new();
    let without_path = |verb| {
        let mut command = Command::new("env");
        command.arg("PATH=/nonexistent").arg(&theirs.program).arg(verb);
        if verb == "mount" {
            command.args(theirs.place.layers());
        }
        answer(as_user(command.arg(theirs.place.opt())))
    };
    let expect = |said: Answer, what: &str| {
        assert_eq!(said.code, Some(5), "{said:?}");
        for word in [
            what,
            "fusermount3, which is not installed",
            "hint: install the package fuse3",
        ] {
            assert!(said.stderr.contains(word), "{said:?}");
        }
    };
    expect(without_path("mount"), "mounting");
    assert!(!theirs.place.is_mounted());
    theirs.mount();
    expect(without_path("umount"), "unmounting");
    theirs.unmount();
}

/// The helper refuses what is not the user's to mount on; its reason is ours.
#[test]
fn a_directory_of_somebody_else_is_refused() {
    let _device = Device::with_mode(0o666);
    let theirs = Theirs::new();
    chown(theirs.place.opt(), Some(0), Some(0)).unwrap();
    let said = theirs.optfs_mount(&[]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(
        said.stderr.contains(theirs.place.opt().to_str().unwrap()),
        "{said:?}"
    );
    assert!(!theirs.place.is_mounted());
}

/// A place that an ordinary user can reach and mount on, and a copy of optfs that they can run.
struct Theirs {
    place: Place,
    program: PathBuf,
}

impl Theirs {
    fn new() -> Self {
        let layer = RawZip::new()
            .file("public", "public")
            .file("private", "private")
            .mode(0o600)
            .file("program", "#!/bin/sh\necho runs\n")
            .mode(0o755)
            .dir("closed/")
            .mode(0o700)
            .file("closed/public", "hidden");
        let place = Place::new(&[layer]);
        assert!(
            nix::unistd::geteuid().is_root(),
            "these tests become another user: run them as root"
        );
        fs::set_permissions(place.scratch(), Permissions::from_mode(0o755)).expect("our own directory");
        chown(place.opt(), Some(USER), Some(USER)).expect("root may do so");
        // Another process copies: here a thread might fork meanwhile, and its child keep the copy open to write and so
        // from being run.
        let program = place.scratch().join("optfs");
        output(Command::new("install").args(["-m", "755", OPTFS]).arg(&program));
        Self { place, program }
    }

    /// Runs `optfs` as the user, on the mount point.
    fn optfs(&self, words: &[&str]) -> Answer {
        answer(as_user(
            Command::new(&self.program).args(words).arg(self.place.opt()),
        ))
    }

    fn optfs_mount(&self, options: &[&str]) -> Answer {
        let layers = self
            .place
            .layers()
            .iter()
            .map(|layer| layer.to_str().expect("a path of words"));
        let words: Vec<_> = ["mount"]
            .into_iter()
            .chain(options.iter().copied())
            .chain(layers)
            .collect();
        self.optfs(&words)
    }

    fn mount_with(&self, options: &[&str]) {
        let said = self.optfs_mount(options);
        assert_eq!((said.code, &said.stderr[..]), (Some(0), ""), "{said:?}");
        assert!(self.place.is_mounted());
    }

    fn mount(&self) {
        self.mount_with(&[]);
    }

    fn unmount(&self) {
        let said = self.optfs(&["umount"]);
        assert_eq!((said.code, &said.stderr[..]), (Some(0), ""), "{said:?}");
        assert!(!self.place.is_mounted());
    }

    /// Runs a line of shell in the mount, as the user.
    fn shell(&self, line: &str) -> Answer {
        let script = r#"cd "$1" && eval "$2""#;
        answer(as_user(
            Command::new("sh")
                .args(["-c", script, "sh"])
                .arg(self.place.opt())
                .arg(line),
        ))
    }
}

/// Without groups too: root's would be left otherwise.
fn as_user(command: &mut Command) -> &mut Command {
    command.uid(USER).gid(USER).current_dir("/")
}

/// /dev/fuse with another mode for as long as the value lives. The lock keeps other tests, and other runs, from doing the same.
struct Device {
    locked: Flock<File>,
    mode_before: u32,
}

impl Device {
    fn with_mode(mode: u32) -> Self {
        let device = File::open("/dev/fuse").expect("FUSE is there");
        let locked = Flock::lock(device, FlockArg::LockExclusive).expect("a lock on a device");
        let mode_before = locked.metadata().expect("an open file").permissions().mode() & 0o7777;
        let device = Self { locked, mode_before };
        device.set(mode);
        device
    }

    fn set(&self, mode: u32) {
        let changed = self.locked.set_permissions(Permissions::from_mode(mode));
        changed.expect("root may change the mode of /dev/fuse");
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.set(self.mode_before);
    }
}
