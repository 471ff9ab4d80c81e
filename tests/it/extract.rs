//! `optfs extract` and the library behind it: what lies on disk afterwards, and what never does.

use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use nix::pty::openpty;
use nix::unistd::geteuid;
use optfs::extract::{self, ExtractError, Options, Progress, Report};
use optfs::fs::FsError;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::generate::{holds, stacks};
use crate::support::model::extracted;
use crate::support::on_disk;
use crate::support::raw_zip::RawZip;
use crate::support::seen::{UNLIMITED, mounted_stack, mounted_values};
use crate::support::stack::{Item, Layer, Method, write_archive};
use crate::support::tree::{Body, Tree, differences};

const ENCRYPTED: u16 = 1;
/// The user that an unprivileged test runs as when root runs the tests.
const NOBODY: u32 = 65_534;

/// Whatever the layers hold: the tree on disk is that of the model, less what cannot be read.
#[test]
fn what_is_extracted_is_what_the_model_says() {
    holds(64, stacks(), |stack| {
        let scratch = scratch();
        let target = scratch.path().join("target");
        let scene = mounted_stack(&stack, UNLIMITED);
        let report = extract::write(&scene, &target, Options { threads: 3 }, &())
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let (expected, left_out) = readable(extracted(&stack));
        let found = on_disk::tree(&target);
        let differences = differences(&expected, &found);
        prop_assert!(differences.is_empty(), "{}", differences.join("\n"));
        prop_assert_eq!(report, counted(&expected, left_out));
        Ok(())
    });
}

/// Times have the nanoseconds that the archive gives, on files, directories and symlinks alike.
#[test]
fn times_are_kept_to_the_nanosecond() {
    // 2020-01-01T00:00:00.1234567 in units of 100 ns since 1601.
    const TICKS: u64 = (1_577_836_800 + 11_644_473_600) * 10_000_000 + 1_234_567;
    let zip = RawZip::new()
        .dir("d/")
        .ntfs_mtime(TICKS)
        .file("d/f", "f")
        .ntfs_mtime(TICKS);
    let zip = zip.symlink("d/l", "nowhere").ntfs_mtime(TICKS);
    let (scratch, _) = extracted_archives(&[zip.build()]);
    for name in ["d", "d/f", "d/l"] {
        let found = fs::symlink_metadata(scratch.path().join("target").join(name)).expect("it was extracted");
        let times = [
            (found.mtime(), found.mtime_nsec()),
            (found.atime(), found.atime_nsec()),
        ];
        let wanted = (1_577_836_800, 123_456_700);
        assert_eq!(times, [wanted; 2], "{name}");
    }
}

/// A symlink that leads out, and a later layer that would write through it; names that climb out.
#[test]
fn nothing_is_written_outside_of_the_target() {
    let scratch = scratch();
    let outside = scratch.path().join("outside");
    fs::create_dir(&outside).expect("a fresh directory");
    fs::write(outside.join("kept"), "as it was").expect("a writable directory");
    let lead_out = RawZip::new()
        .symlink("a", outside.to_str().expect("our names are UTF-8"))
        .symlink("b", "../outside/kept")
        .symlink("c", "../outside")
        .file("../outside/climbed", "no")
        .file("d/../../outside/climbed", "no")
        .file("d/..", "no")
        .file(format!("{}/absolute", outside.display()), "below the target");
    let write_through = RawZip::new().file("a/x", "x").file("b", "b").file("c/kept", "no");
    let target = scratch.path().join("target");
    let scene = mounted_values(&[lead_out.build(), write_through.build()]);
    extract::write(&scene, &target, Options::default(), &()).expect("it can be extracted");

    let names: Vec<_> = on_disk::tree(&outside).into_keys().collect();
    assert_eq!(names, [&b""[..], b"kept"]);
    assert_eq!(read(&outside.join("kept")), "as it was");
    assert_eq!(read(&target.join("a/x")), "x");
    assert_eq!(read(&target.join("b")), "b");
    let absolute = outside.join("absolute");
    let below = absolute
        .strip_prefix("/")
        .expect("temporary directories are absolute");
    assert_eq!(read(&target.join(below)), "below the target");
}

/// Somebody who may write into the target puts a symlink in the place of a directory while it is filled.
#[test]
fn a_target_that_changes_meanwhile_leads_nowhere_else() {
    struct Swap<'a> {
        target: &'a Path,
        outside: &'a Path,
    }
    impl Progress for Swap<'_> {
        fn begins(&self, _: u64) {
            // The directories are planned, and made next.
            assert_eq!(fs::read_dir(self.target).expect("the target is made").count(), 0);
        }

        fn wrote(&self, _: u64) {
            if fs::remove_dir(self.target.join("b")).is_ok() {
                symlink(self.outside, self.target.join("b")).expect("the owner may write");
            }
        }
    }
    let scratch = scratch();
    let (target, outside) = (scratch.path().join("target"), scratch.path().join("outside"));
    fs::create_dir(&outside).expect("a fresh directory");
    let scene = mounted_values(&[RawZip::new().file("a", "a").file("b/x", "x").build()]);
    let swap = Swap {
        target: &target,
        outside: &outside,
    };
    let stopped = extract::write(&scene, &target, Options { threads: 1 }, &swap);
    let Err(ExtractError::Write { path, .. }) = stopped else {
        panic!("{stopped:?}");
    };
    assert_eq!(path, target.join("b/x"));
    assert_eq!(fs::read_dir(&outside).expect("it is there").count(), 0);
}

#[test]
fn a_target_with_something_in_it_is_refused() {
    let scratch = scratch();
    let layer = archive(scratch.path(), RawZip::new().file("f", "f"));
    let target = scratch.path().join("target");
    fs::create_dir(&target).expect("a fresh directory");
    fs::write(target.join("mine"), "mine").expect("a writable directory");
    let done = optfs(&[&layer, &target]);
    let said = stderr(&done);
    assert_eq!(done.status.code(), Some(4), "{said}");
    assert!(
        said.contains("target: the directory is not empty\n  hint: "),
        "{said}"
    );
    assert_eq!(fs::read_dir(&target).expect("it is there").count(), 1);
    assert_eq!(read(&target.join("mine")), "mine");
}

#[test]
fn a_layer_in_the_place_of_the_target_is_refused() {
    let scratch = scratch();
    let layer = archive(scratch.path(), RawZip::new().file("f", "f"));
    let done = optfs(&[&layer]);
    assert_eq!(done.status.code(), Some(4));
    assert!(
        stderr(&done).contains("the last argument is where to extract"),
        "{}",
        stderr(&done)
    );
}

/// A directory that is made takes the tree's mode; one that was there keeps its own.
#[test]
fn an_empty_target_keeps_its_mode() {
    let scratch = scratch();
    let target = scratch.path().join("target");
    fs::create_dir(&target).expect("a fresh directory");
    fs::set_permissions(&target, Permissions::from_mode(0o750)).expect("the owner may");
    let scene = mounted_values(&[RawZip::new().file("f", "f").build()]);
    extract::write(&scene, &target, Options::default(), &()).expect("an empty directory is a target");
    assert_eq!(mode(&target), 0o750);
    let deep = scratch.path().join("made/on/the/way");
    extract::write(&scene, &deep, Options::default(), &()).expect("missing directories are made");
    assert_eq!(mode(&deep), 0o755);
}

/// As on a mount, the rest works: a line for each, no half file, status 6.
#[test]
fn what_cannot_be_served_is_left_out_and_named() {
    // Larger than what is inflated whole: most of it is on disk when the sum turns out wrong.
    let large = b"0123456789abcdef".repeat(600 << 10);
    let zip = RawZip::new()
        .file("good", "good")
        .file("d/crc", "crc")
        .crc(1)
        .file("d/large", &large)
        .deflate()
        .crc(1)
        .file("d/stored", &large)
        .crc(1)
        .file("empty", "")
        .method(77)
        .file("locked", "locked")
        .flags(ENCRYPTED)
        .symlink("link", "d/crc")
        .crc(1)
        .file("well", &large)
        .deflate();
    let scratch = scratch();
    let layer = archive(scratch.path(), zip);
    let target = scratch.path().join("target");
    let done = optfs(&[&layer, &target]);
    let said = stderr(&done);
    assert_eq!(done.status.code(), Some(6), "{said}");
    let (readable, _) = readable(on_disk::tree(&target));
    let names: Vec<_> = readable
        .keys()
        .map(|name| String::from_utf8_lossy(name))
        .collect();
    assert_eq!(names, ["", "d", "good", "well"]);
    assert_eq!(readable[&b"well"[..]].body, Body::File(large));
    for name in ["d/crc", "d/large", "d/stored", "empty", "locked", "link"] {
        let begin = format!("optfs: {}: {name}: ", layer.display());
        assert_eq!(
            said.lines().filter(|line| line.starts_with(&begin)).count(),
            1,
            "{said}"
        );
    }
    assert!(said.contains("locked: the entry is encrypted\n"), "{said}");
    assert!(said.contains("optfs: 6 of the files cannot be served"), "{said}");
    assert_eq!(said.lines().count(), 8, "{said}");
}

/// What `left_out` is told is what the report counts.
#[test]
fn the_library_tells_what_is_left_out() {
    #[derive(Default)]
    struct Listener(Mutex<Vec<String>>);
    impl Progress for Listener {
        fn left_out(&self, why: &FsError) {
            self.0.lock().expect("nobody panics").push(why.to_string());
        }
    }
    let scratch = scratch();
    let scene = mounted_values(&[RawZip::new().file("a", "a").crc(1).file("b", "b").build()]);
    let listener = Listener::default();
    let target = scratch.path().join("target");
    let report = extract::write(&scene, &target, Options::default(), &listener).expect("the rest works");
    assert_eq!((report.files, report.left_out, report.bytes), (1, 1, 1));
    let said = listener.0.into_inner().expect("nobody panics");
    assert!(
        said.len() == 1 && said[0].contains("layer0.zip: a: crc "),
        "{said:?}"
    );
}

/// Directories are closed when all in them is done: also for a user whom permissions stop.
#[test]
fn directories_without_write_permission_are_filled() {
    let item = |mode, mtime| Item::Dir {
        mode: Some(mode),
        mtime,
    };
    let file = |mode| Item::File {
        mode: Some(mode),
        mtime: 4,
        bytes: b"bytes".to_vec(),
        method: Method::Deflate,
    };
    let entries = [
        ("r", item(0o555, 1)),
        ("r/f", file(0o444)),
        ("r/deep", item(0o500, 2)),
        ("r/deep/f", file(0o400)),
        ("r/deep/below/f", file(0o400)),
    ];
    let layer = Layer {
        mtime: 1_600_000_000,
        entries: entries
            .map(|(name, item)| (name.as_bytes().to_vec(), item))
            .to_vec(),
    };
    let scratch = scratch();
    let zip = scratch.path().join("layer.zip");
    write_archive(&zip, &layer.zip(), layer.mtime);
    let work = scratch.path().join("work");
    fs::create_dir(&work).expect("a fresh directory");
    let target = work.join("target");
    let mut command = as_nobody(scratch.path(), &work);
    let done = command
        .arg("extract")
        .args([&zip, &target])
        .output()
        .expect("optfs runs");
    assert!(done.status.success(), "{}", stderr(&done));
    let expected = extracted(&[layer]);
    let found = on_disk::tree(&target);
    // The temporary directory is removed by a user whom permissions may stop.
    for directory in ["r", "r/deep"] {
        fs::set_permissions(target.join(directory), Permissions::from_mode(0o755)).expect("the owner may");
    }
    assert_eq!(differences(&expected, &found), [""; 0]);
}

/// A directory that nobody may write into: the message names what could not be made, nothing is left.
#[test]
fn permissions_in_the_way_stop_with_the_path() {
    let scratch = scratch();
    let layer = archive(scratch.path(), RawZip::new().file("d/f", "f"));
    let work = scratch.path().join("work");
    fs::create_dir(&work).expect("a fresh directory");
    let mut command = as_nobody(scratch.path(), &work);
    fs::set_permissions(&work, Permissions::from_mode(0o555)).expect("the owner may");
    let done = command
        .arg("extract")
        .arg(&layer)
        .arg(work.join("target"))
        .output()
        .expect("optfs runs");
    let said = stderr(&done);
    assert_eq!(done.status.code(), Some(4), "{said}");
    assert!(said.contains("work/target: Permission denied"), "{said}");
}

/// Writing fails half way: the file is named, and no half of it stays.
#[test]
fn a_file_that_cannot_be_written_stops_everything() {
    let scratch = scratch();
    let large = vec![7; 3 << 20];
    let layer = archive(
        scratch.path(),
        RawZip::new().file("d/large", &large).file("small", "s"),
    );
    let target = scratch.path().join("target");
    // The largest file that this user may write, in blocks of 1 KiB or 512 bytes: less than the file either way.
    // Ignored, SIGXFSZ becomes an error as a full disk is one.
    let script = "trap '' XFSZ; ulimit -f 2048; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_optfs"), "extract"]);
    let done = command
        .args([&layer, &target])
        .output()
        .expect("every unix has a shell");
    let said = stderr(&done);
    assert_eq!(done.status.code(), Some(6), "{said}");
    assert!(said.contains("target/d/large: File too large"), "{said}");
    assert!(said.contains("is incomplete: remove it"), "{said}");
    assert!(!target.join("d/large").exists());
}

/// 5,000 directories in one another: more than may be open, longer than any path may be.
#[test]
fn directories_are_made_as_deep_as_a_name_allows() {
    const DEPTH: usize = 5_000;
    let name = "d/".repeat(DEPTH) + "f";
    let (scratch, report) = extracted_archives(&[RawZip::new().file(&name, "f").build()]);
    assert_eq!((report.directories, report.files), (DEPTH as u64, 1));
    // Whoever removes by whole paths cannot; `rm` goes in step by step.
    let removed = Command::new("rm")
        .arg("-rf")
        .arg(scratch.path())
        .status()
        .expect("every unix has rm");
    assert!(removed.success());
}

#[test]
fn the_summary_is_all_that_is_said_and_quiet_silences_it() {
    let scratch = scratch();
    let layer = archive(
        scratch.path(),
        RawZip::new().dir("d/").file("d/f", "bytes").symlink("l", "d"),
    );
    let done = optfs(&[&layer, &scratch.path().join("loud")]);
    let said = stderr(&done);
    assert!(
        said.starts_with("optfs: 1 files, 1 symlinks, 1 directories, 5 B in "),
        "{said}"
    );
    assert_eq!((said.lines().count(), done.stdout.len()), (1, 0), "{said}");
    let done = optfs(&[Path::new("-q"), &layer, &scratch.path().join("quiet")]);
    assert_eq!((stderr(&done).as_str(), done.status.code()), ("", Some(0)));
}

/// A terminal gets a bar, unless somebody says no.
#[test]
fn the_progress_bar_is_for_terminals() {
    let scratch = scratch();
    let large = b"0123456789abcdef".repeat(1 << 20);
    let layer = archive(scratch.path(), RawZip::new().file("large", &large).deflate());
    let on_terminal = |options: &[&str], name: &str| {
        let pty = openpty(None, None).expect("terminals can be made");
        let mut command = Command::new(env!("CARGO_BIN_EXE_optfs"));
        command
            .env("TERM", "xterm")
            .arg("extract")
            .args(options)
            .arg(&layer);
        command
            .arg(scratch.path().join(name))
            .stderr(Stdio::from(pty.slave));
        let mut child = command.spawn().expect("optfs runs");
        // The command holds the terminal's other end.
        drop(command);
        let mut said = Vec::new();
        let mut master = fs::File::from(pty.master);
        // The end of a terminal is an error.
        while let Ok(1..) = io::Read::by_ref(&mut master).take(4096).read_to_end(&mut said) {}
        assert!(child.wait().expect("it was started").success());
        String::from_utf8_lossy(&said).into_owned()
    };
    let said = on_terminal(&[], "bar");
    assert!(said.contains("% "), "{said:?}");
    for (option, name) in [("--no-progress", "without"), ("-q", "quiet")] {
        let said = on_terminal(&[option], name);
        assert!(!said.contains("% "), "{said:?}");
    }
}

fn scratch() -> TempDir {
    TempDir::new().expect("a temporary directory")
}

fn archive(directory: &Path, zip: RawZip) -> PathBuf {
    let path = directory.join("layer.zip");
    fs::write(&path, zip.build()).expect("a writable temporary directory");
    path
}

/// Archives extracted into `target` of a temporary directory.
fn extracted_archives(archives: &[Vec<u8>]) -> (TempDir, Report) {
    let scratch = scratch();
    let target = scratch.path().join("target");
    let written = extract::write(&mounted_values(archives), &target, Options::default(), &());
    (scratch, written.unwrap_or_else(|error| panic!("{error}")))
}

fn optfs(arguments: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_optfs"));
    command
        .arg("extract")
        .args(arguments)
        .output()
        .expect("optfs runs")
}

/// optfs as a user whom permissions stop, who owns `work`. Root becomes nobody, who may not be able to reach
/// the built program: it is copied.
fn as_nobody(scratch: &Path, work: &Path) -> Command {
    if !geteuid().is_root() {
        return Command::new(env!("CARGO_BIN_EXE_optfs"));
    }
    let program = scratch.join("optfs");
    fs::copy(env!("CARGO_BIN_EXE_optfs"), &program).expect("the program can be copied");
    fs::set_permissions(scratch, Permissions::from_mode(0o755)).expect("the owner may");
    std::os::unix::fs::chown(work, Some(NOBODY), Some(NOBODY)).expect("root may");
    let mut command = Command::new(program);
    command.uid(NOBODY).gid(NOBODY);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").mode() & 0o7777
}

/// The tree without what cannot be read, and how much that is.
fn readable(mut tree: Tree) -> (Tree, u64) {
    let before = tree.len();
    tree.retain(|_, node| !matches!(node.body, Body::Unreadable { .. }));
    let left_out = (before - tree.len()) as u64;
    (tree, left_out)
}

/// The report on a tree.
fn counted(tree: &Tree, left_out: u64) -> Report {
    let mut report = Report {
        left_out,
        ..Report::default()
    };
    for (path, node) in tree {
        match &node.body {
            Body::Directory => report.directories += u64::from(!path.is_empty()),
            Body::Symlink(_) => report.symlinks += 1,
            Body::File(bytes) => {
                report.files += 1;
                report.bytes += bytes.len() as u64;
            }
            Body::Unreadable { .. } => unreachable!("not on disk"),
        }
    }
    report
}
