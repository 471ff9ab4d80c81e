//! The numbers of a whole stack, and of one path for scripts.

use std::fs;

use serde_json::json;

use crate::look::{MTIME, Scene};
use crate::support::raw_zip::RawZip;

/// The numbers are those that one can count: hidden is what was packed for nothing.
#[test]
fn stat_counts_the_whole_stack() {
    let scene = Scene::new();
    let zipped = |layer: &str| {
        let path = scene.scratch.path().join(layer);
        fs::metadata(path).expect("a layer").len()
    };
    let [base, middle, top] = ["base.zip", "middle.zip", "top.zip"].map(zipped);
    let kib = |bytes: u64| format!("{:.1} KiB", bytes as f64 / 1024.0);
    // Hidden: one, two and more, buried, same, same; seen of files and links: 3000000 + 6 + 10 + 4 + 35.
    // Of bin/tool the smallest is 4 of 23 bytes, of lib/same.txt 4 of 12, of etc/deep/conf 0 of 6.
    let wasted = 23 + 12 + 6;
    assert_eq!(
        scene.says(&["stat"]),
        format!(
            "layer  entries      zipped    unzipped        seen  share  name
    1        5  {:>10}     2.9 MiB     2.9 MiB  100 %  base.zip
    2        6  {:>10}        52 B        35 B    0 %  middle.zip
    3        3  {:>10}        20 B        20 B    0 %  top.zip

merged      4 files, 2 directories, 4 symlinks; 2.9 MiB
hidden      5 names; 31 B unzipped, 31 B zipped
efficiency  100.0 %
wasted      {wasted} B, of 3 paths packed more than once or buried

Lambda's limits              used       limit  left
layers                          3           5  2
all layers unzipped       2.9 MiB   250.0 MiB  247.1 MiB
largest zip, uploaded  {:>10}    50.0 MiB  50.0 MiB

      size  share  largest directories
   2.9 MiB  100 %  /opt/  (itself)
       6 B    0 %  bin/
       4 B    0 %  lib/

      size  share  largest files
   2.9 MiB  100 %  large  [base.zip]
      10 B    0 %  etc  [top.zip]
       6 B    0 %  bin/tool  [top.zip]
       4 B    0 %  lib/same.txt  [top.zip]
",
            kib(base),
            format!("{middle} B"),
            format!("{top} B"),
            kib(base)
        )
    );
}

#[test]
fn stat_json_gives_the_exact_numbers() {
    let scene = Scene::new();
    let answer = scene.objects(&["stat", "--json"]).remove(0);
    let seen = 3_000_000 + 6 + 10 + 4 + 35;
    let hidden = 4 + 13 + 6 + 4 + 4;
    let smallest = seen - 6 + 4;
    assert_eq!(answer["merged"]["size"], seen);
    assert_eq!(answer["merged"]["symlinks"], 4);
    let wasted = &answer["wasted"];
    assert_eq!((&wasted["paths"], &wasted["size"]), (&json!(3), &json!(41)));
    let percent = 4_100.0 / f64::from(seen + hidden);
    assert!(
        (wasted["percent"].as_f64().expect("a number") - percent).abs() < 1e-9,
        "{wasted}"
    );
    let efficiency = f64::from(smallest) / f64::from(seen + hidden);
    assert!(
        (answer["efficiency"].as_f64().expect("a number") - efficiency).abs() < 1e-9,
        "{answer}"
    );
    assert_eq!(
        answer["limits"][1],
        json!({
            "name": "unzipped", "limit": 262_144_000, "used": seen + hidden,
            "left": 262_144_000 - seen - hidden
        })
    );
    let top = &answer["layers"][2];
    assert_eq!(
        (&top["layer"], &top["seen"]["size"]),
        (&json!("top.zip"), &json!(20))
    );
    assert_eq!(answer["hidden"]["differing"]["size"], 17);
    assert_eq!(answer["files"][0]["path"], "large");
}

/// Five layers are allowed, and 262,144,000 bytes: what is too much is said.
#[test]
fn stat_says_how_much_is_too_much_for_lambda() {
    let layer = |name: &str| RawZip::new().file(name, b"x").declared_size(60_000_000);
    let names = ["1.zip", "2.zip", "3.zip", "4.zip", "5.zip", "6.zip"];
    let layers = names.map(|name| (name, layer(name)));
    let scene = Scene::of(&layers);
    let text = scene.says(&["stat"]);
    assert!(
        text.contains("layers                          6           5  1 over\n"),
        "{text}"
    );
    assert!(
        text.contains("all layers unzipped     343.3 MiB   250.0 MiB  93.3 MiB over\n"),
        "{text}"
    );
    let answer = scene.objects(&["stat", "--json"]).remove(0);
    assert_eq!(answer["limits"][1]["left"], 262_144_000 - 360_000_000);
}

#[test]
fn stat_of_an_empty_stack_is_all_zeros() {
    let scene = Scene::of(&[("empty.zip", RawZip::new())]);
    let text = scene.says(&["stat"]);
    assert!(text.contains("efficiency  100.0 %\n"), "{text}");
    assert!(!text.contains("NaN") && !text.contains("largest files"), "{text}");
}

#[test]
fn stat_json_of_a_path() {
    let scene = Scene::new();
    let objects = scene.objects(&["stat", "--json", "bin/tool", "lib", "lib64"]);
    assert_eq!(
        objects[0],
        json!({
            "version": 1, "question": "stat", "path": "bin/tool", "type": "file", "mode": "0750", "size": 6,
            "mtime": MTIME, "mtime_nanoseconds": 0, "inode": 10, "links": 1, "layer": "top.zip", "position": 3,
            "method": "stored", "encrypted": false, "compressed_size": 6,
            "crc32": format!("{:08x}", crc32fast::hash(b"three\n")),
        })
    );
    assert_eq!(
        (&objects[1]["type"], &objects[1]["has_entry"]),
        (&json!("directory"), &json!(false))
    );
    assert_eq!(objects[2]["target"], "lib");
}
