//! The adapter between the kernel and what `guide` answers: requests to calls, answers to replies, errors to errnos,
//! what the kernel may cache, mounting, sessions and signals.
//!
//! Knows nothing of zips or layers. A transport takes the descriptor that [`attach()`] gives and serves
//! a [`Guide`](crate::guide::Guide) over it, and there are two: `fuser`, the crate's loop over /dev/fuse, and `uring`,
//! where requests are answered on the core that asked. What they answer is decided once, in `policy`.

mod answer;
mod attach;
mod device;
mod fuser;
#[cfg(fuzzing)]
pub mod fuzzing;
mod mounts;
mod placement;
mod policy;
mod pool;
mod session;
mod transport;
mod uring;
mod wire;

pub use attach::{AttachError, AttachOptions, attach, check_device};
pub use mounts::{Mount, MountsError, UnmountError, mounts, unmount};
pub use session::{
    Life, STATISTICS, SessionError, SessionOptions, mounted_on, serve, serve_until_signalled, take_away,
};
pub use transport::{RingsError, Transport, rings};
