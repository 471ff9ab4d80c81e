//! A place to mount on: a directory with layers and an empty `opt`, on which nothing is mounted any more when the test ends,
//! whether it ends well or not.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::command::{OPTFS, answer, optfs, output};
use super::raw_zip::RawZip;
use super::seen::ARCHIVE_MTIME;
use super::stack;
use super::until::until;

/// Layers, a mount point and a directory of their own around them.
pub(crate) struct Place {
    scratch: TempDir,
    opt: PathBuf,
    layers: Vec<PathBuf>,
}

impl Place {
    /// A place for these archives, first to last, written as `layer0.zip` and so on.
    pub(crate) fn new(archives: &[RawZip]) -> Self {
        let mut place = Self::of_layers(&[]);
        for (number, archive) in archives.iter().enumerate() {
            let path = place.scratch().join(format!("layer{number}.zip"));
            stack::write_archive(&path, &archive.build(), ARCHIVE_MTIME);
            place.layers.push(path);
        }
        place
    }

    /// A place for a described stack.
    pub(crate) fn of_stack(layers: &[stack::Layer]) -> Self {
        let mut place = Self::of_layers(&[]);
        place.layers = stack::write(layers, place.scratch());
        place
    }

    /// A place for layers that lie elsewhere.
    pub(crate) fn of_layers(layers: &[PathBuf]) -> Self {
        let scratch = TempDir::new().expect("a temporary directory");
        // The mount table has no symlinks in its paths.
        let opt = scratch
            .path()
            .canonicalize()
            .expect("the directory just made")
            .join("opt");
        fs::create_dir(&opt).expect("a fresh directory");
        Self {
            scratch,
            opt,
            layers: layers.to_vec(),
        }
    }

    /// The directory around it all.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The mount point.
    pub(crate) fn opt(&self) -> &Path {
        &self.opt
    }

    /// A path in the mount.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.opt.join(name)
    }

    /// The layers, first to last.
    pub(crate) fn layers(&self) -> &[PathBuf] {
        &self.layers
    }

    /// `optfs mount` of this place with more options, not run yet.
    pub(crate) fn mounting<const N: usize>(&self, options: [&str; N]) -> Command {
        let mut mount = optfs();
        mount.arg("mount").args(options).args(&self.layers).arg(&self.opt);
        mount
    }

    /// Mounts, served from the background.
    pub(crate) fn mount<const N: usize>(&self, options: [&str; N]) {
        output(&mut self.mounting(options));
        assert!(self.is_mounted(), "nothing is mounted on {:?}", self.opt);
    }

    /// Mounts with `-f`; its standard error goes to a file.
    pub(crate) fn serve<const N: usize>(&self, options: [&str; N]) -> Foreground {
        let log = self.scratch().join("stderr");
        let mut mount = self.mounting(options);
        mount
            .arg("-f")
            .stderr(File::create(&log).expect("a writable directory"));
        // As a shell does it: Ctrl-C of whoever runs the tests is not for this one.
        let child = mount.process_group(0).spawn().expect("optfs starts");
        let mut served = Foreground { child, log };
        until("the mount answers", || {
            let ended = served.child.try_wait().expect("our own child");
            assert_eq!(ended, None, "optfs ended: {}", served.log());
            self.is_mounted() && fs::metadata(&self.opt).is_ok()
        });
        served
    }

    /// Unmounts as a user does.
    pub(crate) fn unmount(&self) {
        unmount_with(optfs().arg("umount").arg(&self.opt));
        assert!(!self.is_mounted(), "{:?} is still mounted", self.opt);
    }

    /// Whether anything is mounted here, alive or dead.
    pub(crate) fn is_mounted(&self) -> bool {
        !self.mounts().is_empty()
    }

    /// The lines of the mount table that are about this place: source, mount point, type, options.
    pub(crate) fn mounts(&self) -> Vec<[String; 4]> {
        let table = fs::read_to_string("/proc/self/mounts").expect("/proc is mounted");
        let lines = table.lines().map(|line| {
            let mut fields = line.split(' ').map(str::to_owned);
            std::array::from_fn(|_| fields.next().expect("a line has six fields"))
        });
        lines
            .filter(|line: &[String; 4]| self.opt.to_str() == Some(&line[1]))
            .collect()
    }

    /// The background process that serves this place.
    pub(crate) fn daemon(&self) -> Daemon {
        self.process("mount")
    }

    /// The process that watches over it with `--auto-unmount`.
    pub(crate) fn guard(&self) -> Daemon {
        self.process("guard")
    }

    /// With `--supervise`, the process that serves; none while the next one is about to be started.
    pub(crate) fn worker(&self) -> Option<Daemon> {
        let found = self.processes(|words| words.contains(&OsStr::new("--supervised")));
        found.into_iter().next().map(Daemon)
    }

    /// With `--supervise`, the process that keeps the mount.
    pub(crate) fn keeper(&self) -> Daemon {
        let is_keeper = |words: &[&OsStr]| {
            words.contains(&OsStr::new("--supervise")) && !words.contains(&OsStr::new("--supervised"))
        };
        // A process that is being started has the words of the one that starts it, for a moment.
        let mut found = Vec::new();
        until("there is one keeper", || {
            found = self.processes(is_keeper);
            found.len() == 1
        });
        Daemon(found[0])
    }

    /// The one process with this verb and this mount point in its command line.
    fn process(&self, verb: &str) -> Daemon {
        let ours = self.processes(|words| words.contains(&OsStr::new(verb)));
        assert_eq!(ours.len(), 1, "processes that {verb} {:?}: {ours:?}", self.opt);
        Daemon(ours[0])
    }

    /// The processes that have this mount point among their words.
    fn processes(&self, is_meant: impl Fn(&[&OsStr]) -> bool) -> Vec<i32> {
        let all = fs::read_dir("/proc").expect("/proc is mounted");
        let ids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let ours = ids.filter(|id: &i32| {
            // Whoever ended meanwhile has no command line.
            let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let words: Vec<_> = line.split(|&byte| byte == 0).map(OsStr::from_bytes).collect();
            words.contains(&self.opt.as_os_str()) && is_meant(&words)
        });
        ours.collect()
    }
}

/// Runs a command that unmounts what this process has looked into.
///
/// The other tests of this process start programs all the time, and between fork and exec each of those holds whatever file
/// is open here: a mount that was read a moment ago may be in use for a moment more.
pub(crate) fn unmount_with(command: &mut Command) {
    until("the mount is not in use", || {
        let said = answer(command);
        let is_busy = said.code == Some(4) && said.stderr.contains("in use");
        assert!(is_busy || said.code == Some(0), "{command:?}: {said:?}");
        !is_busy
    });
}

impl Drop for Place {
    fn drop(&mut self) {
        let ways: [&[&str]; 3] = [&[OPTFS, "umount"], &["umount"], &["umount", "-l"]];
        for way in ways {
            while self.is_mounted() {
                // One that is not possible leaves it to the next.
                let done = Command::new(way[0]).args(&way[1..]).arg(&self.opt).output();
                if !done.is_ok_and(|done| done.status.success()) {
                    break;
                }
            }
        }
    }
}

/// A process that is not our child.
#[derive(Debug)]
pub(crate) struct Daemon(i32);

impl Daemon {
    pub(crate) fn id(&self) -> i32 {
        self.0
    }

    /// Whether any of its threads runs: the last one closes its files. What ended and nobody has waited for does not run.
    pub(crate) fn is_alive(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0));
        threads.into_iter().flatten().flatten().any(|thread| {
            let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            let state = status.lines().find_map(|line| line.strip_prefix("State:\t"));
            state.is_some_and(|state| !state.starts_with(['Z', 'X']))
        })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0), signal).expect("the daemon is there");
    }

    /// Kills it as the kernel does when memory is short, and waits until the kernel knows.
    pub(crate) fn kill(&self) {
        self.signal(Signal::SIGKILL);
        until("the killed daemon is gone", || !self.is_alive());
    }
}

/// `optfs mount -f`, our child.
#[derive(Debug)]
pub(crate) struct Foreground {
    child: Child,
    log: PathBuf,
}

impl Foreground {
    pub(crate) fn id(&self) -> i32 {
        self.child.id() as i32
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id()), signal).expect("nobody has waited for the child");
    }

    /// What it has said on standard error so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the file made at the start")
    }

    /// How it ends.
    pub(crate) fn ends(&mut self) -> ExitStatus {
        let mut status = None;
        until("optfs ends", || {
            status = self.child.try_wait().expect("our own child");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        // Most have ended, and been waited for.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
