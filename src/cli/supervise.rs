//! `--supervise`: the mount outlives the process that serves it. A keeper holds the descriptor of /dev/fuse and the open
//! archives, and whoever comes after a process that was killed opens the same archives and answers the same requests.
//!
//! The note beside the files says what cannot be asked again: paths that were relative to a directory left long ago, and
//! what the archives were when they were opened. A successor that would show another tree gives up: the kernel keeps
//! for ever what it was told.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use log::warn;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::failure::{Class, Failure};
use super::{layers, mount};
use crate::archive::{Archive, Stamp};
use crate::fuse::{mounted_on, take_away, unmount};
use crate::launch::this_program_serving;
use crate::stack::{EntryKind, Stack};
use crate::supervise::{self, Heard, KeepError, Legacy, LegacyError, Outcome, Restarts, WorkerEnd};

const WRITTEN_OVER: &str = "it was written over while it was mounted: mount it again, and replace it by renaming another file over it";

/// What a later process goes on with.
pub(super) struct Estate {
    pub(super) device: OwnedFd,
    pub(super) mountpoint: PathBuf,
    pub(super) stack: Stack,
    pub(super) index: Option<PathBuf>,
    /// Above every number that an earlier process gave to a text.
    pub(super) first_snapshot: u64,
}

#[derive(Serialize, Deserialize)]
struct Note {
    mountpoint: OsString,
    index: Option<OsString>,
    /// In the order of the files, behind the device.
    layers: Vec<LayerNote>,
    /// Of all that the directories of the archives say.
    tree: String,
}

#[derive(Serialize, Deserialize)]
struct LayerNote {
    path: OsString,
    size: u64,
    modified_ns: i128,
    changed_ns: i128,
}

/// Keeps a mount for the processes that serve it, until it is gone.
pub(super) fn keep(mountpoint: &Path, in_background: bool) -> Result<ExitCode, Failure> {
    let null = match in_background {
        true => Some(mount::open_null()?),
        false => None,
    };
    let worker = || {
        let mut worker = this_program_serving();
        worker.args(mount::words_with("--supervised"));
        worker
    };
    let mut ours = None;
    let outcome = supervise::keep(worker, Restarts::default(), |heard| match heard {
        Heard::Working => {
            ours = mounted_on(mountpoint);
            if let Some(null) = &null {
                // The word is the worker's.
                mount::let_go(null, b"");
            }
        }
        Heard::Leave(_) => take_away(mountpoint, ours.as_ref()),
    });
    match outcome? {
        Outcome::Exited(status) => {
            if status != 0 && ours.is_some() && mounted_on(mountpoint) == ours {
                // It could not go on, and has said why. Nobody else does.
                let _ = unmount(mountpoint, true);
            }
            Ok(ExitCode::from(status))
        }
        Outcome::Stillborn(signal) => Err(Failure::new(
            Class::Trouble,
            format_args!("the serving process was killed by signal {signal} before the mount answered"),
        )),
        Outcome::EndedBy(signal) => {
            warn!("signal {signal} again: ending now, open files are lost");
            Ok(ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX)))
        }
        Outcome::GaveUp => {
            let _ = unmount(mountpoint, true);
            Err(Failure::new(
                Class::Trouble,
                format_args!(
                    "{}: taken away, for whoever served it was killed at once",
                    mountpoint.display()
                ),
            )
            .hint("'optfs check --deep' on the layers, and the kernel's log for processes that ran out of memory"))
        }
    }
}

/// A worker's first step: its socket, and what its predecessor left.
pub(super) fn begin() -> Result<(WorkerEnd, Option<Estate>), Failure> {
    let end = WorkerEnd::from_stdin()?;
    let estate = end.inherit()?.map(inherit).transpose()?;
    Ok((end, estate))
}

/// The first worker's last step before it serves: from here on it can be replaced.
pub(super) fn leave(
    end: &WorkerEnd,
    stack: &Stack,
    mountpoint: &Path,
    index: Option<&Path>,
    device: &OwnedFd,
) -> Result<(), Failure> {
    let note = Note {
        mountpoint: mountpoint.into(),
        index: index.map(OsString::from),
        layers: stack.layers().iter().map(LayerNote::of).collect(),
        tree: fingerprint(stack),
    };
    let mut files = vec![device.try_clone()?];
    for archive in stack.layers() {
        let file = archive
            .file()
            .ok_or_else(|| Failure::new(Class::Trouble, "a layer that is no open file"))?;
        files.push(file.try_clone_to_owned()?);
    }
    let note = serde_json::to_vec(&note).map_err(|e| Failure::new(Class::Trouble, e))?;
    Ok(end.leave(&Legacy { note, files })?)
}

fn inherit(legacy: Legacy) -> Result<Estate, Failure> {
    let note: Note = serde_json::from_slice(&legacy.note).map_err(|_| LegacyError::Nonsense)?;
    let mut files = legacy.files.into_iter();
    let device = files.next().ok_or(LegacyError::Nonsense)?;
    let files: Vec<_> = files.map(|file| Arc::new(File::from(file))).collect();
    if files.len() != note.layers.len() {
        return Err(LegacyError::Nonsense.into());
    }
    let open = |number: usize| {
        let LayerNote { path, .. } = &note.layers[number];
        Archive::opened_before(
            Path::new(path),
            files[number].clone(),
            note.layers[number].stamp(),
        )
    };
    let opened = layers::open_all(files.len(), open);
    let opened: Result<Vec<_>, _> = opened.into_iter().collect();
    let stack = Stack::merge(opened.map_err(|e| Failure::of_archive(&e).hint(WRITTEN_OVER))?)?;
    if fingerprint(&stack) != note.tree {
        let what = "the layers are not those that were mounted: nobody can go on serving what they were";
        return Err(Failure::new(Class::Layer, what).hint(WRITTEN_OVER));
    }
    Ok(Estate {
        device,
        mountpoint: note.mountpoint.into(),
        stack,
        index: note.index.map(PathBuf::from),
        first_snapshot: first_snapshot(SystemTime::now()),
    })
}

impl LayerNote {
    fn of(archive: &Archive) -> LayerNote {
        let opened = archive.opened();
        LayerNote {
            path: archive.path().into(),
            size: opened.size,
            modified_ns: opened.modified_ns,
            changed_ns: opened.changed_ns,
        }
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            size: self.size,
            modified_ns: self.modified_ns,
            changed_ns: self.changed_ns,
        }
    }
}

/// Nobody takes a million texts a second for long: those of an earlier process have lower numbers.
fn first_snapshot(now: SystemTime) -> u64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_micros() as u64
}

/// All that a tree is made of: every entry of every layer, in order.
fn fingerprint(stack: &Stack) -> String {
    let mut hash = Sha256::new();
    for archive in stack.layers() {
        hash.update((archive.len() as u64).to_le_bytes());
        for (_, entry) in archive.entries() {
            let kind = match entry.kind {
                EntryKind::Directory => b'd',
                EntryKind::File => b'f',
                EntryKind::Symlink => b'l',
            };
            hash.update((entry.path.len() as u64).to_le_bytes());
            hash.update(entry.path);
            hash.update([kind, u8::from(entry.encrypted)]);
            hash.update(entry.permissions.to_le_bytes());
            hash.update(entry.mtime.seconds.to_le_bytes());
            hash.update(entry.mtime.nanoseconds.to_le_bytes());
            hash.update(entry.declared_size.to_le_bytes());
            hash.update(entry.compressed_size.to_le_bytes());
            hash.update(entry.crc.to_le_bytes());
            hash.update(entry.method.code().to_le_bytes());
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl From<LegacyError> for Failure {
    fn from(error: LegacyError) -> Failure {
        Failure::new(Class::Trouble, error)
    }
}

impl From<KeepError> for Failure {
    fn from(error: KeepError) -> Failure {
        Failure::new(Class::Trouble, error)
    }
}
