//! A mount answers system calls as the kernel's own filesystems do: the same program looks at a mount and at the same tree
//! extracted and mounted read-only, after the read-only parts of pjdfstest and xfstests, and what it prints is compared.

use std::process::Command;

use crate::support::command::{optfs, output};
use crate::support::place::Place;
use crate::support::raw_zip::RawZip;
use crate::support::seen::ARCHIVE_MTIME;

/// What the programs find in Python: each line of theirs is a question and its answer.
const ASK: &str = r#"
import ctypes, errno, mmap, os, stat, struct, sys
top = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)
AT, FILE, DIR, LINK = -100, top + '/d/f', top + '/d', top + '/l'
def at(name): return top + '/' + name
def show(question, call):
    try: answer = call()
    except OSError as error: answer = errno.errorcode[error.errno]
    except ValueError as error: answer = str(error)
    print(question, '=', answer, flush=True)
def c(name, *words):
    words = [word.encode() if isinstance(word, str) else word for word in words]
    ctypes.set_errno(0)
    answer = getattr(libc, name)(*words)
    if answer == -1: raise OSError(ctypes.get_errno(), '')
    return answer
def sys_(number, *words): return c('syscall', number, *words)
def opened(path, flags, call):
    fd = os.open(path, flags)
    try: return call(fd)
    finally: os.close(fd)
"#;

/// Layers whose extracted tree is the judge.
fn layers() -> [RawZip; 2] {
    let long: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let mut many = RawZip::new();
    for number in 0..700 {
        many = many.file(format!("many/{number:03}-{}", "n".repeat(number % 200)), "x");
    }
    let few = RawZip::new()
        .dir("d/")
        .file("d/f", "0123456789")
        .file("d/private", "x")
        .mode(0o600)
        .file("d/none", "x")
        .mode(0o000)
        .file("d/program", "#!/bin/sh\n")
        .mode(0o755)
        .file("d/empty", "")
        .file("long", &long)
        .deflate()
        .file("stored", &long)
        .file("page", vec![b'p'; 4096])
        .symlink("l", "d/f")
        .symlink("to-directory", "d")
        .symlink("dangling", "nowhere")
        .symlink("loop", "loop")
        .symlink("ring-a", "ring-b")
        .symlink("ring-b", "ring-a")
        .symlink("chain", "to-directory/../l")
        .file(format!("deep/{}/f", vec!["p"; 60].join("/")), "deep")
        .file("n".repeat(255), "longest");
    [few, many]
}

/// Asks the same of a mount and of its extracted tree, read-only too.
fn same(questions: &str) -> Vec<String> {
    let mounted = Place::new(&layers());
    mounted.mount([]);
    let plain = Place::of_layers(mounted.layers());
    // A filesystem that is read-only itself, as a mount of optfs is: a read-only bind mount refuses later, and who may
    // not write anyway is told that instead.
    let mount = |words: &[&str]| output(Command::new("mount").args(words).arg(plain.opt()));
    mount(&["-t", "tmpfs", "-o", "mode=755", "plain"]);
    output(optfs().arg("extract").args(plain.layers()).arg(plain.opt()));
    let time = format!("@{ARCHIVE_MTIME}");
    output(Command::new("touch").args(["-d", &time]).arg(plain.opt()));
    mount(&["-o", "remount,ro,nosuid,nodev"]);
    let ask = |place: &Place| {
        let script = format!("{ASK}\n{questions}");
        let said = output(Command::new("python3").args(["-c", &script]).arg(place.opt()));
        said.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (found, expected) = (ask(&mounted), ask(&plain));
    assert!(expected.len() > 10, "too few questions: {expected:#?}");
    let different: Vec<_> = found.iter().zip(&expected).filter(|(a, b)| a != b).collect();
    assert!(
        different.is_empty() && found.len() == expected.len(),
        "the mount's and the kernel's own: {different:#?}"
    );
    found
}

#[test]
fn what_would_write_is_refused_with_the_errno_of_every_read_only_filesystem() {
    let said = same(
        r#"
fresh = at('d/fresh')
for path in FILE, fresh, LINK, DIR, at('dangling'), at('loop'), at('d/f/below'), at('nothing/below'), at('n' * 256):
    name = os.path.relpath(path, top)[:20]
    for flags in 'O_WRONLY', 'O_RDWR', 'O_WRONLY|O_CREAT', 'O_WRONLY|O_CREAT|O_EXCL', 'O_RDONLY|O_TRUNC', 'O_RDONLY|O_CREAT', 'O_RDWR|O_APPEND', 'O_RDWR|O_TMPFILE', 'O_WRONLY|O_NOFOLLOW', 'O_WRONLY|O_DIRECTORY':
        bits = 0
        for flag in flags.split('|'): bits |= getattr(os, flag)
        show(f'open {name} {flags}', lambda: opened(path, bits, lambda fd: 'opened'))
    show(f'mkdir {name}', lambda: os.mkdir(path))
    show(f'mkfifo {name}', lambda: os.mkfifo(path))
    show(f'mknod device {name}', lambda: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3)))
    show(f'mknod socket {name}', lambda: os.mknod(path, stat.S_IFSOCK | 0o600))
    show(f'rmdir {name}', lambda: os.rmdir(path))
    show(f'unlink {name}', lambda: os.unlink(path))
    show(f'symlink {name}', lambda: os.symlink('x', path))
    show(f'link from {name}', lambda: os.link(path, fresh + '2', follow_symlinks=False))
    show(f'link to {name}', lambda: os.link(FILE, path))
    show(f'rename {name}', lambda: os.rename(path, fresh + '2'))
    show(f'rename to {name}', lambda: os.rename(FILE, path))
    for bits in 1, 2, 4, 7:
        show(f'renameat2 {name} {bits}', lambda: c('renameat2', AT, path, AT, fresh + '2', bits))
    show(f'chmod {name}', lambda: os.chmod(path, 0o600))
    show(f'chown {name}', lambda: os.chown(path, 1, 1))
    show(f'lchown {name}', lambda: os.lchown(path, 1, 1))
    show(f'truncate {name}', lambda: os.truncate(path, 0))
    show(f'utime {name}', lambda: os.utime(path))
    show(f'lutime {name}', lambda: os.utime(path, follow_symlinks=False))
    show(f'setxattr {name}', lambda: os.setxattr(path, 'user.x', b'y'))
    show(f'lsetxattr trusted {name}', lambda: os.setxattr(path, 'trusted.x', b'y', follow_symlinks=False))
    show(f'removexattr {name}', lambda: os.removexattr(path, 'user.x'))
for path in FILE, DIR:
    name = os.path.relpath(path, top)
    show(f'fchmod {name}', lambda: opened(path, os.O_RDONLY, lambda fd: os.fchmod(fd, 0o600)))
    show(f'fchown {name}', lambda: opened(path, os.O_RDONLY, lambda fd: os.fchown(fd, 1, 1)))
    show(f'futimes {name}', lambda: opened(path, os.O_RDONLY, lambda fd: os.utime(fd)))
    show(f'ftruncate {name}', lambda: opened(path, os.O_RDONLY, lambda fd: os.ftruncate(fd, 0)))
    show(f'write {name}', lambda: opened(path, os.O_RDONLY, lambda fd: os.write(fd, b'x')))
    show(f'fallocate {name}', lambda: opened(path, os.O_RDONLY, lambda fd: c('fallocate', fd, 0, ctypes.c_long(0), ctypes.c_long(9))))
    show(f'fsetxattr {name}', lambda: opened(path, os.O_RDONLY, lambda fd: os.setxattr(fd, 'user.x', b'y')))
show('rename onto itself', lambda: os.rename(FILE, FILE))
show('copy_file_range', lambda: opened(FILE, os.O_RDONLY, lambda fd: os.copy_file_range(fd, fd, 4, 0, 5)))
show('sync', lambda: opened(FILE, os.O_RDONLY, os.fsync))
"#,
    );
    let refused = said.iter().filter(|line| line.ends_with("EROFS")).count();
    assert!(refused > 60, "{said:#?}");
    assert!(
        !said
            .iter()
            .any(|line| line.ends_with("opened") && line.contains("O_WRONLY"))
    );
}

#[test]
fn paths_and_permissions_are_answered_as_on_every_filesystem() {
    same(
        r#"
names = ['', 'd', 'd/', 'd/.', 'd/..', 'd/f', 'd/f/', 'd/f/.', 'd/f/..', 'd/f/x', 'l', 'l/', 'to-directory', 'to-directory/', 'to-directory/f', 'dangling', 'dangling/', 'dangling/x',
    'loop', 'loop/', 'ring-a', 'ring-b/x', 'chain', 'nothing', 'nothing/x', 'nothing/..', 'n' * 255, 'n' * 256, 'n' * 256 + '/x', 'd/' + 'n' * 256, 'd/f/' + 'n' * 256,
    'deep/' + '/'.join(['p'] * 60) + '/f', './' * 2000 + 'd/f', './' * 2100 + 'd/f', 'd//f', 'd/none', 'd/private', 'd/program', 'd/empty', '\udcff', 'd/../../' + os.path.basename(top) + '/l']
for name in names:
    path, shown = at(name), name[:24].encode(errors='surrogateescape')
    def status(found): return stat.filemode(found.st_mode), stat.S_ISDIR(found.st_mode) or found.st_size, int(found.st_mtime)
    for _ in 1, 2:
        show(f'stat {shown}', lambda: status(os.stat(path)))
        show(f'lstat {shown}', lambda: status(os.lstat(path)))
    for way in 'F_OK', 'R_OK', 'W_OK', 'X_OK':
        show(f'access {way} {shown}', lambda: c('access', path.encode(errors='surrogateescape'), getattr(os, way)))
    show(f'faccessat2 of the link {shown}', lambda: sys_(439, AT, path.encode(errors='surrogateescape'), os.W_OK, 0x100))
    show(f'readlink {shown}', lambda: os.readlink(path))
    show(f'list {shown}', lambda: sorted(os.listdir(path))[:3])
    show(f'chdir {shown}', lambda: os.chdir(path))
    for flags in 'O_RDONLY', 'O_PATH', 'O_DIRECTORY', 'O_NOFOLLOW', 'O_NOATIME':
        show(f'open {flags} {shown}', lambda: opened(path, getattr(os, flags), lambda fd: 'opened'))
    show(f'exec {shown}', lambda: os.access(path, os.X_OK) and not os.path.isdir(path) and os.spawnv(os.P_WAIT, path, [path]))
show('openat through a file', lambda: opened(FILE, os.O_RDONLY, lambda fd: os.open('x', os.O_RDONLY, dir_fd=fd)))
show('openat2 beneath', lambda: opened(DIR, os.O_RDONLY, lambda fd: sys_(437, fd, b'../l', struct.pack('QQQ', 0, 0, 8), 24)))
show('openat2 no symlinks', lambda: sys_(437, AT, LINK.encode(), struct.pack('QQQ', 0, 0, 4), 24))
show('a bad address', lambda: c('open', ctypes.c_void_p(1), 0))
"#,
    );
}

/// The same to another user, whom modes keep out.
#[test]
fn modes_keep_out_whom_they_keep_out_everywhere() {
    let said = same(
        r#"
os.chdir('/')
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for name in 'd/f', 'd/private', 'd/none', 'd/program', 'd', 'l', 'nothing', 'd/private/x':
    for way in 'F_OK', 'R_OK', 'W_OK', 'X_OK':
        show(f'access {way} {name}', lambda: c('access', at(name), getattr(os, way)))
    show(f'open {name}', lambda: opened(at(name), os.O_RDONLY, lambda fd: 'opened'))
    show(f'write {name}', lambda: opened(at(name), os.O_WRONLY, lambda fd: 'opened'))
    show(f'chmod {name}', lambda: os.chmod(at(name), 0o777))
    show(f'unlink {name}', lambda: os.unlink(at(name)))
    show(f'O_NOATIME {name}', lambda: opened(at(name), os.O_NOATIME, lambda fd: 'opened'))
"#,
    );
    assert!(said.contains(&"open d/private = EACCES".to_owned()), "{said:#?}");
}

#[test]
fn bytes_are_read_mapped_sought_and_spliced_as_on_every_filesystem() {
    same(
        r#"
import hashlib
def sum_(data): return len(data), hashlib.sha256(data).hexdigest()[:12]
sizes = {'d/empty': 0, 'd/f': 10, 'page': 4096, 'long': 400000, 'stored': 400000}
for name, size in sizes.items():
    path = at(name)
    for offset in sorted({0, 1, 9, 10, 11, 4095, 4096, 4097, 262143, 262144, size - 1, size, size + 1, 2**40, 2**62, 2**63 - 1}):
        if offset < 0: continue
        for length in 1, 4096, 5000, 131072:
            show(f'pread {name} {offset} {length}', lambda: opened(path, os.O_RDONLY, lambda fd: sum_(os.pread(fd, length, offset))))
        for whence in os.SEEK_SET, os.SEEK_END, os.SEEK_DATA, os.SEEK_HOLE, 9:
            show(f'lseek {name} {offset} {whence}', lambda: opened(path, os.O_RDONLY, lambda fd: os.lseek(fd, offset, whence)))
    show(f'lseek {name} before', lambda: opened(path, os.O_RDONLY, lambda fd: os.lseek(fd, -1, os.SEEK_SET)))
    show(f'lseek {name} from the end', lambda: opened(path, os.O_RDONLY, lambda fd: os.lseek(fd, -size - 1, os.SEEK_END)))
    def direct(offset, length):
        room = mmap.mmap(-1, length)
        def read(fd):
            os.lseek(fd, offset, os.SEEK_SET)
            got = os.readv(fd, [room])
            return sum_(room[:got])
        return opened(path, os.O_RDONLY | os.O_DIRECT, read)
    for offset in 0, 4096, 262144:
        show(f'O_DIRECT {name} {offset}', lambda: direct(offset, 131072))
    def mapped(fd):
        with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as m: return sum_(m[:])
    show(f'mmap {name}', lambda: opened(path, os.O_RDONLY, mapped))
    def tail(fd):
        # The rest of the last page is zeros.
        libc.mmap.restype = ctypes.c_void_p
        length = (size + 4095) // 4096 * 4096
        start = libc.mmap(None, ctypes.c_size_t(length), 1, 2, fd, ctypes.c_long(0))
        return ctypes.string_at(start, length)[size:].count(0)
    if size: show(f'mmap tail {name}', lambda: opened(path, os.O_RDONLY, tail))
    def past(fd):
        # A page behind the last one is SIGBUS, which a child dies of.
        child = os.fork()
        if child == 0:
            import resource
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            libc.mmap.restype = ctypes.c_void_p
            start = libc.mmap(None, ctypes.c_size_t(2 << 20), 1, 2, fd, ctypes.c_long(0))
            ctypes.string_at(start + (1 << 20), 1)
            os._exit(0)
        return os.WTERMSIG(os.waitpid(child, 0)[1])
    show(f'mmap past {name}', lambda: opened(path, os.O_RDONLY, past))
    def shared(fd):
        with mmap.mmap(fd, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE) as m: return 'mapped'
    def private(fd):
        with mmap.mmap(fd, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE) as m:
            m[0] = 1
            return m[0], os.pread(fd, 1, 0)
    try: show(f'mmap shared to write {name}', lambda: opened(path, os.O_RDONLY, shared))
    except PermissionError: print('refused')
    show(f'mmap private to write {name}', lambda: opened(path, os.O_RDONLY, private))
    def spliced(fd):
        r, w = os.pipe()
        try: return os.splice(fd, w, 4096), sum_(os.read(r, 4096)) if size else 0
        finally: os.close(r); os.close(w)
    show(f'splice {name}', lambda: opened(path, os.O_RDONLY, spliced))
    show(f'fadvise {name}', lambda: opened(path, os.O_RDONLY, lambda fd: os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)))
    show(f'readahead {name}', lambda: opened(path, os.O_RDONLY, lambda fd: c('readahead', fd, ctypes.c_long(0), ctypes.c_size_t(4096))))
    show(f'preadv2 RWF_NOWAIT behind the end {name}', lambda: opened(path, os.O_RDONLY, lambda fd: os.preadv(fd, [bytearray(9)], 2**30)))
    import fcntl
    show(f'flock {name}', lambda: opened(path, os.O_RDONLY, lambda fd: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)))
    show(f'lockf shared {name}', lambda: opened(path, os.O_RDONLY, lambda fd: fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)))
    show(f'lockf exclusive {name}', lambda: opened(path, os.O_RDONLY, lambda fd: fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)))
    show(f'lease {name}', lambda: opened(path, os.O_RDONLY, lambda fd: fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)))
show('read a directory', lambda: opened(DIR, os.O_RDONLY, lambda fd: os.read(fd, 9)))
show('read through O_PATH', lambda: opened(FILE, os.O_PATH, lambda fd: os.read(fd, 9)))
"#,
    );
}

/// Names once each whatever the buffer, and a place that was told leads back to where it was.
#[test]
fn directories_are_listed_and_sought_in_with_buffers_of_any_size() {
    same(
        r#"
def getdents(fd, size):
    room = ctypes.create_string_buffer(size)
    got, found, at_ = sys_(217, fd, room, size), [], 0
    while at_ < got:
        ino, off, length, kind = struct.unpack_from('QqHB', room.raw, at_)
        found.append((room.raw[at_ + 19:at_ + length].split(b'\0')[0], kind, off))
        at_ += length
    return found
def everything(size):
    def read(fd):
        found = []
        for turn in range(10000):
            more = getdents(fd, size(turn))
            if not more: return found
            found += more
        raise ValueError('no end')
    return read
def names(found): return [(name, kind) for name, kind, _ in found]
whole = {}
for name in '', 'd', 'many':
    whole[name] = opened(at(name), os.O_RDONLY, everything(lambda _: 65536))
    listed = names(whole[name])
    show(f'names {name}', lambda: (len(listed), len(set(listed)), sorted(listed)[:5]))
    for size in lambda _: 280, lambda _: 300, lambda _: 1000, lambda _: 4096, lambda turn: 280 + turn * 97 % 5000, lambda turn: 32768 if turn % 2 else 280:
        show(f'buffers {name}', lambda: names(opened(at(name), os.O_RDONLY, everything(size))) == listed)
    def sought(fd):
        # Each place that was told, in an order of their own.
        wrong = []
        for number in range(0, len(whole[name]) - 1, 7):
            number = number * 31 % (len(whole[name]) - 1)
            os.lseek(fd, whole[name][number][2], os.SEEK_SET)
            following = getdents(fd, 280)
            if following[0][0] != whole[name][number + 1][0]: wrong.append(number)
        os.lseek(fd, 0, os.SEEK_SET)
        return wrong, getdents(fd, 280)[0] == whole[name][0]
    show(f'seek {name}', lambda: opened(at(name), os.O_RDONLY, sought))
    show(f'behind the end {name}', lambda: opened(at(name), os.O_RDONLY, lambda fd: (os.lseek(fd, whole[name][-1][2], os.SEEK_SET) and 0, getdents(fd, 4096))))
    show(f'too small {name}', lambda: opened(at(name), os.O_RDONLY, lambda fd: getdents(fd, 16)))
    show(f'two at once {name}', lambda: opened(at(name), os.O_RDONLY, lambda a: opened(at(name), os.O_RDONLY, lambda b: getdents(a, 280) == getdents(b, 280))))
show('getdents of a file', lambda: opened(FILE, os.O_RDONLY, lambda fd: getdents(fd, 280)))
show('getdents of O_PATH', lambda: opened(DIR, os.O_PATH | os.O_DIRECTORY, lambda fd: getdents(fd, 280)))
"#,
    );
}

#[test]
fn statx_and_file_handles_answer_and_lead_back() {
    same(
        r#"
def statx(path, flags, mask):
    room = ctypes.create_string_buffer(256)
    sys_(332, AT, path.encode(), flags, mask, room)
    got, blksize, attributes, nlink, uid, gid, mode = struct.unpack_from('IIQIIIH', room.raw)
    size = struct.unpack_from('Q', room.raw, 40)[0]
    return oct(mode), stat.S_ISDIR(mode) or (nlink, size), uid, gid, hex(got & 0x25f)
for name in '', 'd', 'd/f', 'long', 'dangling', 'nothing', 'loop':
    for flags in 0, 0x100, 0x2000, 0x4000, 0x6000, 0x100 | 0x4000:
        show(f'statx {name} {flags:x}', lambda: statx(at(name), flags, 0x7ff))
show('statx of an empty path', lambda: opened(FILE, os.O_RDONLY, lambda fd: sys_(332, fd, b'', 0x1000, 0x7ff, ctypes.create_string_buffer(256))))
show('statx without a mask', lambda: statx(FILE, 0, 0)[0])
show('statx reserved', lambda: statx(FILE, 0, 0x80000000))
def handle(path):
    room = ctypes.create_string_buffer(struct.pack('Ii', 128, 0), 136)
    mount = ctypes.c_int()
    c('name_to_handle_at', AT, path, room, ctypes.byref(mount), 0)
    return room
def through(name):
    room = handle(at(name))
    there = os.open(top, os.O_RDONLY)
    fd = c('open_by_handle_at', there, room, os.O_RDONLY)
    os.close(there)
    found = os.fstat(fd)
    same = (found.st_ino, found.st_mode) == (os.stat(at(name)).st_ino, os.stat(at(name)).st_mode)
    os.close(fd)
    return same
for name in '', 'd', 'd/f', 'long', 'many', 'deep/p/p/p':
    show(f'handle {name}', lambda: through(name))
def small(path):
    room = ctypes.create_string_buffer(struct.pack('Ii', 0, 0), 136)
    return c('name_to_handle_at', AT, path, room, ctypes.byref(ctypes.c_int()), 0)
show('a handle without room', lambda: small(FILE))
show('a handle of nothing', lambda: handle(at('nothing')))
show('ioctl', lambda: opened(FILE, os.O_RDONLY, lambda fd: c('ioctl', fd, 0x1234, 0)))
show('bmap', lambda: opened(DIR, os.O_RDONLY, lambda fd: c('ioctl', fd, 0x5421, 0)))
"#,
    );
}

/// What an NFS server counts on when it was started again: the kernel has forgotten every inode, and finds it by its number.
#[test]
fn file_handles_lead_back_in_the_next_mount() {
    let place = Place::new(&layers());
    let script = format!(
        r#"{ASK}
names = ['', 'd', 'd/f', 'long', 'many', 'deep/p/p/p', 'deep/' + '/'.join(['p'] * 60) + '/f']
if sys.argv[2] == 'take':
    for name in names:
        room = ctypes.create_string_buffer(struct.pack('Ii', 128, 0), 136)
        c('name_to_handle_at', AT, at(name), room, ctypes.byref(ctypes.c_int()), 0)
        print(room.raw.hex())
else:
    for name, taken in zip(names, sys.argv[3:]):
        there = os.open(top, os.O_RDONLY)
        fd = c('open_by_handle_at', there, ctypes.create_string_buffer(bytes.fromhex(taken), 136), os.O_RDONLY)
        found = os.fstat(fd)
        if stat.S_ISDIR(found.st_mode): print(sorted(os.listdir(fd))[:2], os.path.relpath(os.readlink(f'/proc/self/fd/{{fd}}'), top))
        else: print(len(os.read(fd, 1 << 20)))
        os.close(fd); os.close(there)
"#
    );
    let ask = |words: &[&str]| {
        let mut python = Command::new("python3");
        output(python.args(["-c", &script]).arg(place.opt()).args(words))
    };
    place.mount([]);
    let handles = ask(&["take"]);
    place.unmount();
    place.mount([]);
    let mut words = vec!["look"];
    words.extend(handles.lines());
    // The first look is at what nobody has named in this mount.
    let found = ask(&words);
    let found: Vec<_> = found.lines().collect();
    assert_eq!(found[1..4], ["['empty', 'f'] d", "10", "400000"]);
    assert_eq!(found[5..], ["['p'] deep/p/p/p", "4"]);
    place.unmount();
}
