//! Programs under a test's eyes: started, read from, waited for, always with a deadline, so that what hangs is
//! a failed test and not a silent machine.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::until::until;

/// Nothing that works takes as long as this, however busy the machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Runs a program with nothing to read, and returns what it wrote and how it ended.
pub(crate) fn finish(command: &mut Command) -> Output {
    let mut program = Program::start(command.stdin(Stdio::null()).stderr(Stdio::piped()));
    let mut stderr = program.child.stderr.take().expect("piped above");
    let complaints = thread::spawn(move || {
        let mut text = Vec::new();
        stderr.read_to_end(&mut text).expect("a pipe can be read");
        text
    });
    let status = program.wait();
    Output {
        status,
        stdout: program.screen.rest(),
        stderr: complaints.join().expect("the reader does not panic"),
    }
}

/// What a program wrote, of which nothing may be wrong.
pub(crate) fn said(output: &Output) -> &str {
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{:?}: {complaints}",
        output.status
    );
    std::str::from_utf8(&output.stdout).expect("the programs of the tests print UTF-8")
}

/// Exit status, standard output and standard error, to be compared at once.
pub(crate) fn outcome(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A program that runs while the test goes on. Killed when the test forgets it.
pub(crate) struct Program {
    pub(crate) child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) screen: Screen,
}

impl Program {
    /// With a pipe to its standard input unless the command has another, and one from its standard output.
    pub(crate) fn start(command: &mut Command) -> Program {
        let name = format!("{command:?}");
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        Program {
            stdin: child.stdin.take(),
            screen: Screen::of(child.stdout.take().expect("piped above")),
            child,
        }
    }

    pub(crate) fn type_in(&mut self, text: &[u8]) {
        let stdin = self.stdin.as_mut().expect("a pipe that is still open");
        stdin.write_all(text).expect("a program that still reads");
    }

    /// Closes its standard input.
    pub(crate) fn end_of_input(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("a child not yet waited for");
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("the program has ended", || {
            status = self.child.try_wait().expect("a child of ours");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What comes out of a pipe or a terminal, as it comes.
pub(crate) struct Screen {
    pieces: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Screen {
    pub(crate) fn of(mut source: impl Read + Send + 'static) -> Screen {
        let (show, pieces) = channel();
        thread::spawn(move || {
            let mut piece = vec![0; 1 << 16];
            // A terminal that nobody has any more reads as EIO.
            while let Ok(length @ 1..) = source.read(&mut piece) {
                if show.send(piece[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Screen {
            pieces,
            seen: Vec::new(),
        }
    }

    /// Waits until this text is there; returns what came before it, and forgets both.
    pub(crate) fn expect(&mut self, text: &str) -> String {
        loop {
            let found = self
                .seen
                .windows(text.len())
                .position(|part| part == text.as_bytes());
            if let Some(start) = found {
                let rest = self.seen.split_off(start + text.len());
                let before = std::mem::replace(&mut self.seen, rest);
                return String::from_utf8_lossy(&before[..start]).into_owned();
            }
            match self.pieces.recv_timeout(DEADLINE) {
                Ok(piece) => self.seen.extend(piece),
                Err(why) => panic!(
                    "{text:?} never came ({why}), only {:?}",
                    String::from_utf8_lossy(&self.seen)
                ),
            }
        }
    }

    /// The next whole line.
    pub(crate) fn line(&mut self) -> String {
        self.expect("\n")
    }

    /// Everything up to the end.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        loop {
            match self.pieces.recv_timeout(DEADLINE) {
                Ok(piece) => self.seen.extend(piece),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
                    return std::mem::take(&mut self.seen);
                }
                Err(why) => panic!("somebody still has the other end: {why}"),
            }
        }
    }
}
