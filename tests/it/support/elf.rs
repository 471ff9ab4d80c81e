//! ELF files that say for which processor they are and which symbol versions they need, and nothing else.

pub(crate) const X86_64: u16 = 62;
pub(crate) const AARCH64: u16 = 183;

const HEADER_BYTES: u64 = 64;

/// A shared library for a processor that needs these versions of `libc.so.6`, such as `GLIBC_2.17`.
pub(crate) fn library(machine: u16, versions: &[&str]) -> Vec<u8> {
    let mut strings = b"\0libc.so.6\0".to_vec();
    let mut needs = Vec::new();
    // Elf64_Verneed: version, count, file, first of its versions, next.
    for half in [1, versions.len() as u16] {
        needs.extend(half.to_le_bytes());
    }
    for word in [1u32, 16, 0] {
        needs.extend(word.to_le_bytes());
    }
    for (number, version) in versions.iter().enumerate() {
        // Elf64_Vernaux: hash, flags, index, name, next.
        let next = if number + 1 < versions.len() { 16u32 } else { 0 };
        needs.extend(0u32.to_le_bytes());
        needs.extend([0, 0, 2, 0]);
        needs.extend((strings.len() as u32).to_le_bytes());
        needs.extend(next.to_le_bytes());
        strings.extend(version.as_bytes());
        strings.push(0);
    }
    let strings_at = HEADER_BYTES;
    let needs_at = (strings_at + strings.len() as u64).next_multiple_of(8);
    let sections_at = (needs_at + needs.len() as u64).next_multiple_of(8);
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend(3u16.to_le_bytes());
    file.extend(machine.to_le_bytes());
    file.extend(1u32.to_le_bytes());
    for address in [0, 0, sections_at] {
        file.extend(address.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 0, 64, 3, 1] {
        file.extend(half.to_le_bytes());
    }
    file.extend(&strings);
    file.resize(needs_at as usize, 0);
    file.extend(&needs);
    file.resize(sections_at as usize, 0);
    file.extend(section(0, 0, 0, 0, 0));
    file.extend(section(3, strings_at, strings.len(), 0, 0));
    file.extend(section(0x6fff_fffe, needs_at, needs.len(), 1, 1));
    file
}

/// Elf64_Shdr, without name and address.
fn section(kind: u32, offset: u64, size: usize, link: u32, info: u32) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(0u32.to_le_bytes());
    header.extend(kind.to_le_bytes());
    for wide in [0, 0, offset, size as u64] {
        header.extend(wide.to_le_bytes());
    }
    for word in [link, info] {
        header.extend(word.to_le_bytes());
    }
    for wide in [1u64, 0] {
        header.extend(wide.to_le_bytes());
    }
    header
}
