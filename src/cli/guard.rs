//! `--auto-unmount`: a small process that outlives the one that serves, and clears its mount away when
//! that one was killed.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use clap::Args;
use nix::unistd::setsid;

use super::failure::Failure;
use super::umount;
use crate::fuse::{Mount, unmount};
use crate::launch::take_name;

/// Watch over a mount: standard input ends when the serving process does
#[derive(Args)]
pub(super) struct GuardArgs {
    mountpoint: PathBuf,
}

/// Watches over the mount of this process for as long as the value lives, and after its violent death.
pub(super) struct Guard(Child);

pub(super) fn begin(mountpoint: &Path) -> Result<Guard, Failure> {
    let child = Command::new("/proc/self/exe")
        .arg("guard")
        .arg(mountpoint)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(Guard(child))
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

pub(super) fn run(args: &GuardArgs) -> Result<ExitCode, Failure> {
    let _ = setsid();
    take_name();
    // Nothing is ever written: the read ends with the writer.
    let _ = std::io::stdin().read(&mut [0]);
    if let Some(mount) = umount::find(&args.mountpoint)?.filter(Mount::is_optfs)
        && mount.is_dead()
    {
        unmount(&mount.mountpoint, true)?;
    }
    Ok(ExitCode::SUCCESS)
}
