//! `optfs umount`: takes mounts away, dead ones too.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::failure::{Class, Failure};
use crate::fuse::{Mount, mounts, unmount};

/// Take mounts of optfs away; also called unmount
#[derive(Args)]
pub(super) struct UmountArgs {
    /// Where optfs is mounted (can be repeated)
    #[arg(required = true, value_name = "MOUNTPOINT")]
    mountpoints: Vec<PathBuf>,
    /// Take it out of sight now; who uses it may finish
    #[arg(short = 'z', long)]
    lazy: bool,
}

pub(super) fn run(args: &UmountArgs) -> Result<ExitCode, Failure> {
    // One that fails does not keep the others mounted.
    let mut worst = ExitCode::SUCCESS;
    for mountpoint in &args.mountpoints {
        if let Err(failure) = one(mountpoint, args.lazy) {
            worst = failure.report();
        }
    }
    Ok(worst)
}

fn one(named: &Path, lazy: bool) -> Result<(), Failure> {
    let mount = find(named)?;
    let Some(mount) = mount else {
        return Err(Failure::new(
            Class::MountPoint,
            format_args!("{}: nothing is mounted there", named.display()),
        )
        .hint("'findmnt -t fuse.optfs' lists the mounts of optfs"));
    };
    if !mount.is_optfs() {
        let what = format!(
            "{}: a mount of type {}, not of optfs",
            named.display(),
            mount.filesystem
        );
        return Err(Failure::new(Class::MountPoint, what).hint("take it away with umount"));
    }
    // Nobody answers on a dead mount: it need not be empty to go.
    Ok(unmount(&mount.mountpoint, lazy || mount.is_dead())?)
}

/// The topmost mount at a directory. What the user names may be relative, or lead through links; the
/// directory itself may be dead and cannot be asked.
pub(super) fn find(named: &Path) -> Result<Option<Mount>, Failure> {
    let absolute = std::path::absolute(named)?;
    let resolved = match (absolute.parent(), absolute.file_name()) {
        (Some(parent), Some(name)) => parent.canonicalize().map(|parent| parent.join(name)),
        _ => absolute.canonicalize(),
    };
    let resolved = resolved.unwrap_or(absolute);
    // A link to the mount point is the mount point, as long as something answers there.
    let followed = resolved.canonicalize().unwrap_or_else(|_| resolved.clone());
    let matching = |mount: &Mount| mount.mountpoint == resolved || mount.mountpoint == followed;
    Ok(mounts()?.into_iter().rfind(matching))
}
