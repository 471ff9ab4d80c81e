//! /dev/fuse read and written by ourselves: the kernel's greeting, and requests that come that way.
//!
//! Beside rings it carries what the kernel tells and nobody answers; without them, everything. And it is the one way
//! that outlives the process: the kernel keeps what was read from a descriptor for as long as that one is open anywhere,
//! and gives it out again when it is asked to.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use log::{debug, warn};
use nix::errno::Errno;

use super::answer::{Answerer, Reply};
use super::policy::{CAPABILITIES, MAX_BACKGROUND};
use super::session::Life;
use super::wire::{
    Body, Full, Greeting, GreetingReply, Header, MAJOR, MINOR, OUT_HEADER_BYTES, Operation, split_arguments,
    split_message,
};
use crate::fs::MAX_READ_BYTES;
use crate::guide::Guide;

/// What a read of /dev/fuse must have room for: the longest write that was agreed on, be it by the other transport, and its
/// header. Memory only as far as requests reach.
const REQUEST_BYTES: usize = MAX_READ_BYTES + PAGE_BYTES;
/// Nothing is ever written to the mount: what the kernel insists on.
const MAX_WRITE_BYTES: u32 = 4096;
/// Several readings at the same time, a number of pages to be said, a second word of flags.
const ALWAYS: u64 = 1 << 0 | 1 << 22 | 1 << 30;
const PAGE_BYTES: usize = 4096;
/// Most bytes of one answer: twice what the kernel reads ahead.
pub(super) const MAX_ANSWER_BYTES: usize = 256 << 10;
/// The kernel sends requests again when it is asked to (`FUSE_HAS_RESEND`, Linux 6.9), and how it is asked
/// (`FUSE_NOTIFY_RESEND`).
const HAS_RESEND: u64 = 1 << 39;
const NOTIFY_RESEND: i32 = 7;
/// Threads beyond those that answer at once: while all of these inflate, somebody still looks names up.
const SPARE_READERS: usize = 2;

/// How large requests and answers may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Most bytes of a reply's body.
    pub(super) max_answer_bytes: usize,
}

/// A greeting that waits for its answer.
pub(super) struct Received {
    unique: u64,
    greeting: Greeting,
}

/// A session that the kernel has agreed to.
pub(super) struct Begun {
    device: OwnedFd,
    answerer: Answerer,
    readers: usize,
}

/// Begins a session that another process may go on with, or goes on with one.
///
/// Nothing but the one descriptor is used: requests that were read from a copy of its own (`FUSE_DEV_IOC_CLONE`) are
/// given up when that one is closed, as it is when its process dies.
pub(super) fn begin(guide: Arc<Guide>, device: OwnedFd, threads: usize, life: Life) -> io::Result<Begun> {
    match life {
        Life::Next => {
            // What the one before has read and not answered: with these answers, or once more.
            let ask = notification(NOTIFY_RESEND);
            nix::unistd::write(&device, &ask)?;
        }
        Life::Alone | Life::First => {
            let greeting = receive_greeting(&device)?;
            if life == Life::First && greeting.flags() & HAS_RESEND == 0 {
                let said = "this kernel cannot send requests again, which supervision needs (Linux 6.9)";
                return Err(io::Error::new(io::ErrorKind::Unsupported, said));
            }
            let limits = Limits {
                max_answer_bytes: MAX_ANSWER_BYTES,
            };
            greeting.answer(&device, HAS_RESEND, limits)?;
        }
    }
    Ok(Begun {
        device,
        answerer: Answerer::new(guide),
        readers: threads.max(1) + SPARE_READERS,
    })
}

impl Begun {
    /// Answers requests until the mount is gone.
    pub(super) fn run(self) -> io::Result<()> {
        serve_with(self.readers, &self.device, &self.answerer)
    }
}

/// Reads the kernel's greeting.
///
/// # Errors
/// When the mount is gone, or the kernel speaks another protocol.
pub(super) fn receive_greeting(device: &OwnedFd) -> io::Result<Received> {
    let mut buffer = vec![0; REQUEST_BYTES];
    loop {
        let Some(len) = receive(device, &mut buffer)? else {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the mount is gone"));
        };
        let nonsense = |why| io::Error::new(io::ErrorKind::InvalidData, why);
        let (header, body) = split_message(&buffer[..len]).map_err(nonsense)?;
        let operation = Operation::parse(header.opcode, body, body).map_err(nonsense)?;
        let unique = header.unique;
        match operation {
            Operation::Init(greeting) if greeting.is_understood() => {
                debug!("the kernel speaks FUSE {}.{}", greeting.major, greeting.minor);
                return Ok(Received { unique, greeting });
            }
            // A newer kernel asks again in the version that it is told.
            Operation::Init(greeting) if greeting.major > MAJOR => {
                send_greeting(device, unique, &reply_to(&greeting, 0, MAX_WRITE_BYTES as usize))?;
            }
            Operation::Init(greeting) => {
                send(device, &out_header(unique, Some(Errno::EPROTO), 0))?;
                let said = format!("the kernel speaks FUSE {}.{}", greeting.major, greeting.minor);
                return Err(io::Error::new(io::ErrorKind::Unsupported, said));
            }
            other => return Err(nonsense_first(&other)),
        }
    }
}

impl Received {
    /// What the kernel can do.
    pub(super) fn flags(&self) -> u64 {
        self.greeting.flags
    }

    /// Answers: from here on requests come. `more` are capabilities beyond what every transport wants.
    pub(super) fn answer(&self, device: &OwnedFd, more: u64, limits: Limits) -> io::Result<()> {
        let reply = reply_to(&self.greeting, more, limits.max_answer_bytes);
        send_greeting(device, self.unique, &reply)
    }
}

/// Answers what comes through /dev/fuse, with so many threads, until the mount is gone.
pub(super) fn serve_with(readers: usize, device: &OwnedFd, answerer: &Answerer) -> io::Result<()> {
    let read = || serve(device, answerer);
    thread::scope(|scope| {
        // Who gets no thread serves alone.
        let others: Vec<_> = (1..readers)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, read).ok())
            .collect();
        let served = read();
        // A reader that failed has not ended the mount: the others go on, and so does the mount.
        others.into_iter().fold(served, |served, other| {
            let panicked = |_| Err(io::Error::other("a reader panicked"));
            served.and(other.join().unwrap_or_else(panicked))
        })
    })
}

fn serve(device: &OwnedFd, answerer: &Answerer) -> io::Result<()> {
    let mut request = vec![0; REQUEST_BYTES];
    // Memory only as far as answers reach.
    let mut reply = vec![0; OUT_HEADER_BYTES + MAX_ANSWER_BYTES];
    while let Some(len) = receive(device, &mut request)? {
        let (header, body) = match split_message(&request[..len]) {
            Ok(split) => split,
            Err(why) => {
                // Without a header there is nobody to answer.
                warn!("a request that makes no sense: {why}");
                continue;
            }
        };
        let (fixed, variable) = split_arguments(header.opcode, body);
        let answer = answerer.answer(&header, fixed, variable, &mut reply[OUT_HEADER_BYTES..]);
        if let Some(len) = finish(&header, answer, &mut reply) {
            send(device, &reply[..len])?;
        }
    }
    Ok(())
}

/// Puts the header before the body; the length of both.
fn finish(header: &Header, answer: Reply, reply: &mut [u8]) -> Option<usize> {
    let (error, len) = match answer {
        Reply::Body(len) => (None, len),
        Reply::Error(errno) => (Some(errno), 0),
        Reply::None => return None,
    };
    reply[..OUT_HEADER_BYTES].copy_from_slice(&out_header(header.unique, error, len));
    Some(OUT_HEADER_BYTES + len)
}

/// `struct fuse_out_header`.
pub(super) fn out_header(unique: u64, error: Option<Errno>, body_bytes: usize) -> [u8; OUT_HEADER_BYTES] {
    header_of(unique, error.map_or(0, |errno| -(errno as i32)), body_bytes)
}

/// What is said to the kernel unasked: the same, without a request that it answers.
fn notification(code: i32) -> [u8; OUT_HEADER_BYTES] {
    header_of(0, code, 0)
}

fn header_of(unique: u64, error: i32, body_bytes: usize) -> [u8; OUT_HEADER_BYTES] {
    let mut header = [0; OUT_HEADER_BYTES];
    let len = u32::try_from(OUT_HEADER_BYTES + body_bytes).unwrap_or(u32::MAX);
    header[..4].copy_from_slice(&len.to_ne_bytes());
    header[4..8].copy_from_slice(&error.to_ne_bytes());
    header[8..].copy_from_slice(&unique.to_ne_bytes());
    header
}

fn reply_to(greeting: &Greeting, more: u64, max_answer_bytes: usize) -> GreetingReply {
    let wanted = CAPABILITIES.iter().fold(ALWAYS | more, |all, (_, bit)| all | bit);
    for (name, bit) in CAPABILITIES {
        if greeting.flags & bit == 0 {
            debug!("the kernel does not offer {name}");
        }
    }
    let pages = max_answer_bytes / PAGE_BYTES;
    let readahead = u32::try_from(max_answer_bytes).unwrap_or(u32::MAX);
    GreetingReply {
        major: MAJOR,
        minor: MINOR,
        max_readahead: greeting.max_readahead.min(readahead),
        flags: greeting.flags & wanted,
        max_background: MAX_BACKGROUND,
        congestion_threshold: MAX_BACKGROUND / 4 * 3,
        max_write: MAX_WRITE_BYTES,
        max_pages: u16::try_from(pages).unwrap_or(u16::MAX),
    }
}

fn send_greeting(device: &OwnedFd, unique: u64, reply: &GreetingReply) -> io::Result<()> {
    let mut room = [0; 128];
    let mut body = Body::new(&mut room[OUT_HEADER_BYTES..]);
    let too_long = |Full| io::Error::other("a greeting that does not fit");
    body.greeting(reply).map_err(too_long)?;
    let len = body.len();
    room[..OUT_HEADER_BYTES].copy_from_slice(&out_header(unique, None, len));
    send(device, &room[..OUT_HEADER_BYTES + len])
}

fn nonsense_first(operation: &Operation<'_>) -> io::Error {
    let said = format!("the first request is no greeting: {operation}");
    io::Error::new(io::ErrorKind::InvalidData, said)
}

/// Waits for a request; `None` when the mount is gone.
fn receive(device: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match nix::unistd::read(device, buffer) {
            Ok(len) => return Ok(Some(len)),
            Err(Errno::ENODEV | Errno::ECONNABORTED) => return Ok(None),
            // A request that was withdrawn while it was read, or a signal.
            Err(Errno::ENOENT | Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Replies to what nobody waits for any more, or after the mount is gone, are no trouble.
fn send(device: &OwnedFd, reply: &[u8]) -> io::Result<()> {
    match nix::unistd::write(device, reply) {
        Ok(_) | Err(Errno::ENOENT | Errno::ENODEV | Errno::ECONNABORTED | Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
