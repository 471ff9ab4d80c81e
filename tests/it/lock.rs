//! Lock files: what is written, and what a check says has changed and where.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::command::{Answer, answer, optfs, output};
use crate::support::raw_zip::RawZip;
use crate::support::stack::write_archive;

/// A stack file and the two layers that it lists.
struct Scene {
    scratch: TempDir,
}

impl Scene {
    fn new() -> Scene {
        let scene = Scene {
            scratch: TempDir::new().unwrap(),
        };
        fs::write(scene.scratch.path().join("s"), "base.zip\ntop.zip\n").unwrap();
        scene.layer("base.zip", base());
        scene.layer(
            "top.zip",
            RawZip::new().file("bin/tool", "t").file("python/six.py", "6"),
        );
        scene
    }

    fn layer(&self, name: &str, zip: RawZip) {
        write_archive(&self.scratch.path().join(name), &zip.build(), 1_600_000_000);
    }

    fn lock(&self, args: &[&str]) -> Answer {
        answer(
            optfs()
                .args(["lock", "--stack", "s"])
                .args(args)
                .current_dir(self.scratch.path()),
        )
    }

    fn text(&self) -> String {
        fs::read_to_string(self.scratch.path().join("optfs.lock")).unwrap()
    }
}

fn base() -> RawZip {
    RawZip::new()
        .file("python/numpy/core/deep/a.so", "a")
        .file("python/numpy/init.py", "n")
        .file("python/boto3/b.py", "b")
        .file("lib/x", "x")
}

#[test]
fn a_stack_that_has_not_changed_passes() {
    let scene = Scene::new();
    let written = scene.lock(&[]);
    assert_eq!((written.code, written.stdout.as_str()), (Some(0), ""));
    assert!(
        written
            .stderr
            .starts_with("optfs: optfs.lock: 2 layers, 6 paths listed, view "),
        "{written:?}"
    );
    let text = scene.text();
    let sum = |name| {
        output(
            Command::new("sh")
                .args(["-c", &format!("sha256sum < {name} | cut -c-64")])
                .current_dir(scene.scratch.path()),
        )
    };
    let code = output(
        Command::new("sh")
            .args(["-c", "openssl dgst -sha256 -binary top.zip | base64"])
            .current_dir(scene.scratch.path()),
    );
    assert!(
        text.contains(&format!("sha256 = \"{}\"\n", sum("base.zip").trim_end())),
        "{text}"
    );
    assert!(
        text.contains(&format!("code_sha256 = \"{}\"\n", code.trim_end())),
        "{text}"
    );
    assert!(
        text.contains("\n\"python/numpy/core\" = \"directory 0755 "),
        "{text}"
    );
    let hash = output(
        optfs()
            .args(["hash", "--stack", "s"])
            .current_dir(scene.scratch.path()),
    );
    assert!(
        text.contains(&format!("\nview = \"{}\"\n", &hash[..64])),
        "{text}"
    );
    let checked = scene.lock(&["--check"]);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        checked.stdout,
        format!("no change in 2 layers and the view: {}\n", &hash[..64])
    );
    // Written again it is the same to the byte, and to standard output too.
    assert_eq!(scene.lock(&[]).code, Some(0));
    assert_eq!(scene.text(), text);
    assert_eq!(scene.lock(&["--file", "-"]).stdout, text);
}

#[test]
fn a_check_says_where() {
    let scene = Scene::new();
    scene.lock(&[]);
    let changed = base()
        .file("python/numpy/core/deep/a.so", "other")
        .file("python/new/n", "n")
        .file("lib/x", "y")
        .dir("python/boto3/")
        .mode(0o700);
    scene.layer("base.zip", changed);
    let checked = scene.lock(&["--check"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let (layers, view) = checked.stdout.split_once("\n\n").unwrap();
    assert!(layers.starts_with("layer 1  base.zip  other bytes, "), "{layers}");
    let expected = "\
changed  lib/  files in it
changed  python/boto3/  mode 0755 → 0700
added    python/new/
changed  python/numpy/core/  somewhere below

the view has changed: ";
    assert!(view.starts_with(expected), "{view}");
    // A file beside changed directories is told from them.
    scene.layer(
        "top.zip",
        RawZip::new().file("bin/tool", "t").file("python/six.py", "seven"),
    );
    let checked = scene.lock(&["--check"]).stdout;
    assert!(checked.contains("\nchanged  python/  files in it\n"), "{checked}");
    let json: Value = serde_json::from_str(&scene.lock(&["--check", "--json"]).stdout).unwrap();
    assert_eq!(
        (&json["same"], &json["question"]),
        (&Value::from(false), &Value::from("lock"))
    );
    assert_eq!(json["layers"][0]["change"], "changed");
    assert_eq!(json["paths"][0]["path"], "lib");
    assert_eq!(json["paths"][0]["extent"], "files");
}

#[test]
fn a_full_lock_names_each_file() {
    let scene = Scene::new();
    scene.lock(&["--full"]);
    assert!(
        scene.text().contains("\n\"lib/x\" = \"file 0644 "),
        "{}",
        scene.text()
    );
    scene.layer(
        "top.zip",
        RawZip::new()
            .file("bin/tool", "u")
            .mode(0o755)
            .file("lib", "a file"),
    );
    let checked = scene.lock(&["--check"]).stdout;
    let (_, view) = checked.split_once("\n\n").unwrap();
    let expected = "\
changed  bin/tool  other content, mode 0644 → 0755
changed  lib  directory → file
removed  python/six.py

";
    assert!(view.starts_with(expected), "{view}");
}

/// Zipped anew a layer has other bytes; whoever locks only what is seen does not mind.
#[test]
fn bytes_of_zips_may_change_where_only_the_view_counts() {
    let scene = Scene::new();
    scene.lock(&["--depth", "0"]);
    assert!(scene.text().ends_with("\n[paths]\n"), "{}", scene.text());
    scene.layer("base.zip", base().deflate());
    let checked = scene.lock(&["--check"]);
    assert_eq!(checked.code, Some(1));
    assert!(
        checked.stdout.contains("\n\nthe view is the same: "),
        "{checked:?}"
    );
    assert_eq!(scene.lock(&["--check", "--view"]).code, Some(0));
    fs::write(scene.scratch.path().join("s"), "top.zip\nbase.zip\n").unwrap();
    let moved = scene.lock(&["--check"]).stdout;
    assert!(
        moved.contains("layer 1  top.zip  moved, was layer 2\n"),
        "{moved}"
    );
    scene.layer("base.zip", base().file("lib/x", "z"));
    let below = scene.lock(&["--check"]).stdout;
    assert!(below.contains("changed  /opt/  somewhere below\n"), "{below}");
}

#[test]
fn a_file_that_is_no_lock_is_neither_read_nor_overwritten() {
    let scene = Scene::new();
    let missing = scene.lock(&["--check"]);
    assert!(
        missing.code == Some(6) && missing.stderr.contains("optfs.lock: no such file"),
        "{missing:?}"
    );
    for garbage in ["important\n", "[package]\nname = \"x\"\n"] {
        fs::write(scene.scratch.path().join("optfs.lock"), garbage).unwrap();
        for args in [&["--check"][..], &[]] {
            let said = scene.lock(args);
            assert!(
                said.code == Some(6) && said.stderr.contains("not a lock file"),
                "{said:?}"
            );
        }
        assert_eq!(scene.text(), garbage);
    }
    fs::write(scene.scratch.path().join("optfs.lock"), "").unwrap();
    scene.lock(&[]);
    let newer = scene.text().replace("version = 1", "version = 2");
    fs::write(scene.scratch.path().join("optfs.lock"), newer).unwrap();
    let said = scene.lock(&["--check"]);
    assert!(
        said.code == Some(6) && said.stderr.contains("version 2, and this optfs knows version 1"),
        "{said:?}"
    );
    assert_eq!(
        scene.lock(&[]).code,
        Some(0),
        "an older or newer lock may be written anew"
    );
    assert_eq!(scene.lock(&["--check"]).code, Some(0));
    assert_eq!(scene.lock(&["--json"]).code, Some(2));
    let entries = fs::read_dir(scene.scratch.path()).unwrap().count();
    assert_eq!(entries, 4, "nothing is left beside");
}

#[test]
fn a_layer_that_cannot_be_read_whole_is_not_locked() {
    let scene = Scene::new();
    scene.layer("top.zip", RawZip::new().file("bin/tool", "t").method(77));
    let said = scene.lock(&[]);
    assert!(
        said.code == Some(6) && said.stderr.contains("top.zip: bin/tool: "),
        "{said:?}"
    );
    assert!(!scene.scratch.path().join("optfs.lock").exists());
}
