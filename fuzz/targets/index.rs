//! What an earlier mount kept, in files that anybody may have damaged. Checkpoints: bytes come out right or not at all, and
//! forged ones, whose sum is right, never panic and never pass for the whole file. The order of reading: bytes come out
//! right.

#![no_main]

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use libfuzzer_sys::fuzz_target;
use optfs::archive::{Archive, Checkpoint, Inflater};
use optfs::content::{Content, Keeping};
use optfs::stack::{Body, EntryRef, Stack};
use optfs_fuzz::{Choices, FILE, zip};
use tempfile::TempDir;

/// A magic number and what identifies the entry.
const HEAD_BYTES: usize = 48;

struct Scene {
    content: Vec<u8>,
    archive: Vec<u8>,
    index: PathBuf,
    checkpoints: (PathBuf, Vec<u8>),
    order: (PathBuf, Vec<u8>),
    packed: Vec<u8>,
    _scratch: TempDir,
}

fuzz_target!(|input: &[u8]| {
    let scene = scene();
    let mut choices = Choices(input);
    let kind = choices.byte();
    if kind % 3 == 0 {
        return alone(choices.0, scene);
    }
    let is_order = kind >= 192;
    let ((file, honest), other) = match is_order {
        true => (&scene.order, &scene.checkpoints),
        false => (&scene.checkpoints, &scene.order),
    };
    let mut bytes = honest.clone();
    if kind % 3 == 1 {
        // Damage: bytes changed here and there, or the end cut off.
        bytes.truncate(bytes.len() - usize::from(choices.byte() / 16));
        while !choices.0.is_empty() {
            let at = choices.long() as usize % bytes.len();
            bytes[at] ^= choices.byte();
        }
    } else {
        bytes.truncate(HEAD_BYTES);
        bytes.extend(choices.0);
        let sum = crc32fast::hash(&bytes);
        bytes.extend(sum.to_le_bytes());
    }
    let (body, sum) = bytes.split_at(bytes.len() - 4);
    let is_forged = !is_order && bytes != *honest && crc32fast::hash(body).to_le_bytes() == sum;
    fs::write(file, &bytes).expect("our own directory");
    fs::write(&other.0, &other.1).expect("our own directory");
    let (stack, content, entry) = open(scene);
    let size = stack.entry(entry).declared_size;
    let at = crc32fast::hash(input) as u64 % size;
    for offset in [at, size - 5000, at / 2, 0] {
        if let Ok(bytes) = content.read(entry, offset, 5000, <[u8]>::to_vec) {
            let right = &scene.content[offset as usize..];
            assert!(
                is_forged || bytes == right[..bytes.len()],
                "wrong bytes at {offset}"
            );
        }
    }
    // Five megabytes take their time.
    if at % 4 != 0 {
        return;
    }
    let mut whole = Vec::new();
    while (whole.len() as u64) < size {
        match content.read(entry, whole.len() as u64, 1 << 20, <[u8]>::to_vec) {
            Ok(bytes) => whole.extend(bytes),
            Err(error) => {
                assert!(is_forged, "{error}");
                return;
            }
        }
    }
    assert!(whole == scene.content, "wrong bytes pass for the whole file");
});

/// Checkpoints of nobody's, over a stream of somebody's.
fn alone(bytes: &[u8], scene: &Scene) {
    let mut rest = bytes;
    while let Some(checkpoint) = Checkpoint::read_from(&mut rest) {
        let mut room = vec![0; 64 << 10];
        if let Ok(mut inflater) = Inflater::resume(&checkpoint, &mut scene.packed.as_slice()) {
            let _ = inflater.read(&mut scene.packed.as_slice(), &mut room);
        }
        let _ = Inflater::new().prune(&checkpoint, &mut scene.packed.as_slice());
    }
}

fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| {
        let scratch = TempDir::new().expect("a temporary directory");
        // Nearer than 4 MiB nobody looks for checkpoints of an earlier mount. Each piece is the same but for its numbers,
        // so that most of it is a match, quickly inflated, and needs a window.
        let noise: Vec<u8> = (0..3000u32)
            .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let mut content = Vec::new();
        for number in 0..1_750u32 {
            write!(content, "{} {}\n", number, number.wrapping_mul(2_654_435_761)).expect("memory");
            content.extend(&noise);
        }
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&content).expect("memory");
        let packed = encoder.finish().expect("memory");
        let index = scratch.path().join("index");
        let mut scene = Scene {
            archive: deflated(&content, &packed),
            content,
            checkpoints: Default::default(),
            order: Default::default(),
            index,
            packed,
            _scratch: scratch,
        };
        // Jumping about leaves checkpoints, and closing keeps them.
        let (_, content, entry) = open(&scene);
        for turn in 0..60u64 {
            let at = turn * 37 % 60 * (scene.content.len() as u64 / 60);
            content
                .read(entry, at, 10, <[u8]>::len)
                .expect("an honest archive");
        }
        drop(content);
        for file in fs::read_dir(&scene.index).expect("something was kept") {
            let path = file.expect("its name").path();
            let honest = fs::read(&path).expect("our own file");
            match path.extension() {
                Some(_) => scene.order = (path, honest),
                None => scene.checkpoints = (path, honest),
            }
        }
        scene
    })
}

fn open(scene: &Scene) -> (Arc<Stack>, Content, EntryRef) {
    let path = scene.index.with_file_name("a.zip");
    if !path.exists() {
        File::create(&path)
            .and_then(|mut file| file.write_all(&scene.archive))
            .expect("our own directory");
    }
    let archive = Archive::from_source(&path, Arc::new(scene.archive.clone())).expect("an honest archive");
    let stack = Arc::new(Stack::merge(vec![archive]).expect("one layer"));
    let keeping = Keeping {
        capacity_bytes: 1 << 20,
        readers_keep: false,
        index_directory: Some(scene.index.clone()),
    };
    let content = Content::new(Arc::clone(&stack), &keeping);
    let entry = stack.nodes().find_map(|node| match stack.body(node) {
        Body::File(entry) => Some(entry),
        _ => None,
    });
    (stack, content, entry.expect("the one file"))
}

/// The honest zip of a stored file, made to hold a deflated one.
fn deflated(content: &[u8], packed: &[u8]) -> Vec<u8> {
    let mut bytes = zip(&[(b"large", FILE, packed)]);
    let directory = bytes.len() - 22 - 46 - 5;
    for (method, sum, size) in [(8, 14, 22), (directory + 10, directory + 16, directory + 24)] {
        bytes[method] = 8;
        bytes[sum..sum + 4].copy_from_slice(&crc32fast::hash(content).to_le_bytes());
        bytes[size..size + 4].copy_from_slice(&(content.len() as u32).to_le_bytes());
    }
    bytes
}
