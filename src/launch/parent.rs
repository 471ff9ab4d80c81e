//! P: starts the server and the child, passes signals on, and ends as the command ended.
//!
//! It looks at nothing else: the command has the terminal, the pipes and the process group it would have had
//! without optfs. The children's first steps are in `server` and `child`.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, Stdio};

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, dup2_stdin, dup2_stdout};
use signal_hook::consts::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH,
};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::exfiltrator::origin::Origin;
use signal_hook::low_level;
use signal_hook::low_level::siginfo::Cause;

use super::handover::{self, HandoverError, StdinSender};

/// What P passes on when a process sent it. Each has a use in somebody's hands: TERM and HUP from service managers
/// and shells, QUIT and WINCH as stop signals of nginx and httpd images, USR1 and USR2 for logs, CONT for
/// a command stopped alone.
const PASSED_ON: [i32; 9] = [
    SIGHUP, SIGINT, SIGQUIT, SIGALRM, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT,
];

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// By itself, with this status.
    Exited(u8),
    /// By this signal.
    Signaled(i32),
}

/// Why the command could not be started or watched. A child that failed by itself is an [`Outcome`]: it has
/// printed its own reason.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The socket could not be made.
    #[error(transparent)]
    Handover(#[from] HandoverError),
    /// This program could not be executed again.
    #[error("cannot start optfs again as {role} (is /proc mounted?)")]
    Start {
        /// "the server" or "the child"
        role: &'static str,
        /// How the system said it.
        source: io::Error,
    },
    /// The command's end could not be awaited.
    #[error("cannot wait for the command")]
    Wait(#[source] io::Error),
}

/// Starts both processes, which must be [`this_program`](super::this_program) in its two hidden roles, and
/// returns when the command has ended.
///
/// To be called from the main thread: the child dies with the thread that started it. Gives up this process's
/// standard input and output, so that a pipe is closed when the command closes it.
pub fn run(mut server: Command, child: Command) -> Result<Outcome, RunError> {
    server.stdout(Stdio::null());
    let Started { child, stdin, .. } = start(Some(server), child)?;
    // Only now, after the child was started: it keeps what the user chose to ignore (nohup, a script's background
    // job). And before it goes on: a signal that comes before this line kills P and, with it, a child that is not
    // the command yet; one that comes after it is passed on. SIGCHLD is among them before the first look, so no
    // end is missed; its handler also undoes an inherited SIG_IGN, under which the kernel would throw the status away.
    let signals = SignalsInfo::new([SIGCHLD].iter().chain(&PASSED_ON)).map_err(RunError::Wait)?;
    stdin.send(io::stdin().as_fd())?;
    // Failing here would only keep the user's pipes open a little longer.
    close_own_pipes().ok();
    wait(child, signals).map_err(RunError::Wait)
}

/// The two processes, and what the child waits for.
#[derive(Debug)]
pub struct Started {
    /// S, where there is one.
    pub server: Option<Child>,
    /// C.
    pub child: Child,
    /// The child goes on once it has got its standard input.
    pub stdin: StdinSender,
}

/// Starts both processes, or the child alone where no server is needed, and waits for neither.
///
/// To be called from the main thread: the child dies with the thread that started it. The standard outputs are
/// as the caller has set them.
pub fn start(server: Option<Command>, mut child: Command) -> Result<Started, RunError> {
    let (child_end, server_end) = handover::pair().map_err(HandoverError::Socket)?;
    let stdin = server_end.stdin_sender().map_err(HandoverError::Socket)?;
    // Descriptor 0 is the only one that a process can be given without unsafe code, so the socket travels as
    // standard input and the user's own standard input travels through the socket.
    child.stdin(OwnedFd::from(child_end));
    let failed = |role| move |source| RunError::Start { role, source };
    let server = match server {
        Some(mut server) => {
            server.stdin(OwnedFd::from(server_end));
            Some(server.spawn().map_err(failed("the server"))?)
        }
        None => None,
    };
    let child = child.spawn().map_err(failed("the child"))?;
    Ok(Started { server, child, stdin })
    // Both commands are dropped here and with them P's copies of the ends: once `stdin` is sent, the death of
    // either process is an end of file for the other.
}

/// Ends this process as the command ended: the same status, or death by the same signal, which a shell
/// shows as 128 plus its number.
pub fn pass_on(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Exited(status) => ExitCode::from(status),
        Outcome::Signaled(signal) => {
            // One core file is enough, and it is the command's. RLIMIT_CORE would not do: the kernel ignores it
            // where cores are piped to a collector.
            prctl::set_dumpable(false).ok();
            low_level::emulate_default_handler(signal)
                .or_else(|_| low_level::raise(signal))
                .ok();
            // Still here: as process 1 of a container, which no default action can end.
            ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX))
        }
    }
}

fn close_own_pipes() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    Ok(())
}

/// Waits for the child and passes signals on until it has ended.
///
/// Stopping needs no code: Ctrl-Z stops P and the child as one group. A command that moves into a process
/// group of its own (`setsid`, a shell with job control) and is stopped there alone is not mirrored: P waits on.
fn wait(mut child: Child, mut signals: SignalsInfo<WithOrigin>) -> io::Result<Outcome> {
    let pid = Pid::from_raw(child.id().cast_signed());
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(match (status.code(), status.signal()) {
                (_, Some(signal)) => Outcome::Signaled(signal),
                (code, None) => {
                    Outcome::Exited(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
                }
            });
        }
        for origin in signals.wait() {
            if is_to_pass_on(&origin) {
                // Not yet waited for, so the number is still the child's, alive or not.
                kill(pid, Signal::try_from(origin.signal)?).ok();
            }
        }
    }
}

/// A signal of the kernel (the terminal's Ctrl-C, Ctrl-\, resize and hang-up) has gone to the whole process
/// group, and so to the command: passing it on would deliver it twice, and a second Ctrl-C means "at
/// once" to many programs. One that a process sent may have been for P alone. Where it was for the group
/// (timeout(1) sends both) the command gets it twice; losing one would be worse.
fn is_to_pass_on(origin: &Origin) -> bool {
    origin.signal != SIGCHLD && matches!(origin.cause, Cause::Sent(_))
}
