//! Who reads one large entry at once: in order, and jumping about.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use libdeflater::{CompressionLvl, Compressor};
use shuttle::thread;

use super::large::Large;
use crate::archive::{Archive, EntryError};

/// Far enough for a checkpoint, near enough that readers wait for each other's decoders.
const LEN: usize = 1 << 20;

pub(crate) fn right_bytes() {
    let (large, plain) = (entry(0), plain());
    readers(&large, |at, read| {
        assert!(read.expect("an honest entry") == plain[at..at + LEN / 8]);
    });
}

/// Once every byte was seen nobody is given any, whoever saw the last one.
pub(crate) fn a_wrong_sum() {
    let (large, plain) = (entry(1), plain());
    readers(&large, |at, read| match read {
        Ok(bytes) => assert!(bytes == plain[at..at + LEN / 8]),
        Err(error) => assert!(matches!(*error, EntryError::Crc { .. }), "{error}"),
    });
    assert!(large.standing_verdict().is_err());
    assert!(large.decode(0, &mut [0]).is_err());
}

/// One goes through, one comes from behind, one starts within what the first one reads.
fn readers(
    large: &Arc<Large>,
    check: impl Fn(usize, Result<Vec<u8>, Arc<EntryError>>) + Copy + Send + Sync + 'static,
) {
    let step = LEN / 8;
    let ways = [
        vec![0, 1, 2, 3, 4, 5, 6, 7]
            .into_iter()
            .map(|n| n * step)
            .collect::<Vec<_>>(),
        vec![7 * step, 5 * step - 100, 2 * step + 7],
        vec![step / 2, 6 * step + 1],
    ];
    let threads = ways.map(|way| {
        let large = Arc::clone(large);
        thread::spawn(move || {
            for at in way {
                let mut bytes = vec![0; step];
                check(at, large.decode(at as u64, &mut bytes).map(|()| bytes));
            }
            large.tidy_up();
        })
    });
    for thread in threads {
        thread.join().expect("it does not panic");
    }
}

fn plain() -> &'static [u8] {
    static PLAIN: OnceLock<Vec<u8>> = OnceLock::new();
    PLAIN.get_or_init(|| {
        let noise: Vec<u8> = (0..3000u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let pieces = (0..).flat_map(|n: u32| [n.to_string().into_bytes(), noise.clone()].concat());
        pieces.take(LEN).collect()
    })
}

/// The entry of an archive in memory, its CRC off by `wrong`.
fn entry(wrong: u32) -> Arc<Large> {
    static PACKED: OnceLock<Vec<u8>> = OnceLock::new();
    let packed = PACKED.get_or_init(|| {
        let mut out = vec![0; 2 * LEN];
        let packed = Compressor::new(CompressionLvl::fastest()).deflate_compress(plain(), &mut out);
        out.truncate(packed.expect("it fits"));
        out
    });
    let short = |number: u16| number.to_le_bytes();
    let long = |number: usize| (number as u32).to_le_bytes();
    let mut common = [short(20), short(0), short(8), short(0), short(0x5021)].concat();
    common.extend((crc32fast::hash(plain()) ^ wrong).to_le_bytes());
    common.extend([long(packed.len()), long(LEN)].concat());
    common.extend([short(1), short(0)].concat());
    let mut zip = [&b"PK\x03\x04"[..], &common, b"f", packed].concat();
    let directory = [
        &b"PK\x01\x02\x14\x03"[..],
        &common,
        &[0; 6],
        &long(0o100_644 << 16),
        &[0; 4],
        b"f",
    ]
    .concat();
    let end = [long(directory.len()), long(zip.len())].concat();
    zip.extend([&directory[..], b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &end, &[0; 2]].concat());
    let archive = Archive::from_source(Path::new("a.zip"), Arc::new(zip)).expect("an honest archive");
    let (id, _) = archive.entries().next().expect("its entry");
    let stamp = archive.opened();
    Arc::new(Large::new(&archive, id, stamp, None).expect("an honest entry"))
}
