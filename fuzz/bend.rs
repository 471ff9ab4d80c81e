//! A mutator that knows zips: takes the archives of an input apart, bends one thing or a few, and puts them together
//! so that all the rest is honest, sums and lengths and places too.
//!
//! Every other time it leaves the bytes to libFuzzer, which bends what this does not think of.

use std::io::Write;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Decompress, FlushDecompress};
use libfuzzer_sys::fuzzer_mutate;

use crate::{BETWEEN, pieces};

/// Plain bytes of an entry at most: enough to be read by blocks.
const MOST_BYTES: usize = 600 << 10;
/// Lengths and values at which readers tend to trip.
const VALUES: [u32; 12] = [
    0,
    1,
    8,
    20,
    0x7fff,
    0xffff,
    0x1_0000,
    1 << 24,
    0x7fff_ffff,
    0xffff_fffe,
    u32::MAX,
    0x0404_4b50,
];
/// Kinds of files, odd permissions, no mode at all.
const MODES: [u32; 9] = [
    0o100_644, 0o100_755, 0o040_755, 0o120_777, 0o104_755, 0o020_644, 0o140_777, 0o010_000, 0,
];

/// What an input becomes, for `fuzz_mutator`.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Random(u64::from(seed));
    if random.below(2) == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let mut parts: Vec<Vec<u8>> = pieces(&data[..size]).into_iter().map(<[u8]>::to_vec).collect();
    let chosen = random.below(parts.len());
    let Some(mut zip) = Zip::of(&parts[chosen]) else {
        return fuzzer_mutate(data, size, max_size);
    };
    let lender = Zip::of(&parts[random.below(parts.len())]);
    for _ in 0..1 + random.below(3) {
        zip.bend(&mut random, lender.as_ref());
    }
    parts[chosen] = zip.bytes();
    if parts.len() < 5 && random.below(8) == 0 {
        // The layer once more, above or below.
        let again = parts[chosen].clone();
        parts.insert(random.below(parts.len() + 1), again);
    }
    let joined = parts.join(BETWEEN);
    if joined.len() > max_size {
        return fuzzer_mutate(data, size, max_size);
    }
    data[..joined.len()].copy_from_slice(&joined);
    joined.len()
}

/// Plain bytes changed and deflated again, for targets whose input is a stream.
pub fn deflate_again(stream: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut random = Random(u64::from(seed));
    let plain = changed(inflated(stream)?, &mut random);
    Some(deflated(&plain, &mut random))
}

struct Zip {
    before: Vec<u8>,
    members: Vec<Member>,
    comment: Vec<u8>,
    /// Bytes of the records that are written over in the end: record, field, width, value.
    bent: Vec<(Record, usize, usize, u32)>,
}

#[derive(Clone, Copy)]
enum Record {
    Local(usize),
    Central(usize),
    End,
}

#[derive(Clone)]
struct Member {
    local: [u8; 30],
    local_name: Vec<u8>,
    local_extra: Vec<u8>,
    data: Vec<u8>,
    descriptor: Vec<u8>,
    central: [u8; 46],
    name: Vec<u8>,
    extra: Vec<u8>,
    comment: Vec<u8>,
    /// Whose local header the directory names, where that is not its own.
    borrowed: Option<usize>,
}

impl Zip {
    fn of(bytes: &[u8]) -> Option<Zip> {
        let end = bytes.windows(4).rposition(|found| found == b"PK\x05\x06")?;
        let size = long(bytes, end + 12)? as usize;
        let mut at = end.checked_sub(size)?;
        // A stub before the archive may be counted or not.
        let shift = at.checked_sub(long(bytes, end + 16)? as usize)?;
        let mut zip = Zip {
            before: Vec::new(),
            members: Vec::new(),
            comment: bytes.get(end + 22..)?.to_vec(),
            bent: Vec::new(),
        };
        let mut first = at;
        while bytes.get(at..)?.starts_with(b"PK\x01\x02") && zip.members.len() < 64 {
            let central: [u8; 46] = bytes.get(at..at + 46)?.try_into().ok()?;
            let mut rest = bytes.get(at + 46..)?;
            let mut of = |field| take_of(&mut rest, short(&central, field)?);
            let (name, extra, comment) = (of(28)?, of(30)?, of(32)?);
            at += 46 + name.len() + extra.len() + comment.len();
            let header = long(&central, 42)? as usize + shift;
            first = first.min(header);
            let local: [u8; 30] = bytes.get(header..header + 30)?.try_into().ok()?;
            let mut rest = bytes.get(header + 30..)?;
            let local_name = take_of(&mut rest, short(&local, 26)?)?;
            let local_extra = take_of(&mut rest, short(&local, 28)?)?;
            let data = take(&mut rest, long(&central, 20)? as usize)?;
            let described = local[6] & 8 != 0 && rest.starts_with(b"PK\x07\x08");
            let descriptor = if described {
                take(&mut rest, 16)?
            } else {
                Vec::new()
            };
            zip.members.push(Member {
                local,
                local_name,
                local_extra,
                data,
                descriptor,
                central,
                name,
                extra,
                comment,
                borrowed: None,
            });
        }
        zip.before = bytes.get(..first)?.to_vec();
        Some(zip)
    }

    fn bend(&mut self, random: &mut Random, lender: Option<&Zip>) {
        if self.members.is_empty() {
            self.members
                .extend(lender.and_then(|lender| lender.members.first().cloned()));
            return;
        }
        let chosen = random.below(self.members.len());
        let other = random.below(self.members.len());
        match random.below(16) {
            0 => self.bent.push((
                Record::Central(chosen),
                4 + 2 * random.below(21),
                2 + 2 * random.below(2),
                random.value(),
            )),
            1 => self.bent.push((
                Record::Local(chosen),
                4 + 2 * random.below(13),
                2 + 2 * random.below(2),
                random.value(),
            )),
            2 => self.bent.push((
                Record::End,
                4 + 2 * random.below(9),
                2 + 2 * random.below(2),
                random.value(),
            )),
            3 => {
                let again = self.members[chosen].clone();
                self.members.insert(other, again);
            }
            4 => drop(self.members.remove(chosen)),
            5 => self.members.swap(chosen, other),
            6 => self.members[chosen].borrowed = Some(other),
            7 => {
                let lent = lender.map_or(&self.members[..], |lender| &lender.members);
                if !lent.is_empty() {
                    let lent = lent[random.below(lent.len())].clone();
                    self.members.insert(chosen, lent);
                }
            }
            8 => self.comment = random.bytes(40),
            9 => self.before = random.bytes(20),
            10 | 11 => {
                let names: Vec<_> = self.members.iter().map(|member| member.name.clone()).collect();
                self.members[chosen].rename(random, &names);
            }
            12 => self.members[chosen].turn(random),
            13 => self.members[chosen].widen(random),
            _ => self.members[chosen].refill(random),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = self.before.clone();
        let mut places = Vec::new();
        for (number, member) in self.members.iter().enumerate() {
            places.push(out.len());
            let mut local = member.local;
            put_short(&mut local, 26, member.local_name.len());
            put_short(&mut local, 28, member.local_extra.len());
            self.bend_record(
                &mut local,
                |record| matches!(record, Record::Local(n) if n == number),
            );
            out.extend(
                [
                    &local[..],
                    &member.local_name,
                    &member.local_extra,
                    &member.data,
                    &member.descriptor,
                ]
                .concat(),
            );
        }
        let directory = out.len();
        for (number, member) in self.members.iter().enumerate() {
            let mut central = member.central;
            put_short(&mut central, 28, member.name.len());
            put_short(&mut central, 30, member.extra.len());
            put_short(&mut central, 32, member.comment.len());
            let place = member
                .borrowed
                .and_then(|other| places.get(other))
                .unwrap_or(&places[number]);
            put_long(&mut central, 42, *place as u32);
            self.bend_record(
                &mut central,
                |record| matches!(record, Record::Central(n) if n == number),
            );
            out.extend([&central[..], &member.name, &member.extra, &member.comment].concat());
        }
        let mut end = *b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        put_short(&mut end, 8, self.members.len());
        put_short(&mut end, 10, self.members.len());
        put_long(&mut end, 12, (out.len() - directory) as u32);
        put_long(&mut end, 16, directory as u32);
        put_short(&mut end, 20, self.comment.len());
        self.bend_record(&mut end, |record| matches!(record, Record::End));
        out.extend(end);
        out.extend(&self.comment);
        out
    }

    fn bend_record(&self, bytes: &mut [u8], is_meant: impl Fn(Record) -> bool) {
        for &(record, field, width, value) in &self.bent {
            if is_meant(record) && field + width <= bytes.len() {
                bytes[field..field + width].copy_from_slice(&value.to_le_bytes()[..width]);
            }
        }
    }
}

impl Member {
    /// To what another one is called, to a place below or above it, or to anything.
    fn rename(&mut self, random: &mut Random, names: &[Vec<u8>]) {
        let mut name = names[random.below(names.len())].clone();
        match random.below(8) {
            0 => {}
            1 => name.extend(b"/"),
            2 => name.extend(b"/below"),
            3 => name.truncate(name.iter().rposition(|&b| b == b'/').unwrap_or(name.len())),
            4 => name = [&[b"../", &b"./"[..], b"/", b"a//"][random.below(4)], &name[..]].concat(),
            5 => name = [&self.name[..], b"/", &name].concat(),
            6 => {
                // The name that counts stands in the field of Info-ZIP; its sum is of the name in the record.
                let field = [&[1][..], &crc32fast::hash(&self.name).to_le_bytes(), &name].concat();
                self.extra.extend([0x75, 0x70]);
                self.extra.extend((field.len() as u16).to_le_bytes());
                self.extra.extend(field);
                return;
            }
            _ => name = mutated(name, 300),
        }
        name.truncate(0xffff);
        if random.below(4) != 0 {
            self.local_name = name.clone();
        }
        self.name = name;
    }

    /// Into a link, a directory, a device; of another system; with times.
    fn turn(&mut self, random: &mut Random) {
        put_long(
            &mut self.central,
            38,
            MODES[random.below(MODES.len())] << 16 | random.below(64) as u32,
        );
        self.central[5] = [3, 3, 3, 0, 10, 19][random.below(6)];
        let extra: &[u8] = [
            &b""[..],
            b"UT\x05\0\x03\x01\x02\x03\x04",
            b"\x0a\0\x20\0\0\0\0\0\x01\0\x18\0\xff\xff\xff\xff\xff\xff\xff\x7f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"ux\x0b\0\x01\x04\0\0\0\0\x04\0\0\0\0",
        ][random.below(4)];
        self.extra.extend(extra);
    }

    /// Lengths in a Zip64 field, or in a descriptor behind the data.
    fn widen(&mut self, random: &mut Random) {
        let (sum, sizes) = (self.central[16..20].to_vec(), self.central[20..28].to_vec());
        if random.below(2) == 0 {
            self.local[6] |= 8;
            self.central[8] |= 8;
            self.descriptor = [&b"PK\x07\x08"[..], &sum, &sizes].concat();
            self.local[14..26].fill(0);
            return;
        }
        self.central[20..28].fill(0xff);
        self.extra.extend([1, 0, 16, 0]);
        self.extra
            .extend([&sizes[4..], &[0; 4], &sizes[..4], &[0; 4]].concat());
        self.extra.truncate(0xffff);
    }

    /// Other bytes, or the same ones packed in another way; sums and sizes are right again where they can be.
    fn refill(&mut self, random: &mut Random) {
        let plain = match short(&self.central, 10) {
            Some(0) => Some(self.data.clone()),
            Some(8) => inflated(&self.data),
            _ => None,
        };
        let (Some(plain), true) = (plain, random.below(4) != 0) else {
            // What lies behind a method that is not ours, or a stream bent by itself.
            self.data = mutated(std::mem::take(&mut self.data), 4096);
            let inflated = (self.central[10] == 8).then(|| inflated(&self.data)).flatten();
            let plain = inflated.unwrap_or_else(|| self.data.clone());
            return self.declare(&plain);
        };
        let plain = changed(plain, random);
        let method = if random.below(4) == 0 && plain.len() < 8192 {
            0
        } else {
            8
        };
        self.data = if method == 0 {
            plain.clone()
        } else {
            deflated(&plain, random)
        };
        put_short(&mut self.central, 10, method);
        put_short(&mut self.local, 8, method);
        self.declare(&plain);
    }

    fn declare(&mut self, plain: &[u8]) {
        for (record, field) in [(&mut self.central[..], 16), (&mut self.local[..], 14)] {
            put_long(record, field, crc32fast::hash(plain));
            put_long(record, field + 4, self.data.len() as u32);
            put_long(record, field + 8, plain.len() as u32);
        }
    }
}

fn changed(plain: Vec<u8>, random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 => plain,
        1 if !plain.is_empty() => {
            // Large enough for blocks, and quickly read.
            let copies = 1 + random.below(MOST_BYTES) / plain.len();
            let mut plain = plain.repeat(copies.min(1 << 16));
            plain.truncate(MOST_BYTES);
            plain
        }
        _ => mutated(plain, 8192),
    }
}

fn mutated(mut bytes: Vec<u8>, most: usize) -> Vec<u8> {
    let len = bytes.len();
    bytes.resize(len.max(most).min(len + most) + 1, 0);
    let room = bytes.len();
    let len = fuzzer_mutate(&mut bytes, len, room);
    bytes.truncate(len);
    bytes
}

fn deflated(plain: &[u8], random: &mut Random) -> Vec<u8> {
    let level = [0, 1, 1, 6, 9][random.below(5)];
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    let cut = random.below(plain.len() + 1);
    encoder.write_all(&plain[..cut]).expect("memory");
    if random.below(2) == 0 {
        // An empty block in between.
        encoder.flush().expect("memory");
    }
    encoder.write_all(&plain[cut..]).expect("memory");
    encoder.finish().expect("memory")
}

fn inflated(stream: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(MOST_BYTES);
    let status = Decompress::new(false).decompress_vec(stream, &mut out, FlushDecompress::Finish);
    matches!(status, Ok(flate2::Status::StreamEnd)).then_some(out)
}

fn take(rest: &mut &[u8], count: usize) -> Option<Vec<u8>> {
    let (taken, behind) = rest.split_at_checked(count)?;
    *rest = behind;
    Some(taken.to_vec())
}

fn take_of(rest: &mut &[u8], count: u16) -> Option<Vec<u8>> {
    take(rest, usize::from(count))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn put_short(bytes: &mut [u8], at: usize, value: usize) {
    bytes[at..at + 2].copy_from_slice(&(value as u16).to_le_bytes());
}

fn put_long(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// splitmix64: the same seed makes the same mutant.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % end as u64) as usize
    }

    fn value(&mut self) -> u32 {
        match self.below(3) {
            0 => self.below(1 << 32) as u32,
            1 => self.below(300) as u32,
            _ => VALUES[self.below(VALUES.len())],
        }
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let signature: &[u8] = [
            &b""[..],
            b"PK\x05\x06",
            b"PK\x06\x06",
            b"PK\x06\x07",
            b"PK\x03\x04",
        ][self.below(5)];
        let len = self.below(most);
        signature
            .iter()
            .copied()
            .chain((0..len).map(|_| self.below(256) as u8))
            .collect()
    }
}
