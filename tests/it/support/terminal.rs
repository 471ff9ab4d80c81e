//! A terminal with a person in front of it, and a command that has it as its own.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::{Pid, ttyname};

use super::program::Screen;
use super::until::until;

/// A terminal of 33 lines of 101 columns.
pub(crate) struct Terminal {
    leader: Child,
    keyboard: Option<File>,
    screen: Screen,
    /// Its path, for programs that ask it or change it.
    name: PathBuf,
    /// Its modes before the command was started.
    first_modes: Termios,
}

impl Terminal {
    pub(crate) fn start(command: &Command) -> Terminal {
        let size = Winsize {
            ws_row: 33,
            ws_col: 101,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(Some(&size), None).expect("a terminal is to be had");
        let copy = |end: &OwnedFd| Stdio::from(end.try_clone().expect("a descriptor is to be had"));
        let first_modes = tcgetattr(&pty.master).expect("a terminal has modes");
        // Executes the command itself, so the process started here is the command.
        let mut setsid = Command::new("setsid");
        setsid.arg("--ctty").arg(command.get_program());
        setsid.args(command.get_args()).env_clear();
        setsid.envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let leader = setsid
            .stdin(copy(&pty.slave))
            .stdout(copy(&pty.slave))
            .stderr(copy(&pty.slave))
            .spawn()
            .expect("setsid is installed");
        let name = ttyname(&pty.slave).expect("a terminal has a name");
        let keyboard = File::from(pty.master);
        let screen = Screen::of(keyboard.try_clone().expect("a descriptor is to be had"));
        Terminal {
            leader,
            keyboard: Some(keyboard),
            screen,
            name,
            first_modes,
        }
    }

    /// Its modes as the command found them.
    pub(crate) fn first_modes(&self) -> &Termios {
        &self.first_modes
    }

    /// Its modes: whether it echoes, edits lines, and all the rest.
    pub(crate) fn modes(&self) -> Termios {
        let keyboard = self.keyboard.as_ref().expect("a terminal that is still there");
        tcgetattr(keyboard).expect("a terminal has modes")
    }

    /// Gives it another size, as dragging the corner of its window does.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        let (rows, columns) = (rows.to_string(), columns.to_string());
        let mut stty = Command::new("stty");
        stty.arg("-F")
            .arg(&self.name)
            .args(["rows", &rows, "cols", &columns]);
        assert!(stty.status().expect("stty is installed").success());
    }

    pub(crate) fn press(&mut self, keys: &[u8]) {
        let keyboard = self.keyboard.as_mut().expect("a terminal that is still there");
        keyboard.write_all(keys).expect("a terminal can be typed at");
    }

    /// Waits until this text is on the screen; returns what came before it.
    pub(crate) fn expect(&mut self, text: &str) -> String {
        self.screen.expect(text)
    }

    pub(crate) fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.leader.id().cast_signed()), signal).expect("a child not yet waited for");
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("the terminal's command has ended", || {
            status = self.leader.try_wait().expect("a child of ours");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leader.kill().ok();
        self.leader.wait().ok();
    }
}
