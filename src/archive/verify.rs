//! Reading an entry for what is in it and not to serve it: through once against its size and CRC-32, or
//! only its first bytes. In bounded memory, whatever the entry declares.

use std::io::Read;

use crc32fast::Hasher;

use super::{Archive, EntryError, EntryId, decoder};

/// Entries up to this size are decoded at once, which is faster.
const WHOLE_BYTES: u64 = 8 << 20;
const PIECE_BYTES: usize = 256 << 10;

impl Archive {
    /// Reads an entry through and compares size and CRC-32 with what the central directory says.
    ///
    /// # Errors
    /// When it cannot be served.
    pub fn verify(&self, id: EntryId) -> Result<(), EntryError> {
        let entry = self.entry(id);
        let declared = entry.declared_size;
        if declared.max(entry.compressed_size) <= WHOLE_BYTES {
            return self.read_whole(id).map(drop);
        }
        let member = self.member(id)?;
        let mut decoder = decoder(entry.method, member.reader(), declared)?;
        let mut piece = vec![0; PIECE_BYTES];
        let (mut found, mut crc) = (0u64, Hasher::new());
        loop {
            match decoder.read(&mut piece).map_err(EntryError::Stream)? {
                0 if found < declared => return Err(EntryError::TooShort { declared, found }),
                0 => return self.verify_crc(id, crc.finalize()),
                read => {
                    found += read as u64;
                    if found > declared {
                        return Err(EntryError::TooLong { declared });
                    }
                    crc.update(&piece[..read]);
                }
            }
        }
    }

    /// The first bytes of an entry, at most `limit_bytes` of them, unverified.
    ///
    /// # Errors
    /// When its data cannot be read or decoded so far.
    pub fn read_head(&self, id: EntryId, limit_bytes: usize) -> Result<Vec<u8>, EntryError> {
        let entry = self.entry(id);
        let member = self.member(id)?;
        let mut head = Vec::new();
        decoder(entry.method, member.reader(), entry.declared_size)?
            .take(limit_bytes as u64)
            .read_to_end(&mut head)
            .map_err(EntryError::Stream)?;
        Ok(head)
    }
}
