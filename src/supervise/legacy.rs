//! What a worker leaves to its successor, and the socket over which it goes: from each worker to the keeper once, and
//! from the keeper to each later worker.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use thiserror::Error;

use crate::descriptors;

/// Text longer than this is nobody's legacy.
const MOST_NOTE_BYTES: usize = 64 << 20;
/// Nor are more files.
const MOST_FILES: usize = 1 << 17;
/// The byte that carries files.
const FILES: u8 = b'f';
/// The word of a worker that works.
const WORKING: u8 = b'w';

/// Open files, and what there is to know of them.
#[derive(Debug, Default)]
pub struct Legacy {
    /// For the successor to understand; never empty.
    pub note: Vec<u8>,
    /// In an order that the note knows of.
    pub files: Vec<OwnedFd>,
}

/// Why nothing came across.
#[derive(Debug, Error)]
pub enum LegacyError {
    /// The hidden option was typed by hand.
    #[error("standard input is not the socket of a keeper: this option is for optfs's own use")]
    NotStartedByOptfs,
    /// The keeper was killed.
    #[error("the process that would supervise this one is gone")]
    KeeperGone,
    /// What came is no legacy.
    #[error("what the supervising process sent makes no sense")]
    Nonsense,
    /// The socket failed.
    #[error("the socket between optfs's own processes: {0}")]
    Socket(#[from] io::Error),
}

/// A worker's end of the socket.
#[derive(Debug)]
pub struct WorkerEnd(UnixStream);

impl WorkerEnd {
    /// Takes the socket out of descriptor 0 and leaves `/dev/null` there.
    pub fn from_stdin() -> Result<WorkerEnd, LegacyError> {
        let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        if socket.peer_addr().is_err() {
            return Err(LegacyError::NotStartedByOptfs);
        }
        let null = std::fs::File::open("/dev/null")?;
        nix::unistd::dup2_stdin(&null).map_err(io::Error::from)?;
        Ok(WorkerEnd(socket))
    }

    /// What a predecessor has left; none for the first worker.
    pub fn inherit(&self) -> Result<Option<Legacy>, LegacyError> {
        let legacy = receive(&self.0)?.ok_or(LegacyError::KeeperGone)?;
        Ok(Some(legacy).filter(|legacy| !legacy.note.is_empty()))
    }

    /// Says what is to be kept.
    pub fn leave(&self, legacy: &Legacy) -> Result<(), LegacyError> {
        match send(&self.0, legacy) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Err(LegacyError::KeeperGone),
            sent => Ok(sent?),
        }
    }

    /// Says that the work has begun: from now on a violent death calls for a successor. A keeper that is gone is none
    /// of the worker's business any more.
    pub fn working(mut self) {
        let _ = self.0.write_all(&[WORKING]);
    }
}

/// The keeper's end: of one worker.
#[derive(Debug)]
pub(super) struct KeeperEnd(UnixStream);

impl KeeperEnd {
    /// Both ends: ours, and the one that becomes the worker's standard input.
    pub(super) fn pair() -> io::Result<(KeeperEnd, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        Ok((KeeperEnd(ours), theirs.into()))
    }

    /// Gives a worker what its predecessor left; nothing to the first. One that died meanwhile is noticed as such.
    pub(super) fn bequeath(&self, legacy: Option<&Legacy>) -> io::Result<()> {
        match send(&self.0, legacy.unwrap_or(&Legacy::default())) {
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                ) =>
            {
                Ok(())
            }
            sent => sent,
        }
    }

    /// What the first worker leaves, once it works; none when it ended before that.
    pub(super) fn keep(mut self) -> Result<Option<Legacy>, LegacyError> {
        let Some(legacy) = receive(&self.0)? else {
            return Ok(None);
        };
        let mut word = [0];
        match self.0.read_exact(&mut word) {
            Ok(()) if word == [WORKING] => Ok(Some(legacy)),
            Ok(()) => Err(LegacyError::Nonsense),
            Err(e) if is_hang_up(&e) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}

/// Two counts of eight bytes, the note, and the files behind it.
fn send(mut socket: &UnixStream, legacy: &Legacy) -> io::Result<()> {
    let counts = [legacy.note.len() as u64, legacy.files.len() as u64].map(u64::to_ne_bytes);
    socket.write_all(&counts.concat())?;
    socket.write_all(&legacy.note)?;
    for files in legacy.files.chunks(descriptors::MOST) {
        let files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        descriptors::send(socket, FILES, &files)?;
    }
    Ok(())
}

fn receive(mut socket: &UnixStream) -> Result<Option<Legacy>, LegacyError> {
    let mut counts = [0; 16];
    match socket.read_exact(&mut counts) {
        Ok(()) => {}
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
            ) =>
        {
            return Ok(None);
        }
        Err(e) => return Err(e.into()),
    }
    let count = |at: usize| {
        let bytes: [u8; 8] = std::array::from_fn(|byte| counts[at + byte]);
        usize::try_from(u64::from_ne_bytes(bytes)).unwrap_or(usize::MAX)
    };
    let (note_bytes, files) = (count(0), count(8));
    if note_bytes > MOST_NOTE_BYTES || files > MOST_FILES {
        return Err(LegacyError::Nonsense);
    }
    let mut legacy = Legacy::default();
    Read::take(socket, note_bytes as u64).read_to_end(&mut legacy.note)?;
    while legacy.files.len() < files {
        match descriptors::receive(socket)? {
            // Files that find no room here are left out without a word (unix(7)).
            Some((FILES, received)) if !received.is_empty() => legacy.files.extend(received),
            Some(_) => return Err(LegacyError::Nonsense),
            None => return Ok(None),
        }
    }
    match legacy.note.len() == note_bytes && legacy.files.len() == files {
        true => Ok(Some(legacy)),
        false => Ok(None),
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    #[test]
    fn what_one_worker_leaves_the_next_one_has() {
        let (first, first_end) = KeeperEnd::pair().unwrap();
        let worker = WorkerEnd(first_end.into());
        let directory = tempfile::tempdir().unwrap();
        let name = |number: usize| directory.path().join(number.to_string());
        // More than one message carries.
        let numbers = 0..2 * descriptors::MOST + 3;
        let left = std::thread::spawn({
            let files: Vec<OwnedFd> = numbers
                .clone()
                .map(|number| {
                    std::fs::write(name(number), number.to_string()).unwrap();
                    File::open(name(number)).unwrap().into()
                })
                .collect();
            move || {
                assert!(worker.inherit().unwrap().is_none());
                let note = b"a note".repeat(100_000);
                worker.leave(&Legacy { note, files }).unwrap();
                worker.working();
            }
        });
        first.bequeath(None).unwrap();
        let kept = first.keep().unwrap().unwrap();
        left.join().unwrap();

        let (second, second_end) = KeeperEnd::pair().unwrap();
        let heir = std::thread::spawn(move || WorkerEnd(second_end.into()).inherit().unwrap().unwrap());
        second.bequeath(Some(&kept)).unwrap();
        let legacy = heir.join().unwrap();
        assert_eq!(legacy.note, b"a note".repeat(100_000));
        assert_eq!(legacy.files.len(), numbers.len());
        for (number, file) in legacy.files.into_iter().enumerate() {
            let mut bytes = [0; 3];
            let read = File::from(file).read_at(&mut bytes, 0).unwrap();
            assert_eq!(bytes[..read], *number.to_string().as_bytes());
        }
    }

    /// One that dies in the middle leaves nothing.
    #[test]
    fn a_worker_that_never_worked_leaves_nothing() {
        let legacy = || Legacy {
            note: b"note".to_vec(),
            files: vec![File::open("/dev/null").unwrap().into()],
        };
        let steps: [fn(&mut UnixStream, &Legacy); 3] = [
            |_, _| {},
            |socket, legacy| socket.write_all(&legacy.note).unwrap(),
            |socket, legacy| send(socket, legacy).unwrap(),
        ];
        for step in steps {
            let (keeper, end) = KeeperEnd::pair().unwrap();
            let mut socket = UnixStream::from(end);
            step(&mut socket, &legacy());
            drop(socket);
            assert!(keeper.keep().unwrap().is_none());
        }
        let (keeper, end) = KeeperEnd::pair().unwrap();
        drop(end);
        keeper.bequeath(Some(&legacy())).unwrap();
    }

    #[test]
    fn counts_that_make_no_sense_are_refused() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(&[0xff; 16]).unwrap();
        assert!(matches!(receive(&ours), Err(LegacyError::Nonsense)));
    }
}
