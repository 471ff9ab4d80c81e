//! The essentials of a mount over each transport: what is seen, what is refused, how it ends. And which one is chosen.
//!
//! The other tests of mounts run over the transport that `OPTFS_TRANSPORT` names, or the one that is chosen by itself.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::thread;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;

use crate::support::command::{OPTFS, answer};
use crate::support::generate::{holds, stacks};
use crate::support::model::mounted;
use crate::support::on_disk;
use crate::support::place::{Foreground, Place};
use crate::support::raw_zip::RawZip;
use crate::support::switch::Switch;
use crate::support::tree::differences;
use crate::support::until::until;

/// Runs a scene over each transport that the kernel has.
fn each(scene: impl Fn(&'static str)) {
    let switch = Switch::on();
    for transport in ["fuser", "uring"] {
        if transport == "uring" && switch.is_none() {
            // What is left to prove, `what_stands_in_the_way_is_said` does.
            return;
        }
        // Seen when the scene fails.
        println!("over {transport}");
        scene(transport);
    }
}

#[test]
fn the_tree_is_the_models() {
    each(|transport| {
        holds(6, stacks(), |stack| {
            let place = Place::of_stack(&stack);
            place.mount(["--transport", transport]);
            let found = differences(&mounted(&stack), &on_disk::tree(place.opt()));
            proptest::prop_assert!(found.is_empty(), "{transport}: {found:#?}");
            Ok(())
        });
    });
}

#[test]
fn bytes_are_right_at_any_place_and_in_any_number() {
    let content = content(9_000_001);
    let layer = RawZip::new()
        .file("stored", &content)
        .file("deflated", &content)
        .deflate();
    each(|transport| {
        let place = Place::new(std::slice::from_ref(&layer));
        place.mount(["--transport", transport]);
        for name in ["stored", "deflated"] {
            let file = File::open(place.path(name)).unwrap();
            for (offset, len) in [
                (0, 1),
                (4095, 2),
                (1_048_575, 1_048_577),
                (8_999_999, 100),
                (9_000_001, 1),
                (3, 5_000_003),
            ] {
                let mut bytes = vec![0; len];
                let read = read_at_most(&file, &mut bytes, offset);
                let end = content.len().min(offset + len);
                assert!(
                    bytes[..read] == content[offset.min(end)..end],
                    "{name}: {len} bytes at {offset}"
                );
            }
            assert!(fs::read(place.path(name)).unwrap() == content, "{name}");
        }
    });
}

#[test]
fn twenty_thousand_names_are_listed_once_each() {
    let names: BTreeSet<_> = (0..20_000)
        .map(|i| format!("{}-{i}", "n".repeat(i % 120)))
        .collect();
    let layer = names
        .iter()
        .fold(RawZip::new(), |layer, name| layer.file(format!("d/{name}"), "x"));
    each(|transport| {
        let place = Place::new(std::slice::from_ref(&layer));
        place.mount(["--transport", transport]);
        let list = || {
            let names = fs::read_dir(place.path("d")).unwrap();
            names
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect::<Vec<_>>()
        };
        // Without attributes, and with them: the kernel changes its mind when it sees that they are wanted.
        for _ in 0..2 {
            let listed = list();
            assert_eq!(listed.len(), names.len());
            assert!(
                listed
                    .iter()
                    .all(|name| fs::symlink_metadata(place.path("d").join(name)).is_ok())
            );
            assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), names);
        }
    });
}

#[test]
fn what_is_not_there_cannot_be_written_or_is_damaged_is_said() {
    let layer = RawZip::new()
        .file("good", "good")
        .file("damaged", "content")
        .crc(0x1234_5678);
    each(|transport| {
        let place = Place::new(std::slice::from_ref(&layer));
        place.mount(["--transport", transport]);
        for _ in 0..2 {
            assert_eq!(errno(fs::metadata(place.path("nothing"))), Errno::ENOENT);
            assert_eq!(
                errno(fs::metadata(place.path("n".repeat(256)))),
                Errno::ENAMETOOLONG
            );
            assert_eq!(errno(fs::metadata(place.path("good/below"))), Errno::ENOTDIR);
            assert_eq!(errno(fs::read(place.path("damaged"))), Errno::EIO);
        }
        let is_refused = |place: &Place| {
            assert_eq!(errno(fs::write(place.path("new"), "x")), Errno::EROFS);
            assert_eq!(errno(fs::write(place.path("good"), "x")), Errno::EROFS);
            assert_eq!(errno(fs::create_dir(place.path("new"))), Errno::EROFS);
            assert_eq!(errno(fs::remove_file(place.path("good"))), Errno::EROFS);
        };
        is_refused(&place);
        // Now the kernel asks.
        let writable = MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(None::<&str>, place.opt(), None::<&str>, writable, None::<&str>).unwrap();
        is_refused(&place);
        assert_eq!(fs::read_to_string(place.path("good")).unwrap(), "good");
    });
}

#[test]
fn eight_readers_at_once_read_what_is_there() {
    let content = content(12_000_000);
    let layer = RawZip::new().file("large", &content).deflate();
    each(|transport| {
        let place = Place::new(std::slice::from_ref(&layer));
        place.mount(["--transport", transport]);
        thread::scope(|scope| {
            for reader in 0..8 {
                let (place, content) = (&place, &content);
                scope.spawn(move || {
                    let file = File::open(place.path("large")).unwrap();
                    let step = 300_007 + reader;
                    for offset in (reader * 1_000..content.len()).step_by(step) {
                        let mut bytes = vec![0; 10_000];
                        let read = read_at_most(&file, &mut bytes, offset);
                        let end = content.len().min(offset + bytes.len());
                        assert!(bytes[..read] == content[offset..end], "at {offset}");
                    }
                });
            }
        });
    });
}

/// Nobody waits for ever: neither who reads, nor who looks afterwards.
#[test]
fn a_killed_daemon_leaves_errors_and_nobody_waiting() {
    let content = content(30_000_000);
    let layer = RawZip::new().file("large", &content).deflate();
    each(|transport| {
        let place = Place::new(std::slice::from_ref(&layer));
        place.mount(["--transport", transport]);
        thread::scope(|scope| {
            let readers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| while fs::read(place.path("large")).is_ok() {}))
                .collect();
            place.daemon().kill();
            for reader in readers {
                reader.join().unwrap();
            }
        });
        until("the kernel knows that nobody answers", || {
            errno(fs::read_dir(place.opt())) == Errno::ENOTCONN
        });
        place.mount(["--transport", transport]);
        assert_eq!(fs::metadata(place.path("large")).unwrap().len(), 30_000_000);
        place.unmount();
    });
}

#[test]
fn sigterm_unmounts_and_lets_the_last_reader_finish() {
    let content = content(20_000_000);
    let layer = RawZip::new().file("large", &content).deflate();
    each(|transport| {
        let place = Place::new(std::slice::from_ref(&layer));
        let mut served = place.serve(["--transport", transport]);
        let mut reader = File::open(place.path("large")).unwrap();
        served.signal(Signal::SIGTERM);
        until("the mount is gone", || !place.is_mounted());
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert!(bytes == content);
        drop(reader);
        assert_eq!(served.ends().code(), Some(0), "{}", served.log());
    });
}

#[test]
fn the_log_says_which_transport_it_is() {
    each(|transport| {
        let place = Place::new(&[small()]);
        let served = place.serve(["-v", "--transport", transport]);
        assert_eq!(is_over_rings(&served), transport == "uring", "{}", served.log());
    });
}

#[test]
fn rings_are_chosen_where_the_kernel_has_them_switched_on() {
    let Some(_switch) = Switch::on() else { return };
    let place = Place::new(&[small()]);
    for (options, over_rings) in [
        (["-v", "--transport", "auto"], true),
        (["-v", "-o", "transport=fuser"], false),
    ] {
        let served = place.serve(options);
        assert_eq!(is_over_rings(&served), over_rings, "{}", served.log());
        place.unmount();
    }
}

/// In a mount namespace in which the switch shows something else than the kernel has.
#[test]
fn what_stands_in_the_way_is_said() {
    let parameters = "/sys/module/fuse/parameters";
    for (arrange, words) in [
        (
            "echo N >$1/enable_uring",
            ["io_uring is switched off", "hint: as root", "echo Y > "],
        ),
        (
            "true",
            [
                "no FUSE over io_uring",
                "hint: it came with Linux 6.14",
                "auto works",
            ],
        ),
    ] {
        let place = Place::new(&[small()]);
        let script =
            format!(r#"mount -t tmpfs none $1 && {arrange} && exec "$2" mount --transport uring "$3" "$4""#);
        let said = answer(
            Command::new("unshare")
                .args(["--mount", "sh", "-c", &script, "sh", parameters, OPTFS])
                .arg(&place.layers()[0])
                .arg(place.opt()),
        );
        assert_eq!(said.code, Some(5), "{said:?}");
        for word in words {
            assert!(said.stderr.contains(word), "{word}: {said:?}");
        }
    }
}

/// The switch says yes and the kernel's greeting says no: everything goes through /dev/fuse, without fuser.
#[test]
fn without_rings_after_all_the_mount_works_through_the_device() {
    let content = content(3_000_000);
    let place = Place::new(&[RawZip::new()
        .file("d/large", &content)
        .deflate()
        .file("good", "good")]);
    let script = r#"mount -t tmpfs none $1 && echo Y >$1/enable_uring && "$2" mount -v "$3" "$4" &&
        cat "$4/d/large" >"$5" && cat "$4/good" && ls -R "$4" && exec "$2" umount "$4""#;
    let said = answer(
        Command::new("unshare")
            .args([
                "--mount",
                "sh",
                "-c",
                script,
                "sh",
                "/sys/module/fuse/parameters",
                OPTFS,
            ])
            .arg(&place.layers()[0])
            .arg(place.opt())
            .arg(place.scratch().join("read")),
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.stdout.starts_with("good") && said.stdout.contains("large"),
        "{said:?}"
    );
    assert!(fs::read(place.scratch().join("read")).unwrap() == content);
    // Unless another test has switched it on meanwhile.
    let words = [
        "over /dev/fuse: the kernel does not offer it",
        "FUSE over io_uring with ",
    ];
    assert!(words.iter().any(|word| said.stderr.contains(word)), "{said:?}");
}

/// What is said with `-v` by the time that the mount is said to be there.
fn is_over_rings(served: &Foreground) -> bool {
    until("the mount is there", || served.log().contains(" is mounted"));
    served.log().contains("FUSE over io_uring with ")
}

fn small() -> RawZip {
    RawZip::new().file("name", "hello")
}

/// Bytes that repeat in no page.
fn content(len: usize) -> Vec<u8> {
    let words = (0..len as u32).flat_map(|word| word.wrapping_mul(0x9e37_79b9).to_le_bytes());
    words.step_by(3).take(len).collect()
}

fn read_at_most(file: &File, bytes: &mut [u8], offset: usize) -> usize {
    let mut read = 0;
    loop {
        match file.read_at(&mut bytes[read..], (offset + read) as u64).unwrap() {
            0 => return read,
            more => read += more,
        }
    }
}

#[track_caller]
fn errno<T>(result: io::Result<T>) -> Errno {
    match result {
        Ok(_) => panic!("it worked"),
        Err(error) => Errno::from_raw(error.raw_os_error().expect("the kernel said it")),
    }
}
