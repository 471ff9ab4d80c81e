//! Questions about a stack, answered as data.
