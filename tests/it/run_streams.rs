//! Standard input, output and error of `optfs run` are the command's own, and it has no other descriptor.

use std::path::PathBuf;
use std::process::Stdio;
use std::thread;

use crate::support::program::{Program, finish, outcome, said};
use crate::support::raw_zip::RawZip;
use crate::support::stage::{Stage, everybody};

fn layer(stage: &Stage) -> PathBuf {
    stage.layer("layer.zip", RawZip::new().file("file", "seen\n"))
}

#[test]
fn large_binary_input_comes_out_unchanged() {
    let bytes: Vec<u8> = (0..4_000_000_u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for &who in everybody() {
        let stage = Stage::new(who);
        let mut run = stage.start(&[layer(&stage)], &["cat"]);
        thread::scope(|scope| {
            scope.spawn(|| {
                run.type_in(&bytes);
                run.end_of_input();
            });
        });
        assert!(run.wait().success());
        assert!(run.screen.rest() == bytes, "not the same bytes");
    }
}

#[test]
fn standard_error_is_a_stream_of_its_own() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let output = stage.run(&[layer(&stage)], &["sh", "-c", "echo out; echo err >&2"]);
        assert_eq!(
            outcome(&output),
            (Some(0), "out\n".to_owned(), "err\n".to_owned())
        );
    }
}

/// The last in a pipe goes away: the command dies of SIGPIPE as it would without optfs, and the shell's pipe
/// ends.
#[test]
fn a_closed_output_is_the_commands_to_notice() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let mut bash = stage.command("bash");
        bash.args(["-c", "\"$@\" -- yes | head -n 1; echo ${PIPESTATUS[0]}", "bash"]);
        bash.arg(stage.program())
            .args(["run", "--layer"])
            .arg(layer(&stage));
        assert_eq!(said(&finish(&mut bash)), "y\n141\n");
    }
}

/// optfs holds no end of a pipe that the command has closed, though it waits on.
#[test]
fn a_pipe_ends_when_the_command_closes_it() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let script = "echo last; exec >/dev/null; read line";
        let mut run = stage.start(&[layer(&stage)], &["sh", "-c", script]);
        assert_eq!(run.screen.rest(), b"last\n");
        assert!(run.child.try_wait().unwrap().is_none(), "the command reads");
        run.type_in(b"line\n");
        assert!(run.wait().success());
    }
}

/// A writer notices that the command has closed its standard input, though optfs waits on.
#[test]
fn input_that_the_command_has_closed_cannot_be_written_to() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let script = "\"$@\" -- sh -c 'exec <&-; echo closed; read line <\"$0\"' \"$FIFO\"";
        let fifo = stage.path("notes").join("fifo");
        let writer =
            "mkfifo -m 666 \"$FIFO\"; { while echo more; do :; done 2>/dev/null; echo >\"$FIFO\"; } | ";
        let mut bash = stage.command("bash");
        bash.args(["-c", &format!("trap '' PIPE; {writer} {script}"), "bash"]);
        bash.arg(stage.program())
            .args(["run", "--layer"])
            .arg(layer(&stage));
        assert_eq!(said(&finish(bash.env("FIFO", &fifo))), "closed\n");
    }
}

#[test]
fn the_command_has_no_descriptor_of_optfs() {
    for &who in everybody() {
        let stage = Stage::new(who);
        // What whoever runs these tests left open is in both lists.
        let without = finish(stage.command("ls").arg("/proc/self/fd"));
        let with = stage.run(&[layer(&stage)], &["ls", "/proc/self/fd"]);
        assert_eq!(said(&with), said(&without));
    }
}

#[test]
fn input_from_a_file_keeps_its_place() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let words = stage.path("notes").join("words");
        std::fs::write(&words, "one\ntwo\nthree\n").unwrap();
        let mut bash = stage.command("bash");
        // `read` takes one line and sets the place back behind it, which only the same open file can show.
        bash.args(["-c", "read a; \"$@\" -- sh -c 'read b; echo \"$b\"'; cat", "bash"]);
        bash.arg(stage.program())
            .args(["run", "--layer"])
            .arg(layer(&stage));
        let output = Program::start(bash.stdin(Stdio::from(std::fs::File::open(words).unwrap())))
            .screen
            .rest();
        assert_eq!(String::from_utf8(output).unwrap(), "two\nthree\n");
    }
}

/// A lock on a descriptor of the shell, or a pipe to another of its programs: the command has it, as it would
/// without optfs; what serves the view, which may live longer, has not.
#[test]
fn the_server_keeps_nothing_that_the_shell_had_open() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let mut bash = stage.command("bash");
        let inside = "echo inside >&9; echo ready; read line";
        bash.args(["-c", &format!("exec 9>\"$0\"; exec \"$@\" -- sh -c '{inside}'")]);
        let own = stage.path("notes").join("own");
        bash.arg(&own)
            .arg(stage.program())
            .args(["run", "--layer"])
            .arg(layer(&stage));
        let mut run = Program::start(&mut bash);
        run.screen.expect("ready\n");
        assert_eq!(std::fs::read_to_string(&own).unwrap(), "inside\n");
        let open = std::fs::read_dir(format!("/proc/{}/fd", stage.server())).unwrap();
        let open: Vec<_> = open
            .map(|fd| std::fs::read_link(fd.unwrap().path()).unwrap())
            .collect();
        assert!(!open.contains(&own), "{open:?}");
        run.type_in(b"go on\n");
        assert!(run.wait().success());
    }
}
