//! Entering a private mount namespace, and saying in words why a system does not allow it.
//!
//! What is mounted there afterwards, and over what, is left to the caller; a directory of this machine is bound here.

use std::fs;
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// Which namespaces this process now has to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// A mount namespace: the process had CAP_SYS_ADMIN.
    Mount,
    /// A user namespace, in which user and group keep their numbers, and a mount namespace inside it.
    UserAndMount,
}

/// Why there is no private mount namespace. [`advice`](NamespaceError::advice) says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// `user.max_user_namespaces` is 0.
    #[error(
        "cannot make a private mount namespace: user namespaces are switched off (user.max_user_namespaces = 0)"
    )]
    SwitchedOff,
    /// ENOSPC although the limit is not 0, or 32 levels of nesting.
    #[error(
        "cannot make a private mount namespace: the limit of user namespaces is reached (user.max_user_namespaces)"
    )]
    TooMany,
    /// `kernel.unprivileged_userns_clone` is 0, on Debian kernels.
    #[error(
        "cannot make a private mount namespace: user namespaces are kept from ordinary users \
         (kernel.unprivileged_userns_clone = 0)"
    )]
    PrivilegedOnly,
    /// `kernel.apparmor_restrict_unprivileged_userns` is 1, on Ubuntu since 23.10.
    #[error(
        "cannot make a private mount namespace: AppArmor keeps user namespaces from programs without a profile \
         (kernel.apparmor_restrict_unprivileged_userns = 1): {step}"
    )]
    AppArmor {
        /// What was refused.
        step: Step,
        /// How the kernel said it.
        source: io::Error,
    },
    /// Refused, and no switch of the system says why: usually a container's seccomp filter, or a chroot, in which
    /// ordinary users get no user namespace.
    #[error("cannot make a private mount namespace: {step} is not permitted here")]
    Forbidden {
        /// What was refused.
        step: Step,
        /// How the kernel said it.
        source: io::Error,
    },
    /// `/` is no mount point, as in a chroot.
    #[error("cannot make a private mount namespace: / is not a mount point (is this a chroot?)")]
    Chroot,
    /// Anything else.
    #[error("cannot make a private mount namespace: {step} failed")]
    System {
        /// What failed.
        step: Step,
        /// How the kernel said it.
        source: io::Error,
    },
}

/// One step of the way in, as the messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// unshare(CLONE_NEWNS)
    UnshareMount,
    /// unshare(CLONE_NEWUSER | CLONE_NEWNS)
    UnshareUser,
    /// Writing one of /proc/self/setgroups, uid_map, gid_map.
    MapIdentity(&'static str),
    /// mount(MS_REC | MS_SLAVE) on `/`
    CutTies,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Step::UnshareMount => f.write_str("unshare(CLONE_NEWNS)"),
            Step::UnshareUser => f.write_str("unshare(CLONE_NEWUSER)"),
            Step::MapIdentity(file) => write!(f, "writing {file}"),
            Step::CutTies => f.write_str("making / a slave mount"),
        }
    }
}

impl NamespaceError {
    /// What a person can do about it, as one sentence for the line below the error.
    pub fn advice(&self) -> &'static str {
        match self {
            NamespaceError::SwitchedOff => {
                "run optfs as root, or allow user namespaces: sysctl -w user.max_user_namespaces=15000"
            }
            NamespaceError::TooMany => "end some sandboxes or containers, or raise user.max_user_namespaces",
            NamespaceError::PrivilegedOnly => {
                "run optfs as root, or allow them: sysctl -w kernel.unprivileged_userns_clone=1"
            }
            NamespaceError::AppArmor { .. } => {
                "run optfs as root, give it an AppArmor profile with the rule `userns,`, or lift the restriction: \
                 sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
            }
            NamespaceError::Forbidden { .. } => {
                "in a container, start it with --cap-add SYS_ADMIN --device /dev/fuse and, where seccomp or AppArmor \
                 still refuse, --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
            }
            NamespaceError::Chroot => {
                "bind-mount the root directory onto itself before chroot: mount --bind DIR DIR"
            }
            NamespaceError::System { .. } => {
                "mount the layers with `optfs mount` and start the command yourself"
            }
        }
    }
}

/// Moves this process into a mount namespace of its own: what it mounts from now on, only it and its future
/// children see.
///
/// The process must have one thread only; unshare(CLONE_NEWUSER) refuses more. In a user namespace it has every
/// capability over the new mount namespace until it executes something else, and then none: `/dev/fuse`
/// must be opened, and mounted, between the two, since the kernel wants both done in one user namespace.
/// Programs with the setuid bit (sudo) cannot raise themselves in there.
pub fn enter_private() -> Result<Entered, NamespaceError> {
    // Asking forgives what testing for the capability would miss: seccomp and LSMs have their own opinion.
    let entered = match unshare(CloneFlags::CLONE_NEWNS) {
        Ok(()) => Entered::Mount,
        Err(Errno::EPERM) => {
            enter_user_namespace()?;
            Entered::UserAndMount
        }
        Err(errno) => return Err(explain(Step::UnshareMount, errno)),
    };
    // Slave and not private: nothing mounted here leaves, and still what the host mounts and unmounts later
    // arrives, so that a long-lived shell in the view neither misses a disk nor keeps one busy. A mount
    // that the host makes at our mount point is tucked below ours.
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_SLAVE,
        None::<&str>,
    )
    .map_err(|errno| explain(Step::CutTies, errno))?;
    Ok(entered)
}

/// Shows a directory at another one as well, to those who share this process's mount namespace.
pub fn bind(directory: &Path, at: &Path) -> io::Result<()> {
    mount(Some(directory), at, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    Ok(())
}

/// Keeps the identity: with root's numbers, `id`, ownership checks and the kernel's rule that only the mounting
/// user may look into a FUSE mount would all change their answers.
fn enter_user_namespace() -> Result<(), NamespaceError> {
    // Before the new namespace: in it, both read as the overflow identity until the maps are written.
    let (uid, gid) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
        .map_err(|errno| explain(Step::UnshareUser, errno))?;
    // The kernel lets an ordinary user write gid_map only after setgroups is given up. Supplementary groups
    // show as the overflow group and still count for access.
    for (file, text) in [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("{uid} {uid} 1\n")),
        ("/proc/self/gid_map", format!("{gid} {gid} 1\n")),
    ] {
        fs::write(file, text).map_err(|error| {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
            explain(Step::MapIdentity(file), errno)
        })?;
    }
    Ok(())
}

fn explain(step: Step, errno: Errno) -> NamespaceError {
    diagnose(step, errno, &|name| {
        fs::read_to_string(format!("/proc/sys/{name}"))
            .ok()?
            .trim()
            .parse()
            .ok()
    })
}

/// Finds the switch that explains a refusal; `sysctl` reads one, by its path below /proc/sys.
fn diagnose(step: Step, errno: Errno, sysctl: &dyn Fn(&str) -> Option<u64>) -> NamespaceError {
    let source = io::Error::from(errno);
    match (errno, step) {
        (Errno::ENOSPC | Errno::EUSERS, _) if sysctl("user/max_user_namespaces") == Some(0) => {
            NamespaceError::SwitchedOff
        }
        (Errno::ENOSPC | Errno::EUSERS, _) => NamespaceError::TooMany,
        (Errno::EINVAL, Step::CutTies) => NamespaceError::Chroot,
        (Errno::EPERM | Errno::EACCES, _) => {
            if sysctl("kernel/unprivileged_userns_clone") == Some(0) {
                NamespaceError::PrivilegedOnly
            } else if sysctl("kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
                // Ubuntu lets unshare succeed and takes the new capabilities away: the maps fail, or the mount.
                NamespaceError::AppArmor { step, source }
            } else {
                NamespaceError::Forbidden { step, source }
            }
        }
        _ => NamespaceError::System { step, source },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Given a refusal on a system with these switches, the message names this one.
    fn message(step: Step, errno: Errno, switches: &[(&str, u64)]) -> String {
        let sysctl = |name: &str| switches.iter().find(|(n, _)| *n == name).map(|&(_, value)| value);
        let error = diagnose(step, errno, &sysctl);
        assert!(!error.advice().is_empty());
        error.to_string()
    }

    #[test]
    fn a_refusal_names_the_switch_that_caused_it() {
        let max = "user/max_user_namespaces";
        let debian = "kernel/unprivileged_userns_clone";
        let ubuntu = "kernel/apparmor_restrict_unprivileged_userns";
        let user = Step::UnshareUser;
        for (step, errno, switches, part) in [
            (
                user,
                Errno::ENOSPC,
                vec![(max, 0)],
                "switched off (user.max_user_namespaces = 0)",
            ),
            (
                user,
                Errno::ENOSPC,
                vec![(max, 9000)],
                "limit of user namespaces is reached",
            ),
            (user, Errno::EUSERS, vec![], "limit of user namespaces is reached"),
            (
                user,
                Errno::EPERM,
                vec![(debian, 0), (max, 9000)],
                "kernel.unprivileged_userns_clone = 0",
            ),
            (
                user,
                Errno::EPERM,
                vec![(debian, 1), (ubuntu, 1)],
                "apparmor_restrict_unprivileged_userns = 1",
            ),
            (
                user,
                Errno::EPERM,
                vec![(max, 9000), (ubuntu, 0)],
                "unshare(CLONE_NEWUSER) is not permitted",
            ),
            (
                Step::MapIdentity("/proc/self/uid_map"),
                Errno::EPERM,
                vec![(ubuntu, 1)],
                "writing /proc/self/uid_map",
            ),
            (
                Step::CutTies,
                Errno::EACCES,
                vec![(ubuntu, 1)],
                "making / a slave mount",
            ),
            (Step::CutTies, Errno::EINVAL, vec![], "is this a chroot?"),
            (
                Step::UnshareMount,
                Errno::ENOMEM,
                vec![],
                "unshare(CLONE_NEWNS) failed",
            ),
        ] {
            let text = message(step, errno, &switches);
            assert!(text.contains(part), "{text:?} does not contain {part:?}");
        }
    }
}
