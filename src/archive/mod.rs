//! One .zip: positioned reads, its entries, and inflating one entry or a range of one.

mod deflate;
mod method;

pub use deflate::{Checkpoint, DeflateError, Inflater, Input};
pub use method::{DecodeError, Method, decode_whole, decoder};
