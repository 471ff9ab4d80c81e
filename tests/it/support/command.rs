//! Programs as a user calls them, optfs first of all, and what they answer.

use std::process::Command;

/// The binary under test.
pub(crate) const OPTFS: &str = env!("CARGO_BIN_EXE_optfs");

/// What a program left behind when it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The exit status; none when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary under test, without what the developer's own shell says about packages and logging.
pub(crate) fn optfs() -> Command {
    let mut optfs = Command::new(OPTFS);
    for variable in ["PYTHONPATH", "NODE_PATH", "OPTFS_LOG"] {
        optfs.env_remove(variable);
    }
    // The developer's own are left alone.
    optfs.env("OPTFS_STORE", concat!(env!("CARGO_TARGET_TMPDIR"), "/no-store"));
    optfs.env("OPTFS_INDEX_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/index"));
    optfs
}

/// Runs a program to its end; both of its outputs too, whoever inherited them.
pub(crate) fn answer(command: &mut Command) -> Answer {
    let done = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Answer {
        code: done.status.code(),
        stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

/// The standard output of a program that must succeed.
pub(crate) fn output(command: &mut Command) -> String {
    let answer = answer(command);
    assert_eq!(answer.code, Some(0), "{command:?}: {answer:?}");
    answer.stdout
}
