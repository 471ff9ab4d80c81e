//! Which way requests come: over /dev/fuse through fuser, or over io_uring; the choice between the two,
//! what stands in the way of the second, and what to do about it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use super::session::Life;
use super::{device, fuser, uring};
use crate::guide::Guide;

/// Whether the kernel offers rings to new mounts.
const SWITCH: &str = "/sys/module/fuse/parameters/enable_uring";

/// Which way requests are to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// Over io_uring where the kernel has it switched on, else through fuser.
    #[default]
    Auto,
    /// Over /dev/fuse, through the crate fuser.
    Fuser,
    /// Over io_uring, or not at all.
    Uring,
}

/// Why requests cannot come over io_uring.
#[derive(Debug, Error)]
pub enum RingsError {
    /// The kernel is too old, or was built without.
    #[error("this kernel has no FUSE over io_uring")]
    Missing,
    /// It is there, and off.
    #[error("FUSE over io_uring is switched off")]
    SwitchedOff,
    /// A sandbox, or the administrator, forbids io_uring.
    #[error("io_uring is not to be had here: {0}")]
    Forbidden(io::Error),
}

impl Transport {
    /// The words for it, as a user types them.
    pub const WORDS: [&str; 3] = ["auto", "fuser", "uring"];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Transport::Auto => "auto",
            Transport::Fuser => "fuser",
            Transport::Uring => "uring",
        }
    }

    /// Whether a mount can be served so, as far as that can be known before there is one.
    ///
    /// # Errors
    /// For [`Transport::Uring`], what stands in its way.
    pub fn check(self) -> Result<(), RingsError> {
        match self {
            Transport::Auto | Transport::Fuser => Ok(()),
            Transport::Uring => rings(),
        }
    }
}

impl FromStr for Transport {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let all = [Transport::Auto, Transport::Fuser, Transport::Uring];
        let found = all.into_iter().find(|transport| transport.word() == word);
        found.ok_or_else(|| format!("expected one of {}", Transport::WORDS.join(", ")))
    }
}

impl RingsError {
    /// What the user can do next.
    pub fn hint(&self) -> &'static str {
        match self {
            RingsError::Missing => {
                "it came with Linux 6.14 (CONFIG_FUSE_IO_URING); --transport auto works without"
            }
            RingsError::SwitchedOff => {
                "as root, before mounting: echo Y > /sys/module/fuse/parameters/enable_uring"
            }
            RingsError::Forbidden(_) => {
                "as root: sysctl -w kernel.io_uring_disabled=0; in a container: --security-opt seccomp=unconfined"
            }
        }
    }
}

/// Whether requests of new mounts can come over io_uring.
///
/// # Errors
/// What stands in the way.
pub fn rings() -> Result<(), RingsError> {
    match fs::read_to_string(SWITCH) {
        Ok(state) if state.trim() == "Y" => uring::try_ring().map_err(RingsError::Forbidden),
        Ok(_) => Err(RingsError::SwitchedOff),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(RingsError::Missing),
        Err(e) => Err(RingsError::Forbidden(e)),
    }
}

/// Answers the kernel's greeting; what comes back serves the requests that follow.
pub(super) fn begin(
    guide: Arc<Guide>,
    device: OwnedFd,
    transport: Transport,
    threads: usize,
    life: Life,
) -> io::Result<Begun> {
    if life != Life::Alone {
        return Ok(Begun::Device(device::begin(guide, device, threads, life)?));
    }
    let is_required = transport == Transport::Uring;
    let over_rings = match transport {
        Transport::Fuser => false,
        Transport::Uring => true,
        Transport::Auto => rings()
            .inspect_err(|why| log::info!("over /dev/fuse: {why}"))
            .is_ok(),
    };
    Ok(match over_rings {
        true => Begun::Uring(uring::begin(guide, device, threads.max(1), is_required)?),
        false => Begun::Fuser(Box::new(fuser::begin(guide, device, threads)?)),
    })
}

/// A session that the kernel has agreed to.
pub(super) enum Begun {
    Device(device::Begun),
    Fuser(Box<fuser::Begun>),
    Uring(uring::Begun),
}

impl Begun {
    /// Answers requests until the mount is gone.
    pub(super) fn run(self) -> io::Result<()> {
        match self {
            Begun::Device(session) => session.run(),
            Begun::Fuser(session) => session.run(),
            Begun::Uring(session) => session.run(),
        }
    }
}
