//! The transport over io_uring: a queue for each core, whose requests are answered on the core that asked.
//!
//! Waking a sleeping thread on another core costs many times what answering a lookup does. Here each core
//! has a ring and a thread bound to it, and one system call commits a reply and waits for the next
//! request. The greeting passes through /dev/fuse, and what the kernel tells rather than asks stays there:
//! `device` reads it. If the kernel takes no rings after all, `device` serves everything.
//!
//! A thread that is started while a request is answered is bound to the same core. Requests of one core
//! wait for each other: a long inflation delays the other readers of its core, and no others.

mod ring;

use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use log::{debug, info, warn};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::{Pid, SysconfVar, sysconf};

use super::answer::{Answerer, Reply};
use super::device::{self, Limits};
use super::wire::{Header, OUT_HEADER_BYTES};
use crate::guide::Guide;
use ring::{Commit, Request, Ring};

/// Requests of one core that are under way at a time; more of them wait in the kernel.
const DEPTH: usize = 8;
/// Requests of cores that are not there, until they are.
const SPARE_DEPTH: usize = 2;
/// Most bytes of one answer. Still little memory: an entry keeps as much as its largest answer took.
const PAYLOAD_BYTES: usize = device::MAX_ANSWER_BYTES;
/// The kernel's greeting offers rings (`FUSE_OVER_IO_URING`).
const OVER_IO_URING: u64 = 1 << 41;

/// What a session needs all the time.
struct Shared {
    device: OwnedFd,
    answerer: Answerer,
}

/// A session that the kernel has agreed to.
pub(super) struct Begun {
    shared: Arc<Shared>,
    rings: Vec<JoinHandle<()>>,
    /// Threads that read /dev/fuse.
    readers: usize,
}

/// Queues that one thread serves.
#[derive(Debug, PartialEq, Eq)]
struct Duty {
    /// The core that it is bound to; the thread for cores that are not there is bound to none.
    core: Option<usize>,
    queues: Vec<u16>,
    depth: usize,
}

/// A thread that has its ring and waits for the kernel's greeting to be answered.
struct Prepared {
    thread: JoinHandle<()>,
    go: Sender<()>,
    said: Receiver<io::Result<()>>,
}

/// Answers the kernel's greeting over rings, or where there are none and `is_required` is not said, over
/// /dev/fuse with `readers` threads.
///
/// # Errors
/// When the greeting fails, or there are no rings although they are required.
pub(super) fn begin(
    guide: Arc<Guide>,
    device: OwnedFd,
    readers: usize,
    is_required: bool,
) -> io::Result<Begun> {
    let shared = Arc::new(Shared {
        device,
        answerer: Answerer::new(guide),
    });
    let greeting = device::receive_greeting(&shared.device)?;
    let limits = Limits {
        max_answer_bytes: PAYLOAD_BYTES,
    };
    let prepared = match greeting.flags() & OVER_IO_URING {
        0 => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the kernel does not offer it",
        )),
        // All that can fail is tried before the kernel is told: from then on its requests wait for the rings.
        _ => prepare(&shared),
    };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(e) if is_required => return Err(e),
        Err(e) => {
            info!("no FUSE over io_uring, and so over /dev/fuse: {e}");
            greeting.answer(&shared.device, 0, limits)?;
            let rings = Vec::new();
            return Ok(Begun {
                shared,
                rings,
                readers,
            });
        }
    };
    greeting.answer(&shared.device, OVER_IO_URING, limits)?;
    match register(prepared) {
        Ok(rings) => {
            info!("FUSE over io_uring with {} rings", rings.len());
            let readers = 1;
            Ok(Begun {
                shared,
                rings,
                readers,
            })
        }
        Err(e) if is_required => Err(e),
        Err(e) => {
            warn!("no FUSE over io_uring, and so over /dev/fuse: {e}");
            give_up_rings(shared.device.as_fd());
            let rings = Vec::new();
            Ok(Begun {
                shared,
                rings,
                readers,
            })
        }
    }
}

/// Whether this process may make a ring such as the transport needs.
pub(super) fn try_ring() -> io::Result<()> {
    let no_device = fs::File::open("/dev/null")?;
    Ring::new(no_device.as_fd(), [(0, 1)], 0).map(drop)
}

impl Begun {
    /// Answers requests until the mount is gone.
    pub(super) fn run(self) -> io::Result<()> {
        let served = device::serve_with(self.readers, &self.shared.device, &self.shared.answerer);
        for ring in self.rings {
            if ring.join().is_err() {
                warn!("a bug in optfs: the thread of a ring panicked");
            }
        }
        served
    }
}

/// A thread and a ring for each queue that the kernel has, none registered yet.
fn prepare(shared: &Arc<Shared>) -> io::Result<Vec<Prepared>> {
    let duties = duties(possible_cores()?, &online_cores());
    let prepared = duties.into_iter().map(|duty| {
        let (go, wait) = channel();
        let (say, said) = channel();
        let shared = Arc::clone(shared);
        let name = duty.core.map_or("ring".to_owned(), |core| format!("ring {core}"));
        let thread = thread::Builder::new()
            .name(name)
            .spawn(move || work(&shared, &duty, &say, &wait))?;
        Ok(Prepared { thread, go, said })
    });
    let prepared: Vec<_> = prepared.collect::<io::Result<_>>()?;
    prepared.iter().try_for_each(Prepared::answer)?;
    Ok(prepared)
}

/// Gives all entries to the kernel, which sends its requests there once each queue has some.
fn register(prepared: Vec<Prepared>) -> io::Result<Vec<JoinHandle<()>>> {
    for thread in &prepared {
        // One that is gone says so below.
        let _ = thread.go.send(());
    }
    prepared.iter().try_for_each(Prepared::answer)?;
    Ok(prepared.into_iter().map(|prepared| prepared.thread).collect())
}

impl Prepared {
    /// How the thread's last step went.
    fn answer(&self) -> io::Result<()> {
        let gone = |_| Err(io::Error::other("the thread of a ring is gone"));
        self.said.recv().unwrap_or_else(gone)
    }
}

/// Lets the kernel send everything through /dev/fuse: it gives up rings when it is offered an impossible one.
fn give_up_rings(device: BorrowedFd<'_>) {
    let impossible = Ring::new(device, [(u16::MAX, 1)], PAYLOAD_BYTES);
    if let Err(e) = impossible.and_then(|mut ring| ring.register()) {
        debug!("the kernel gives up rings: {e}");
    }
}

/// The life of a ring's thread: makes the ring, waits for the greeting, registers, serves.
fn work(shared: &Shared, duty: &Duty, say: &Sender<io::Result<()>>, wait: &Receiver<()>) {
    if let Some(core) = duty.core {
        bind_to(core);
    }
    let queues = duty.queues.iter().map(|&queue| (queue, duty.depth));
    let mut ring = match Ring::new(shared.device.as_fd(), queues, PAYLOAD_BYTES) {
        Ok(ring) => ring,
        Err(e) => return drop(say.send(Err(e))),
    };
    // Whoever has asked may have given up meanwhile.
    if say.send(Ok(())).is_err() || wait.recv().is_err() {
        return;
    }
    let registered = ring.register();
    let is_registered = registered.is_ok();
    let _ = say.send(registered);
    if is_registered && let Err(e) = ring.serve(|request, room| answer(&shared.answerer, request, room)) {
        warn!("the requests of {:?} are not answered any more: {e}", duty.core);
    }
}

fn answer(answerer: &Answerer, request: &Request, room: &mut [u8]) -> Commit {
    let reply = match Header::parse(request.header()) {
        Ok(header) => (
            header.unique,
            answerer.answer(&header, request.fixed(), request.variable(), room),
        ),
        // There is always room for a header.
        Err(_) => (0, Reply::None),
    };
    let (unique, reply) = reply;
    let (error, payload_bytes) = match reply {
        Reply::Body(len) => (None, len),
        Reply::Error(errno) => (Some(errno), 0),
        // Nothing of the kind comes here; an entry goes back with a reply all the same.
        Reply::None => (None, 0),
    };
    let header: [u8; OUT_HEADER_BYTES] = device::out_header(unique, error, payload_bytes);
    Commit {
        header,
        payload_bytes,
    }
}

/// A core that may not be had, in a container that has others, is answered from elsewhere.
fn bind_to(core: usize) {
    let mut cores = CpuSet::new();
    let bound = cores
        .set(core)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &cores));
    if let Err(e) = bound {
        debug!("the ring of core {core} is not bound to it: {e}");
    }
}

/// Who serves which queue: each core that is there has a thread of its own, and one more has the queues of
/// cores that could be plugged in, which the kernel wants served too.
fn duties(possible: u16, online: &[usize]) -> Vec<Duty> {
    let is_online = |queue: &u16| online.contains(&usize::from(*queue));
    let (own, spare): (Vec<u16>, Vec<u16>) = (0..possible).partition(is_online);
    let mut duties: Vec<_> = own
        .into_iter()
        .map(|queue| Duty {
            core: Some(usize::from(queue)),
            queues: vec![queue],
            depth: DEPTH,
        })
        .collect();
    if !spare.is_empty() {
        duties.push(Duty {
            core: None,
            queues: spare,
            depth: SPARE_DEPTH,
        });
    }
    duties
}

/// How many queues the kernel has: one for each core that there is or could be.
fn possible_cores() -> io::Result<u16> {
    let listed = listed_cores("/sys/devices/system/cpu/possible").map(|cores| cores.len());
    let count = match listed {
        Some(count) => Some(count),
        None => sysconf(SysconfVar::_NPROCESSORS_CONF)?.and_then(|n| usize::try_from(n).ok()),
    };
    count
        .and_then(|count| u16::try_from(count).ok())
        .filter(|&count| count > 0)
        .ok_or_else(|| io::Error::other("how many cores the machine has is not known"))
}

fn online_cores() -> Vec<usize> {
    let guessed = || (0..thread::available_parallelism().map_or(1, usize::from)).collect();
    listed_cores("/sys/devices/system/cpu/online").unwrap_or_else(guessed)
}

fn listed_cores(file: &str) -> Option<Vec<usize>> {
    parse_cores(&fs::read_to_string(file).ok()?)
}

/// A list such as `0-3,7`.
fn parse_cores(list: &str) -> Option<Vec<usize>> {
    /// Far more than Linux can have.
    const MOST: usize = 1 << 14;
    let range = |part: &str| -> Option<RangeInclusive<usize>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let last = last.parse().ok().filter(|&last| last < MOST)?;
        Some(first.parse().ok()?..=last)
    };
    let ranges: Option<Vec<_>> = list.trim().split(',').map(range).collect();
    let cores: Vec<_> = ranges?.into_iter().flatten().collect();
    (!cores.is_empty()).then_some(cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_understood() {
        assert_eq!(parse_cores("0-3,7\n"), Some(vec![0, 1, 2, 3, 7]));
        assert_eq!(parse_cores("0\n"), Some(vec![0]));
        for nonsense in ["", "\n", "x", "1-", "3-1", "0-99999999999", "0,,1"] {
            assert_eq!(parse_cores(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn cores_that_are_not_there_share_a_thread() {
        let duty = |core: Option<usize>, queues: &[u16], depth| Duty {
            core,
            queues: queues.to_vec(),
            depth,
        };
        assert_eq!(
            duties(2, &[0, 1]),
            [duty(Some(0), &[0], DEPTH), duty(Some(1), &[1], DEPTH)]
        );
        assert_eq!(
            duties(5, &[0, 2]),
            [
                duty(Some(0), &[0], DEPTH),
                duty(Some(2), &[2], DEPTH),
                duty(None, &[1, 3, 4], SPARE_DEPTH)
            ]
        );
        // Numbers with holes: the kernel has fewer queues than the highest number says.
        assert_eq!(duties(2, &[0, 5]).len(), 2);
    }
}
