//! What runs out under a mount: memory, threads, descriptors. It goes on with what is left, or says why and leaves nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::{FileExt, chown};
use std::process::Command;

use nix::errno::Errno;

use crate::support::cgroup::MemoryGroup;
use crate::support::command::{OPTFS, answer, output};
use crate::support::device::DeviceForAll;
use crate::support::place::Place;
use crate::support::raw_zip::RawZip;
use crate::support::until::until;

const FILES: usize = 24;
const FILE_BYTES: usize = 6 << 20;

fn content(number: usize) -> Vec<u8> {
    let piece: Vec<u8> = (0..FILE_BYTES / 96)
        .map(|at| (at / 9 * (number + 3)) as u8)
        .collect();
    piece.repeat(96)
}

/// 144 MB of files that are inflated whole, in a layer of a few.
fn large() -> Place {
    let zip = (0..FILES).fold(RawZip::new(), |zip, number| {
        zip.file(format!("f{number}"), content(number)).deflate()
    });
    Place::new(&[zip])
}

/// Reads the middle of each file, which leaves the rest of it to be kept, and then all of it.
fn read_all(place: &Place) -> Result<(), std::io::Error> {
    let mut middle = vec![0; 10_000];
    for number in 0..FILES {
        let file = fs::File::open(place.path(format!("f{number}")))?;
        file.read_exact_at(&mut middle, FILE_BYTES as u64 / 2)?;
        assert!(middle == content(number)[FILE_BYTES / 2..][..10_000], "f{number}");
    }
    for number in 0..FILES {
        assert!(
            fs::read(place.path(format!("f{number}")))? == content(number),
            "f{number}"
        );
    }
    Ok(())
}

/// More than twice as much as there is memory for.
#[test]
fn a_mount_in_64_mb_serves_144_mb_with_a_cache_of_32() {
    let Some(group) = MemoryGroup::new(64 << 20) else {
        return eprintln!("no memory cgroup can be made here");
    };
    let place = large();
    output(&mut group.inside(&place.mounting(["--cache-size=32M", "--no-index"])));
    read_all(&place).unwrap();
    assert_eq!(group.killed(), 0);
    place.unmount();
}

/// A cache that does not fit: the kernel kills who has it.
#[test]
fn who_is_killed_for_its_memory_leaves_errors_and_a_mount_that_can_be_cleared() {
    let Some(group) = MemoryGroup::new(40 << 20) else {
        return eprintln!("no memory cgroup can be made here");
    };
    let place = large();
    output(&mut group.inside(&place.mounting(["--cache-size=256M", "--no-index"])));
    let error = read_all(&place).unwrap_err();
    let errno = Errno::from_raw(error.raw_os_error().unwrap());
    let is_cut_off = [Errno::ENOTCONN, Errno::ECONNABORTED, Errno::ECANCELED, Errno::EIO];
    assert!(is_cut_off.contains(&errno), "{errno}");
    until("the kernel has killed it", || group.killed() == 1);
    place.unmount();
}

/// The same cache, and somebody who starts another process each time.
#[test]
fn under_supervision_nobody_notices_that_memory_runs_out() {
    let Some(group) = MemoryGroup::new(56 << 20) else {
        return eprintln!("no memory cgroup can be made here");
    };
    let place = large();
    let mounting = place.mounting([
        "--supervise",
        "--transport=fuser",
        "--cache-size=256M",
        "--no-index",
    ]);
    output(&mut group.inside(&mounting));
    read_all(&place).unwrap();
    assert!(group.killed() > 0, "the cache has found room");
    place.unmount();
}

/// What it opens later it does without: the index, a look at which core a client runs on.
#[test]
fn a_mount_whose_descriptors_run_out_serves_on() {
    let content: Vec<u8> = (0..9_000_000).map(|at| (at / 7) as u8).collect();
    let zip = || {
        RawZip::new()
            .file("large", &content)
            .deflate()
            .file("d/small", "hello")
    };
    for options in [["--transport=fuser"], ["--transport=auto"]] {
        let place = Place::new(&[zip()]);
        place.mount(options);
        let mut limit = Command::new("prlimit");
        limit
            .args(["--nofile=0:0", "--pid"])
            .arg(place.daemon().id().to_string());
        output(&mut limit);
        assert_eq!(fs::read_to_string(place.path("d/small")).unwrap(), "hello");
        assert!(fs::read(place.path("large")).unwrap() == content);
        for told in ["stack.json", "stats.json", "layers/0-layer0.zip/d/small"] {
            // Whatever there is of it, it is no trouble to the rest.
            let _ = fs::read(place.path(".optfs").join(told));
        }
        assert_eq!(fs::read_dir(place.opt()).unwrap().count(), 2);
        place.unmount();
    }
}

/// A mount for which one thread was too few used to say that all was well, and to go away a moment later.
#[test]
fn a_mount_that_gets_few_threads_serves_with_those_or_says_why() {
    // A user with a name, which fusermount3 asks for, and without processes.
    const GAMES: u32 = 5;
    let _device = DeviceForAll::open();
    let place = Place::new(&[RawZip::new().file("d/small", "hello")]);
    fs::set_permissions(place.scratch(), PermissionsExt::from_mode(0o755)).unwrap();
    chown(place.opt(), Some(GAMES), Some(GAMES)).unwrap();
    let program = place.scratch().join("optfs");
    output(Command::new("cp").arg(OPTFS).arg(&program));
    let user = format!("--reuid={GAMES}");
    let theirs = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args([&user, "--regid=60", "--clear-groups"]).args(words);
        command
    };
    let mut outcomes = [0, 0];
    for limit in [1, 2, 3, 4, 5, 6, 8, 10, 12] {
        let limit = format!("--nproc={limit}:{limit}");
        let mut mount = theirs(&["prlimit", &limit]);
        mount.arg(&program).args(["mount", "--no-index"]);
        let said = answer(mount.args(place.layers()).arg(place.opt()));
        assert!(!said.stderr.contains("panicked"), "{limit}: {said:?}");
        if said.code == Some(0) {
            let read = answer(theirs(&["cat"]).arg(place.path("d/small")));
            assert_eq!(read.stdout, "hello", "{limit}: {read:?}");
            place.unmount();
        } else {
            assert!(
                said.stderr.contains("temporarily unavailable"),
                "{limit}: {said:?}"
            );
            assert!(!place.is_mounted(), "{limit}: {said:?}");
        }
        outcomes[usize::from(said.code == Some(0))] += 1;
        // The next one counts this user's processes too.
        until("the user has none any more", || {
            let uid = GAMES.to_string();
            !answer(Command::new("pgrep").args(["-u", &uid])).code.eq(&Some(0))
        });
    }
    assert!(outcomes[0] > 0 && outcomes[1] > 3, "{outcomes:?}");
}
