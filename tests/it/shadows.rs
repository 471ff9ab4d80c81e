//! Everything that is hidden: scenes with their exact answers, random stacks against sums that are too
//! simple to be wrong, and real layers against a script that unpacks and hashes them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use optfs::archive::{Archive, EntryKind};
use optfs::explain::{Compared, Shadows, Tally, shadows, shadows_below, waste, weight, which};
use optfs::path::RelPath;
use optfs::stack::{Body, EntryRef, Stack};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::look::Scene;
use crate::real_layers::layers;
use crate::support::command::{optfs, output};
use crate::support::generate::{holds, stacks};
use crate::support::raw_zip::RawZip;

#[test]
fn shadows_sums_up_by_pairs_of_layers_and_lists_conflicts_apart() {
    let scene = Scene::new();
    assert_eq!(
        scene.says(&["shadows"]),
        "\
4 files hidden: 2 identical, 2 differ; 25 B unzipped, 25 B zipped
1 conflict of kind: 1 name lost; 6 B unzipped, 6 B zipped

base.zip (layer 1) under top.zip (layer 3)
  identical   differ        size  directory
          0        1         4 B  bin/
          1        0         4 B  lib/
          1        1         8 B  all; 8 B zipped

middle.zip (layer 2) under top.zip (layer 3)
  identical   differ        size  directory
          0        1        13 B  bin/
          1        0         4 B  lib/
          1        1        17 B  all; 17 B zipped

conflicts of kind
  etc: a file of top.zip (layer 3)
    took the place of a directory of base.zip (layer 1): 1 name, 6 B lost
"
    );
}

#[test]
fn shadows_leaves_out_what_is_identical_when_asked() {
    let scene = Scene::new();
    assert_eq!(
        scene.says(&["shadows", "--differing", "bin"]),
        "\
2 files hidden that differ: 17 B unzipped, 17 B zipped

base.zip (layer 1) under top.zip (layer 3)
   differ        size  directory
        1         4 B  bin/

middle.zip (layer 2) under top.zip (layer 3)
   differ        size  directory
        1        13 B  bin/
"
    );
    assert_eq!(
        scene.says(&["shadows", "--differing", "lib"]),
        "nothing that differs is hidden\n"
    );
    assert_eq!(scene.says(&["shadows", "large"]), "nothing is hidden\n");
}

#[test]
fn shadows_by_directory_and_by_size() {
    let scene = Scene::new();
    assert_eq!(
        scene.says(&["shadows", "--by", "dir", "/opt/"]),
        "\
4 files hidden: 2 identical, 2 differ; 25 B unzipped, 25 B zipped
1 conflict of kind: 1 name lost; 6 B unzipped, 6 B zipped

  identical   differ        size  directory
          0        2        17 B  bin/
          2        0         8 B  lib/
          2        2        25 B  all; 25 B zipped

conflicts of kind
  etc: a file of top.zip (layer 3)
    took the place of a directory of base.zip (layer 1): 1 name, 6 B lost
"
    );
    let lines = |args: &[&str]| -> Vec<String> {
        let text = scene.says(&[&["shadows"], args].concat());
        text.lines().skip(3).map(str::to_owned).collect()
    };
    assert_eq!(
        lines(&["--by", "size"])[..5],
        [
            "                   size  layers     path",
            "  differs          13 B  2 under 3  bin/tool",
            "  differs           4 B  1 under 3  bin/tool",
            "  identical         4 B  1 under 3  lib/same.txt",
            "  identical         4 B  2 under 3  lib/same.txt",
        ]
    );
    assert_eq!(
        lines(&["--all", "--by", "dir", "--differing"])[..3],
        [
            "bin/",
            "  differs           4 B  1 under 3  bin/tool",
            "  differs          13 B  2 under 3  bin/tool",
        ]
    );
    let all = lines(&["--all"]);
    assert_eq!(
        all[..3],
        [
            "base.zip (layer 1) under top.zip (layer 3)",
            "  differs           4 B  bin/tool",
            "  identical         4 B  lib/same.txt",
        ]
    );
    assert_eq!(all[all.len() - 1], "           6 B  etc/deep/conf  [base.zip]");
}

/// Each kind of conflict, and an archive with a name twice.
#[test]
fn shadows_knows_every_conflict_of_kinds() {
    let below = RawZip::new()
        .file("dir-under-file/x", b"1")
        .file("dir-under-file/y/z", b"22")
        .file("file-under-dir", b"333")
        .symlink("link-under-dir", "t")
        .file("file-under-link", b"4444");
    let above = RawZip::new()
        .file("dir-under-file", b"")
        .file("file-under-dir/x", b"")
        .dir("link-under-dir/")
        .symlink("file-under-link", "x")
        .file("twice", b"12345")
        .file("twice", b"12345");
    let scene = Scene::of(&[("below.zip", below), ("above.zip", above)]);
    assert_eq!(
        scene.says(&["shadows"]),
        "\
1 file hidden: 1 identical, 0 differ; 5 B unzipped, 5 B zipped
4 conflicts of kind: 5 names lost; 11 B unzipped, 11 B zipped

above.zip (layer 2) under later entries of its own
  identical   differ        size  directory
          1        0         5 B  /opt/

conflicts of kind
  dir-under-file: a file of above.zip (layer 2)
    took the place of a directory of below.zip (layer 1): 2 names, 3 B lost
  file-under-dir: a directory of above.zip (layer 2)
    took the place of a file of below.zip (layer 1): 1 name, 3 B lost
  file-under-link: a symlink of above.zip (layer 2)
    took the place of a file of below.zip (layer 1): 1 name, 4 B lost
  link-under-dir: a directory of above.zip (layer 2)
    took the place of a symlink of below.zip (layer 1): 1 name, 1 B lost
"
    );
    assert_eq!(
        scene.says(&["shadows", "dir-under-file/y"]),
        "\
1 conflict of kind: 1 name lost; 2 B unzipped, 2 B zipped

conflicts of kind
  dir-under-file: a file of above.zip (layer 2)
    took the place of a directory of below.zip (layer 1): 1 name, 2 B lost
"
    );
}

#[test]
fn shadows_of_a_path_that_no_layer_has_is_a_no() {
    let scene = Scene::new();
    let asked = scene.ask(&["shadows", "nope"]);
    assert_eq!((asked.code, asked.stdout.as_str()), (Some(1), ""));
    assert!(
        asked.stderr.starts_with("optfs: nope: no layer provides it\n"),
        "{asked:?}"
    );
    assert_eq!(scene.ask(&["shadows", "../x"]).code, Some(2));
    let alone = Scene::of(&[("one.zip", RawZip::new().file("f", b"1"))]);
    assert_eq!(alone.says(&["shadows"]), "nothing is hidden\n");
}

#[test]
fn shadows_json_has_every_directory_and_on_request_every_entry() {
    let scene = Scene::new();
    let nothing = json!({ "entries": 0, "size": 0, "compressed_size": 0 });
    let one = |size: u64| json!({ "entries": 1, "size": size, "compressed_size": size });
    let answer = scene.objects(&["shadows", "--json", "--all"]).remove(0);
    assert_eq!(
        (&answer["version"], &answer["question"]),
        (&json!(1), &json!("shadows"))
    );
    assert_eq!(answer["totals"]["lost"], one(6));
    assert_eq!(
        answer["pairs"][0],
        json!({
            "hidden": { "layer": "base.zip", "position": 1 },
            "seen": { "layer": "top.zip", "position": 3 },
            "identical": one(4), "differing": one(4),
            "directories": [
                { "path": "bin", "identical": nothing, "differing": one(4) },
                { "path": "lib", "identical": one(4), "differing": nothing },
            ],
            "entries": [
                {
                    "path": "bin/tool", "type": "file", "identical": false, "size": 4, "compressed_size": 4,
                    "crc32": format!("{:08x}", crc32fast::hash(b"one\n")),
                    "hidden_by": { "layer": "middle.zip", "position": 2 },
                },
                {
                    "path": "lib/same.txt", "type": "file", "identical": true, "size": 4, "compressed_size": 4,
                    "crc32": format!("{:08x}", crc32fast::hash(b"same")),
                    "hidden_by": { "layer": "middle.zip", "position": 2 },
                },
            ],
        })
    );
    assert_eq!(
        answer["conflicts"],
        json!([{
            "path": "etc", "type": "file", "layer": "top.zip", "position": 3,
            "gave_way": [{
                "layer": "base.zip", "position": 1, "type": "directory", "lost": one(6),
                "hidden_by": { "layer": "top.zip", "position": 3 },
            }],
            "entries": [{ "path": "etc/deep/conf", "type": "file", "layer": "base.zip", "position": 1 }],
        }])
    );
}

/// Names that would move the cursor never reach a terminal as they are.
#[test]
fn shadows_escapes_odd_names_on_a_terminal() {
    let odd = || {
        RawZip::new()
            .file(b"clear\x1b[2J/screen\x07", b"")
            .file(b"kind\x1b[2J", b"")
    };
    let above = odd().dir(b"kind\x1b[2J/");
    let scene = Scene::of(&[("below.zip", odd()), ("above.zip", above)]);
    for args in [
        "shadows",
        "shadows --all",
        "shadows --by size",
        "shadows --by dir --all",
        "stat",
    ] {
        let shown = scene.on_a_terminal(args, &[("NO_COLOR", "1")]);
        assert!(
            !shown.contains(['\x1b', '\x07']) && shown.contains("\\u{1b}"),
            "{args}: {shown:?}"
        );
    }
}

/// Every hidden entry is counted once and in the right place; sums by path and by layer are those of a
/// plain count.
#[test]
fn random_stacks_are_summed_up_as_a_plain_count_says() {
    holds(256, stacks(), |layers| {
        let archives = layers
            .iter()
            .map(|layer| Archive::from_source(Path::new("layer.zip"), Arc::new(layer.zip())).unwrap());
        let stack = Stack::merge(archives.collect()).unwrap();
        let whole = shadows(&stack);
        prop_assert_eq!(entries_of(&whole), hidden_in(&stack, b""));
        check_sums(&stack, &whole)?;
        check_waste(&stack)?;
        for node in stack.nodes().skip(1) {
            let path = stack.path(node);
            let checked = RelPath::check(&path).unwrap();
            let below = shadows_below(&stack, &checked).expect("the path is there");
            prop_assert_eq!(entries_of(&below), hidden_in(&stack, &path));
            check_contributions(&stack, &checked)?;
        }
        Ok(())
    });
}

fn all_entries(stack: &Stack) -> Vec<EntryRef> {
    let of_layer = |(layer, archive): (_, &Archive)| {
        let ids = archive.entry_ids();
        ids.map(|entry| EntryRef { layer, entry }).collect::<Vec<_>>()
    };
    stack.layers_in_order().flat_map(of_layer).collect()
}

fn shown(stack: &Stack, path: &[u8]) -> Option<Body> {
    let checked = RelPath::check(path).unwrap();
    stack.find(checked.parts()).map(|node| stack.body(node))
}

fn is_seen(stack: &Stack, entry: EntryRef) -> bool {
    match shown(stack, stack.entry(entry).path) {
        Some(Body::File(seen) | Body::Symlink(seen) | Body::Directory(Some(seen))) => seen == entry,
        Some(Body::Directory(None)) | None => false,
    }
}

fn is_inside(path: &[u8], top: &[u8]) -> bool {
    top.is_empty() || path == top || path.starts_with(&[top, b"/"].concat())
}

/// All entries at a path and below that are not seen, but for directories that live on merged.
fn hidden_in(stack: &Stack, top: &[u8]) -> BTreeSet<EntryRef> {
    let stands = |node| {
        stack
            .shadowed(node)
            .iter()
            .map(|s| (node, s.entry))
            .collect::<Vec<_>>()
    };
    let merged: BTreeSet<_> = stack
        .nodes()
        .flat_map(stands)
        .filter(|&(node, entry)| {
            stack.is_directory(node)
                && stack.path(node) == stack.entry(entry).path
                && stack.entry(entry).kind == EntryKind::Directory
        })
        .map(|(_, entry)| entry)
        .collect();
    let hidden = all_entries(stack).into_iter().filter(|&entry| {
        !is_seen(stack, entry) && !merged.contains(&entry) && is_inside(stack.entry(entry).path, top)
    });
    hidden.collect()
}

fn entries_of(shadows: &Shadows) -> BTreeSet<EntryRef> {
    let replaced = shadows
        .pairs
        .iter()
        .flat_map(|pair| pair.replaced.iter().map(|r| r.entry));
    let lost = shadows
        .conflicts
        .iter()
        .flat_map(|conflict| conflict.lost.iter().map(|s| s.entry));
    let all: Vec<_> = replaced.chain(lost).collect();
    let once: BTreeSet<_> = all.iter().copied().collect();
    assert_eq!(once.len(), all.len(), "an entry is listed twice");
    once
}

fn check_sums(stack: &Stack, shadows: &Shadows) -> Result<(), TestCaseError> {
    for pair in &shadows.pairs {
        let mut sum = Compared::default();
        for replaced in &pair.replaced {
            sum += Compared::of(stack, replaced);
            let (hidden, seen) = (stack.entry(replaced.entry), stack.body(replaced.node));
            let (Body::File(seen) | Body::Symlink(seen)) = seen else {
                return Err(TestCaseError::fail("a directory is compared"));
            };
            prop_assert_eq!((replaced.entry.layer, seen.layer), (pair.hidden, pair.seen));
            let seen = stack.entry(seen);
            prop_assert_eq!((hidden.path, hidden.kind), (seen.path, seen.kind));
            let is_same = (hidden.crc, hidden.declared_size) == (seen.crc, seen.declared_size);
            prop_assert_eq!(replaced.is_identical, is_same);
        }
        prop_assert_eq!(pair.tally, sum);
    }
    for conflict in &shadows.conflicts {
        let gave_way: Tally = conflict.gave_way.iter().map(|gave_way| gave_way.lost).sum();
        prop_assert_eq!(gave_way.entries as usize, conflict.lost.len());
    }
    Ok(())
}

fn check_waste(stack: &Stack) -> Result<(), TestCaseError> {
    let mut sizes: BTreeMap<Vec<u8>, Vec<u64>> = BTreeMap::new();
    for entry in all_entries(stack).into_iter().map(|entry| stack.entry(entry)) {
        if entry.kind != EntryKind::Directory {
            sizes
                .entry(entry.path.to_vec())
                .or_default()
                .push(entry.declared_size);
        }
    }
    let (mut paths, mut wasted, mut smallest, mut discovered) = (0, 0, 0, 0);
    for (path, sizes) in sizes {
        let is_there = matches!(shown(stack, &path), Some(Body::File(_) | Body::Symlink(_)));
        let sum: u64 = sizes.iter().sum();
        discovered += sum;
        if is_there {
            smallest += sizes.iter().min().unwrap();
        }
        if sizes.len() > 1 || !is_there {
            (paths, wasted) = (paths + 1, wasted + sum);
        }
    }
    let found = waste(stack);
    let found = (
        found.paths,
        found.wasted_bytes,
        found.smallest_bytes,
        found.discovered_bytes,
    );
    prop_assert_eq!(found, (paths, wasted, smallest, discovered));
    let weight = weight(stack, 4);
    let share: u64 = weight.layers.iter().map(|layer| layer.seen.bytes).sum();
    let below: u64 = weight.directories.iter().map(|row| row.tally.bytes).sum();
    prop_assert_eq!((share, below), (weight.seen.bytes.bytes, weight.seen.bytes.bytes));
    prop_assert_eq!(weight.unzipped().bytes, discovered);
    Ok(())
}

fn check_contributions(stack: &Stack, directory: &RelPath<'_>) -> Result<(), TestCaseError> {
    let found = which(stack, directory).seen.expect("the path is there");
    if !matches!(found.body, Body::Directory(_)) {
        return Ok(());
    }
    let mut counted = BTreeMap::new();
    for entry in all_entries(stack) {
        let is_file = stack.entry(entry).kind != EntryKind::Directory;
        if is_file && is_inside(stack.entry(entry).path, directory.as_bytes()) {
            // A file that the directory took the place of does not lie in it.
            if stack.entry(entry).path != directory.as_bytes() {
                let (seen, hidden) = counted.entry(entry.layer).or_insert((0, 0));
                *if is_seen(stack, entry) { seen } else { hidden } += 1;
            }
        }
    }
    for its in &found.contributions {
        let (seen, hidden) = counted.remove(&its.layer).unwrap_or_default();
        prop_assert_eq!((its.seen.entries, its.hidden.entries), (seen, hidden));
    }
    prop_assert!(counted.is_empty(), "{counted:?}");
    Ok(())
}

/// What the layers hide, told by unpacking them: sizes and hashes of contents, no CRC of any directory.
const COUNT: &str = r#"
import hashlib, json, os, sys, zipfile
seen, entries = {}, []
for position, path in enumerate(sys.argv[1:], 1):
    with zipfile.ZipFile(path) as layer:
        for info in layer.infolist():
            if info.is_dir(): continue
            kind = "symlink" if info.external_attr >> 28 == 0o12 else "file"
            digest = hashlib.sha256(layer.read(info)).hexdigest()
            entry = (position, info.filename, kind, info.file_size, info.compress_size, digest)
            entries.append(entry)
            seen[info.filename] = entry
pairs, paths = {}, {}
def add(place, entry):
    for field, amount in zip(("entries", "size", "compressed_size"), (1, entry[3], entry[4])):
        place[field] += amount
def nothing(): return {"entries": 0, "size": 0, "compressed_size": 0}
for entry in entries:
    paths.setdefault(entry[1], []).append(entry[3])
    winner = seen[entry[1]]
    if winner is entry: continue
    assert winner[2] == entry[2], entry
    pair = pairs.setdefault((entry[0], winner[0]), {"all": [nothing(), nothing()]})
    differs = int(winner[5] != entry[5])
    add(pair["all"][differs], entry)
    add(pair.setdefault(os.path.dirname(entry[1]), [nothing(), nothing()])[differs], entry)
def compared(sums): return {"identical": sums[0], "differing": sums[1]}
answer = [{"hidden": hidden, "seen": winner, **compared(pair.pop("all")),
           "directories": [{"path": path, **compared(pair[path])} for path in sorted(pair)]}
          for (hidden, winner), pair in sorted(pairs.items())]
print(json.dumps({"pairs": answer, "wasted": sum(sum(sizes) for sizes in paths.values() if len(sizes) > 1),
    "smallest": sum(map(min, paths.values())), "discovered": sum(map(sum, paths.values()))}))
"#;

fn counted(layers: &[PathBuf]) -> Value {
    let text = output(Command::new("python3").args(["-c", COUNT]).args(layers));
    serde_json::from_str(&text).expect("the script prints JSON")
}

fn asked(verb: &str, layers: &[PathBuf]) -> Value {
    let mut optfs = optfs();
    optfs.args([verb, "--json"]);
    layers.iter().for_each(|layer| {
        optfs.arg("--layer").arg(layer);
    });
    serde_json::from_str(&output(&mut optfs)).expect("one object")
}

fn assert_as_counted(names: &[&str]) -> Value {
    let layers = layers(names);
    let expected = counted(&layers);
    let mut answer = asked("shadows", &layers);
    for pair in answer["pairs"].as_array_mut().expect("a list") {
        for side in ["hidden", "seen"] {
            pair[side] = pair[side]["position"].clone();
        }
    }
    assert_eq!(answer["pairs"], expected["pairs"], "{names:?}");
    assert_eq!(answer["conflicts"], json!([]), "{names:?}");
    let stat = asked("stat", &layers);
    assert_eq!(stat["wasted"]["size"], expected["wasted"], "{names:?}");
    let ratio = |value: &Value| value.as_f64().expect("a number");
    let efficiency = ratio(&expected["smallest"]) / ratio(&expected["discovered"]);
    assert!(
        (ratio(&stat["efficiency"]) - efficiency).abs() < 1e-9,
        "{names:?}"
    );
    expected
}

#[test]
fn two_versions_of_a_node_package_hide_what_unpacking_says() {
    let expected = assert_as_counted(&["proxy-agent-v5", "proxy-agent-v6"]);
    assert_eq!(expected["pairs"].as_array().map(Vec::len), Some(1));
    assert_as_counted(&["proxy-agent-v6", "proxy-agent-v5"]);
}

#[test]
fn two_versions_of_the_aws_cli_hide_what_unpacking_says() {
    let names = ["awscli-older", "awscli"];
    let pair = &assert_as_counted(&names)["pairs"][0];
    // Summed up, not listed: what a person looks at fits a screen.
    let mut optfs = optfs();
    optfs.arg("shadows");
    for layer in layers(&names) {
        optfs.arg("--layer").arg(layer);
    }
    let shown = output(&mut optfs);
    assert!(shown.lines().count() < 24, "{shown}");
    let count = |which: &str| pair[which]["entries"].as_u64().expect("a number");
    let (identical, differing) = (count("identical"), count("differing"));
    let total = format!(
        "{} files hidden: {identical} identical, {differing} differ; ",
        identical + differing
    );
    assert!(shown.starts_with(&total), "{total:?}: {shown}");
}

#[test]
fn python_layers_with_two_boto3_hide_what_unpacking_says() {
    assert_as_counted(&["python-4", "python-5"]);
}
