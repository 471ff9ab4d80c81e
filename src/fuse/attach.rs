//! Mounting: a descriptor of /dev/fuse attached to a directory, by ourselves where we may, else through
//! the helper program fusermount3.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::mount::MsFlags;
use nix::sys::stat::makedev;
use nix::unistd::{getegid, geteuid};
use thiserror::Error;

use crate::descriptors;

/// The character device of FUSE (kernel documentation, filesystems/fuse).
const DEVICE: &str = "/dev/fuse";
/// As /proc/mounts shows it.
pub(super) const FILESYSTEM_TYPE: &str = "fuse.optfs";
/// Installed set-user-ID root by the package fuse3.
pub(super) const HELPER: &str = "fusermount3";
/// The kernel reads one page of mount options and of the source's name.
const MAX_SOURCE_BYTES: usize = 3000;

/// How a mount appears. It is always read-only, without set-user-ID programs and devices, and the kernel
/// checks permission bits.
#[derive(Debug, Clone)]
pub struct AttachOptions {
    /// The first word of the line in /proc/mounts.
    pub source: String,
    /// Whether other users than the one who mounts may look inside.
    pub allow_other: bool,
    /// Whether programs may be run from it.
    pub exec: bool,
    /// Largest read that the kernel may ask for, in bytes; its own limit where this is `None`.
    pub max_read_bytes: Option<u32>,
    /// Whether fusermount3 may mount where this process may not.
    pub helper: bool,
}

/// Why a directory cannot be mounted on.
#[derive(Debug, Error)]
pub enum AttachError {
    /// No /dev/fuse.
    #[error("{DEVICE} does not exist: the kernel has no FUSE here")]
    DeviceMissing,
    /// Something else lies at /dev/fuse, as some sandboxes do it.
    #[error("{DEVICE} is not the device of FUSE (a character device, 10:229)")]
    DeviceWrong,
    /// /dev/fuse may not be opened.
    #[error("{DEVICE} cannot be opened: {0}")]
    DeviceForbidden(io::Error),
    /// An ordinary user needs the helper.
    #[error("mounting as an ordinary user needs the program {HELPER}, which is not installed")]
    HelperMissing,
    /// The helper said no.
    #[error("{HELPER}: {0}")]
    Helper(String),
    /// The helper said no to the directory.
    #[error("mounting on {}: {said}", mountpoint.display())]
    Mountpoint {
        /// Where.
        mountpoint: PathBuf,
        /// What the helper said.
        said: String,
    },
    /// The kernel said no.
    #[error("mounting on {}: {source}", mountpoint.display())]
    Mount {
        /// Where.
        mountpoint: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl AttachError {
    /// What the user can do next.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            AttachError::DeviceMissing | AttachError::DeviceWrong => {
                Some("load it with 'modprobe fuse', or start the container with '--device /dev/fuse'")
            }
            AttachError::DeviceForbidden(e) if e.kind() != io::ErrorKind::PermissionDenied => {
                Some("load it with 'modprobe fuse'")
            }
            AttachError::DeviceForbidden(_) => {
                Some("as root: chmod 666 /dev/fuse, or run optfs as root; in a container: --device /dev/fuse")
            }
            AttachError::HelperMissing => Some("install the package fuse3, or run optfs as root"),
            AttachError::Mountpoint { .. } => {
                Some("an ordinary user mounts on a directory of their own, which they may write to")
            }
            AttachError::Helper(text) if text.contains("user_allow_other") => {
                Some("add the line 'user_allow_other' to /etc/fuse.conf, or leave out --allow-other")
            }
            AttachError::Mount { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("a container needs '--cap-add SYS_ADMIN --device /dev/fuse' to mount")
            }
            AttachError::Helper(_) | AttachError::Mount { .. } => None,
        }
    }
}

/// Whether /dev/fuse is there and may be opened.
///
/// # Errors
/// What is wrong with it.
pub fn check_device() -> Result<(), AttachError> {
    open_device().map(drop)
}

/// Mounts on a directory and returns the descriptor that serves it. The kernel's first request, INIT,
/// waits there already.
///
/// # Errors
/// When FUSE is missing or forbidden, or the kernel or the helper refuses; nothing is mounted then.
pub fn attach(mountpoint: &Path, options: &AttachOptions) -> Result<OwnedFd, AttachError> {
    let device = open_device()?;
    match mount_directly(&device, mountpoint, options) {
        Ok(()) => Ok(device.into()),
        Err(Errno::EPERM) if options.helper && !geteuid().is_root() => {
            mount_through_helper(mountpoint, options)
        }
        Err(errno) => Err(AttachError::Mount {
            mountpoint: mountpoint.to_owned(),
            source: errno.into(),
        }),
    }
}

fn open_device() -> Result<File, AttachError> {
    let device = match OpenOptions::new().read(true).write(true).open(DEVICE) {
        Ok(device) => device,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(AttachError::DeviceMissing),
        Err(e) => return Err(AttachError::DeviceForbidden(e)),
    };
    let meta = device.metadata().map_err(AttachError::DeviceForbidden)?;
    if !meta.file_type().is_char_device() || meta.rdev() != makedev(10, 229) {
        return Err(AttachError::DeviceWrong);
    }
    Ok(device)
}

fn mount_directly(device: &File, mountpoint: &Path, options: &AttachOptions) -> Result<(), Errno> {
    let mut data = format!(
        "fd={},rootmode=40000,user_id={},group_id={},default_permissions",
        device.as_raw_fd(),
        geteuid(),
        getegid()
    );
    if options.allow_other {
        data.push_str(",allow_other");
    }
    if let Some(max) = options.max_read_bytes {
        data.push_str(&format!(",max_read={max}"));
    }
    let mut flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOATIME;
    if !options.exec {
        flags |= MsFlags::MS_NOEXEC;
    }
    let source = shortened(&options.source);
    nix::mount::mount(
        Some(source),
        mountpoint,
        Some(FILESYSTEM_TYPE),
        flags,
        Some(data.as_str()),
    )
}

/// Asks fusermount3, which sends the descriptor over the socket that it finds as its standard input.
fn mount_through_helper(mountpoint: &Path, options: &AttachOptions) -> Result<OwnedFd, AttachError> {
    let failed = |e: io::Error| AttachError::Helper(e.to_string());
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    // fusermount3 splits its options at commas that no backslash precedes.
    let source = shortened(&options.source)
        .replace('\\', "\\\\")
        .replace(',', "\\,");
    let mut list = format!("ro,nosuid,nodev,noatime,default_permissions,subtype=optfs,fsname={source}");
    if options.allow_other {
        list.push_str(",allow_other");
    }
    if !options.exec {
        list.push_str(",noexec");
    }
    if let Some(max) = options.max_read_bytes {
        list.push_str(&format!(",max_read={max}"));
    }
    let child = Command::new(HELPER)
        .args(["-o", &list, "--"])
        .arg(mountpoint)
        .env("_FUSE_COMMFD", "0")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let child = match child {
        Ok(child) => child,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(AttachError::HelperMissing),
        Err(e) => return Err(failed(e)),
    };
    let device = descriptors::receive(&ours);
    let said = wait_for_helper(child).map_err(failed)?;
    let device = device.map_err(failed)?;
    let device = device.and_then(|(_, received)| received.into_iter().next());
    device.ok_or_else(|| {
        // It has words for the directory, and one status for everything.
        let blames_directory = ["mountpoint", "mount point", "mounting over"]
            .iter()
            .any(|words| said.contains(words));
        match blames_directory {
            true => AttachError::Mountpoint {
                mountpoint: mountpoint.to_owned(),
                said,
            },
            false => AttachError::Helper(said),
        }
    })
}

/// What the helper said on its way out, without its own name.
fn wait_for_helper(mut child: Child) -> io::Result<String> {
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        stderr.take(4096).read_to_string(&mut said)?;
    }
    let status = child.wait()?;
    let said = said.trim().trim_start_matches("fusermount3:").trim();
    Ok(if said.is_empty() {
        format!("ended with {status} and no message")
    } else {
        said.to_owned()
    })
}

/// The source as far as the kernel takes it, cut between characters.
fn shortened(source: &str) -> &str {
    let mut end = source.len().min(MAX_SOURCE_BYTES);
    while !source.is_char_boundary(end) {
        end -= 1;
    }
    &source[..end]
}
