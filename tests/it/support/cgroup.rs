//! A control group of processes that share so much memory, below the one that the tests run in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Gone when it is dropped, if its processes are.
pub(crate) struct MemoryGroup {
    directory: PathBuf,
    is_first_version: bool,
}

impl MemoryGroup {
    /// With so many bytes; `None` where groups cannot be made, as in most containers.
    pub(crate) fn new(bytes: u64) -> Option<MemoryGroup> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let ours = fs::read_to_string("/proc/self/cgroup").ok()?;
        let group = |controllers: &str| {
            ours.lines().find_map(|line| {
                let mut fields = line.splitn(3, ':').skip(1);
                let is_meant = fields.next()?.split(',').any(|name| name == controllers);
                is_meant.then(|| fields.next()).flatten()
            })
        };
        let (top, ours, limit) = match group("memory") {
            Some(ours) => ("/sys/fs/cgroup/memory", ours, "memory.limit_in_bytes"),
            None => ("/sys/fs/cgroup", group("")?, "memory.max"),
        };
        let nth = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("optfs-tests-{}-{nth}", std::process::id());
        let directory = Path::new(top).join(ours.trim_start_matches('/')).join(name);
        fs::create_dir(&directory).ok()?;
        let group = MemoryGroup {
            directory,
            is_first_version: limit == "memory.limit_in_bytes",
        };
        fs::write(group.directory.join(limit), bytes.to_string()).ok()?;
        Some(group)
    }

    /// The same command, in the group, with all that it starts.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"echo $$ >"$0" && exec "$@""#]);
        shell.arg(self.directory.join("cgroup.procs"));
        shell.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell
    }

    /// How many of its processes the kernel has killed for want of memory.
    pub(crate) fn killed(&self) -> u64 {
        let file = match self.is_first_version {
            true => "memory.oom_control",
            false => "memory.events",
        };
        let events = fs::read_to_string(self.directory.join(file)).expect("the group is there");
        let count = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count
            .and_then(|count| count.parse().ok())
            .expect("Linux 4.13 counts them")
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // The last process leaves it a moment after its parent has heard of its end.
        for _ in 0..500 {
            if fs::remove_dir(&self.directory).is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
