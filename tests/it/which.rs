//! Who provides a path and why, what that hides, and where links lead.

use serde_json::{Value, json};

use crate::look::{MTIME, Scene};
use crate::support::raw_zip::RawZip;

const TIME: &str = "2024-05-06 07:08:09";

fn crc(bytes: &[u8]) -> String {
    format!("{:08x}", crc32fast::hash(bytes))
}

#[test]
fn which_names_the_provider_and_what_it_hides_topmost_first() {
    let scene = Scene::new();
    let (one, two, three) = (crc(b"one\n"), crc(b"two and more\n"), crc(b"three\n"));
    assert_eq!(
        scene.says(&["which", "/opt/bin/tool"]),
        format!(
            "bin/tool
  seen        top.zip (layer 3)      6 B  crc {three}  {TIME}
  why         the last of 3 layers that have it
  differs     middle.zip (layer 2)  13 B  crc {two}  {TIME}
  differs     base.zip (layer 1)     4 B  crc {one}  {TIME}  hidden by middle.zip
"
        )
    );
}

#[test]
fn which_says_when_nothing_was_lost_and_when_nothing_was_hidden() {
    let scene = Scene::new();
    let (same, large) = (crc(b"same"), scene.objects(&["which", "--json", "large"]));
    let large = large[0]["seen"]["crc32"].as_str().expect("a file has one");
    assert_eq!(
        scene.says(&["which", "lib/same.txt", "large"]),
        format!(
            "lib/same.txt
  seen        top.zip (layer 3)     4 B  crc {same}  {TIME}
  why         the last of 3 layers that have it
  identical   middle.zip (layer 2)  4 B  crc {same}  {TIME}
  identical   base.zip (layer 1)    4 B  crc {same}  {TIME}  hidden by middle.zip
large
  seen        base.zip (layer 1)  2.9 MiB  crc {large}  {TIME}
  why         the only layer that has it
"
        )
    );
}

#[test]
fn which_finds_what_is_buried_and_says_so_where_it_lies() {
    let scene = Scene::new();
    let answer = scene.ask(&["which", "etc/deep/conf", "etc", "nope"]);
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(1), ""));
    let (buried, file) = (crc(b"buried"), crc(b"a file now"));
    assert_eq!(
        answer.stdout,
        format!(
            "etc/deep/conf
  no layer provides it
  buried      base.zip (layer 1)  6 B  crc {buried}  {TIME}  top.zip has etc, no directory
etc
  seen        top.zip (layer 3)  10 B  crc {file}  {TIME}
  why         the last of 2 layers that have it
  buried      base.zip (layer 1)  a directory: 1 name below, 6 B
nope
  no layer provides it
"
        )
    );
}

/// What took a directory's place may itself be gone: the layer that hid the file is named with what it had.
#[test]
fn which_names_what_buried_a_file_even_when_that_is_buried_too() {
    let scene = Scene::of(&[
        ("1.zip", RawZip::new().file("a/b/c", b"x")),
        ("2.zip", RawZip::new().file("a/b", b"xx")),
        ("3.zip", RawZip::new().file("a", b"xxx")),
    ]);
    let hidden = |path| {
        let answer = scene.objects(&["which", "--json", path]).remove(0);
        let hidden = &answer["hidden"][0];
        [&hidden["hidden_by"]["layer"], &hidden["buried_under"]].map(Value::clone)
    };
    assert_eq!(hidden("a/b/c"), [json!("2.zip"), json!("a/b")]);
    assert_eq!(hidden("a/b"), [json!("3.zip"), json!("a")]);
}

#[test]
fn which_tells_a_name_that_an_archive_has_twice() {
    let twice = RawZip::new()
        .file("f", b"first")
        .file("f", b"second")
        .file("g", b"1")
        .file("g", b"2");
    let scene = Scene::of(&[("below.zip", RawZip::new().file("g", b"0")), ("twice.zip", twice)]);
    let text = scene.says(&["which", "f", "g"]);
    let why: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("  why         "))
        .collect();
    assert_eq!(
        why,
        [
            "the only layer that has it; the last 2 of its entries of that name counts",
            "the last of 2 layers that have it; the last 2 of its entries of that name counts"
        ]
    );
    let objects = scene.objects(&["which", "--json", "f", "g"]);
    let why = |i: usize| ["why", "of_layers", "of_entries"].map(|field| objects[i]["seen"][field].clone());
    assert_eq!(why(0), [json!("later_entry"), json!(1), json!(2)]);
    assert_eq!(why(1), [json!("last_layer"), json!(2), json!(2)]);
}

#[test]
fn which_compares_things_of_one_kind_only() {
    let scene = Scene::of(&[
        ("1.zip", RawZip::new().file("x", b"y").dir("d/")),
        ("2.zip", RawZip::new().symlink("x", "y").symlink("d", "y")),
        ("3.zip", RawZip::new().symlink("x", "y")),
    ]);
    let text = scene.says(&["which", "x", "d"]);
    let relations: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split("  ").next())
        .collect();
    assert_eq!(
        relations,
        [
            "seen",
            "why",
            "identical",
            "other kind",
            "link",
            "leads to",
            "seen",
            "why",
            "other kind",
            "link",
            "leads to"
        ]
    );
}

#[test]
fn which_says_what_each_layer_has_in_a_directory() {
    let scene = Scene::new();
    assert_eq!(
        scene.says(&["which", "bin", "/opt"]),
        "bin
  seen        a directory of 3 layers
  why         directories are merged; mode and time are of base.zip
  layer       base.zip (layer 1)         0 files         0 B  hidden: 1, 4 B
  layer       middle.zip (layer 2)       0 files         0 B  hidden: 1, 13 B
  layer       top.zip (layer 3)           1 file         6 B
/opt
  seen        a directory of 3 layers
  why         directories are merged; none has an entry, base.zip is the first to need it
  layer       base.zip (layer 1)          1 file     2.9 MiB  hidden: 3, 14 B
  layer       middle.zip (layer 2)       4 files        35 B  hidden: 2, 17 B
  layer       top.zip (layer 3)          3 files        20 B
"
    );
}

/// Four links, one of them on the way, through two layers.
fn chained() -> Scene {
    let below = RawZip::new()
        .file("real/tool", b"#!")
        .mtime(MTIME)
        .symlink("current", "real")
        .mtime(MTIME)
        .symlink("bin/t", "/opt/current/tool")
        .mtime(MTIME)
        .symlink("gone", "current/../nowhere/x")
        .mtime(MTIME);
    let above = RawZip::new()
        .symlink("t", "bin/t")
        .mtime(MTIME)
        .symlink("a", "b")
        .symlink("b", "a")
        .symlink("up", "/usr/bin/env")
        .symlink("under", "real/tool/x")
        .symlink("root", "/opt");
    Scene::of(&[("below.zip", below), ("above.zip", above)])
}

#[test]
fn which_goes_through_links_step_by_step() {
    let scene = chained();
    let tool = crc(b"#!");
    assert_eq!(
        scene.says(&["which", "t", "current/tool"]),
        format!(
            "t
  seen        above.zip (layer 2)  symlink  {TIME}
  why         the only layer that has it
  link        t -> bin/t  [above.zip]
  link        bin/t -> /opt/current/tool  [below.zip]
  link        current -> real  [below.zip]
  leads to    real/tool, a file of below.zip (layer 1)
current/tool
  link        current -> real  [below.zip]
  leads to    real/tool
  seen        below.zip (layer 1)  2 B  crc {tool}  {TIME}
  why         the only layer that has it
"
        )
    );
}

#[test]
fn which_says_where_a_chain_ends_that_leads_to_nothing() {
    let scene = chained();
    let end = |path: &str| {
        let text = scene.says(&["which", path]);
        let line = text.lines().last().expect("lines");
        line.strip_prefix("  leads to    ").expect("the end").to_owned()
    };
    assert_eq!(end("gone"), "nothing: there is no nowhere/x");
    assert_eq!(end("a"), "nothing: too many links, they go round in a loop");
    assert_eq!(end("up"), "/usr/bin/env, outside of /opt");
    assert_eq!(end("under"), "nothing: real/tool/x has a file for a directory");
    assert_eq!(end("root"), "/opt, a directory");
    // A loop is shown once round.
    let text = scene.says(&["which", "a"]);
    assert!(
        text.contains("  link        a -> b  [above.zip]\n  link        b -> a  [above.zip]\n  leads to"),
        "{text}"
    );
    // On the way, the answer is no.
    let answer = scene.ask(&["which", "gone/deeper", "a/x", "up/x"]);
    assert_eq!(answer.code, Some(1));
    let ends: Vec<_> = answer
        .stdout
        .lines()
        .filter(|line| line.contains("leads to"))
        .collect();
    assert_eq!(
        ends,
        [
            "  leads to    nothing: there is no nowhere/x/deeper",
            "  leads to    nothing: too many links, they go round in a loop",
            "  leads to    /usr/bin/env, outside of /opt"
        ]
    );
}

/// The kernel follows 40 links, not 41.
#[test]
fn which_follows_forty_links() {
    let mut zip = RawZip::new().file("l00", b"end");
    for link in 1..=41 {
        zip = zip.symlink(format!("l{link:02}"), format!("l{:02}", link - 1));
    }
    let scene = Scene::of(&[("links.zip", zip)]);
    let objects = scene.objects(&["which", "--json", "l40", "l41"]);
    let links = |i: usize| objects[i]["links"].as_array().map(Vec::len);
    assert_eq!(
        (links(0), &objects[0]["leads_to"]["path"]),
        (Some(40), &json!("l00"))
    );
    assert_eq!(
        (links(1), &objects[1]["leads_to"]["problem"]),
        (Some(40), &json!("loop"))
    );
}

#[test]
fn which_of_a_link_that_cannot_be_read_says_why() {
    let scene = Scene::of(&[("bad.zip", RawZip::new().symlink("x", "target").crc(1))]);
    let text = scene.says(&["which", "x"]);
    let end = text.lines().last().expect("lines");
    assert!(end.contains("cannot be read") && end.contains("crc"), "{text}");
}

#[test]
fn which_answers_the_other_paths_when_one_is_impossible() {
    let scene = Scene::new();
    let answer = scene.ask(&["which", "../x", "large"]);
    assert_eq!(answer.code, Some(2));
    assert!(
        answer
            .stdout
            .starts_with("large\n  seen        base.zip (layer 1)"),
        "{answer:?}"
    );
    assert_eq!(
        answer.stderr,
        "optfs: ../x: the name has a '..' part\n  \
         hint: name a path as it stands in the tree, with or without /opt in front\n"
    );
}

#[test]
fn which_json_is_one_object_a_line() {
    let scene = Scene::new();
    let objects = scene.objects(&[
        "which",
        "--json",
        "bin/tool",
        "etc/deep/conf",
        "bin",
        "nope",
        "lib64/same.txt",
    ]);
    let [tool, buried, directory, nope, linked] = objects.as_slice() else {
        panic!("five answers, found {objects:?}");
    };
    let entry = |layer: &str, position: u32, bytes: &[u8]| {
        json!({
            "layer": layer, "position": position, "type": "file", "mtime": MTIME, "size": bytes.len(),
            "crc32": crc(bytes),
        })
    };
    let mut expected = json!({
        "version": 1, "question": "which", "path": "bin/tool", "real_path": "bin/tool",
        "seen": entry("top.zip", 3, b"three\n"),
        "hidden": [entry("middle.zip", 2, b"two and more\n"), entry("base.zip", 1, b"one\n")],
        "buried": [], "links": [], "leads_to": null,
    });
    for (field, value) in [
        ("why", json!("last_layer")),
        ("of_layers", json!(3)),
        ("of_entries", json!(1)),
    ] {
        expected["seen"][field] = value;
    }
    for (hidden, by) in [(0, ("top.zip", 3)), (1, ("middle.zip", 2))] {
        expected["hidden"][hidden]["identical"] = json!(false);
        expected["hidden"][hidden]["hidden_by"] = json!({ "layer": by.0, "position": by.1 });
    }
    assert_eq!(*tool, expected);
    assert_eq!(
        (
            &buried["seen"],
            &buried["hidden"][0]["buried_under"],
            &buried["real_path"]
        ),
        (&Value::Null, &"etc".into(), &Value::Null)
    );
    let nothing = json!({ "entries": 0, "size": 0, "compressed_size": 0 });
    let hidden = json!({ "entries": 1, "size": 4, "compressed_size": 4 });
    assert_eq!(
        directory["seen"]["layers"],
        json!([
            { "layer": "base.zip", "position": 1, "files": 0, "size": 0, "hidden": hidden },
            { "layer": "top.zip", "position": 3, "files": 1, "size": 6, "hidden": nothing },
        ])
    );
    assert_eq!(directory["seen"]["hidden_layers"][0]["layer"], "middle.zip");
    assert_eq!((&nope["seen"], &nope["hidden"]), (&Value::Null, &json!([])));
    assert_eq!(
        (&linked["real_path"], &linked["links"]),
        (
            &json!("lib/same.txt"),
            &json!([{ "path": "lib64", "target": "lib", "layer": "middle.zip", "position": 2 }])
        )
    );
}
