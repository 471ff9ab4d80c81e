//! The compression methods of zip: their codes, and decoding an entry whole or from its beginning on.
//!
//! Starting in the middle of a deflated entry is left to `deflate`; sizes and CRCs are checked by whoever knows the
//! archive's claims, except that a whole entry has to be as long as declared.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use bzip2::bufread::MultiBzDecoder;
use deflate64::InflaterManaged;
use libdeflater::{DecompressionError, Decompressor};
use lzma_rust2::{LzmaReader, XzReader};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::deflate::{DeflateError, Inflater, Input};

/// The most memory that a stream may make its decoder use for its dictionary or window. Streams choose it
/// themselves; 7-Zip's strongest preset asks for 64 MiB.
const DICTIONARY_LIMIT_BYTES: u64 = 128 << 20;

/// How an entry is compressed: APPNOTE 4.4.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "these are names")]
pub enum Method {
    Stored,
    Deflate,
    Deflate64,
    Bzip2,
    Lzma,
    Zstd,
    Xz,
    /// Any other, known or not, by its code.
    Unsupported(u16),
}

/// Why an entry's compressed data cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No decoder for the method.
    #[error("compression method {} ({}) is not supported", .0.code(), .0.name())]
    Unsupported(Method),
    /// The data ends before the declared size.
    #[error("declared as {declared} bytes, but the {} data ends after {found}", .method.name())]
    TooShort {
        /// How it is compressed.
        method: Method,
        /// The bytes that were to come out.
        declared: u64,
        /// The bytes that came out.
        found: u64,
    },
    /// The data goes on behind the declared size.
    #[error("declared as {declared} bytes, but the {} data goes on behind them", .method.name())]
    TooLong {
        /// How it is compressed.
        method: Method,
        /// The bytes that were to come out.
        declared: u64,
    },
    /// The data asks for more memory than any stream is given.
    #[error(
        "the {} data asks for a dictionary of {needed} bytes, more than the {} allowed",
        .method.name(),
        DICTIONARY_LIMIT_BYTES
    )]
    Dictionary {
        /// How it is compressed.
        method: Method,
        /// The size of the dictionary in bytes.
        needed: u64,
    },
    /// The deflated data is damaged.
    #[error(transparent)]
    Deflate(#[from] DeflateError),
    /// The data of another method is damaged, or cannot be read.
    #[error(transparent)]
    Stream(#[from] io::Error),
}

impl Method {
    /// The method of a code.
    pub fn from_code(code: u16) -> Self {
        match code {
            0 => Self::Stored,
            8 => Self::Deflate,
            9 => Self::Deflate64,
            12 => Self::Bzip2,
            14 => Self::Lzma,
            // 20 was zstd's code for some months in 2020 and is deprecated since.
            20 | 93 => Self::Zstd,
            95 => Self::Xz,
            code => Self::Unsupported(code),
        }
    }

    /// The code of a method, for zstd the current one.
    pub fn code(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflate => 8,
            Self::Deflate64 => 9,
            Self::Bzip2 => 12,
            Self::Lzma => 14,
            Self::Zstd => 93,
            Self::Xz => 95,
            Self::Unsupported(code) => code,
        }
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Deflate => "deflate",
            Self::Deflate64 => "deflate64",
            Self::Bzip2 => "bzip2",
            Self::Lzma => "lzma",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Unsupported(code) => match code {
                1 => "shrink",
                2..=5 => "reduce",
                6 => "implode",
                7 => "tokenize",
                10 => "pkware dcl implode",
                16 => "ibm cmpsc",
                18 => "ibm terse",
                19 => "ibm lz77",
                94 => "mp3",
                96 => "jpeg",
                97 => "wavpack",
                98 => "ppmd",
                99 => "aes",
                _ => "unknown",
            },
        }
    }

    /// Whether its data can be decoded.
    pub fn is_supported(self) -> bool {
        !matches!(self, Self::Unsupported(_))
    }
}

thread_local! {
    // Allocating one for every entry costs more than a small entry does.
    static DECOMPRESSOR: RefCell<Decompressor> = RefCell::new(Decompressor::new());
}

/// Decodes a whole entry into `out`, which is as long as the entry is declared to be.
///
/// # Errors
/// When the data is damaged, or does not end where `out` does.
pub(super) fn decode_whole(method: Method, compressed: &[u8], out: &mut [u8]) -> Result<(), DecodeError> {
    let declared = out.len() as u64;
    let found = match method {
        Method::Stored => {
            let found = compressed.len().min(out.len());
            out[..found].copy_from_slice(&compressed[..found]);
            if compressed.len() > out.len() {
                return Err(DecodeError::TooLong { method, declared });
            }
            found
        }
        Method::Deflate => {
            match DECOMPRESSOR.with_borrow_mut(|decoder| decoder.deflate_decompress(compressed, out)) {
                Ok(found) => found,
                Err(DecompressionError::InsufficientSpace) => {
                    return Err(DecodeError::TooLong { method, declared });
                }
                // libdeflate does not say what is bad; our own decoder does.
                Err(DecompressionError::BadData) => return read_whole(method, compressed, out),
            }
        }
        _ => return read_whole(method, compressed, out),
    };
    if found < out.len() {
        return Err(DecodeError::TooShort {
            method,
            declared,
            found: found as u64,
        });
    }
    Ok(())
}

fn read_whole(method: Method, compressed: &[u8], out: &mut [u8]) -> Result<(), DecodeError> {
    let declared = out.len() as u64;
    let mut decoder = decoder(method, compressed, declared)?;
    let mut found = 0;
    while found < out.len() {
        match read_or_cause(&mut decoder, &mut out[found..])? {
            0 => {
                return Err(DecodeError::TooShort {
                    method,
                    declared,
                    found: found as u64,
                });
            }
            count => found += count,
        }
    }
    match read_or_cause(&mut decoder, &mut [0])? {
        0 => Ok(()),
        _ => Err(DecodeError::TooLong { method, declared }),
    }
}

/// Reads, and unwraps an error that was made here and only went through `Read`.
fn read_or_cause(decoder: &mut impl Read, out: &mut [u8]) -> Result<usize, DecodeError> {
    decoder
        .read(out)
        .map_err(|error| match error.downcast::<DecodeError>() {
            Ok(cause) => cause,
            Err(error) => DecodeError::Stream(error),
        })
}

/// Decodes an entry from its beginning on, in memory bounded by what its method needs.
///
/// The reader is not cut off at `declared_size`, which only lzma needs to know; it may end before or after that.
///
/// # Errors
/// When the method is not supported or the data does not begin as its method demands.
pub fn decoder<'a>(
    method: Method,
    compressed: impl Read + Send + 'a,
    declared_size: u64,
) -> Result<Box<dyn Read + Send + 'a>, DecodeError> {
    let decoder: Box<dyn Read + Send + 'a> = match method {
        Method::Stored => return Ok(Box::new(compressed)),
        Method::Deflate => {
            let input = Forward {
                reader: compressed,
                position: 0,
            };
            return Ok(Box::new(Inflating {
                inflater: Inflater::new(),
                input,
            }));
        }
        Method::Deflate64 => Box::new(Deflate64 {
            inflater: Box::new(InflaterManaged::new()),
            source: BufReader::new(compressed),
        }),
        Method::Bzip2 => Box::new(MultiBzDecoder::new(BufReader::new(compressed))),
        Method::Lzma => Box::new(lzma(compressed, declared_size)?),
        Method::Zstd => Box::new(Zstd {
            frame: FrameDecoder::new(),
            source: BufReader::new(compressed),
            within_frame: false,
        }),
        Method::Xz => {
            let limit_kib = (DICTIONARY_LIMIT_BYTES >> 10) as u32;
            Box::new(XzReader::new_mem_limit(
                BufReader::new(compressed),
                true,
                limit_kib,
            ))
        }
        Method::Unsupported(_) => return Err(DecodeError::Unsupported(method)),
    };
    Ok(Box::new(Fenced {
        method,
        decoder: Some(decoder),
    }))
}

/// Reads the header that zip puts before lzma's data: APPNOTE 5.8.8.
fn lzma<R: Read>(mut compressed: R, declared_size: u64) -> Result<LzmaReader<R>, DecodeError> {
    let mut header = [0; 9];
    compressed.read_exact(&mut header)?;
    let [_, _, properties_size @ .., properties, d0, d1, d2, d3] = header;
    let dictionary = u32::from_le_bytes([d0, d1, d2, d3]);
    if properties_size != [5, 0] {
        return Err(invalid("the lzma header does not have 5 bytes of properties").into());
    }
    // No distance can be longer than the entry, so the dictionary need not be, whatever the stream asks for.
    let needed = u64::from(dictionary).min(declared_size);
    if needed > DICTIONARY_LIMIT_BYTES {
        return Err(DecodeError::Dictionary {
            method: Method::Lzma,
            needed,
        });
    }
    let mut reader = LzmaReader::new_with_props(compressed, declared_size, properties, needed as u32, None)
        .map_err(|error| name(Method::Lzma, error))?;
    // Else a stream that goes on behind the declared size is taken for a whole one.
    reader.set_relaxed_end_condition(false);
    Ok(reader)
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// A decoder of another crate behind a fence: its complaints name the method, and a panic in it is a complaint
/// too, for what it decodes was written by strangers.
struct Fenced<R> {
    method: Method,
    /// None once it has panicked: what it holds then means nothing.
    decoder: Option<R>,
}

impl<R: Read> Read for Fenced<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Some(decoder) = &mut self.decoder else {
            return Err(invalid("the decoder has failed before"));
        };
        match catch_unwind(AssertUnwindSafe(|| decoder.read(out))) {
            Ok(read) => read.map_err(|error| name(self.method, error)),
            Err(_) => {
                self.decoder = None;
                Err(name(self.method, invalid("its decoder panicked")))
            }
        }
    }
}

fn name(method: Method, error: io::Error) -> io::Error {
    if error.get_ref().is_some_and(|cause| cause.is::<DecodeError>()) {
        return error;
    }
    match error.kind() {
        io::ErrorKind::Interrupted => error,
        // What xz says when a dictionary is over the limit that it was given.
        io::ErrorKind::OutOfMemory => io::Error::new(
            error.kind(),
            format!(
                "the {} data asks for a dictionary of more than the {DICTIONARY_LIMIT_BYTES} bytes allowed",
                method.name()
            ),
        ),
        kind => io::Error::new(kind, format!("the {} data is damaged: {error}", method.name())),
    }
}

/// Our decoder on data that only comes in order: without checkpoints it only asks in order.
struct Inflating<R> {
    inflater: Inflater,
    input: Forward<R>,
}

impl<R: Read> Read for Inflating<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.inflater
            .read(&mut self.input, out)
            .map_err(|error| match error {
                DeflateError::Io(error) => error,
                error => io::Error::new(io::ErrorKind::InvalidData, DecodeError::Deflate(error)),
            })
    }
}

struct Forward<R> {
    reader: R,
    position: u64,
}

impl<R: Read> Input for Forward<R> {
    fn read_at(&mut self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset != self.position {
            return Err(io::ErrorKind::NotSeekable.into());
        }
        let count = self.reader.read(out)?;
        self.position += count as u64;
        Ok(count)
    }
}

/// The crate's own reader takes the end of the data for the end of the stream, wherever that comes.
struct Deflate64<R> {
    inflater: Box<InflaterManaged>,
    source: BufReader<R>,
}

impl<R: Read> Read for Deflate64<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.source.fill_buf()?;
            let is_end = input.is_empty();
            let step = self.inflater.inflate(input, out);
            self.source.consume(step.bytes_consumed);
            if step.bytes_written > 0 || out.is_empty() {
                return Ok(step.bytes_written);
            }
            if step.data_error {
                return Err(invalid("a block is invalid"));
            }
            if self.inflater.finished() {
                return Ok(0);
            }
            if is_end || step.bytes_consumed == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Frame after frame, as zstd's own tool reads them; skippable ones are skipped.
struct Zstd<R> {
    frame: FrameDecoder,
    source: BufReader<R>,
    within_frame: bool,
}

impl<R: Read> Zstd<R> {
    /// Goes to the next frame with data; false at the end of all.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            self.frame.set_max_window_size(DICTIONARY_LIMIT_BYTES);
            match self.frame.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    if io::copy(&mut (&mut self.source).take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(FrameDecoderError::WindowSizeTooBig { requested, .. }) => {
                    let error = DecodeError::Dictionary {
                        method: Method::Zstd,
                        needed: requested,
                    };
                    return Err(io::Error::new(io::ErrorKind::OutOfMemory, error));
                }
                Err(error) => return Err(invalid(&error.to_string())),
            }
        }
        Ok(false)
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !out.is_empty() {
            if self.frame.can_collect() > 0 {
                return self.frame.read(out);
            }
            if !self.within_frame || self.frame.is_finished() {
                self.within_frame = self.next_frame()?;
                if !self.within_frame {
                    break;
                }
            }
            if !self.frame.is_finished() {
                self.frame
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(|error| invalid(&error.to_string()))?;
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipArchive, ZipWriter};

    use super::*;

    const DECODED: [Method; 7] = [
        Method::Stored,
        Method::Deflate,
        Method::Deflate64,
        Method::Bzip2,
        Method::Lzma,
        Method::Zstd,
        Method::Xz,
    ];

    /// What a zip writer makes of an entry, without the archive around it.
    fn zipped(method: CompressionMethod, plain: &[u8]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer
            .start_file("x", SimpleFileOptions::default().compression_method(method))
            .unwrap();
        writer.write_all(plain).unwrap();
        let mut archive = ZipArchive::new(writer.finish().unwrap()).unwrap();
        let mut compressed = Vec::new();
        archive
            .by_index_raw(0)
            .unwrap()
            .read_to_end(&mut compressed)
            .unwrap();
        compressed
    }

    /// Zip's lzma header, then lzma without a header of its own.
    fn lzma_entry(plain: &[u8], end_marker: bool) -> Vec<u8> {
        let options = lzma_rust2::LzmaOptions::with_preset(3);
        let mut entry = vec![9, 20, 5, 0, options.get_props()];
        entry.extend(options.dict_size.to_le_bytes());
        let mut writer = lzma_rust2::LzmaWriter::new_no_header(entry, &options, end_marker).unwrap();
        writer.write_all(plain).unwrap();
        writer.finish().unwrap()
    }

    /// One block of fixed codes: 'a', then a length of 3 + 997 by symbol 285, which only deflate64 gives 16 extra
    /// bits, at distance 1, then the end. No crate writes this method.
    const DEFLATE64: [u8; 6] = [0x4b, 0x1c, 0x2d, 0x1f, 0x00, 0x00];

    fn plain(method: Method) -> Vec<u8> {
        match method {
            Method::Deflate64 => vec![b'a'; 1001],
            _ => (0..30_000u32)
                .flat_map(|i| format!("{} ", i * i % 9973).into_bytes())
                .collect(),
        }
    }

    fn compressed(method: Method) -> Vec<u8> {
        let plain = plain(method);
        match method {
            Method::Stored => plain,
            Method::Deflate => zipped(CompressionMethod::Deflated, &plain),
            Method::Deflate64 => DEFLATE64.into(),
            Method::Bzip2 => zipped(CompressionMethod::Bzip2, &plain),
            Method::Lzma => lzma_entry(&plain, false),
            Method::Zstd => zipped(CompressionMethod::Zstd, &plain),
            Method::Xz => zipped(CompressionMethod::Xz, &plain),
            Method::Unsupported(_) => unreachable!(),
        }
    }

    #[test]
    fn every_method_decodes_whole_and_in_pieces() {
        for method in DECODED {
            let (plain, compressed) = (plain(method), compressed(method));
            let mut out = vec![0; plain.len()];
            decode_whole(method, &compressed, &mut out).unwrap();
            assert!(out == plain, "{method:?}");

            let mut reader = decoder(method, &compressed[..], plain.len() as u64).unwrap();
            let mut out: Vec<u8> = Vec::new();
            let mut piece = [0; 777];
            loop {
                match reader.read(&mut piece).unwrap() {
                    0 => break,
                    count => out.extend(&piece[..count]),
                }
            }
            assert!(out == plain, "{method:?} in pieces");
        }
    }

    #[test]
    fn empty_entries_decode() {
        let entry = |method| decode_whole(Method::from_code(method), &[], &mut []);
        entry(0).unwrap();
        decode_whole(Method::Deflate, &[3, 0], &mut []).unwrap();
        decode_whole(Method::Deflate64, &[3, 0], &mut []).unwrap();
        decode_whole(Method::Bzip2, &zipped(CompressionMethod::Bzip2, b""), &mut []).unwrap();
        decode_whole(Method::Lzma, &lzma_entry(b"", false), &mut []).unwrap();
        decode_whole(Method::Zstd, &zipped(CompressionMethod::Zstd, b""), &mut []).unwrap();
        decode_whole(Method::Xz, &zipped(CompressionMethod::Xz, b""), &mut []).unwrap();
    }

    #[test]
    fn an_entry_shorter_than_declared_is_an_error() {
        for method in DECODED {
            let (plain, compressed) = (plain(method), compressed(method));
            let error = decode_whole(method, &compressed, &mut vec![0; plain.len() + 1]).unwrap_err();
            match method {
                // Without an end marker only the declared size tells where it should have ended.
                Method::Lzma => assert!(matches!(error, DecodeError::Stream(_)), "{error}"),
                _ => assert!(
                    matches!(error, DecodeError::TooShort { found, .. } if found == plain.len() as u64),
                    "{error}"
                ),
            }
        }
        let with_end_marker = lzma_entry(b"abc", true);
        decode_whole(Method::Lzma, &with_end_marker, &mut [0; 3]).unwrap();
        assert!(decode_whole(Method::Lzma, &with_end_marker, &mut [0; 4]).is_err());
    }

    #[test]
    fn an_entry_longer_than_declared_is_an_error() {
        for method in DECODED {
            let (plain, compressed) = (plain(method), compressed(method));
            for less in [1, plain.len() / 2, plain.len()] {
                let error = decode_whole(method, &compressed, &mut vec![0; plain.len() - less]).unwrap_err();
                match method {
                    Method::Lzma => assert!(matches!(error, DecodeError::Stream(_)), "{error}"),
                    _ => assert!(matches!(error, DecodeError::TooLong { .. }), "{error}"),
                }
            }
        }
    }

    #[test]
    fn a_cut_off_entry_is_an_error() {
        for method in DECODED {
            let (plain, compressed) = (plain(method), compressed(method));
            for kept in [0, 1, 5, compressed.len() / 2] {
                let mut out = vec![0; plain.len()];
                assert!(
                    decode_whole(method, &compressed[..kept], &mut out).is_err(),
                    "{method:?}"
                );
            }
        }
    }

    #[test]
    fn damage_never_panics() {
        let mut seed = 1u64;
        for method in DECODED {
            let (plain, original) = (plain(method), compressed(method));
            for _ in 0..150 {
                let mut damaged = original.clone();
                seed = seed
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                let place =
                    (seed >> 33) as usize % damaged.len().min(if seed & 1 == 0 { 40 } else { usize::MAX });
                damaged[place] ^= (seed >> 20) as u8 | 1;
                let _ = decode_whole(method, &damaged, &mut vec![0; plain.len()]);
            }
        }
    }

    #[test]
    fn damaged_deflate_says_what_is_damaged() {
        let error = decode_whole(Method::Deflate, &[7], &mut [0]).unwrap_err();
        assert!(
            matches!(error, DecodeError::Deflate(DeflateError::BlockType)),
            "{error}"
        );
    }

    #[test]
    fn other_damage_names_the_method() {
        let error = decode_whole(Method::Xz, b"not xz at all", &mut [0]).unwrap_err();
        assert!(
            error.to_string().starts_with("the xz data is damaged: "),
            "{error}"
        );
    }

    #[test]
    fn dictionaries_over_the_limit_are_refused() {
        // lzma: a dictionary of 1 GiB in an entry declared as large.
        let mut lzma = lzma_entry(b"abc", true);
        lzma[5..9].copy_from_slice(&(1u32 << 30).to_le_bytes());
        let error = decoder(Method::Lzma, &lzma[..], 1 << 30).err().unwrap();
        assert!(
            matches!(
                error,
                DecodeError::Dictionary {
                    needed: 0x4000_0000,
                    ..
                }
            ),
            "{error}"
        );
        // In a small one it is never used and not refused.
        decode_whole(Method::Lzma, &lzma, &mut [0; 3]).unwrap();

        // zstd: magic, no single segment, window of 2^(10 + 18) bytes, an empty last block.
        let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0, 18 << 3, 1, 0, 0];
        let error = decode_whole(Method::Zstd, &zstd, &mut [0]).unwrap_err();
        assert!(
            matches!(
                error,
                DecodeError::Dictionary {
                    needed: 0x1000_0000,
                    ..
                }
            ),
            "{error}"
        );

        // xz, encoded with a dictionary of 256 MiB, which costs nothing for three bytes.
        let mut options = lzma_rust2::XzOptions::with_preset(0);
        options.lzma_options.dict_size = 256 << 20;
        let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
        writer.write_all(b"abc").unwrap();
        let error = decode_whole(Method::Xz, &writer.finish().unwrap(), &mut [0; 3]).unwrap_err();
        assert!(error.to_string().contains("dictionary"), "{error}");
    }

    #[test]
    fn zstd_frames_follow_each_other() {
        let skippable = [&0x184d_2a51u32.to_le_bytes()[..], &3u32.to_le_bytes(), b"xyz"].concat();
        let (first, second) = (
            zipped(CompressionMethod::Zstd, b"abc"),
            zipped(CompressionMethod::Zstd, b"de"),
        );
        let mut out = [0; 5];
        decode_whole(
            Method::Zstd,
            &[&first[..], &skippable, &second].concat(),
            &mut out,
        )
        .unwrap();
        assert_eq!(&out, b"abcde");
    }

    #[test]
    fn codes_and_names_fit() {
        for code in 0..=u16::MAX {
            assert_eq!(Method::from_code(code).code(), if code == 20 { 93 } else { code });
        }
        for method in DECODED {
            assert!(method.is_supported());
        }
        let aes = Method::from_code(99);
        assert_eq!(
            (aes, aes.name(), aes.is_supported()),
            (Method::Unsupported(99), "aes", false)
        );
        let error = decode_whole(aes, &[], &mut []).unwrap_err();
        assert_eq!(error.to_string(), "compression method 99 (aes) is not supported");
    }

    #[test]
    fn a_decoder_that_panics_is_an_error_and_not_asked_again() {
        struct Panics;
        impl Read for Panics {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                panic!("as the test wants")
            }
        }
        let mut fenced = Fenced {
            method: Method::Xz,
            decoder: Some(Panics),
        };
        let error = fenced.read(&mut [0]).unwrap_err().to_string();
        assert_eq!(error, "the xz data is damaged: its decoder panicked");
        assert!(fenced.read(&mut [0]).is_err());
    }
}
