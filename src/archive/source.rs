//! Where the bytes of an archive come from: positioned reads, nothing else.
//!
//! No memory maps: a truncated file under a map raises SIGBUS in the daemon, a short `pread` is an
//! ordinary answer. Tests put failing or counting sources here.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};

/// Bytes by position, from any thread.
pub trait ReadAt: Send + Sync {
    /// Reads some bytes at `offset`; 0 means that nothing lies there.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// What identifies the present content, and its size.
    fn stamp(&self) -> io::Result<Stamp>;

    /// The open file that it is, if it is one.
    fn file(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Fills `buf` from `offset`, or as much of it as lies before the end; returns how much.
    fn read_full_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.read_at(&mut buf[filled..], offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(filled)
    }
}

/// Size and modification of a source at one moment. Two different stamps: somebody wrote to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes in the source.
    pub size: u64,
    /// Nanoseconds since the epoch, as the filesystem says, and as whoever may write can say.
    pub modified_ns: i128,
    /// When anything about the file was changed last, its name and its times too; nobody can put that back.
    pub changed_ns: i128,
}

impl Stamp {
    /// Whether nobody seems to have written between the two. A file that was renamed, or given another mode or time, may
    /// have another stamp and the same bytes: who has time looks at them again.
    pub fn is_same_writing(&self, other: &Stamp) -> bool {
        (self.size, self.modified_ns) == (other.size, other.modified_ns)
    }
}

impl ReadAt for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buf, offset)
    }

    fn stamp(&self) -> io::Result<Stamp> {
        let meta = self.metadata()?;
        let ns = |seconds, nanoseconds| i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
        Ok(Stamp {
            size: meta.size(),
            modified_ns: ns(meta.mtime(), meta.mtime_nsec()),
            changed_ns: ns(meta.ctime(), meta.ctime_nsec()),
        })
    }

    fn file(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let n = buf.len().min(self.len() - start);
        buf[..n].copy_from_slice(&self[start..start + n]);
        Ok(n)
    }

    fn stamp(&self) -> io::Result<Stamp> {
        Ok(Stamp {
            size: self.len() as u64,
            modified_ns: 0,
            changed_ns: 0,
        })
    }
}
