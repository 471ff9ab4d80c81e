//! Reading every entry of an archive whole and by ranges: bytes that are given out with a good status are as many
//! as declared and of the declared sum, and alike whichever way they are asked for.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use optfs::content::{Content, Keeping};
use optfs::explain::check::{Options, check};
use optfs::stack::{Body, EntryRef, Stack};
use optfs_fuzz::{mutate, stack};

/// Entries that declare more are read at their ends only.
const MOST_BYTES: u64 = 4 << 20;
/// Without a cache each piece inflates its block anew: entries are read in so many at most.
const MOST_PIECES: usize = 256;

fuzz_target!(|input: &[u8]| {
    let Some(stack) = stack(input).map(Arc::new) else {
        return;
    };
    let sum = crc32fast::hash(input);
    let keeping = Keeping {
        // The smallest cache reads all above 256 KiB by blocks.
        capacity_bytes: if sum & 1 == 0 { 0 } else { 1 << 20 },
        readers_keep: sum & 2 == 0,
        index_directory: None,
    };
    let content = Content::new(Arc::clone(&stack), &keeping);
    for node in stack.nodes().take(64) {
        match stack.body(node) {
            Body::File(entry) => read(&stack, &content, entry, sum),
            Body::Symlink(entry) => {
                let target = content.read_small(entry, 4095);
                if let Ok(Some(target)) = target {
                    agrees(&stack, entry, &target);
                }
            }
            Body::Directory(_) => {}
        }
    }
    let entries = stack.layers().iter().flat_map(|layer| layer.entries());
    if entries
        .map(|(_, entry)| entry.declared_size)
        .fold(0, u64::saturating_add)
        <= MOST_BYTES
    {
        let deep = Options {
            deep: true,
            ..Options::default()
        };
        let _ = check(&stack, &deep, &());
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(data, size, max_size, seed)
});

fn read(stack: &Stack, content: &Content, entry: EntryRef, sum: u32) {
    let declared = stack.entry(entry);
    let size = declared.declared_size;
    let piece = |offset, len| content.read(entry, offset, len, <[u8]>::to_vec);
    let mut choices = sum.to_le_bytes();
    let mut places = Vec::new();
    for turn in 0..6u32 {
        choices = crc32fast::hash(&[&choices[..], &turn.to_le_bytes()].concat()).to_le_bytes();
        let choice = u64::from(u32::from_le_bytes(choices));
        let (offset, len) = (choice % size.saturating_add(2), (choice >> 7) as usize % 5000);
        places.push((offset, piece(offset, len), len));
    }
    if size > MOST_BYTES {
        return;
    }
    let step = (1 + (sum as usize >> 3) % (64 << 10)).max(size as usize / MOST_PIECES);
    let mut whole = Vec::new();
    loop {
        match piece(whole.len() as u64, step) {
            Ok(bytes) if bytes.is_empty() => break,
            Ok(bytes) => whole.extend(bytes),
            Err(_) => return,
        }
    }
    agrees(stack, entry, &whole);
    for (offset, bytes, len) in places {
        if let Ok(bytes) = bytes {
            let start = (offset as usize).min(whole.len());
            assert_eq!(bytes, whole[start..(start + len).min(whole.len())]);
        }
    }
    // For nothing, nothing is read, whatever lies there.
    if size == 0 {
        return;
    }
    let again = stack.layer(entry.layer).read_whole(entry.entry);
    assert_eq!(again.expect("what was read by pieces is read whole"), whole);
}

fn agrees(stack: &Stack, entry: EntryRef, bytes: &[u8]) {
    let declared = stack.entry(entry);
    assert_eq!(bytes.len() as u64, declared.declared_size);
    assert_eq!(crc32fast::hash(bytes), declared.crc);
}
