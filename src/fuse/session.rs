//! A session: one mount being served, from the kernel's first request to the last, and what signals do
//! to it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use log::{debug, info, warn};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use thiserror::Error;

use super::mounts::{Mount, mounts, topmost, unmount};
use super::transport::{self, Transport};
use crate::guide::Guide;

/// Log lines that somebody has asked for by a signal: to be shown at any level.
pub const STATISTICS: &str = "optfs::statistics";

/// How a mount is served.
#[derive(Debug, Clone, Copy)]
pub struct SessionOptions {
    /// Threads that read /dev/fuse, at least 1. Over io_uring there is one for each core instead.
    pub threads: usize,
    /// Which way requests come.
    pub transport: Transport,
    /// Whether others serve the mount before or after.
    pub life: Life,
}

/// Which of the processes that serve a mount one after the other this one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Life {
    /// The only one: when it dies, so does the mount.
    #[default]
    Alone,
    /// Somebody keeps the descriptor for a later one. Requests come over /dev/fuse: rings end with their process.
    First,
    /// It goes on where the one before was killed, with the same tree: what that one left unanswered comes again.
    Next,
}

impl Default for SessionOptions {
    /// A thread for each core, eight at most: a thread more than there are cores is a chance more that
    /// a request wakes a sleeping one.
    fn default() -> Self {
        SessionOptions {
            threads: thread::available_parallelism().map_or(2, |cores| cores.get().min(8)),
            transport: Transport::Auto,
            life: Life::Alone,
        }
    }
}

/// Why a session could not begin, or ended before its time.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The kernel's greeting failed.
    #[error("the kernel and optfs could not agree on FUSE: {0}")]
    Handshake(io::Error),
    /// Reading requests failed.
    #[error("serving the mount failed: {0}")]
    Serving(io::Error),
    /// The signal handlers could not be installed.
    #[error("signal handlers: {0}")]
    Signals(io::Error),
}

/// Serves a mount until it is gone. `ready` is called when requests are being answered.
pub fn serve(
    guide: Arc<Guide>,
    device: OwnedFd,
    options: SessionOptions,
    ready: impl FnOnce(),
) -> Result<(), SessionError> {
    let session = transport::begin(guide, device, options.transport, options.threads, options.life)
        .map_err(SessionError::Handshake)?;
    ready();
    session.run().map_err(SessionError::Serving)
}

/// Like [`serve`], for a mount that everybody sees: SIGINT, SIGTERM and SIGHUP take it out of sight and
/// the session goes on until its last reader is done; a second signal ends it at once. SIGUSR1 logs the statistics.
pub fn serve_until_signalled(
    guide: Arc<Guide>,
    device: OwnedFd,
    mountpoint: &Path,
    options: SessionOptions,
    ready: impl FnOnce(),
) -> Result<(), SessionError> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1]).map_err(SessionError::Signals)?;
    let handle = signals.handle();
    let ours = mounted_on(mountpoint);
    let over = AtomicBool::new(false);
    let asked = Arc::clone(&guide);
    thread::scope(|scope| {
        let listener = thread::Builder::new().name("signals".to_owned());
        let listen = || {
            let mut is_leaving = false;
            for signal in signals.forever() {
                if signal == SIGUSR1 {
                    info!(target: STATISTICS, "{}", asked.statistics());
                    continue;
                }
                if is_leaving {
                    warn!("signal {signal} again: ending now, open files are lost");
                    std::process::exit(128 + signal);
                }
                info!("signal {signal}: unmounting {}", mountpoint.display());
                is_leaving = true;
                leave(mountpoint, ours.as_ref(), &over);
            }
        };
        listener
            .spawn_scoped(scope, listen)
            .map_err(SessionError::Signals)?;
        let result = serve(guide, device, options, ready);
        over.store(true, Ordering::Relaxed);
        handle.close();
        result
    })
}

/// Takes our mount away, unless it went by itself; another one may stand there now, of optfs too.
fn leave(mountpoint: &Path, ours: Option<&Mount>, over: &AtomicBool) {
    if !over.load(Ordering::Relaxed) {
        take_away(mountpoint, ours);
    }
}

/// The mount that is seen on a directory.
pub fn mounted_on(mountpoint: &Path) -> Option<Mount> {
    topmost(&mounts().ok()?, mountpoint).cloned()
}

/// Takes a mount away if it is still the one that is seen there: at once, or out of sight until its last reader is done.
pub fn take_away(mountpoint: &Path, ours: Option<&Mount>) {
    if ours.is_none() || mounted_on(mountpoint).as_ref() != ours {
        debug!("{} is not mounted any more", mountpoint.display());
        return;
    }
    match unmount(mountpoint, false).or_else(|_| unmount(mountpoint, true)) {
        Ok(()) => {}
        // Somebody else was faster.
        Err(_) if mounted_on(mountpoint).as_ref() != ours => {}
        Err(e) => warn!("{e}"),
    }
}
