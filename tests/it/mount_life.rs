//! The life of a mount: how it begins, who ends it and how, and what is left when its process is killed.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::support::command::{OPTFS, answer, optfs, output};
use crate::support::place::{Place, unmount_with};
use crate::support::raw_zip::RawZip;
use crate::support::until::until;

/// A shell's `$(…)` ends when nobody holds the pipe any more: the daemon must have let go of both outputs.
#[test]
fn the_daemon_lets_go_of_every_output() {
    let place = small();
    let script = r#"said=$("$0" mount "$1" "$2" 2>&1); echo "status $? said '$said'"; cat "$2/name""#;
    let said = output(
        Command::new("sh")
            .args(["-c", script, OPTFS])
            .arg(&place.layers()[0])
            .arg(place.opt()),
    );
    assert_eq!(said, "status 0 said ''\nhello");
    let daemon = place.daemon();
    for number in 0..3 {
        let open = fs::read_link(format!("/proc/{}/fd/{number}", daemon.id())).unwrap();
        assert_eq!(open, Path::new("/dev/null"), "descriptor {number}");
    }
    let stands = fs::read_link(format!("/proc/{}/cwd", daemon.id())).unwrap();
    assert_eq!(stands, Path::new("/"), "it keeps no directory in use");
    // In a session of its own: closing the terminal does not reach it.
    let session = nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(daemon.id()))).unwrap();
    assert_eq!(session.as_raw(), daemon.id());
}

#[test]
fn ctrl_c_sigterm_and_sighup_unmount_the_foreground() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let place = small();
        let mut served = place.serve([]);
        served.signal(signal);
        let status = served.ends();
        assert_eq!(status.code(), Some(0), "{signal}: {}", served.log());
        assert!(!place.is_mounted(), "{signal}");
        assert_eq!(served.log(), "", "{signal}");
    }
}

#[test]
fn signals_unmount_the_background_too() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let place = small();
        place.mount([]);
        let daemon = place.daemon();
        daemon.signal(signal);
        until("the daemon ends", || !daemon.is_alive());
        assert!(!place.is_mounted(), "{signal}");
    }
}

#[test]
fn several_mounts_are_unmounted_at_once() {
    let places = [small(), small(), small()];
    let daemons = places.each_ref().map(|place| {
        place.mount([]);
        place.daemon()
    });
    output(optfs().arg("umount").args(places.each_ref().map(Place::opt)));
    for (place, daemon) in places.iter().zip(&daemons) {
        assert!(!place.is_mounted());
        until("the daemon ends", || !daemon.is_alive());
    }
}

/// One that cannot be unmounted is the command's failure, and does not keep the others mounted.
#[test]
fn one_that_is_not_mounted_does_not_keep_the_others() {
    let (mounted, not_mounted) = (small(), small());
    mounted.mount([]);
    let said = answer(optfs().args(["umount"]).args([not_mounted.opt(), mounted.opt()]));
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.stderr.contains("nothing is mounted there"), "{said:?}");
    assert!(!mounted.is_mounted());
}

#[test]
fn the_programs_of_the_system_unmount_it() {
    let programs: [&[&str]; 3] = [&["umount"], &["fusermount3", "-u"], &[OPTFS, "unmount"]];
    for program in programs {
        let place = small();
        place.mount([]);
        let daemon = place.daemon();
        output(Command::new(program[0]).args(&program[1..]).arg(place.opt()));
        assert!(!place.is_mounted(), "{program:?}");
        until("the daemon ends", || !daemon.is_alive());
    }
}

#[test]
fn the_foreground_ends_well_when_somebody_else_unmounts() {
    let place = small();
    let mut served = place.serve([]);
    place.unmount();
    assert_eq!(served.ends().code(), Some(0), "{}", served.log());
    assert_eq!(served.log(), "");
}

#[test]
fn a_mount_in_use_is_not_unmounted_and_the_reader_is_not_disturbed() {
    let (place, content) = large();
    place.mount([]);
    let daemon = place.daemon();
    let mut reader = File::open(place.path("large")).unwrap();

    let said = answer(optfs().arg("umount").arg(place.opt()));
    assert_eq!(said.code, Some(4), "{said:?}");
    for word in ["in use", "hint: 'fuser -vm", "optfs umount --lazy"] {
        assert!(said.stderr.contains(word), "{said:?}");
    }
    assert!(place.is_mounted());

    output(optfs().args(["umount", "--lazy"]).arg(place.opt()));
    assert!(!place.is_mounted());
    assert_eq!(rest(&mut reader), content);
    assert!(daemon.is_alive(), "somebody reads");
    drop(reader);
    until("the daemon ends", || !daemon.is_alive());
}

#[test]
fn a_signal_takes_the_mount_away_at_once_and_lets_readers_finish() {
    let (place, content) = large();
    place.mount([]);
    let daemon = place.daemon();
    let mut reader = File::open(place.path("large")).unwrap();
    daemon.signal(Signal::SIGTERM);
    until("the mount is gone", || !place.is_mounted());
    assert_eq!(rest(&mut reader), content);
    assert!(daemon.is_alive(), "somebody reads");
    drop(reader);
    until("the daemon ends", || !daemon.is_alive());
}

/// An older daemon, that lives on for its last reader, used to take away the mount of the newer one in its place.
#[test]
fn a_signal_to_an_older_daemon_leaves_the_newer_mount() {
    let place = small();
    let mut older = place.serve(["-v"]);
    let reader = File::open(place.path("name")).unwrap();
    output(optfs().args(["umount", "--lazy"]).arg(place.opt()));
    place.mount([]);
    older.signal(Signal::SIGTERM);
    until("the signal is heard", || older.log().contains("unmounting"));
    drop(reader);
    assert_eq!(older.ends().code(), Some(0), "{}", older.log());
    assert!(place.is_mounted());
    assert_eq!(fs::read_to_string(place.path("name")).unwrap(), "hello");
}

/// Who cannot wait for the last reader says so by a second signal.
#[test]
fn a_second_signal_ends_it_with_files_open() {
    let (place, _) = large();
    let mut served = place.serve([]);
    let mut reader = File::open(place.path("large")).unwrap();
    served.signal(Signal::SIGINT);
    until("the mount is gone", || !place.is_mounted());
    served.signal(Signal::SIGINT);
    assert_eq!(served.ends().code(), Some(128 + Signal::SIGINT as i32));
    assert!(served.log().contains("open files are lost"), "{}", served.log());
    let lost = reader.read_to_end(&mut Vec::new()).unwrap_err();
    // Over io_uring a request may still be on its way when the mount goes.
    let errno = lost.raw_os_error().map(Errno::from_raw);
    assert!(
        matches!(
            errno,
            Some(Errno::ENOTCONN | Errno::ECONNABORTED | Errno::ECANCELED)
        ),
        "{lost}"
    );
}

#[test]
fn a_dead_mount_is_cleared_by_the_next_mount() {
    let place = dead();
    let said = answer(&mut place.mounting([]));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("clearing a dead mount"), "{said:?}");
    assert!(said.stderr.contains(place.opt().to_str().unwrap()), "{said:?}");
    assert_eq!(place.mounts().len(), 1);
    assert_eq!(fs::read_to_string(place.path("name")).unwrap(), "hello");
}

#[test]
fn a_dead_mount_is_cleared_by_umount() {
    let place = dead();
    place.unmount();
}

/// The kernel keeps attributes for ever, and answers `stat` in the place of a daemon that was killed: the mount used to
/// pass for a live one.
#[test]
fn a_dead_mount_is_recognised_though_the_kernel_answers_for_it() {
    let place = small();
    place.mount([]);
    fs::metadata(place.opt()).unwrap();
    place.daemon().kill();
    fs::metadata(place.opt()).expect("kept by the kernel");
    assert_eq!(answer(&mut place.mounting([])).code, Some(0));
    assert_eq!(fs::read_to_string(place.path("name")).unwrap(), "hello");
}

#[test]
fn a_dead_mount_in_use_is_cleared_all_the_same() {
    let place = small();
    place.mount([]);
    let reader = File::open(place.path("name")).unwrap();
    place.daemon().kill();
    place.unmount();
    drop(reader);
}

#[test]
fn auto_unmount_clears_the_mount_of_a_killed_daemon() {
    for options in [["--auto-unmount", "-q"], ["-o", "auto_unmount"]] {
        let place = small();
        place.mount(options);
        place.daemon().kill();
        until("the mount is cleared", || !place.is_mounted());
    }
}

/// The watching process is nobody's concern when all goes well: it ends with the mount.
#[test]
fn auto_unmount_leaves_no_process_behind() {
    let place = small();
    place.mount(["--auto-unmount"]);
    let (daemon, guard) = (place.daemon(), place.guard());
    place.unmount();
    until("the daemon ends", || !daemon.is_alive());
    until("the guard ends", || !guard.is_alive());
}

#[test]
fn a_live_mount_is_not_mounted_over() {
    let place = small();
    place.mount([]);
    let said = answer(&mut place.mounting([]));
    assert_eq!(said.code, Some(4), "{said:?}");
    for word in [
        "already a mount of optfs (layer0.zip)",
        "hint: first: optfs umount",
    ] {
        assert!(said.stderr.contains(word), "{said:?}");
    }
    assert_eq!(place.mounts().len(), 1);
    assert_eq!(fs::read_to_string(place.path("name")).unwrap(), "hello");
}

#[test]
fn another_filesystem_may_be_mounted_over_and_comes_back() {
    let place = small();
    output(
        Command::new("mount")
            .args(["-t", "tmpfs", "below"])
            .arg(place.opt()),
    );
    fs::write(place.path("other"), "below").unwrap();
    place.mount([]);
    assert_eq!(fs::read_to_string(place.path("name")).unwrap(), "hello");
    unmount_with(optfs().arg("umount").arg(place.opt()));
    assert_eq!(fs::read_to_string(place.path("other")).unwrap(), "below");

    let said = answer(optfs().arg("umount").arg(place.opt()));
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(
        said.stderr.contains("a mount of type tmpfs, not of optfs"),
        "{said:?}"
    );
    assert_eq!(fs::read_to_string(place.path("other")).unwrap(), "below");
}

fn small() -> Place {
    Place::new(&[RawZip::new().file("name", "hello")])
}

/// A file too large for one look ahead of the kernel, so that its reader needs the daemon to the end.
fn large() -> (Place, Vec<u8>) {
    let content: Vec<u8> = (0..4_000_000u32).flat_map(u32::to_le_bytes).collect();
    let place = Place::new(&[RawZip::new().file("large", &content).deflate()]);
    (place, content)
}

/// A place whose daemon was killed.
fn dead() -> Place {
    let place = small();
    place.mount([]);
    place.daemon().kill();
    // Over io_uring the kernel takes a moment, and who asks meanwhile hears that the request was given up.
    until("the kernel knows that nobody answers", || {
        let error = fs::read_dir(place.opt()).expect_err("nobody answers");
        let errno = error.raw_os_error().map(Errno::from_raw);
        let is_dead = errno == Some(Errno::ENOTCONN);
        let is_cut_off = matches!(errno, Some(Errno::ECONNABORTED | Errno::ECANCELED));
        assert!(is_dead || is_cut_off, "{error}");
        is_dead
    });
    place
}

fn rest(reader: &mut File) -> Vec<u8> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("somebody answers");
    bytes
}
