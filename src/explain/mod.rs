//! Questions about a stack, answered as data: which layer provides a path and what it hides, and all that
//! follows from it. A file for each question.
//!
//! Leaves to others how answers are printed.

mod json;
mod likeness;
pub mod resolve;
pub mod torn;
mod tree;
mod version;
mod which;

pub use likeness::{Likeness, likeness};
pub use tree::{Tree, Unread};
pub use which::{Hidden, Reason, Seen, Which, root, which};
