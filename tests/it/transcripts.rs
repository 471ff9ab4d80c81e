//! What every verb that explains a stack says of one small stack, whole: `transcripts/small_stack.txt`, where `[1]` is
//! an exit status. A change there is a change for people and scripts.

use std::fs;
use std::path::Path;

use similar::TextDiff;
use tempfile::TempDir;

use crate::support::command::{answer, optfs};
use crate::support::raw_zip::RawZip;

const TRANSCRIPTS: &str = include_str!("transcripts/small_stack.txt");

/// Two versions of a Python package over each other, a link, and a file in a directory's place.
fn scene() -> TempDir {
    let place = TempDir::new().unwrap();
    let tool = |version: &str, files: &[(&str, &str)]| {
        let about = format!("python/tool-{version}.dist-info");
        let metadata = format!("Metadata-Version: 2.1\nName: tool\nVersion: {version}\n");
        let record: String = files.iter().map(|(name, _)| format!("tool/{name},,\n")).collect();
        let zip = RawZip::new()
            .file(format!("{about}/METADATA"), metadata)
            .file(format!("{about}/RECORD"), record);
        files.iter().fold(zip, |zip, (name, text)| {
            zip.file(format!("python/tool/{name}"), text)
        })
    };
    let (same, init) = (("same.py", "same\n"), "__init__.py");
    let base = tool("1.0", &[(init, "version = 1\n"), ("old.py", "old\n"), same])
        .symlink("bin/tool", "../python/tool/__init__.py")
        .file("data/list", "list\n");
    let top = tool("2.0", &[(init, "version = 2\n"), same]).file("data", "data\n");
    let write = |name: &str, bytes: &[u8]| fs::write(place.path().join(name), bytes).unwrap();
    write("base.zip", &base.build());
    write("top.zip", &top.build());
    write("no.zip", b"no zip\n");
    write("both.stack", b"base.zip\ntop.zip\n");
    write("swapped.stack", b"top.zip\nbase.zip\n");
    write("later.lock", b"version = 2\nview = \"of another day\"\n");
    write("bad.toml", b"max-layers = 5\nefficiency = 1\n");
    place
}

fn said(command: &str, place: &Path) -> String {
    let answer = answer(optfs().args(command.split(' ')).current_dir(place));
    let code = answer.code.expect("it ends by itself");
    format!("$ optfs {command}\n{}{}[{code}]\n", answer.stdout, answer.stderr)
}

#[test]
fn every_verb_says_what_it_said() {
    let place = scene();
    let commands = TRANSCRIPTS
        .lines()
        .filter_map(|line| line.strip_prefix("$ optfs "));
    let found: Vec<_> = commands.map(|command| said(command, place.path())).collect();
    let found = found.join("\n");
    let diff = TextDiff::from_lines(TRANSCRIPTS, &found);
    assert!(
        found == TRANSCRIPTS,
        "{}",
        diff.unified_diff().header("transcripts/small_stack.txt", "found")
    );
}
