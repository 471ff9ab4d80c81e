//! What one mount has found out, kept in files for the next one of the same archives: checkpoints of large entries, and
//! the order in which a stack was read.
//!
//! A file is written beside its place and renamed, and belongs to one entry of one archive, or to one stack, at one
//! moment. What is damaged, of another version or of somebody else is as if it were not there. When to keep and to look is
//! left to `large` and `trail`.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use log::debug;
use nix::unistd::geteuid;
use sha2::{Digest, Sha256};

use crate::archive::{Checkpoint, Entry, EntryError, Member, Stamp};

/// What a file holds.
pub(super) struct Format {
    /// Its first bytes. Another number when anything else about it changes.
    pub(super) magic: &'static [u8; 16],
    /// What its name ends in.
    pub(super) suffix: &'static str,
}

const CHECKPOINTS: Format = Format {
    magic: b"optfs index   1\n",
    suffix: "",
};
/// All files together.
const MOST_BYTES: u64 = 256 << 20;
/// Bytes at the front and at the end of an entry's data that are part of what identifies it.
const SAMPLE_BYTES: usize = 4 << 10;

/// One entry of one archive, or one stack, as it was at one moment.
#[derive(Clone, Copy)]
pub(super) struct Identity(pub(super) [u8; 32]);

impl Identity {
    /// Of what the directory says, of size and time of the archive, and of some of the data itself.
    pub(super) fn of(entry: &Entry<'_>, member: &Member, stamp: Stamp) -> Result<Identity, EntryError> {
        let mut hash = Sha256::new();
        hash.update(stamp.size.to_le_bytes());
        hash.update(stamp.modified_ns.to_le_bytes());
        hash.update(entry.declared_size.to_le_bytes());
        hash.update(entry.compressed_size.to_le_bytes());
        hash.update(entry.crc.to_le_bytes());
        hash.update(entry.path);
        let mut sample = [0; SAMPLE_BYTES];
        for offset in [0, member.len().saturating_sub(SAMPLE_BYTES as u64)] {
            let read = member.read_at(&mut sample, offset)?;
            hash.update(&sample[..read]);
        }
        Ok(Identity(hash.finalize().into()))
    }

    fn file_name(&self, format: &Format) -> String {
        let digits: String = self.0[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        digits + format.suffix
    }
}

/// A directory of such files.
#[derive(Debug)]
pub(super) struct Index {
    directory: PathBuf,
}

impl Index {
    pub(super) fn new(directory: &Path) -> Arc<Index> {
        Arc::new(Index {
            directory: directory.to_owned(),
        })
    }

    /// The checkpoints that were kept of an entry, if they are there and whole.
    pub(super) fn load(&self, identity: &Identity) -> Option<Vec<Checkpoint>> {
        let kept = self.read(identity, &CHECKPOINTS)?;
        let mut rest = &kept[..];
        let mut checkpoints = Vec::new();
        while !rest.is_empty() {
            checkpoints.push(Checkpoint::read_from(&mut rest)?);
        }
        Some(checkpoints)
    }

    /// Keeps the checkpoints of an entry.
    pub(super) fn store(&self, identity: &Identity, checkpoints: &[Arc<Checkpoint>]) {
        let room = checkpoints.iter().map(|checkpoint| checkpoint.memory_bytes());
        let mut bytes = Vec::with_capacity(room.sum());
        for checkpoint in checkpoints {
            checkpoint.write_to(&mut bytes);
        }
        self.keep(identity, &CHECKPOINTS, &bytes);
    }

    /// What was kept, if it is there and whole.
    pub(super) fn read(&self, identity: &Identity, format: &Format) -> Option<Vec<u8>> {
        let path = self.directory.join(identity.file_name(format));
        let mut file = File::open(&path).ok()?;
        let meta = file.metadata().ok()?;
        // What others may write into would let them say what is in our files.
        let is_ours = |meta: &fs::Metadata| meta.uid() == geteuid().as_raw() && meta.mode() & 0o022 == 0;
        if !is_ours(&meta)
            || !meta.is_file()
            || meta.len() > MOST_BYTES
            || !is_ours(&self.directory.metadata().ok()?)
        {
            debug!("{}: not ours, not read", path.display());
            return None;
        }
        let mut bytes = Vec::with_capacity(meta.len() as usize);
        file.read_to_end(&mut bytes).ok()?;
        let kept = unpack(bytes, identity, format);
        match &kept {
            Some(kept) => debug!("{}: {} bytes", path.display(), kept.len()),
            None => debug!("{}: of another version, or damaged", path.display()),
        }
        // The ones that were used last are the last to go.
        let _ = file.set_modified(SystemTime::now());
        kept
    }

    /// Keeps something; without a place to write nothing is kept, and nothing is said.
    pub(super) fn keep(&self, identity: &Identity, format: &Format, what: &[u8]) {
        let bytes = pack(identity, format, what);
        if let Err(error) = self
            .make_room(bytes.len() as u64)
            .and_then(|()| self.write(&identity.file_name(format), &bytes))
        {
            debug!("{}: {error}", self.directory.display());
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        static WRITTEN: AtomicU64 = AtomicU64::new(0);
        let nth = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let unfinished = self
            .directory
            .join(format!("{name}.{}.{nth}", std::process::id()));
        let written = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&unfinished)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&unfinished, self.directory.join(name)));
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    /// Makes the directory, and takes the files away that were not used for longest.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            // Nothing but what is named as ours is: the directory is the user's choice.
            let is_named = entry.file_name().to_str().is_some_and(is_file_name);
            if is_named && meta.is_file() {
                files.push((meta.modified()?, meta.len(), entry.path()));
            }
        }
        files.sort();
        let mut sum = bytes + files.iter().map(|(_, len, _)| len).sum::<u64>();
        for (_, len, path) in files {
            if sum <= MOST_BYTES {
                break;
            }
            fs::remove_file(path)?;
            sum -= len;
        }
        Ok(())
    }
}

/// 32 digits, and behind dots what it holds and the process that is writing it or died of it.
fn is_file_name(name: &str) -> bool {
    let digits = name.split('.').next().unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn pack(identity: &Identity, format: &Format, what: &[u8]) -> Vec<u8> {
    let mut bytes = [format.magic, &identity.0[..], what].concat();
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

fn unpack(mut bytes: Vec<u8>, identity: &Identity, format: &Format) -> Option<Vec<u8>> {
    let (packed, sum) = bytes.split_last_chunk()?;
    let is_whole = crc32fast::hash(packed) == u32::from_le_bytes(*sum);
    let kept = packed
        .strip_prefix(format.magic)?
        .strip_prefix(&identity.0)?
        .len();
    let end = packed.len();
    is_whole.then(|| {
        bytes.truncate(end);
        bytes.split_off(end - kept)
    })
}
