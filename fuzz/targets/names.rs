//! Names: what passes the door can lead nowhere but down, and what is printed moves no cursor.

#![no_main]

use libfuzzer_sys::fuzz_target;
use optfs::cli::fuzzing::printed;
use optfs::path::{MAX_PART_BYTES, RelPath};
use optfs_fuzz::{FILE, archive, zip};

fuzz_target!(|name: &[u8]| {
    let checked = RelPath::check(name);
    assert_eq!(
        checked.as_ref().ok().map(RelPath::as_bytes),
        model(name).as_deref()
    );
    if let Ok(path) = &checked {
        assert_eq!(
            RelPath::check(path.as_bytes()).as_ref(),
            Ok(path),
            "folded once is folded"
        );
    }
    let printed = printed(name);
    assert!(!printed.chars().any(char::is_control), "{printed:?}");
    // The same through a zip, made on unix and on DOS, with and without the flag of UTF-8.
    let name = &name[..name.len().min(1 << 16)];
    let bytes = zip(&[(name, FILE, b"")]);
    let directory = bytes.len() - 22 - 46 - name.len().min(usize::from(u16::MAX));
    for (host, flags) in [(3, 0), (0, 0), (10, 8)] {
        let mut bytes = bytes.clone();
        (bytes[directory + 5], bytes[directory + 9]) = (host, flags);
        let archive = archive(&bytes).expect("an honest zip");
        assert_eq!(archive.len() + archive.rejected().len(), 1);
        for (_, entry) in archive.entries() {
            assert!(model(entry.path).as_deref() == Some(entry.path));
        }
    }
});

/// What a name means, said as simply as it can be.
fn model(name: &[u8]) -> Option<Vec<u8>> {
    let parts: Vec<_> = name
        .split(|&b| b == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .collect();
    let is_legal = |part: &&[u8]| *part != b".." && !part.contains(&0) && part.len() <= MAX_PART_BYTES;
    (!parts.is_empty() && parts.iter().all(is_legal)).then(|| parts.join(&b'/'))
}
