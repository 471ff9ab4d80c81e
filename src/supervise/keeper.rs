//! The keeper: starts workers one after the other for as long as they are killed, and gives each what the one before
//! it left.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use log::{error, warn};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use thiserror::Error;

use super::legacy::{KeeperEnd, Legacy, LegacyError};

/// What a Rust program ends with when its main thread panics.
const PANICKED: i32 = 101;

/// How many violent deaths are borne: fewer than `deaths` within any time of the length `within`.
#[derive(Debug, Clone, Copy)]
pub struct Restarts {
    /// With this one it is too many.
    pub deaths: usize,
    /// Older ones do not count.
    pub within: Duration,
}

impl Default for Restarts {
    /// A request that kills every worker that gets it kills ten within a second or so.
    fn default() -> Self {
        Restarts {
            deaths: 10,
            within: Duration::from_secs(10),
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A worker ended by itself, with this status.
    Exited(u8),
    /// A worker was killed before it worked, by this signal.
    Stillborn(i32),
    /// Workers die too fast.
    GaveUp,
    /// A second signal: it was to end at once.
    EndedBy(i32),
}

/// What the caller hears of while it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The first worker works.
    Working,
    /// A signal that asks to end, the first one; the workers go on until there is no work.
    Leave(i32),
}

/// Why there is nobody to keep anything for.
#[derive(Debug, Error)]
pub enum KeepError {
    /// A worker could not be started.
    #[error("starting the process that works: {0}")]
    Start(io::Error),
    /// Waiting failed.
    #[error("waiting for the process that works: {0}")]
    Wait(io::Error),
    /// The first worker said nothing that could be kept.
    #[error(transparent)]
    Legacy(#[from] LegacyError),
}

/// A worker under way.
#[derive(Debug)]
pub struct Worker(Child);

impl Worker {
    fn start(mut command: Command) -> Result<(Worker, KeeperEnd), KeepError> {
        let (ours, theirs) = KeeperEnd::pair().map_err(KeepError::Start)?;
        let child = command.stdin(theirs).spawn().map_err(KeepError::Start)?;
        Ok((Worker(child), ours))
    }

    fn signal(&self, signal: Signal) {
        // Not yet waited for, so the number is still the worker's, alive or not.
        let _ = kill(Pid::from_raw(self.0.id().cast_signed()), signal);
    }
}

/// Starts a worker, and another whenever one is killed; `command` makes the command of each. Returns when one ends by
/// itself, or too many were killed.
///
/// # Errors
/// When a worker cannot be started, or the first one says nothing that makes sense.
pub fn keep(
    command: impl Fn() -> Command,
    restarts: Restarts,
    mut heard: impl FnMut(Heard),
) -> Result<Outcome, KeepError> {
    // Before there is anything that a signal could leave behind. SIGCHLD is among them before the first look, so no end
    // is missed.
    let signals = [SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGUSR1];
    let mut signals = Signals::new(signals).map_err(KeepError::Wait)?;
    let (mut worker, end) = Worker::start(command())?;
    let legacy = end
        .bequeath(None)
        .map_err(LegacyError::from)
        .and_then(|()| end.keep());
    let Some(legacy) = legacy? else {
        let status = worker.0.wait().map_err(KeepError::Wait)?;
        return Ok(match status.signal() {
            Some(signal) => Outcome::Stillborn(signal),
            None => Outcome::Exited(code(status)),
        });
    };
    heard(Heard::Working);
    let mut deaths = VecDeque::new();
    let mut is_leaving = false;
    loop {
        if let Some(status) = worker.0.try_wait().map_err(KeepError::Wait)? {
            if !is_violent(status) {
                return Ok(Outcome::Exited(code(status)));
            }
            if too_many(&mut deaths, restarts, Instant::now()) {
                error!(
                    "the serving process died of {} again, {} times within {} s: given up",
                    cause(status),
                    deaths.len(),
                    restarts.within.as_secs()
                );
                return Ok(Outcome::GaveUp);
            }
            warn!("the serving process died of {}: starting another", cause(status));
            worker = successor(command(), &legacy)?;
            continue;
        }
        for signal in signals.wait() {
            match signal {
                SIGCHLD => {}
                SIGUSR1 => worker.signal(Signal::SIGUSR1),
                _ if is_leaving => {
                    worker.signal(Signal::SIGKILL);
                    return Ok(Outcome::EndedBy(signal));
                }
                _ => {
                    is_leaving = true;
                    heard(Heard::Leave(signal));
                }
            }
        }
    }
}

fn successor(command: Command, legacy: &Legacy) -> Result<Worker, KeepError> {
    let (worker, end) = Worker::start(command)?;
    end.bequeath(Some(legacy)).map_err(KeepError::Start)?;
    Ok(worker)
}

/// Whether a worker was killed, rather than ended.
fn is_violent(status: ExitStatus) -> bool {
    status.signal().is_some() || status.code() == Some(PANICKED)
}

fn cause(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => {
            Signal::try_from(signal).map_or(format!("signal {signal}"), |signal| signal.to_string())
        }
        None => "a panic".to_owned(),
    }
}

fn code(status: ExitStatus) -> u8 {
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX)
}

/// Notes a death, and says whether it is one too many.
fn too_many(deaths: &mut VecDeque<Instant>, restarts: Restarts, now: Instant) -> bool {
    deaths.push_back(now);
    while let Some(&first) = deaths.front()
        && now.duration_since(first) >= restarts.within
    {
        deaths.pop_front();
    }
    deaths.len() >= restarts.deaths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deaths_count_for_a_while() {
        let restarts = Restarts {
            deaths: 3,
            within: Duration::from_secs(10),
        };
        let (mut deaths, start) = (VecDeque::new(), Instant::now());
        let mut dies_at = |second| too_many(&mut deaths, restarts, start + Duration::from_secs(second));
        // One every five seconds can go on for ever.
        assert!((0..100).map(|nth| 5 * nth).all(|second| !dies_at(second)));
        assert!(!dies_at(1000));
        assert!(!dies_at(1004));
        assert!(dies_at(1009));
    }
}
