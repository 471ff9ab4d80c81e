//! One child with the tree in view, from its start to the last of its processes: mounted, with a server, or
//! extracted, without.

use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use serde_json::{Value, json};

use super::BenchError;
use super::interrupt::Interrupts;
use super::task::Told;
use crate::launch::parent::{self, RunError, Started};

/// A server whose mount is gone ends at once, unless the command has left somebody behind who still sees it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the server has to say at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Bytes of files that went to the kernel, read-ahead included.
    pub bytes: u64,
    /// The most memory that it had, in bytes; unknown where /proc does not say.
    pub peak_memory_bytes: Option<u64>,
}

/// All that is known of a child's life.
#[derive(Debug)]
pub(super) struct Lived {
    /// From the start of the processes until the tree answered.
    pub(super) ready: Duration,
    pub(super) told: Told,
    /// Unknown when the server had to be killed.
    pub(super) served: Option<Served>,
}

impl Served {
    /// What this process has served, to be printed for the parent.
    pub fn by_this_process(bytes: u64) -> Served {
        Served {
            bytes,
            peak_memory_bytes: peak_memory_bytes(),
        }
    }

    /// As one line of JSON.
    pub fn to_line(self) -> String {
        json!({ "served_bytes": self.bytes, "peak_memory_bytes": self.peak_memory_bytes }).to_string()
    }

    fn from_line(line: &str) -> Option<Served> {
        let value: Value = serde_json::from_str(line).ok()?;
        Some(Served {
            bytes: value.get("served_bytes")?.as_u64()?,
            peak_memory_bytes: value.get("peak_memory_bytes")?.as_u64(),
        })
    }
}

/// Runs the two processes of a mounted tree, or the one of an extracted tree, and listens until both have ended.
pub(super) fn live(
    mut server: Option<Command>,
    mut child: Command,
    interrupts: &Interrupts,
) -> Result<Lived, BenchError> {
    if let Some(server) = &mut server {
        server.stdout(Stdio::piped());
    }
    child.stdout(Stdio::piped());
    // A group of its own, which can be killed as a whole: the command and what it started.
    std::os::unix::process::CommandExt::process_group(&mut child, 0);
    let begin = Instant::now();
    let Started {
        server,
        mut child,
        stdin,
    } = parent::start(server, child)?;
    interrupts.running(Pid::from_raw(child.id().cast_signed()));
    stdin.send(io::stdin().as_fd()).map_err(RunError::Handover)?;
    let heard = listen(&mut child, begin);
    interrupts.ended();
    let status = child.wait()?;
    let served = server.map(hear_out).transpose()?.flatten();
    if let Some(signal) = interrupts.signal() {
        return Err(BenchError::Interrupted(signal));
    }
    match heard? {
        Some((ready, told)) if status.success() => Ok(Lived { ready, told, served }),
        _ => Err(child_failed(status)),
    }
}

/// Runs a process that tells nothing but how it ended.
pub(super) fn run(mut command: Command, interrupts: &Interrupts) -> Result<Duration, BenchError> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let begin = Instant::now();
    let mut child = command.spawn()?;
    interrupts.running(Pid::from_raw(child.id().cast_signed()));
    let mut said = String::new();
    let heard = child
        .stderr
        .take()
        .map(|mut stderr| stderr.read_to_string(&mut said));
    interrupts.ended();
    let status = child.wait()?;
    let elapsed = begin.elapsed();
    if let Some(signal) = interrupts.signal() {
        return Err(BenchError::Interrupted(signal));
    }
    heard.transpose()?;
    match status.success() {
        true => Ok(elapsed),
        false => Err(BenchError::Extract(said.trim().to_owned())),
    }
}

/// When the tree answered, and what the child told after that; nothing when it never came so far.
fn listen(child: &mut Child, begin: Instant) -> io::Result<Option<(Duration, Told)>> {
    let Some(stdout) = child.stdout.take() else {
        return Ok(None);
    };
    let mut ready = None;
    let mut told = Told::default();
    for line in BufReader::new(stdout).lines() {
        let line: Value = serde_json::from_str(&line?).unwrap_or_default();
        match ready {
            None if line.get("ready").is_some() => ready = Some(begin.elapsed()),
            Some(_) if told.hear(&line).is_some() => {}
            _ => return Ok(None),
        }
    }
    Ok(ready.map(|ready| (ready, told)))
}

/// Waits for the server, and takes what it says at its end.
fn hear_out(mut server: Child) -> io::Result<Option<Served>> {
    let deadline = Instant::now() + PATIENCE;
    while server.try_wait()?.is_none() {
        if Instant::now() > deadline {
            server.kill()?;
            server.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(1));
    }
    let mut line = String::new();
    if let Some(mut stdout) = server.stdout.take() {
        stdout.read_to_string(&mut line)?;
    }
    Ok(Served::from_line(&line))
}

/// The child has said why, on standard error.
fn child_failed(status: ExitStatus) -> BenchError {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    BenchError::Child(code.filter(|&code| code != 0).unwrap_or(u8::MAX))
}

/// The high-water mark of this process's resident memory (proc_pid_status(5)).
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}
