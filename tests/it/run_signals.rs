//! Signals of `optfs run`: what a process sends to optfs reaches the command, what a terminal sends reaches it
//! once, and what the user ignores stays ignored.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::support::program::{finish, said};
use crate::support::raw_zip::RawZip;
use crate::support::stage::{Stage, everybody};
use crate::support::terminal::Terminal;

fn layer(stage: &Stage) -> PathBuf {
    stage.layer("layer.zip", RawZip::new().file("file", "seen\n"))
}

/// `optfs run -- sh -c script words…`, not yet started.
fn shell(stage: &Stage, script: &str, words: &[&str]) -> Command {
    let mut run = stage.run_command(&[layer(stage)], &[]);
    run.args(["sh", "-c", script]).args(words);
    run
}

/// The command says that it is ready the moment it is: there is no moment at which optfs is not.
#[test]
fn a_signal_sent_to_optfs_reaches_the_command() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = layer(&stage);
        let script = "trap 'echo got; exit 7' $0; echo ready; while :; do sleep 0.02; done";
        for name in [
            "HUP", "INT", "QUIT", "ALRM", "TERM", "USR1", "USR2", "WINCH", "CONT",
        ] {
            let mut run = stage.start(&[&layer], &["sh", "-c", script, name]);
            run.screen.expect("ready\n");
            run.send(format!("SIG{name}").parse().unwrap());
            run.screen.expect("got\n");
            assert_eq!(run.wait().code(), Some(7), "{name}");
        }
    }
}

/// A command that asked for nothing dies of it, and so does optfs.
#[test]
fn a_signal_that_the_command_does_not_handle_ends_both() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = layer(&stage);
        for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGUSR1] {
            let mut run = stage.start(&[&layer], &["sh", "-c", "echo ready; exec sleep 1000"]);
            run.screen.expect("ready\n");
            run.send(signal);
            assert_eq!(run.wait().signal(), Some(signal as i32));
        }
    }
}

/// As nohup does it: optfs passes the signal on, and the command goes on ignoring it.
#[test]
fn an_ignored_signal_stays_ignored() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let run = shell(&stage, "kill -HUP $PPID; kill -HUP $$; echo alive", &[]);
        let mut nohup = Command::new("sh");
        nohup.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
        nohup.arg(run.get_program()).args(run.get_args());
        nohup
            .env_clear()
            .envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
        assert_eq!(said(&finish(&mut nohup)), "alive\n");
    }
}

/// The terminal sends it to the whole process group: were it passed on too, the command would get two, and a second
/// Ctrl-C means "at once" to many programs.
#[test]
fn ctrl_c_reaches_the_command_once_and_optfs_lives_as_long_as_it() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let script =
            "trap 'echo int' INT; trap 'echo end; exit 3' USR1; echo ready; while :; do sleep 0.02; done";
        let mut terminal = Terminal::start(&shell(&stage, script, &[]));
        terminal.expect("ready");
        terminal.press(b"\x03");
        terminal.expect("int");
        // Comes after whatever optfs might have passed on.
        terminal.send(Signal::SIGUSR1);
        let since = terminal.expect("end");
        assert!(!since.contains("int"), "a second one: {since:?}");
        assert_eq!(terminal.wait().code(), Some(3));
    }
}

#[test]
fn ctrl_c_ends_a_command_that_lets_it() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let mut terminal = Terminal::start(&shell(&stage, "echo ready; exec cat /opt/file -", &[]));
        terminal.expect("seen");
        terminal.press(b"\x03");
        assert_eq!(terminal.wait().signal(), Some(2));
    }
}

#[test]
fn ctrl_z_stops_and_fg_continues() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let run = shell(&stage, "echo ready; exec cat", &[]);
        let mut bash = Command::new("bash");
        bash.args([
            "-mc",
            "\"$0\" \"$@\"; echo stopped=$?; fg >/dev/null; echo over=$?",
        ]);
        bash.arg(run.get_program()).args(run.get_args());
        bash.env_clear()
            .envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut terminal = Terminal::start(&bash);
        terminal.expect("ready");
        terminal.press(b"\x1a");
        terminal.expect("stopped=148");
        terminal.press(b"hello\r");
        // Once from the terminal's echo, once from cat.
        terminal.expect("hello");
        terminal.expect("hello");
        terminal.press(b"\x04");
        terminal.expect("over=0");
        terminal.wait();
    }
}

#[test]
fn the_terminal_is_the_commands() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let script = "for i in 0 1 2; do [ -t $i ] && echo \"$i is\"; done; stty size; read line </dev/tty; \
             echo \"got $line\"";
        let mut terminal = Terminal::start(&shell(&stage, script, &[]));
        terminal.expect("0 is\r\n1 is\r\n2 is\r\n33 101\r\n");
        terminal.press(b"words\r");
        terminal.expect("got words");
        assert!(terminal.wait().success());
    }
}

/// The server is in a session of its own: neither Ctrl-C nor Ctrl-Z takes the view from a command that survives
/// them.
#[test]
fn the_terminals_keys_do_not_reach_the_server() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let script = "trap 'cat /opt/file; exit 4' INT; echo ready; while :; do sleep 0.02; done";
        let mut terminal = Terminal::start(&shell(&stage, script, &[]));
        terminal.expect("ready");
        terminal.press(b"\x03");
        terminal.expect("seen");
        assert_eq!(terminal.wait().code(), Some(4));
    }
}
