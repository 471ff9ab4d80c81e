//! What the child does once it sees the tree, and how it tells: a line of JSON for each thing done.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::passes;

/// Of what a failing command said, so many bytes from the end are passed on.
const SAID_BYTES: usize = 2048;

/// What is to be done with the tree, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// The command, so many times; a walk and a read of everything where there is none.
    Command(u32),
    /// A walk and a read of everything, timed apart, so many times.
    Passes(u32),
}

/// The command that is timed.
#[derive(Debug)]
pub struct Timed<'a> {
    /// Its words; none for a walk and a read of everything.
    pub words: &'a [OsString],
    /// What is set for it beside this process's own variables.
    pub variables: &'a [(&'static str, OsString)],
    /// A file for what it says on standard error.
    pub said: &'a Path,
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Task::Command(times) => write!(f, "command:{times}"),
            Task::Passes(times) => write!(f, "passes:{times}"),
        }
    }
}

impl FromStr for Task {
    type Err = String;

    fn from_str(text: &str) -> Result<Task, String> {
        let unknown = || format!("no such task: {text}");
        let (name, times) = text.split_once(':').ok_or_else(unknown)?;
        let times = times.parse().map_err(|_| unknown())?;
        match name {
            "command" => Ok(Task::Command(times)),
            "passes" => Ok(Task::Passes(times)),
            _ => Err(unknown()),
        }
    }
}

/// Does a task on the tree at `root` and tells of it on `out`. A command that fails is told of, and is the last.
pub fn perform(task: Task, root: &Path, timed: &Timed<'_>, out: &mut dyn Write) -> io::Result<()> {
    fs::metadata(root)?;
    tell(out, &json!({ "ready": true }))?;
    let (Task::Command(times) | Task::Passes(times)) = task;
    for _ in 0..times {
        let done = match (task, timed.words.split_first()) {
            (Task::Command(_), Some((program, arguments))) => run(program, arguments, timed)?,
            (Task::Command(_), None) => {
                let begin = Instant::now();
                passes::read_all(&passes::walk(root)?.files)?;
                json!({ "command_s": begin.elapsed().as_secs_f64() })
            }
            (Task::Passes(_), _) => both_passes(root)?,
        };
        tell(out, &done)?;
        if done.get("failed").is_some() {
            break;
        }
    }
    Ok(())
}

/// What the child told, as the parent keeps it.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) commands: Vec<Duration>,
    pub(super) passes: Vec<Passes>,
    /// How the command failed, and what it said.
    pub(super) failed: Option<(String, String)>,
}

/// One walk and one read of everything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passes {
    pub(super) walk: Duration,
    pub(super) nodes: u64,
    pub(super) read: Duration,
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl Told {
    /// Takes in a line of the child, after the one that says "ready".
    pub(super) fn hear(&mut self, line: &Value) -> Option<()> {
        if let Some(how) = line.get("failed") {
            let said = line.get("said").and_then(Value::as_str).unwrap_or_default();
            self.failed = Some((how.as_str()?.to_owned(), said.to_owned()));
        } else if let Some(seconds) = line.get("command_s") {
            self.commands.push(seconds_of(seconds)?);
        } else {
            let number = |name: &str| line.get(name)?.as_u64();
            self.passes.push(Passes {
                walk: seconds_of(line.get("walk_s")?)?,
                nodes: number("nodes")?,
                read: seconds_of(line.get("read_s")?)?,
                files: number("files")?,
                bytes: number("bytes")?,
            });
        }
        Some(())
    }
}

fn seconds_of(value: &Value) -> Option<Duration> {
    Duration::try_from_secs_f64(value.as_f64()?).ok()
}

fn tell(out: &mut dyn Write, line: &Value) -> io::Result<()> {
    writeln!(out, "{line}")?;
    out.flush()
}

fn both_passes(root: &Path) -> io::Result<Value> {
    let walk = passes::walk(root)?;
    let read = passes::read_all(&walk.files)?;
    Ok(json!({
        "walk_s": walk.elapsed.as_secs_f64(),
        "nodes": walk.nodes,
        "read_s": read.elapsed.as_secs_f64(),
        "files": walk.files.len(),
        "bytes": read.bytes,
    }))
}

/// Runs the command once. Its output is thrown away; what it says on standard error goes to a file and not through a
/// pipe, which a program that it leaves behind would keep open.
fn run(program: &OsString, arguments: &[OsString], timed: &Timed<'_>) -> io::Result<Value> {
    let said = File::create(timed.said)?;
    let begin = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .envs(timed.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said)
        .status();
    let elapsed = begin.elapsed();
    let how = match status {
        Ok(status) if status.success() => return Ok(json!({ "command_s": elapsed.as_secs_f64() })),
        Ok(status) => ended(status),
        Err(error) => format!("could not be started: {error}"),
    };
    let said = fs::read(timed.said)?;
    let end = &said[said.len().saturating_sub(SAID_BYTES)..];
    Ok(json!({ "failed": how, "said": String::from_utf8_lossy(end) }))
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => format!("ended: {status}"),
    }
}
