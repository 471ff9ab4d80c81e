//! A child process in a private mount namespace.
