//! The merge and what is read through it, judged by the model on generated stacks. Nothing here mounts.

use std::collections::BTreeMap;

use optfs::fs::{Attr, Fs, FsError, Ino, Kind, ROOT};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::support::generate::{holds, stacks};
use crate::support::model::extracted;
use crate::support::raw_zip::RawZip;
use crate::support::seen::{self, Listed, Scene, UNLIMITED, mounted_stack, mounted_with_cache};
use crate::support::stack::{Item, Layer};
use crate::support::tree::{Body, Tree, differences};

/// Promises 1 to 6: every path, kind, mode, size, time, target and byte is what extraction in order would
/// have left.
#[test]
fn the_tree_is_what_extraction_in_order_would_have_left() {
    holds(512, stacks(), |stack| {
        same_tree(&extracted(&stack), &mounted_stack(&stack, UNLIMITED))
    });
}

#[test]
fn the_cache_changes_no_answer() {
    holds(64, stacks(), |stack| {
        let expected = extracted(&stack);
        for capacity in [0, 1, largest_file(&stack), UNLIMITED] {
            let fs = mounted_stack(&stack, capacity);
            same_tree(&expected, &fs)?;
            // The second time around the bytes come from the cache, or what was let go of is made again.
            same_tree(&expected, &fs)?;
        }
        Ok(())
    });
}

#[test]
fn a_directory_read_in_pieces_of_any_size_gives_each_name_once() {
    holds(64, stacks(), |stack| {
        let fs = mounted_stack(&stack, UNLIMITED);
        for (path, attr) in seen::attributes(&fs) {
            if attr.kind != Kind::Directory {
                let refused = fs.readdir(attr.ino, 0).err();
                prop_assert!(
                    matches!(refused, Some(FsError::NotADirectory)),
                    "readdir of a file: {refused:?}"
                );
                continue;
            }
            let whole = seen::list(&fs, attr.ino, 0);
            let mut names: Vec<_> = whole.iter().map(|listed| &listed.name).collect();
            names.sort();
            names.dedup();
            prop_assert_eq!(
                names.len(),
                whole.len(),
                "a name twice in {}",
                path.escape_ascii()
            );
            for piece in 1..=whole.len() + 1 {
                prop_assert_eq!(
                    &read_in_pieces(&fs, attr.ino, piece),
                    &whole,
                    "pieces of {}",
                    piece
                );
            }
            // The kernel may go back to any place it was given.
            for (at, listed) in whole.iter().enumerate() {
                prop_assert_eq!(seen::list(&fs, attr.ino, listed.next_offset), &whole[at + 1..]);
            }
            // And a program may seek to any other.
            for offset in [1 << 20, i64::MAX as u64, u64::MAX] {
                prop_assert_eq!(seen::list(&fs, attr.ino, offset), &[]);
            }
        }
        Ok(())
    });
}

#[test]
fn a_directory_lists_itself_and_its_parent() {
    holds(32, stacks(), |stack| {
        let fs = mounted_stack(&stack, UNLIMITED);
        let attributes = seen::attributes(&fs);
        for (path, attr) in attributes.iter().filter(|(_, attr)| attr.kind == Kind::Directory) {
            let listed = seen::list(&fs, attr.ino, 0);
            let ino_of = |name: &[u8]| {
                listed
                    .iter()
                    .find(|listed| listed.name == name)
                    .map(|listed| listed.ino)
            };
            prop_assert_eq!(ino_of(b"."), Some(attr.ino));
            prop_assert_eq!(ino_of(b".."), Some(attributes[parent(path)].ino));
        }
        Ok(())
    });
}

#[test]
fn a_read_split_anywhere_gives_the_same_bytes() {
    holds(64, stacks(), |stack| {
        for capacity in [0, UNLIMITED] {
            let fs = mounted_stack(&stack, capacity);
            for (path, node) in extracted(&stack) {
                if let Body::File(bytes) = node.body {
                    let ino = ino_of(&fs, &path);
                    reads_well_from_everywhere(&fs, ino, &bytes)?;
                }
            }
        }
        Ok(())
    });
}

/// Files of several megabytes: too large to be inflated whole for one read, whatever the cache holds.
#[test]
fn a_large_file_reads_the_same_from_everywhere() {
    let bytes = compressible(10 << 20);
    let zip = RawZip::new()
        .file("deflated", &bytes)
        .deflate()
        .file("stored", &bytes)
        .build();
    let around = |at: usize| [at - 1, at, at + 1];
    let cuts: Vec<_> = (1..40)
        .flat_map(|quarter| around(quarter << 18))
        .chain(around(4096))
        .collect();
    for capacity in [0, 2 << 20, UNLIMITED] {
        let fs = mounted_with_cache(std::slice::from_ref(&zip), capacity);
        for name in ["deflated", "stored"] {
            let ino = ino_of(&fs, name.as_bytes());
            // From the back to the front: nothing that was read before helps.
            for &cut in cuts.iter().rev() {
                let end = bytes.len().min(cut + 40_000);
                let read = seen::read_range(&fs, ino, cut as u64, end - cut).expect("good data");
                assert!(
                    read == bytes[cut..end],
                    "{name}: {cut} to {end}, cache of {capacity}"
                );
            }
            let mut whole = Vec::new();
            while whole.len() < bytes.len() {
                let offset = whole.len() as u64;
                whole.extend(fs.read(ino, offset, 300_007, <[u8]>::to_vec).expect("good data"));
            }
            assert!(
                whole == bytes,
                "{name}: read from front to back, cache of {capacity}"
            );
        }
    }
}

#[test]
fn the_same_stack_has_the_same_inode_numbers() {
    holds(64, stacks(), |stack| {
        let numbers = |fs: &Scene| -> BTreeMap<Vec<u8>, Ino> {
            seen::attributes(fs)
                .into_iter()
                .map(|(path, attr)| (path, attr.ino))
                .collect()
        };
        let first = numbers(&mounted_stack(&stack, UNLIMITED));
        let second = numbers(&mounted_stack(&stack, 0));
        prop_assert_eq!(&first, &second);
        let mut distinct: Vec<_> = first.values().map(|ino| format!("{ino:?}")).collect();
        distinct.sort();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), first.len(), "two nodes with one number");
        prop_assert_eq!(first[&b""[..]], ROOT);
        Ok(())
    });
}

#[test]
fn links_and_blocks_and_owners_are_counted_right() {
    holds(64, stacks(), |stack| {
        let fs = mounted_stack(&stack, UNLIMITED);
        let attributes = seen::attributes(&fs);
        for (path, attr) in &attributes {
            let name = path.escape_ascii();
            let is_subdirectory = |(other, attr): &(&Vec<u8>, &Attr)| {
                attr.kind == Kind::Directory && !other.is_empty() && parent(other) == path.as_slice()
            };
            let expected_links = match attr.kind {
                Kind::Directory => 2 + attributes.iter().filter(is_subdirectory).count() as u32,
                Kind::File | Kind::Symlink => 1,
            };
            prop_assert_eq!(attr.nlink, expected_links, "links of /{}", name);
            prop_assert_eq!((attr.uid, attr.gid), (501, 502), "owner of /{}", name);
            if attr.kind == Kind::File {
                let room = attr.blocks * 512;
                prop_assert!(
                    room >= attr.size && room < attr.size + 4096,
                    "blocks of /{}: {}",
                    name,
                    attr.blocks
                );
            }
        }
        Ok(())
    });
}

#[test]
fn an_absent_name_is_not_found() {
    holds(64, stacks(), |stack| {
        let fs = mounted_stack(&stack, UNLIMITED);
        let tree = extracted(&stack);
        let long = "x".repeat(255);
        for (path, attr) in seen::attributes(&fs) {
            for name in ["a", "b", "c", "no such name", "aa", "A", "layer0.zip", &long] {
                let separator = if path.is_empty() { "" } else { "/" };
                let child = [&path, separator.as_bytes(), name.as_bytes()].concat();
                let answer = fs.lookup(attr.ino, name.as_bytes());
                match attr.kind {
                    Kind::Directory if tree.contains_key(&child) => prop_assert!(answer.is_ok()),
                    Kind::Directory => {
                        prop_assert!(
                            matches!(answer, Err(FsError::NotFound)),
                            "{}: {answer:?}",
                            child.escape_ascii()
                        )
                    }
                    Kind::File | Kind::Symlink => {
                        prop_assert!(
                            matches!(answer, Err(FsError::NotADirectory)),
                            "{}: {answer:?}",
                            child.escape_ascii()
                        )
                    }
                }
            }
        }
        Ok(())
    });
}

#[test]
fn reading_what_is_no_file_is_refused() {
    holds(32, stacks(), |stack| {
        let fs = mounted_stack(&stack, UNLIMITED);
        for (path, attr) in seen::attributes(&fs) {
            let name = path.escape_ascii();
            if attr.kind != Kind::File {
                prop_assert!(
                    fs.read(attr.ino, 0, 1, <[u8]>::to_vec).is_err(),
                    "/{name} was read as a file"
                );
            }
            if attr.kind != Kind::Symlink {
                prop_assert!(fs.readlink(attr.ino).is_err(), "/{name} was read as a symlink");
            }
        }
        Ok(())
    });
}

fn same_tree(expected: &Tree, fs: &Fs) -> Result<(), TestCaseError> {
    let differences = differences(expected, &seen::tree(fs));
    prop_assert!(
        differences.is_empty(),
        "model and optfs differ:\n{}",
        differences.join("\n")
    );
    Ok(())
}

/// The weight of one entry at most: a cache of this size holds one, and a second one pushes it out.
fn largest_file(stack: &[Layer]) -> u64 {
    let sizes = stack
        .iter()
        .flat_map(|layer| &layer.entries)
        .map(|(_, item)| match item {
            Item::File { bytes, .. } => bytes.len() as u64,
            Item::Dir { .. } | Item::Symlink { .. } => 0,
        });
    sizes.max().unwrap_or(0)
}

/// Takes so many names at a time and goes on where the last of them says.
fn read_in_pieces(fs: &Fs, ino: Ino, piece: usize) -> Vec<Listed> {
    let mut all: Vec<Listed> = Vec::new();
    loop {
        let offset = all.last().map_or(0, |last| last.next_offset);
        let next: Vec<_> = seen::list(fs, ino, offset).into_iter().take(piece).collect();
        if next.is_empty() {
            return all;
        }
        all.extend(next);
        assert!(
            all.len() < 1000,
            "the offsets of a directory go around in a circle"
        );
    }
}

/// Reads a file in two parts, split at each of its bytes, and behind its end.
fn reads_well_from_everywhere(fs: &Fs, ino: Ino, bytes: &[u8]) -> Result<(), TestCaseError> {
    let read = |offset: u64, size: usize| {
        fs.read(ino, offset, size, <[u8]>::to_vec)
            .map_err(|error| TestCaseError::fail(error.to_string()))
    };
    for cut in 0..=bytes.len() {
        let (front, back) = bytes.split_at(cut);
        prop_assert_eq!(read(0, cut)?, front, "up to {}", cut);
        prop_assert_eq!(read(cut as u64, back.len())?, back, "from {} on", cut);
        prop_assert_eq!(
            read(cut as u64, back.len() + 100)?,
            back,
            "from {} to beyond the end",
            cut
        );
    }
    for offset in [
        bytes.len() as u64,
        bytes.len() as u64 + 1,
        i64::MAX as u64,
        u64::MAX,
    ] {
        prop_assert_eq!(read(offset, 10)?, b"", "behind the end, at {}", offset);
    }
    Ok(())
}

/// Text that deflates to about a third and does not repeat: words whose order comes from a small generator.
fn compressible(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(format!("{:x} ", state >> 40).bytes());
    }
    bytes.truncate(len);
    bytes
}

fn ino_of(fs: &Fs, path: &[u8]) -> Ino {
    let parts = path.split(|&byte| byte == b'/');
    parts.fold(ROOT, |ino, part| {
        fs.lookup(ino, part).expect("a path of the model").ino
    })
}

/// The path of the directory a path is in; the root is its own.
fn parent(path: &[u8]) -> &[u8] {
    path.iter()
        .rposition(|&byte| byte == b'/')
        .map_or(b"", |at| &path[..at])
}
