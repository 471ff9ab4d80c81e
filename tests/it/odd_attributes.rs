//! Odd attributes: targets of symlinks (promise 4), modes, owners and times (promise 5) that a careful
//! writer would not write.

use optfs::fs::{Fs, FsError, Kind};

use crate::support::raw_zip::{HOST_FAT, HOST_NTFS, RawZip};
use crate::support::seen::{attr, read, scene};

/// 2020-01-01T00:00:00Z, the DOS time of an entry that asks for no other.
const PLAIN_MTIME: i64 = 1_577_836_800;

#[test]
fn a_symlink_is_kept_to_the_byte_wherever_it_leads() {
    let targets = ["/etc/passwd", "../../..", "a//./b/", "/opt/lib", "no such\nthing"];
    for target in targets {
        let fs = scene(RawZip::new().symlink("l", target));
        assert_eq!(attr(&fs, "l").kind, Kind::Symlink);
        assert_eq!(attr(&fs, "l").size, target.len() as u64);
        assert_eq!(fs.readlink(attr(&fs, "l").ino).unwrap(), target.as_bytes());
    }
}

#[test]
fn a_deflated_symlink_reads_as_a_stored_one() {
    let target = "a/".repeat(1000);
    let fs = scene(RawZip::new().symlink("l", &target).deflate());
    assert_eq!(fs.readlink(attr(&fs, "l").ino).unwrap(), target.as_bytes());
}

#[test]
fn a_target_of_4095_bytes_is_the_longest() {
    let fs = scene(
        RawZip::new()
            .symlink("longest", "x".repeat(4095))
            .symlink("longer", "x".repeat(4096)),
    );
    assert_eq!(fs.readlink(attr(&fs, "longest").ino).unwrap().len(), 4095);
    bad_link(&fs, "longer");
}

#[test]
fn a_target_that_is_empty_or_has_nul_is_refused() {
    let fs = scene(
        RawZip::new()
            .symlink("empty", "")
            .symlink("nul", b"a\0b")
            .file("kept", b"kept"),
    );
    bad_link(&fs, "empty");
    bad_link(&fs, "nul");
    assert_eq!(read(&fs, "kept").unwrap(), b"kept");
}

#[test]
fn a_target_that_cannot_be_read_is_refused() {
    let fs = scene(
        RawZip::new()
            .symlink("crc", "a")
            .crc(1)
            .symlink("huge", "a")
            .declared_size(u32::MAX - 1),
    );
    bad_link(&fs, "crc");
    bad_link(&fs, "huge");
}

// Modes, owners and times (promise 5).

#[test]
fn an_entry_made_on_dos_takes_the_default_mode() {
    let zip = RawZip::new()
        .file("f", b"")
        .host(HOST_FAT)
        .file("read-only", b"")
        .host(HOST_NTFS)
        .external_attributes(1);
    let fs = scene(zip.dir("d/").host(HOST_FAT).external_attributes(0x10));
    assert_eq!(
        (
            attr(&fs, "f").mode,
            attr(&fs, "read-only").mode,
            attr(&fs, "d").mode
        ),
        (0o644, 0o644, 0o755)
    );
}

#[test]
fn unix_attributes_of_zero_mean_the_default_mode() {
    let fs = scene(
        RawZip::new()
            .file("f", b"")
            .external_attributes(0)
            .dir("d/")
            .external_attributes(0),
    );
    assert_eq!((attr(&fs, "f").mode, attr(&fs, "d").mode), (0o644, 0o755));
    assert_eq!(
        (attr(&fs, "f").kind, attr(&fs, "d").kind),
        (Kind::File, Kind::Directory)
    );
}

#[test]
fn a_mode_without_a_kind_is_that_of_a_file() {
    let fs = scene(RawZip::new().file("f", b"").unix_mode(0o755));
    assert_eq!((attr(&fs, "f").kind, attr(&fs, "f").mode), (Kind::File, 0o755));
}

#[test]
fn a_mode_of_000_that_names_its_kind_is_shown() {
    let fs = scene(RawZip::new().file("f", b"").mode(0).dir("d/").mode(0));
    assert_eq!((attr(&fs, "f").mode, attr(&fs, "d").mode), (0, 0));
}

#[test]
fn setuid_setgid_and_sticky_are_stripped() {
    let fs = scene(RawZip::new().file("f", b"").mode(0o6755).dir("d/").mode(0o1777));
    assert_eq!((attr(&fs, "f").mode, attr(&fs, "d").mode), (0o755, 0o777));
}

#[test]
fn a_device_fifo_or_socket_is_a_plain_file_with_its_data() {
    for kind in [0o010_000, 0o020_000, 0o060_000, 0o140_000] {
        let fs = scene(RawZip::new().file("f", b"data").unix_mode(kind | 0o600));
        assert_eq!((attr(&fs, "f").kind, attr(&fs, "f").mode), (Kind::File, 0o600));
        assert_eq!(read(&fs, "f").unwrap(), b"data");
    }
}

#[test]
fn the_owner_is_not_the_archives() {
    let fs = scene(RawZip::new().file("f", b"").owner(12, 34));
    assert_eq!((attr(&fs, "f").uid, attr(&fs, "f").gid), (501, 502));
}

#[test]
fn the_ut_time_counts_before_the_dos_time() {
    let fs = scene(
        RawZip::new()
            .file("f", b"")
            .mtime(1_234_567_890)
            .file("before-1970", b"")
            .mtime(-5),
    );
    assert_eq!(time(&fs, "f"), (1_234_567_890, 0));
    assert_eq!(time(&fs, "before-1970"), (-5, 0));
}

#[test]
fn the_ntfs_time_counts_to_100_nanoseconds() {
    let fs = scene(
        RawZip::new()
            .file("f", b"")
            .ntfs_mtime((11_644_473_600 + 1_234_567_890) * 10_000_000 + 1_234_567),
    );
    assert_eq!(time(&fs, "f"), (1_234_567_890, 123_456_700));
}

#[test]
fn the_ut_time_counts_before_the_ntfs_time_wherever_it_stands() {
    let ntfs = 132_000_000_000_000_000;
    let fs = scene(
        RawZip::new()
            .file("a", b"")
            .ntfs_mtime(ntfs)
            .mtime(77)
            .file("b", b"")
            .mtime(77)
            .ntfs_mtime(ntfs),
    );
    assert_eq!((time(&fs, "a"), time(&fs, "b")), ((77, 0), (77, 0)));
}

#[test]
fn the_dos_time_is_read_as_utc() {
    let (date, time_of_day) = ((41 << 9) | (3 << 5) | 4, (5 << 11) | (6 << 5) | 4);
    let fs = scene(
        RawZip::new()
            .file("f", b"")
            .dos(date, time_of_day)
            .file("plain", b""),
    );
    assert_eq!(time(&fs, "f"), (1_614_834_368, 0));
    assert_eq!(time(&fs, "plain"), (PLAIN_MTIME, 0));
}

#[test]
fn a_dos_time_that_no_clock_shows_is_1980() {
    let fs = scene(
        RawZip::new()
            .file("zero", b"")
            .dos(0, 0)
            .file("ones", b"")
            .dos(u16::MAX, u16::MAX),
    );
    assert_eq!(
        (time(&fs, "zero"), time(&fs, "ones")),
        ((315_532_800, 0), (315_532_800, 0))
    );
}

#[test]
fn a_time_field_that_is_cut_off_is_not_heard() {
    let fs = scene(
        RawZip::new()
            .file("ut", b"")
            .extra(0x5455, &[1, 2, 3])
            .file("ntfs", b"")
            .extra(0x000a, &[0; 9]),
    );
    assert_eq!(
        (time(&fs, "ut"), time(&fs, "ntfs")),
        ((PLAIN_MTIME, 0), (PLAIN_MTIME, 0))
    );
}

fn time(fs: &Fs, path: &str) -> (i64, u32) {
    let mtime = attr(fs, path).mtime;
    (mtime.seconds, mtime.nanoseconds)
}

/// A symlink that is listed and cannot be resolved.
#[track_caller]
fn bad_link(fs: &Fs, path: &str) {
    let attr = attr(fs, path);
    assert_eq!(attr.kind, Kind::Symlink);
    let answer = fs.readlink(attr.ino);
    assert!(
        matches!(answer, Err(FsError::Damaged(_))),
        "{path}: expected a refusal, found {answer:?}"
    );
}
