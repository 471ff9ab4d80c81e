//! Questions about a stack, answered as data: which layer provides a path and what it hides, and all that
//! follows from it. A file for each question.
//!
//! Leaves to others how answers are printed.

mod likeness;
mod which;

pub use likeness::{Likeness, likeness};
pub use which::{Hidden, Reason, Seen, Which, root, which};
