//! The mount table: which optfs mounts there are, which of them are dead, and unmounting.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use nix::sys::statvfs::statvfs;
use thiserror::Error;

use super::attach::{FILESYSTEM_TYPE, HELPER};

/// As long as the mount table usually is at most.
const MOUNTINFO_BYTES: usize = 16 << 10;

/// One line of the mount table (proc(5), /proc/PID/mountinfo).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The filesystem's number, major:minor: no two that are mounted have the same.
    pub device: String,
    /// Where it is mounted.
    pub mountpoint: PathBuf,
    /// The filesystem's type, with its subtype.
    pub filesystem: String,
    /// What is mounted, as the filesystem calls it.
    pub source: OsString,
}

/// The mount table cannot be read.
#[derive(Debug, Error)]
#[error("/proc/self/mountinfo: {0}")]
pub struct MountsError(#[from] io::Error);

/// Why a mount cannot be taken away.
#[derive(Debug, Error)]
pub enum UnmountError {
    /// Somebody has a file of it open, or stands in it.
    #[error("{}: the mount is in use", .0.display())]
    Busy(PathBuf),
    /// An ordinary user needs the helper.
    #[error("unmounting as an ordinary user needs the program {HELPER}, which is not installed")]
    HelperMissing,
    /// Not ours to take away.
    #[error("{}: {source}", mountpoint.display())]
    Refused {
        /// Which.
        mountpoint: PathBuf,
        /// What the kernel or the helper said.
        source: io::Error,
    },
}

impl Mount {
    /// Whether optfs made it.
    pub fn is_optfs(&self) -> bool {
        self.filesystem == FILESYSTEM_TYPE
    }

    /// Whether nobody serves it any more: its daemon was killed. Waits for a daemon that is just ending.
    pub fn is_dead(&self) -> bool {
        // Attributes would not do: the kernel keeps them for ever, and answers in the daemon's place.
        let answer = statvfs(&self.mountpoint);
        // Asked while the connection breaks, the question is cut off with it: aborted in /dev/fuse, cancelled in
        // a ring.
        matches!(
            answer,
            Err(Errno::ENOTCONN | Errno::ECONNABORTED | Errno::ECANCELED)
        )
    }
}

/// All mounts that this process sees, in the order in which they were made.
pub fn mounts() -> Result<Vec<Mount>, MountsError> {
    // The kernel writes the table anew for each piece that is read of it.
    let mut table = Vec::with_capacity(MOUNTINFO_BYTES);
    File::open("/proc/self/mountinfo")?.read_to_end(&mut table)?;
    Ok(parse(&table))
}

/// Takes a mount away: at once, or with `lazy` out of sight now and away when its last user is gone.
///
/// # Errors
/// [`UnmountError::Busy`] when it is in use and `lazy` is not given.
pub fn unmount(mountpoint: &Path, lazy: bool) -> Result<(), UnmountError> {
    let flags = if lazy {
        MntFlags::MNT_DETACH
    } else {
        MntFlags::empty()
    } | MntFlags::UMOUNT_NOFOLLOW;
    match umount2(mountpoint, flags) {
        Ok(()) => Ok(()),
        Err(Errno::EBUSY) => Err(UnmountError::Busy(mountpoint.to_owned())),
        Err(Errno::EPERM) => unmount_through_helper(mountpoint, lazy),
        Err(errno) => Err(UnmountError::Refused {
            mountpoint: mountpoint.to_owned(),
            source: errno.into(),
        }),
    }
}

fn unmount_through_helper(mountpoint: &Path, lazy: bool) -> Result<(), UnmountError> {
    let refused = |source| UnmountError::Refused {
        mountpoint: mountpoint.to_owned(),
        source,
    };
    let how: &[&str] = if lazy { &["-u", "-z", "--"] } else { &["-u", "--"] };
    let output = match Command::new(HELPER).args(how).arg(mountpoint).output() {
        Ok(output) => output,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(UnmountError::HelperMissing),
        Err(e) => return Err(refused(e)),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(()),
        false if said.contains("busy") => Err(UnmountError::Busy(mountpoint.to_owned())),
        false => Err(refused(io::Error::other(said.trim().to_owned()))),
    }
}

/// Fields are separated by spaces; optional ones end with a lone `-`, behind which type and source
/// stand.
fn parse(table: &[u8]) -> Vec<Mount> {
    let line = |line: &[u8]| {
        let mut fields = line.split(|&b| b == b' ');
        let device = String::from_utf8_lossy(fields.nth(2)?).into_owned();
        let mountpoint = fields.nth(1)?;
        let mut behind = fields.skip_while(|field| *field != b"-").skip(1);
        let filesystem = String::from_utf8_lossy(behind.next()?).into_owned();
        let source = OsString::from_vec(unescape(behind.next()?));
        Some(Mount {
            device,
            mountpoint: PathBuf::from(OsString::from_vec(unescape(mountpoint))),
            filesystem,
            source,
        })
    };
    table.split(|&b| b == b'\n').filter_map(line).collect()
}

/// Space, tab, newline and backslash are written as three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let octal = |digits: &[u8; 3]| {
            let text = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(text, 8).ok()
        };
        match (byte, behind.first_chunk::<3>().and_then(octal)) {
            (b'\\', Some(escaped)) => {
                plain.push(escaped);
                rest = &behind[3..];
            }
            _ => plain.push(byte),
        }
    }
    plain
}

/// The mount on a directory that is seen there: the one made last.
pub(super) fn topmost<'a>(mounts: &'a [Mount], mountpoint: &Path) -> Option<&'a Mount> {
    let same = |mount: &&Mount| mount.mountpoint.as_os_str().as_bytes() == mountpoint.as_os_str().as_bytes();
    mounts.iter().rev().find(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_mount_table_is_understood() {
        let table =
            b"36 35 98:0 /mnt1 /mnt\\040two rw,noatime master:1 shared:2 - fuse.optfs a.zip:b\\134.zip ro\n\
                      37 35 0:5 / /dev rw - devtmpfs udev rw\nshort line\n";
        let mounts = parse(table);
        assert_eq!(mounts.len(), 2);
        assert_eq!(mounts[0].mountpoint, Path::new("/mnt two"));
        assert_eq!(mounts[0].device, "98:0");
        assert_eq!(mounts[0].source, "a.zip:b\\.zip");
        assert!(mounts[0].is_optfs() && !mounts[1].is_optfs());
        assert_eq!(
            topmost(&mounts, Path::new("/dev")).unwrap().filesystem,
            "devtmpfs"
        );
    }
}
