//! optfs shows an ordered list of AWS Lambda layer zips as the one read-only tree that Lambda would
//! have extracted into `/opt`, without extracting anything.
//!
//! The crate is a house of rooms, each a module with one noun to look after. Read the picture
//! downwards as "may use"; nothing points up, and `tests/it/tidy.rs` holds the arrows.
//!
//! ```text
//! 5    cli                       words in, words out: arguments, printing, progress, exit codes
//!       |
//! 4½    |   bench    build       extract-and-run against mount-and-run, measured · pip and npm, and what they leave
//!       |     |  _____/
//! 4     |   launch extract fuse  a child in its own /opt · a directory on disk · the kernel
//!       |   serve supervise |    AWS's API over HTTP, on the store · a process that starts another in place of a dead one
//!       |              |    |
//! 3½    |              |  guide  what a mount tells of itself: attributes, .optfs, statistics
//!       |              | /  |
//! 3   explain          fs --'    questions answered as data · files as plain values
//!       |  \_________  |
//! 2     |           content      bytes, once
//!       |          /   |
//! 1½  stack ------'    |         the one merge, made once and never changed
//!       |              |
//! 1   archive <- store cache     one zip, read by position · published layers and functions, on disk · a weighed LRU
//!       |
//! 0   path  template descriptors names that passed the door · SAM and CloudFormation, as values · open files, sent
//! ```

pub mod archive;
pub mod bench;
pub mod build;
pub mod cache;
pub mod cli;
pub mod content;
pub mod descriptors;
pub mod explain;
pub mod extract;
pub mod fs;
pub mod fuse;
pub mod guide;
pub mod launch;
pub mod path;
pub mod serve;
pub mod stack;
pub mod store;
pub mod supervise;
pub mod template;
