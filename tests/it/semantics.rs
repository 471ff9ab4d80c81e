//! The promises of docs/semantics.md, one scene each; the doc comment is the promise.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use optfs::archive::Archive;
use optfs::fs::{Fs, FsError, Kind, Options};
use optfs::stack::Stack;
use tempfile::TempDir;

use crate::support::raw_zip::{HOST_FAT, RawZip};
use crate::support::seen::{self, ARCHIVE_MTIME, attr, find, mounted_values, read, scene};

fn stack(layers: &[RawZip]) -> crate::support::seen::Scene {
    let archives: Vec<_> = layers.iter().map(RawZip::build).collect();
    mounted_values(&archives)
}

/// The names in a directory, escaped.
fn names(fs: &Fs, path: &str) -> Vec<String> {
    let names = seen::names(fs, find(fs, path).unwrap().ino);
    names.iter().map(|name| name.escape_ascii().to_string()).collect()
}

fn is_damaged<T>(result: Result<T, FsError>, words: &str) -> bool {
    matches!(result, Err(FsError::Damaged(what)) if what.contains(words))
}

/// Promise 1: Layers apply in the order given, and the last one wins.
#[test]
fn the_last_layer_wins() {
    let (one, two) = (
        || RawZip::new().file("f", "one"),
        || RawZip::new().file("f", "two"),
    );
    assert_eq!(read(&stack(&[one(), two()]), "f").unwrap(), b"two");
    assert_eq!(read(&stack(&[two(), one()]), "f").unwrap(), b"one");
}

/// Promise 2: Directories merge only with directories; the upper one's own entry gives mode and time.
#[test]
fn directories_merge() {
    let lower = RawZip::new().dir("d/").mode(0o700).mtime(100).file("d/a", "a");
    let upper = RawZip::new().dir("d/").mode(0o750).mtime(200).file("d/b", "b");
    let above = RawZip::new().file("d/c", "c");
    let fs = stack(&[lower, upper, above]);
    assert_eq!(names(&fs, "d"), ["a", "b", "c"]);
    assert_eq!((attr(&fs, "d").mode, attr(&fs, "d").mtime.seconds), (0o750, 200));
}

/// Promise 3: In every other pair the later layer wins and hides everything earlier layers had under that path.
#[test]
fn other_pairs_replace() {
    let directory = || RawZip::new().file("x/below", "hidden");
    for (lower, upper, kind) in [
        (directory(), RawZip::new().file("x", "file"), Kind::File),
        (directory(), RawZip::new().symlink("x", "t"), Kind::Symlink),
        (
            RawZip::new().file("x", "file"),
            RawZip::new().dir("x/"),
            Kind::Directory,
        ),
        (
            RawZip::new().symlink("x", "t"),
            RawZip::new().dir("x/"),
            Kind::Directory,
        ),
        (
            RawZip::new().symlink("x", "t"),
            RawZip::new().file("x", "f"),
            Kind::File,
        ),
    ] {
        let fs = stack(&[lower, upper]);
        assert_eq!(attr(&fs, "x").kind, kind);
        if kind == Kind::Directory {
            assert!(names(&fs, "x").is_empty());
        }
    }
}

/// Promise 4: A third layer's directory over a directory and a file starts from what lies above the file.
#[test]
fn directory_over_file_starts_empty() {
    let bottom = RawZip::new().file("d/old", "old");
    let file = RawZip::new().file("d", "file");
    let top = RawZip::new().file("d/new", "new");
    assert_eq!(names(&stack(&[bottom, file, top]), "d"), ["new"]);
}

/// Promise 5: No symlink is ever followed while merging.
#[test]
fn a_link_is_replaced_and_never_followed() {
    let lower = RawZip::new().dir("real/").symlink("link", "real");
    let upper = RawZip::new().file("link/f", "f");
    let fs = stack(&[lower, upper]);
    assert!(names(&fs, "real").is_empty());
    assert_eq!(attr(&fs, "link").kind, Kind::Directory);
    assert_eq!(names(&fs, "link"), ["f"]);
}

/// Promise 6: Lambda layers have no whiteouts: a name such as `.wh.x` is an ordinary file.
#[test]
fn whiteouts_are_ordinary_files() {
    let fs = stack(&[
        RawZip::new().file("x", "x"),
        RawZip::new().file(".wh.x", "").file(".wh..wh..opq", ""),
    ]);
    assert_eq!(names(&fs, ""), [".wh..wh..opq", ".wh.x", "x"]);
}

/// Promise 7: Of several entries with one name in one archive, the last in the central directory wins.
#[test]
fn the_last_duplicate_wins() {
    let fs = scene(
        RawZip::new()
            .file("f", "one")
            .file("f", "two")
            .file("g", "file")
            .file("g/h", "h"),
    );
    assert_eq!(read(&fs, "f").unwrap(), b"two");
    assert_eq!(attr(&fs, "g").kind, Kind::Directory);
}

/// Promise 8: The central directory counts; local headers only say where the data begins.
#[test]
fn local_headers_do_not_count() {
    let zip = RawZip::new().file("shown", "bytes").bend_local(|header| {
        // The local header tells another name, size and CRC.
        header.name = b"hidden".to_vec();
        header.uncompressed_size = 1;
        header.crc = 7;
    });
    let fs = scene(zip);
    assert_eq!(names(&fs, ""), ["shown"]);
    assert_eq!(read(&fs, "shown").unwrap(), b"bytes");
}

/// Promise 9: Names are bytes: leading slashes, `.` parts and doubled slashes are folded away.
#[test]
fn names_are_folded_bytes() {
    let fs = scene(
        RawZip::new()
            .file("/etc//x", "")
            .file("./a", "")
            .file("b\\c", "")
            .file(b"\xff", ""),
    );
    assert_eq!(names(&fs, "etc"), ["x"]);
    assert_eq!(names(&fs, ""), ["a", "b\\\\c", "etc", "\\xff"]);
}

/// Promise 10: A name with a `..` part, a NUL, a part over 255 bytes, or nothing left is left out, with a warning.
#[test]
fn names_that_could_escape_are_left_out() {
    let zip = RawZip::new()
        .file("../x", "")
        .file(b"n\0l", "")
        .file("y".repeat(256), "")
        .file("./", "")
        .file("ok", "");
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("odd.zip");
    fs::write(&path, zip.build()).unwrap();
    let archive = Archive::open(&path).unwrap();
    assert_eq!(archive.rejected().len(), 4);
    assert_eq!(names(&scene(zip), ""), ["ok"]);
}

/// Promise 11: The Unicode path field is honoured when its CRC fits; else valid UTF-8 is taken as it is; else CP437 when
/// the entry was made on a FAT or NTFS host; else the raw bytes.
#[test]
fn charsets_have_an_order() {
    let zip = RawZip::new()
        .file("caf_", "")
        .unicode_path("café")
        .file("plain", "")
        .unicode_path_with_sum("forged", 1)
        .file(b"dos\x82", "")
        .host(HOST_FAT)
        .file("naïve", "")
        .host(HOST_FAT)
        .file(b"raw\x82", "");
    assert_eq!(
        names(&scene(zip), ""),
        [
            "caf\\xc3\\xa9",
            "dos\\xc3\\xa9",
            "na\\xc3\\xafve",
            "plain",
            "raw\\x82"
        ]
    );
}

/// Promise 12: Symlinks are kept verbatim and resolved only by the kernel of whoever reads the mount.
#[test]
fn links_are_verbatim() {
    for target in ["/etc/passwd", "../../..", "a//./b/", "/opt/lib/x"] {
        let fs = scene(RawZip::new().symlink("l", target));
        assert_eq!(fs.readlink(attr(&fs, "l").ino).unwrap(), target.as_bytes());
    }
}

/// Promise 13: A target that is empty, longer than 4,095 bytes, or contains NUL is refused when the link is read.
#[test]
fn impossible_targets_are_refused() {
    for target in [Vec::new(), vec![b'x'; 4096], b"a\0b".to_vec()] {
        let fs = scene(RawZip::new().symlink("l", &target));
        assert_eq!(attr(&fs, "l").size, target.len() as u64);
        assert!(is_damaged(fs.readlink(attr(&fs, "l").ino), "the link's target"));
    }
}

/// Promise 14: Modes come from the Unix attributes; mode 0 or a non-Unix creator means 0644 for files and 0755 for
/// directories.
#[test]
fn modes_come_from_unix_attributes() {
    let zip = RawZip::new()
        .file("x", "")
        .unix_mode(0o104_751)
        .file("none", "")
        .external_attributes(0)
        .dir("d/")
        .external_attributes(0)
        .file("dos", "")
        .host(HOST_FAT)
        .external_attributes(1);
    let fs = scene(zip);
    let modes = ["x", "none", "d", "dos"].map(|name| attr(&fs, name).mode);
    assert_eq!(modes, [0o751, 0o644, 0o755, 0o644]);
}

/// Promise 15: An entry marked device, FIFO or socket is a plain file with its data.
#[test]
fn special_files_are_plain() {
    for kind in [0o020_000, 0o060_000, 0o010_000, 0o140_000] {
        let fs = scene(RawZip::new().file("special", "data").unix_mode(kind | 0o600));
        assert_eq!(
            (attr(&fs, "special").kind, attr(&fs, "special").mode),
            (Kind::File, 0o600)
        );
        assert_eq!(read(&fs, "special").unwrap(), b"data");
    }
}

/// Promise 16: Everything belongs to who mounts, or to `--uid` and `--gid`.
#[test]
fn owners_are_who_mounts() {
    let fs = scene(RawZip::new().file("f", "").owner(1234, 5678));
    // What `scene` mounts with.
    assert_eq!((attr(&fs, "f").uid, attr(&fs, "f").gid), (501, 502));
}

/// Promise 17: Times come from the UT field, else the NTFS field, else the DOS time read as UTC.
#[test]
fn times_have_an_order() {
    // 2020-06-15 12:30:10 in DOS's fields; 132,367,986,101,234,567 ticks of 100 ns are a second and a bit later.
    let dos = |zip: RawZip| zip.dos((40 << 9) | (6 << 5) | 15, (12 << 11) | (30 << 5) | 5);
    let zip = dos(RawZip::new()
        .file("ut", "")
        .ntfs_mtime(132_367_986_111_234_567)
        .mtime(77));
    let zip = dos(zip.file("ntfs", "").ntfs_mtime(132_367_986_111_234_567));
    let zip = dos(zip.file("dos", "")).file("never", "").dos(0, 0);
    let fs = scene(zip);
    let time = |name| (attr(&fs, name).mtime.seconds, attr(&fs, name).mtime.nanoseconds);
    assert_eq!(time("ut"), (77, 0));
    assert_eq!(time("ntfs"), (1_592_325_011, 123_456_700));
    assert_eq!(time("dos"), (1_592_224_210, 0));
    assert_eq!(time("never"), (315_532_800, 0));
}

/// Promise 18: An implicit directory is 0755 and has the time of its layer's file.
#[test]
fn implicit_directories_take_after_their_layer() {
    let fs = scene(RawZip::new().file("d/f", "").mtime(77));
    for path in ["d", ""] {
        assert_eq!(
            (attr(&fs, path).mode, attr(&fs, path).mtime.seconds),
            (0o755, ARCHIVE_MTIME)
        );
    }
}

/// Promise 19: An entry that is encrypted, of an unknown method, of a wrong CRC, truncated or lying about its size is
/// listed, and reading it is EIO.
#[test]
fn damaged_entries_are_listed_and_fail() {
    let zip = RawZip::new()
        .file("encrypted", "x")
        .flags(1)
        .file("method", "x")
        .method(77)
        .file("crc", "x")
        .crc(1)
        .file("size", "xx")
        .deflate()
        .declared_size(1)
        .file("good", "good");
    let fs = scene(zip);
    for (name, words) in [
        ("encrypted", "encrypted"),
        ("method", "method 77"),
        ("crc", "crc"),
        ("size", "1 bytes"),
    ] {
        assert_eq!(attr(&fs, name).kind, Kind::File);
        let why = read(&fs, name);
        assert!(is_damaged(why.clone(), words), "{name}: {why:?}");
        assert!(is_damaged(why, &format!("layer0.zip: {name}: ")));
    }
    assert_eq!(read(&fs, "good").unwrap(), b"good");
}

/// Promise 20: The bytes of an entry that is inflated whole are verified against its CRC before any of them is served.
#[test]
fn no_byte_of_a_wrong_entry_is_served() {
    let bytes = vec![7; 1 << 20];
    let fs = scene(
        RawZip::new()
            .file("f", &bytes)
            .deflate()
            .crc(crc32fast::hash(&bytes) ^ 1),
    );
    let first = fs.read(attr(&fs, "f").ino, 0, 1, |_| panic!("a byte was served"));
    assert!(is_damaged(first, "crc"));
}

/// Promise 21: An archive that is truncated, rewritten or deleted under a mount never kills it: what can still be read right
/// is served, the rest is EIO.
#[test]
fn a_changing_archive_kills_nothing() {
    let zip = RawZip::new().file("first", "first").file("second", "second");
    let bytes = zip.build();
    let cut = bytes.windows(6).position(|w| w == b"second").unwrap() + 10;
    for (case, change) in [
        ("truncated", &bytes[..cut]),
        ("rewritten", &[b"x".repeat(bytes.len())].concat()[..]),
    ] {
        let (fs, path, _scratch) = uncached(&bytes);
        // The names lie in local headers, so that "second" is cut off before its data.
        fs::write(&path, change).unwrap();
        assert_eq!(names(&fs, ""), ["first", "second"], "{case}");
        assert_eq!(read(&fs, "first").is_ok(), case == "truncated");
        assert!(is_damaged(read(&fs, "second"), "second: "), "{case}");
        fs::write(&path, &bytes).unwrap();
        assert_eq!(read(&fs, "second").unwrap(), b"second", "{case}, and mended");
    }
    let (fs, path, _scratch) = uncached(&bytes);
    fs::remove_file(&path).unwrap();
    assert_eq!(read(&fs, "second").unwrap(), b"second");
}

fn uncached(archive: &[u8]) -> (Fs, PathBuf, TempDir) {
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("layer.zip");
    fs::write(&path, archive).unwrap();
    let stack = Stack::merge(vec![Archive::open(&path).unwrap()]).unwrap();
    let options = Options {
        cache_capacity_bytes: 0,
        ..Options::default()
    };
    (Fs::new(Arc::new(stack), options), path, scratch)
}

/// The promises that stand here, and those of docs/semantics.md. What only a mount can show (22, 23) is in
/// `mount_files.rs` and `mount_guide.rs`.
#[test]
fn every_promise_has_its_test() {
    let tests = [
        include_str!("semantics.rs"),
        include_str!("mount_files.rs"),
        include_str!("mount_guide.rs"),
    ]
    .concat();
    let tests = tests
        .lines()
        .map(|line| line.trim_start().trim_start_matches("///").trim());
    let tests = tests.collect::<Vec<_>>().join(" ");
    let document = include_str!("../../docs/semantics.md");
    let document = document.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut number = 0;
    for (at, _) in document.match_indices(". **") {
        number += 1;
        let promise = document[at + 4..].split("**").next().unwrap();
        assert!(
            tests.contains(&format!("Promise {number}: {promise}")),
            "no test says: {number}. {promise}"
        );
    }
    assert_eq!(number, 23);
}
