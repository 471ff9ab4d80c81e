//! The first steps of the process that serves the view. What serving means is left to the caller.

use std::fs::{self, File};
use std::io;
use std::os::fd::RawFd;
use std::thread;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{close, dup2_stderr, getppid, setsid};
use signal_hook::consts::SIGHUP;
use signal_hook::iterator::Signals;

use super::handover::{HandoverError, ServerEnd};

/// Leaves the terminal and returns the end on which the mount will arrive. To be called before any file is opened.
///
/// In a session of its own, Ctrl-C, Ctrl-Z and the hang-up of the terminal never reach this process: a command
/// that survives them, or is suspended by them, still has its view. It needs no signal to end either: reading the
/// mount's descriptor gives ENODEV once the last process of the private namespace is gone.
///
/// Standard error is the user's as long as P lives. What P leaves running keeps this process, and a pipe that this
/// process kept open would keep `$(optfs run … 2>&1)` waiting for it.
pub fn begin() -> Result<ServerEnd, HandoverError> {
    close_inherited()?;
    let end = ServerEnd::from_stdin()?;
    setsid().map_err(io::Error::from)?;
    super::take_name();
    let mut hang_up = Signals::new([SIGHUP])?;
    prctl::set_pdeathsig(Signal::SIGHUP).map_err(io::Error::from)?;
    if getppid() != end.parent()? {
        // Gone before the wish was made: nobody would ever keep it.
        let_go_of_stderr();
    }
    thread::Builder::new().name("hang-up".to_owned()).spawn(move || {
        for _ in hang_up.forever() {
            let_go_of_stderr();
        }
    })?;
    Ok(end)
}

/// Closes what the user's shell had open besides the three streams. It is meant for the command: a lock or a
/// pipe kept here would outlive it.
fn close_inherited() -> io::Result<()> {
    let numbers: Vec<RawFd> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for number in numbers.into_iter().filter(|&number| number > 2) {
        // One of them was the directory's, and is closed already.
        close(number).ok();
    }
    Ok(())
}

fn let_go_of_stderr() {
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        dup2_stderr(&null).ok();
    }
}
