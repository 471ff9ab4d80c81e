//! The POSIX face of a stack as plain values.
