//! `optfs explore` in a terminal: it starts, shows, stops, and leaves the terminal as it found it.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::command::{OPTFS, answer, optfs};
use crate::support::raw_zip::RawZip;
use crate::support::terminal::Terminal;

/// What is written when the screen is taken, and when it is given back.
const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
const SHOW_CURSOR: &str = "\x1b[?25h";
/// How a colour begins.
const COLOUR: &str = "\x1b[38;5;";

struct Scene {
    scratch: TempDir,
}

impl Scene {
    fn new() -> Scene {
        let scratch = TempDir::new().unwrap();
        let base = RawZip::new().file("bin/tool", b"one\n").file("lib/a", b"a");
        let top = RawZip::new().file("bin/tool", b"three\n");
        fs::write(scratch.path().join("base.zip"), base.build()).unwrap();
        fs::write(scratch.path().join("top.zip"), top.build()).unwrap();
        Scene { scratch }
    }

    fn layer(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn explore(&self) -> Command {
        let mut command = Command::new(OPTFS);
        command
            .arg("explore")
            .args([self.layer("base.zip"), self.layer("top.zip")]);
        command.env("TERM", "xterm-256color");
        command
    }
}

#[test]
fn it_shows_the_stack_and_leaves_the_terminal_as_it_found_it() {
    let scene = Scene::new();
    let mut terminal = Terminal::start(&scene.explore());
    let before = terminal.first_modes().clone();
    terminal.expect(ENTER);
    terminal.expect(" optfs ");
    terminal.expect("top");
    let shown = terminal.expect("quit");
    assert!(shown.contains(COLOUR), "{shown:?}");
    assert_ne!(terminal.modes(), before);
    // To the conflict, into its difference, and back.
    terminal.press(b"c");
    terminal.expect("tool");
    terminal.press(b"d");
    terminal.expect("-one");
    terminal.press(b"\x1b");
    terminal.expect("merged");
    terminal.press(b"q");
    let last = terminal.expect(LEAVE);
    assert!(last.contains(SHOW_CURSOR), "{last:?}");
    assert!(terminal.wait().success());
    assert_eq!(terminal.modes(), before);
}

#[test]
fn a_terminal_of_another_size_is_drawn_anew() {
    let scene = Scene::new();
    let mut terminal = Terminal::start(&scene.explore());
    terminal.expect("quit");
    terminal.resize(8, 30);
    terminal.expect("small:");
    terminal.resize(24, 80);
    terminal.expect("merged");
    terminal.press(b"\x03");
    terminal.expect(LEAVE);
    assert!(terminal.wait().success());
}

#[test]
fn a_signal_ends_it_with_the_terminal_restored() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
        let scene = Scene::new();
        let mut terminal = Terminal::start(&scene.explore());
        let before = terminal.first_modes().clone();
        terminal.expect("quit");
        terminal.send(signal);
        let last = terminal.expect(LEAVE);
        assert!(last.contains(SHOW_CURSOR), "{signal}: {last:?}");
        assert_eq!(terminal.wait().signal(), Some(signal as i32));
        assert_eq!(terminal.modes(), before, "{signal}");
    }
}

#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_again() {
    let scene = Scene::new();
    let mut bash = Command::new("bash");
    // Job control is what an interactive shell has; `stty` is asked while the job is stopped.
    let script = "set -m; \"$0\" \"$@\"; echo stopped=$?; stty -a; echo asked; fg >/dev/null; echo over=$?";
    bash.args(["--norc", "-c", script]).arg(OPTFS);
    let explore = scene.explore();
    bash.args(explore.get_args());
    bash.env("TERM", "xterm")
        .env("PATH", std::env::var_os("PATH").unwrap());
    let mut terminal = Terminal::start(&bash);
    terminal.expect("quit");
    terminal.press(b"\x1a");
    terminal.expect(LEAVE);
    terminal.expect("stopped=147");
    let modes = terminal.expect("asked");
    assert!(modes.contains(" icanon") && modes.contains(" echo "), "{modes}");
    terminal.expect(ENTER);
    terminal.expect("quit");
    terminal.press(b"q");
    terminal.expect(LEAVE);
    terminal.expect("over=0");
    terminal.wait();
}

#[test]
fn it_begins_at_a_path_and_takes_layers_from_everywhere() {
    let scene = Scene::new();
    let list = scene.layer("my.stack");
    fs::write(&list, "base.zip\n").unwrap();
    let mut command = Command::new(OPTFS);
    command
        .args(["explore", "--stack"])
        .arg(&list)
        .arg(scene.layer("top.zip"))
        .arg("/opt/lib/a");
    command.env("TERM", "xterm").env("NO_COLOR", "1");
    let mut terminal = Terminal::start(&command);
    let shown = terminal.expect("quit");
    for text in ["base", "top", "/opt/lib/a"] {
        assert!(shown.contains(text), "{text}: {shown:?}");
    }
    assert!(!shown.contains(COLOUR), "{shown:?}");
    terminal.press(b"q");
    assert!(terminal.wait().success());
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let scene = Scene::new();
    let refused = answer(scene.explore().stdin(Stdio::null()));
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    assert!(refused.stderr.contains("standard input"), "{}", refused.stderr);
    for verb in ["optfs tree", "optfs ls", "optfs shadows"] {
        assert!(refused.stderr.contains(verb), "{}", refused.stderr);
    }
}

#[test]
fn what_cannot_be_opened_is_said_before_the_screen_is_taken() {
    let scene = Scene::new();
    for (name, code) in [("nowhere.zip", 3), ("/opt/nowhere", 1)] {
        let mut command = scene.explore();
        command.arg(name);
        let mut terminal = Terminal::start(&command);
        let said = terminal.expect("no such file");
        assert!(!said.contains(ENTER), "{said:?}");
        assert_eq!(terminal.wait().code(), Some(code));
    }
    let none = answer(optfs().arg("explore").stdin(Stdio::null()));
    assert_eq!(none.code, Some(2));
}
