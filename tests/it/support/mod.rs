//! What the tests are made of: archives, stacks of layers, the model they are judged by, trees to compare,
//! and places to mount on.

pub(crate) mod allocations;
pub(crate) mod browser;
pub(crate) mod cgroup;
pub(crate) mod command;
pub(crate) mod device;
pub(crate) mod elf;
pub(crate) mod generate;
pub(crate) mod model;
pub(crate) mod on_disk;
pub(crate) mod place;
pub(crate) mod program;
pub(crate) mod raw_zip;
pub(crate) mod seen;
pub(crate) mod server;
pub(crate) mod stack;
pub(crate) mod stage;
pub(crate) mod switch;
pub(crate) mod terminal;
pub(crate) mod tree;
pub(crate) mod until;
pub(crate) mod zoo;
