//! Where `optfs run` is tried: a user, the built binary within that user's reach, a directory for layers and
//! mount points. A stage that closes proves that nothing was left behind.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

use super::device::DeviceForAll;
use super::program::{Program, finish};
use super::raw_zip::RawZip;
use super::until::until;

/// Where programs are looked for: no directory of root's own, which another user could not enter.
pub(crate) const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The number of an ordinary user, when the tests themselves run as root.
pub(crate) const NOBODY: &str = "65534";

/// By this variable a process is known as one of a stage.
const MARK: &str = "OPTFS_TEST_STAGE";

/// Who runs optfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// May mount: a mount namespace is enough.
    Root,
    /// May not: needs a user namespace too.
    User,
}

/// Whom a scene is played for: root as well when the tests run as root, as they do where they are judged.
pub(crate) fn everybody() -> &'static [Who] {
    match geteuid().is_root() {
        true => &[Who::Root, Who::User],
        false => &[Who::User],
    }
}

/// One user's place for one scene.
pub(crate) struct Stage {
    pub(crate) who: Who,
    directory: TempDir,
    opt_before: (Vec<String>, Vec<PathBuf>),
    _device: DeviceForAll,
}

/// A process that belongs to a stage.
pub(crate) struct Process {
    pub(crate) pid: Pid,
    /// The words of its command line.
    words: Vec<String>,
}

impl Process {
    /// Whether it is the one that serves the view.
    pub(crate) fn serves(&self) -> bool {
        self.words.get(1).is_some_and(|word| word == "run-server")
    }
}

impl Stage {
    pub(crate) fn new(who: Who) -> Stage {
        let directory = tempfile::tempdir().expect("a writable temporary directory");
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("our own directory");
        let stage = Stage {
            who,
            directory,
            opt_before: machines_opt(),
            _device: DeviceForAll::open(),
        };
        for name in ["at", "temp", "notes"] {
            stage.directory(name);
        }
        // The build directory may lie where the ordinary user cannot go.
        let built = env!("CARGO_BIN_EXE_optfs");
        if fs::hard_link(built, stage.program()).is_err() {
            // By another process: a child started by another test meanwhile would inherit our descriptor, and a
            // program that somebody may still write to cannot be executed.
            let copied = Command::new("cp").arg(built).arg(stage.program()).status();
            assert!(copied.is_ok_and(|status| status.success()), "{built}: not copied");
        }
        stage
    }

    /// A path below the stage's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The same as text, for the words of a command.
    pub(crate) fn text(&self, name: &str) -> String {
        let path = self.path(name).into_os_string();
        path.into_string()
            .expect("temporary directories have UTF-8 names")
    }

    /// A new directory that everybody may write to.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).expect("a writable temporary directory");
        fs::set_permissions(&path, Permissions::from_mode(0o777)).expect("our own directory");
        path
    }

    /// Writes a layer.
    pub(crate) fn layer(&self, name: &str, zip: RawZip) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, zip.build()).expect("a writable temporary directory");
        path
    }

    /// The built optfs, where everybody can reach it.
    pub(crate) fn program(&self) -> PathBuf {
        self.path("optfs")
    }

    /// Any program, started by the stage's user with an environment of three variables.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match self.who == Who::User && geteuid().is_root() {
            true => {
                let mut setpriv = Command::new("setpriv");
                setpriv.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"]);
                setpriv.arg(program);
                setpriv
            }
            false => Command::new(program),
        };
        command
            .env_clear()
            .env("PATH", PATH)
            .env("TMPDIR", self.path("temp"))
            .env(MARK, self.directory.path())
            .stdin(Stdio::piped());
        command
    }

    /// `optfs run`, with the layers and options of the scene, before the command's words.
    pub(crate) fn run_command<L: AsRef<Path>>(&self, layers: &[L], options: &[&str]) -> Command {
        let mut command = self.command(self.program());
        command.arg("run");
        for layer in layers {
            command.arg("--layer").arg(layer.as_ref());
        }
        command.args(options).arg("--");
        command
    }

    /// `optfs run -- command`, to its end.
    pub(crate) fn run<L: AsRef<Path>>(&self, layers: &[L], command: &[&str]) -> Output {
        finish(self.run_command(layers, &[]).args(command))
    }

    /// `optfs run -- command`, under way.
    pub(crate) fn start<L: AsRef<Path>>(&self, layers: &[L], command: &[&str]) -> Program {
        Program::start(self.run_command(layers, &[]).args(command))
    }

    /// A machine of its own for a shell script of root's: what it mounts, nobody else sees. The script ends by
    /// executing `"$@"`, this command.
    pub(crate) fn on_another_machine(&self, script: &str, command: &Command) -> Command {
        assert!(
            geteuid().is_root(),
            "this scene needs root, which these tests do not run as"
        );
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-euc", script, "sh"]);
        unshare.arg(command.get_program()).args(command.get_args());
        unshare.env_clear().stdin(Stdio::null());
        unshare.envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        unshare.env("OPTFS", self.program());
        unshare
    }

    /// The stage's living processes, whoever their parents are now.
    pub(crate) fn processes(&self) -> Vec<Process> {
        let mark = format!("{MARK}={}", self.directory.path().display());
        let all = fs::read_dir("/proc").expect("/proc is mounted");
        let numbers = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        numbers
            .filter_map(|number: i32| {
                // One that ended meanwhile, or waits to be buried, has no environment to read.
                let words = |file: &str| {
                    let bytes = fs::read(format!("/proc/{number}/{file}")).ok()?;
                    let words = bytes.split(|&byte| byte == 0);
                    Some(
                        words
                            .map(|word| String::from_utf8_lossy(word).into_owned())
                            .collect::<Vec<_>>(),
                    )
                };
                words("environ")?.contains(&mark).then_some(())?;
                Some(Process {
                    pid: Pid::from_raw(number),
                    words: words("cmdline")?,
                })
            })
            .collect()
    }

    /// The process that serves the view of the one run under way.
    pub(crate) fn server(&self) -> Pid {
        let processes = self.processes();
        let server = processes.iter().find(|process| process.serves());
        server.expect("a view is served").pid
    }

    /// Waits until none of the stage's processes is left.
    pub(crate) fn expect_nobody(&self) {
        until("every process of the stage has ended", || {
            self.processes().is_empty()
        });
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("(played for {:?})", self.who);
            for process in self.processes() {
                eprintln!("(still there: {:?})", process.words);
                kill(process.pid, Signal::SIGKILL).ok();
            }
            return;
        }
        self.expect_nobody();
        let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc is mounted");
        assert!(!mounts.contains(&self.text("")), "a mount is left:\n{mounts}");
        assert_eq!(
            machines_opt(),
            self.opt_before,
            "the machine's own /opt was touched"
        );
        let temp = fs::read_dir(self.path("temp")).expect("the stage's own").count();
        assert_eq!(temp, 0, "files are left in TMPDIR");
    }
}

/// What is mounted on the machine's own /opt, and what lies in it.
fn machines_opt() -> (Vec<String>, Vec<PathBuf>) {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc is mounted");
    let on_opt = mounts.lines().filter(|line| line.contains(" /opt"));
    let entries = fs::read_dir("/opt").expect("/opt is there").flatten();
    let mut entries: Vec<_> = entries.map(|entry| entry.path()).collect();
    entries.sort();
    (on_opt.map(str::to_owned).collect(), entries)
}
