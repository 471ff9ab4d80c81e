//! Questions about a stack, answered as data: which layer provides a path and what it hides, and all that
//! follows from it. A file for each question.
//!
//! Leaves to others how answers are printed.

mod crew;
pub mod diff;
pub mod digest;
mod likeness;
pub mod lock;
mod on_disk;
pub mod order;
mod target;
mod tree;
mod which;

pub use crew::Progress;
pub use likeness::{Likeness, likeness};
pub use on_disk::OnDisk;
pub use tree::{Facts, Kind, Merged, Tree, find};
pub use which::{Hidden, Reason, Seen, Which, root, which};
