//! Checkpoints of large entries kept in files, so that the next mount of the same archive starts where this one
//! has been.
//!
//! A file is written beside its place and renamed, and belongs to one entry of one archive at one moment. What is
//! damaged, of another version or of somebody else is as if it were not there. When to keep and to look is left to
//! `large`.

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

/// The first bytes of every file. Another number when anything else about it changes.
const MAGIC: &[u8; 16] = b"optfs index   1\n";
/// All files together.
const MOST_BYTES: u64 = 256 << 20;
/// Bytes at the front and at the end of an entry's data that are part of what identifies it.
const SAMPLE_BYTES: usize = 4 << 10;

/// One entry of one archive as it was at one moment.
#[derive(Clone, Copy)]
pub(super) struct Identity([u8; 32]);

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

    fn file_name(&self) -> String {
        self.0[..16].iter().map(|byte| format!("{byte:02x}")).collect()
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
        let path = self.directory.join(identity.file_name());
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
        let checkpoints = unpack(&bytes, identity);
        match &checkpoints {
            Some(checkpoints) => debug!("{}: {} checkpoints", path.display(), checkpoints.len()),
            None => debug!("{}: of another version, or damaged", path.display()),
        }
        // The ones that were used last are the last to go.
        let _ = file.set_modified(SystemTime::now());
        checkpoints
    }

    /// Keeps the checkpoints of an entry; without a place to write nothing is kept, and nothing is said.
    pub(super) fn store(&self, identity: &Identity, checkpoints: &[Arc<Checkpoint>]) {
        let bytes = pack(identity, checkpoints);
        if let Err(error) = self
            .make_room(bytes.len() as u64)
            .and_then(|()| self.write(identity, &bytes))
        {
            debug!("{}: {error}", self.directory.display());
        }
    }

    fn write(&self, identity: &Identity, bytes: &[u8]) -> io::Result<()> {
        let name = identity.file_name();
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

/// 32 digits, and behind a dot the process that is writing it or died of it.
fn is_file_name(name: &str) -> bool {
    let digits = name.split('.').next().unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn pack(identity: &Identity, checkpoints: &[Arc<Checkpoint>]) -> Vec<u8> {
    let room = checkpoints
        .iter()
        .map(|checkpoint| checkpoint.memory_bytes())
        .sum();
    let mut bytes = Vec::with_capacity(room);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&identity.0);
    for checkpoint in checkpoints {
        checkpoint.write_to(&mut bytes);
    }
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

fn unpack(bytes: &[u8], identity: &Identity) -> Option<Vec<Checkpoint>> {
    let (bytes, sum) = bytes.split_last_chunk()?;
    if crc32fast::hash(bytes) != u32::from_le_bytes(*sum) {
        return None;
    }
    let mut rest = bytes.strip_prefix(MAGIC)?.strip_prefix(&identity.0)?;
    let mut checkpoints = Vec::new();
    while !rest.is_empty() {
        checkpoints.push(Checkpoint::read_from(&mut rest)?);
    }
    Some(checkpoints)
}
