//! The server's door: connections of any bytes, bodies in base64 within JSON and in AWS's chunks, cut into pieces anywhere.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use optfs::serve::fuzzing::{Door, chunked, scan};
use optfs::store::{Place, Store};
use optfs_fuzz::{Choices, pieces};
use tempfile::TempDir;

/// Where a later connection names the upload that an earlier one was told of: nobody guesses such a number.
const UPLOAD: &[u8] = b"00000000-upload";
/// What so many inputs have left behind goes.
const STORE_LASTS: usize = 500;

thread_local! {
    static SCENE: RefCell<Option<(Door, TempDir, usize)>> = const { RefCell::new(None) };
}

fuzz_target!(|input: &[u8]| {
    match input {
        [0, rest @ ..] => in_pieces(rest, scan),
        [1, rest @ ..] => in_pieces(rest, chunked),
        // A letter is the first byte of a request.
        _ => connections(input),
    }
});

fn in_pieces<T: PartialEq + std::fmt::Debug>(input: &[u8], read: impl Fn(&[&[u8]]) -> T) {
    let mut choices = Choices(input);
    let cuts: Vec<usize> = (0..4).map(|_| usize::from(choices.byte())).collect();
    let whole = choices.0;
    let (mut rest, mut pieces) = (whole, Vec::new());
    for cut in cuts {
        let (piece, behind) = rest.split_at(cut.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    assert_eq!(read(&[whole]), read(&pieces), "wherever it is cut");
    let single: Vec<&[u8]> = whole.chunks(1).collect();
    assert_eq!(read(&[whole]), read(&single), "byte by byte");
}

fn connections(input: &[u8]) {
    SCENE.with_borrow_mut(|scene| {
        if scene.as_ref().is_none_or(|(_, _, left)| *left == 0) {
            let scratch = TempDir::new().expect("a temporary directory");
            let store = Store::open(scratch.path()).expect("a new store");
            let here = Place::new("123456789012", "us-east-1").expect("a place");
            *scene = Some((Door::new(store, here), scratch, STORE_LASTS));
        }
        let (door, _, left) = scene.as_mut().expect("just made");
        *left -= 1;
        let mut upload: Option<String> = None;
        for bytes in pieces(input).into_iter().take(3) {
            let (answer, statuses) = match &upload {
                Some(upload) => door.answer(&named(bytes, upload)),
                None => door.answer(bytes),
            };
            let text = String::from_utf8_lossy(&answer);
            assert!(!statuses.contains(&500), "{statuses:?}: {text}");
            let told = text
                .split("<UploadId>")
                .nth(1)
                .and_then(|rest| rest.split('<').next());
            upload = told.map(str::to_owned).or(upload);
        }
    });
}

/// A connection's bytes with an upload's true number.
fn named(bytes: &[u8], upload: &str) -> Vec<u8> {
    let mut out = bytes.to_vec();
    while let Some(at) = out.windows(UPLOAD.len()).position(|found| found == UPLOAD) {
        out.splice(at..at + UPLOAD.len(), upload.bytes());
    }
    out
}
