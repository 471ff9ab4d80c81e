//! `--supervise`: who reads notices nothing when the serving process is killed. And what ends such a mount does so for both
//! processes.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::errno::Errno;
use nix::libc::O_DIRECT;
use nix::sys::signal::Signal;

use crate::support::command::{OPTFS, answer, optfs, output};
use crate::support::place::{Daemon, Place, unmount_with};
use crate::support::raw_zip::RawZip;
use crate::support::until::until;

/// Numbers in words: packs well, and no two places are alike.
fn words(len: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..len / 4)
        .flat_map(|i| format!("{:x} ", i * (i + 5)).into_bytes())
        .collect();
    bytes.truncate(len);
    bytes
}

const LARGE: usize = 12_000_000;

fn place() -> (Place, Vec<u8>) {
    let content = words(LARGE);
    let zip = RawZip::new()
        .file("large", &content)
        .deflate()
        .file("d/small", "hello")
        .symlink("link", "d/small");
    (Place::new(&[zip]), content)
}

/// Over /dev/fuse, whatever the environment says.
const SUPERVISED: [&str; 2] = ["--supervise", "--transport=fuser"];

/// The process that serves, once there is one that is not this one.
fn next_worker(place: &Place, before: Option<&Daemon>) -> Daemon {
    let mut found = None;
    until("somebody serves", || {
        found = place.worker();
        found
            .as_ref()
            .is_some_and(|worker| before.is_none_or(|before| worker.id() != before.id()))
    });
    found.expect("found above")
}

fn kill_worker(place: &Place) -> Daemon {
    let worker = next_worker(place, None);
    worker.kill();
    worker
}

/// Bytes that the kernel has not kept: asked for anew each time.
fn read_direct(place: &Place, at: usize) -> Vec<u8> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(O_DIRECT)
        .open(place.path("large"))
        .unwrap();
    let mut bytes = vec![0; 128 << 10];
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], (at + read) as u64).unwrap() {
            0 => break,
            more => read += more,
        }
    }
    bytes.truncate(read);
    bytes
}

#[test]
fn sixteen_readers_do_not_notice_that_the_serving_process_is_killed() {
    let (place, content) = place();
    place.mount(SUPERVISED);
    let keeper = place.keeper();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for reader in 0..16usize {
            let (place, content, is_over) = (&place, &content, &is_over);
            scope.spawn(move || {
                for turn in reader.. {
                    let at = (turn * 1_234_567 % LARGE) & !4095;
                    let bytes = read_direct(place, at);
                    assert!(bytes == content[at..LARGE.min(at + bytes.len())], "at {at}");
                    assert_eq!(bytes.len(), (LARGE - at).min(128 << 10));
                    let names = fs::read_dir(place.opt()).unwrap();
                    assert_eq!(names.map(Result::unwrap).collect::<Vec<_>>().len(), 3);
                    assert_eq!(fs::read_to_string(place.path("link")).unwrap(), "hello");
                    nix::sys::statvfs::statvfs(place.opt()).unwrap();
                    if is_over.load(Ordering::SeqCst) {
                        break;
                    }
                }
            });
        }
        let mut killed = None;
        for _ in 0..8 {
            let worker = next_worker(&place, killed.as_ref());
            // The first look that it answers tells that it is at work.
            fs::metadata(place.path("d/nothing")).unwrap_err();
            worker.kill();
            killed = Some(worker);
        }
        is_over.store(true, Ordering::SeqCst);
    });
    assert_eq!(place.keeper().id(), keeper.id());
    let worker = next_worker(&place, None);
    place.unmount();
    until("both processes end", || !keeper.is_alive() && !worker.is_alive());
}

/// A request that kills whoever answers it would do so for ever.
#[test]
fn workers_that_die_too_fast_are_given_up() {
    let (place, _) = place();
    let mut served = place.serve(SUPERVISED);
    let mut killed = None;
    while place.is_mounted() && killed.is_none_or(|nth| nth < 11) {
        kill_worker(&place);
        killed = Some(killed.unwrap_or(0) + 1);
        let next = || place.worker().is_some() || !place.is_mounted();
        until("another one is there, or none is wanted", next);
    }
    assert_eq!(killed, Some(10));
    assert_eq!(served.ends().code(), Some(6), "{}", served.log());
    for said in [
        "died of SIGKILL: starting another",
        "10 times within 10 s: given up",
        "taken away",
        "hint:",
    ] {
        assert!(served.log().contains(said), "{said}: {}", served.log());
    }
}

/// Everything that a successor needs is handed to it: the archive may be gone, the directory it was named from left.
#[test]
fn a_successor_serves_archives_that_were_replaced_or_deleted() {
    let (place, content) = place();
    let second = place.scratch().join("second.zip");
    fs::write(&second, RawZip::new().file("d/second", "2").build()).unwrap();
    let mut mount = optfs();
    mount
        .current_dir(place.scratch())
        .arg("mount")
        .args(SUPERVISED)
        .arg("--index-dir=index");
    let first = place.layers()[0].strip_prefix(place.scratch()).unwrap();
    // The mount point whole: by it the processes are found.
    output(mount.arg(first).arg("second.zip").arg(place.opt()));
    let other = place.scratch().join("other.zip");
    fs::write(&other, RawZip::new().file("d/other", "other").build()).unwrap();
    fs::rename(&other, &place.layers()[0]).unwrap();
    fs::remove_file(&second).unwrap();
    kill_worker(&place);
    assert!(read_direct(&place, 4096 * 99) == content[4096 * 99..][..128 << 10]);
    assert_eq!(fs::read_to_string(place.path("d/second")).unwrap(), "2");
    assert!(!place.path("d/other").exists());
}

/// The kernel keeps for ever what the one before told it: another tree would be mixed with that.
#[test]
fn a_successor_shows_no_other_tree() {
    let (place, _) = place();
    let mut served = place.serve(SUPERVISED);
    let other = RawZip::new().file("d/other", "other").build();
    fs::write(&place.layers()[0], &other).unwrap();
    kill_worker(&place);
    until("the mount is gone", || !place.is_mounted());
    assert_eq!(served.ends().code(), Some(3), "{}", served.log());
    assert!(served.log().contains("written over"), "{}", served.log());
}

/// Written over and put back, with the time that it then has: large files are read through once more, and served.
#[test]
fn a_successor_serves_an_archive_that_was_only_touched() {
    let (place, content) = place();
    place.mount(SUPERVISED);
    let archive = File::options().write(true).open(&place.layers()[0]).unwrap();
    archive.set_modified(std::time::SystemTime::now()).unwrap();
    kill_worker(&place);
    assert!(read_direct(&place, 0) == content[..128 << 10]);
}

#[test]
fn sigterm_to_the_keeper_lets_readers_finish_also_with_another_worker() {
    let (place, content) = place();
    let mut served = place.serve(SUPERVISED);
    let mut reader = File::open(place.path("large")).unwrap();
    let mut bytes = vec![0; 1000];
    reader.read_exact(&mut bytes).unwrap();
    served.signal(Signal::SIGTERM);
    until("the mount is gone", || !place.is_mounted());
    kill_worker(&place);
    reader.read_to_end(&mut bytes).unwrap();
    assert!(bytes == content);
    drop(reader);
    assert_eq!(served.ends().code(), Some(0), "{}", served.log());
}

#[test]
fn a_second_signal_ends_both_processes() {
    let (place, _) = place();
    let mut served = place.serve(SUPERVISED);
    let reader = File::open(place.path("large")).unwrap();
    let worker = next_worker(&place, None);
    served.signal(Signal::SIGINT);
    until("the mount is gone", || !place.is_mounted());
    served.signal(Signal::SIGINT);
    assert_eq!(served.ends().code(), Some(130), "{}", served.log());
    until("the worker ends", || !worker.is_alive());
    let lost = reader.read_at(&mut [0; 9], 9_000_000).unwrap_err();
    let errno = Errno::from_raw(lost.raw_os_error().unwrap());
    assert!(matches!(errno, Errno::ENOTCONN | Errno::ECONNABORTED), "{errno}");
}

/// The mount goes on without a keeper, as one that was never supervised.
#[test]
fn a_keeper_that_is_killed_costs_nobody_anything() {
    let (place, content) = place();
    place.mount(["--supervise", "--transport=fuser", "--auto-unmount"]);
    let worker = next_worker(&place, None);
    place.keeper().kill();
    assert!(read_direct(&place, 8192) == content[8192..][..128 << 10]);
    worker.kill();
    until("the mount is cleared", || !place.is_mounted());
}

#[test]
fn a_mount_that_cannot_be_says_why_as_without_a_keeper() {
    let (place, _) = place();
    let said = answer(
        place
            .mounting(["--supervise", "--transport=uring"])
            .env_remove("OPTFS_TRANSPORT"),
    );
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.stderr.contains("--supervise") && said.stderr.contains("hint:"),
        "{said:?}"
    );
    fs::write(&place.layers()[0], "no zip").unwrap();
    for option in ["--quiet", "--foreground"] {
        let said = answer(&mut place.mounting(["--transport=fuser", "-osupervise", option]));
        assert_eq!(said.code, Some(3), "{said:?}");
        assert_eq!(said.stderr.matches("optfs: ").count(), 1, "{said:?}");
        assert!(said.stderr.contains("layer0.zip"), "{said:?}");
    }
    let said = answer(optfs().args(["mount", "--supervised", "x.zip"]).arg(place.opt()));
    assert_eq!(said.code, Some(6), "{said:?}");
    assert!(said.stderr.contains("optfs's own use"), "{said:?}");
}

/// A shell's `$(…)` ends, the directory it was started in can go, and every way of unmounting ends both processes.
#[test]
fn both_processes_let_go_of_everything_and_end_with_the_mount() {
    for program in [&["umount"][..], &["fusermount3", "-u"], &[OPTFS, "umount"]] {
        let (place, _) = place();
        let script =
            r#"said=$("$0" mount --supervise --transport=fuser "$1" "$2" 2>&1); echo "said '$said'""#;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script, OPTFS])
            .arg(&place.layers()[0])
            .arg(place.opt());
        assert_eq!(output(&mut shell), "said ''\n");
        kill_worker(&place);
        let (keeper, worker) = (place.keeper(), next_worker(&place, None));
        fs::read_dir(place.opt()).unwrap();
        for process in [&keeper, &worker] {
            for number in 0..3 {
                let open = fs::read_link(format!("/proc/{}/fd/{number}", process.id())).unwrap();
                assert!(
                    open.to_str().is_some_and(|open| open == "/dev/null"),
                    "{number}: {open:?}"
                );
            }
            let stands = fs::read_link(format!("/proc/{}/cwd", process.id())).unwrap();
            assert_eq!(stands.to_str(), Some("/"));
        }
        let mut unmount = Command::new(program[0]);
        unmount_with(unmount.args(&program[1..]).arg(place.opt()));
        until("both end", || !keeper.is_alive() && !worker.is_alive());
    }
}
