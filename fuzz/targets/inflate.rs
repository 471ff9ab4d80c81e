//! The decoder that stops and starts again, against zlib: read in steps of any size, and from checkpoints that were
//! pruned, packed, written and read again.

#![no_main]

use flate2::{Decompress, FlushDecompress, Status};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use optfs::archive::{Checkpoint, Inflater};
use optfs_fuzz::{Choices, deflate_again};

const MOST_BYTES: usize = 256 << 10;

fuzz_target!(|input: &[u8]| {
    let mut choices = Choices(input);
    let steps: Vec<usize> = (0..1 + choices.byte() % 8)
        .map(|_| 1 + usize::from(choices.short()) * 2)
        .collect();
    let stream = choices.0;
    let (plain, is_whole) = plain(stream);
    let mut inflater = Inflater::new();
    let (mut out, mut checkpoints) = (Vec::new(), Vec::new());
    let mut room = vec![0; 1 << 18];
    let ended = 'read: loop {
        for &step in &steps {
            let source = &mut { stream };
            match inflater.read(source, &mut room[..step]) {
                Ok(count) => {
                    out.extend_from_slice(&room[..count]);
                    if checkpoints.len() < 8 {
                        checkpoints.push(inflater.checkpoint());
                    }
                    if count < step || out.len() >= MOST_BYTES {
                        break 'read Ok(());
                    }
                }
                Err(error) => break 'read Err(error),
            }
        }
    };
    // What comes before an error may be less than zlib's, and is never another thing.
    let common = out.len().min(plain.len());
    assert_eq!(out[..common], plain[..common]);
    if out.len() < MOST_BYTES && plain.len() < MOST_BYTES {
        assert_eq!(ended.is_ok(), is_whole, "{ended:?} here");
        assert!(!is_whole || out.len() == plain.len());
    }
    for checkpoint in checkpoints {
        resume(checkpoint, stream, &out, is_whole);
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // Steps stand in front: see above.
    let head = 1 + 2 * (1 + usize::from(data.first().copied().unwrap_or(0) % 8));
    let again = match seed % 4 {
        0 if size > head => deflate_again(&data[head..size], seed),
        _ => None,
    };
    match again {
        Some(stream) if head + stream.len() <= max_size => {
            data[head..head + stream.len()].copy_from_slice(&stream);
            head + stream.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
});

fn resume(checkpoint: Checkpoint, stream: &[u8], out: &[u8], is_whole: bool) {
    let at = checkpoint.output_offset() as usize;
    let pruned = Inflater::new().prune(&checkpoint, &mut { stream });
    let pruned = match pruned {
        Ok(pruned) => pruned,
        // Only what comes behind can be at fault.
        Err(_) => {
            assert!(!is_whole || out.len() >= MOST_BYTES);
            checkpoint.packed()
        }
    };
    let mut bytes = Vec::new();
    pruned.write_to(&mut bytes);
    if bytes.is_empty() {
        return;
    }
    let rest = &mut bytes.as_slice();
    let read = Checkpoint::read_from(rest).expect("what was written is read");
    assert!(rest.is_empty());
    let mut inflater = match Inflater::resume(&read, &mut { stream }) {
        Ok(inflater) => inflater,
        Err(error) => panic!("a checkpoint of this stream: {error}"),
    };
    let mut again = vec![0; out.len() - at];
    let count = inflater.read(&mut { stream }, &mut again);
    if let Ok(count) = count {
        assert_eq!(again[..count], out[at..at + count]);
    }
    assert_eq!(count.expect("as far as before"), out.len() - at);
}

/// What zlib makes of a stream, and whether it came to its end.
fn plain(stream: &[u8]) -> (Vec<u8>, bool) {
    let mut zlib = Decompress::new(false);
    let mut out = Vec::with_capacity(64 << 10);
    loop {
        let before = (zlib.total_in(), zlib.total_out());
        let rest = &stream[zlib.total_in() as usize..];
        match zlib.decompress_vec(rest, &mut out, FlushDecompress::None) {
            Ok(Status::StreamEnd) => return (out, true),
            Err(_) => return (out, false),
            Ok(_) if out.len() >= MOST_BYTES => return (out, false),
            Ok(_) if out.len() == out.capacity() => out.reserve(64 << 10),
            Ok(_) if (zlib.total_in(), zlib.total_out()) == before => return (out, false),
            Ok(_) => {}
        }
    }
}
