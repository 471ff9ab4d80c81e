//! A raw zip writer: it makes the archives that zip writers refuse to make.
//!
//! An entry starts honest: `file`, `dir` and `symlink` fill every field as a good writer would. The methods
//! that follow change the entry added last, in words; `bend_local`, `bend_central` and `bend_descriptor`
//! hand out its finished records, `bend_end`, `bend_zip64_end` and `bend_locator` those of the archive. The
//! comment on a method, or on a field of a record, says what it bends.
//!
//! ```ignore
//! let zip = RawZip::new().file("bin/a", b"x").mode(0o755).dir("d/").symlink("l", "bin/a").build();
//! ```

mod records;

use records::{CentralHeader, Descriptor, End, LocalHeader, Locator, Zip64End, push_extra};

/// A bend: a last change to a record that was honest until then.
type Bend<R> = Box<dyn Fn(&mut R)>;

/// How the data of an entry is packed.
enum Packing {
    Stored,
    Deflated,
    /// Bytes as they are to stand in the file, whatever they mean.
    Raw(Vec<u8>),
}

/// An entry before it becomes records.
struct Entry {
    name: Vec<u8>,
    content: Vec<u8>,
    packing: Packing,
    method: u16,
    flags: u16,
    host: u8,
    external_attributes: u32,
    dos_date: u16,
    dos_time: u16,
    local_extra: Vec<u8>,
    central_extra: Vec<u8>,
    comment: Vec<u8>,
    with_local: bool,
    with_central: bool,
    with_descriptor: bool,
    zip64: bool,
    bend_local: Vec<Bend<LocalHeader>>,
    bend_central: Vec<Bend<CentralHeader>>,
    bend_descriptor: Vec<Bend<Descriptor>>,
}

/// An archive under construction.
#[derive(Default)]
pub(crate) struct RawZip {
    entries: Vec<Entry>,
    prepended: Vec<u8>,
    prepended_counts: bool,
    comment: Vec<u8>,
    appended: Vec<u8>,
    zip64_end: bool,
    without_end: bool,
    bend_end: Vec<Bend<End>>,
    bend_zip64_end: Vec<Bend<Zip64End>>,
    bend_locator: Vec<Bend<Locator>>,
}

pub(crate) const HOST_FAT: u8 = 0;
pub(crate) const HOST_UNIX: u8 = 3;
pub(crate) const HOST_NTFS: u8 = 10;

const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;
const S_IFMT: u32 = 0o170_000;

/// The first of January 2020, what an entry says when nothing else is asked for.
const DOS_DATE_2020: u16 = (40 << 9) | (1 << 5) | 1;

impl RawZip {
    /// An archive without entries; built as it is, it is the smallest legal zip: 22 bytes.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a stored regular file of mode 0644, made on unix, with a DOS time only.
    pub(crate) fn file(self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.entry(name.as_ref(), content.as_ref(), S_IFREG | 0o644)
    }

    /// Adds a directory of mode 0755. The name stands as given: without a slash at its end only the mode
    /// says directory.
    pub(crate) fn dir(self, name: impl AsRef<[u8]>) -> Self {
        let mut zip = self.entry(name.as_ref(), b"", S_IFDIR | 0o755);
        zip.last().external_attributes |= 0x10;
        zip
    }

    /// Adds a symlink of mode 0777 whose data is its target.
    pub(crate) fn symlink(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.entry(name.as_ref(), target.as_ref(), S_IFLNK | 0o777)
    }

    /// Bends the permission bits (and setuid, setgid, sticky); the kind stays.
    pub(crate) fn mode(mut self, permissions: u32) -> Self {
        let kind = (self.last().external_attributes >> 16) & S_IFMT;
        self.unix_mode(kind | permissions)
    }

    /// Bends the whole unix mode, kind included: 0 is a writer that knows no modes, 0o755 one that forgets
    /// the kind.
    pub(crate) fn unix_mode(mut self, mode: u32) -> Self {
        let entry = self.last();
        entry.external_attributes = (entry.external_attributes & 0xffff) | (mode << 16);
        self
    }

    /// Bends all external attributes: the unix mode in the upper half, the DOS attributes in the lowest byte.
    pub(crate) fn external_attributes(mut self, attributes: u32) -> Self {
        self.last().external_attributes = attributes;
        self
    }

    /// Bends who made the entry: `HOST_FAT`, `HOST_UNIX`, `HOST_NTFS` or any other number.
    pub(crate) fn host(mut self, host: u8) -> Self {
        self.last().host = host;
        self
    }

    /// Bends the general purpose flags of both headers (added to those the entry has).
    pub(crate) fn flags(mut self, flags: u16) -> Self {
        self.last().flags |= flags;
        self
    }

    /// Says that the name is UTF-8 (flag bit 11), whatever bytes it has.
    pub(crate) fn utf8_flag(self) -> Self {
        self.flags(1 << 11)
    }

    /// Bends the time of modification: a UT field (0x5455) in both headers; the DOS time stays what it was.
    pub(crate) fn mtime(self, seconds: i32) -> Self {
        let mut field = vec![1];
        field.extend(seconds.to_le_bytes());
        self.extra(0x5455, &field)
    }

    /// Bends the time of modification: an NTFS field (0x000a) in both headers, in 100 ns since 1601.
    pub(crate) fn ntfs_mtime(self, ticks: u64) -> Self {
        let mut field = vec![0; 4];
        field.extend(1u16.to_le_bytes());
        field.extend(24u16.to_le_bytes());
        for time in [ticks, 1, 2] {
            field.extend(time.to_le_bytes());
        }
        self.extra(0x000a, &field)
    }

    /// Bends the DOS date and time of both headers.
    pub(crate) fn dos(mut self, date: u16, time: u16) -> Self {
        let entry = self.last();
        (entry.dos_date, entry.dos_time) = (date, time);
        self
    }

    /// Gives the entry another name by Info-ZIP's Unicode path field (0x7075), with the sum of its true name.
    pub(crate) fn unicode_path(mut self, name: &str) -> Self {
        let sum = crc32fast::hash(&self.last().name);
        self.unicode_path_with_sum(name, sum)
    }

    /// The same with any sum: one that does not fit means that the name was changed after the field was
    /// written.
    pub(crate) fn unicode_path_with_sum(self, name: &str, sum: u32) -> Self {
        let mut field = vec![1];
        field.extend(sum.to_le_bytes());
        field.extend(name.as_bytes());
        self.extra(0x7075, &field)
    }

    /// Names an owner by Info-ZIP's ux field (0x7875).
    pub(crate) fn owner(self, uid: u32, gid: u32) -> Self {
        let mut field = vec![1, 4];
        field.extend(uid.to_le_bytes());
        field.push(4);
        field.extend(gid.to_le_bytes());
        self.extra(0x7875, &field)
    }

    /// Adds an extra field to both headers.
    pub(crate) fn extra(mut self, id: u16, field: &[u8]) -> Self {
        let entry = self.last();
        push_extra(&mut entry.local_extra, id, field);
        push_extra(&mut entry.central_extra, id, field);
        self
    }

    /// Gives the entry a comment in the central directory.
    pub(crate) fn entry_comment(mut self, comment: impl AsRef<[u8]>) -> Self {
        self.last().comment = comment.as_ref().to_vec();
        self
    }

    /// Deflates the data.
    pub(crate) fn deflate(mut self) -> Self {
        let entry = self.last();
        (entry.packing, entry.method) = (Packing::Deflated, 8);
        self
    }

    /// Bends the method of both headers; the data stays as it is packed.
    pub(crate) fn method(mut self, method: u16) -> Self {
        self.last().method = method;
        self
    }

    /// Bends the packed data: these bytes stand in the file, the sum and size stay those of the content.
    pub(crate) fn raw_data(mut self, method: u16, packed: impl AsRef<[u8]>) -> Self {
        let entry = self.last();
        (entry.packing, entry.method) = (Packing::Raw(packed.as_ref().to_vec()), method);
        self
    }

    /// Bends the sum of both headers.
    pub(crate) fn crc(self, crc: u32) -> Self {
        self.bend_local(move |header| header.crc = crc)
            .bend_central(move |header| header.crc = crc)
    }

    /// Bends the size of the file in both headers; the data stays as long as it is.
    pub(crate) fn declared_size(self, size: u32) -> Self {
        self.bend_local(move |header| header.uncompressed_size = size)
            .bend_central(move |header| header.uncompressed_size = size)
    }

    /// Writes sizes (and the sum) after the data, in a descriptor with signature; the local header has zeros.
    pub(crate) fn descriptor(mut self) -> Self {
        let entry = self.last();
        (entry.with_descriptor, entry.flags) = (true, entry.flags | 1 << 3);
        self
    }

    /// Moves sizes and offset of the entry into Zip64 fields (0x0001), though they would fit.
    pub(crate) fn zip64(mut self) -> Self {
        self.last().zip64 = true;
        self
    }

    /// Leaves local header and data away: the central header stands alone, its offset is that of what comes
    /// next.
    pub(crate) fn without_local(mut self) -> Self {
        self.last().with_local = false;
        self
    }

    /// Leaves the central header away: the entry is only seen by who reads from the front.
    pub(crate) fn without_central(mut self) -> Self {
        self.last().with_central = false;
        self
    }

    /// Bends any field of the local header.
    pub(crate) fn bend_local(mut self, bend: impl Fn(&mut LocalHeader) + 'static) -> Self {
        self.last().bend_local.push(Box::new(bend));
        self
    }

    /// Bends any field of the central header.
    pub(crate) fn bend_central(mut self, bend: impl Fn(&mut CentralHeader) + 'static) -> Self {
        self.last().bend_central.push(Box::new(bend));
        self
    }

    /// Bends any field of the data descriptor.
    pub(crate) fn bend_descriptor(mut self, bend: impl Fn(&mut Descriptor) + 'static) -> Self {
        self.last().bend_descriptor.push(Box::new(bend));
        self
    }

    /// Puts bytes before the archive, and counts them in every offset, as `zip -A` leaves a self-extractor.
    pub(crate) fn prepend(mut self, bytes: impl AsRef<[u8]>) -> Self {
        (self.prepended, self.prepended_counts) = (bytes.as_ref().to_vec(), true);
        self
    }

    /// Puts bytes before the archive without telling it, as `cat stub archive` does: every offset is too
    /// small.
    pub(crate) fn prepend_unnoticed(mut self, bytes: impl AsRef<[u8]>) -> Self {
        (self.prepended, self.prepended_counts) = (bytes.as_ref().to_vec(), false);
        self
    }

    /// Gives the archive a comment.
    pub(crate) fn comment(mut self, comment: impl AsRef<[u8]>) -> Self {
        self.comment = comment.as_ref().to_vec();
        self
    }

    /// Puts bytes after the archive that no comment length counts.
    pub(crate) fn append(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.appended = bytes.as_ref().to_vec();
        self
    }

    /// Writes the Zip64 end and its locator, though the numbers would fit. More than 65,535 entries do so
    /// by themselves.
    pub(crate) fn zip64_end(mut self) -> Self {
        self.zip64_end = true;
        self
    }

    /// Leaves everything after the central directory away, as a download that broke off.
    pub(crate) fn without_end(mut self) -> Self {
        self.without_end = true;
        self
    }

    /// Bends any field of the end of central directory.
    pub(crate) fn bend_end(mut self, bend: impl Fn(&mut End) + 'static) -> Self {
        self.bend_end.push(Box::new(bend));
        self
    }

    /// Bends any field of the Zip64 end of central directory (and has one written).
    pub(crate) fn bend_zip64_end(mut self, bend: impl Fn(&mut Zip64End) + 'static) -> Self {
        self.zip64_end = true;
        self.bend_zip64_end.push(Box::new(bend));
        self
    }

    /// Bends any field of the Zip64 locator (and has one written).
    pub(crate) fn bend_locator(mut self, bend: impl Fn(&mut Locator) + 'static) -> Self {
        self.zip64_end = true;
        self.bend_locator.push(Box::new(bend));
        self
    }

    /// Writes the archive.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut out = self.prepended.clone();
        let uncounted = if self.prepended_counts {
            0
        } else {
            self.prepended.len()
        };
        let mut directory = Vec::new();
        let mut entries = 0u64;
        for entry in &self.entries {
            let offset = out.len() - uncounted;
            let packed = entry.packed();
            if entry.with_local {
                entry.local_header(&packed).write(&mut out);
                out.extend(&packed);
                if entry.with_descriptor {
                    entry.descriptor(&packed).write(&mut out);
                }
            }
            if entry.with_central {
                entry.central_header(&packed, offset as u32).write(&mut directory);
                entries += 1;
            }
        }
        let directory_offset = (out.len() - uncounted) as u64;
        out.extend(&directory);
        if !self.without_end {
            self.write_end(
                &mut out,
                uncounted,
                entries,
                directory_offset,
                directory.len() as u64,
            );
        }
        out.extend(&self.appended);
        out
    }

    fn write_end(&self, out: &mut Vec<u8>, uncounted: usize, entries: u64, offset: u64, size: u64) {
        let zip64 = self.zip64_end || entries > 0xffff;
        if zip64 {
            let mut end = Zip64End {
                signature: 0x0606_4b50,
                record_size: 44,
                disk: 0,
                directory_disk: 0,
                entries_on_disk: entries,
                entries,
                directory_size: size,
                directory_offset: offset,
            };
            let mut locator = Locator {
                signature: 0x0706_4b50,
                disk: 0,
                end_offset: (out.len() - uncounted) as u64,
                disks: 1,
            };
            bend_all(&self.bend_zip64_end, &mut end);
            bend_all(&self.bend_locator, &mut locator);
            end.write(out);
            locator.write(out);
        }
        let mut end = End {
            signature: 0x0605_4b50,
            disk: 0,
            directory_disk: 0,
            entries_on_disk: if zip64 { u16::MAX } else { entries as u16 },
            entries: if zip64 { u16::MAX } else { entries as u16 },
            directory_size: if zip64 { u32::MAX } else { size as u32 },
            directory_offset: if zip64 { u32::MAX } else { offset as u32 },
            comment_len: None,
        };
        bend_all(&self.bend_end, &mut end);
        end.write(out, &self.comment);
    }

    fn entry(mut self, name: &[u8], content: &[u8], unix_mode: u32) -> Self {
        self.entries.push(Entry {
            name: name.to_vec(),
            content: content.to_vec(),
            packing: Packing::Stored,
            method: 0,
            flags: 0,
            host: HOST_UNIX,
            external_attributes: unix_mode << 16,
            dos_date: DOS_DATE_2020,
            dos_time: 0,
            local_extra: Vec::new(),
            central_extra: Vec::new(),
            comment: Vec::new(),
            with_local: true,
            with_central: true,
            with_descriptor: false,
            zip64: false,
            bend_local: Vec::new(),
            bend_central: Vec::new(),
            bend_descriptor: Vec::new(),
        });
        self
    }

    fn last(&mut self) -> &mut Entry {
        self.entries
            .last_mut()
            .expect("an entry comes before what changes it")
    }
}

impl Entry {
    fn packed(&self) -> Vec<u8> {
        match &self.packing {
            Packing::Stored => self.content.clone(),
            Packing::Deflated => deflated(&self.content),
            Packing::Raw(bytes) => bytes.clone(),
        }
    }

    fn version_needed(&self) -> u16 {
        if self.zip64 { 45 } else { 20 }
    }

    fn local_header(&self, packed: &[u8]) -> LocalHeader {
        let crc = crc32fast::hash(&self.content);
        let mut extra = Vec::new();
        if self.zip64 {
            let sizes = if self.with_descriptor {
                [0, 0]
            } else {
                [self.content.len(), packed.len()]
            };
            push_extra(
                &mut extra,
                0x0001,
                &sizes.map(|size| (size as u64).to_le_bytes()).concat(),
            );
        }
        extra.extend(&self.local_extra);
        let size = |size: usize| match (self.zip64, self.with_descriptor) {
            (true, _) => u32::MAX,
            (false, true) => 0,
            (false, false) => size as u32,
        };
        let mut header = LocalHeader {
            signature: 0x0403_4b50,
            version_needed: self.version_needed(),
            flags: self.flags,
            method: self.method,
            dos_time: self.dos_time,
            dos_date: self.dos_date,
            crc: if self.with_descriptor { 0 } else { crc },
            compressed_size: size(packed.len()),
            uncompressed_size: size(self.content.len()),
            name: self.name.clone(),
            name_len: None,
            extra,
            extra_len: None,
        };
        bend_all(&self.bend_local, &mut header);
        header
    }

    fn descriptor(&self, packed: &[u8]) -> Descriptor {
        let mut descriptor = Descriptor {
            with_signature: true,
            crc: crc32fast::hash(&self.content),
            compressed_size: packed.len() as u64,
            uncompressed_size: self.content.len() as u64,
            wide: self.zip64,
        };
        bend_all(&self.bend_descriptor, &mut descriptor);
        descriptor
    }

    fn central_header(&self, packed: &[u8], local_offset: u32) -> CentralHeader {
        let mut extra = Vec::new();
        if self.zip64 {
            let numbers = [
                self.content.len() as u64,
                packed.len() as u64,
                u64::from(local_offset),
            ];
            push_extra(&mut extra, 0x0001, &numbers.map(u64::to_le_bytes).concat());
        }
        extra.extend(&self.central_extra);
        let number = |number: u32| if self.zip64 { u32::MAX } else { number };
        let mut header = CentralHeader {
            signature: 0x0201_4b50,
            made_by_version: 30,
            made_by_host: self.host,
            version_needed: self.version_needed(),
            flags: self.flags,
            method: self.method,
            dos_time: self.dos_time,
            dos_date: self.dos_date,
            crc: crc32fast::hash(&self.content),
            compressed_size: number(packed.len() as u32),
            uncompressed_size: number(self.content.len() as u32),
            name: self.name.clone(),
            name_len: None,
            extra,
            extra_len: None,
            comment: self.comment.clone(),
            comment_len: None,
            disk: 0,
            internal_attributes: 0,
            external_attributes: self.external_attributes,
            local_offset: number(local_offset),
        };
        bend_all(&self.bend_central, &mut header);
        header
    }
}

/// Deflates bytes as `deflate` does, for who needs the packed bytes to break them.
pub(crate) fn deflated(content: &[u8]) -> Vec<u8> {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
    let mut packed = vec![0; compressor.deflate_compress_bound(content.len())];
    let len = compressor
        .deflate_compress(content, &mut packed)
        .expect("the bound leaves room");
    packed.truncate(len);
    packed
}

fn bend_all<R>(bends: &[Bend<R>], record: &mut R) {
    for bend in bends {
        bend(record);
    }
}

mod tests {
    use std::io::{Cursor, Read};

    use super::RawZip;

    #[test]
    fn an_unbent_archive_reads_well_by_another_reader() {
        let bytes = RawZip::new()
            .file("bin/a", b"stored")
            .mode(0o755)
            .mtime(1_500_000_000)
            .dir("d/")
            .symlink("l", "bin/a")
            .file("deflated", "deflated ".repeat(50))
            .deflate()
            .entry_comment("a comment")
            .file("streamed", "streamed ".repeat(50))
            .deflate()
            .descriptor()
            .file("wide", b"wide")
            .zip64()
            .owner(1, 2)
            .ntfs_mtime(132_000_000_000_000_000)
            .comment("the archive's")
            .zip64_end()
            .prepend("#!/bin/sh\n")
            .build();
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("an honest archive");
        let mut read = |name: &str| {
            let mut entry = archive.by_name(name).expect("an entry of that name");
            let mut content = String::new();
            entry.read_to_string(&mut content).expect("honest data");
            (entry.unix_mode().expect("a unix entry"), content)
        };
        assert_eq!(read("bin/a"), (0o100_755, "stored".into()));
        assert_eq!(read("d/"), (0o040_755, "".into()));
        assert_eq!(read("l"), (0o120_777, "bin/a".into()));
        assert_eq!(read("deflated"), (0o100_644, "deflated ".repeat(50)));
        assert_eq!(read("streamed"), (0o100_644, "streamed ".repeat(50)));
        assert_eq!(read("wide"), (0o100_644, "wide".into()));
        assert_eq!(archive.len(), 6);
        assert_eq!(archive.comment(), b"the archive's");
    }
}
