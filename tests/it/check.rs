//! `optfs check`: what is found in which archive, what fails, and how it is told.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use optfs::archive::Archive;
use optfs::explain::check::{self, Options};
use optfs::stack::Stack;
use serde_json::Value;
use tempfile::TempDir;

use crate::real_layers::layers;
use crate::support::command::{Answer, answer, optfs, output};
use crate::support::elf::{self, AARCH64, X86_64};
use crate::support::raw_zip::RawZip;

/// Archives in a directory, as `0.zip`, `1.zip` and so on.
struct Scene {
    scratch: TempDir,
    count: usize,
}

impl Scene {
    fn of(zips: &[RawZip]) -> Scene {
        let scratch = TempDir::new().unwrap();
        for (number, zip) in zips.iter().enumerate() {
            fs::write(scratch.path().join(format!("{number}.zip")), zip.build()).unwrap();
        }
        Scene {
            scratch,
            count: zips.len(),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = optfs();
        command.current_dir(self.scratch.path()).arg("check").args(args);
        command.args((0..self.count).map(|number| format!("{number}.zip")));
        command
    }

    fn check(&self, args: &[&str]) -> Answer {
        answer(&mut self.command(args))
    }

    fn findings(&self, args: &[&str]) -> Vec<Value> {
        let answer = self.check(&[&["--json"], args].concat());
        let object: Value = serde_json::from_str(&answer.stdout).unwrap_or_else(|_| panic!("{answer:?}"));
        object["findings"].as_array().unwrap().clone()
    }

    fn codes(&self, args: &[&str]) -> BTreeSet<String> {
        let findings = self.findings(args);
        findings.iter().map(|finding| text(finding, "code")).collect()
    }
}

fn text(object: &Value, field: &str) -> String {
    object[field]
        .as_str()
        .unwrap_or_else(|| panic!("{object}: {field}"))
        .to_owned()
}

fn one(name: impl AsRef<[u8]>) -> RawZip {
    RawZip::new().file(name, b"content")
}

/// A file and the executable bit.
fn program(name: &str, content: &[u8]) -> RawZip {
    RawZip::new().file(name, content).mode(0o755)
}

/// What is asked, of which archives, and exactly the codes that are found there.
type Case = (&'static [&'static str], Vec<RawZip>, &'static [&'static str]);

/// More than what is read whole.
const PIECES_BYTES: u32 = 9 << 20;

fn scenes() -> Vec<Case> {
    let other = || RawZip::new().file("g", b"other");
    let shares_data = one("a")
        .file("b", b"content")
        .without_local()
        .bend_central(|header| header.local_offset = 0);
    let hole = one("a")
        .file("gone", b"gone")
        .without_central()
        .bend_local(|header| header.signature = 0)
        .file("b", b"");
    let zeros = vec![0; 17 << 20];
    let noise: Vec<u8> = (0..PIECES_BYTES)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let pieces = || RawZip::new().file("a", &noise).deflate();
    let large = one("a").raw_data(8, vec![0; 3 << 20]).declared_size(262_144_001);
    let extensions = (0..11).fold(RawZip::new(), |zip, number| {
        zip.file(format!("extensions/{number}"), b"").mode(0o755)
    });
    let cut_off = one("a")
        .bend_central(|header| (header.compressed_size, header.uncompressed_size) = (1 << 20, 1 << 20))
        .bend_local(|header| (header.compressed_size, header.uncompressed_size) = (1 << 20, 1 << 20))
        .file("b", b"");
    let six = || (0..6).map(|number| one(format!("{number}"))).collect::<Vec<_>>();
    let module = |tag: &str| one(format!("python/{tag}.so"));
    let arm = || RawZip::new().file("python/x.so", elf::library(AARCH64, &[]));
    let intel = || RawZip::new().file("lib/y.so.1", elf::library(X86_64, &[]));
    let new_glibc = || {
        let library = elf::library(X86_64, &["GLIBC_2.2.5", "GLIBC_2.28", "GLIBC_PRIVATE"]);
        RawZip::new().file("lib/y.so", library).deflate()
    };
    let newest_glibc = RawZip::new().file("lib/y.so", elf::library(X86_64, &["GLIBC_2.38"]));
    vec![
        (&[], vec![one("etc/a"), one("etc/b")], &[]),
        (
            &["--deep", "--arch=x86_64", "--runtime=python3.12"],
            vec![
                new_glibc(),
                program("bin/tool", b"x"),
                module("x.cpython-312-x86_64-linux-gnu"),
            ],
            &[],
        ),
        (&[], vec![cut_off], &["Z001"]),
        (
            &[],
            vec![one("a").bend_central(|header| header.local_offset = 5000)],
            &["Z001"],
        ),
        (
            &[],
            vec![one("central").bend_local(|header| header.name = b"locally".to_vec())],
            &["Z002"],
        ),
        (&[], vec![one("a").bend_local(|header| header.crc = 1)], &["Z003"]),
        (
            &[],
            vec![one("a").bend_local(|header| header.flags = 1)],
            &["Z003"],
        ),
        (&[], vec![shares_data], &["Z002", "Z004"]),
        (
            &[],
            vec![RawZip::new().file("hidden", b"").without_central().file("f", b"")],
            &["Z005"],
        ),
        (
            &[],
            vec![one("a").file("hidden", b"").without_central().file("f", b"")],
            &["Z005"],
        ),
        (
            &[],
            vec![
                one("a")
                    .deflate()
                    .descriptor()
                    .file("hidden", b"")
                    .without_central(),
            ],
            &["Z005"],
        ),
        (&[], vec![hole], &["Z006"]),
        (&[], vec![one("a").prepend("#!/bin/sh\n")], &["Z007"]),
        (&[], vec![one("a").prepend_unnoticed("#!/bin/sh\n")], &["Z007"]),
        (&[], vec![one("a").append("garbage")], &["Z008"]),
        (&[], vec![one("a").comment(other().build())], &["Z005", "Z009"]),
        (
            &[],
            vec![one("a").bend_end(|end| (end.entries, end.entries_on_disk) = (9, 9))],
            &["Z010"],
        ),
        (&[], vec![one("a").file("a", b"2")], &["Z011"]),
        (&[], vec![one("a").file("./a", b"content")], &["Z011", "Z024"]),
        (&[], vec![one("a").file("a/b", b"2")], &["Z012"]),
        (&[], vec![one("a/b").file("a", b"2")], &["Z012"]),
        (&[], vec![one("../x")], &["Z020"]),
        (&[], vec![one("nu\0l")], &["Z021"]),
        (&[], vec![one([b'x'; 256])], &["Z021"]),
        (&[], vec![one("/etc/x")], &["Z022"]),
        (&[], vec![one(r"a\b")], &["Z023"]),
        (&[], vec![one("b//c")], &["Z024"]),
        (&[], vec![one(b"caf\xe9")], &["Z025"]),
        (&[], vec![one("a\x1bb")], &["Z026"]),
        (&[], vec![one("a").flags(1)], &["Z030"]),
        (&[], vec![one("a").method(77)], &["Z031"]),
        (&[], vec![one("a").method(93)], &["Z032"]),
        (&[], vec![one("a").declared_size(1000)], &["Z033"]),
        (
            &[],
            vec![RawZip::new().file("a", zeros).deflate()],
            &["Z034", "Z035"],
        ),
        (&[], vec![one("a").mode(0o4755)], &["Z036"]),
        (&[], vec![one("a").unix_mode(0o010_644)], &["Z037"]),
        (&[], vec![one("a").unix_mode(0)], &["Z038"]),
        (&[], vec![one("a").host(0)], &["Z038"]),
        (&[], vec![RawZip::new().dir("d")], &["Z039"]),
        (&[], vec![RawZip::new().symlink("d/l", "../../x")], &["Z040"]),
        (&[], vec![RawZip::new().symlink("d/l", "/etc/passwd")], &["Z040"]),
        (&[], vec![RawZip::new().symlink("d/l", "../x")], &[]),
        (&[], vec![RawZip::new().symlink("l", "/opt/x")], &["Z041"]),
        (&[], vec![RawZip::new().symlink("l", "")], &["Z042"]),
        (&[], vec![one("a").crc(1)], &[]),
        (&["--deep"], vec![one("a").crc(1)], &["Z050"]),
        (
            &["--deep"],
            vec![one("a").raw_data(8, b"\xff no deflate")],
            &["Z050"],
        ),
        // Verified piece by piece.
        (&["--deep"], vec![pieces()], &[]),
        (&["--deep"], vec![pieces().crc(1)], &["Z050"]),
        (
            &["--deep"],
            vec![pieces().declared_size(PIECES_BYTES - 1)],
            &["Z050"],
        ),
        (
            &["--deep"],
            vec![pieces().declared_size(PIECES_BYTES + 1)],
            &["Z050"],
        ),
        (&[], six(), &["L001"]),
        (&["--each"], six(), &[]),
        (&[], vec![large], &["L002"]),
        (&[], vec![RawZip::new().file("a", vec![1; 52_428_800])], &["L003"]),
        (&[], vec![one("a").mode(0o600)], &["L004"]),
        (&[], vec![RawZip::new().dir("d/").mode(0o700)], &["L005"]),
        (&[], vec![RawZip::new()], &["L006"]),
        (&[], vec![one("lib/python3.11/site-packages/x.py")], &["L010"]),
        (&[], vec![one("python/lib/python3.11/site-packages/x.py")], &[]),
        (&[], vec![one("requests/__init__.py")], &["L011"]),
        (&[], vec![one("node_modules/x/index.js")], &["L011"]),
        (
            &[],
            vec![one("layer/python/x.py").file("layer/bin/y", b"")],
            &["L012"],
        ),
        (
            &["--runtime=python3.11"],
            vec![one("python/lib/python3.9/site-packages/x.py")],
            &["L013"],
        ),
        (
            &["--runtime=nodejs20.x"],
            vec![one("nodejs/node18/node_modules/x.js")],
            &["L013"],
        ),
        (&[], vec![one("bin/tool")], &["L014"]),
        (&[], vec![one("extensions/agent")], &["L015"]),
        (&[], vec![one("bootstrap")], &["L016"]),
        (&[], vec![extensions], &["L017"]),
        (&["--arch=x86_64"], vec![arm()], &["L020"]),
        (&["--arch=arm64"], vec![arm()], &[]),
        (&[], vec![arm(), intel()], &["L021"]),
        (
            &["--runtime=python3.11"],
            vec![module("x.cpython-310-x86_64-linux-gnu")],
            &["L022"],
        ),
        (
            &["--runtime=python3.11"],
            vec![
                module("x.cpython-310-x86_64-linux-gnu"),
                module("x.cpython-311-x86_64-linux-gnu"),
            ],
            &[],
        ),
        (
            &["--runtime=python3.11"],
            vec![module("x.abi3"), module("x.cpython-38-darwin")],
            &[],
        ),
        (
            &[],
            vec![
                module("x.cpython-310-x86_64-linux-gnu"),
                module("y.cpython-311-x86_64-linux-gnu"),
            ],
            &["L023"],
        ),
        (&["--runtime=python3.11"], vec![new_glibc()], &["L024"]),
        (&["--deep"], vec![newest_glibc], &["L024"]),
        (&[], vec![one("a/b"), one("a")], &["S001"]),
        (&[], vec![one("a"), one("a/b")], &["S001"]),
        (&["--each"], vec![one("a"), one("a/b")], &[]),
        (&[], vec![one("a"), RawZip::new().file("a", b"other")], &["S002"]),
        (&[], vec![one("a"), one("a")], &[]),
        (&[], vec![one("d/Name").file("d/name", b"")], &["S003"]),
    ]
}

#[test]
fn each_scene_has_its_findings_and_each_code_its_scene() {
    let mut seen = BTreeSet::new();
    for (number, (args, zips, codes)) in scenes().into_iter().enumerate() {
        let expected: BTreeSet<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        assert_eq!(Scene::of(&zips).codes(args), expected, "scene {number}: {args:?}");
        seen.extend(expected);
    }
    let all: BTreeSet<String> = check::rules().map(|rule| rule.code.to_owned()).collect();
    assert_eq!(seen, all);
}

/// `docs/findings.md` says of every code what `--explain` says.
#[test]
fn the_page_of_findings_is_that_of_the_codes() {
    let page = include_str!("../../docs/findings.md");
    let sections: Vec<String> = check::rules()
        .map(|rule| {
            let (code, slug, severity) = (rule.code, rule.slug, rule.severity.word());
            format!(
                "### {code} {slug} ({severity})\n\n{}. {}\n\nCure: {}\n",
                capital(rule.title),
                rule.why,
                rule.cure
            )
        })
        .collect();
    if let Some(missing) = sections.iter().find(|section| !page.contains(*section)) {
        panic!(
            "docs/findings.md has no\n{missing}\nall of them:\n{}",
            sections.join("\n")
        );
    }
    assert_eq!(page.matches("\n### ").count(), sections.len());
}

fn capital(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_uppercase() + rest
}

#[test]
fn findings_are_told_by_archive_with_place_reason_and_cure() {
    let bad = RawZip::new()
        .file("bin/tool", b"x")
        .file("a", b"1")
        .file("a", b"2");
    let scene = Scene::of(&[bad, RawZip::new().file("a", b"3")]);
    let answer = scene.check(&[]);
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(1), ""));
    assert_eq!(
        answer.stdout,
        "\
0.zip

  error Z011 duplicate-name
    one archive has several entries of one name
    - a: hidden by a later entry: 1 byte, crc 83dcefb7
    why   Tools disagree which of them counts; AWS does not say. optfs takes the
          last in the directory, as unzip does.
    cure  Build the zip anew instead of adding to it: `rm layer.zip` first.

  warning L014 bin-not-executable
    a file in bin/ that not everybody may execute
    - bin/tool: mode 0644
    why   /opt/bin is on the PATH; without the bit the program is \"permission
          denied\".
    cure  `chmod o+rx bin/*` before zipping, on a system that keeps modes.

1.zip

  note S002 replaced-content
    a layer replaces files of an earlier one by others
    - 1 file of 0.zip replaced by other content, such as a
    why   The last layer wins: of two versions of a package only one is seen, or
          a mixture of both.
    cure  If it is not meant, change the order or leave the package out of one
          layer; `optfs which PATH` tells who wins.

2 zips, 4 entries: 1 error, 1 warning, 1 note
"
    );
}

#[test]
fn what_is_found_often_is_folded() {
    let zip = (0..9).fold(RawZip::new(), |zip, number| {
        zip.file(format!("f{number}"), b"").mode(0o600)
    });
    let scene = Scene::of(&[zip]);
    let folded = scene.check(&[]).stdout;
    assert_eq!(folded.matches("    - ").count(), 3, "{folded}");
    assert!(folded.contains("    and 6 more; --all lists them\n"), "{folded}");
    let all = scene.check(&["--all"]).stdout;
    assert_eq!(all.matches("    - ").count(), 9, "{all}");
    assert_eq!(scene.findings(&[]).len(), 9);
}

#[test]
fn what_fails_is_denied_by_code_slug_or_severity() {
    // An error, a warning and a note.
    let zip = one("a").mode(0o600).file("bin/x", b"").symlink("l", "/opt/a");
    let scene = Scene::of(&[zip]);
    for (args, code) in [
        (&[][..], 1),
        (&["--allow=L004"], 0),
        (&["--allow=file-not-readable"], 0),
        (&["--allow=error"], 0),
        (&["--allow=error", "--deny=warning"], 1),
        (&["--allow=error", "--deny=Z041"], 1),
        (&["--allow=error", "--deny=Z023"], 0),
        (&["--allow=L004", "--deny=note"], 1),
        (&["--deny=L004", "--allow=L004"], 2),
        (&["--deny=L999"], 2),
        (&["--deny"], 2),
        (&["--arch=mips"], 2),
        (&["--runtime=python99"], 2),
    ] {
        assert_eq!(scene.check(args).code, Some(code), "{args:?}");
    }
    let allowed = scene.check(&["--allow=L004", "--allow=warning"]).stdout;
    assert!(
        !allowed.contains("L004") && !allowed.contains("L014"),
        "{allowed}"
    );
    assert!(
        allowed.ends_with("1 zip, 3 entries: 1 note; 2 allowed\n"),
        "{allowed}"
    );
}

#[test]
fn an_archive_that_cannot_be_opened_does_not_keep_the_others_away() {
    let scene = Scene::of(&[one("a"), RawZip::new().file("b", b"").mode(0o600)]);
    fs::write(scene.scratch.path().join("bad.zip"), "no zip").unwrap();
    let answer = scene.check(&["bad.zip"]);
    assert_eq!(answer.code, Some(3), "{answer:?}");
    assert!(
        answer.stderr.starts_with("optfs: bad.zip: not a zip: "),
        "{answer:?}"
    );
    assert!(answer.stdout.contains("L004 file-not-readable"), "{answer:?}");
    assert!(
        answer.stdout.ends_with("1 error; 1 cannot be opened\n"),
        "{answer:?}"
    );
    let json = scene.check(&["--json", "bad.zip"]);
    let object: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(object["unusable"][0]["position"], 1);
    // Places count the archive that is missing.
    assert_eq!(
        (
            &object["findings"][0]["position"],
            &object["findings"][0]["layer"]
        ),
        (&3.into(), &"1.zip".into())
    );
    assert_eq!((json.code, object["passed"].as_bool()), (Some(3), Some(false)));
}

#[test]
fn names_from_archives_never_reach_the_reader_raw() {
    let scene = Scene::of(&[one("bin/\x1b[2J\u{202e}x").file("../\x1b[1m", b"")]);
    for args in [&[][..], &["--json"], &["--sarif"]] {
        let answer = scene.check(args);
        assert!(!answer.stdout.contains('\x1b'), "{answer:?}");
    }
}

#[test]
fn codes_are_listed_and_explained_without_layers() {
    let listed = output(optfs().args(["check", "--list-codes"]));
    assert_eq!(listed.lines().count(), check::rules().count());
    assert!(listed.starts_with("Z001  error    no-local-header "), "{listed}");
    let explained = output(optfs().args(["check", "--explain", "l004", "--explain", "duplicate-name"]));
    assert!(
        explained.starts_with("error L004 file-not-readable\n"),
        "{explained}"
    );
    assert!(explained.contains("\nerror Z011 duplicate-name\n"), "{explained}");
    let json = output(optfs().args(["check", "--explain", "L004", "--json"]));
    let object: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(object["rules"][0]["slug"], "file-not-readable");
    let unknown = answer(optfs().args(["check", "--explain", "nothing"]));
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
}

/// The fields that SARIF 2.1.0 requires, and the values it knows.
#[test]
fn a_sarif_log_has_what_the_standard_asks_for() {
    let zip = one("bin/tool").file("../x", b"").append("garbage");
    let scene = Scene::of(&[zip, one("bin/tool/below")]);
    let answer = scene.check(&["--sarif=log.sarif"]);
    assert!(
        answer.stdout.contains("Z020"),
        "the text is there too: {answer:?}"
    );
    let file = fs::read_to_string(scene.scratch.path().join("log.sarif")).unwrap();
    assert_eq!(scene.check(&["--sarif"]).stdout, file);
    let log: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "optfs");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), check::rules().count());
    let results = run["results"].as_array().unwrap();
    assert!(results.len() >= 4, "{results:?}");
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note"].contains(&text(result, "level").as_str()));
        assert!(!text(&result["message"], "text").is_empty());
        let artifact = &result["locations"][0]["physicalLocation"]["artifactLocation"];
        assert!(["0.zip", "1.zip"].contains(&text(artifact, "uri").as_str()));
    }
}

/// What is found in real layers is true: numpy and boto3 are there twice, five layers are too large together,
/// and the wheels of pyarrow and pillow ask for a newer system than that of python3.11.
#[test]
fn findings_in_real_layers_are_right() {
    let published = output(
        optfs()
            .args(["check", "--deep"])
            .args(layers(&["awscli", "kubectl"])),
    );
    assert!(published.ends_with(": nothing found\n"), "{published}");
    let codes = |args: &[&str], names: &[&str]| {
        let json = answer(optfs().args(["check", "--json"]).args(args).args(layers(names))).stdout;
        let object: Value = serde_json::from_str(&json).unwrap();
        let findings = object["findings"].as_array().unwrap();
        findings
            .iter()
            .map(|finding| text(finding, "code"))
            .collect::<BTreeSet<_>>()
    };
    let of = |codes: &[&str]| {
        codes
            .iter()
            .map(|code| (*code).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        codes(&["--deep"], &["proxy-agent-v5", "proxy-agent-v6"]),
        of(&["S002"])
    );
    let python = ["python-1", "python-2", "python-3", "python-4", "python-5"];
    assert_eq!(
        codes(&["--runtime=python3.12", "--allow=L022"], &python),
        of(&["L002", "L003", "S002"])
    );
    assert_eq!(
        codes(
            &["--runtime=python3.8", "--allow=L022", "--allow=L003", "--each"],
            &python[2..4]
        ),
        of(&["L024"])
    );
    // The host's own Python and processor are those that the wheels were fetched for.
    let arch = if cfg!(target_arch = "x86_64") {
        ["arm64", "x86_64"]
    } else {
        ["x86_64", "arm64"]
    };
    assert_eq!(
        codes(&["--each", "--arch", arch[0]], &python[1..2]),
        of(&["L020"])
    );
    assert_eq!(codes(&["--each", "--arch", arch[1]], &python[1..2]), of(&[]));
}

/// A wheel for arm64 in a stack for x86_64, and told from each other without being told which is right.
#[test]
fn a_wheel_of_the_other_architecture_is_seen() {
    let speedups = "python/markupsafe/_speedups.cpython-312-aarch64-linux-gnu.so";
    let stack = layers(&["kubectl", "python-arm64"]);
    for (args, code) in [(&[][..], "L021"), (&["--arch=x86_64"], "L020")] {
        let told = answer(optfs().args(["check", "--json"]).args(args).args(&stack));
        let object: Value = serde_json::from_str(&told.stdout).unwrap();
        let findings: Vec<_> = object["findings"].as_array().unwrap().iter().collect();
        let about = |code: &str| findings.iter().filter(|one| one["code"] == code).count();
        let seen = findings
            .iter()
            .any(|one| one["code"] == code && one["entry"] == speedups);
        assert!(seen, "{told:?}");
        // The two programs of kubectl are for x86_64.
        assert_eq!((about(code), findings.len()), (1, 1), "{told:?}");
    }
    let other_python = answer(optfs().args(["check", "--runtime=python3.11"]).args(&stack));
    assert!(other_python.stdout.contains("L022"), "{other_python:?}");
}

/// Whatever byte is bent and wherever the file ends: findings or an error, no panic.
#[test]
fn no_bent_byte_breaks_the_check() {
    let whole = RawZip::new()
        .file("python/x.so", elf::library(X86_64, &["GLIBC_2.28"]))
        .deflate()
        .descriptor()
        .symlink("l", "python/x.so")
        .file("bin/wide", b"wide")
        .zip64()
        .dir("d/")
        .zip64_end()
        .comment("comment")
        .build();
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().join("bent.zip");
    let ask = |bytes: &[u8]| look_at_everything(&path, bytes);
    for at in 0..whole.len() {
        for bend in [|_| 0, |_| 0xff, |byte| byte ^ 1, |byte: u8| byte.wrapping_add(2)] {
            let mut bent = whole.clone();
            bent[at] = bend(bent[at]);
            ask(&bent);
        }
        ask(&whole[..at]);
        ask(&whole[at..]);
    }
}

fn look_at_everything(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    let Ok(archive) = Archive::open(path) else { return };
    let stack = Stack::merge(vec![archive]).unwrap();
    let options = Options {
        deep: true,
        ..Options::default()
    };
    // An error is an answer too.
    check::check(&stack, &options, &()).ok();
}
