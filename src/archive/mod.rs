//! One .zip: positioned reads, its entries, and inflating one entry or a range of one.

mod deflate;

pub use deflate::{Checkpoint, DeflateError, Inflater, Input};
