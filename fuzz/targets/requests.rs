//! Requests of the kernel, or of who passes for it: each gets an answer that fits, whatever its bytes say.

#![no_main]

use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use optfs::fs::{Fs, Options};
use optfs::fuse::fuzzing::Door;
use optfs::guide::{self, Guide};
use optfs::stack::Stack;
use optfs_fuzz::{Choices, FILE, LINK, archive, pieces, zip};

/// Inodes that there are, and some of what a mount tells of itself.
const INODES: [u64; 25] = [
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    1 << 33,
    1 << 48,
    (1 << 48) + 1,
    1 << 49,
    u64::MAX,
    // The trees of layers and of what is hidden in them, by their roots and files.
    (1 << 48) + (1 << 32) + 1,
    (1 << 48) + 2,
    (2 << 48) + 1,
    (2 << 48) + 2,
    (2 << 48) + (1 << 32) + 1,
    // What every mount tells: its directory, two directories, stack, conflicts, statistics, errors.
    3 << 48,
    (3 << 48) + 1,
    (3 << 48) + 2,
    (3 << 48) + 3,
    (3 << 48) + 4,
    (3 << 48) + 5,
    (3 << 48) + 6,
    // A text as it was at one moment.
    4 << 48,
];

fuzz_target!(|input: &[u8]| {
    static DOOR: OnceLock<Door> = OnceLock::new();
    let door = DOOR.get_or_init(door);
    let mut room = vec![0; 64 << 10];
    for piece in pieces(input).into_iter().take(32) {
        let mut choices = Choices(piece);
        let (kind, room_bytes) = (choices.byte(), usize::from(choices.short()));
        let room = &mut room[..room_bytes];
        let message = match kind {
            // As it is.
            255 => choices.0.to_vec(),
            opcode => {
                let ino = match choices.byte() {
                    known if known < 200 => INODES[usize::from(known) % INODES.len()],
                    _ => u64::from(choices.long()) << (choices.byte() % 32),
                };
                let mut message = (40 + choices.0.len() as u32).to_ne_bytes().to_vec();
                message.extend(u32::from(opcode % 56).to_ne_bytes());
                message.extend([7u64.to_ne_bytes(), ino.to_ne_bytes(), [0; 8], [0; 8]].concat());
                message.extend(choices.0);
                message
            }
        };
        if let Some(len) = door.answer(&message, room) {
            assert!(len <= room.len(), "an answer of {len} bytes in {}", room.len());
        }
    }
});

fn door() -> Door {
    let lower = zip(&[(b"a/b", FILE, b"below"), (b"l", LINK, b"a/b"), (b"x", FILE, b"")]);
    let upper = zip(&[
        (b"a/b", FILE, b"above"),
        (b"d/e/f", FILE, b"deep"),
        (b"x/y", FILE, b"y"),
    ]);
    let archives = [lower, upper].iter().filter_map(|bytes| archive(bytes)).collect();
    let stack = Stack::merge(archives).expect("two layers");
    let fs = Fs::new(Arc::new(stack), Options::default());
    Door::new(Guide::new(Arc::new(fs), guide::Options::default()))
}
