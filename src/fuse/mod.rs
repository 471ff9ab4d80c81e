//! The adapter between the kernel and `fs`: requests to calls, answers to replies, errors to errnos,
//! what the kernel may cache, mounting, sessions and signals.
//!
//! Knows nothing of zips or layers. A transport takes the descriptor that [`attach()`] gives and serves
//! an [`Fs`](crate::fs::Fs) over it: today fuser's loop over /dev/fuse; nothing but `transport` names it.

mod attach;
mod mounts;
mod placement;
mod pool;
mod session;
mod transport;

pub use attach::{AttachError, AttachOptions, attach};
pub use mounts::{Mount, MountsError, UnmountError, mounts, unmount};
pub use session::{SessionError, SessionOptions, serve, serve_until_signalled};
