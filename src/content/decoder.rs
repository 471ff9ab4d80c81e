//! What decodes a large entry: deflate, from anywhere; or another method, from a reader that only goes forward.
//!
//! Where to start is left to `large`.

use std::io::{self, Read};

use crate::archive::{EntryError, Inflater, Member};

/// What is passed over of an entry that has to be read forward.
const PASSED_OVER_BYTES: u64 = 64 << 10;

/// A decoder and where it stands.
pub(super) enum Decoder {
    Deflate(Box<Inflater>),
    Forward {
        reader: Box<dyn Read + Send>,
        offset: u64,
    },
}

impl Decoder {
    pub(super) fn offset(&self) -> u64 {
        match self {
            Decoder::Deflate(inflater) => inflater.output_offset(),
            Decoder::Forward { offset, .. } => *offset,
        }
    }

    /// Decodes so many bytes for nobody; fewer only at the end of the stream.
    pub(super) fn pass_over(&mut self, member: &Member, count: u64) -> Result<u64, EntryError> {
        if let Decoder::Deflate(inflater) = self {
            return Ok(inflater.skip(&mut member.clone(), count)?);
        }
        let mut passed = 0;
        let mut buf = vec![0; count.min(PASSED_OVER_BYTES) as usize];
        while passed < count {
            let wanted = (count - passed).min(buf.len() as u64) as usize;
            match self.read(member, &mut buf[..wanted])? {
                0 => break,
                n => passed += n as u64,
            }
        }
        Ok(passed)
    }

    pub(super) fn read(&mut self, member: &Member, buf: &mut [u8]) -> Result<usize, EntryError> {
        match self {
            Decoder::Deflate(inflater) => Ok(inflater.read(&mut member.clone(), buf)?),
            Decoder::Forward { reader, offset } => loop {
                match reader.read(buf) {
                    Ok(n) => {
                        *offset += n as u64;
                        return Ok(n);
                    }
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(EntryError::Stream(e)),
                }
            },
        }
    }
}
