//! What the index keeps of an entry, and how a million of them fit into memory: 28 bytes each beside the
//! path.
//!
//! Most entries lie within the first tebibyte, are smaller than 4 GiB and were modified in a whole second
//! between 1970 and 2106: those are packed. Any other is kept as it is in a list of its own, and its
//! packed form says where. Leaves to `directory` what the fields mean.

use super::{EntryKind, Mtime};

/// One entry as the central directory declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) header_offset: u64,
    pub(super) compressed_size: u64,
    pub(super) declared_size: u64,
    pub(super) mtime: Mtime,
    pub(super) crc: u32,
    pub(super) path_len: u16,
    /// Below 0o1000.
    pub(super) permissions: u16,
    pub(super) method: u16,
    pub(super) kind: EntryKind,
    pub(super) encrypted: bool,
}

/// The records of an archive in order, with their paths in one run of bytes.
#[derive(Debug, Default)]
pub(super) struct Records {
    packed: Vec<Packed>,
    odd: Vec<Record>,
    paths: Vec<u8>,
}

/// 28 bytes. The path ends where that of the next record begins.
#[derive(Debug, Clone, Copy)]
struct Packed {
    path_start: u32,
    crc: u32,
    /// Place among the odd records when the flag says so.
    compressed_size: u32,
    declared_size: u32,
    mtime_seconds: u32,
    /// The lower 32 bits.
    header_offset: u32,
    /// From the lowest: 8 bits of header offset, 8 of method, 9 of permissions, 2 of kind, encrypted, odd.
    rest: u32,
}

const METHOD_SHIFT: u32 = 8;
const PERMISSIONS_SHIFT: u32 = 16;
const KIND_SHIFT: u32 = 25;
const ENCRYPTED: u32 = 1 << 27;
const ODD: u32 = 1 << 28;

impl Records {
    /// Makes room at once, as far as there is memory: a sparse file of terabytes may declare anything.
    pub(super) fn reserve(&mut self, records: usize, path_bytes: usize) {
        // Who gets nothing here grows step by step.
        let _ = self.packed.try_reserve_exact(records);
        let _ = self.paths.try_reserve_exact(path_bytes);
    }

    /// Gives back the room that was not needed.
    pub(super) fn shrink(&mut self) {
        self.packed.shrink_to_fit();
        self.odd.shrink_to_fit();
        self.paths.shrink_to_fit();
    }

    pub(super) fn len(&self) -> usize {
        self.packed.len()
    }

    /// Bytes of all paths so far: where the next one begins.
    pub(super) fn path_bytes(&self) -> usize {
        self.paths.len()
    }

    /// Appends a record. The caller has seen to it that places and paths can be counted in 32 bits.
    pub(super) fn push(&mut self, path: &[u8], record: Record) {
        debug_assert_eq!(path.len(), usize::from(record.path_len));
        let path_start = self.paths.len() as u32;
        self.paths.extend_from_slice(path);
        let packed = pack(path_start, &record).unwrap_or_else(|| {
            let odd = Packed::odd(path_start, self.odd.len() as u32, record.kind);
            self.odd.push(record);
            odd
        });
        self.packed.push(packed);
    }

    /// Takes all records from `behind`, and puts them behind its own. The caller has seen to it that they can
    /// be counted.
    pub(super) fn append(&mut self, behind: &mut Records) {
        let (paths, odd) = (self.paths.len() as u32, self.odd.len() as u32);
        self.paths.append(&mut behind.paths);
        self.odd.append(&mut behind.odd);
        self.packed.extend(behind.packed.drain(..).map(|mut packed| {
            packed.path_start += paths;
            if packed.rest & ODD != 0 {
                packed.compressed_size += odd;
            }
            packed
        }));
    }

    /// The record at a place below [`Records::len`].
    pub(super) fn get(&self, index: usize) -> Record {
        let packed = &self.packed[index];
        if packed.rest & ODD != 0 {
            return self.odd[packed.compressed_size as usize].clone();
        }
        Record {
            header_offset: u64::from(packed.header_offset) | u64::from(packed.rest & 0xff) << 32,
            compressed_size: packed.compressed_size.into(),
            declared_size: packed.declared_size.into(),
            mtime: Mtime {
                seconds: packed.mtime_seconds.into(),
                nanoseconds: 0,
            },
            crc: packed.crc,
            path_len: (self.path_end(index) - packed.path_start) as u16,
            permissions: (packed.rest >> PERMISSIONS_SHIFT & 0o777) as u16,
            method: (packed.rest >> METHOD_SHIFT & 0xff) as u16,
            kind: packed.kind(),
            encrypted: packed.rest & ENCRYPTED != 0,
        }
    }

    /// What a record is.
    pub(super) fn kind(&self, index: usize) -> EntryKind {
        self.packed[index].kind()
    }

    /// Where the path of a record begins.
    pub(super) fn path_start(&self, index: usize) -> u32 {
        self.packed[index].path_start
    }

    /// The path of a record.
    pub(super) fn path(&self, index: usize) -> &[u8] {
        &self.paths[self.packed[index].path_start as usize..self.path_end(index) as usize]
    }

    /// All paths, one after another.
    pub(super) fn paths(&self) -> &[u8] {
        &self.paths
    }

    /// Bytes held, those of the paths left out.
    pub(super) fn memory_bytes(&self) -> usize {
        self.packed.capacity() * size_of::<Packed>() + self.odd.capacity() * size_of::<Record>()
    }

    fn path_end(&self, index: usize) -> u32 {
        self.packed
            .get(index + 1)
            .map_or(self.paths.len() as u32, |next| next.path_start)
    }
}

impl Packed {
    fn kind(&self) -> EntryKind {
        match self.rest >> KIND_SHIFT & 3 {
            0 => EntryKind::Directory,
            1 => EntryKind::File,
            _ => EntryKind::Symlink,
        }
    }

    /// Stands for the odd record at a place.
    fn odd(path_start: u32, place: u32, kind: EntryKind) -> Packed {
        Packed {
            path_start,
            crc: 0,
            compressed_size: place,
            declared_size: 0,
            mtime_seconds: 0,
            header_offset: 0,
            rest: ODD | kind_bits(kind),
        }
    }
}

fn kind_bits(kind: EntryKind) -> u32 {
    let number = match kind {
        EntryKind::Directory => 0,
        EntryKind::File => 1,
        EntryKind::Symlink => 2,
    };
    number << KIND_SHIFT
}

/// Nothing when a field is too large for its place.
fn pack(path_start: u32, record: &Record) -> Option<Packed> {
    let high_offset = u8::try_from(record.header_offset >> 32).ok()?;
    let method = u8::try_from(record.method).ok()?;
    if record.mtime.nanoseconds != 0 || record.permissions > 0o777 {
        return None;
    }
    Some(Packed {
        path_start,
        crc: record.crc,
        compressed_size: record.compressed_size.try_into().ok()?,
        declared_size: record.declared_size.try_into().ok()?,
        mtime_seconds: record.mtime.seconds.try_into().ok()?,
        header_offset: record.header_offset as u32,
        rest: u32::from(high_offset)
            | u32::from(method) << METHOD_SHIFT
            | u32::from(record.permissions) << PERMISSIONS_SHIFT
            | kind_bits(record.kind)
            | if record.encrypted { ENCRYPTED } else { 0 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values around what a field can just hold, and any other.
    fn around(limits: &'static [u64]) -> impl Strategy<Value = u64> {
        let near =
            (prop::sample::select(limits), -2i64..=2).prop_map(|(limit, by)| limit.wrapping_add_signed(by));
        prop_oneof![3 => near, 1 => any::<u64>(), 2 => 0..100_000u64]
    }

    fn records() -> impl Strategy<Value = (Vec<u8>, Record)> {
        const LIMITS: &[u64] = &[0, 1 << 8, 1 << 16, 1 << 31, 1 << 32, 1 << 40, 1 << 63];
        let kind = prop::sample::select(&[EntryKind::Directory, EntryKind::File, EntryKind::Symlink][..]);
        let numbers = (around(LIMITS), around(LIMITS), around(LIMITS), around(LIMITS));
        let nanoseconds = prop_oneof![4 => Just(0), 1 => 0..1_000_000_000u32];
        let method = prop_oneof![Just(0), Just(8), Just(255), Just(256), any::<u16>()];
        let path = prop::collection::vec(any::<u8>(), 0..40);
        let rest = (
            nanoseconds,
            any::<u32>(),
            method,
            0..0o1000u16,
            kind,
            any::<bool>(),
        );
        (path, numbers, rest).prop_map(|(path, numbers, rest)| {
            let (header_offset, compressed_size, declared_size, seconds) = numbers;
            let (nanoseconds, crc, method, permissions, kind, encrypted) = rest;
            let record = Record {
                header_offset,
                compressed_size,
                declared_size,
                mtime: Mtime {
                    seconds: seconds as i64,
                    nanoseconds,
                },
                crc,
                path_len: path.len() as u16,
                permissions,
                method,
                kind,
                encrypted,
            };
            (path, record)
        })
    }

    proptest! {
        #[test]
        fn every_record_comes_back_as_it_was(all in prop::collection::vec(records(), 1..12)) {
            let mut index = Records::default();
            for (path, record) in &all {
                index.push(path, record.clone());
            }
            prop_assert_eq!(index.len(), all.len());
            for (i, (path, record)) in all.iter().enumerate() {
                prop_assert_eq!(&index.get(i), record);
                prop_assert_eq!(index.path(i), path.as_slice());
            }
        }
    }

    #[test]
    fn an_ordinary_entry_takes_28_bytes() {
        assert_eq!(size_of::<Packed>(), 28);
        let ordinary = Record {
            header_offset: (1 << 40) - 1,
            compressed_size: u32::MAX.into(),
            declared_size: u32::MAX.into(),
            mtime: Mtime {
                seconds: u32::MAX.into(),
                nanoseconds: 0,
            },
            crc: u32::MAX,
            path_len: 1,
            permissions: 0o777,
            method: 255,
            kind: EntryKind::Symlink,
            encrypted: true,
        };
        let mut index = Records::default();
        index.push(b"x", ordinary.clone());
        assert!(index.odd.is_empty());
        assert_eq!(index.get(0), ordinary);
    }
}
