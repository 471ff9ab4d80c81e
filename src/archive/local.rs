//! Local headers, all of them: what each says, read in the order in which they lie in the file.
//!
//! Serving entries needs none of what they say but their length (`member` reads that); here is what it
//! takes to compare them with the central directory.

use std::io;

use rawzip::extra_fields::{ExtraFieldId, ExtraFields};

use super::source::ReadAt;
use super::{Archive, EntryError, Survey};

/// Local header without its variable fields (APPNOTE 4.3.7).
const FIXED_BYTES: usize = 30;
const SIGNATURE: &[u8] = b"PK\x03\x04";
/// Extra fields that are read on suspicion.
const EXTRA_GUESS: u64 = 64;
/// Data between two headers that is rather read than jumped over: a system call costs more.
const NEAR_BYTES: u64 = 8 << 10;
/// Read at once at most.
const WINDOW_BYTES: u64 = 256 << 10;
/// Zip64 extended information (APPNOTE 4.5.3).
const ZIP64: ExtraFieldId = ExtraFieldId::new(0x0001);

/// What a local header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local<'a> {
    /// The name as it lies there.
    pub name: &'a [u8],
    /// Whether it needs a password.
    pub encrypted: bool,
    /// Whether sizes and CRC may stand behind the data and not here.
    pub has_descriptor: bool,
    /// The method's code.
    pub method: u16,
    /// CRC-32 of the decoded bytes; often 0 where a descriptor follows the data.
    pub crc: u32,
    /// Size in the archive, in bytes; often 0 where a descriptor follows the data.
    pub compressed_size: u64,
    /// Size once decoded, in bytes; often 0 where a descriptor follows the data.
    pub declared_size: u64,
    /// Where the data begins.
    pub data_offset: u64,
}

/// The piece of the file that was read last.
struct Window<'a> {
    source: &'a dyn ReadAt,
    bytes: Vec<u8>,
    start: u64,
}

impl Archive {
    /// Reads the local headers of all that is listed, by their offsets, and hands each out with its place in
    /// `survey.listed`; or says why there is none.
    pub fn local_headers(
        &self,
        survey: &Survey,
        mut visit: impl FnMut(usize, Result<Local<'_>, EntryError>),
    ) {
        let mut order: Vec<u32> = (0..survey.listed.len() as u32).collect();
        order.sort_by_key(|&place| survey.listed[place as usize].header_offset);
        let offset = |place: u32| survey.listed[place as usize].header_offset;
        let guess = |place: u32| {
            let listed = &survey.listed[place as usize];
            let name = match (listed.odd_name(), listed.entry) {
                (Some(raw), _) => raw.len(),
                (None, Some(id)) => self.entry_path(id).len() + 1,
                (None, None) => 0,
            };
            (FIXED_BYTES + name) as u64 + EXTRA_GUESS
        };
        let mut window = Window {
            source: &*self.source,
            bytes: Vec::new(),
            start: 0,
        };
        for (i, &place) in order.iter().enumerate() {
            let at = offset(place);
            let result = if window.holds(at, guess(place)) {
                window.header(at)
            } else {
                let mut end = at.saturating_add(guess(place));
                for &next in &order[i + 1..] {
                    let next_end = offset(next).saturating_add(guess(next));
                    if offset(next) > end + NEAR_BYTES || next_end - at > WINDOW_BYTES {
                        break;
                    }
                    end = end.max(next_end);
                }
                window.fill(at, end - at).and_then(|()| window.header(at))
            };
            visit(place as usize, result);
        }
    }

    /// Whether a local header lies at an offset.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn has_local_header(&self, offset: u64) -> io::Result<bool> {
        let mut found = [0; SIGNATURE.len()];
        let read = self.source.read_full_at(&mut found, offset)?;
        Ok(&found[..read] == SIGNATURE)
    }
}

impl Window<'_> {
    fn holds(&self, offset: u64, len: u64) -> bool {
        offset >= self.start && offset.saturating_add(len) <= self.start + self.bytes.len() as u64
    }

    fn fill(&mut self, offset: u64, len: u64) -> Result<(), EntryError> {
        self.bytes.resize(len as usize, 0);
        self.start = offset;
        let read = self.source.read_full_at(&mut self.bytes, offset)?;
        self.bytes.truncate(read);
        Ok(())
    }

    /// The header at an offset that the window begins with or holds.
    fn header(&mut self, offset: u64) -> Result<Local<'_>, EntryError> {
        let none = || EntryError::LocalHeader { offset };
        let from = (offset - self.start) as usize;
        let fixed = self
            .bytes
            .get(from..)
            .and_then(|at| at.first_chunk::<FIXED_BYTES>());
        let fixed = *fixed
            .filter(|fixed| fixed.starts_with(SIGNATURE))
            .ok_or_else(none)?;
        let word = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
        let double = |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let (name_len, extra_len) = (usize::from(word(26)), usize::from(word(28)));
        let len = FIXED_BYTES + name_len + extra_len;
        let from = match self.holds(offset, len as u64) {
            true => from,
            // The variable fields are longer than guessed.
            false => {
                self.fill(offset, len as u64)?;
                0
            }
        };
        let variable = self.bytes.get(from + FIXED_BYTES..from + len).ok_or_else(none)?;
        let (name, extra) = variable.split_at(name_len);
        let (compressed_size, declared_size) = sizes(double(18), double(22), extra);
        Ok(Local {
            name,
            encrypted: word(6) & 1 != 0,
            has_descriptor: word(6) & 1 << 3 != 0,
            method: word(8),
            crc: double(14),
            compressed_size,
            declared_size,
            data_offset: offset + len as u64,
        })
    }
}

/// Sizes that do not fit into 32 bits stand in the Zip64 field, the decoded one first.
fn sizes(compressed: u32, declared: u32, extra: &[u8]) -> (u64, u64) {
    let mut wide = ExtraFields::new(extra)
        .into_iter()
        .find(|(id, _)| *id == ZIP64)
        .map_or(&[][..], |(_, field)| field)
        .chunks_exact(8);
    let mut resolve = |narrow: u32| match narrow {
        u32::MAX => wide
            .next()
            .and_then(|bytes| bytes.first_chunk())
            .map_or(narrow.into(), |bytes| u64::from_le_bytes(*bytes)),
        _ => narrow.into(),
    };
    let declared = resolve(declared);
    (resolve(compressed), declared)
}
