//! One ring of io_uring and the memory that the kernel puts requests into: the only place of this crate
//! that says `unsafe`.
//!
//! An entry is a header of 288 bytes and a payload buffer, registered with a queue of the mount. It is the
//! kernel's until a completion says that a request lies in it, ours until the reply is committed,
//! and so on. Which queues there are and what is answered is left to the caller.

#![allow(unsafe_code, reason = "io_uring writes into memory by address")]

use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::{IoUring, cqueue, opcode::UringCmd80, squeue, types::Fd};
use nix::errno::Errno;
use nix::libc::{c_void, iovec};

/// `struct fuse_uring_req_header`: header, argument of the operation, and what is about the entry.
const HEADER_BYTES: usize = 288;
/// Where the argument begins, and where the fields about the entry lie.
const ARGUMENT_AT: usize = 128;
const COMMIT_ID_AT: usize = 264;
const PAYLOAD_SIZE_AT: usize = 272;
/// Names are shorter, and nothing else that comes in a payload is looked at.
const MOST_VARIABLE_BYTES: usize = 1024;
/// `enum fuse_uring_cmd`.
const REGISTER: u32 = 1;
const COMMIT_AND_FETCH: u32 = 2;
/// Where `struct io_uring_sqe` has its `len`, for which the crate has no setter.
const SQE_LEN_AT: usize = 24;

/// A ring, to be used by the thread that made it.
pub(super) struct Ring<'d> {
    ring: IoUring<squeue::Entry128, cqueue::Entry>,
    device: BorrowedFd<'d>,
    entries: Vec<Entry>,
    /// Completions that came while nobody waited for them.
    early: VecDeque<(usize, i32)>,
}

struct Entry {
    queue: u16,
    /// Leaked, see [`Entry::new`].
    memory: &'static Memory,
    /// Whether the kernel has it, or nobody has.
    is_live: bool,
}

/// What the kernel writes into. Only touched between a completion and the commit that follows it.
struct Memory {
    header: UnsafeCell<[u8; HEADER_BYTES]>,
    payload: Box<[UnsafeCell<u8>]>,
    iovecs: UnsafeCell<[iovec; 2]>,
}

/// A request, copied out of the entry: the reply will be written where it lay.
pub(super) struct Request {
    bytes: [u8; HEADER_BYTES],
    variable: [u8; MOST_VARIABLE_BYTES],
    variable_len: usize,
}

impl Request {
    /// `fuse_in_header`, with room behind it.
    pub(super) fn header(&self) -> &[u8] {
        &self.bytes[..ARGUMENT_AT]
    }

    /// The fixed argument of the operation, with room behind it.
    pub(super) fn fixed(&self) -> &[u8] {
        &self.bytes[ARGUMENT_AT..2 * ARGUMENT_AT]
    }

    /// What follows it, as far as it can mean anything.
    pub(super) fn variable(&self) -> &[u8] {
        &self.variable[..self.variable_len]
    }
}

/// The reply to a request: `fuse_out_header`, and how much of the payload is body.
pub(super) struct Commit {
    pub(super) header: [u8; 16],
    pub(super) payload_bytes: usize,
}

impl<'d> Ring<'d> {
    /// A ring with entries for some queues of a mount, each a number and a depth. Nothing is registered yet.
    ///
    /// # Errors
    /// When the kernel, or a sandbox, gives no rings.
    pub(super) fn new(
        device: BorrowedFd<'d>,
        queues: impl IntoIterator<Item = (u16, usize)>,
        payload_bytes: usize,
    ) -> io::Result<Ring<'d>> {
        let entries: Vec<_> = queues
            .into_iter()
            .flat_map(|(queue, depth)| (0..depth).map(move |_| Entry::new(queue, payload_bytes)))
            .collect();
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_coop_taskrun()
            .setup_defer_taskrun()
            .build(u32::try_from(entries.len().max(1)).unwrap_or(u32::MAX))?;
        Ok(Ring {
            ring,
            device,
            entries,
            early: VecDeque::new(),
        })
    }

    /// Gives all entries to the kernel.
    ///
    /// # Errors
    /// When it takes one of them not; it then sends all requests through /dev/fuse.
    pub(super) fn register(&mut self) -> io::Result<()> {
        for entry in 0..self.entries.len() {
            let command = self.register_command(entry);
            self.push(&command, entry)?;
        }
        retrying(|| self.ring.submit())?;
        let completed = self.ring.completion();
        self.early
            .extend(completed.map(|done| (done.user_data() as usize, done.result())));
        match self.early.iter().find(|(_, result)| *result < 0) {
            Some((_, result)) => Err(io::Error::from_raw_os_error(-result)),
            None => Ok(()),
        }
    }

    /// Answers requests until the mount is gone. `answer` gets each one and a buffer for the body of its
    /// reply.
    ///
    /// # Errors
    /// When the kernel takes no entry back.
    pub(super) fn serve(&mut self, mut answer: impl FnMut(&Request, &mut [u8]) -> Commit) -> io::Result<()> {
        while self.entries.iter().any(|entry| entry.is_live) {
            let (entry, result) = match self.early.pop_front() {
                Some(early) => early,
                None => match self.completed() {
                    Some(completed) => completed,
                    None => {
                        // Commits the last reply and waits for the next request, in one call.
                        retrying(|| self.ring.submit_and_wait(1))?;
                        continue;
                    }
                },
            };
            match Errno::from_raw(-result) {
                _ if result >= 0 => {}
                // The mount is gone, or about to go.
                Errno::ENOTCONN | Errno::ECANCELED | Errno::ECONNABORTED => return Ok(()),
                errno => {
                    log::debug!(
                        "an entry of queue {} came back: {errno}",
                        self.entries[entry].queue
                    );
                    self.entries[entry].is_live = false;
                    continue;
                }
            }
            let command = self.entries[entry].answered(&mut answer, self.device);
            self.push(&command, entry)?;
            // Whoever waits for this reply should not wait for the next ones.
            if !self.ring.completion().is_empty() {
                retrying(|| self.ring.submit())?;
            }
        }
        Err(io::Error::other("the kernel gave back all entries of a queue"))
    }

    /// The next entry that came back, and how.
    fn completed(&mut self) -> Option<(usize, i32)> {
        let done = self.ring.completion().next()?;
        Some((done.user_data() as usize, done.result()))
    }

    fn register_command(&self, entry: usize) -> squeue::Entry128 {
        let Entry { queue, memory, .. } = &self.entries[entry];
        let mut command = UringCmd80::new(Fd(self.device.as_raw_fd()), REGISTER)
            .cmd(argument(*queue, 0))
            .addr(Some(memory.iovecs.get() as u64))
            .build();
        let sqe = (&raw mut command).cast::<u8>();
        // SAFETY: an Entry128 is a `struct io_uring_sqe` of 128 bytes, whose 32-bit field `len` lies at 24.
        unsafe { sqe.add(SQE_LEN_AT).cast::<u32>().write(2) };
        command
    }

    /// Puts a command into the submission queue, which has a place for each entry.
    fn push(&mut self, command: &squeue::Entry128, entry: usize) -> io::Result<()> {
        let command = command.clone().user_data(entry as u64);
        // SAFETY: the device is borrowed for the ring's life; the memory of entries is never freed, and is
        // not touched by us from here until the command has completed.
        let pushed = unsafe { self.ring.submission().push(&command) };
        pushed.map_err(|_| io::Error::other("the submission queue is full"))
    }
}

impl Entry {
    /// The memory is leaked: the kernel knows its address for as long as the mount lives, and closing a
    /// ring is not done when `close` returns. A process serves one mount, until it ends.
    fn new(queue: u16, payload_bytes: usize) -> Self {
        // Zeroes from the system are no memory yet: what no reply was large enough for is never touched.
        let payload = vec![0u8; payload_bytes].into_boxed_slice();
        let payload = Box::into_raw(payload) as *mut [UnsafeCell<u8>];
        let memory = Box::leak(Box::new(Memory {
            header: UnsafeCell::new([0; HEADER_BYTES]),
            // SAFETY: an UnsafeCell<u8> has the layout of a u8, and the box was given up the line before.
            payload: unsafe { Box::from_raw(payload) },
            iovecs: UnsafeCell::new(
                [iovec {
                    iov_base: std::ptr::null_mut(),
                    iov_len: 0,
                }; 2],
            ),
        }));
        *memory.iovecs.get_mut() = [
            iovec {
                iov_base: memory.header.get().cast::<c_void>(),
                iov_len: HEADER_BYTES,
            },
            iovec {
                iov_base: memory.payload.as_ptr().cast_mut().cast::<c_void>(),
                iov_len: payload_bytes,
            },
        ];
        Entry {
            queue,
            memory,
            is_live: true,
        }
    }

    /// Answers the request that lies in the entry; the command that gives it back.
    fn answered(
        &mut self,
        answer: &mut impl FnMut(&Request, &mut [u8]) -> Commit,
        device: BorrowedFd<'_>,
    ) -> squeue::Entry128 {
        // SAFETY: a completion gave us the entry, and the command made here, which gives it back, is not
        // submitted before these two are gone. Nobody else has the memory: each entry has its own, and
        // `&mut self` is the only way to it.
        let (header, payload) = unsafe {
            let cells = &self.memory.payload;
            let start = cells.as_ptr().cast_mut().cast::<u8>();
            (
                &mut *self.memory.header.get(),
                std::slice::from_raw_parts_mut(start, cells.len()),
            )
        };
        let mut request = Request {
            bytes: *header,
            variable: [0; MOST_VARIABLE_BYTES],
            variable_len: 0,
        };
        let said = u32::from_ne_bytes(field(header, PAYLOAD_SIZE_AT)) as usize;
        request.variable_len = said.min(MOST_VARIABLE_BYTES).min(payload.len());
        let len = request.variable_len;
        request.variable[..len].copy_from_slice(&payload[..len]);
        let commit_id = u64::from_ne_bytes(field(header, COMMIT_ID_AT));

        let commit = answer(&request, payload);
        header[..commit.header.len()].copy_from_slice(&commit.header);
        let size = (commit.payload_bytes.min(payload.len()) as u32).to_ne_bytes();
        header[PAYLOAD_SIZE_AT..PAYLOAD_SIZE_AT + size.len()].copy_from_slice(&size);
        UringCmd80::new(Fd(device.as_raw_fd()), COMMIT_AND_FETCH)
            .cmd(argument(self.queue, commit_id))
            .build()
    }
}

/// `struct fuse_uring_cmd_req`, in the 80 bytes that a command has.
fn argument(queue: u16, commit_id: u64) -> [u8; 80] {
    let mut argument = [0; 80];
    argument[8..16].copy_from_slice(&commit_id.to_ne_bytes());
    argument[16..18].copy_from_slice(&queue.to_ne_bytes());
    argument
}

fn field<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    std::array::from_fn(|byte| header[at + byte])
}

/// Signals interrupt waiting, and mean nothing here.
fn retrying(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<()> {
    loop {
        match call() {
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}
