//! What a shared object is compiled for, from the first bytes of its ELF header.

use object::elf;

/// An instruction set that Lambda has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// `x86_64`
    X86_64,
    /// `arm64`
    Arm64,
}

/// What the loader makes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It can be loaded.
    Fits,
    /// Compiled for another machine: the loader goes on searching (glibc `open_verify`).
    OtherMachine,
    /// No ELF file: the loader ends its search with an error.
    NoElf,
}

/// Bytes of a header that say it.
pub(super) const HEADER_BYTES: usize = 20;

impl Machine {
    /// As GNU triplets and `uname -m` spell it.
    pub fn gnu(self) -> &'static str {
        match self {
            Machine::X86_64 => "x86_64",
            Machine::Arm64 => "aarch64",
        }
    }

    pub(super) fn fit(self, header: &[u8]) -> Fit {
        let Some((ident, rest)) = header.split_at_checked(16) else {
            return Fit::NoElf;
        };
        let Some(&[_, _, low, high]) = rest.get(..4) else {
            return Fit::NoElf;
        };
        if ident[..4] != elf::ELFMAG {
            return Fit::NoElf;
        }
        let number = match self {
            Machine::X86_64 => elf::EM_X86_64,
            Machine::Arm64 => elf::EM_AARCH64,
        };
        let is_64_little = ident[4] == 2 && ident[5] == 1;
        match is_64_little && u16::from_le_bytes([low, high]) == number.0 {
            true => Fit::Fits,
            false => Fit::OtherMachine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_the_machine() {
        let header = |class: u8, machine: u8| {
            let mut bytes = b"\x7fELF\0\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\0\0".to_vec();
            (bytes[4], bytes[18]) = (class, machine);
            bytes
        };
        assert_eq!(Machine::X86_64.fit(&header(2, 62)), Fit::Fits);
        assert_eq!(Machine::Arm64.fit(&header(2, 183)), Fit::Fits);
        assert_eq!(Machine::Arm64.fit(&header(2, 62)), Fit::OtherMachine);
        assert_eq!(Machine::X86_64.fit(&header(1, 62)), Fit::OtherMachine);
        assert_eq!(Machine::X86_64.fit(b"/* GNU ld script */ GROUP"), Fit::NoElf);
        assert_eq!(Machine::X86_64.fit(b"\x7fELF"), Fit::NoElf);
    }
}
