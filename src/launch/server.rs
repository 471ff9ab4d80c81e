//! The first steps of the process that serves the view. What serving means is left to the caller.

use std::io;

use nix::sys::prctl;
use nix::unistd::setsid;

use super::handover::{HandoverError, ServerEnd};

/// Leaves the terminal and returns the end on which the mount will arrive.
///
/// In a session of its own, Ctrl-C, Ctrl-Z and the hang-up of the terminal never reach this process: a command
/// that survives them, or is suspended by them, still has its view. It needs no signal to end either: reading the
/// mount's descriptor gives ENODEV once the last process of the private namespace is gone.
pub fn begin() -> Result<ServerEnd, HandoverError> {
    let end = ServerEnd::from_stdin()?;
    setsid().map_err(io::Error::from)?;
    // Executed as /proc/self/exe, it would be called "exe" in top and pgrep.
    prctl::set_name(c"optfs").ok();
    Ok(end)
}
