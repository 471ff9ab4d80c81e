//! placeholder until the helper's lands
use thiserror::Error;
/// m
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// s
    Stored,
    /// d
    Deflate,
    /// u
    Unsupported(u16),
}
impl Method {
    /// c
    pub fn from_code(c: u16) -> Self {
        match c {
            0 => Method::Stored,
            8 => Method::Deflate,
            c => Method::Unsupported(c),
        }
    }
    /// c
    pub fn code(self) -> u16 {
        match self {
            Method::Stored => 0,
            Method::Deflate => 8,
            Method::Unsupported(c) => c,
        }
    }
    /// c
    pub fn name(self) -> &'static str {
        "x"
    }
    /// c
    pub fn is_supported(self) -> bool {
        !matches!(self, Method::Unsupported(_))
    }
}
/// e
#[derive(Debug, Error)]
#[error("decode")]
pub struct DecodeError;
/// w
pub fn decode_whole(method: Method, compressed: &[u8], out: &mut [u8]) -> Result<(), DecodeError> {
    match method {
        Method::Stored => {
            out.copy_from_slice(compressed);
            Ok(())
        }
        _ => {
            let n = libdeflater::Decompressor::new()
                .deflate_decompress(compressed, out)
                .map_err(|_| DecodeError)?;
            if n == out.len() { Ok(()) } else { Err(DecodeError) }
        }
    }
}
/// d
pub fn decoder<'a>(
    _m: Method,
    c: impl std::io::Read + Send + 'a,
    _d: u64,
) -> Result<Box<dyn std::io::Read + Send + 'a>, DecodeError> {
    Ok(Box::new(c))
}
