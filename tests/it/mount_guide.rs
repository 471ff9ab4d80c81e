//! What a mount tells of itself: extended attributes, and the directory `.optfs` that no listing shows.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::command::{answer, optfs, output};
use crate::support::place::Place;
use crate::support::raw_zip::RawZip;
use crate::support::until::until;

const DIRECTORY: &str = ".optfs";

/// A lower and an upper layer that disagree, agree and are broken here and there.
fn layers() -> [RawZip; 2] {
    let lower = RawZip::new()
        .file("python/a.py", "the old one, a little longer")
        .deflate()
        .file("python/b.py", "b")
        .file("d/x", "below")
        .file("same", "same")
        .file("/./odd//name", "odd");
    let upper = RawZip::new()
        .file("python/a.py", "the new one")
        .deflate()
        .file("python/c.py", "c")
        .file("d", "a file now")
        .file("same", "same")
        .file("broken", "not these bytes")
        .crc(1)
        .symlink("link", "python/a.py");
    [lower, upper]
}

fn mounted<const N: usize>(options: [&str; N]) -> Place {
    let place = Place::new(&layers());
    place.mount(options);
    place
}

/// What an attribute holds, or the number of the error.
fn attribute(path: &Path, name: &str) -> Result<String, i32> {
    python(
        "import os, sys\n\
         try: print('+' + os.getxattr(sys.argv[1], sys.argv[2], follow_symlinks=False).decode())\n\
         except OSError as error: print(error.errno)",
        &[path.to_str().unwrap(), name],
    )
}

/// The number of an attribute's bytes that the kernel gives for a room of so many, or of the error.
fn attribute_in(path: &Path, name: &str, room: usize) -> Result<String, i32> {
    python(
        "import ctypes, sys\n\
         libc = ctypes.CDLL(None, use_errno=True)\n\
         room = int(sys.argv[3])\n\
         buffer = ctypes.create_string_buffer(room) if room else None\n\
         size = libc.getxattr(sys.argv[1].encode(), sys.argv[2].encode(), buffer, ctypes.c_size_t(room))\n\
         print(ctypes.get_errno() if size < 0 else f'+{size}')",
        &[path.to_str().unwrap(), name, &room.to_string()],
    )
}

fn listed(path: &Path) -> Result<String, i32> {
    python(
        "import os, sys\n\
         try: print('+' + ' '.join(os.listxattr(sys.argv[1], follow_symlinks=False)))\n\
         except OSError as error: print(error.errno)",
        &[path.to_str().unwrap()],
    )
}

fn python(script: &str, words: &[&str]) -> Result<String, i32> {
    let said = output(Command::new("python3").args(["-c", script]).args(words));
    let said = said.strip_suffix('\n').unwrap();
    match said.strip_prefix('+') {
        Some(value) => Ok(value.to_owned()),
        None => Err(said.parse().unwrap()),
    }
}

const ENODATA: i32 = 61;
const ERANGE: i32 = 34;
const EOPNOTSUPP: i32 = 95;

#[test]
fn attributes_say_where_an_object_comes_from() {
    let place = mounted([]);
    let [lower, upper] = [0, 1].map(|nth| place.layers()[nth].canonicalize().unwrap().display().to_string());
    let both = format!("{lower}\n{upper}");
    let crc = format!("{:08x}", crc32fast::hash(b"the new one"));
    for (path, name, expected) in [
        ("python/a.py", "layer", Ok(upper.as_str())),
        ("python/a.py", "layers", Ok(&both)),
        ("python/a.py", "shadowed", Ok(&lower)),
        ("python/a.py", "crc32", Ok(&crc)),
        ("python/a.py", "method", Ok("deflate")),
        ("python/a.py", "entry", Ok("python/a.py")),
        ("python/a.py", "error", Err(ENODATA)),
        ("python/a.py", "stack", Err(ENODATA)),
        ("python/b.py", "layers", Ok(&lower)),
        ("python/b.py", "shadowed", Err(ENODATA)),
        ("python/b.py", "compressed_size", Ok("1")),
        ("python", "layers", Ok(&both)),
        ("python", "crc32", Err(ENODATA)),
        ("d", "layers", Ok(&both)),
        ("odd/name", "entry", Ok("/./odd//name")),
        ("", "layers", Ok(&both)),
        ("", "stack", Ok(&both)),
        ("", "version", Ok(env!("CARGO_PKG_VERSION"))),
        ("", "pid", Ok(&place.daemon().id().to_string())),
        ("", "nonsense", Err(ENODATA)),
        (".optfs/layers/1-layer0/python/a.py", "layer", Ok(&lower)),
        (".optfs/stats.json", "layer", Err(ENODATA)),
    ] {
        let found = attribute(&place.path(path), &format!("user.optfs.{name}"));
        assert_eq!(
            found.as_deref(),
            expected.as_ref().map(|text| *text),
            "{path}: {name}"
        );
    }
    let error = attribute(&place.path("broken"), "user.optfs.error").unwrap();
    assert!(error.contains("broken: ") && error.contains("crc"), "{error}");
    let stats: Value = serde_json::from_str(&attribute(place.opt(), "user.optfs.stats").unwrap()).unwrap();
    assert!(
        stats["requests"]["getxattr"]["count"].as_u64() > Some(20),
        "{stats}"
    );
    // The kernel has no user attributes of symlinks; under a plain name it asks.
    assert_eq!(attribute(&place.path("link"), "user.optfs.layer"), Err(ENODATA));
    assert_eq!(attribute(&place.path("link"), "optfs.layer"), Ok(upper));
}

#[test]
fn room_for_an_attribute_is_asked_for_and_given() {
    let place = mounted([]);
    let path = place.path("python/a.py");
    let in_room = |room| attribute_in(&path, "user.optfs.method", room);
    assert_eq!(in_room(0), Ok("7".to_owned()));
    assert_eq!(in_room(6), Err(ERANGE));
    assert_eq!(in_room(7), Ok("7".to_owned()));
    assert_eq!(in_room(4096), Ok("7".to_owned()));
    assert_eq!(attribute_in(&path, "user.optfs.nonsense", 0), Err(ENODATA));
    assert_eq!(attribute_in(&path, "user.other", 0), Err(ENODATA));
    // Who hears this does not ask for the next file.
    for unknown in ["security.capability", "system.posix_acl_access"] {
        assert_eq!(attribute_in(&path, unknown, 0), Err(EOPNOTSUPP), "{unknown}");
    }
}

/// What copies a tree with its attributes takes none of these along.
#[test]
fn no_copy_has_the_attributes() {
    let place = mounted([]);
    let (from, scratch) = (place.path("python"), place.scratch());
    let copy = scratch.join("copy");
    let copied = answer(Command::new("cp").arg("-a").args([&from, &copy]));
    assert_eq!((copied.code, copied.stderr.as_str()), (Some(0), ""));
    let tar = format!(
        "mkdir {0}/tar && tar --xattrs --xattrs-include='*' -C {1} -cf - . | tar --xattrs --xattrs-include='*' -C {0}/tar -xf -",
        scratch.display(),
        from.display()
    );
    let tarred = answer(Command::new("sh").args(["-c", &tar]));
    // It is told that there is no list, and says so of each file.
    assert!(
        tarred
            .stderr
            .lines()
            .all(|line| line.ends_with("Cannot flistxattr: Operation not supported"))
    );
    assert_eq!(tarred.code, Some(0), "{tarred:?}");
    for path in [copy.join("a.py"), scratch.join("tar/a.py")] {
        assert_eq!(fs::read_to_string(&path).unwrap(), "the new one");
        assert_eq!(attribute(&path, "user.optfs.layer"), Err(ENODATA), "{path:?}");
        let names = listed(&path).unwrap();
        assert!(!names.contains("optfs"), "{path:?}: {names}");
    }
    assert_eq!(listed(&from.join("a.py")), Err(EOPNOTSUPP));
}

#[test]
fn attributes_are_listed_where_that_is_wished_and_gone_where_that_is() {
    for options in [["--xattrs", "listed"], ["-o", "xattrs=listed"]] {
        let place = mounted(options);
        let names = listed(&place.path("python/a.py")).unwrap();
        let expected = [
            "layer",
            "layers",
            "shadowed",
            "crc32",
            "method",
            "compressed_size",
            "entry",
        ];
        let expected: Vec<_> = expected.iter().map(|name| format!("user.optfs.{name}")).collect();
        assert_eq!(names.split(' ').collect::<Vec<_>>(), expected);
        assert!(listed(place.opt()).unwrap().contains("user.optfs.stats"));
        assert_eq!(listed(&place.path("link")), Ok(String::new()));
        assert_eq!(listed(&place.path(".optfs/stats.json")), Ok(String::new()));
    }
    let place = mounted(["--xattrs", "off"]);
    let path = place.path("python/a.py");
    // The first time optfs says so, then the kernel.
    for _ in 0..2 {
        assert_eq!(attribute(&path, "user.optfs.layer"), Err(EOPNOTSUPP));
        assert_eq!(listed(&path), Err(EOPNOTSUPP));
    }
}

/// Every name below, with its kind.
fn found(path: &Path) -> BTreeSet<String> {
    let found = output(Command::new("find").arg(path).args(["-printf", "%y %P\n"]));
    found.lines().map(str::to_owned).collect()
}

/// Promise 23: A mount lists nothing that the layers do not have: its own directory `.optfs` and its attributes
/// `user.optfs.*` are found by name alone.
#[test]
fn the_directory_is_there_and_no_listing_shows_it() {
    let (with, without) = (mounted([]), mounted(["--no-special"]));
    // Before anybody has looked inside, and after.
    for _ in 0..2 {
        assert_eq!(found(with.opt()), found(without.opt()));
        assert!(!found(with.opt()).iter().any(|line| line.contains(DIRECTORY)));
        let count = |place: &Place| output(Command::new("stat").args(["-f", "-c", "%c %b"]).arg(place.opt()));
        assert_eq!(count(&with), count(&without));
        let links = |place: &Place| output(Command::new("stat").args(["-c", "%h"]).arg(place.opt()));
        assert_eq!(links(&with), links(&without));
        let inside = found(&with.path(DIRECTORY));
        for name in [
            "d layers/2-layer1",
            "f stats.json",
            "f layers/1-layer0/d/x",
            "l layers/2-layer1/link",
        ] {
            assert!(inside.contains(name), "{name}: {inside:#?}");
        }
    }
    assert!(!without.path(DIRECTORY).exists());
    assert!(!mounted(["-o", "no_special"]).path(DIRECTORY).exists());
}

#[test]
fn each_layer_has_its_own_tree_as_extraction_leaves_it() {
    let place = mounted([]);
    for (nth, layer) in place.layers().iter().enumerate() {
        let alone = place.scratch().join(format!("alone{nth}"));
        let extracted = answer(optfs().args(["extract", "--layer"]).arg(layer).arg(&alone));
        // One entry of the upper one cannot be read.
        assert!(extracted.code == Some(0) || nth == 1, "{extracted:?}");
        let shown = place.path(format!(".optfs/layers/{}-layer{nth}", nth + 1));
        let mut diff = Command::new("diff");
        diff.args(["-r", "--no-dereference", "--exclude", "broken"])
            .args([&shown, &alone]);
        output(&mut diff);
    }
    let (old, new) = (place.path(".optfs/layers/1-layer0/python"), place.path("python"));
    let diff = answer(Command::new("diff").arg("-rq").args([&old, &new]));
    assert_eq!(diff.code, Some(1));
    assert_eq!(
        diff.stdout.lines().count(),
        2,
        "a.py differs, c.py is new: {}",
        diff.stdout
    );
}

#[test]
fn hidden_versions_lie_where_they_fell() {
    let place = mounted([]);
    let shadowed = place.path(".optfs/shadowed/1-layer0");
    let names = ["d d", "d python", "f d/x", "f python/a.py", "f same", "d "].map(str::to_owned);
    assert_eq!(found(&shadowed), names.into());
    let old = fs::read_to_string(shadowed.join("python/a.py")).unwrap();
    assert_eq!(old, "the old one, a little longer");
    assert_eq!(found(&place.path(".optfs/shadowed/2-layer1")).len(), 1);
    let conflicts = fs::read_to_string(place.path(".optfs/conflicts.txt")).unwrap();
    let lines: Vec<_> = conflicts.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "d/x\t1-layer0\t2-layer1\tbelow what is no directory now",
            "python/a.py\t1-layer0\t2-layer1\tother content",
        ]
    );
}

/// An entry is inflated once, whichever way it is reached.
#[test]
fn trees_of_layers_share_the_content() {
    let place = mounted([]);
    let misses = || stats(&place)["cache"]["misses"].as_u64().unwrap();
    assert_eq!(fs::read(place.path("python/a.py")).unwrap(), b"the new one");
    let after_first = misses();
    assert_eq!(
        fs::read(place.path(".optfs/layers/2-layer1/python/a.py")).unwrap(),
        b"the new one"
    );
    assert_eq!(misses(), after_first);
}

fn stats(place: &Place) -> Value {
    let text = fs::read(place.path(".optfs/stats.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// The kernel keeps what it has read for ever, but not of these.
#[test]
fn statistics_and_errors_are_those_of_now() {
    let place = mounted([]);
    let lookups = |stats: &Value| stats["requests"]["lookup"]["count"].as_u64().unwrap();
    let mut opened = File::open(place.path(".optfs/stats.json")).unwrap();
    let before = stats(&place);
    for name in 0..50 {
        assert!(!place.path(format!("nothing{name}")).exists());
    }
    let after = stats(&place);
    assert!(lookups(&after) >= lookups(&before) + 50, "{before}\n{after}");
    assert_eq!(after["pid"], place.daemon().id());
    // Who opened it earlier reads what was then, whole.
    let mut text = String::new();
    opened.read_to_string(&mut text).unwrap();
    let then: Value = serde_json::from_str(&text).unwrap();
    assert!(lookups(&then) <= lookups(&before));
    assert_eq!(opened.metadata().unwrap().len(), text.len() as u64);

    let errors = || fs::read_to_string(place.path(".optfs/errors")).unwrap();
    assert_eq!(errors(), "");
    for _ in 0..2 {
        fs::read(place.path("broken")).unwrap_err();
        fs::read(place.path(".optfs/layers/2-layer1/broken")).unwrap_err();
        assert_eq!(errors().lines().count(), 1, "{}", errors());
    }
    assert!(errors().contains("layer1.zip: broken: "), "{}", errors());
    assert_eq!(stats(&place)["failed_entries"], 1);
    // Far more looks than are held.
    for _ in 0..200 {
        stats(&place);
    }
}

#[test]
fn what_is_special_is_read_only_and_answers_like_files() {
    let place = mounted(["--uid", "7", "-o", "umask=022"]);
    for (path, expected) in [
        (".optfs/nothing", 2),
        (".optfs/layers/9-nothing", 2),
        (".optfs/stats.json/x", 20),
        (".optfs/layers/1-layer0/same/x", 20),
    ] {
        let error = fs::metadata(place.path(path)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(expected), "{path}");
    }
    let error = fs::write(place.path(".optfs/stats.json"), "x").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(30));
    assert_eq!(
        fs::read_to_string(place.path(".optfs/layers/1-layer0/../../../python/b.py")).unwrap(),
        "b"
    );
    let shown = output(
        Command::new("stat")
            .args(["-c", "%a %u"])
            .arg(place.path(".optfs/stack.json")),
    );
    assert_eq!(shown, "444 7\n");
    let stack: Value = serde_json::from_slice(&fs::read(place.path(".optfs/stack.json")).unwrap()).unwrap();
    assert_eq!(stack["layers"][1]["name"], "2-layer1");
    assert_eq!(stack["layers"][0]["entries"], 5);
}

#[test]
fn a_layers_own_directory_of_that_name_is_the_one_that_is_seen() {
    let place = Place::new(&[RawZip::new().file(".optfs/mine", "mine")]);
    let said = answer(&mut place.mounting([]));
    assert_eq!(said.code, Some(0));
    assert!(
        said.stderr.contains("a layer has a .optfs of its own"),
        "{}",
        said.stderr
    );
    assert_eq!(found(&place.path(DIRECTORY)).len(), 2);
    assert!(found(place.opt()).contains("f .optfs/mine"));
    assert!(!place.path(".optfs/stats.json").exists());
    let quiet = answer(&mut Place::new(&[RawZip::new().file(".optfs/mine", "")]).mounting(["--no-special"]));
    assert_eq!(quiet.stderr, "");
}

#[test]
fn statistics_are_logged_when_a_signal_asks() {
    let place = Place::new(&layers());
    let served = place.serve([]);
    for times in 1..=2 {
        served.signal(Signal::SIGUSR1);
        until("the statistics are logged", || {
            served.log().matches("optfs: info: {").count() == times
        });
    }
    let log = served.log();
    let line = log.lines().last().unwrap().strip_prefix("optfs: info: ").unwrap();
    let stats: Value = serde_json::from_str(line).unwrap();
    assert_eq!(stats["pid"], served.id());
    // The mount goes on, and ends at the first signal that ends it.
    assert_eq!(fs::read(place.path("python/b.py")).unwrap(), b"b");
    served.signal(Signal::SIGTERM);
    until("the mount is gone", || !place.is_mounted());
}

#[test]
fn a_mount_can_be_left_whose_directory_was_looked_into() {
    let place = mounted([]);
    found(&place.path(DIRECTORY));
    stats(&place);
    let open = File::open(place.path(".optfs/layers/1-layer0/python/a.py")).unwrap();
    let daemon = place.daemon();
    let refused = answer(optfs().arg("umount").arg(place.opt()));
    assert_eq!(refused.code, Some(4), "{refused:?}");
    output(optfs().args(["umount", "--lazy"]).arg(place.opt()));
    let mut text = String::new();
    (&open).read_to_string(&mut text).unwrap();
    assert_eq!(text, "the old one, a little longer");
    drop(open);
    until("the daemon ends", || !daemon.is_alive());
}

#[test]
fn a_command_in_its_own_view_finds_it_too() {
    let place = Place::new(&layers());
    let view = |options: &[&str]| {
        let mut run = optfs();
        run.arg("run").args(options).arg("--at").arg(place.opt());
        for layer in place.layers() {
            run.arg("--layer").arg(layer);
        }
        let script = "cd \"$1\" && ls -A && ls -d .optfs/layers/*";
        answer(run.args(["--", "sh", "-c", script, "sh"]).arg(place.opt()))
    };
    let with = view(&[]);
    let names = "broken\nd\nlink\nodd\npython\nsame\n.optfs/layers/1-layer0\n.optfs/layers/2-layer1\n";
    assert_eq!((with.code, with.stdout.as_str()), (Some(0), names));
    let without = view(&["--no-special", "--xattrs", "off"]);
    assert_eq!(without.code, Some(2), "{without:?}");
}
