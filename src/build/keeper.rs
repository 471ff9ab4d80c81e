//! The keeper: a process of this program that has the directory of a build and the tool that writes into it. When the process
//! that asked for the build ends, however it does, the tool is killed and the directory is gone.
//!
//! ```text
//! asks                     keeper
//!   |  <-- DIRECTORY\0       |   makes the directory
//!   |  WORK\0WORD\0…\0\0 ->  |   starts the tool, in the directory WORK
//!   |  <-- its lines         |   on standard error, until the tool and all that it started have closed it
//!   |  <-- ended STATUS\n    |
//!   |  (end of file) ---->   |   kills what runs, removes the directory
//! ```

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, dup2_stderr, setsid};

use super::{BuildError, Progress};
use crate::launch::scratch::{Scratch, remove};

/// How often the keeper looks whether the tool has ended.
const LOOK_MS: u16 = 20;
/// How often it tries to remove the directory.
const MOST_CLEARINGS: u32 = 250;
/// How many bytes of a tool's line are kept.
const LONGEST_LINE: u64 = 4096;
/// How many of its last lines.
const MOST_LINES: usize = 400;

/// A directory that a keeper has. Dropped, it is gone.
pub(super) struct Kept {
    child: Child,
    lifeline: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    directory: PathBuf,
}

/// How a tool has ended.
pub(super) struct Ended {
    pub(super) status: i32,
    /// The last of what it has printed, both of its outputs.
    pub(super) lines: Vec<String>,
}

impl Kept {
    /// Starts a keeper, which makes a directory.
    pub(super) fn new(mut keeper: Command) -> Result<Kept, BuildError> {
        let mut child = keeper
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(trouble)?;
        let lifeline = child.stdin.take();
        let Some(stdout) = child.stdout.take() else {
            return Err(BuildError::Keeper("has no standard output".to_owned()));
        };
        let mut kept = Kept {
            child,
            lifeline,
            answers: BufReader::new(stdout),
            directory: PathBuf::new(),
        };
        let mut path = Vec::new();
        kept.answers.read_until(0, &mut path).map_err(trouble)?;
        if path.pop() != Some(0) {
            let mut why = String::new();
            if let Some(stderr) = &mut kept.child.stderr {
                stderr
                    .take(LONGEST_LINE)
                    .read_to_string(&mut why)
                    .map_err(trouble)?;
            }
            return Err(BuildError::Keeper(why.trim().to_owned()));
        }
        kept.directory = PathBuf::from(OsString::from_vec(path));
        Ok(kept)
    }

    /// The directory.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Runs a tool to its end; one a keeper.
    pub(super) fn run(
        &mut self,
        work: &Path,
        words: &[OsString],
        progress: &dyn Progress,
    ) -> Result<Ended, BuildError> {
        let mut request = Vec::new();
        for word in std::iter::once(work.as_os_str()).chain(words.iter().map(OsString::as_os_str)) {
            request.extend_from_slice(word.as_bytes());
            request.push(0);
        }
        request.push(0);
        if let Some(lifeline) = &mut self.lifeline {
            lifeline.write_all(&request).map_err(trouble)?;
        }
        let lines = match self.child.stderr.take() {
            Some(stderr) => read_lines(stderr, progress).map_err(trouble)?,
            None => Vec::new(),
        };
        let mut answer = String::new();
        self.answers.read_line(&mut answer).map_err(trouble)?;
        let answer = answer.trim_end();
        match answer
            .strip_prefix("ended ")
            .and_then(|status| status.parse().ok())
        {
            Some(status) => Ok(Ended { status, lines }),
            None if answer.is_empty() => Err(BuildError::Keeper("was killed".to_owned())),
            None => Err(BuildError::Keeper(answer.to_owned())),
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.child.wait();
    }
}

/// What a tool prints, line by line, until nobody has its output open any more.
fn read_lines(from: impl Read, progress: &dyn Progress) -> io::Result<Vec<String>> {
    let (mut from, mut lines) = (BufReader::new(from), Vec::new());
    loop {
        let mut line = Vec::new();
        if from.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(lines);
        }
        // Bars of theirs come as carriage returns: the last thing written is what stands there.
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end().rsplit('\r').next().unwrap_or("");
        if !text.is_empty() {
            progress.says(text);
            lines.push(text.to_owned());
        }
        if lines.len() >= 2 * MOST_LINES {
            lines.drain(..MOST_LINES);
        }
    }
}

/// The keeper's whole life. `parent` is where its directory is made.
///
/// # Errors
/// What the system says; the process that asked for the build reads it.
pub fn keep(parent: &Path) -> io::Result<()> {
    // The terminal's signals are for the process that asks: when it ends, so does this one.
    let _ = setsid();
    let scratch = Scratch::new(parent, "build")?;
    let (mut stdin, mut stdout) = (io::stdin().lock(), io::stdout().lock());
    stdout.write_all(scratch.path().as_os_str().as_bytes())?;
    stdout.write_all(&[0])?;
    stdout.flush()?;
    let mut words = Vec::new();
    loop {
        let mut word = Vec::new();
        stdin.read_until(0, &mut word)?;
        match word.pop() {
            Some(0) if !word.is_empty() => words.push(OsString::from_vec(word)),
            Some(0) => break,
            // Whoever asked has ended, or wanted no more than the directory.
            _ => return Ok(()),
        }
    }
    match start(&words) {
        Ok(mut tool) => watch(&mut tool, &mut stdout)?,
        Err(error) => writeln!(stdout, "{error}")?,
    }
    stdout.flush()?;
    hang_up()?;
    // The directory is wanted until the other end is closed.
    let mut rest = [0; 64];
    while stdin.read(&mut rest)? > 0 {}
    clear(&scratch);
    Ok(())
}

/// Removes the directory. What was killed a moment ago may still be writing into it.
fn clear(scratch: &Scratch) {
    for _ in 0..MOST_CLEARINGS {
        if remove(scratch.path()).is_ok() {
            return;
        }
        thread::sleep(Duration::from_millis(u64::from(LOOK_MS)));
    }
}

fn start(words: &[OsString]) -> io::Result<Child> {
    let [work, program, arguments @ ..] = words else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let named = |error: io::Error| {
        let program = OsStr::to_string_lossy(program);
        io::Error::new(error.kind(), format!("{program}: {error}"))
    };
    let output = io::stderr().as_fd().try_clone_to_owned()?;
    let tool = Command::new(program)
        .args(arguments)
        .current_dir(work)
        .stdin(Stdio::null())
        .stdout(output)
        .process_group(0)
        .spawn()
        .map_err(named)?;
    // From here on the pipe is the tool's alone, and ends with it.
    hang_up()?;
    Ok(tool)
}

/// Lets go of standard error.
fn hang_up() -> io::Result<()> {
    let null = OpenOptions::new().write(true).open("/dev/null")?;
    Ok(dup2_stderr(&null)?)
}

/// Waits until the tool ends, or nobody waits for it any more; what it left running is killed.
fn watch(tool: &mut Child, answers: &mut impl Write) -> io::Result<()> {
    let pid = Pid::from_raw(i32::try_from(tool.id()).map_err(io::Error::other)?);
    let stdin = io::stdin();
    let mut is_asked = true;
    loop {
        // Only looked at: until it is waited for, the number is nobody else's.
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        if waitid(Id::Pid(pid), flags)? != WaitStatus::StillAlive || !is_asked {
            break;
        }
        let mut ends = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        // Nothing more is ever written: what can be read is the end.
        is_asked = poll(&mut ends, LOOK_MS)? == 0;
    }
    let _ = killpg(pid, Signal::SIGKILL);
    let ended = tool.wait()?;
    let status = ended.code().or_else(|| Some(128 + ended.signal()?));
    writeln!(answers, "ended {}", status.unwrap_or(128))
}

fn trouble(error: io::Error) -> BuildError {
    BuildError::Keeper(error.to_string())
}
