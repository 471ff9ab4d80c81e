//! The fuzzer's door to bodies in AWS's own chunks. Not there in an ordinary build.

use super::chunked::{Chunked, Found};

/// The bytes of a body, what trails behind them, and whether its end came; None of what is refused.
pub fn chunked(pieces: &[&[u8]]) -> Option<(Vec<u8>, Vec<String>, bool)> {
    let (mut chunked, mut bytes, mut trailers) = (Chunked::new(), Vec::new(), Vec::new());
    for piece in pieces {
        let found = |found: Found| {
            match found {
                Found::Data(data) => bytes.extend_from_slice(data),
                Found::Trailer(name, value) => trailers.push(format!("{name}:{value}")),
            }
            Ok(())
        };
        chunked.push(piece, found).ok()?;
    }
    Some((bytes, trailers, chunked.is_done()))
}
