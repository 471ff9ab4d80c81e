//! The bodies of replies, written into a buffer that the caller gives.
//!
//! A body that does not fit is an error for the caller to see; nothing is ever written half, but for the
//! last entry of a directory, which is taken back.

use crate::fs::{Attr, DirEntry, Ino, Kind, Statfs};
use crate::fuse::policy::{FOR_EVER_SECONDS, GENERATION, kept_seconds};

/// `struct fuse_dirent` without the name.
const DIRENT_BYTES: usize = 24;
/// What has to be a multiple of what in a directory.
const DIRENT_ALIGN: usize = 8;
/// `struct fuse_init_out`.
const GREETING_BYTES: usize = 64;

/// The buffer is too small for what has to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fuse) struct Full;

/// A name's answer: what it stands for, or that there is no such name.
type Entry<'a> = Option<&'a Attr>;

/// The body of a reply, growing in the caller's buffer.
pub(in crate::fuse) struct Body<'b> {
    room: &'b mut [u8],
    used: usize,
}

/// What the kernel is told in answer to its greeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fuse) struct GreetingReply {
    pub(in crate::fuse) major: u32,
    pub(in crate::fuse) minor: u32,
    pub(in crate::fuse) max_readahead: u32,
    /// Capabilities that are wanted, both words of them.
    pub(in crate::fuse) flags: u64,
    pub(in crate::fuse) max_background: u16,
    pub(in crate::fuse) congestion_threshold: u16,
    pub(in crate::fuse) max_write: u32,
    /// Most pages in one request.
    pub(in crate::fuse) max_pages: u16,
}

impl<'b> Body<'b> {
    /// An empty body in a buffer.
    pub(in crate::fuse) fn new(room: &'b mut [u8]) -> Self {
        Body { room, used: 0 }
    }

    /// Bytes written so far.
    pub(in crate::fuse) fn len(&self) -> usize {
        self.used
    }

    /// Bytes as they are.
    pub(in crate::fuse) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.used.checked_add(bytes.len()).ok_or(Full)?;
        self.room
            .get_mut(self.used..end)
            .ok_or(Full)?
            .copy_from_slice(bytes);
        self.used = end;
        Ok(())
    }

    /// `struct fuse_entry_out`. A name that does not exist has inode 0, which the kernel may keep.
    pub(in crate::fuse) fn entry(&mut self, entry: Entry<'_>) -> Result<(), Full> {
        self.u64(entry.map_or(0, |attr| attr.ino.0))?;
        self.u64(GENERATION)?;
        let kept = entry.map_or(FOR_EVER_SECONDS, kept_seconds);
        self.u64(kept)?;
        self.u64(kept)?;
        self.u32(0)?;
        self.u32(0)?;
        match entry {
            Some(attr) => self.attributes(attr),
            None => self.bytes(&[0; 88]),
        }
    }

    /// `struct fuse_attr_out`.
    pub(in crate::fuse) fn attr(&mut self, attr: &Attr) -> Result<(), Full> {
        self.u64(FOR_EVER_SECONDS)?;
        self.u32(0)?;
        self.u32(0)?;
        self.attributes(attr)
    }

    /// `struct fuse_getxattr_out`: how long a value is.
    pub(in crate::fuse) fn xattr_size(&mut self, size: u32) -> Result<(), Full> {
        self.u32(size)?;
        self.u32(0)
    }

    /// `struct fuse_statfs_out`.
    pub(in crate::fuse) fn statfs(&mut self, all: &Statfs) -> Result<(), Full> {
        for word in [all.blocks, 0, 0, all.files, 0] {
            self.u64(word)?;
        }
        for word in [all.block_bytes, all.name_max, all.block_bytes, 0] {
            self.u32(word)?;
        }
        self.bytes(&[0; 24])
    }

    /// `struct fuse_dirent` with its name, and before it, with `attr`, `struct fuse_entry_out`.
    pub(in crate::fuse) fn name(&mut self, name: &DirEntry<'_>, attr: Entry<'_>) -> Result<(), Full> {
        let before = self.used;
        let written = self.try_name(name, attr);
        if written.is_err() {
            self.used = before;
        }
        written
    }

    fn try_name(&mut self, name: &DirEntry<'_>, attr: Entry<'_>) -> Result<(), Full> {
        if attr.is_some() {
            self.entry(attr)?;
        }
        let Ino(ino) = name.ino;
        self.u64(ino)?;
        self.u64(name.next_offset)?;
        self.u32(u32::try_from(name.name.len()).map_err(|_| Full)?)?;
        self.u32(file_type(name.kind) >> 12)?;
        self.bytes(name.name)?;
        let padding = (DIRENT_BYTES + name.name.len()).next_multiple_of(DIRENT_ALIGN);
        self.bytes(&[0; DIRENT_ALIGN][..padding - DIRENT_BYTES - name.name.len()])
    }

    /// `struct fuse_init_out`.
    pub(in crate::fuse) fn greeting(&mut self, reply: &GreetingReply) -> Result<(), Full> {
        let start = self.used;
        let (flags, flags2) = (reply.flags as u32, (reply.flags >> 32) as u32);
        for word in [reply.major, reply.minor, reply.max_readahead, flags] {
            self.u32(word)?;
        }
        self.u16(reply.max_background)?;
        self.u16(reply.congestion_threshold)?;
        self.u32(reply.max_write)?;
        // Times are good to a nanosecond.
        self.u32(1)?;
        self.u16(reply.max_pages)?;
        self.u16(0)?;
        self.u32(flags2)?;
        let written = self.used - start;
        self.bytes(&[0; GREETING_BYTES][written..])
    }

    /// `struct fuse_attr`.
    fn attributes(&mut self, attr: &Attr) -> Result<(), Full> {
        let Ino(ino) = attr.ino;
        // Times before 1970 are negative, and the kernel reads them so.
        let seconds = attr.mtime.seconds as u64;
        for word in [ino, attr.size, attr.blocks, seconds, seconds, seconds] {
            self.u64(word)?;
        }
        let nanoseconds = attr.mtime.nanoseconds;
        for word in [
            nanoseconds,
            nanoseconds,
            nanoseconds,
            file_type(attr.kind) | u32::from(attr.mode),
            attr.nlink,
            attr.uid,
            attr.gid,
            0,
            BLOCK_BYTES,
            0,
        ] {
            self.u32(word)?;
        }
        Ok(())
    }

    fn u16(&mut self, word: u16) -> Result<(), Full> {
        self.bytes(&word.to_ne_bytes())
    }

    fn u32(&mut self, word: u32) -> Result<(), Full> {
        self.bytes(&word.to_ne_bytes())
    }

    fn u64(&mut self, word: u64) -> Result<(), Full> {
        self.bytes(&word.to_ne_bytes())
    }
}

/// What `stat` names as the best size of a read.
const BLOCK_BYTES: u32 = 4096;

/// The bits of `st_mode` above the permissions.
fn file_type(kind: Kind) -> u32 {
    match kind {
        Kind::Directory => 0o040_000,
        Kind::File => 0o100_000,
        Kind::Symlink => 0o120_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Mtime;

    fn attr() -> Attr {
        Attr {
            ino: Ino(9),
            kind: Kind::File,
            mode: 0o644,
            size: 5,
            blocks: 1,
            mtime: Mtime {
                seconds: -2,
                nanoseconds: 3,
            },
            nlink: 1,
            uid: 7,
            gid: 8,
        }
    }

    fn u32_of(bytes: &[u8], at: usize) -> u32 {
        u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    fn u64_of(bytes: &[u8], at: usize) -> u64 {
        u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap())
    }

    /// The sizes of fuse.h, and each field at its place.
    #[test]
    fn bodies_have_the_kernels_layout() {
        let mut room = [0xee; 256];
        let mut body = Body::new(&mut room);
        body.entry(Some(&attr())).unwrap();
        assert_eq!(body.len(), 128);
        assert_eq!((u64_of(&room, 0), u64_of(&room, 16)), (9, FOR_EVER_SECONDS));
        // The attributes begin at 40.
        assert_eq!(
            (u64_of(&room, 40), u64_of(&room, 48), u64_of(&room, 56)),
            (9, 5, 1)
        );
        assert_eq!(u64_of(&room, 72) as i64, -2);
        assert_eq!((u32_of(&room, 92), u32_of(&room, 100)), (3, 0o100_644));
        assert_eq!(
            (u32_of(&room, 104), u32_of(&room, 108), u32_of(&room, 112)),
            (1, 7, 8)
        );
        assert_eq!(u32_of(&room, 120), 4096);

        let mut body = Body::new(&mut room);
        body.attr(&attr()).unwrap();
        assert_eq!(body.len(), 104);

        let mut body = Body::new(&mut room);
        let all = Statfs {
            blocks: 3,
            files: 4,
            block_bytes: 4096,
            name_max: 255,
        };
        body.statfs(&all).unwrap();
        assert_eq!(body.len(), 80);
        assert_eq!(
            (u64_of(&room, 0), u64_of(&room, 24), u32_of(&room, 44)),
            (3, 4, 255)
        );
    }

    #[test]
    fn a_name_that_does_not_exist_is_an_entry_to_keep() {
        let mut room = [0xee; 128];
        Body::new(&mut room).entry(None).unwrap();
        assert_eq!((u64_of(&room, 0), u64_of(&room, 16)), (0, FOR_EVER_SECONDS));
        assert!(room[40..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn the_greeting_has_both_words_of_flags() {
        let mut room = [0xee; 64];
        let reply = GreetingReply {
            major: 7,
            minor: 42,
            max_readahead: 1,
            flags: 1 << 41 | 1 << 22,
            max_background: 64,
            congestion_threshold: 48,
            max_write: 4096,
            max_pages: 64,
        };
        let mut body = Body::new(&mut room);
        body.greeting(&reply).unwrap();
        assert_eq!(body.len(), 64);
        assert_eq!((u32_of(&room, 12), u32_of(&room, 32)), (1 << 22, 1 << 9));
        assert_eq!(u32_of(&room, 28), 64, "pages");
    }

    #[test]
    fn a_directory_ends_with_the_last_name_that_fits() {
        let name = |name: &'static [u8]| DirEntry {
            name,
            ino: Ino(2),
            kind: Kind::Directory,
            next_offset: 3,
        };
        let mut room = [0; 70];
        let mut body = Body::new(&mut room);
        // 24 + 3, made a multiple of 8.
        body.name(&name(b"abc"), None).unwrap();
        assert_eq!(body.len(), 32);
        body.name(&name(b"12345678"), None).unwrap();
        assert_eq!(body.len(), 64);
        assert_eq!(body.name(&name(b"x"), None), Err(Full));
        assert_eq!(body.len(), 64, "taken back");
        assert_eq!(
            (u32_of(&room, 16), u32_of(&room, 20), &room[24..27]),
            (3, 4, &b"abc"[..])
        );

        let mut room = [0; 160];
        let mut body = Body::new(&mut room);
        body.name(&name(b"abc"), Some(&attr())).unwrap();
        assert_eq!((body.len(), &room[152..155]), (160, &b"abc"[..]));
    }
}
