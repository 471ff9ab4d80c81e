//! `optfs mount`: checks the mount point, opens the layers, mounts, and serves from the background.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;

use clap::Args;
use log::{info, warn};
use nix::errno::Errno;
use nix::unistd::{getegid, geteuid, setsid};

use super::failure::{Class, Failure};
use super::index_dir::IndexArgs;
use super::layers::{self, StackArgs};
use super::mount_options::{self, MountOptions};
use super::{logging, size, supervise, umount};
use crate::fs::{Fs, Options};
use crate::fuse::{
    AttachOptions, Life, Mount, SessionOptions, Transport, attach, serve_until_signalled, unmount,
};
use crate::guide::{self, Guide, Xattrs};
use crate::launch::{take_name, this_program_serving};
use crate::stack::Stack;
use crate::supervise::WorkerEnd;

/// What the background process says on its standard output once the mount answers.
const READY: &[u8] = b"ready\n";

/// Mount layers, first to last, on a directory: the last wins
///
/// The order is Lambda's: the last layer named wins. It is the reverse of overlayfs's lowerdir.
/// The command returns once the mount answers; the mount is served from the background until
/// 'optfs umount MOUNTPOINT' (or umount, or fusermount3 -u).
#[derive(Args)]
#[command(override_usage = "optfs mount [OPTIONS] LAYER.zip... MOUNTPOINT\n       \
                            optfs mount [OPTIONS] --stack FILE MOUNTPOINT")]
pub(super) struct MountArgs {
    /// Layer zips, first to last, and at the end the directory to mount on
    #[arg(value_name = "LAYER.zip... MOUNTPOINT", hide_possible_values = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    stack: StackArgs,
    /// Serve in the foreground; Ctrl-C unmounts
    #[arg(short, long)]
    foreground: bool,
    /// Foreground, and log each request
    #[arg(short, long)]
    debug: bool,
    /// Let other users look inside [default: only when root mounts]
    #[arg(long)]
    allow_other: bool,
    /// Owner of all files [default: who mounts]
    #[arg(long, value_name = "UID", value_parser = mount_options::number)]
    uid: Option<u32>,
    /// Group of all files [default: the group of who mounts]
    #[arg(long, value_name = "GID", value_parser = mount_options::number)]
    gid: Option<u32>,
    /// Most inflated bytes that are kept in memory
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = size::parse)]
    cache_size: u64,
    #[command(flatten)]
    index: IndexArgs,
    /// Threads that answer requests [default: one a core, 8 at most]
    #[arg(long, value_name = "N", value_parser = mount_options::threads)]
    threads: Option<usize>,
    /// Which way requests come: auto, fuser or uring. Over io_uring a mount answers several times faster,
    /// where the kernel has it switched on; 'optfs doctor' says how to
    #[arg(long, value_name = "WAY", env = "OPTFS_TRANSPORT", default_value = "auto", value_parser = mount_options::transport)]
    transport: Transport,
    /// Leave out the directory .optfs, which no listing shows: each layer's own tree, what is hidden, statistics
    #[arg(long)]
    no_special: bool,
    /// Extended attributes user.optfs.layer and others: hidden (answered, not listed), listed or off
    #[arg(long, value_name = "WAY", default_value = "hidden", value_parser = mount_options::xattrs)]
    xattrs: Xattrs,
    /// Unmount when the serving process dies, however it does
    #[arg(long)]
    auto_unmount: bool,
    /// Go on when the serving process is killed: a small one keeps the mount and starts another, and readers only wait.
    /// Requests come over /dev/fuse then; needs Linux 6.9
    #[arg(long)]
    supervise: bool,
    /// Mount options as in fstab: allow_other, uid=, gid=, umask=, fmask=, dmask=, noexec, fsname=,
    /// max_read=, auto_unmount, debug, layers=A.zip:B.zip, cachesize=, indexdir=, noindex, threads=, transport=,
    /// no_special, xattrs=, supervise (can be repeated)
    #[arg(short, long = "options", value_name = "LIST")]
    options: Vec<String>,
    /// This process is the background one
    #[arg(long, hide = true)]
    in_background: bool,
    /// This process is one of those that a supervising one starts; its standard input is their socket
    #[arg(long, hide = true)]
    supervised: bool,
}

impl MountArgs {
    fn in_foreground(&self, options: &MountOptions) -> bool {
        self.foreground || self.debug || options.debug
    }

    /// Whether each request is to be logged: `-d`, or `-o debug`.
    pub(super) fn wants_each_request(&self) -> bool {
        // Options that make no sense are reported when the command runs.
        let options = || mount_options::parse(self.options.iter().map(String::as_str));
        self.debug || options().is_ok_and(|options| options.debug)
    }
}

pub(super) fn run(args: MountArgs) -> Result<ExitCode, Failure> {
    if args.in_background || args.supervised {
        take_name();
    }
    let options = mount_options::parse(args.options.iter().map(String::as_str))
        .map_err(|why| Failure::new(Class::Usage, why).hint("'optfs mount --help' lists what -o takes"))?;
    if args.supervise || options.supervise {
        refuse_rings(options.transport.unwrap_or(args.transport))?;
    }
    if args.supervised {
        return work(&args, &options);
    }
    let (paths, mountpoint) = operands(&args, &options)?;
    if !(args.in_background || args.in_foreground(&options)) {
        return send_to_background(&mountpoint);
    }
    match args.supervise || options.supervise {
        true => supervise::keep(&mountpoint, args.in_background),
        false => serve(&args, &options, &paths, &mountpoint, None),
    }
}

/// The zips of the layers, and the directory to mount on, checked.
fn operands(args: &MountArgs, options: &MountOptions) -> Result<(Vec<PathBuf>, PathBuf), Failure> {
    let (plain, mountpoint) = split_off_mountpoint(&args.paths)?;
    let mut paths = options.layers.clone();
    paths.extend_from_slice(plain);
    Ok((args.stack.paths(&paths)?, check_mountpoint(mountpoint)?))
}

fn refuse_rings(transport: Transport) -> Result<(), Failure> {
    match transport {
        Transport::Auto | Transport::Fuser => Ok(()),
        Transport::Uring => Err(Failure::new(
            Class::Usage,
            "--supervise and --transport uring: what is under way in a ring ends with its process",
        )
        .hint("leave one of the two out: a supervised mount is served over /dev/fuse")),
    }
}

/// A supervised process: the first one mounts, the later ones go on. These must not touch the mount, which answers to
/// nobody until they do.
fn work(args: &MountArgs, options: &MountOptions) -> Result<ExitCode, Failure> {
    let (end, estate) = supervise::begin()?;
    let Some(estate) = estate else {
        let (paths, mountpoint) = operands(args, options)?;
        return serve(args, options, &paths, &mountpoint, Some(end));
    };
    let mountpoint = estate.mountpoint.clone();
    let guide = guide_of(
        args,
        options,
        Arc::new(estate.stack),
        estate.index,
        estate.first_snapshot,
    );
    let session = SessionOptions {
        life: Life::Next,
        ..session_options(args, options)
    };
    let mounted = Mounted {
        guide,
        device: estate.device,
        mountpoint: &mountpoint,
        session,
        null: null(args)?,
        supervised: Some(end),
    };
    mounted.serve(args.auto_unmount || options.auto_unmount)
}

fn split_off_mountpoint(paths: &[PathBuf]) -> Result<(&[PathBuf], &Path), Failure> {
    let Some((mountpoint, layers)) = paths.split_last() else {
        return Err(Failure::new(Class::Usage, "no mount point is named")
            .hint("it comes last: optfs mount LAYER.zip... MOUNTPOINT"));
    };
    if mountpoint.is_file() {
        let message = format!(
            "{}: a file, expected a directory to mount on",
            mountpoint.display()
        );
        return Err(Failure::new(Class::MountPoint, message)
            .hint("the directory comes last: optfs mount LAYER.zip... MOUNTPOINT"));
    }
    Ok((layers, mountpoint))
}

/// A directory on which nothing of optfs stands. A mount whose daemon was killed is cleared away.
fn check_mountpoint(named: &Path) -> Result<PathBuf, Failure> {
    let refuse = |why: String| Failure::new(Class::MountPoint, format_args!("{}: {why}", named.display()));
    if let Some(mount) = umount::find(named)?.filter(Mount::is_optfs) {
        if !mount.is_dead() {
            let what = format!("already a mount of optfs ({})", mount.source.to_string_lossy());
            return Err(refuse(what).hint(format_args!("first: optfs umount {}", named.display())));
        }
        warn!(
            "{}: clearing a dead mount, whose process was killed",
            mount.mountpoint.display()
        );
        unmount(&mount.mountpoint, true)?;
        return check_mountpoint(named);
    }
    match fs::metadata(named) {
        Ok(meta) if meta.is_dir() => Ok(named.canonicalize()?),
        Ok(_) => Err(refuse("not a directory".to_owned()).hint("mount on a directory")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Err(refuse("the mount point does not exist".to_owned())
                .hint(format_args!("make it: mkdir -p {}", named.display())))
        }
        Err(e) if e.raw_os_error() == Some(Errno::ENOTCONN as i32) => {
            Err(refuse("a dead mount of another filesystem".to_owned())
                .hint(format_args!("take it away: umount -l {}", named.display())))
        }
        Err(e) => Err(refuse(e.to_string())),
    }
}

/// Opens the layers, mounts, and serves.
fn serve(
    args: &MountArgs,
    options: &MountOptions,
    paths: &[PathBuf],
    mountpoint: &Path,
    supervised: Option<WorkerEnd>,
) -> Result<ExitCode, Failure> {
    let stack = Arc::new(layers::open(paths)?);
    let index = options.index_directory(&args.index);
    let guide = guide_of(args, options, Arc::clone(&stack), index.clone(), 0);
    let mut session = session_options(args, options);
    session.transport.check()?;
    let attach_options = AttachOptions {
        source: options.source.clone().unwrap_or_else(|| source_of(paths)),
        // As a function's own user reads /opt, so may anybody when root mounts.
        allow_other: geteuid().is_root() || args.allow_other || options.allow_other,
        exec: !options.noexec,
        max_read_bytes: options.max_read_bytes,
        helper: true,
    };
    let null = null(args)?;
    let device = attach(mountpoint, &attach_options)?;
    if let Some(end) = &supervised {
        session.life = Life::First;
        let left = supervise::leave(end, &stack, mountpoint, index.as_deref(), &device);
        if let Err(failure) = left {
            let _ = unmount(mountpoint, true);
            return Err(failure);
        }
    }
    drop(stack);
    let mounted = Mounted {
        guide,
        device,
        mountpoint,
        session,
        null,
        supervised,
    };
    mounted.serve(args.auto_unmount || options.auto_unmount)
}

/// What a background process lets its outputs go to. Had before the mount, which may take the last descriptors: without
/// it whoever reads our output would wait for ever.
fn null(args: &MountArgs) -> Result<Option<OwnedFd>, Failure> {
    match args.in_background {
        true => Ok(Some(open_null()?)),
        false => Ok(None),
    }
}

pub(super) fn open_null() -> Result<OwnedFd, Failure> {
    let null = fs::OpenOptions::new().read(true).write(true).open("/dev/null");
    let null = null.map_err(|e| Failure::new(Class::Trouble, format_args!("/dev/null: {e}")))?;
    Ok(null.into())
}

/// A mount, and all that serving it takes.
struct Mounted<'a> {
    guide: Arc<Guide>,
    device: OwnedFd,
    mountpoint: &'a Path,
    session: SessionOptions,
    null: Option<OwnedFd>,
    supervised: Option<WorkerEnd>,
}

impl Mounted<'_> {
    /// Serves until the mount is gone.
    fn serve(self, auto_unmount: bool) -> Result<ExitCode, Failure> {
        let mountpoint = self.mountpoint;
        let guard = match auto_unmount {
            true => Some(super::guard::begin(mountpoint)?),
            false => None,
        };
        let ready = || {
            info!("{} is mounted", mountpoint.display());
            if let Some(end) = self.supervised {
                end.working();
            }
            if let Some(null) = self.null {
                let_go(&null, READY);
            }
        };
        let result = serve_until_signalled(self.guide, self.device, mountpoint, self.session, ready);
        if result.is_err() {
            // Whoever fails to serve leaves no mount behind.
            let _ = unmount(mountpoint, true);
        }
        drop(guard);
        result?;
        Ok(ExitCode::SUCCESS)
    }
}

fn guide_of(
    args: &MountArgs,
    options: &MountOptions,
    stack: Arc<Stack>,
    index_directory: Option<PathBuf>,
    first_snapshot: u64,
) -> Arc<Guide> {
    let shown = Options {
        cache_capacity_bytes: options.cache_bytes.unwrap_or(args.cache_size),
        readers_keep: true,
        index_directory,
        uid: args.uid.or(options.uid).unwrap_or(geteuid().as_raw()),
        gid: args.gid.or(options.gid).unwrap_or(getegid().as_raw()),
        file_mask: options.file_mask,
        directory_mask: options.directory_mask,
    };
    let told = guide::Options {
        directory: !(args.no_special || options.no_special),
        xattrs: options.xattrs.unwrap_or(args.xattrs),
        first_snapshot,
    };
    guide_to(Fs::new(stack, shown), told)
}

fn session_options(args: &MountArgs, options: &MountOptions) -> SessionOptions {
    let mut session = SessionOptions {
        transport: options.transport.unwrap_or(args.transport),
        ..SessionOptions::default()
    };
    if let Some(threads) = args.threads.or(options.threads) {
        session.threads = threads;
    }
    session
}

/// A tree with what the mount tells of it.
pub(super) fn guide_to(fs: Fs, told: guide::Options) -> Arc<Guide> {
    let guide = Guide::new(Arc::new(fs), told);
    if guide.is_in_the_way() {
        warn!(
            "a layer has a .optfs of its own: it is shown, and what the mount would tell there is left out"
        );
    }
    Arc::new(guide)
}

/// The layers as /proc/mounts shows them.
pub(super) fn source_of(paths: &[PathBuf]) -> String {
    let names = paths
        .iter()
        .map(|path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy());
    // Line breaks would be legal, and unreadable.
    names
        .collect::<Vec<_>>()
        .join(":")
        .replace(|c: char| c.is_control(), "?")
}

/// The words of this command, with one more behind the verb.
pub(super) fn words_with(word: &str) -> Vec<OsString> {
    let mut words: Vec<_> = std::env::args_os().skip(1).collect();
    // The only words that can stand before the verb are flags.
    let verb = words
        .iter()
        .position(|word| word == "mount")
        .map_or(0, |at| at + 1);
    words.insert(verb, word.into());
    words
}

/// Starts this program again, behind the terminal, and waits until its mount answers. Its messages
/// come out on our standard error, its failure becomes ours.
fn send_to_background(mountpoint: &Path) -> Result<ExitCode, Failure> {
    let mut child = this_program_serving()
        .args(words_with("--in-background"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| {
            Failure::new(
                Class::Trouble,
                format_args!("starting the background process: {e}"),
            )
        })?;
    let mut said = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut said)?;
    }
    if said == READY {
        // The first answer: from here on nobody waits for anything.
        return match fs::metadata(mountpoint) {
            Ok(_) => Ok(ExitCode::SUCCESS),
            Err(e) => Err(Failure::new(
                Class::Trouble,
                format_args!("{}: {e}", mountpoint.display()),
            )),
        };
    }
    match child.wait()?.code() {
        Some(code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(Class::Trouble as u8))),
        None => Err(Failure::new(
            Class::Trouble,
            "the background process was killed before it was ready",
        )),
    }
}

/// Says a last word to who waits, and lets go of terminal, standard output and standard error.
pub(super) fn let_go(null: &OwnedFd, word: &[u8]) {
    // A session of its own: the terminal's signals are not for us any more.
    let _ = setsid();
    logging::go_to_background();
    let _ = io::stdout().write_all(word).and_then(|()| io::stdout().flush());
    let _ = nix::unistd::dup2_stdout(null);
    let _ = nix::unistd::dup2_stderr(null);
    // The directory it was started in may have to go away.
    let _ = std::env::set_current_dir("/");
}
