//! Ctrl-C and the like while a bench runs: what is running is killed, and the bench comes to its end by itself,
//! cleaning up on its way.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use parking_lot::Mutex;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

/// Listens for as long as it lives.
pub(super) struct Interrupts {
    shared: Arc<Shared>,
    handle: Handle,
}

#[derive(Default)]
struct Shared {
    signal: AtomicI32,
    /// The process group that runs now. Taken out before its leader is waited for, so that the number is
    /// never somebody else's.
    running: Mutex<Option<Pid>>,
}

impl Interrupts {
    pub(super) fn listen() -> io::Result<Interrupts> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let interrupts = Interrupts {
            shared: Arc::default(),
            handle: signals.handle(),
        };
        let shared = Arc::clone(&interrupts.shared);
        thread::spawn(move || {
            for signal in signals.forever() {
                shared.signal.store(signal, Ordering::SeqCst);
                kill_group(*shared.running.lock());
            }
        });
        Ok(interrupts)
    }

    /// The signal that came, if one did.
    pub(super) fn signal(&self) -> Option<i32> {
        match self.shared.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal),
        }
    }

    /// Says which process group runs now: it is killed when a signal comes, or has come.
    pub(super) fn running(&self, group: Pid) {
        let mut running = self.shared.running.lock();
        *running = Some(group);
        if self.signal().is_some() {
            kill_group(*running);
        }
    }

    /// Says that its leader is about to be waited for. What it left running in its group is killed.
    pub(super) fn ended(&self) {
        kill_group(self.shared.running.lock().take());
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.handle.close();
    }
}

fn kill_group(group: Option<Pid>) {
    if let Some(group) = group {
        killpg(group, Signal::SIGKILL).ok();
    }
}
