//! Help and completions: what optfs says of itself.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::command::{answer, optfs, output};

/// The verbs that a user may type.
const VERBS: [&str; 28] = [
    "bench",
    "extract",
    "mount",
    "umount",
    "run",
    "env",
    "ls",
    "cat",
    "stat",
    "tree",
    "which",
    "explore",
    "shadows",
    "resolve",
    "torn",
    "report",
    "check",
    "ci",
    "diff",
    "order",
    "hash",
    "lock",
    "layer",
    "function",
    "serve",
    "gc",
    "doctor",
    "completions",
];

#[test]
fn without_arguments_help_is_trouble_and_asked_for_it_is_an_answer() {
    let bare = answer(&mut optfs());
    assert_eq!((bare.code, bare.stdout.as_str()), (Some(2), ""));
    let asked = output(optfs().arg("--help"));
    assert_eq!(bare.stderr, asked);
    assert_eq!(output(optfs().arg("-h")), asked);
    for verb in VERBS {
        assert!(asked.contains(&format!("\n  {verb} ")), "{verb}: {asked}");
    }
    for hidden in ["guard", "run-server", "run-child", "bench-child"] {
        assert!(!asked.contains(hidden), "{hidden}: {asked}");
    }
}

#[test]
fn every_verb_explains_itself() {
    for verb in VERBS {
        let long = output(optfs().args([verb, "--help"]));
        assert_eq!(output(optfs().args(["help", verb])), long, "{verb}");
        assert!(long.contains(&format!("Usage: optfs {verb}")), "{long}");
        for help in [long, output(optfs().args([verb, "-h"]))] {
            let first = help.lines().next().unwrap_or("");
            assert!(first.len() > 10 && !first.ends_with('.'), "{verb}: {first}");
            let widest = help.lines().map(str::len).max();
            assert!(widest <= Some(100), "{verb}: {widest:?}");
        }
    }
}

/// The order is what people get wrong who know overlayfs.
#[test]
fn the_help_of_mount_says_which_layer_wins() {
    let help = output(optfs().args(["mount", "--help"]));
    let text = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("the last layer named wins"), "{text}");
    assert!(text.contains("the reverse of overlayfs's lowerdir"), "{text}");
    let general = output(optfs().arg("--help"));
    assert!(
        general.contains("the reverse of overlayfs's lowerdir"),
        "{general}"
    );
}

#[test]
fn exit_statuses_are_documented() {
    let help = output(optfs().arg("--help"));
    for status in [
        "0 yes",
        "1 no",
        "2 wrong usage",
        "3 a layer",
        "4 the mount point",
        "5 FUSE",
        "6 other",
    ] {
        assert!(help.contains(status), "{status}: {help}");
    }
}

#[test]
fn completions_know_every_verb_and_none_of_the_hidden_ones() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = output(optfs().args(["completions", shell]));
        for verb in VERBS {
            assert!(script.contains(verb), "{shell}: {verb}");
        }
        assert!(!script.contains("guard"), "{shell}");
    }
}

#[test]
fn bash_accepts_its_completions() {
    let script = output(optfs().args(["completions", "bash"]));
    // Read without being run; then run, and asked what could follow.
    let mut check = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .spawn()
        .expect("bash is there");
    let mut stdin = check.stdin.take().expect("it is piped");
    stdin.write_all(script.as_bytes()).expect("bash reads it all");
    drop(stdin);
    assert!(check.wait().expect("our own child").success());
    let ask = format!(
        "{script}\nCOMP_WORDS=(optfs wh); COMP_CWORD=1; _optfs optfs wh optfs; echo \"${{COMPREPLY[@]}}\""
    );
    assert_eq!(output(Command::new("bash").args(["-c", &ask])), "which\n");
}
