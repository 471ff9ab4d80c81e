//! `optfs ci`: thresholds from a file and from flags, and what becomes of a stack that misses them.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::command::{Answer, answer, optfs};
use crate::support::raw_zip::RawZip;

/// Two layers of which the second replaces 100 of 200 + 700 bytes by 100 others.
struct Scene(TempDir);

impl Scene {
    fn new() -> Scene {
        let scratch = TempDir::new().unwrap();
        let write = |name: &str, zip: RawZip| fs::write(scratch.path().join(name), zip.build()).unwrap();
        write(
            "base.zip",
            RawZip::new().file("same", [1; 100]).file("etc/own", [2; 700]),
        );
        write(
            "top.zip",
            RawZip::new().file("same", [3; 100]).file("etc/top", [4; 100]),
        );
        Scene(scratch)
    }

    fn config(self, text: &str) -> Scene {
        fs::write(self.0.path().join(".optfs-ci.toml"), text).unwrap();
        self
    }

    fn ci(&self, args: &[&str]) -> Answer {
        let mut command = optfs();
        command.current_dir(self.0.path()).arg("ci").args(args);
        answer(command.args(["base.zip", "top.zip"]))
    }
}

#[test]
fn without_thresholds_a_stack_without_errors_passes() {
    let answer = Scene::new().ci(&[]);
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        answer.stdout,
        "passed  2 layers; efficiency 90.0 %, 200 B wasted; 1 finding, none denied\n"
    );
}

#[test]
fn a_threshold_that_is_missed_is_a_reason() {
    for (flag, reason) in [
        (
            "--lowest-efficiency=0.91",
            "lowest-efficiency: efficiency 0.9000, at least 0.91 is asked for",
        ),
        (
            "--highest-wasted-bytes=199",
            "highest-wasted-bytes: 200 B wasted, at most 199 B are allowed",
        ),
        (
            "--highest-wasted-percent=19.9",
            "highest-wasted-percent: 20.00 % wasted, at most 19.9 % is allowed",
        ),
        ("--max-layers=1", "L001 too-many-layers: 2 layers, the limit is 1"),
        (
            "--max-unzipped=999",
            "L002 unzipped-too-large: 1000 bytes in 2 layers, 1 over the limit of 999",
        ),
        (
            "--deny=S002",
            "S002 replaced-content: top.zip: 1 file of base.zip replaced by other content, such as same",
        ),
    ] {
        let answer = Scene::new().ci(&[flag]);
        assert_eq!(answer.code, Some(1), "{flag}: {answer:?}");
        assert!(
            answer.stdout.starts_with(&format!("failed  {reason}\n")),
            "{flag}: {answer:?}"
        );
    }
    for flag in [
        "--lowest-efficiency=0.9",
        "--highest-wasted-bytes=200",
        "--highest-wasted-percent=20",
        "--max-layers=2",
        "--max-unzipped=1000",
        "--max-zipped=1M",
        "--deny=error",
    ] {
        assert_eq!(Scene::new().ci(&[flag]).code, Some(0), "{flag}");
    }
    let zipped = Scene::new().ci(&["--max-zipped=900", "--deny=L003"]);
    assert_eq!(zipped.code, Some(1), "{zipped:?}");
}

#[test]
fn the_file_says_what_flags_would_and_flags_count_before_it() {
    let scene = Scene::new().config(
        "lowest-efficiency = 0.95\nhighest-wasted-bytes = \"1k\"\ndeny = [\"note\"]\nmax-unzipped = 5000\n\
         runtime = \"python3.12\"\narch = \"arm64\"\ndeep = true\n",
    );
    let by_file = scene.ci(&[]);
    assert_eq!(by_file.code, Some(1));
    assert!(by_file.stdout.contains("lowest-efficiency"), "{by_file:?}");
    assert!(by_file.stdout.contains("S002"), "{by_file:?}");
    let by_flags = scene.ci(&["--lowest-efficiency=0.5", "--allow=note"]);
    assert_eq!(by_flags.code, Some(0), "{by_flags:?}");
    fs::rename(
        scene.0.path().join(".optfs-ci.toml"),
        scene.0.path().join("other.toml"),
    )
    .unwrap();
    assert_eq!(scene.ci(&[]).code, Some(0));
    assert_eq!(scene.ci(&["--config=other.toml"]).code, Some(1));
    assert_eq!(scene.ci(&["--config=missing.toml"]).code, Some(2));
}

#[test]
fn what_a_file_may_not_say_is_named_with_its_line() {
    for (text, complaint) in [
        (
            "deep = true\nlowest-eficiency = 1\n",
            ".optfs-ci.toml:2: unknown field `lowest-eficiency`",
        ),
        (
            "\n\nlowest-efficiency = 2.0\n",
            ".optfs-ci.toml:3: expected a number from 0 to 1",
        ),
        (
            "highest-wasted-bytes = \"many\"\n",
            ".optfs-ci.toml:1: expected a number",
        ),
        ("max-unzipped = -1\n", ".optfs-ci.toml:1: a size is not negative"),
        ("deny = [\"Z999\"]\n", ".optfs-ci.toml:1: \"Z999\" is no code"),
        ("runtime = \"python99\"\n", ".optfs-ci.toml:1: unknown runtime"),
        ("deep = \n", ".optfs-ci.toml:1: "),
    ] {
        let answer = Scene::new().config(text).ci(&[]);
        assert_eq!(answer.code, Some(2), "{text}: {answer:?}");
        assert!(
            answer.stderr.starts_with(&format!("optfs: {complaint}")),
            "{text}: {answer:?}"
        );
    }
}

#[test]
fn a_layer_that_cannot_be_opened_fails_whatever_else_passes() {
    let scene = Scene::new();
    fs::write(scene.0.path().join("bad.zip"), "no zip").unwrap();
    let answer = scene.ci(&["bad.zip"]);
    assert_eq!(
        (answer.code, answer.stdout.as_str()),
        (Some(3), "failed  1 layer cannot be opened\n")
    );
    assert!(
        answer.stderr.starts_with("optfs: bad.zip: not a zip"),
        "{answer:?}"
    );
}

#[test]
fn json_has_the_thresholds_and_the_findings() {
    let answer = Scene::new().ci(&["--json", "--lowest-efficiency=0.95", "--highest-wasted-bytes=200"]);
    assert_eq!(answer.code, Some(1));
    let object: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(
        (&object["question"], &object["passed"]),
        (&"ci".into(), &false.into())
    );
    assert_eq!(
        (&object["efficiency"], &object["wasted"]["size"]),
        (&0.9.into(), &200.into())
    );
    let passed: Vec<_> = object["thresholds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["passed"])
        .collect();
    assert_eq!(passed, [false, true]);
    assert_eq!(object["findings"][0]["code"], "S002");
}
