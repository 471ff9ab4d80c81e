//! What a mount reads and when, what the kernel keeps of it, and what becomes of it when an archive is damaged or changes.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::errno::Errno;

use crate::support::command::{optfs, output};
use crate::support::on_disk;
use crate::support::place::Place;
use crate::support::raw_zip::RawZip;

/// Mounting reads the central directory; a file costs what is asked of it.
#[test]
fn only_what_is_asked_for_is_read() {
    let large = vec![b'x'; 64 << 20];
    let layer = RawZip::new().file("large", &large).file("small", "small");
    let place = Place::new(&[layer]);
    place.mount([]);
    let daemon = place.daemon();
    let read_bytes = || {
        let io = fs::read_to_string(format!("/proc/{}/io", daemon.id())).unwrap();
        let line = io.lines().find_map(|line| line.strip_prefix("rchar: "));
        line.expect("proc(5) has it").parse::<u64>().unwrap()
    };
    assert!(read_bytes() < 1 << 20, "mounting read {} bytes", read_bytes());
    assert_eq!(fs::read_to_string(place.path("small")).unwrap(), "small");
    assert!(
        read_bytes() < 1 << 20,
        "a small file more: {} bytes",
        read_bytes()
    );
    let mut byte = [0];
    File::open(place.path("large"))
        .unwrap()
        .read_exact_at(&mut byte, 40 << 20)
        .unwrap();
    assert_eq!(byte, [b'x']);
    // The kernel looks ahead.
    assert!(
        read_bytes() < 8 << 20,
        "a byte of a large file more: {} bytes",
        read_bytes()
    );
}

/// The kernel keeps what it was given: a second look at everything, and at what is not there, asks nothing.
#[test]
fn a_second_look_sends_no_request() {
    let layer = RawZip::new()
        .dir("d/")
        .file("d/e/f", vec![b'x'; 300_000])
        .deflate()
        .file("d/g", "g")
        .symlink("l", "d/e/f");
    let place = Place::new(&[layer]);
    let served = place.serve(["-d"]);
    let requests = || {
        let log = served.log();
        let requests = log.lines().filter(|line| line.contains("FUSE("));
        requests.map(str::to_owned).collect::<Vec<_>>()
    };
    let look = || {
        assert!(fs::metadata(place.path("d/nothing")).is_err());
        assert_eq!(fs::metadata(place.path("l")).unwrap().len(), 300_000);
        on_disk::tree(place.opt())
    };
    let first = look();
    let asked = requests();
    assert!(asked.iter().any(|line| line.contains("READ ")), "{asked:#?}");
    assert_eq!(look(), first);
    let more = requests().split_off(asked.len());
    assert!(more.is_empty(), "the second look asked:\n{}", more.join("\n"));
}

/// Promise 6: what cannot be served is listed, answers EIO, and is named once with the reason.
#[test]
fn damaged_files_are_listed_answer_eio_and_are_logged_once() {
    let layer = RawZip::new()
        .file("d/wrong-sum", "content")
        .crc(0x1234_5678)
        .file("d/unknown-method", "content")
        .method(77)
        .file("good", "good");
    let place = Place::new(&[layer]);
    let served = place.serve([]);
    for name in ["d/wrong-sum", "d/unknown-method"] {
        assert_eq!(fs::metadata(place.path(name)).unwrap().len(), 7, "{name}");
        assert_eq!(served.log().matches(name).count(), 0, "nobody has read it");
        for _ in 0..3 {
            assert_eq!(errno(fs::read(place.path(name))), Errno::EIO, "{name}");
        }
        let log = served.log();
        let lines: Vec<_> = log.lines().filter(|line| line.contains(name)).collect();
        assert_eq!(lines.len(), 1, "{log}");
        assert!(lines[0].starts_with("optfs: warn: "), "{log}");
        assert!(lines[0].contains("layer0.zip"), "the archive is named: {log}");
    }
    let log = served.log();
    assert!(log.contains("12345678"), "the reason is named: {log}");
    assert!(log.contains("method 77"), "the reason is named: {log}");
    assert_eq!(fs::read_to_string(place.path("good")).unwrap(), "good");
}

/// Promise 7: the archive that was opened is served to the end, whatever stands at its name now.
#[test]
fn an_archive_deleted_or_replaced_by_another_stays_as_it_was() {
    let place = Place::new(&[two_files("as", "mounted")]);
    place.mount([]);
    let archive = &place.layers()[0];
    let other = place.scratch().join("other.zip");
    fs::write(&other, two_files("not", "this").build()).unwrap();
    fs::rename(&other, archive).unwrap();
    assert_eq!(fs::read_to_string(place.path("front")).unwrap(), "as");
    fs::remove_file(archive).unwrap();
    assert_eq!(fs::read_to_string(place.path("back")).unwrap(), "mounted");
}

/// Promise 7: what is still there is served, the rest is EIO, and the mount lives.
#[test]
fn a_truncated_archive_gives_what_is_left_of_it() {
    let long = "x".repeat(100_000);
    let place = Place::new(&[two_files("front", &long)]);
    place.mount([]);
    truncate(&place.layers()[0], 50_000);
    assert_eq!(fs::read_to_string(place.path("front")).unwrap(), "front");
    assert_eq!(errno(fs::read(place.path("back"))), Errno::EIO);
    truncate(&place.layers()[0], 0);
    assert_eq!(errno(fs::read(place.path("back"))), Errno::EIO);
    assert_eq!(
        fs::read_to_string(place.path("front")).unwrap(),
        "front",
        "kept by the kernel"
    );
    assert_eq!(fs::metadata(place.path("back")).unwrap().len(), 100_000);
    assert!(place.daemon().is_alive());
    place.unmount();
}

/// Promise 7, for a file that is served by range: it is verified again before a byte of the changed archive is given out.
#[test]
fn an_archive_written_over_never_gives_other_bytes() {
    let content: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    for layer in [
        RawZip::new().file("file", &content),
        RawZip::new().file("file", &content).deflate(),
    ] {
        let place = Place::new(&[layer]);
        place.mount([]);
        let archive = &place.layers()[0];
        let reader = File::open(place.path("file")).unwrap();
        let mut bytes = [0; 4096];
        reader.read_exact_at(&mut bytes, 0).unwrap();
        assert!(bytes[..] == content[..4096]);

        let middle = fs::metadata(archive).unwrap().len() / 2;
        let written = OpenOptions::new().write(true).open(archive).unwrap();
        written.write_all_at(&[0x5a; 100], middle).unwrap();
        assert_eq!(errno(reader.read_exact_at(&mut bytes, 8 << 20)), Errno::EIO);
        assert_eq!(errno(reader.read_exact_at(&mut bytes, 6 << 20)), Errno::EIO);
        assert!(place.daemon().is_alive());
    }
}

/// The daemon holds its archives open by itself: their directory may be unmounted from sight, and who mounted may go.
#[test]
fn a_layer_may_come_from_a_mount() {
    let inner = two_files("inner", "one").build();
    let outer = Place::new(&[RawZip::new().file("layers/inner.zip", &inner)]);
    outer.mount([]);
    let place = Place::of_layers(&[outer.path("layers/inner.zip")]);
    place.mount([]);
    output(optfs().args(["umount", "--lazy"]).arg(outer.opt()));
    assert_eq!(fs::read_to_string(place.path("front")).unwrap(), "inner");
    assert_eq!(fs::read_to_string(place.path("back")).unwrap(), "one");
}

fn two_files(front: &str, back: &str) -> RawZip {
    RawZip::new().file("front", front).file("back", back)
}

fn truncate(path: &Path, size: u64) {
    let file = OpenOptions::new().write(true).open(path).expect("our own file");
    file.set_len(size).expect("a file open to write");
}

fn errno<T>(answer: io::Result<T>) -> Errno {
    match answer {
        Ok(_) => Errno::from_raw(0),
        Err(error) => Errno::from_raw(error.raw_os_error().expect("an error of the kernel")),
    }
}
