//! A process that outlives the one that does the work: it keeps that one's open files, and when it is killed starts
//! another that goes on with them.
//!
//! ```text
//! K  the keeper     holds the legacy, waits, hears the signals; does nothing that could fail      (keeper)
//! W  the worker     says what it would leave behind, then works; its successor begins with that   (legacy)
//! ```
//!
//! Both are this program, executed again. What is kept and what the work is are not known here: `cli::supervise` plays
//! both parts for a mount.

mod keeper;
mod legacy;

pub use keeper::{Heard, KeepError, Outcome, Restarts, Worker, keep};
pub use legacy::{Legacy, LegacyError, WorkerEnd};
