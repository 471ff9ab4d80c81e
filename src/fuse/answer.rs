//! A request of the wire to its reply: for the transports that speak the protocol themselves.
//!
//! Straight from `guide` into the caller's buffer; nothing is allocated for it but what `guide` allocates.
//! Where requests come from and replies go to is left to `device` and `uring`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use log::{debug, error};
use nix::errno::Errno;

use super::policy::{Complaints, XattrReply, refusal, xattr_reply};
use super::wire::{Body, Full, Header, Operation, Piece};
use crate::fs::{FsError, Ino};
use crate::guide::{Guide, XattrError};

/// Answers requests about a tree.
pub(super) struct Answerer {
    guide: Arc<Guide>,
    complaints: Complaints,
}

/// What is said in reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// The first bytes of the buffer.
    Body(usize),
    /// An error, and no body.
    Error(Errno),
    /// Nothing: nobody waits.
    None,
}

/// Why there is no body.
enum Trouble {
    Fs(FsError),
    Full,
}

impl From<FsError> for Trouble {
    fn from(error: FsError) -> Self {
        Trouble::Fs(error)
    }
}

impl From<Full> for Trouble {
    fn from(_: Full) -> Self {
        Trouble::Full
    }
}

impl Answerer {
    /// Answers from a tree.
    pub(super) fn new(guide: Arc<Guide>) -> Self {
        Answerer {
            guide,
            complaints: Complaints::default(),
        }
    }

    /// Answers a request whose arguments are as [`Operation::parse`] takes them, with a body of at most
    /// `room` bytes.
    pub(super) fn answer(&self, header: &Header, fixed: &[u8], variable: &[u8], room: &mut [u8]) -> Reply {
        let operation = match Operation::parse(header.opcode, fixed, variable) {
            Ok(operation) => operation,
            Err(why) => {
                debug!(
                    "FUSE({}) {:?} makes no sense: {why}",
                    header.unique, header.opcode
                );
                return Reply::Error(Errno::EINVAL);
            }
        };
        debug!("FUSE({}) ino {}: {operation}", header.unique, header.ino.0);
        // A thread that dies of one request leaves all others of its core without an answer.
        let answered = catch_unwind(AssertUnwindSafe(|| self.body(header.ino, &operation, room)));
        match answered {
            Ok(reply) => reply,
            Err(_) => {
                error!("a bug in optfs: answering {header:?} panicked");
                Reply::Error(Errno::EIO)
            }
        }
    }

    fn body(&self, ino: Ino, operation: &Operation<'_>, room: &mut [u8]) -> Reply {
        let mut body = Body::new(room);
        let written = match *operation {
            Operation::Lookup(name) => self.lookup(ino, name, &mut body),
            Operation::Getattr => self.getattr(ino, &mut body),
            Operation::Readlink => self.readlink(ino, &mut body),
            Operation::Read(piece) => return self.read(ino, piece, room),
            Operation::Readdir(piece) => return self.readdir(ino, piece, false, room),
            Operation::ReaddirPlus(piece) => return self.readdir(ino, piece, true, room),
            Operation::Statfs => body.statfs(&self.guide.statfs()).map_err(Trouble::from),
            Operation::Getxattr(name, size) => return self.xattr(self.guide.getxattr(ino, name), size, room),
            Operation::Listxattr(size) => return self.xattr(self.guide.listxattr(ino), size, room),
            Operation::Told => return Reply::None,
            // A second greeting is none.
            Operation::Init(_) => return Reply::Error(Errno::EIO),
            Operation::Other(opcode) => return refusal(opcode).map_or(Reply::Body(0), Reply::Error),
        };
        let len = body.len();
        self.reply(ino, written.map(|()| len))
    }

    fn reply(&self, ino: Ino, written: Result<usize, Trouble>) -> Reply {
        match written {
            Ok(len) => Reply::Body(len),
            Err(Trouble::Fs(error)) => Reply::Error(self.complaints.errno(ino, &error)),
            Err(Trouble::Full) => Reply::Error(Errno::ERANGE),
        }
    }

    fn lookup(&self, parent: Ino, name: &[u8], body: &mut Body<'_>) -> Result<(), Trouble> {
        match self.guide.lookup(parent, name) {
            Ok(attr) => body.entry(Some(&attr))?,
            // An entry with inode 0 lets the kernel keep that there is no such name.
            Err(FsError::NotFound) => body.entry(None)?,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn getattr(&self, ino: Ino, body: &mut Body<'_>) -> Result<(), Trouble> {
        Ok(body.attr(&self.guide.getattr(ino)?)?)
    }

    fn readlink(&self, ino: Ino, body: &mut Body<'_>) -> Result<(), Trouble> {
        Ok(body.bytes(&self.guide.readlink(ino)?)?)
    }

    /// The one copy of a read: from where `guide` has the bytes into the buffer.
    fn read(&self, ino: Ino, piece: Piece, room: &mut [u8]) -> Reply {
        let size = room.len().min(piece.size as usize);
        let delivered = self.guide.read(ino, piece.offset, size, |bytes| {
            let mut body = Body::new(room);
            body.bytes(bytes).map(|()| body.len())
        });
        let written = delivered.map_err(Trouble::from);
        self.reply(ino, written.and_then(|written| Ok(written?)))
    }

    fn xattr(&self, value: Result<Vec<u8>, XattrError>, size: u32, room: &mut [u8]) -> Reply {
        let mut body = Body::new(room);
        let written = match xattr_reply(value, size) {
            Ok(XattrReply::Size(size)) => body.xattr_size(size),
            Ok(XattrReply::Value(value)) => body.bytes(&value),
            Err(errno) => return Reply::Error(errno),
        };
        written.map_or(Reply::Error(Errno::ERANGE), |()| Reply::Body(body.len()))
    }

    fn readdir(&self, ino: Ino, piece: Piece, with_attributes: bool, room: &mut [u8]) -> Reply {
        let size = room.len().min(piece.size as usize);
        let mut body = Body::new(&mut room[..size]);
        let names = match self.guide.readdir(ino, piece.offset) {
            Ok(names) => names,
            Err(error) => return self.reply(ino, Err(error.into())),
        };
        for name in names {
            let attr = match with_attributes {
                false => None,
                // There is no name without its inode.
                true => match self.guide.attr(name.ino) {
                    Ok(attr) => Some(attr),
                    Err(_) => continue,
                },
            };
            if body.name(&name, attr.as_ref()).is_err() {
                break;
            }
        }
        Reply::Body(body.len())
    }
}
