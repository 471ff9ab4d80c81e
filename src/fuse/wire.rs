//! The wire protocol of FUSE, as far as a read-only tree needs it: requests taken apart here, the bodies
//! of replies put together in `reply`.
//!
//! The source is the kernel's include/uapi/linux/fuse.h; numbers are in the machine's own byte order.
//! What comes in is claims: whatever is too short or makes no sense is an error, never a panic. What
//! is answered is left to `answer`.

mod opcode;
mod reply;

use std::fmt;

use thiserror::Error;

use crate::fs::Ino;
pub(super) use opcode::Opcode;
pub(super) use reply::{Body, Full, GreetingReply};

/// `struct fuse_in_header`.
pub(super) const IN_HEADER_BYTES: usize = 40;
/// `struct fuse_out_header`.
pub(super) const OUT_HEADER_BYTES: usize = 16;
/// `struct fuse_getxattr_in`.
const XATTR_IN_BYTES: usize = 8;
/// The version of the protocol that is spoken: 7.42 brought io_uring.
pub(super) const MAJOR: u32 = 7;
pub(super) const MINOR: u32 = 42;
/// The first minor version whose INIT is answered with 64 bytes.
const OLDEST_MINOR: u32 = 23;

/// The header of every request, without who asks: the kernel has checked permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// What is asked.
    pub(super) opcode: Opcode,
    /// Names the request in its reply.
    pub(super) unique: u64,
    /// What is asked about.
    pub(super) ino: Ino,
}

/// What a request asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation<'a> {
    /// The greeting.
    Init(Greeting),
    /// The attributes of a name in the directory that the header names.
    Lookup(&'a [u8]),
    /// Attributes.
    Getattr,
    /// The target of a symlink.
    Readlink,
    /// Bytes of a file.
    Read(Piece),
    /// Names in a directory.
    Readdir(Piece),
    /// Names in a directory, with the attributes of each.
    ReaddirPlus(Piece),
    /// Sizes of the whole filesystem.
    Statfs,
    /// The value of an extended attribute, of at most so many bytes; 0 asks for its size.
    Getxattr(&'a [u8], u32),
    /// The names of extended attributes, in the same way.
    Listxattr(u32),
    /// What is told and not asked: inodes that the kernel forgets, requests nobody waits for any more.
    Told,
    /// Everything else: the opcode says it all.
    Other(Opcode),
}

/// Where to read, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// A position in a file, or the `next_offset` of a name.
    pub(super) offset: u64,
    /// Most bytes of the answer.
    pub(super) size: u32,
}

/// What the kernel can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Greeting {
    /// Of the protocol.
    pub(super) major: u32,
    /// Of the protocol.
    pub(super) minor: u32,
    /// Bytes that it would read ahead.
    pub(super) max_readahead: u32,
    /// Capabilities, both words of them.
    pub(super) flags: u64,
}

impl Greeting {
    /// Whether the version is one that this end speaks.
    pub(super) fn is_understood(&self) -> bool {
        self.major == MAJOR && self.minor >= OLDEST_MINOR
    }
}

/// Why a request makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum WireError {
    /// It ends before its time.
    #[error("{have} bytes where at least {need} belong")]
    Short {
        /// Bytes that a request of this kind has at least.
        need: usize,
        /// Bytes that came.
        have: usize,
    },
    /// The length in the header is not the length of what came.
    #[error("its header says {said} bytes, {have} came")]
    Length {
        /// In the header.
        said: u32,
        /// What came.
        have: usize,
    },
    /// A name without the NUL that ends it, or of no bytes.
    #[error("a name without an end, or an empty one")]
    Name,
}

impl Header {
    /// Reads the first 40 bytes.
    pub(super) fn parse(bytes: &[u8]) -> Result<Header, WireError> {
        Ok(Header {
            opcode: Opcode::of(u32_at(bytes, 4, IN_HEADER_BYTES)?),
            unique: u64_at(bytes, 8, IN_HEADER_BYTES)?,
            ino: Ino(u64_at(bytes, 16, IN_HEADER_BYTES)?),
        })
    }
}

/// Takes a message of /dev/fuse apart: the header, and what comes behind it.
pub(super) fn split_message(message: &[u8]) -> Result<(Header, &[u8]), WireError> {
    let header = Header::parse(message)?;
    let said = u32_at(message, 0, IN_HEADER_BYTES)?;
    if usize::try_from(said) != Ok(message.len()) {
        let have = message.len();
        return Err(WireError::Length { said, have });
    }
    Ok((header, &message[IN_HEADER_BYTES..]))
}

/// The two arguments of an operation, as they come in one piece over /dev/fuse. What is understood here has one of
/// the two, and both are the whole piece then, or it asks for an extended attribute.
pub(super) fn split_arguments(opcode: Opcode, body: &[u8]) -> (&[u8], &[u8]) {
    match opcode {
        Opcode::Getxattr => body.split_at(XATTR_IN_BYTES.min(body.len())),
        _ => (body, body),
    }
}

impl<'a> Operation<'a> {
    /// Reads what follows the header. `fixed` is the structure that the opcode has, if it has one, and may
    /// be longer; `variable` is what comes behind it. A message of /dev/fuse has the two in one piece:
    /// [`split_arguments`] takes it apart.
    pub(super) fn parse(opcode: Opcode, fixed: &[u8], variable: &'a [u8]) -> Result<Self, WireError> {
        Ok(match opcode {
            Opcode::Init => Operation::Init(greeting(fixed)?),
            Opcode::Lookup => Operation::Lookup(name(variable)?),
            Opcode::Getattr => Operation::Getattr,
            Opcode::Readlink => Operation::Readlink,
            Opcode::Read => Operation::Read(piece(fixed)?),
            Opcode::Readdir => Operation::Readdir(piece(fixed)?),
            Opcode::ReaddirPlus => Operation::ReaddirPlus(piece(fixed)?),
            Opcode::Statfs => Operation::Statfs,
            Opcode::Getxattr => Operation::Getxattr(name(variable)?, u32_at(fixed, 0, XATTR_IN_BYTES)?),
            Opcode::Listxattr => Operation::Listxattr(u32_at(fixed, 0, XATTR_IN_BYTES)?),
            Opcode::Forget | Opcode::BatchForget | Opcode::Interrupt | Opcode::NotifyReply => Operation::Told,
            other => Operation::Other(other),
        })
    }
}

/// As a line of the log shows it.
impl fmt::Display for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Init(greeting) => write!(f, "INIT {}.{}", greeting.major, greeting.minor),
            Operation::Lookup(name) => write!(f, "LOOKUP {}", name.escape_ascii()),
            Operation::Getattr => f.write_str("GETATTR"),
            Operation::Readlink => f.write_str("READLINK"),
            Operation::Read(piece) => write!(f, "READ {piece}"),
            Operation::Readdir(piece) => write!(f, "READDIR {piece}"),
            Operation::ReaddirPlus(piece) => write!(f, "READDIRPLUS {piece}"),
            Operation::Statfs => f.write_str("STATFS"),
            Operation::Getxattr(name, size) => write!(f, "GETXATTR {} in {size} bytes", name.escape_ascii()),
            Operation::Listxattr(size) => write!(f, "LISTXATTR in {size} bytes"),
            Operation::Told => f.write_str("FORGET or INTERRUPT"),
            Operation::Other(opcode) => write!(f, "{opcode:?}"),
        }
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes at {}", self.size, self.offset)
    }
}

/// `struct fuse_init_in`. Kernels before 7.36 send no second word of flags.
fn greeting(bytes: &[u8]) -> Result<Greeting, WireError> {
    const FLAGS2_FOLLOW: u64 = 1 << 30;
    let flags = u64::from(u32_at(bytes, 12, 16)?);
    let flags2 = match flags & FLAGS2_FOLLOW {
        0 => 0,
        _ => u64::from(u32_at(bytes, 16, 20)?),
    };
    Ok(Greeting {
        major: u32_at(bytes, 0, 16)?,
        minor: u32_at(bytes, 4, 16)?,
        max_readahead: u32_at(bytes, 8, 16)?,
        flags: flags | flags2 << 32,
    })
}

/// `struct fuse_read_in`: of its 40 bytes, offset and size.
fn piece(bytes: &[u8]) -> Result<Piece, WireError> {
    Ok(Piece {
        offset: u64_at(bytes, 8, 40)?,
        size: u32_at(bytes, 16, 40)?,
    })
}

/// A name ends with a NUL; what security modules add may follow.
fn name(bytes: &[u8]) -> Result<&[u8], WireError> {
    match bytes.iter().position(|&byte| byte == 0) {
        None | Some(0) => Err(WireError::Name),
        Some(end) => Ok(&bytes[..end]),
    }
}

fn u32_at(bytes: &[u8], at: usize, need: usize) -> Result<u32, WireError> {
    let field = long_enough(bytes, need)?[at..].first_chunk();
    Ok(u32::from_ne_bytes(*field.ok_or(short(bytes, need))?))
}

fn u64_at(bytes: &[u8], at: usize, need: usize) -> Result<u64, WireError> {
    let field = long_enough(bytes, need)?[at..].first_chunk();
    Ok(u64::from_ne_bytes(*field.ok_or(short(bytes, need))?))
}

fn long_enough(bytes: &[u8], need: usize) -> Result<&[u8], WireError> {
    bytes.get(..need).ok_or(short(bytes, need))
}

fn short(bytes: &[u8], need: usize) -> WireError {
    let have = bytes.len();
    WireError::Short { need, have }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A message as the kernel writes it.
    fn message(opcode: u32, ino: u64, body: &[u8]) -> Vec<u8> {
        let len = (IN_HEADER_BYTES + body.len()) as u32;
        let mut bytes = [len.to_ne_bytes(), opcode.to_ne_bytes()].concat();
        bytes.extend_from_slice(&7u64.to_ne_bytes());
        bytes.extend_from_slice(&ino.to_ne_bytes());
        bytes.resize(IN_HEADER_BYTES, 0);
        bytes.extend_from_slice(body);
        bytes
    }

    fn parse(message: &[u8]) -> Result<(Header, Operation<'_>), WireError> {
        let (header, body) = split_message(message)?;
        let (fixed, variable) = split_arguments(header.opcode, body);
        Ok((header, Operation::parse(header.opcode, fixed, variable)?))
    }

    #[test]
    fn a_lookup_names_directory_and_name() {
        let message = message(1, 3, b"numpy\0");
        let (header, operation) = parse(&message).unwrap();
        assert_eq!((header.unique, header.ino), (7, Ino(3)));
        assert_eq!(operation, Operation::Lookup(b"numpy"));
    }

    #[test]
    fn a_read_says_where_and_how_much() {
        let mut body = [0; 40];
        body[8..16].copy_from_slice(&(5u64 << 32).to_ne_bytes());
        body[16..20].copy_from_slice(&4096u32.to_ne_bytes());
        let piece = Piece {
            offset: 5 << 32,
            size: 4096,
        };
        for (opcode, expected) in [
            (15, Operation::Read(piece)),
            (28, Operation::Readdir(piece)),
            (44, Operation::ReaddirPlus(piece)),
        ] {
            assert_eq!(parse(&message(opcode, 1, &body)).unwrap().1, expected);
            let short = WireError::Short { need: 40, have: 39 };
            assert_eq!(parse(&message(opcode, 1, &body[..39])), Err(short));
        }
    }

    #[test]
    fn a_question_for_an_attribute_has_room_and_name() {
        let body = [&64u32.to_ne_bytes()[..], &[0; 4], b"user.x\0"].concat();
        let asked = message(22, 1, &body);
        assert_eq!(parse(&asked).unwrap().1, Operation::Getxattr(b"user.x", 64));
        let listed = message(23, 1, &body[..8]);
        assert_eq!(parse(&listed).unwrap().1, Operation::Listxattr(64));
        for len in 0..body.len() {
            assert!(parse(&message(22, 1, &body[..len])).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn a_greeting_may_have_one_word_of_flags_or_two() {
        let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_ne_bytes()).collect() };
        let flags_of = |body: &[u8]| match parse(&message(26, 0, body)).unwrap().1 {
            Operation::Init(greeting) => greeting.flags,
            other => panic!("{other:?}"),
        };
        assert_eq!(flags_of(&words(&[7, 31, 1 << 17, 5])), 5);
        let with_second = words(&[7, 45, 1 << 17, 5 | 1 << 30, 1 << 9]);
        assert_eq!(flags_of(&with_second), 5 | 1 << 30 | 1 << 41);
        // It says that a second word follows, and ends.
        assert!(parse(&message(26, 0, &with_second[..16])).is_err());
    }

    #[test]
    fn what_is_cut_off_or_lies_about_its_length_is_refused() {
        let whole = message(1, 3, b"numpy\0");
        for len in 0..whole.len() {
            assert!(parse(&whole[..len]).is_err(), "{len} bytes");
        }
        let longer = [&whole[..], b"x"].concat();
        assert_eq!(parse(&longer), Err(WireError::Length { said: 46, have: 47 }));
        for name in [&b""[..], b"\0", b"no end"] {
            assert_eq!(parse(&message(1, 3, name)), Err(WireError::Name), "{name:?}");
        }
    }

    #[test]
    fn what_the_kernel_tells_and_what_nobody_knows() {
        for opcode in [2, 42, 36] {
            assert_eq!(parse(&message(opcode, 1, &[])).unwrap().1, Operation::Told);
        }
        for opcode in [0, 7, 999, u32::MAX] {
            let unknown = Operation::Other(Opcode::Unknown);
            assert_eq!(parse(&message(opcode, 1, &[])).unwrap().1, unknown);
        }
    }

    proptest! {
        #[test]
        fn noise_is_taken_apart_without_a_panic(
            noise in proptest::collection::vec(any::<u8>(), 0..300), opcode in 0u32..60, honest: bool,
        ) {
            let noise = if honest { message(opcode, 1, &noise) } else { noise };
            let _ = parse(&noise);
            let (fixed, variable) = noise.split_at(noise.len() / 2);
            let _ = Operation::parse(Opcode::of(opcode), fixed, variable);
        }
    }
}
