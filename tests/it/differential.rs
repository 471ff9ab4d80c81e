//! What optfs serves, judged by Info-ZIP, Python's zipfile and libarchive: the bytes of an entry are what one of them
//! gives for it, or there is an error. The zoo, and a real layer, as AWS packs it and otherwise, with bytes changed from a
//! printed seed.
//!
//! `OPTFS_MUTANTS=20000` makes it long, `OPTFS_SEED` repeats a run, `OPTFS_ZOO=DIR` writes the zoo for the fuzzer.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read as _, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use optfs::archive::Archive;
use optfs::fs::Kind;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::real_layers::layers;
use crate::support::raw_zip::RawZip;
use crate::support::seen::{attributes, mounted_with_cache, read_range};
use crate::support::zoo::zoo;

/// Mutants of a run that nobody asked to be longer, of the layer as AWS packs it and of each other packing.
const FEW_MUTANTS: u64 = 300;
const FEW_OF_A_PACKING: u64 = 60;
/// Entries of the real layer that are mutated: a few make many mutants a second.
const ENTRIES: usize = 24;

/// What optfs alone reads of the zoo: the others take the end record in the comment for the archive's.
const ALONE: [&str; 2] = ["end inside the comment: f", "end inside the comment: g"];

/// Names the files of a list, what they hold as zipfile reads them, and which size and CRC their directory declares: a
/// line for each, bytes as hexadecimal digits.
const ZIPFILE: &str = r#"
import sys, zipfile
for line in sys.stdin:
    path = line.rstrip('\n')
    print('archive', flush=False)
    try:
        archive = zipfile.ZipFile(path)
        infos = archive.infolist()
    except Exception:
        continue
    for info in infos:
        # As it lies in the archive, and as its charset says.
        raw = info.orig_filename.encode('utf-8' if info.flag_bits & 0x800 else 'cp437', 'replace')
        try:
            content = archive.read(info).hex() or '-'
        except Exception:
            content = '!'
        for name in {raw, info.orig_filename.encode('utf-8', 'replace')}:
            print(name.hex() or '-', content, info.file_size, info.CRC)
"#;

/// What optfs serves of an archive: its files, each with its bytes or none.
type Served = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// An entry as zipfile reads it.
struct Read {
    content: Option<Vec<u8>>,
    size: u64,
    crc: u32,
}

impl Read {
    /// Whether these are the bytes that the directory declares, whoever can unpack them.
    fn declares(&self, content: &[u8]) -> bool {
        self.size == content.len() as u64 && self.crc == crc32fast::hash(content)
    }
}

#[derive(Debug, Default)]
struct Count {
    archives: usize,
    refused: usize,
    served: usize,
    errors: usize,
    by_zipfile: usize,
    by_unzip: usize,
    by_bsdtar: usize,
    /// What none of the three gives rightly, and has the declared size and CRC.
    by_sum: usize,
    /// What none of the three gives anything for, by archive and entry.
    alone: Vec<String>,
}

#[test]
fn the_zoo_is_served_as_others_read_it_or_not_at_all() {
    let zoo = zoo();
    if let Ok(directory) = std::env::var("OPTFS_ZOO") {
        // The fuzzer knows no writer of most kinds.
        let few = contents(&excerpt(&real_layer(), 12));
        for (name, bytes) in zoo.iter().chain(&packings(&few)) {
            fs::write(Path::new(&directory).join(name.replace(' ', "-")), bytes).unwrap();
        }
    }
    let count = judge(
        zoo.into_iter()
            .map(|(name, bytes)| (name.to_owned(), bytes))
            .collect(),
    );
    eprintln!("{count:?}");
    assert!(count.served > 60 && count.errors > 9, "{count:?}");
    assert_eq!(count.alone, ALONE);
}

#[test]
fn a_real_layer_with_changed_bytes_is_served_as_others_read_it_or_not_at_all() {
    judge_mutants(&excerpt(&real_layer(), ENTRIES), FEW_MUTANTS);
}

#[test]
fn a_layer_of_another_packing_with_changed_bytes_is_served_as_others_read_it_or_not_at_all() {
    let files = contents(&excerpt(&real_layer(), ENTRIES));
    for (packing, whole) in packings(&files) {
        eprint!("{packing}: ");
        judge_mutants(&whole, FEW_OF_A_PACKING);
    }
}

fn real_layer() -> Vec<u8> {
    fs::read(&layers(&["proxy-agent-v5"])[0]).unwrap()
}

fn judge_mutants(whole: &[u8], few: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = number("OPTFS_SEED").unwrap_or(now.as_nanos() as u64);
    let mutants = number("OPTFS_MUTANTS").unwrap_or(few);
    println!("OPTFS_SEED={seed} OPTFS_MUTANTS={mutants}");
    let mut random = Random(seed);
    let mut sum = Count::default();
    for batch in (0..mutants).collect::<Vec<_>>().chunks(100) {
        let made = batch.iter().map(|number| {
            let (what, bytes) = mutant(whole, &mut random);
            (format!("seed {seed}, mutant {number}, {what}"), bytes)
        });
        let count = judge(made.collect());
        sum.archives += count.archives;
        sum.refused += count.refused;
        sum.served += count.served;
        sum.errors += count.errors;
        sum.by_zipfile += count.by_zipfile;
        sum.by_unzip += count.by_unzip;
        sum.by_bsdtar += count.by_bsdtar;
        sum.by_sum += count.by_sum;
        sum.alone.extend(count.alone);
    }
    // Nobody else gives other bytes, that is certain by now. What nobody else gives at all is mostly of archives that the
    // others refuse whole, such as for a directory that says it is longer than the file.
    let alone = std::mem::take(&mut sum.alone).len();
    eprintln!("{sum:?}, {alone} alone");
    assert!(sum.served > 0 && alone * 10 <= sum.served);
}

/// Compares archives with all three, and fails for the first that holds what none of them gives.
fn judge(archives: Vec<(String, Vec<u8>)>) -> Count {
    let scratch = TempDir::new().unwrap();
    let path = |number: usize| scratch.path().join(format!("{number}.zip"));
    for (number, (_, bytes)) in archives.iter().enumerate() {
        fs::write(path(number), bytes).unwrap();
    }
    let list: String = (0..archives.len())
        .map(|number| format!("{}\n", path(number).display()))
        .collect();
    let read = zipfile(&list);
    assert_eq!(read.len(), archives.len());
    let mut count = Count {
        archives: archives.len(),
        ..Count::default()
    };
    for (number, ((what, bytes), read)) in archives.iter().zip(read).enumerate() {
        let Some(served) = served(&path(number), bytes) else {
            count.refused += 1;
            continue;
        };
        let mut unzip = Extracted::by_unzip(&path(number));
        let mut bsdtar = Extracted::by_bsdtar(&path(number));
        for (name, content) in served {
            let Some(content) = content else {
                count.errors += 1;
                continue;
            };
            count.served += 1;
            let read = read.get(&name);
            if read.and_then(|read| read.content.as_ref()) == Some(&content) {
                count.by_zipfile += 1;
                continue;
            }
            let others = [unzip.file(&name), bsdtar.file(&name)];
            match others.iter().position(|other| other.as_ref() == Some(&content)) {
                Some(0) => count.by_unzip += 1,
                Some(_) => count.by_bsdtar += 1,
                // The judges have faults of their own: unzip gives an entry without a name for the one before, bsdtar
                // zeros for a socket of zstd.
                None if read.is_some_and(|read| read.declares(&content)) => count.by_sum += 1,
                None if others.iter().all(Option::is_none)
                    && read.is_none_or(|read| read.content.is_none()) =>
                {
                    count.alone.push(format!("{what}: {}", name.escape_ascii()));
                }
                None => {
                    let kept = std::env::temp_dir().join("optfs-differs.zip");
                    fs::write(&kept, bytes).unwrap();
                    panic!(
                        "{what}: {}: {} bytes, and others give other ones; see {}",
                        name.escape_ascii(),
                        content.len(),
                        kept.display()
                    );
                }
            }
        }
    }
    count
}

fn served(path: &Path, bytes: &[u8]) -> Option<Served> {
    Archive::open(path).ok()?;
    // Without room in the cache: whatever is served was read.
    let fs = mounted_with_cache(&[bytes.to_vec()], 0);
    let files = attributes(&fs)
        .into_iter()
        .filter(|(_, attr)| attr.kind == Kind::File);
    Some(
        files
            .map(|(path, attr)| (path, read_range(&fs, attr.ino, 0, usize::MAX).ok()))
            .collect(),
    )
}

/// By archive: the last entry of each name, folded as optfs folds names.
fn zipfile(list: &str) -> Vec<BTreeMap<Vec<u8>, Read>> {
    let mut python = Command::new("python3")
        .args(["-c", ZIPFILE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(list.as_bytes()).unwrap();
    drop(stdin);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    let mut archives = Vec::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let [name, content, size, crc] = line.split(' ').collect::<Vec<_>>()[..] else {
            archives.push(BTreeMap::new());
            continue;
        };
        let read = Read {
            content: (content != "!").then(|| unhex(content)),
            size: size.parse().unwrap(),
            crc: crc.parse().unwrap(),
        };
        archives.last_mut().unwrap().insert(folded(&unhex(name)), read);
    }
    archives
}

fn unhex(digits: &str) -> Vec<u8> {
    let bytes = digits.as_bytes().chunks_exact(2);
    bytes
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn folded(name: &[u8]) -> Vec<u8> {
    let parts: Vec<_> = name
        .split(|&b| b == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .collect();
    parts.join(&b'/')
}

/// What a tool extracts of an archive, once somebody asks for a file of it.
struct Extracted {
    tool: Command,
    directory: TempDir,
    done: bool,
}

impl Extracted {
    fn by_unzip(archive: &Path) -> Self {
        let directory = TempDir::new().unwrap();
        let mut tool = Command::new("unzip");
        // Control characters stay in names.
        tool.args(["-o", "-q", "-^"])
            .arg(archive)
            .arg("-d")
            .arg(directory.path());
        Self::by(tool, directory)
    }

    fn by_bsdtar(archive: &Path) -> Self {
        let directory = TempDir::new().unwrap();
        let mut tool = Command::new("bsdtar");
        tool.arg("-xf").arg(archive).arg("-C").arg(directory.path());
        Self::by(tool, directory)
    }

    fn by(mut tool: Command, directory: TempDir) -> Self {
        tool.stdin(Stdio::null()).env("LC_ALL", "C.UTF-8");
        let done = false;
        Self {
            tool,
            directory,
            done,
        }
    }

    /// What the tool left under a name, whatever it said of it.
    fn file(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        use std::os::unix::ffi::OsStrExt;
        if !self.done {
            let tool = &mut self.tool;
            tool.output()
                .unwrap_or_else(|error| panic!("{tool:?}: {error}; scripts/setup installs it"));
            self.done = true;
        }
        fs::read(self.directory.path().join(std::ffi::OsStr::from_bytes(name))).ok()
    }
}

/// What an archive holds: names, modes and contents of its files.
fn contents(whole: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(whole)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index(index).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (
                entry.name().unwrap().into_owned(),
                entry.unix_mode().unwrap(),
                content,
            )
        })
        .collect()
}

/// The same files in archives of each other kind that somebody writes.
fn packings(files: &[(String, u32, Vec<u8>)]) -> Vec<(&'static str, Vec<u8>)> {
    let raw = |packed: fn(RawZip) -> RawZip| {
        files.iter().fold(RawZip::new(), |zip, (name, mode, content)| {
            packed(zip.file(name, content).unix_mode(*mode).deflate())
        })
    };
    let written = |method: CompressionMethod| {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, mode, content) in files {
            let options = SimpleFileOptions::default().compression_method(method);
            zip.start_file(name, options.unix_permissions(*mode)).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    vec![
        ("zip64", raw(|zip| zip.zip64()).zip64_end().build()),
        ("descriptors", raw(|zip| zip.descriptor()).build()),
        (
            "bare descriptors",
            raw(|zip| zip.descriptor().bend_descriptor(|it| it.with_signature = false)).build(),
        ),
        ("bzip2", written(CompressionMethod::Bzip2)),
        ("zstd", written(CompressionMethod::Zstd)),
        ("xz", written(CompressionMethod::Xz)),
    ]
}

/// The first small entries of an archive, their records to the byte but for where they lie.
fn excerpt(whole: &[u8], most: usize) -> Vec<u8> {
    let end = whole
        .windows(4)
        .rposition(|found| found == b"PK\x05\x06")
        .unwrap();
    let mut at = long(whole, end + 16);
    let (mut out, mut directory, mut count) = (Vec::new(), Vec::new(), 0u16);
    while usize::from(count) < most && whole[at..].starts_with(b"PK\x01\x02") {
        let lens = [28, 30, 32].map(|field| short(whole, at + field));
        let record = &whole[at..at + 46 + lens.iter().sum::<usize>()];
        at += record.len();
        let header = long(record, 42);
        let head = 30 + short(whole, header + 26) + short(whole, header + 28);
        let packed = long(record, 20);
        if packed > 2000 {
            continue;
        }
        let mut record = record.to_vec();
        record[42..46].copy_from_slice(&(out.len() as u32).to_le_bytes());
        // What a descriptor says stands in the directory, too.
        out.extend(&whole[header..header + head + packed]);
        directory.extend(record);
        count += 1;
    }
    let offset = out.len() as u32;
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    out.extend([(directory.len() as u32).to_le_bytes(), offset.to_le_bytes()].concat());
    out.extend([0; 2]);
    assert_eq!(usize::from(count), most, "the layer has small entries");
    out
}

fn short(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn long(bytes: &[u8], at: usize) -> usize {
    short(bytes, at) | short(bytes, at + 2) << 16
}

/// Where the fields of a record lie, and how wide they are.
type Fields = &'static [(usize, usize)];

/// The records that have a signature, as APPNOTE 4.3 lays them out. The directory's entries are mutated twice as often.
const RECORDS: [(&[u8], Fields); 7] = [
    (
        b"PK\x03\x04",
        &[
            (4, 2),
            (6, 2),
            (8, 2),
            (14, 4),
            (18, 4),
            (22, 4),
            (26, 2),
            (28, 2),
        ],
    ),
    (b"PK\x01\x02", CENTRAL),
    (b"PK\x01\x02", CENTRAL),
    (
        b"PK\x05\x06",
        &[(4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)],
    ),
    // The descriptor behind the data.
    (b"PK\x07\x08", &[(0, 4), (4, 4), (8, 4), (12, 4)]),
    // The end of Zip64, and its locator.
    (
        b"PK\x06\x06",
        &[
            (4, 8),
            (12, 2),
            (14, 2),
            (16, 4),
            (20, 4),
            (24, 8),
            (32, 8),
            (40, 8),
            (48, 8),
        ],
    ),
    (b"PK\x06\x07", &[(4, 4), (8, 8), (16, 4)]),
];

const CENTRAL: Fields = &[
    (4, 2),
    (6, 2),
    (8, 2),
    (10, 2),
    (16, 4),
    (20, 4),
    (24, 4),
    (28, 2),
    (30, 2),
    (32, 2),
    (34, 2),
    (38, 4),
    (42, 4),
];

/// The extra field of Zip64 (0x0001) with the sizes, as good writers lay it out.
const ZIP64: (&[u8], Fields) = (b"\x01\0\x18\0", &[(0, 2), (2, 2), (4, 8), (12, 8), (20, 8)]);

/// An archive with one or a few things changed, and what.
fn mutant(whole: &[u8], random: &mut Random) -> (String, Vec<u8>) {
    let mut bytes = whole.to_vec();
    let all = |signature: &[u8]| -> Vec<usize> {
        let signed = |&at: &usize| whole[at..].starts_with(signature);
        (0..whole.len()).filter(signed).collect()
    };
    let what = match random.below(10) {
        0..3 => {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
            format!("bit at {at}")
        }
        3 => {
            let at = random.below(bytes.len());
            bytes[at] = random.below(256) as u8;
            format!("byte at {at}")
        }
        4..8 => {
            let there: Vec<_> = (RECORDS.iter().chain([&ZIP64]))
                .map(|(signature, fields)| (all(signature), fields))
                .filter(|(found, _)| !found.is_empty())
                .collect();
            let (found, fields) = &there[random.below(there.len())];
            let (field, width) = fields[random.below(fields.len())];
            let at = found[random.below(found.len())] + field;
            let mut old = [0; 8];
            old[..width].copy_from_slice(&whole[at..at + width]);
            let old = u64::from_le_bytes(old);
            let values = [
                0,
                1,
                8,
                0xffff,
                0xffff_ffff,
                u64::MAX,
                old.wrapping_add(1),
                old.wrapping_sub(1),
                old << 1,
                old ^ 0x800,
            ];
            let new = values[random.below(values.len())];
            bytes[at..at + width].copy_from_slice(&new.to_le_bytes()[..width]);
            format!("field at {at}: {old} is {new}")
        }
        8 => {
            // Two entries change places, as far as the directory says.
            let found = all(b"PK\x01\x02");
            let [one, other] = [(); 2].map(|()| found[random.below(found.len())] + 42);
            for i in 0..4 {
                bytes.swap(one + i, other + i);
            }
            format!("offsets at {one} and {other}")
        }
        _ => {
            let at = random.below(bytes.len());
            let to = (at + 1 + random.below(40)).min(bytes.len());
            if random.below(2) == 0 {
                bytes.drain(at..to);
                format!("without {at}..{to}")
            } else {
                let again = bytes[at..to].to_vec();
                bytes.splice(at..at, again);
                format!("{at}..{to} twice")
            }
        }
    };
    (what, bytes)
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % end as u64) as usize
    }
}
