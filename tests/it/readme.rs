//! The examples of the README and of docs/shadowing.md, run as they stand there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::real_layers::layers;

#[test]
fn the_examples_of_the_readme_say_what_they_say() {
    assert_says_what_it_says(include_str!("../../README.md"), 6);
}

#[test]
fn the_examples_of_the_page_on_shadowing_say_what_they_say() {
    assert_says_what_it_says(include_str!("../../docs/shadowing.md"), 5);
}

#[track_caller]
fn assert_says_what_it_says(page: &str, blocks_in_it: usize) {
    let place = TempDir::new().unwrap();
    let names = [
        "awscli",
        "proxy-agent-v5",
        "proxy-agent-v6",
        "python-1",
        "python-2",
        "python-3",
        "python-4",
        "python-5",
    ];
    for layer in layers(&names) {
        symlink(&layer, place.path().join(layer.file_name().unwrap())).unwrap();
    }
    says_what_it_says(page, blocks_in_it, &|command| shell(command, place.path()));
    assert!(
        !fs::read_to_string("/proc/mounts")
            .unwrap()
            .contains(place.path().to_str().unwrap())
    );
}

/// Runs the commands of a page, one after the other, and compares what they print with what stands there.
#[track_caller]
pub(crate) fn says_what_it_says(page: &str, blocks_in_it: usize, shell: &dyn Fn(&str) -> String) {
    let blocks: Vec<_> = page
        .split("```console\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), blocks_in_it);
    for block in blocks {
        let block = format!("\n{block}");
        for example in block.split("\n$ ").filter(|example| !example.trim().is_empty()) {
            let (command, expected) = example.split_once('\n').unwrap_or((example, ""));
            let output = shell(command);
            assert!(
                matches(expected, &output),
                "$ {command}\nexpected:\n{expected}\nfound:\n{output}"
            );
        }
    }
}

/// A PATH with optfs before all else.
pub(crate) fn path_with_optfs() -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_optfs")).parent().unwrap();
    format!("{}:{}", programs.display(), std::env::var("PATH").unwrap())
}

/// What a command prints, run where the layers are, with optfs on the PATH.
fn shell(command: &str, place: &Path) -> String {
    let path = path_with_optfs();
    // Other tests mount too: an example that looks at the mount table sees those of this place alone.
    let command = command.replace(
        "grep -c optfs /proc/mounts",
        "grep optfs /proc/mounts | grep -c $PWD/",
    );
    let output = Command::new("bash")
        .args(["-c", &command])
        .current_dir(place)
        .env("PATH", path)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

/// Whether lines are the same, where `…` at the end of a line stands for anything.
fn matches(expected: &str, found: &str) -> bool {
    let mut found = found.lines();
    let all = expected
        .trim_end()
        .lines()
        .all(|line| match line.strip_suffix('…') {
            Some(start) => found.next().is_some_and(|found| found.starts_with(start)),
            None => found.next() == Some(line),
        });
    all && found.next().is_none()
}
