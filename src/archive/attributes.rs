//! Kind, permission bits and time of an entry, from what its central header says.

use rawzip::ZipFileHeaderRecord;
use rawzip::extra_fields::{ExtraFieldId, ExtraFields};

use super::EntryKind;

/// UT, the extended timestamp (Info-ZIP, proginfo/extrafld.txt).
const EXTENDED_TIMESTAMP: ExtraFieldId = ExtraFieldId::new(0x5455);
/// NTFS times (APPNOTE 4.5.5).
const NTFS: ExtraFieldId = ExtraFieldId::new(0x000a);

/// Seconds from 1601, where NTFS counts from, to 1970.
const NTFS_EPOCH_SECONDS: i64 = 11_644_473_600;

/// The DOS epoch, 1980-01-01T00:00:00Z: what an empty or impossible DOS date becomes.
const DOS_EPOCH_SECONDS: i64 = 315_532_800;

const S_IFMT: u32 = 0o170_000;
const S_IFLNK: u32 = 0o120_000;

/// A moment: seconds since 1970, negative before, and nanoseconds below one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mtime {
    /// Whole seconds since the Unix epoch.
    pub seconds: i64,
    /// The rest, below 1,000,000,000.
    pub nanoseconds: u32,
}

/// Creators whose upper sixteen attribute bits are a Unix mode (APPNOTE 4.4.2.2: 3 Unix, 19 OS X).
fn has_unix_mode(host: u8) -> bool {
    matches!(host, 3 | 19)
}

/// The whole Unix mode, kind and setuid bits included; none from a creator that knows no modes.
pub(super) fn unix_mode(record: &ZipFileHeaderRecord<'_>) -> Option<u32> {
    let host = record.version_made_by().creator_system().as_u8();
    has_unix_mode(host).then(|| record.external_attributes() >> 16)
}

/// What the central header says of kind and permission.
///
/// Semantics decision: (5) modes come from the unix attributes; mode 0 or a non-unix creator means
/// 0644 for files, 0755 for directories. setuid, setgid and sticky are stripped; an entry marked
/// device, FIFO or socket is a plain file with its data, as unzip leaves it. A name that ends in a
/// slash is a directory whatever its mode says, and no other is: so extraction tools decide.
pub(super) fn kind_and_permissions(record: &ZipFileHeaderRecord<'_>) -> (EntryKind, u16) {
    let unix = unix_mode(record).unwrap_or(0);
    let kind = if record.file_path().as_ref().ends_with(b"/") {
        EntryKind::Directory
    } else if unix & S_IFMT == S_IFLNK {
        EntryKind::Symlink
    } else {
        EntryKind::File
    };
    let permissions = match (kind, unix) {
        (EntryKind::Symlink, _) => 0o777,
        (EntryKind::Directory, 0) => 0o755,
        (EntryKind::File, 0) => 0o644,
        (_, mode) => (mode & 0o777) as u16,
    };
    (kind, permissions)
}

/// When the entry was modified.
///
/// Semantics decision: (5) the UT extra field, else NTFS, else the DOS time read as UTC.
pub(super) fn mtime(record: &ZipFileHeaderRecord<'_>) -> Mtime {
    let mut ntfs = None;
    for (id, data) in record.extra_fields() {
        if id == EXTENDED_TIMESTAMP {
            if let Some(time) = extended_timestamp(data) {
                return time;
            }
        } else if id == NTFS {
            ntfs = ntfs.or_else(|| ntfs_time(data));
        }
    }
    ntfs.unwrap_or_else(|| dos_time(record))
}

/// Flags, then the modification time in signed seconds when bit 0 is set.
fn extended_timestamp(data: &[u8]) -> Option<Mtime> {
    let (&flags, rest) = data.split_first()?;
    let seconds = i32::from_le_bytes(*rest.first_chunk::<4>()?);
    (flags & 1 == 1).then_some(Mtime {
        seconds: i64::from(seconds),
        nanoseconds: 0,
    })
}

/// Four reserved bytes, then attributes in the shape of extra fields; number 1 begins with the
/// modification time in units of 100 ns.
fn ntfs_time(data: &[u8]) -> Option<Mtime> {
    let attributes = ExtraFields::new(data.get(4..)?);
    let (_, times) = attributes.into_iter().find(|(id, _)| id.as_u16() == 1)?;
    let ticks = u64::from_le_bytes(*times.first_chunk::<8>()?);
    let seconds = (ticks / 10_000_000) as i64 - NTFS_EPOCH_SECONDS;
    Some(Mtime {
        seconds,
        nanoseconds: (ticks % 10_000_000) as u32 * 100,
    })
}

fn dos_time(record: &ZipFileHeaderRecord<'_>) -> Mtime {
    let dos = record.last_modified_dos();
    let (date, time) = (dos.packed_date(), dos.packed_time());
    let (year, month, day) = (
        1980 + i64::from(date >> 9),
        i64::from(date >> 5 & 15),
        i64::from(date & 31),
    );
    let (hour, minute, second) = (
        i64::from(time >> 11),
        i64::from(time >> 5 & 63),
        i64::from(time & 31) * 2,
    );
    let possible = (1..=12).contains(&month) && day >= 1 && hour < 24 && minute < 60 && second < 60;
    let seconds = if possible {
        days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second
    } else {
        DOS_EPOCH_SECONDS
    };
    Mtime {
        seconds,
        nanoseconds: 0,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, for years that DOS can write (1980 to 2107). The
/// year is counted from March, so that the leap day comes last; the 31st of a short month runs into
/// the next one, as `mktime` has it.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = y / 4 - y / 100 + y / 400;
    365 * y + leap_days + (153 * m + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(days_since_1970(1980, 1, 1) * 86_400, DOS_EPOCH_SECONDS);
        assert_eq!(days_since_1970(2000, 2, 29), 11_016);
        assert_eq!(days_since_1970(2026, 11, 20), 20_777);
        assert_eq!(days_since_1970(2107, 12, 31), 50_402);
    }

    #[test]
    fn a_timestamp_field_without_a_modification_time_says_nothing() {
        assert_eq!(extended_timestamp(&[2, 1, 0, 0, 0]), None);
        assert_eq!(extended_timestamp(&[1, 1, 0]), None);
        assert_eq!(extended_timestamp(&[]), None);
        assert_eq!(
            extended_timestamp(&[1, 0xff, 0xff, 0xff, 0xff]).unwrap().seconds,
            -1
        );
    }
}
