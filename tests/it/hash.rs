//! The digest of a view: the same exactly where nothing differs, and the same that the program of docs/hash.md
//! computes.

use std::process::Command;

use optfs::explain::digest::{Digest, digests};
use optfs::extract;
use optfs::fs::Fs;
use optfs::stack::NodeId;
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use crate::diff::{between, readable_stacks};
use crate::real_layers::layers;
use crate::support::command::{answer, optfs, output};
use crate::support::generate::holds;
use crate::support::on_disk;
use crate::support::raw_zip::RawZip;
use crate::support::seen::{UNLIMITED, mounted_stack};
use crate::support::stack::{Item, Layer, Method, write_archive};
use crate::support::tree::{Body, Tree};

fn digest(fs: &Fs) -> Digest {
    let digests = digests(fs.content(), fs.stack(), &[NodeId::ROOT], &());
    digests.of(NodeId::ROOT).expect("everything can be read")
}

#[test]
fn digests_are_the_same_exactly_where_nothing_differs() {
    holds(128, (readable_stacks(), 0..6usize), |(stack, turns)| {
        let mut other = stack.clone();
        other.rotate_left(turns % stack.len());
        for layer in &mut other {
            // Directories alone may come in another order without another outcome.
            layer.mtime += 1;
        }
        let (a, b) = (mounted_stack(&stack, UNLIMITED), mounted_stack(&other, UNLIMITED));
        prop_assert_eq!(digest(&a) == digest(&b), between(&a, &b).changes.is_empty());
        Ok(())
    });
}

/// Extracted, zipped anew in one layer, with other times, in another order and compression: the same digest.
/// And the program in the docs finds it too.
#[test]
fn the_digest_is_that_of_the_extracted_tree() {
    let scratch = TempDir::new().unwrap();
    let program = scratch.path().join("digest.py");
    std::fs::write(&program, python()).unwrap();
    holds(24, readable_stacks(), |stack| {
        let scene = mounted_stack(&stack, UNLIMITED);
        let place = TempDir::new().unwrap();
        let target = place.path().join("target");
        extract::write(&scene, &target, extract::Options { threads: 2 }, &()).unwrap();
        let expected = digest(&scene);
        let found = output(Command::new("python3").arg(&program).arg(&target));
        prop_assert_eq!(found.trim_end(), expected.to_string());
        let again = mounted_stack(&[zipped(&on_disk::tree(&target))], UNLIMITED);
        prop_assert_eq!(digest(&again), expected);
        Ok(())
    });
}

fn python() -> &'static str {
    let docs = include_str!("../../docs/hash.md");
    let program = docs
        .split("```python\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    assert!(program.lines().count() <= 40);
    program
}

fn zipped(tree: &Tree) -> Layer {
    let mtime = 1_234_567_890;
    let entries = tree
        .iter()
        .rev()
        .filter(|(path, _)| !path.is_empty())
        .map(|(path, node)| {
            let mode = Some(node.mode);
            let item = match &node.body {
                Body::Directory => Item::Dir { mode, mtime },
                Body::Symlink(target) => Item::Symlink {
                    mtime,
                    target: target.clone(),
                },
                Body::File(bytes) => Item::File {
                    mode,
                    mtime,
                    bytes: bytes.clone(),
                    method: Method::Deflate,
                },
                Body::Unreadable { .. } => panic!("it was extracted"),
            };
            (path.clone(), item)
        });
    Layer {
        mtime: 1,
        entries: entries.collect(),
    }
}

#[test]
fn paths_have_digests_of_their_own() {
    let scratch = TempDir::new().unwrap();
    let ask = |args: &[&str]| answer(optfs().arg("hash").args(args).current_dir(scratch.path()));
    let one = RawZip::new()
        .file("bin/tool", "x")
        .symlink("l", "bin/tool")
        .file("large", vec![7; 9 << 20])
        .deflate();
    let two = RawZip::new()
        .file("large", vec![7; 9 << 20])
        .symlink("l", "bin/tool")
        .file("bin/tool", "x")
        .deflate();
    write_archive(&scratch.path().join("one.zip"), &one.build(), 1);
    write_archive(&scratch.path().join("two.zip"), &two.build(), 2);
    let whole = ask(&["--layer", "one.zip"]);
    assert_eq!(whole, ask(&["--layer", "two.zip"]));
    assert!(
        whole.code == Some(0) && whole.stdout.ends_with("  /\n") && whole.stdout.len() == 68,
        "{whole:?}"
    );
    let paths = ask(&["--layer", "one.zip", "/opt/bin/tool", "l", "large", "nowhere"]);
    let of = |text: &str| output(Command::new("sh").args(["-c", &format!("{text} | sha256sum | cut -c-64")]));
    let expected = [
        (of("printf x"), "/opt/bin/tool"),
        (of("printf bin/tool"), "l"),
        (of("head -c 9437184 /dev/zero | tr '\\0' '\\7'"), "large"),
    ];
    let expected: String = expected
        .iter()
        .map(|(sum, path)| format!("{}  {path}\n", sum.trim_end()))
        .collect();
    assert_eq!((paths.code, paths.stdout), (Some(1), expected));
    assert!(paths.stderr.contains("nowhere"), "{}", paths.stderr);
    let json: Value = serde_json::from_str(&ask(&["--layer", "one.zip", "--json", "bin"]).stdout).unwrap();
    assert_eq!(
        (&json["type"], &json["mode"]),
        (&Value::from("directory"), &Value::from("0755"))
    );
}

#[test]
fn what_cannot_be_read_is_named_and_has_no_digest() {
    let scratch = TempDir::new().unwrap();
    let zip = RawZip::new()
        .file("a/good", "good")
        .file("b/bad", "bad")
        .method(77);
    write_archive(&scratch.path().join("l.zip"), &zip.build(), 1);
    let ask = |args: &[&str]| {
        answer(
            optfs()
                .args(["hash", "--layer", "l.zip"])
                .args(args)
                .current_dir(scratch.path()),
        )
    };
    let whole = ask(&[]);
    assert_eq!((whole.code, whole.stdout.as_str()), (Some(6), ""));
    assert!(whole.stderr.contains("l.zip: b/bad: "), "{}", whole.stderr);
    let some = ask(&["a", "b", "a/good"]);
    assert_eq!((some.code, some.stdout.lines().count()), (Some(6), 2));
    assert_eq!(ask(&["a"]).code, Some(0));
}

#[test]
fn a_real_stack_has_the_digest_of_what_it_extracts() {
    let scratch = TempDir::new().unwrap();
    let (program, target) = (scratch.path().join("digest.py"), scratch.path().join("target"));
    std::fs::write(&program, python()).unwrap();
    let stack = layers(&["proxy-agent-v5", "proxy-agent-v6", "awscli"]);
    output(optfs().args(["extract", "-q"]).args(&stack).arg(&target));
    let mut ask = optfs();
    ask.arg("hash");
    for layer in &stack {
        ask.arg("--layer").arg(layer);
    }
    let found = output(Command::new("python3").arg(&program).arg(&target));
    assert_eq!(output(&mut ask), format!("{}  /\n", found.trim_end()));
}
