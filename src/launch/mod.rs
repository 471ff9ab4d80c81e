//! A child process in a private mount namespace, with a view mounted where only it and its children see it.
//!
//! Three processes, each this program executed again, so that nothing is forked and nothing is `unsafe`:
//!
//! ```text
//! P  optfs run        what the shell sees: starts S and C, passes signals on, ends as C ends     (parent)
//! S  the server       own session; is handed the mount's descriptor, serves it, outlives P       (server)
//! C  the child        private namespace, mounts, hands over, waits for "serving", then exec      (child)
//! ```
//!
//! P and S never enter the namespace: when its last process is gone the kernel unmounts, and S reads ENODEV
//! and ends. What the view shows is not known here; the caller mounts and the caller serves.
//! `cli::run` plays the three parts, and `tests/it/run.rs` and its neighbours judge them.

pub mod child;
pub mod environment;
pub mod handover;
pub mod namespace;
pub mod parent;
pub mod runtime;
pub mod scratch;
pub mod server;

use std::os::unix::process::CommandExt;
use std::process::Command;

/// The exit status when optfs itself fails before or instead of the command, as env(1), nohup(1) and
/// `git bisect run` use it: a command that ran has any other status.
pub const OWN_FAILURE: u8 = 125;

/// This program as one that serves a mount: for long, and mostly idle. With a threshold of its own, the C library gives
/// memory that was used while opening the layers back, and goes on doing so (mallopt(3), M_TRIM_THRESHOLD; without one
/// it raises the threshold with every large block that is freed). Who has set the variable keeps their own.
pub fn this_program_serving() -> Command {
    const TRIM_THRESHOLD: &str = "MALLOC_TRIM_THRESHOLD_";
    let mut command = this_program();
    if std::env::var_os(TRIM_THRESHOLD).is_none() {
        command.env(TRIM_THRESHOLD, "131072");
    }
    command
}

/// Executed as /proc/self/exe, a process would be called "exe" in top, in pgrep and where the kernel says whom it killed.
pub fn take_name() {
    nix::sys::prctl::set_name(c"optfs").ok();
}

/// This very program, to be executed again in another role; the caller adds the role's arguments.
///
/// `/proc/self/exe` rather than the path of the program: it still names the running version when an upgrade
/// has replaced or removed the file in the meantime.
pub fn this_program() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("optfs");
    command
}
