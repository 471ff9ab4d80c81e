//! Which of the threads that read from /dev/fuse wait for the next request, and on which core.
//!
//! The kernel wakes whichever thread waits. Waking one on a core that sleeps costs ten times as much as
//! changing to one on the core that asked: 20 to 90 µs against 4 on a virtual machine. So while one
//! client asks, one thread waits, on the core of that client; when several ask, all wait, anywhere.
//!
//! That is half of it: the answer wakes the client, and the scheduler moves whom it wakes to another core
//! when its own is busy, here with answering. A core that runs only what is marked SCHED_IDLE counts as
//! free (sched(7)), so the thread that waits for the one client is marked so: the *modest* thread. The price
//! is that it hardly runs on a core that others use. Another thread watches for that and takes over.

use std::cell::Cell;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use log::debug;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use parking_lot::{Condvar, Mutex, MutexGuard};
use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};

/// A client that has not asked for so long is not counted any more.
const CLIENT_RESTS: Duration = Duration::from_millis(20);
/// How long a thread rests before it looks what the kernel wants.
const REST: Duration = Duration::from_millis(200);
/// A request that lies for so long means that the modest thread cannot run.
const WATCH: Duration = Duration::from_millis(4);
/// How long the modest thread stays away after that, the first time. Each time soon after doubles it.
const AWAY: Duration = Duration::from_millis(200);
/// How long at most.
const AWAY_MOST: Duration = Duration::from_secs(10);
/// Clients that are told apart.
const CLIENTS: usize = 4;
/// Requests after which the client's core is looked up again: it costs as much as one request does.
const LOOK_EVERY: u32 = 32;

/// Where the threads of one session wait.
pub(super) struct Placement {
    threads: usize,
    /// Where requests wait; none when it could not be opened twice, and no thread is modest then.
    device: Option<OwnedFd>,
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
    modest: Modest,
    is_watched: bool,
    /// Requests that threads have begun and ended to answer.
    begun: u64,
    ended: u64,
    /// The modest thread was kept from running: until when others stand in, and for how long this time.
    away: Option<(Instant, Duration)>,
}

/// Whether a thread has marked itself SCHED_IDLE.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Modest {
    #[default]
    Untried,
    Refused,
    Works,
}

/// One request being answered. When it is dropped its thread goes where it is best placed.
pub(super) struct Turn<'a> {
    placement: &'a Placement,
    client: u32,
}

/// Who waits for the next request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// The modest thread, for the one client.
    TheModest,
    /// Any one other thread, for the one client.
    AnyOne,
    /// All but the modest thread.
    Many,
}

#[derive(Clone, Copy, Default)]
struct Here {
    is_modest: bool,
    client: u32,
    requests: u32,
    core: Option<usize>,
}

thread_local! {
    static HERE: Cell<Here> = const {
        Cell::new(Here { is_modest: false, client: 0, requests: 0, core: None })
    };
}

impl Placement {
    /// Places `threads` threads that answer what comes from a device: one more than should answer at once.
    pub(super) fn new(threads: usize, device: Option<OwnedFd>) -> Placement {
        Placement {
            threads,
            device,
            state: Mutex::default(),
            resting: Condvar::new(),
            cores: sched_getaffinity(Pid::from_raw(0)).ok(),
        }
    }

    /// Begins to answer a request of a client, a thread number as the kernel tells it; 0 when the client
    /// is not of this process namespace.
    pub(super) fn turn(&self, client: u32) -> Turn<'_> {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.begun += 1;
        state.note(client, now);
        if state.modest == Modest::Untried {
            state.modest = self.become_modest();
        }
        if state.resting > 0 && state.waiting(now) == Waiting::Many {
            drop(state);
            self.resting.notify_all();
        }
        Turn {
            placement: self,
            client,
        }
    }

    /// Marks this thread SCHED_IDLE, where another one can watch it.
    fn become_modest(&self) -> Modest {
        if self.threads < 2 || self.device.is_none() {
            return Modest::Refused;
        }
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let this = thread_priority::thread_native_id();
        let marked = thread_priority::set_thread_priority_and_policy(this, ThreadPriority::Min, idle);
        // The policy is what counts; the crate sets the nice value after it, which may be refused.
        if !thread_priority::thread_schedule_policy().is_ok_and(|policy| policy == idle) {
            debug!("no thread can be marked SCHED_IDLE: {marked:?}");
            return Modest::Refused;
        }
        HERE.set(Here {
            is_modest: true,
            ..HERE.get()
        });
        Modest::Works
    }

    /// Puts this thread, which has answered a request, where it is best placed for the next.
    fn settle(&self, client: u32) {
        let mut here = HERE.get();
        let mut state = self.state.lock();
        state.ended += 1;
        let waiting = state.waiting(Instant::now());
        match (waiting, here.is_modest) {
            (Waiting::TheModest, true) | (Waiting::AnyOne, false) => {
                drop(state);
                self.follow(client, &mut here);
                HERE.set(here);
                if waiting == Waiting::AnyOne {
                    self.rest(self.state.lock(), REST);
                }
            }
            (Waiting::TheModest, false) => self.watch(state),
            (_, true) => {
                self.resting.notify_all();
                self.rest(state, REST);
            }
            (Waiting::Many, false) => {
                drop(state);
                if here.core.take().is_some() {
                    self.pin_to(None);
                }
                HERE.set(Here::default());
            }
        }
    }

    /// Goes to the client's core, unless it was looked up a short while ago.
    fn follow(&self, client: u32, here: &mut Here) {
        here.requests += 1;
        if here.client == client && here.requests < LOOK_EVERY {
            return;
        }
        let core = core_of(client);
        if core.is_some() && core != here.core {
            self.pin_to(core);
            here.core = core;
        }
        (here.client, here.requests) = (client, 0);
    }

    /// Rests, unless nobody else is left to wait for requests.
    fn rest(&self, mut state: MutexGuard<'_, State>, most: Duration) {
        if state.resting + 1 >= self.threads {
            return;
        }
        state.resting += 1;
        // Not for ever: a thread learns only from the kernel that the mount is gone.
        self.resting.wait_for(&mut state, most);
        state.resting -= 1;
    }

    /// Rests while the modest thread waits; one of those who rest watches it, and comes back when it
    /// cannot run.
    fn watch(&self, mut state: MutexGuard<'_, State>) {
        if state.is_watched || state.resting + 1 >= self.threads {
            return self.rest(state, REST);
        }
        state.is_watched = true;
        state.resting += 1;
        while state.waiting(Instant::now()) == Waiting::TheModest {
            let begun = state.begun;
            self.resting.wait_for(&mut state, WATCH);
            if state.begun != begun {
                continue;
            }
            let Some(lies) = MutexGuard::unlocked(&mut state, || self.has_requests(PollTimeout::ZERO)) else {
                break;
            };
            if state.begun != begun {
                continue;
            }
            if lies || state.begun > state.ended {
                state.send_away(Instant::now());
                break;
            }
            // Nobody asks: until somebody does, there is nothing to watch.
            let asked = MutexGuard::unlocked(&mut state, || self.has_requests(PollTimeout::NONE));
            if asked.is_none() {
                break;
            }
        }
        state.resting -= 1;
        state.is_watched = false;
    }

    /// Whether requests wait at the device, or do within some time; none when the mount is gone.
    fn has_requests(&self, timeout: PollTimeout) -> Option<bool> {
        let mut device = [PollFd::new(self.device.as_ref()?.as_fd(), PollFlags::POLLIN)];
        poll(&mut device, timeout).ok()?;
        let events = device[0].revents()?;
        let is_gone = events.intersects(PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL);
        (!is_gone).then_some(events.contains(PollFlags::POLLIN))
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
    /// Notes that a client asks.
    fn note(&mut self, client: u32, now: Instant) {
        let known = self
            .clients
            .iter()
            .position(|c| c.is_some_and(|(known, _)| known == client));
        let free = self
            .clients
            .iter()
            .position(|c| c.is_none_or(|(_, at)| rests(at, now)));
        if let Some(place) = known.or(free) {
            self.clients[place] = Some((client, now));
        }
    }

    /// Clients that asked lately.
    fn active(&self, now: Instant) -> usize {
        self.clients
            .iter()
            .flatten()
            .filter(|(_, at)| !rests(*at, now))
            .count()
    }

    fn waiting(&self, now: Instant) -> Waiting {
        let is_away = self.away.is_some_and(|(until, _)| now < until);
        match self.active(now) {
            2.. => Waiting::Many,
            _ if self.modest == Modest::Works && !is_away => Waiting::TheModest,
            _ => Waiting::AnyOne,
        }
    }

    /// Others stand in for the modest thread for a while: longer when that was so a short while ago.
    fn send_away(&mut self, now: Instant) {
        let last = self.away.filter(|(until, last)| now < *until + *last);
        let time = last.map_or(AWAY, |(_, last)| (last * 2).min(AWAY_MOST));
        self.away = Some((now + time, time));
    }
}

fn rests(asked_at: Instant, now: Instant) -> bool {
    now.duration_since(asked_at) > CLIENT_RESTS
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.placement.settle(self.client);
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
        let mut active_after = |client, at| {
            state.note(client, at);
            state.active(at)
        };
        assert_eq!(active_after(7, start), 1);
        assert_eq!(active_after(7, start + CLIENT_RESTS / 2), 1);
        assert_eq!(active_after(8, start + CLIENT_RESTS), 2);
        assert_eq!(active_after(8, start + CLIENT_RESTS * 3), 1);
        for client in 10..20 {
            active_after(client, start + CLIENT_RESTS * 3);
        }
        assert_eq!(active_after(30, start + CLIENT_RESTS * 3), CLIENTS);
    }

    #[test]
    fn one_thread_always_waits() {
        let placement = Placement::new(1, None);
        // Would rest for ever.
        drop(placement.turn(1));
        assert_eq!(placement.state.lock().resting, 0);
    }

    #[test]
    fn a_modest_thread_that_cannot_run_stays_away_longer_each_time() {
        let (mut state, start) = (State::default(), Instant::now());
        state.modest = Modest::Works;
        let waiting = |state: &State, at| state.waiting(at) == Waiting::TheModest;
        assert!(waiting(&state, start));
        state.send_away(start);
        assert!(!waiting(&state, start + AWAY / 2) && waiting(&state, start + AWAY));
        state.send_away(start + AWAY);
        assert!(!waiting(&state, start + AWAY * 2) && waiting(&state, start + AWAY * 3));
        // All was well for a long time.
        let later = start + AWAY * 10;
        state.send_away(later);
        assert!(waiting(&state, later + AWAY));
        for _ in 0..20 {
            let (until, _) = state.away.unwrap();
            state.send_away(until);
        }
        assert_eq!(state.away.unwrap().1, AWAY_MOST);
    }

    #[test]
    fn the_modest_thread_does_not_wait_for_many() {
        let (mut state, now) = (State::default(), Instant::now());
        state.modest = Modest::Works;
        state.note(1, now);
        assert!(state.waiting(now) == Waiting::TheModest);
        state.note(2, now);
        assert!(state.waiting(now) == Waiting::Many);
        state.modest = Modest::Refused;
        assert!(state.waiting(now + CLIENT_RESTS * 2) == Waiting::AnyOne);
    }
}
