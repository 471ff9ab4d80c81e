//! The adapter between the kernel and `fs`.
