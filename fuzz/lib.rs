//! What the fuzz targets share: choices taken off the front of an input, archives in memory, honest zips
//! around bytes of the fuzzer's.
//!
//! What is promised of the answers is left to the targets, one for each door that strangers' bytes come through.

mod bend;

pub use bend::{deflate_again, mutate};

use std::path::Path;
use std::sync::Arc;

use optfs::archive::Archive;
use optfs::stack::Stack;

/// Between two archives, or two texts, of one input. A zip alone is an input, too.
pub const BETWEEN: &[u8] = b"\0<next>\0";

/// An input that is used up from its front; numbers are 0 once nothing is left.
pub struct Choices<'a>(pub &'a [u8]);

impl<'a> Choices<'a> {
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// The next two bytes.
    pub fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// The next four bytes.
    pub fn long(&mut self) -> u32 {
        u32::from(self.short()) | u32::from(self.short()) << 16
    }

    /// The next bytes, as many as there are.
    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// The pieces of an input.
pub fn pieces(input: &[u8]) -> Vec<&[u8]> {
    let (mut pieces, mut rest) = (Vec::new(), input);
    while let Some(at) = rest.windows(BETWEEN.len()).position(|found| found == BETWEEN) {
        pieces.push(&rest[..at]);
        rest = &rest[at + BETWEEN.len()..];
    }
    pieces.push(rest);
    pieces
}

/// The archive that some bytes are, if they are one.
pub fn archive(bytes: &[u8]) -> Option<Archive> {
    Archive::from_source(Path::new("fuzz.zip"), Arc::new(bytes.to_vec())).ok()
}

/// The stack of all pieces that are archives.
pub fn stack(input: &[u8]) -> Option<Stack> {
    let archives: Vec<_> = pieces(input).into_iter().take(8).filter_map(archive).collect();
    Stack::merge(archives).ok()
}

/// The mode of a file in [`zip`], and that of a link.
pub const FILE: u32 = 0o100_755;
pub const LINK: u32 = 0o120_777;

/// An honest zip of stored files: name, mode, content.
pub fn zip(files: &[(&[u8], u32, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    let short = |number: usize| (number as u16).to_le_bytes();
    let long = |number: usize| (number as u32).to_le_bytes();
    for (name, mode, content) in files {
        let name = &name[..name.len().min(usize::from(u16::MAX))];
        let offset = out.len();
        // Version, flags, method, time, date, sum, sizes, lengths: alike in both headers.
        let mut common = [short(20), short(0), short(0), short(0), short(0x5021)].concat();
        common.extend(crc32fast::hash(content).to_le_bytes());
        common.extend([long(content.len()), long(content.len())].concat());
        common.extend([short(name.len()), short(0)].concat());
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name);
        out.extend(*content);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(&common);
        directory.extend([0; 6]);
        directory.extend((mode << 16).to_le_bytes());
        directory.extend(long(offset));
        directory.extend(name);
    }
    let offset = out.len();
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([short(files.len()), short(files.len())].concat());
    out.extend([long(directory.len()), long(offset)].concat());
    out.extend([0; 2]);
    out
}
