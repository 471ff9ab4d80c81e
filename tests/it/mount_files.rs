//! Files of a mount in the hands of programs: mapped, run, read at any place and in any way, and never written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{AccessFlags, Whence, access, lseek, mkfifo};

use crate::support::command::output;
use crate::support::place::Place;
use crate::support::raw_zip::RawZip;

/// Larger than one answer to a read, and no multiple of a page.
const SIZE: usize = 3_000_001;

#[test]
fn a_mapped_file_has_its_bytes_in_both_ways_of_mapping() {
    let content = content();
    let place = Place::new(&[files(&content)]);
    place.mount([]);
    let script = "
import hashlib, mmap, sys
for path in sys.argv[1:]:
    for flags in mmap.MAP_SHARED, mmap.MAP_PRIVATE:
        with open(path, 'rb') as file:
            mapped = mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ)
            print(mapped[-5:].hex(), hashlib.sha256(mapped).hexdigest())
";
    let plain = place.scratch().join("plain");
    fs::write(&plain, &content).unwrap();
    let of = |paths: &[&Path]| output(Command::new("python3").args(["-c", script]).args(paths));
    let expected = of(&[&plain]);
    assert_eq!(of(&[&place.path("stored")]), expected);
    assert_eq!(of(&[&place.path("deflated")]), expected);
}

#[test]
fn a_shared_object_is_loaded_from_the_mount() {
    let built = Place::of_layers(&[]);
    let source = built.scratch().join("answer.c");
    let object = built.scratch().join("libanswer.so");
    fs::write(&source, "int answer(int x) { return x + 41; }\n").unwrap();
    output(
        Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([&object, &source]),
    );
    let layer = RawZip::new()
        .file("lib/libanswer.so", fs::read(&object).unwrap())
        .mode(0o755);
    let place = Place::new(&[layer.deflate()]);
    place.mount([]);
    let script = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).answer(1))";
    let loaded = output(
        Command::new("python3")
            .args(["-c", script])
            .arg(place.path("lib/libanswer.so")),
    );
    assert_eq!(loaded, "42\n");
}

#[test]
fn programs_and_scripts_run_from_the_mount() {
    let layer = RawZip::new()
        .file("bin/ls", fs::read("/bin/ls").unwrap())
        .mode(0o755)
        .deflate()
        .file("bin/hello", "#!/bin/sh\necho \"hello $1 from $0\"\n")
        .mode(0o755)
        .file("bin/not-for-running", "#!/bin/sh\n")
        .symlink("bin/link", "hello");
    let place = Place::new(&[layer]);
    place.mount([]);
    let listed = output(Command::new(place.path("bin/ls")).arg(place.path("bin")));
    assert_eq!(listed, "hello\nlink\nls\nnot-for-running\n");
    for name in ["bin/hello", "bin/link"] {
        let path = place.path(name);
        let said = output(Command::new(&path).arg("you"));
        assert_eq!(said, format!("hello you from {}\n", path.display()));
    }
    let refused = Command::new(place.path("bin/not-for-running")).status();
    assert_eq!(errno(refused), Errno::EACCES);
}

#[test]
fn reads_at_any_offset_give_the_bytes_of_that_offset() {
    let content = content();
    let place = Place::new(&[files(&content)]);
    place.mount([]);
    for name in ["stored", "deflated", "streamed"] {
        let file = File::open(place.path(name)).unwrap();
        // Backwards: the kernel's looking ahead does not help.
        for offset in [
            SIZE + 1,
            SIZE,
            SIZE - 1,
            2_000_000,
            1 << 20,
            (1 << 20) - 1,
            65_537,
            4096,
            1,
            0,
        ] {
            for length in [1, 4095, 70_000] {
                let mut bytes = vec![0; length];
                let read = file.read_at(&mut bytes, offset as u64).unwrap();
                let expected = &content[offset.min(SIZE)..SIZE.min(offset + length)];
                assert_eq!(&bytes[..read], expected, "{name}: {length} bytes at {offset}");
            }
        }
    }
}

/// Direct reads pass the kernel's cache by; programs that ask for them must not fail.
#[test]
fn direct_reads_do_not_fail() {
    let content = content();
    let place = Place::new(&[files(&content)]);
    place.mount([]);
    for name in ["stored", "deflated"] {
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_DIRECT.bits())
            .open(place.path(name))
            .unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        assert!(bytes == content, "{name}: other bytes");
    }
}

#[test]
fn seeking_finds_the_end_and_no_holes() {
    let place = Place::new(&[RawZip::new().file("f", "0123456789").file("empty", "")]);
    place.mount([]);
    let file = File::open(place.path("f")).unwrap();
    let seek = |offset, whence| lseek(&file, offset, whence);
    assert_eq!(seek(0, Whence::SeekEnd), Ok(10));
    assert_eq!(seek(-3, Whence::SeekEnd), Ok(7));
    assert_eq!(seek(4, Whence::SeekData), Ok(4));
    assert_eq!(seek(4, Whence::SeekHole), Ok(10));
    assert_eq!(seek(10, Whence::SeekData), Err(Errno::ENXIO));
    assert_eq!(seek(-1, Whence::SeekSet), Err(Errno::EINVAL));
    let empty = File::open(place.path("empty")).unwrap();
    assert_eq!(lseek(&empty, 0, Whence::SeekEnd), Ok(0));
}

/// Promise 22: Everything that would write answers EROFS.
#[test]
fn everything_that_would_write_is_refused_as_on_a_read_only_filesystem() {
    let place = Place::new(&[RawZip::new().file("d/f", "x").symlink("l", "d/f")]);
    place.mount([]);
    let (file, directory, link) = (place.path("d/f"), place.path("d"), place.path("l"));
    let fresh = place.path("d/fresh");
    let now = TimeSpec::from(std::time::Duration::from_secs(1));
    let here = nix::fcntl::AT_FDCWD;
    let times = |path: &Path, flag| utimensat(here, path, &now, &now, flag).map_err(io::Error::from);
    let writing = |path: &Path| OpenOptions::new().write(true).open(path).map(drop);
    let attempts: Vec<(&str, io::Result<()>)> = vec![
        ("create", File::create_new(&fresh).map(drop)),
        ("open to write", writing(&file)),
        ("open a link's target to write", writing(&link)),
        (
            "open to append",
            OpenOptions::new().append(true).open(&file).map(drop),
        ),
        (
            "open and truncate",
            OpenOptions::new()
                .write(true)
                .truncate(true)
                .open(&file)
                .map(drop),
        ),
        (
            "truncate",
            nix::unistd::truncate(&file, 0).map_err(io::Error::from),
        ),
        ("unlink", fs::remove_file(&file)),
        ("unlink a link", fs::remove_file(&link)),
        ("mkdir", fs::create_dir(&fresh)),
        ("rmdir", fs::remove_dir(&directory)),
        ("mkfifo", mkfifo(&fresh, Mode::S_IRWXU).map_err(io::Error::from)),
        ("rename", fs::rename(&file, &fresh)),
        ("rename over", fs::rename(&file, &link)),
        ("symlink", symlink("x", &fresh)),
        ("link", fs::hard_link(&file, &fresh)),
        (
            "chmod",
            fs::set_permissions(&file, PermissionsExt::from_mode(0o600)),
        ),
        (
            "chmod a directory",
            fs::set_permissions(&directory, PermissionsExt::from_mode(0o700)),
        ),
        ("chown", chown(&file, Some(1), Some(1))),
        ("lchown", std::os::unix::fs::lchown(&link, Some(1), Some(1))),
        ("utimes", times(&file, UtimensatFlags::FollowSymlink)),
        ("utimes of a link", times(&link, UtimensatFlags::NoFollowSymlink)),
        (
            "utimes of an open file",
            File::open(&file).unwrap().set_modified(SystemTime::now()),
        ),
        ("setxattr", xattr("os.setxattr(path, 'user.x', b'y')", &file)),
        ("removexattr", xattr("os.removexattr(path, 'user.x')", &file)),
        (
            "access to write",
            access(&file, AccessFlags::W_OK).map_err(io::Error::from),
        ),
    ];
    for (attempt, answer) in attempts {
        assert_eq!(errno(answer), Errno::EROFS, "{attempt}");
    }
    // What is there already is no news.
    assert_eq!(errno(fs::create_dir(&directory)), Errno::EEXIST);
    assert_eq!(errno(File::create_new(&file)), Errno::EEXIST);
    assert_eq!(fs::read_to_string(&file).unwrap(), "x");
}

#[test]
fn wrong_paths_are_answered_as_everywhere() {
    let layer = RawZip::new()
        .file("d/f", "x")
        .symlink("loop", "loop")
        .symlink("ring/a", "b")
        .symlink("ring/b", "a")
        .symlink("dangling", "nowhere")
        .file("n".repeat(255), "longest");
    let place = Place::new(&[layer]);
    place.mount([]);
    for (name, expected) in [
        ("nothing", Errno::ENOENT),
        ("d/nothing/f", Errno::ENOENT),
        ("d/f/", Errno::ENOTDIR),
        ("d/f/g", Errno::ENOTDIR),
        ("loop", Errno::ELOOP),
        ("ring/a", Errno::ELOOP),
        ("dangling", Errno::ENOENT),
        (&"n".repeat(256), Errno::ENAMETOOLONG),
        (&format!("d/{}", "n".repeat(256)), Errno::ENAMETOOLONG),
    ] {
        // Twice: the second answer may be one that the kernel has kept.
        for _ in 0..2 {
            assert_eq!(errno(fs::metadata(place.path(name))), expected, "{name}");
        }
    }
    assert_eq!(errno(fs::read(place.path("d"))), Errno::EISDIR);
    assert_eq!(errno(fs::read_dir(place.path("d/f"))), Errno::ENOTDIR);
    assert_eq!(errno(fs::read_link(place.path("d/f"))), Errno::EINVAL);
    assert_eq!(
        fs::read_to_string(place.path("n".repeat(255))).unwrap(),
        "longest"
    );
    assert_eq!(fs::read_to_string(place.path("d/../d/./f")).unwrap(), "x");
}

/// There are no extended attributes, and asking for them is no error that a tool would complain of.
#[test]
fn there_are_no_extended_attributes() {
    let place = Place::new(&[RawZip::new().file("f", "x")]);
    place.mount([]);
    for question in [
        "os.getxattr(path, 'user.x')",
        "os.getxattr(path, 'security.capability')",
    ] {
        let answer = errno(xattr(question, &place.path("f")));
        assert!(
            matches!(answer, Errno::ENODATA | Errno::EOPNOTSUPP),
            "{question}: {answer}"
        );
    }
}

/// Numbers and link counts are those that every tool's shortcuts count on.
#[test]
fn attributes_add_up_and_are_the_same_on_every_mount() {
    let layer = RawZip::new()
        .file("d/e/f", vec![b'x'; 1025])
        .file("d/g", "")
        .dir("d/h/")
        .symlink("l", "d");
    let layers = [layer, RawZip::new().file("d/e/i", "y")];
    let (one, two) = (Place::new(&layers), Place::new(&layers));
    one.mount([]);
    two.mount([]);
    let mut numbers = Vec::new();
    for (name, links, blocks) in [
        ("", 3, 8),
        ("d", 4, 8),
        ("d/e", 2, 8),
        ("d/h", 2, 8),
        ("d/e/f", 1, 3),
        ("d/e/i", 1, 1),
        ("d/g", 1, 0),
        ("l", 1, 1),
    ] {
        let found = fs::symlink_metadata(one.path(name)).unwrap();
        let again = fs::symlink_metadata(two.path(name)).unwrap();
        assert_eq!((found.nlink(), found.blocks()), (links, blocks), "{name}");
        assert_eq!(found.ino(), again.ino(), "{name}");
        assert_eq!(
            (found.atime(), found.ctime()),
            (found.mtime(), found.mtime()),
            "{name}"
        );
        numbers.push(found.ino());
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 8, "every object has a number of its own");
}

fn content() -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Few letters: deflate has something to do.
        b"abcdefgh"[(state >> 29) as usize]
    };
    (0..SIZE).map(|_| next()).collect()
}

fn files(content: &[u8]) -> RawZip {
    RawZip::new()
        .file("stored", content)
        .file("deflated", content)
        .deflate()
        .file("streamed", content)
        .deflate()
        .descriptor()
}

fn errno<T>(answer: io::Result<T>) -> Errno {
    match answer {
        Ok(_) => Errno::from_raw(0),
        Err(error) => Errno::from_raw(error.raw_os_error().expect("an error of the kernel")),
    }
}

/// Python has the calls for extended attributes that the standard library lacks.
fn xattr(call: &str, path: &Path) -> io::Result<()> {
    let script = format!(
        "import os, sys\npath = sys.argv[1]\ntry:\n    {call}\n    print(0)\nexcept OSError as error:\n    print(error.errno)"
    );
    let number = output(Command::new("python3").args(["-c", &script]).arg(path));
    match number.trim_end().parse().expect("a number") {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}
