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
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    AccessFlags, BsdFileFlags, Config, CopyFileRangeFlags, Errno, FileAttr, FileHandle, FileType, Filesystem,
    Generation, INodeNo, InitFlags, IoctlFlags, KernelConfig, LockOwner, OpenFlags, PollEvents, PollFlags,
    PollNotifier, RenameFlags, ReplyAttr, ReplyBmap, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyPoll, ReplyStatfs,
    ReplyWrite, ReplyXattr, Request, Session, SessionACL, TimeOrNow, WriteFlags,
};
use log::{debug, warn};
use parking_lot::Mutex;

use super::placement::Placement;
use super::pool::Pool;
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
        answers: Arc::new(Answers {
            fs,
            logged: Mutex::default(),
        }),
        placement: Placement::new(threads),
        pool: Pool::new(threads),
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
    answers: Arc<Answers>,
    placement: Placement,
    pool: Pool,
}

/// What a thread needs to answer.
struct Answers {
    fs: Arc<Fs>,
    logged: Mutex<HashSet<Ino>>,
}

impl Answers {
    fn read(&self, ino: INodeNo, offset: u64, size: u32, reply: ReplyData) {
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

/// Requests that have the same answer whatever they ask.
macro_rules! answer {
    ($errno:ident: $($request:ident($($argument:ty),*) -> $reply:ty;)*) => {
        $(fn $request(&self, _: &Request, $(_: $argument,)* reply: $reply) {
            reply.error(Errno::$errno);
        })*
    };
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

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let _turn = self.placement.turn(request.pid());
        match self.answers.fs.lookup(Ino(parent.0), name.as_bytes()) {
            Ok(attr) => reply.entry(&FOR_EVER, &file_attr(&attr), GENERATION),
            // An entry with inode 0 lets the kernel keep that there is no such name.
            Err(FsError::NotFound) => reply.entry(&FOR_EVER, &NO_ENTRY, GENERATION),
            Err(e) => reply.error(self.answers.errno(parent, &e)),
        }
    }

    fn getattr(&self, request: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let _turn = self.placement.turn(request.pid());
        match self.answers.fs.getattr(Ino(ino.0)) {
            Ok(attr) => reply.attr(&FOR_EVER, &file_attr(&attr)),
            Err(e) => reply.error(self.answers.errno(ino, &e)),
        }
    }

    fn readlink(&self, request: &Request, ino: INodeNo, reply: ReplyData) {
        let _turn = self.placement.turn(request.pid());
        match self.answers.fs.readlink(Ino(ino.0)) {
            Ok(target) => reply.data(&target),
            Err(e) => reply.error(self.answers.errno(ino, &e)),
        }
    }

    fn read(
        &self,
        request: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let _turn = self.placement.turn(request.pid());
        if self.answers.fs.is_at_hand(Ino(ino.0), offset) {
            return self.answers.read(ino, offset, size, reply);
        }
        // Whoever looks something up meanwhile does not wait for this.
        let answers = Arc::clone(&self.answers);
        self.pool.give(move || answers.read(ino, offset, size, reply));
    }

    fn readdir(
        &self,
        request: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let _turn = self.placement.turn(request.pid());
        match self.answers.fs.readdir(Ino(ino.0), offset) {
            Err(e) => reply.error(self.answers.errno(ino, &e)),
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
        request: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let _turn = self.placement.turn(request.pid());
        match self.answers.fs.readdir(Ino(ino.0), offset) {
            Err(e) => reply.error(self.answers.errno(ino, &e)),
            Ok(entries) => {
                for entry in entries {
                    let Ok(attr) = self.answers.fs.getattr(entry.ino) else {
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
        let all = self.answers.fs.statfs();
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

    // The kernel stops asking once it has heard this, and does what is wanted by itself: opening without
    // a handle, no extended attributes, data everywhere in a file.
    answer! { ENOSYS:
        open(INodeNo, OpenFlags) -> ReplyOpen;
        opendir(INodeNo, OpenFlags) -> ReplyOpen;
        flush(INodeNo, FileHandle, LockOwner) -> ReplyEmpty;
        access(INodeNo, AccessFlags) -> ReplyEmpty;
        getxattr(INodeNo, &OsStr, u32) -> ReplyXattr;
        listxattr(INodeNo, u32) -> ReplyXattr;
        lseek(INodeNo, FileHandle, i64, i32) -> ReplyLseek;
        bmap(INodeNo, u32, u64) -> ReplyBmap;
        poll(INodeNo, FileHandle, PollNotifier, PollEvents, PollFlags) -> ReplyPoll;
        copy_file_range(INodeNo, FileHandle, u64, INodeNo, FileHandle, u64, u64, CopyFileRangeFlags) -> ReplyWrite;
    }

    answer! { ENOTTY:
        ioctl(INodeNo, FileHandle, IoctlFlags, u32, &[u8], u32) -> ReplyIoctl;
    }

    // Semantics decision: (8) everything that would write answers EROFS. The kernel says so by itself, for
    // the mount is read-only, until somebody remounts it.
    answer! { EROFS:
        setattr(
            INodeNo, Option<u32>, Option<u32>, Option<u32>, Option<u64>, Option<TimeOrNow>, Option<TimeOrNow>,
            Option<SystemTime>, Option<FileHandle>, Option<SystemTime>, Option<SystemTime>, Option<SystemTime>,
            Option<BsdFileFlags>
        ) -> ReplyAttr;
        mknod(INodeNo, &OsStr, u32, u32, u32) -> ReplyEntry;
        mkdir(INodeNo, &OsStr, u32, u32) -> ReplyEntry;
        symlink(INodeNo, &OsStr, &Path) -> ReplyEntry;
        link(INodeNo, INodeNo, &OsStr) -> ReplyEntry;
        create(INodeNo, &OsStr, u32, u32, i32) -> ReplyCreate;
        write(INodeNo, FileHandle, u64, &[u8], WriteFlags, OpenFlags, Option<LockOwner>) -> ReplyWrite;
        unlink(INodeNo, &OsStr) -> ReplyEmpty;
        rmdir(INodeNo, &OsStr) -> ReplyEmpty;
        rename(INodeNo, &OsStr, INodeNo, &OsStr, RenameFlags) -> ReplyEmpty;
        setxattr(INodeNo, &OsStr, &[u8], i32, u32) -> ReplyEmpty;
        removexattr(INodeNo, &OsStr) -> ReplyEmpty;
        fallocate(INodeNo, FileHandle, u64, u64, i32) -> ReplyEmpty;
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
