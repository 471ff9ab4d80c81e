//! The transport over /dev/fuse through the crate `fuser`: its requests to calls of `fs`, its replies
//! from values of `fs`, and what the kernel may keep.
//!
//! The tree never changes, so the kernel keeps everything for ever: entries, attributes, names that do
//! not exist, directory pages, targets of links, file pages. `open` and `opendir` answer ENOSYS once,
//! after which the kernel does not send them at all.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    AccessFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation, INodeNo, InitFlags,
    IoctlFlags, KernelConfig, LockOwner, OpenFlags, PollEvents, PollFlags, PollNotifier, ReplyAttr,
    ReplyBmap, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek,
    ReplyOpen, ReplyPoll, ReplyStatfs, ReplyXattr, Request, Session, SessionACL,
};
use log::{debug, warn};
use parking_lot::Mutex;

use crate::fs::{Attr, Fs, FsError, Ino, Kind, MAX_READ_BYTES, Mtime};

/// How long the kernel may keep an answer: for ever, as far as its clock counts.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);
/// Inode numbers are never used twice.
const GENERATION: Generation = Generation(0);
/// Requests that the kernel may have under way in the background, read-ahead above all.
const MAX_BACKGROUND: u16 = 64;
/// Damaged files that are remembered, so that each is logged once.
const MAX_LOGGED: usize = 10_000;

/// Answers the kernel's greeting; what comes back serves the requests that follow.
pub(super) fn begin(fs: Arc<Fs>, device: OwnedFd, threads: usize) -> io::Result<Begun> {
    let mut config = Config::default();
    config.n_threads = Some(threads.max(1));
    // A descriptor for each thread saves them a queue. In a sandbox the device may be out of reach by
    // now; sharing one descriptor works as well, a little slower.
    config.clone_fd = threads > 1
        && OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/fuse")
            .is_ok();
    let adapter = Adapter {
        fs,
        logged: Mutex::default(),
    };
    // The kernel decides who may ask: `allow_other` is a mount option.
    Ok(Begun(Session::from_fd(adapter, device, SessionACL::All, config)?))
}

/// A session that the kernel has agreed to.
pub(super) struct Begun(Session<Adapter>);

impl Begun {
    /// Answers requests until the mount is gone.
    pub(super) fn run(self) -> io::Result<()> {
        self.0.run()
    }
}

struct Adapter {
    fs: Arc<Fs>,
    logged: Mutex<HashSet<Ino>>,
}

impl Adapter {
    /// The errno of an error; damage is logged once for each file.
    fn errno(&self, ino: INodeNo, error: &FsError) -> Errno {
        match error {
            FsError::NotFound => Errno::ENOENT,
            FsError::NotADirectory => Errno::ENOTDIR,
            FsError::IsADirectory => Errno::EISDIR,
            FsError::NotALink => Errno::EINVAL,
            FsError::NameTooLong => Errno::ENAMETOOLONG,
            FsError::Damaged(what) => {
                let mut logged = self.logged.lock();
                if logged.len() < MAX_LOGGED && logged.insert(Ino(ino.0)) {
                    warn!("{what}");
                }
                Errno::EIO
            }
        }
    }
}

impl Filesystem for Adapter {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        for capability in [
            InitFlags::FUSE_PARALLEL_DIROPS,
            InitFlags::FUSE_CACHE_SYMLINKS,
            InitFlags::FUSE_NO_OPEN_SUPPORT,
            InitFlags::FUSE_NO_OPENDIR_SUPPORT,
            InitFlags::FUSE_DO_READDIRPLUS,
            InitFlags::FUSE_READDIRPLUS_AUTO,
            InitFlags::FUSE_EXPORT_SUPPORT,
        ] {
            if let Err(missing) = config.add_capabilities(capability) {
                debug!("the kernel does not offer {missing:?}");
            }
        }
        // Refusals name the limit that holds instead.
        let _ = config.set_max_write(MAX_READ_BYTES as u32);
        if let Err(most) = config.set_max_readahead(MAX_READ_BYTES as u32) {
            let _ = config.set_max_readahead(most);
        }
        let _ = config.set_max_background(MAX_BACKGROUND);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.fs.lookup(Ino(parent.0), name.as_bytes()) {
            Ok(attr) => reply.entry(&FOR_EVER, &file_attr(&attr), GENERATION),
            // An entry with inode 0 lets the kernel keep that there is no such name.
            Err(FsError::NotFound) => reply.entry(&FOR_EVER, &NO_ENTRY, GENERATION),
            Err(e) => reply.error(self.errno(parent, &e)),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.fs.getattr(Ino(ino.0)) {
            Ok(attr) => reply.attr(&FOR_EVER, &file_attr(&attr)),
            Err(e) => reply.error(self.errno(ino, &e)),
        }
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        match self.fs.readlink(Ino(ino.0)) {
            Ok(target) => reply.data(&target),
            Err(e) => reply.error(self.errno(ino, &e)),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut reply = Some(reply);
        let answer = self.fs.read(Ino(ino.0), offset, size as usize, |bytes| {
            if let Some(reply) = reply.take() {
                reply.data(bytes);
            }
        });
        if let (Err(e), Some(reply)) = (answer, reply) {
            reply.error(self.errno(ino, &e));
        }
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        match self.fs.readdir(Ino(ino.0), offset) {
            Err(e) => reply.error(self.errno(ino, &e)),
            Ok(entries) => {
                for entry in entries {
                    let name = OsStr::from_bytes(entry.name);
                    if reply.add(
                        INodeNo(entry.ino.0),
                        entry.next_offset,
                        file_type(entry.kind),
                        name,
                    ) {
                        break;
                    }
                }
                reply.ok();
            }
        }
    }

    fn readdirplus(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        match self.fs.readdir(Ino(ino.0), offset) {
            Err(e) => reply.error(self.errno(ino, &e)),
            Ok(entries) => {
                for entry in entries {
                    let Ok(attr) = self.fs.getattr(entry.ino) else {
                        continue;
                    };
                    let (ino, name) = (INodeNo(entry.ino.0), OsStr::from_bytes(entry.name));
                    if reply.add(
                        ino,
                        entry.next_offset,
                        name,
                        &FOR_EVER,
                        &file_attr(&attr),
                        GENERATION,
                    ) {
                        break;
                    }
                }
                reply.ok();
            }
        }
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let all = self.fs.statfs();
        reply.statfs(
            all.blocks,
            0,
            0,
            all.files,
            0,
            all.block_bytes,
            all.name_max,
            all.block_bytes,
        );
    }

    // Not needed: the kernel stops asking once it has heard ENOSYS.

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.error(Errno::ENOSYS);
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.error(Errno::ENOSYS);
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn access(&self, _: &Request, _: INodeNo, _: AccessFlags, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn getxattr(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }

    fn listxattr(&self, _: &Request, _: INodeNo, _: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }

    fn lseek(&self, _: &Request, _: INodeNo, _: FileHandle, _: i64, _: i32, reply: ReplyLseek) {
        reply.error(Errno::ENOSYS);
    }

    fn bmap(&self, _: &Request, _: INodeNo, _: u32, _: u64, reply: ReplyBmap) {
        reply.error(Errno::ENOSYS);
    }

    fn ioctl(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: IoctlFlags,
        _: u32,
        _: &[u8],
        _: u32,
        reply: ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }

    fn poll(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: PollNotifier,
        _: PollEvents,
        _: PollFlags,
        reply: ReplyPoll,
    ) {
        reply.error(Errno::ENOSYS);
    }
}

/// What stands for "no such name" in a reply that the kernel may keep.
const NO_ENTRY: FileAttr = FileAttr {
    ino: INodeNo(0),
    size: 0,
    blocks: 0,
    atime: UNIX_EPOCH,
    mtime: UNIX_EPOCH,
    ctime: UNIX_EPOCH,
    crtime: UNIX_EPOCH,
    kind: FileType::RegularFile,
    perm: 0,
    nlink: 0,
    uid: 0,
    gid: 0,
    rdev: 0,
    blksize: 0,
    flags: 0,
};

fn file_attr(attr: &Attr) -> FileAttr {
    let time = system_time(attr.mtime);
    FileAttr {
        ino: INodeNo(attr.ino.0),
        size: attr.size,
        blocks: attr.blocks,
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind: file_type(attr.kind),
        perm: attr.mode,
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

fn system_time(time: Mtime) -> SystemTime {
    let whole = Duration::from_secs(time.seconds.unsigned_abs());
    let base = if time.seconds < 0 {
        UNIX_EPOCH - whole
    } else {
        UNIX_EPOCH + whole
    };
    base + Duration::from_nanos(u64::from(time.nanoseconds))
}

fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::Directory => FileType::Directory,
        Kind::File => FileType::RegularFile,
        Kind::Symlink => FileType::Symlink,
    }
}
