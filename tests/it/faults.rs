//! Faults under a mount, made with real tools: archives that shrink, change, fail and come back; processes that are killed
//! while they are busy; descriptors, threads, memory and disk that run out. What is touched is an error, the rest is right.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::support::command::{OPTFS, answer, optfs, output};
use crate::support::on_disk;
use crate::support::place::Place;
use crate::support::raw_zip::RawZip;
use crate::support::tree::Body;
use crate::support::until::until;

/// Which bytes each file has, and how it is packed.
fn contents() -> BTreeMap<&'static str, Vec<u8>> {
    BTreeMap::from([
        ("small-stored", words(1, 3_000)),
        ("small-deflated", words(2, 30_000)),
        ("large-stored", words(3, 600_000)),
        ("large-deflated", words(4, 600_000)),
    ])
}

fn words(salt: usize, len: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..len / 4)
        .flat_map(|i| format!("{:x} ", i * (i + salt)).into_bytes())
        .collect();
    bytes.truncate(len);
    bytes
}

fn layer() -> RawZip {
    contents().iter().fold(RawZip::new(), |zip, (name, content)| {
        match name.ends_with("stored") {
            true => zip.file(name, content),
            false => zip.file(name, content).deflate(),
        }
    })
}

/// How many files were right; all others were errors.
#[track_caller]
fn right_or_eio(place: &Place) -> usize {
    let right = contents().into_iter().filter(|(name, content)| {
        match fs::read(place.path(name)) {
            Ok(bytes) => assert!(bytes == *content, "{name}: other bytes with a good status"),
            Err(error) => {
                assert_eq!(errno(&error), Errno::EIO, "{name}");
                return false;
            }
        }
        true
    });
    right.count()
}

/// Everything that was an error while the archive was not itself is right again once it is.
#[test]
fn an_archive_that_comes_back_is_served_again() {
    let whole = layer().build();
    let half = whole.len() as u64 / 2;
    type Fault = fn(&File, u64);
    let faults: [(&str, Fault); 4] = [
        ("truncated to nothing", |file, _| file.set_len(0).unwrap()),
        ("truncated to its half", |file, half| file.set_len(half).unwrap()),
        ("written over", |file, half| {
            file.write_all_at(&vec![0xff; 2 * half as usize], 0).unwrap();
        }),
        ("written over here and there", |file, half| {
            for at in (0..2 * half).step_by(1000) {
                file.write_all_at(b"?", at).unwrap();
            }
        }),
    ];
    for (fault, make) in faults {
        let place = Place::new(&[layer()]);
        // Without a cache the larger ones are read by range.
        place.mount(["--cache-size", "0"]);
        let archive = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&place.layers()[0])
            .unwrap();
        make(&archive, half);
        assert!(right_or_eio(&place) < 4, "{fault}: nothing was touched");
        assert_eq!(fs::read_dir(place.opt()).unwrap().count(), 4, "{fault}");
        archive.write_all_at(&whole, 0).unwrap();
        archive.set_len(whole.len() as u64).unwrap();
        assert_eq!(right_or_eio(&place), 4, "{fault}: it came back");
        place.unmount();
    }
}

/// Large files are verified once, and the kernel's own note of the last change tells when that is over: whoever may write
/// can put back the other time, and used to be served whatever they had written.
#[test]
fn an_archive_whose_time_is_put_back_is_found_out() {
    let content = words(7, 9_000_000);
    for is_deflated in [false, true] {
        let zip = RawZip::new().file("large", &content);
        let zip = if is_deflated { zip.deflate() } else { zip };
        let place = Place::new(&[zip]);
        place.mount(["--cache-size", "0", "--no-index"]);
        let read = || {
            // What the kernel keeps it goes on giving.
            let file = File::open(place.path("large")).unwrap();
            nix::fcntl::posix_fadvise(&file, 0, 0, nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED)
                .unwrap();
            fs::read(place.path("large"))
        };
        assert!(read().unwrap() == content);
        let archive = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&place.layers()[0])
            .unwrap();
        let (time, at) = (archive.metadata().unwrap().modified().unwrap(), 500_000);
        let mut before = [0; 20];
        archive.read_exact_at(&mut before, at).unwrap();
        archive.write_all_at(&before.map(|byte| byte ^ 1), at).unwrap();
        archive.set_modified(time).unwrap();
        assert_eq!(errno(&read().unwrap_err()), Errno::EIO, "deflated: {is_deflated}");
        archive.write_all_at(&before, at).unwrap();
        archive.set_modified(time).unwrap();
        assert!(read().unwrap() == content, "it came back");
        // Another name, another mode: nothing to complain about.
        fs::rename(&place.layers()[0], place.scratch().join("elsewhere")).unwrap();
        assert!(read().unwrap() == content);
        place.unmount();
    }
}

/// A block device that fails: the file behind a loop device is cut off under a mounted ext4.
#[test]
fn a_device_that_fails_costs_what_lies_on_it() {
    let disk = Place::of_layers(&[]);
    let (files, image) = (disk.scratch().join("files"), disk.scratch().join("image"));
    fs::create_dir(&files).unwrap();
    fs::write(files.join("layer.zip"), layer().build()).unwrap();
    output(
        Command::new("mkfs.ext4")
            .args(["-q", "-d"])
            .args([&files, &image])
            .arg("8M"),
    );
    output(
        Command::new("mount")
            .args(["-o", "loop,ro"])
            .args([&image, disk.opt()]),
    );
    let place = Place::of_layers(&[disk.path("layer.zip")]);
    place.mount(["--cache-size", "0"]);
    let whole = fs::read(&image).unwrap();
    let device = OpenOptions::new().write(true).open(&image).unwrap();
    let archive = File::open(disk.path("layer.zip")).unwrap();
    device.set_len(0).unwrap();
    let forget = || {
        let all = nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED;
        nix::fcntl::posix_fadvise(&archive, 0, 0, all).unwrap();
    };
    forget();
    assert!(right_or_eio(&place) < 4, "no read reached the device");
    assert_eq!(errno(&fs::read(disk.path("layer.zip")).unwrap_err()), Errno::EIO);
    device.write_all_at(&whole, 0).unwrap();
    forget();
    assert_eq!(right_or_eio(&place), 4, "the device came back");
    drop(archive);
    place.unmount();
}

/// A filesystem that fails: the layer lies in a mount of optfs, whose own archive is damaged.
#[test]
fn a_layer_within_a_mount_that_fails_fails_with_it_and_comes_back() {
    let outer = Place::new(&[RawZip::new().file("layer.zip", layer().build())]);
    outer.mount(["--cache-size", "0"]);
    let place = Place::of_layers(&[outer.path("layer.zip")]);
    place.mount(["--cache-size", "0"]);
    let whole = fs::read(&outer.layers()[0]).unwrap();
    let archive = OpenOptions::new().write(true).open(&outer.layers()[0]).unwrap();
    archive.write_all_at(&[0; 1000], 400_000).unwrap();
    assert!(
        right_or_eio(&place) < 4,
        "what the kernel had of the outer one is not all"
    );
    archive.write_all_at(&whole, 0).unwrap();
    assert_eq!(right_or_eio(&place), 4);
    // Its server dies: as a disk that is pulled out.
    outer.daemon().kill();
    right_or_eio(&place);
    assert!(place.daemon().is_alive());
    place.unmount();
}

/// Nothing is written where the archives lie, and what is kept for the next mount is left out where there is no room.
#[test]
fn a_full_or_read_only_disk_is_served_from() {
    for options in ["remount", "remount,ro"] {
        let disk = Place::of_layers(&[]);
        output(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", "size=2M", "disk"])
                .arg(disk.opt()),
        );
        let archive = disk.path("layer.zip");
        fs::write(&archive, layer().build()).unwrap();
        let rest = File::create(disk.path("rest")).unwrap();
        while rest.write_at(&[0; 4096], rest.metadata().unwrap().len()).is_ok() {}
        drop(rest);
        output(Command::new("mount").args(["-o", options]).arg(disk.opt()));
        let place = Place::of_layers(&[archive]);
        for _ in 0..2 {
            let mut mount = place.mounting(["--cache-size", "0", "--index-dir"]);
            // The option's word comes behind the others otherwise.
            mount = with_word(&mount, "--index-dir", &disk.path("index"));
            output(mount.env("TMPDIR", disk.opt()).env("HOME", disk.opt()));
            assert_eq!(right_or_eio(&place), 4, "{options}");
            place.unmount();
        }
        assert!(fs::read_dir(disk.opt()).unwrap().count() <= 3, "{options}");
    }
}

/// The same command with a word behind one of its words.
fn with_word(command: &Command, behind: &str, word: &Path) -> Command {
    let mut other = optfs();
    for argument in command.get_args() {
        other.arg(argument);
        if argument == behind {
            other.arg(word);
        }
    }
    other
}

#[test]
fn sixteen_readers_of_a_killed_daemon_get_errors_and_the_next_command_clears_the_mount() {
    let content = words(5, 12_000_000);
    let place = Place::new(&[RawZip::new().file("large", &content).deflate()]);
    for cleared_by in ["umount", "mount"] {
        place.mount([]);
        let started = AtomicUsize::new(0);
        thread::scope(|scope| {
            let readers: Vec<_> = (0..16usize)
                .map(|reader| {
                    let (place, content, started) = (&place, &content, &started);
                    scope.spawn(move || -> io::Error {
                        started.fetch_add(1, Ordering::SeqCst);
                        for turn in reader.. {
                            // What the kernel keeps it goes on giving: files are opened anew, and names asked for.
                            let at = turn * 1_234_567 % (content.len() - 9000);
                            let mut bytes = vec![0; 9000];
                            let read = File::open(place.path("large"))
                                .and_then(|file| file.read_exact_at(&mut bytes, at as u64))
                                .and_then(|()| fs::read_dir(place.opt()).map(drop));
                            match read {
                                Ok(()) => assert!(bytes == content[at..at + 9000], "at {at}"),
                                Err(error) => return error,
                            }
                        }
                        unreachable!("they read until they fail")
                    })
                })
                .collect();
            until("all are at it", || started.load(Ordering::SeqCst) == 16);
            place.daemon().kill();
            for reader in readers {
                let errno = errno(&reader.join().unwrap());
                let is_cut_off = [Errno::ENOTCONN, Errno::ECONNABORTED, Errno::ECANCELED, Errno::EIO];
                assert!(is_cut_off.contains(&errno), "{errno}");
            }
        });
        assert!(place.is_mounted(), "the kernel leaves it there");
        if cleared_by == "mount" {
            place.mount([]);
            assert!(fs::read(place.path("large")).unwrap() == content);
        }
        place.unmount();
    }
}

#[test]
fn sigterm_to_a_busy_daemon_lets_sixteen_readers_finish() {
    let content = words(6, 9_000_000);
    let place = Place::new(&[RawZip::new().file("large", &content).deflate()]);
    let mut served = place.serve([]);
    let opened = AtomicUsize::new(0);
    thread::scope(|scope| {
        for reader in 0..16 {
            let (place, content, opened) = (&place, &content, &opened);
            scope.spawn(move || {
                let mut file = File::open(place.path("large")).unwrap();
                let mut first = vec![0; 1000 * (reader + 1)];
                file.read_exact(&mut first).unwrap();
                opened.fetch_add(1, Ordering::SeqCst);
                file.read_to_end(&mut first).unwrap();
                assert!(first == *content);
            });
        }
        until("all are at it", || opened.load(Ordering::SeqCst) == 16);
        served.signal(Signal::SIGTERM);
        until("the mount is gone", || !place.is_mounted());
    });
    assert_eq!(served.ends().code(), Some(0), "{}", served.log());
    assert_eq!(served.log(), "");
}

/// Sixteen layers and hardly a descriptor to spare: it mounts and serves everything, or says why and leaves nothing.
#[test]
fn without_descriptors_a_mount_works_or_says_why() {
    let layers: Vec<_> = (0..16)
        .map(|number| RawZip::new().file(format!("f{number}"), words(number, 2_000)))
        .collect();
    let place = Place::new(&layers);
    let mut outcomes = [0, 0];
    for limit in (4..=48).step_by(2) {
        let mounting = place.mounting([]);
        let mut limited = Command::new("prlimit");
        limited.arg(format!("--nofile={limit}:{limit}")).arg(OPTFS);
        let said = answer(limited.args(mounting.get_args()));
        assert!(!said.stderr.contains("panicked"), "{limit} descriptors: {said:?}");
        if said.code == Some(0) {
            for number in 0..16 {
                let bytes = fs::read(place.path(format!("f{number}")));
                let bytes = bytes.unwrap_or_else(|error| panic!("{limit} descriptors: {error}"));
                assert!(bytes == words(number, 2_000), "{limit} descriptors");
            }
            place.unmount();
        } else {
            assert!(
                said.stderr.contains("open files"),
                "{limit} descriptors: {said:?}"
            );
            assert!(!place.is_mounted(), "{limit} descriptors: {said:?}");
        }
        outcomes[usize::from(said.code == Some(0))] += 1;
    }
    assert!(outcomes[0] > 2 && outcomes[1] > 2, "{outcomes:?}");
}

/// Who gets no thread does the work alone. Starting one used to be taken for granted.
#[test]
fn without_threads_the_verbs_work_or_say_why() {
    // Nobody else's user: what counts is how many processes that one has.
    const NOBODY_ELSE: &str = "61803";
    let place = Place::new(&[
        layer(),
        RawZip::new().file("two", "2"),
        RawZip::new().file("three", "3"),
    ]);
    open_to_all(place.scratch());
    let program = place.scratch().join("optfs");
    fs::copy(OPTFS, &program).unwrap();
    for limit in 1..=4 {
        for verb in ["ls", "check", "hash", "shadows", "extract"] {
            let mut limited = Command::new("prlimit");
            limited.arg(format!("--nproc={limit}:{limit}"));
            limited.args([
                "setpriv",
                "--reuid",
                NOBODY_ELSE,
                "--regid",
                NOBODY_ELSE,
                "--clear-groups",
            ]);
            limited.arg(&program).arg(verb);
            for layer in place.layers() {
                if verb != "extract" {
                    limited.arg("--layer");
                }
                limited.arg(layer);
            }
            let extracted = place.scratch().join(format!("extracted-{limit}"));
            if verb == "extract" {
                limited.arg(&extracted);
            }
            let said = answer(&mut limited);
            assert!(!said.stderr.contains("panicked"), "{verb}, {limit}: {said:?}");
            assert!(matches!(said.code, Some(0 | 1)), "{verb}, {limit}: {said:?}");
            if verb == "extract" {
                let tree = on_disk::tree(&extracted);
                for (name, content) in contents() {
                    assert_eq!(tree[name.as_bytes()].body, Body::File(content), "{name}");
                }
            }
        }
    }
}

/// A directory that everybody may go into and write to.
fn open_to_all(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(directory, PermissionsExt::from_mode(0o777)).unwrap();
}

/// No cache, no home, no directory for temporary files and none for the index.
#[test]
fn without_cache_home_and_temporary_files_all_is_served() {
    let place = Place::new(&[layer()]);
    let nowhere = "/proc/nowhere";
    let mut mount = place.mounting(["--cache-size", "0"]);
    for variable in [
        "TMPDIR",
        "HOME",
        "XDG_CACHE_HOME",
        "XDG_RUNTIME_DIR",
        "OPTFS_INDEX_DIR",
    ] {
        mount.env(variable, nowhere);
    }
    output(&mut mount);
    assert_eq!(right_or_eio(&place), 4);
    place.unmount();
    let mut run = optfs();
    run.args(["run", "--cache-size", "0", "--layer"])
        .arg(&place.layers()[0]);
    run.env("TMPDIR", nowhere).env("HOME", nowhere);
    let sum = output(run.args(["--", "cat", "/opt/small-stored"]));
    assert_eq!(sum.as_bytes(), contents()["small-stored"]);
}

/// What a stranger names their files reaches neither a log nor a table of mounts raw.
#[test]
fn no_control_character_of_a_layer_reaches_a_log_or_a_terminal() {
    let name = "d/\x1b]0;title\x07\x1b[2J\n\r\u{9b}31m\u{202e}";
    let zip = RawZip::new()
        .file(name, "content")
        .crc(1)
        .file([b"../".as_slice(), name.as_bytes()].concat(), "climbs");
    let library = Place::of_layers(&[]);
    let archive = library.scratch().join("layer\x1b[2J\n.zip");
    fs::write(&archive, zip.build()).unwrap();
    let place = Place::of_layers(&[archive]);
    let served = place.serve(["-v"]);
    assert_eq!(errno(&fs::read(place.path(name)).unwrap_err()), Errno::EIO);
    let log = served.log();
    assert!(log.contains("crc"), "{log:?}");
    assert_printable(&log);
    assert_printable(&place.mounts()[0][0]);
    for verb in ["ls", "check", "stat", "tree", "shadows", "extract"] {
        let mut command = optfs();
        command.arg(verb);
        if verb != "extract" {
            command.arg("--layer");
        }
        command.args(place.layers());
        if verb == "extract" {
            command.arg(place.scratch().join("extracted"));
        }
        assert_printable(&answer(&mut command).stderr);
    }
}

#[track_caller]
fn assert_printable(text: &str) {
    let raw = text.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(raw, None, "{text:?}");
    assert!(!text.contains('\u{202e}'), "{text:?}");
}

/// Links that leave the layer lead nowhere for those who ask optfs: it follows them within the stack.
#[test]
fn a_layer_makes_optfs_read_and_write_nothing_but_the_archives() {
    let place = Place::of_layers(&[]);
    let secret = place.scratch().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("f"), "the secret").unwrap();
    let to = |name: &str| secret.join(name).into_os_string().into_encoded_bytes();
    let archive = place.scratch().join("layer.zip");
    let climbing = format!("{}secret/f", "../".repeat(20));
    let zip = RawZip::new()
        .symlink("file", to("f"))
        .symlink("directory", to(""))
        .symlink("climbing", climbing)
        .symlink("python", to(""))
        .file("python/new", "written")
        .symlink("proc", "/proc/self/environ");
    fs::write(&archive, zip.build()).unwrap();
    let out = place.scratch().join("out");
    for words in [
        vec!["cat", "--layer", "LAYER", "file"],
        vec!["cat", "--layer", "LAYER", "directory/f"],
        vec!["cat", "--layer", "LAYER", "climbing"],
        vec!["cat", "--layer", "LAYER", "proc"],
        vec!["which", "--layer", "LAYER", "directory/f"],
        vec!["ls", "--layer", "LAYER", "directory"],
        vec!["check", "--deep", "--layer", "LAYER"],
        vec!["hash", "--layer", "LAYER"],
        vec!["extract", "LAYER", "OUT"],
    ] {
        let mut command = optfs();
        for word in words {
            match word {
                "LAYER" => command.arg(&archive),
                "OUT" => command.arg(&out),
                word => command.arg(word),
            };
        }
        command.env("SECRET", "the secret");
        let said = answer(&mut command);
        assert!(!said.stdout.contains("the secret"), "{command:?}: {said:?}");
        assert_ne!(said.code, Some(2), "{command:?}: {said:?}");
    }
    assert!(out.join("python/new").exists());
    let left: Vec<_> = fs::read_dir(&secret).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().expect("an error of the kernel"))
}
