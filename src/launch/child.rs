//! C: the first and the last step of the process that becomes the command. Between them lie `namespace`, the
//! caller's mount and `handover`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

/// Why the command was not executed. [`exit_status`](ExecError::exit_status) is the shell's number for it.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// No such file, or nothing of that name in PATH.
    #[error("{command}: command not found")]
    NotFound {
        /// As the user wrote it.
        command: String,
    },
    /// The file is there; what its first line, or its ELF header, asks for is not. Scripts in layers often name
    /// Lambda's own interpreters, such as /var/lang/bin/python3.12.
    #[error("{}: cannot be executed: its interpreter {interpreter} is not on this machine", file.display())]
    NoInterpreter {
        /// The file that was found.
        file: PathBuf,
        /// The path in its first line, or what stands for it.
        interpreter: String,
    },
    /// Not executable, a directory, a wrong format, too many arguments.
    #[error("{command}: cannot be executed")]
    NotExecutable {
        /// As the user wrote it.
        command: String,
        /// How the kernel said it.
        source: io::Error,
    },
}

impl ExecError {
    /// 127 when there is no such command, 126 when there is and it cannot be executed.
    pub fn exit_status(&self) -> u8 {
        match self {
            ExecError::NotFound { .. } => 127,
            ExecError::NoInterpreter { .. } | ExecError::NotExecutable { .. } => 126,
        }
    }
}

/// Asks the kernel to kill this process, and the command it becomes, when `parent` dies.
///
/// Fails when `parent` is already gone. The kernel forgets the wish when the command is a setuid program.
pub fn die_with(parent: Pid) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // It may have died before the wish was made; then nobody would ever keep it.
    if getppid() != parent {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the process that started this one is gone",
        ));
    }
    Ok(())
}

/// Replaces this process with the command. Returns only if that fails.
///
/// The command is looked for in the PATH of `environment`, so that programs of the view are found. `environment` is
/// added to this process's own, less what is `hidden`. A working directory at or below the mount point is entered again, or the
/// command would still stand in what the mount covers.
pub fn exec(
    command: &OsStr,
    arguments: &[OsString],
    environment: &[(impl AsRef<OsStr>, OsString)],
    hidden: &[OsString],
    stdin: OwnedFd,
) -> ExecError {
    if let Ok(directory) = env::current_dir() {
        env::set_current_dir(directory).ok();
    }
    let mut become_it = Command::new(command);
    for name in hidden {
        become_it.env_remove(name);
    }
    let source = become_it
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(stdin)
        .exec();
    let path = environment
        .iter()
        .find(|(name, _)| name.as_ref() == "PATH")
        .map(|(_, value)| value.clone());
    explain(command, path.or_else(|| env::var_os("PATH")), source)
}

fn explain(command: &OsStr, path: Option<OsString>, source: io::Error) -> ExecError {
    let name = command.to_string_lossy().into_owned();
    match find(command, path) {
        // Also when a directory in PATH is closed to this user, for which the kernel says EACCES.
        None => ExecError::NotFound { command: name },
        Some(file) if source.kind() == io::ErrorKind::NotFound => {
            let interpreter = interpreter(&file).unwrap_or_else(|| "(the dynamic loader)".to_owned());
            ExecError::NoInterpreter { file, interpreter }
        }
        Some(_) => ExecError::NotExecutable {
            command: name,
            source,
        },
    }
}

/// The file that a command names, as execvp(3) looks for it, executable or not.
fn find(command: &OsStr, path: Option<OsString>) -> Option<PathBuf> {
    if command.is_empty() {
        return None;
    }
    if command.as_bytes().contains(&b'/') {
        return Path::new(command).exists().then(|| command.into());
    }
    env::split_paths(&path?)
        .map(|directory| directory.join(command))
        .find(|file| file.is_file())
}

/// The path after `#!`.
fn interpreter(file: &Path) -> Option<String> {
    // The kernel reads no more of the first line either.
    let mut line = Vec::new();
    BufReader::new(File::open(file).ok()?.take(256))
        .read_until(b'\n', &mut line)
        .ok()?;
    let words = String::from_utf8_lossy(line.strip_prefix(b"#!")?).into_owned();
    words.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn script(directory: &Path, name: &str, first_line: &str, mode: u32) -> PathBuf {
        let file = directory.join(name);
        fs::write(&file, format!("{first_line}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    /// Spawned and not executed: a failed exec leaves its marks on the whole test process.
    fn try_to_exec(command: &OsStr, path: &Path) -> ExecError {
        let source = Command::new(command).env("PATH", path).spawn().unwrap_err();
        explain(command, Some(path.into()), source)
    }

    #[test]
    fn an_unknown_command_is_127() {
        let directory = tempfile::tempdir().unwrap();
        let error = try_to_exec("no-such-command".as_ref(), directory.path());
        assert_eq!(
            (error.to_string().as_str(), error.exit_status()),
            ("no-such-command: command not found", 127)
        );
        let error = try_to_exec("./no-such-file".as_ref(), directory.path());
        assert_eq!(error.exit_status(), 127);
        assert_eq!(try_to_exec("".as_ref(), directory.path()).exit_status(), 127);
    }

    #[test]
    fn a_file_without_the_exec_bit_is_126() {
        let directory = tempfile::tempdir().unwrap();
        script(directory.path(), "tool", "#!/bin/sh", 0o644);
        let error = try_to_exec("tool".as_ref(), directory.path());
        assert_eq!(
            (error.to_string().as_str(), error.exit_status()),
            ("tool: cannot be executed", 126)
        );
    }

    #[test]
    fn a_script_for_lambdas_interpreter_says_what_is_missing() {
        let directory = tempfile::tempdir().unwrap();
        let file = script(directory.path(), "tool", "#!/var/lang/bin/python3.12 -s", 0o755);
        let error = try_to_exec("tool".as_ref(), directory.path());
        assert_eq!(error.exit_status(), 126);
        assert_eq!(
            error.to_string(),
            format!(
                "{}: cannot be executed: its interpreter /var/lang/bin/python3.12 is not on this machine",
                file.display()
            )
        );
    }

    #[test]
    fn a_vanished_parent_is_noticed() {
        assert!(die_with(Pid::from_raw(i32::MAX)).is_err());
        prctl::set_pdeathsig(None).unwrap();
    }
}
