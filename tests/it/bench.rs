//! `optfs bench`: its numbers fit together, its failures are told, and nothing stays behind. Nothing here is about speed.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::command::{answer, optfs, output};
use crate::support::place::Place;
use crate::support::raw_zip::RawZip;
use crate::support::until::until;

/// Two layers: 5 names below the root, 3 of them files, 11 bytes in them.
fn place() -> Place {
    let bottom = RawZip::new()
        .dir("bin/")
        .mode(0o555)
        .file("bin/a", b"hidden, and longer")
        .file("c", b"12345");
    let top = RawZip::new()
        .file("bin/a", b"abcd")
        .deflate()
        .file("lib/b", b"xy");
    Place::new(&[bottom, top])
}

/// `optfs bench` of a place, one round unless said otherwise, the machine's caches left alone; on disk in the place's own `disk`.
fn bench(place: &Place, options: &[&str]) -> Command {
    let mut bench = optfs();
    bench
        .args(["--quiet", "bench", "--keep-caches", "--dir"])
        .arg(place.scratch().join("disk"));
    for layer in place.layers() {
        bench.arg("--layer").arg(layer);
    }
    if !options.iter().any(|option| option.starts_with("--runs")) {
        bench.arg("--runs=1");
    }
    bench.arg("--at").arg(place.opt()).args(options);
    bench
}

#[track_caller]
fn nothing_is_left(place: &Place) {
    let disk = place.scratch().join("disk");
    let left: Vec<_> = fs::read_dir(&disk).into_iter().flatten().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!place.is_mounted());
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn the_numbers_fit_together() {
    let place = place();
    let said = output(&mut bench(&place, &["--json", "--runs=3"]));
    let said: Value = serde_json::from_str(&said).expect("JSON and nothing else");
    assert_eq!(said["format"], "optfs bench");
    assert_eq!((&said["version"], &said["rounds"]), (&1.into(), &3.into()));
    // The root, bin, bin/a, lib, lib/b, c.
    assert_eq!(
        said["present"],
        serde_json::json!({ "nodes": 6, "files": 3, "bytes": 11 })
    );
    assert_eq!(said["layers"].as_array().map(Vec::len), Some(2));
    for side in ["extracted", "mounted"] {
        let measures = said[side].as_object().expect("an object for each way");
        for key in [
            "ready_s",
            "first_result_s",
            "command_cold_s",
            "command_warm_s",
            "walk_cold_us_per_node",
            "walk_warm_us_per_node",
            "read_cold_us_per_file",
            "read_warm_us_per_file",
            "read_cold_mb_per_s",
            "read_warm_mb_per_s",
            "touched_bytes",
        ] {
            assert!(measures.contains_key(key), "{side}: {key}");
        }
        for (key, measure) in measures {
            let rounds: Vec<f64> = measure["rounds"].as_array().unwrap().iter().map(number).collect();
            assert_eq!(rounds.len(), 3, "{side}: {key}");
            let (min, median, max) = (&measure["min"], &measure["median"], &measure["max"]);
            assert!(number(min) > 0.0, "{side}: {key}: {measure}");
            assert!(
                number(min) <= number(median) && number(median) <= number(max),
                "{side}: {key}: {measure}"
            );
            assert!(
                rounds.contains(&number(median)),
                "of three, the median is one: {side}: {key}: {measure}"
            );
        }
        assert!(number(&measures["first_result_s"]["min"]) > number(&measures["ready_s"]["min"]));
    }
    // Everything was read, and nothing else is there.
    assert_eq!(number(&said["mounted"]["touched_bytes"]["median"]), 11.0);
    assert!(number(&said["mounted"]["peak_memory_bytes"]["median"]) > 1e6);
    nothing_is_left(&place);
}

#[test]
fn only_what_the_command_reads_is_touched() {
    let place = place();
    let cat = format!("cat {}", place.path("lib/b").display());
    let said = output(&mut bench(&place, &["--json", "--", "sh", "-c", &cat]));
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["command"], serde_json::json!(["sh", "-c", cat]));
    assert_eq!(number(&said["mounted"]["touched_bytes"]["median"]), 2.0);
    assert_eq!(number(&said["extracted"]["touched_bytes"]["median"]), 11.0);
}

#[test]
fn both_ways_show_the_command_the_same_place_and_search_paths() {
    let place = place();
    let log = place.scratch().join("seen");
    let note = format!(
        "find {0} -type f | sort >> {1}; echo $PYTHONPATH >> {1}; grep -c ' {0} fuse.optfs ' /proc/mounts >> {1}; true",
        place.opt().display(),
        log.display()
    );
    output(&mut bench(
        &place,
        &["--runtime=python3.12", "--", "sh", "-c", &note],
    ));
    let seen = fs::read_to_string(&log).unwrap();
    let opt = place.opt().display();
    let tree = format!(
        "{opt}/bin/a\n{opt}/c\n{opt}/lib/b\n{opt}/python/lib/python3.12/site-packages:{opt}/python\n"
    );
    // One first run and two more, without a mount of ours and with one.
    assert_eq!(
        seen,
        format!("{tree}0\n").repeat(3) + &format!("{tree}1\n").repeat(3)
    );
}

#[test]
fn a_command_that_fails_is_told_and_nothing_is_left() {
    let place = place();
    let said = answer(&mut bench(
        &place,
        &["--", "sh", "-c", "echo so it goes >&2; exit 3"],
    ));
    assert_eq!((said.code, said.stdout.as_str()), (Some(6), ""));
    assert!(
        said.stderr
            .contains("the command ended with status 3, with the layers extracted"),
        "{said:?}"
    );
    assert!(said.stderr.contains("it said: so it goes"), "{said:?}");
    nothing_is_left(&place);
    let said = answer(&mut bench(&place, &["--", "no-such-command"]));
    assert_eq!(said.code, Some(6), "{said:?}");
    assert!(
        said.stderr.contains("the command could not be started"),
        "{said:?}"
    );
    nothing_is_left(&place);
}

#[test]
fn a_stack_that_cannot_be_extracted_is_told() {
    let place = Place::new(&[RawZip::new().file("bad", b"bytes").crc(1)]);
    let said = answer(&mut bench(&place, &[]));
    assert_eq!(said.code, Some(6), "{said:?}");
    assert!(said.stderr.contains("extracting the stack: "), "{said:?}");
    assert!(said.stderr.contains("crc"), "{said:?}");
    nothing_is_left(&place);
}

#[test]
fn the_page_has_the_numbers_and_is_safe_to_show() {
    let place = place();
    let odd = place.scratch().join("<odd>\u{1b}[2J.zip");
    fs::copy(&place.layers()[1], &odd).unwrap();
    let page = place.scratch().join("page.html");
    let mut command = bench(&place, &["--json", "--html"]);
    let said = output(command.arg(&page).arg("--layer").arg(&odd));
    let said: Value = serde_json::from_str(&said).unwrap();
    let page = fs::read_to_string(&page).unwrap();
    let median = number(&said["mounted"]["ready_s"]["median"]);
    let shown = match median < 0.1 {
        true => format!("{:.1} ms", median * 1e3),
        false => format!("{median:.2} s"),
    };
    assert!(page.contains(&shown), "{shown}: {page}");
    assert!(page.contains("&lt;odd&gt;\\u{1b}[2J.zip"), "{page}");
    assert!(!page.chars().any(|c| c.is_control() && c != '\n'), "{page}");
    for outside in ["http", "src=", "url(", "<script"] {
        assert!(!page.contains(outside), "{outside}: {page}");
    }
}

#[test]
fn an_interrupted_bench_cleans_up() {
    let place = place();
    let (sign, marker) = (place.scratch().join("sign"), place.scratch().join("ended"));
    let wait = format!("touch {}; sleep 60; touch {}", sign.display(), marker.display());
    for runs_before in [0, 3] {
        // The first run sees the tree extracted, the fourth mounted.
        let count = place.scratch().join("count");
        fs::write(&count, "").unwrap();
        fs::remove_file(&sign).ok();
        let script = format!(
            "echo >> {0}; test $(wc -l < {0}) -le {runs_before} || {{ {wait}; }}",
            count.display()
        );
        let child = bench(&place, &["--", "sh", "-c", &script])
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        until("the command runs", || sign.exists());
        kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
        let said = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&said.stderr);
        assert_eq!(
            (said.status.code(), &*stderr),
            (Some(130), "optfs: interrupted; everything is cleaned up\n")
        );
        assert!(!marker.exists());
        nothing_is_left(&place);
    }
}

#[test]
fn a_directory_that_cannot_be_used_is_told() {
    let place = place();
    let file = place.scratch().join("file");
    fs::write(&file, "").unwrap();
    let mut command = optfs();
    command
        .arg("bench")
        .arg("--dir")
        .arg(&file)
        .arg("--layer")
        .arg(&place.layers()[0]);
    let said = answer(command.arg("--at").arg(place.opt()));
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(
        said.stderr.contains("name another directory with --dir"),
        "{said:?}"
    );
}
