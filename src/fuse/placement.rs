//! Which of the threads that read from /dev/fuse wait for the next request, and on which core.
//!
//! The kernel wakes whichever thread waits. Waking one on a core that sleeps costs ten times as much as
//! changing to one on the core that asked: 40 to 90 µs against 4 on a virtual machine. So while one
//! client asks, one thread waits, on the core of that client; when several ask, all wait, anywhere.

use std::cell::Cell;
use std::fs;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use parking_lot::{Condvar, Mutex};

/// A client that has not asked for so long is not counted any more.
const CLIENT_RESTS: Duration = Duration::from_millis(20);
/// How long a thread rests before it looks what the kernel wants.
const REST: Duration = Duration::from_millis(200);
/// Clients that are told apart.
const CLIENTS: usize = 4;
/// Requests after which the client's core is looked up again: it costs as much as one request does.
const LOOK_EVERY: u32 = 32;

/// Where the threads of one session wait.
pub(super) struct Placement {
    threads: usize,
    state: Mutex<State>,
    /// Threads that rest instead of waiting for requests.
    resting: Condvar,
    /// The cores that this process may use; none when it could not be asked, and nothing is placed then.
    cores: Option<CpuSet>,
}

#[derive(Default)]
struct State {
    clients: [Option<(u32, Instant)>; CLIENTS],
    resting: usize,
}

/// One request being answered. When it is dropped its thread goes where it is best placed.
pub(super) struct Turn<'a> {
    placement: &'a Placement,
    client: u32,
    only_one: bool,
}

#[derive(Clone, Copy, Default)]
struct Here {
    client: u32,
    requests: u32,
    core: Option<usize>,
}

thread_local! {
    static HERE: Cell<Here> = const { Cell::new(Here { client: 0, requests: 0, core: None }) };
}

impl Placement {
    /// Places `threads` threads.
    pub(super) fn new(threads: usize) -> Placement {
        let cores = sched_getaffinity(Pid::from_raw(0)).ok();
        Placement {
            threads,
            state: Mutex::default(),
            resting: Condvar::new(),
            cores,
        }
    }

    /// Begins to answer a request of a client, a thread number as the kernel tells it; 0 when the client
    /// is not of this process namespace.
    pub(super) fn turn(&self, client: u32) -> Turn<'_> {
        let now = Instant::now();
        let mut state = self.state.lock();
        let active = state.note(client, now);
        if active > 1 && state.resting > 0 {
            drop(state);
            self.resting.notify_all();
        }
        Turn {
            placement: self,
            client,
            only_one: active == 1,
        }
    }

    /// Rests while one client asks and another thread waits for it.
    fn rest(&self) {
        let mut state = self.state.lock();
        if state.resting + 1 >= self.threads {
            return;
        }
        state.resting += 1;
        // Not for ever: a thread learns only from the kernel that the mount is gone.
        self.resting.wait_for(&mut state, REST);
        state.resting -= 1;
    }

    fn pin_to(&self, core: Option<usize>) {
        let Some(all) = &self.cores else { return };
        let set = match core {
            Some(core) => {
                let mut set = CpuSet::new();
                if !all.is_set(core).unwrap_or(false) || set.set(core).is_err() {
                    return;
                }
                set
            }
            None => *all,
        };
        // Where this is not allowed, threads wait wherever they are.
        let _ = sched_setaffinity(Pid::from_raw(0), &set);
    }
}

impl State {
    /// Notes that a client asks, and counts those that asked lately.
    fn note(&mut self, client: u32, now: Instant) -> usize {
        let rests = |at: &Instant| now.duration_since(*at) > CLIENT_RESTS;
        let known = self
            .clients
            .iter()
            .position(|c| c.is_some_and(|(known, _)| known == client));
        let free = self
            .clients
            .iter()
            .position(|c| c.as_ref().is_none_or(|(_, at)| rests(at)));
        if let Some(place) = known.or(free) {
            self.clients[place] = Some((client, now));
        }
        self.clients.iter().flatten().filter(|(_, at)| !rests(at)).count()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut here = HERE.get();
        if !self.only_one {
            if here.core.take().is_some() {
                self.placement.pin_to(None);
            }
            HERE.set(Here {
                core: None,
                ..Here::default()
            });
            return;
        }
        here.requests += 1;
        if here.client != self.client || here.requests >= LOOK_EVERY {
            let core = core_of(self.client);
            if core.is_some() && core != here.core {
                self.placement.pin_to(core);
                here.core = core;
            }
            (here.client, here.requests) = (self.client, 0);
        }
        HERE.set(here);
        self.placement.rest();
    }
}

/// The core that a thread last ran on (proc(5), /proc/PID/stat, field 39).
fn core_of(thread: u32) -> Option<usize> {
    let stat = fs::read_to_string(format!("/proc/{thread}/stat")).ok()?;
    // The second field is the program's name, in which anything may stand.
    let (_, behind) = stat.rsplit_once(") ")?;
    behind.split(' ').nth(36)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_of_this_thread_is_one_of_ours() {
        let core = core_of(nix::unistd::gettid().as_raw() as u32).unwrap();
        assert!(sched_getaffinity(Pid::from_raw(0)).unwrap().is_set(core).unwrap());
        assert_eq!(core_of(u32::MAX), None);
    }

    #[test]
    fn clients_that_rest_are_not_counted() {
        let (mut state, start) = (State::default(), Instant::now());
        assert_eq!(state.note(7, start), 1);
        assert_eq!(state.note(7, start + CLIENT_RESTS / 2), 1);
        assert_eq!(state.note(8, start + CLIENT_RESTS), 2);
        assert_eq!(state.note(8, start + CLIENT_RESTS * 3), 1);
        for client in 10..20 {
            state.note(client, start + CLIENT_RESTS * 3);
        }
        assert_eq!(state.note(30, start + CLIENT_RESTS * 3), CLIENTS);
    }

    #[test]
    fn one_thread_always_waits() {
        let placement = Placement::new(1);
        // Would rest for ever.
        drop(placement.turn(1));
        assert_eq!(placement.state.lock().resting, 0);
    }
}
