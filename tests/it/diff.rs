//! Differences between stacks, orders and directories: judged by the model, by what was extracted, and on real
//! layers by `diff -rq` over what unzip left.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use optfs::explain::diff::{Diff, Options, diff};
use optfs::explain::{Merged, OnDisk};
use optfs::extract;
use optfs::fs::Fs;
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use crate::real_layers::layers;
use crate::support::command::{Answer, answer, optfs, output};
use crate::support::generate::{holds, stacks};
use crate::support::model::extracted;
use crate::support::raw_zip::RawZip;
use crate::support::seen::{UNLIMITED, mounted_stack};
use crate::support::stack::{Item, Layer, Method, write_archive};
use crate::support::tree::{Body, Tree};

/// The user that a test runs a command as when root runs the tests.
const NOBODY: u32 = 65_534;

/// Stacks whose every file can be read: only of those is it known what they hold.
pub(crate) fn readable_stacks() -> impl Strategy<Value = Vec<Layer>> {
    stacks().prop_map(|mut stack| {
        for (_, item) in stack.iter_mut().flat_map(|layer| &mut layer.entries) {
            if let Item::File { method, .. } = item
                && *method == Method::Unknown
            {
                *method = Method::Stored;
            }
        }
        stack
    })
}

/// What differs between two stacks.
pub(crate) fn between(one: &Fs, other: &Fs) -> Diff {
    let (one, other) = (
        Merged(one.stack(), one.content()),
        Merged(other.stack(), other.content()),
    );
    diff(&one, &other, Options::default(), &())
}

/// The paths at which two trees of the model differ; times do not count.
pub(crate) fn differing(one: &Tree, other: &Tree) -> BTreeSet<Vec<u8>> {
    let look = |tree: &Tree, path: &Vec<u8>| {
        let node = tree.get(path)?;
        let mode = (!matches!(node.body, Body::Symlink(_))).then_some(node.mode);
        Some((mode, node.body.clone()))
    };
    let paths: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let differ = paths
        .into_iter()
        .filter(|path| look(one, path) != look(other, path));
    differ.cloned().collect()
}

pub(crate) fn paths(diff: &Diff) -> BTreeSet<Vec<u8>> {
    diff.changes.iter().map(|change| change.path.clone()).collect()
}

#[test]
fn two_stacks_differ_where_the_model_says() {
    holds(256, (readable_stacks(), readable_stacks()), |(one, other)| {
        let (a, b) = (mounted_stack(&one, UNLIMITED), mounted_stack(&other, UNLIMITED));
        prop_assert!(between(&a, &a).changes.is_empty());
        let (found, back) = (between(&a, &b), between(&b, &a));
        let expected = differing(&extracted(&one), &extracted(&other));
        prop_assert_eq!(paths(&found), expected.clone());
        prop_assert_eq!(paths(&back), expected);
        let all: BTreeSet<_> = extracted(&one)
            .into_keys()
            .chain(extracted(&other).into_keys())
            .collect();
        prop_assert_eq!(
            found.same as usize + found.changes.len(),
            all.len() - 1,
            "the root is not compared"
        );
        Ok(())
    });
}

/// A directory differs from a stack as the stack that was extracted there does.
#[test]
fn a_directory_differs_as_the_stack_it_came_from() {
    holds(48, (readable_stacks(), readable_stacks()), |(one, other)| {
        let scratch = TempDir::new().unwrap();
        let target = scratch.path().join("target");
        let (a, b) = (mounted_stack(&one, UNLIMITED), mounted_stack(&other, UNLIMITED));
        extract::write(&b, &target, extract::Options { threads: 2 }, &()).unwrap();
        let disk = OnDisk::list(&target).unwrap();
        let (a_tree, b_tree) = (Merged(a.stack(), a.content()), Merged(b.stack(), b.content()));
        let with_times = Options { times: true, mask: 0 };
        let same = diff(&b_tree, &disk, with_times, &());
        prop_assert!(same.changes.is_empty() && same.unread.is_empty(), "{:?}", same);
        let (expected, found) = (between(&a, &b), diff(&a_tree, &disk, Options::default(), &()));
        let details = |diff: &Diff| {
            let changes = diff.changes.iter();
            let detail = changes.map(|c| (c.path.clone(), c.differs, c.within, c.below, c.below_bytes));
            detail.collect::<Vec<_>>()
        };
        prop_assert_eq!(details(&found), details(&expected));
        Ok(())
    });
}

/// Two layers in which everything is other in its own way.
struct Scene {
    scratch: TempDir,
}

impl Scene {
    fn new() -> Scene {
        let old = RawZip::new()
            .file("python/pkg/a.py", "import os\nprint(1)\n")
            .file("python/pkg/gone.py", "gone")
            .file("bin/tool", "#!/bin/sh\n")
            .mode(0o755)
            .file("lib/v1/x.so", "\0one")
            .file("lib/v1/y.so", "\0y")
            .symlink("lib/current", "v1")
            .file("conf/deep", "c")
            .file("same", "same");
        let new = RawZip::new()
            .file("python/pkg/a.py", "import os\nprint(22)\n")
            .file("bin/tool", "#!/bin/sh\n")
            .mode(0o700)
            .file("lib/v2/x.so", "\0two")
            .symlink("lib/current", "v2")
            .file("conf", "a file now")
            .file("same", "same")
            .deflate();
        let scene = Scene {
            scratch: TempDir::new().unwrap(),
        };
        write_archive(&scene.path("old.zip"), &old.build(), 1_600_000_000);
        write_archive(&scene.path("new.zip"), &new.build(), 1_700_000_000);
        fs::write(scene.path("old.stack"), "old.zip\n").unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn ask(&self, args: &[&str]) -> Answer {
        answer(optfs().args(args).current_dir(self.scratch.path()))
    }
}

#[test]
fn every_difference_has_a_line() {
    let scene = Scene::new();
    let said = scene.ask(&["diff", "old.stack", "new.zip"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(1), ""));
    let expected = "\
changed  bin/tool            mode 0755 → 0700
changed  conf                directory (1 below) → file
changed  lib/current         v1 → v2
removed  lib/v1/             2 below, 6 B
added    lib/v2/             1 below, 4 B
changed  python/pkg/a.py     19 B → 20 B
removed  python/pkg/gone.py  4 B  old.zip

2 added, 5 removed, 4 changed, 5 the same
";
    assert_eq!(said.stdout, expected);
    let same = scene.ask(&["diff", "old.zip", "old.stack"]);
    assert_eq!(
        (same.code, same.stdout.as_str()),
        (Some(0), "no difference in 14 paths\n")
    );
    let names = scene.ask(&["diff", "--name-only", "old.zip", "new.zip"]).stdout;
    assert_eq!(
        names.lines().collect::<Vec<_>>(),
        [
            "bin/tool",
            "conf",
            "conf/deep",
            "lib/current",
            "lib/v1",
            "lib/v1/x.so",
            "lib/v1/y.so",
            "lib/v2",
            "lib/v2/x.so",
            "python/pkg/a.py",
            "python/pkg/gone.py"
        ]
    );
    let times = scene.ask(&["diff", "--times", "--umask", "077", "old.zip", "new.zip"]);
    assert!(!times.stdout.contains("bin/tool"), "{times:?}");
    let stat = scene.ask(&["diff", "--stat", "old.zip", "new.zip"]).stdout;
    assert!(
        stat.contains("        0         1         1         -3 B  python/pkg\n"),
        "{stat}"
    );
    assert!(
        stat.ends_with("        2         5         4         +4 B  in all\n"),
        "{stat}"
    );
}

#[test]
fn sides_are_named_in_many_ways() {
    let scene = Scene::new();
    let colon = scene.path("a:b.zip");
    fs::copy(scene.path("old.zip"), &colon).unwrap();
    fs::copy(scene.path("new.zip"), scene.path("layer")).unwrap();
    output(
        optfs()
            .args(["extract", "-q"])
            .arg(scene.path("old.zip"))
            .arg(scene.path("dir")),
    );
    for (args, code) in [
        (&["diff", "old.zip", "old.stack"][..], 0),
        (&["diff", "--layer", "old.zip", "dir"], 0),
        (&["diff", "--stack", "old.stack", "dir"], 0),
        (&["diff", "--layer", "new.zip", "--layer", "old.zip", "dir"], 1),
        (&["diff", "new.zip:old.zip", "old.zip:new.zip"], 1),
        (&["diff", "dir", "dir"], 0),
        (&["diff", "a:b.zip", "dir"], 0),
        (&["diff", "a\\:b.zip", "dir"], 0),
        (&["diff", "new.zip:a\\:b.zip", "new.zip:old.zip"], 0),
        (&["diff", "layer", "new.zip"], 0),
        (&["diff", "old.zip"], 2),
        (&["diff", "--layer", "old.zip", "new.zip", "dir"], 2),
        (&["diff", "nothing", "dir"], 3),
        (&["diff", "nothing:old.zip", "dir"], 3),
        (&["diff", "--umask", "9", "dir", "dir"], 2),
    ] {
        let said = scene.ask(args);
        assert_eq!(said.code, Some(code), "{args:?}: {said:?}");
        assert_eq!(said.stderr.is_empty(), code < 2, "{args:?}: {said:?}");
        assert!(code < 2 || said.stderr.contains("hint: "), "{args:?}: {said:?}");
    }
}

#[test]
fn the_lines_of_a_file_are_a_patch() {
    let scene = Scene::new();
    let said = scene.ask(&["diff", "old.zip", "new.zip", "--unified", "/opt/python/pkg/a.py"]);
    let expected = "\
--- a/python/pkg/a.py
+++ b/python/pkg/a.py
@@ -1,2 +1,2 @@
 import os
-print(1)
+print(22)
";
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), expected));
    output(
        optfs()
            .args(["extract", "-q"])
            .arg(scene.path("old.zip"))
            .arg(scene.path("dir")),
    );
    let whole = scene.ask(&[
        "diff",
        "dir",
        "new.zip",
        "-u",
        "python/pkg/a.py",
        "-u",
        "python/pkg/gone.py",
        "-u",
        "same",
    ]);
    fs::write(scene.path("patch"), &whole.stdout).unwrap();
    let patch = ["-p1", "-s", "-E", "-d", "dir", "-i", "../patch"];
    output(
        Command::new("patch")
            .args(patch)
            .current_dir(scene.scratch.path()),
    );
    let left = scene.ask(&["diff", "--name-only", "dir", "new.zip"]).stdout;
    assert!(!left.contains("python"), "{left}");

    for (path, says) in [
        ("lib/v1/x.so", "lib/v1/x.so: binary files differ\n"),
        (
            "conf/deep",
            "--- a/conf/deep\n+++ /dev/null\n@@ -1 +0,0 @@\n-c\n\\ No newline at end of file\n",
        ),
    ] {
        let said = scene.ask(&["diff", "old.zip", "new.zip", "-u", path]);
        assert_eq!((said.code, said.stdout.as_str()), (Some(1), says));
    }
    for path in ["lib", "nowhere", "lib/current", "../x"] {
        let said = scene.ask(&["diff", "old.zip", "new.zip", "-u", path]);
        assert!(
            matches!(said.code, Some(2 | 6)) && said.stdout.is_empty(),
            "{said:?}"
        );
    }
}

#[test]
fn scripts_get_both_sides() {
    let scene = Scene::new();
    let said = scene.ask(&["diff", "--json", "old.zip", "new.zip"]);
    let answer: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(answer["version"], 1);
    assert_eq!(answer["question"], "diff");
    assert_eq!(answer["same"], false);
    let of = |path: &str| {
        answer["changes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|c| c["path"] == path)
            .unwrap()
    };
    assert_eq!(of("bin/tool")["differs"], serde_json::json!(["mode"]));
    assert_eq!(of("bin/tool")["after"]["mode"], "0700");
    assert_eq!(of("lib/current")["before"]["target"], "v1");
    assert_eq!(of("lib/v1/x.so")["within"], true);
    assert_eq!(of("lib/v2")["before"], Value::Null);
    assert_eq!(of("python/pkg/a.py")["before"]["layer"], "old.zip");
    let same = scene.ask(&["diff", "--json", "old.zip", "old.stack"]);
    let answer: Value = serde_json::from_str(&same.stdout).unwrap();
    assert_eq!(
        (
            answer["same"].as_bool(),
            answer["changes"].as_array().unwrap().len()
        ),
        (Some(true), 0)
    );
}

#[test]
fn a_directory_may_hold_what_no_layer_can() {
    let scene = Scene::new();
    let dir = scene.path("dir");
    output(
        optfs()
            .args(["extract", "-q"])
            .arg(scene.path("old.zip"))
            .arg(&dir),
    );
    fs::remove_file(dir.join("same")).unwrap();
    mkfifo(&dir.join("same"), Mode::S_IRWXU).unwrap();
    symlink("anywhere", dir.join("new\x1b[2J")).unwrap();
    let said = scene.ask(&["diff", "old.zip", "dir"]);
    let expected = "added    new\x1b[2J  -> anywhere\nchanged  same          file → pipe\n";
    assert!(said.stdout.starts_with(expected), "{said:?}");
    // A umask that explains every mode is named.
    fs::remove_file(dir.join("same")).unwrap();
    fs::write(dir.join("same"), "same").unwrap();
    fs::remove_file(dir.join("new\x1b[2J")).unwrap();
    for name in ["same", "bin/tool", "lib/v1"] {
        let mode = fs::metadata(dir.join(name)).unwrap().permissions().mode();
        fs::set_permissions(dir.join(name), Permissions::from_mode(mode & !0o055)).unwrap();
    }
    let said = scene.ask(&["diff", "old.zip", "dir"]);
    assert!(said.stdout.contains("--umask 055"), "{said:?}");
    assert_eq!(
        scene.ask(&["diff", "--umask", "055", "old.zip", "dir"]).code,
        Some(0)
    );
}

/// What cannot be read is named, everything else is compared, and the status says that there was trouble.
#[test]
fn what_cannot_be_read_is_trouble_and_stops_nothing() {
    let scene = Scene::new();
    let dir = scene.path("dir");
    output(
        optfs()
            .args(["extract", "-q"])
            .arg(scene.path("old.zip"))
            .arg(&dir),
    );
    fs::set_permissions(scene.scratch.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(dir.join("same"), Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(dir.join("lib"), Permissions::from_mode(0o000)).unwrap();
    fs::write(dir.join("python/pkg/a.py"), "import os\nprint(2)\n").unwrap();
    let mut ask = optfs();
    ask.args(["diff", "old.zip", "dir"])
        .current_dir(scene.scratch.path());
    if geteuid().is_root() {
        ask.uid(NOBODY);
    }
    let said = answer(&mut ask);
    fs::set_permissions(dir.join("lib"), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(said.code, Some(6), "{said:?}");
    assert!(
        said.stdout
            .contains("changed  python/pkg/a.py  other content, 19 B\n"),
        "{said:?}"
    );
    assert!(
        said.stderr.contains("optfs: dir/lib: Permission denied\n"),
        "{said:?}"
    );
    assert!(
        said.stderr.contains("optfs: dir/same: Permission denied\n"),
        "{said:?}"
    );
    assert!(!said.stdout.contains("lib/"), "{said:?}");
}

/// Two boto3 in either order: what differs is what `diff -rq` finds between the trees that unzip leaves.
#[test]
fn real_layers_differ_as_diff_says() {
    for names in [["python-4", "python-5"], ["proxy-agent-v5", "proxy-agent-v6"]] {
        let there = layers(&names);
        let back: Vec<_> = there.iter().rev().cloned().collect();
        let scratch = TempDir::new().unwrap();
        let trees = [("there", &there), ("back", &back)].map(|(name, stack)| {
            let tree = scratch.path().join(name);
            for layer in stack {
                output(Command::new("unzip").arg("-qo").arg(layer).arg("-d").arg(&tree));
            }
            tree
        });
        let asked = answer(
            optfs()
                .args(["diff", "--json"])
                .arg(joined(&there))
                .arg(joined(&back)),
        );
        assert_eq!(asked.code, Some(1), "{}", asked.stderr);
        let found: Value = serde_json::from_str(&asked.stdout).unwrap();
        let found: BTreeSet<String> = found["changes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|change| change["within"] == false && change["differs"] != serde_json::json!(["mode"]))
            .map(|change| change["path"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(found, judged(&trees[0], &trees[1]));
        assert!(!found.is_empty());
        let alone = answer(optfs().arg("diff").arg(joined(&there)).arg(&trees[0]));
        assert_eq!(alone.code, Some(0), "{alone:?}");
    }
}

fn joined(stack: &[PathBuf]) -> String {
    let paths: Vec<_> = stack.iter().map(|path| path.to_str().unwrap()).collect();
    paths.join(":")
}

/// The paths that `diff -rq` names.
fn judged(one: &Path, other: &Path) -> BTreeSet<String> {
    let diff = ["-rq", "--no-dereference"];
    let said = answer(
        Command::new("diff")
            .args(diff)
            .arg(one)
            .arg(other)
            .env("LC_ALL", "C"),
    )
    .stdout;
    let below = |path: &str| {
        let roots = [one, other].map(|root| root.to_str().unwrap());
        let root = roots.into_iter().find(|root| path.starts_with(root)).unwrap();
        path[root.len()..].trim_start_matches('/').to_owned()
    };
    said.lines()
        .map(|line| match line.strip_prefix("Only in ") {
            Some(only) => {
                let (directory, name) = only.split_once(": ").unwrap();
                format!("{}/{name}", below(directory))
                    .trim_start_matches('/')
                    .to_owned()
            }
            None => {
                let words = line.strip_prefix("Files ").unwrap_or_else(|| panic!("{line}"));
                below(words.split_once(" and ").unwrap().0)
            }
        })
        .collect()
}
