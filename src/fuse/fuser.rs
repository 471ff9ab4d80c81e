//! The transport over /dev/fuse through the crate `fuser`: its requests to calls of `guide`, its replies
//! from values of `fs`. What is decided, `policy` decides.

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
use log::{debug, info};

use super::answer::Answerer;
use super::device;
use super::placement::Placement;
use super::policy::{
    self, CAPABILITIES, Complaints, FOR_EVER_SECONDS, MAX_BACKGROUND, XattrReply, kept_seconds, xattr_reply,
};
use super::pool::Pool;
use super::wire::Opcode;
use crate::fs::{Attr, FsError, Ino, Kind, MAX_READ_BYTES, Mtime};
use crate::guide::{Guide, XattrError};

/// As long as an answer may be kept.
const FOR_EVER: Duration = Duration::from_secs(FOR_EVER_SECONDS);
const GENERATION: Generation = Generation(policy::GENERATION);

/// Answers the kernel's greeting; what comes back serves the requests that follow.
pub(super) fn begin(guide: Arc<Guide>, device: OwnedFd, threads: usize) -> io::Result<Begun> {
    // One more than answer at once: while one client asks, one that stands aside watches the other.
    let (threads, answering) = (if threads > 1 { threads + 1 } else { 1 }, threads.max(1));
    let mut config = Config::default();
    config.n_threads = Some(threads);
    // A descriptor for each thread saves them a queue. In a sandbox the device may be out of reach by
    // now; sharing one descriptor works as well, a little slower.
    // And descriptors may be few: the session would end where it cannot have one for each.
    let open = |_| OpenOptions::new().read(true).write(true).open("/dev/fuse");
    let spare: io::Result<Vec<_>> = (0..threads + 2).map(open).collect();
    config.clone_fd = threads > 1 && spare.is_ok();
    drop(spare);
    let complaints = Complaints::default();
    let adapter = Adapter {
        answers: Arc::new(Answers {
            guide: Arc::clone(&guide),
            complaints,
        }),
        placement: Placement::new(threads, device.try_clone().ok()),
        pool: Pool::new(answering),
    };
    let same_device = device.try_clone()?;
    // The kernel decides who may ask: `allow_other` is a mount option.
    let session = Session::from_fd(adapter, device, SessionACL::All, config)?;
    Ok(Begun {
        session,
        device: same_device,
        guide,
    })
}

/// A session that the kernel has agreed to.
pub(super) struct Begun {
    session: Session<Adapter>,
    device: OwnedFd,
    guide: Arc<Guide>,
}

impl Begun {
    /// Answers requests until the mount is gone.
    pub(super) fn run(self) -> io::Result<()> {
        match self.session.run() {
            // The crate gives up when it gets a thread too few. Those that it has started go on, and this one answers, too.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                info!("threads are few: served with as many as there are");
                device::serve_with(1, &self.device, &Answerer::new(self.guide))
            }
            result => result,
        }
    }
}

struct Adapter {
    answers: Arc<Answers>,
    placement: Placement,
    pool: Pool,
}

/// What a thread needs to answer.
struct Answers {
    guide: Arc<Guide>,
    complaints: Complaints,
}

impl Answers {
    fn read(&self, ino: INodeNo, offset: u64, size: u32, reply: ReplyData) {
        let mut reply = Some(reply);
        let answer = self.guide.read(Ino(ino.0), offset, size as usize, |bytes| {
            if let Some(reply) = reply.take() {
                reply.data(bytes);
            }
        });
        if let (Err(e), Some(reply)) = (answer, reply) {
            reply.error(self.errno(ino, &e));
        }
    }

    fn errno(&self, ino: INodeNo, error: &FsError) -> Errno {
        Errno::from_i32(self.complaints.errno(Ino(ino.0), error) as i32)
    }
}

/// Requests that have the same answer whatever they ask.
macro_rules! refuse {
    ($($opcode:ident: $request:ident($($argument:ty),*) -> $reply:ty;)*) => {
        $(fn $request(&self, _: &Request, $(_: $argument,)* reply: $reply) {
            let refusal = policy::refusal(Opcode::$opcode);
            reply.error(refusal.map_or(Errno::EIO, |errno| Errno::from_i32(errno as i32)));
        })*
    };
}

impl Filesystem for Adapter {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        for (name, bit) in CAPABILITIES {
            if config.add_capabilities(InitFlags::from_bits_retain(bit)).is_err() {
                debug!("the kernel does not offer {name}");
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
        match self.answers.guide.lookup(Ino(parent.0), name.as_bytes()) {
            Ok(attr) => reply.entry(&kept(&attr), &file_attr(&attr), GENERATION),
            // An entry with inode 0 lets the kernel keep that there is no such name.
            Err(FsError::NotFound) => reply.entry(&FOR_EVER, &NO_ENTRY, GENERATION),
            Err(e) => reply.error(self.answers.errno(parent, &e)),
        }
    }

    fn getattr(&self, request: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let _turn = self.placement.turn(request.pid());
        match self.answers.guide.getattr(Ino(ino.0)) {
            Ok(attr) => reply.attr(&FOR_EVER, &file_attr(&attr)),
            Err(e) => reply.error(self.answers.errno(ino, &e)),
        }
    }

    fn readlink(&self, request: &Request, ino: INodeNo, reply: ReplyData) {
        let _turn = self.placement.turn(request.pid());
        match self.answers.guide.readlink(Ino(ino.0)) {
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
        if self.answers.guide.is_at_hand(Ino(ino.0), offset) {
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
        match self.answers.guide.readdir(Ino(ino.0), offset) {
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
        match self.answers.guide.readdir(Ino(ino.0), offset) {
            Err(e) => reply.error(self.answers.errno(ino, &e)),
            Ok(entries) => {
                for entry in entries {
                    let Ok(attr) = self.answers.guide.attr(entry.ino) else {
                        continue;
                    };
                    let (ino, name) = (INodeNo(entry.ino.0), OsStr::from_bytes(entry.name));
                    if reply.add(
                        ino,
                        entry.next_offset,
                        name,
                        &kept(&attr),
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
        let all = self.answers.guide.statfs();
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

    fn getxattr(&self, request: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let _turn = self.placement.turn(request.pid());
        let (ino, name) = (Ino(ino.0), name.as_bytes());
        if self.answers.guide.is_xattr_at_hand(ino, name) {
            return reply_xattr(self.answers.guide.getxattr(ino, name), size, reply);
        }
        let (answers, name) = (Arc::clone(&self.answers), name.to_vec());
        self.pool
            .give(move || reply_xattr(answers.guide.getxattr(ino, &name), size, reply));
    }

    fn listxattr(&self, request: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        let _turn = self.placement.turn(request.pid());
        reply_xattr(self.answers.guide.listxattr(Ino(ino.0)), size, reply);
    }

    refuse! {
        Open: open(INodeNo, OpenFlags) -> ReplyOpen;
        Opendir: opendir(INodeNo, OpenFlags) -> ReplyOpen;
        Flush: flush(INodeNo, FileHandle, LockOwner) -> ReplyEmpty;
        Access: access(INodeNo, AccessFlags) -> ReplyEmpty;
        Lseek: lseek(INodeNo, FileHandle, i64, i32) -> ReplyLseek;
        Bmap: bmap(INodeNo, u32, u64) -> ReplyBmap;
        Poll: poll(INodeNo, FileHandle, PollNotifier, PollEvents, PollFlags) -> ReplyPoll;
        CopyFileRange: copy_file_range(
            INodeNo, FileHandle, u64, INodeNo, FileHandle, u64, u64, CopyFileRangeFlags
        ) -> ReplyWrite;
        Ioctl: ioctl(INodeNo, FileHandle, IoctlFlags, u32, &[u8], u32) -> ReplyIoctl;
        Setattr: setattr(
            INodeNo, Option<u32>, Option<u32>, Option<u32>, Option<u64>, Option<TimeOrNow>, Option<TimeOrNow>,
            Option<SystemTime>, Option<FileHandle>, Option<SystemTime>, Option<SystemTime>, Option<SystemTime>,
            Option<BsdFileFlags>
        ) -> ReplyAttr;
        Mknod: mknod(INodeNo, &OsStr, u32, u32, u32) -> ReplyEntry;
        Mkdir: mkdir(INodeNo, &OsStr, u32, u32) -> ReplyEntry;
        Symlink: symlink(INodeNo, &OsStr, &Path) -> ReplyEntry;
        Link: link(INodeNo, INodeNo, &OsStr) -> ReplyEntry;
        Create: create(INodeNo, &OsStr, u32, u32, i32) -> ReplyCreate;
        Write: write(INodeNo, FileHandle, u64, &[u8], WriteFlags, OpenFlags, Option<LockOwner>) -> ReplyWrite;
        Unlink: unlink(INodeNo, &OsStr) -> ReplyEmpty;
        Rmdir: rmdir(INodeNo, &OsStr) -> ReplyEmpty;
        Rename: rename(INodeNo, &OsStr, INodeNo, &OsStr, RenameFlags) -> ReplyEmpty;
        Setxattr: setxattr(INodeNo, &OsStr, &[u8], i32, u32) -> ReplyEmpty;
        Removexattr: removexattr(INodeNo, &OsStr) -> ReplyEmpty;
        Fallocate: fallocate(INodeNo, FileHandle, u64, u64, i32) -> ReplyEmpty;
    }
}

fn reply_xattr(value: Result<Vec<u8>, XattrError>, size: u32, reply: ReplyXattr) {
    match xattr_reply(value, size) {
        Ok(XattrReply::Size(size)) => reply.size(size),
        Ok(XattrReply::Value(value)) => reply.data(&value),
        Err(errno) => reply.error(Errno::from_i32(errno as i32)),
    }
}

fn kept(attr: &Attr) -> Duration {
    Duration::from_secs(kept_seconds(attr))
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
