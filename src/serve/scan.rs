//! A JSON text piece by piece, of which one member is large: the base64 of `ZipFile` is decoded to where it belongs as it comes, and
//! what is left of the text, with nothing in its place, is small enough to be parsed whole.
//!
//! Only strings are told from what is none. Whether the text is JSON, the parser says who reads what is left.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The member that is large.
const MEMBER: &[u8] = b"ZipFile";
/// What is decoded at once.
const GROUP: usize = 32 << 10;

/// A JSON text, half seen.
pub(super) struct Scan<W> {
    state: State,
    /// The string at hand, as far as it can still be the member's name.
    name: Vec<u8>,
    rest: Vec<u8>,
    most_rest: usize,
    decoder: Decoder<W>,
    seen: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Outside of strings.
    Outside,
    /// In a string; the last byte may have been a backslash.
    Within { escaped: bool },
    /// Behind a string that reads as the member's name.
    Named,
    /// Behind the colon.
    Value,
    /// In the value.
    Zip,
    /// In the value, behind a backslash and so many digits.
    Escape { digits: u8, code: u16 },
}

/// Why a text cannot be gone on with.
#[derive(Debug)]
pub(super) enum ScanError {
    /// What is not `ZipFile` is larger than anything that makes sense.
    TooLong,
    /// `ZipFile` stands there twice.
    Twice,
    /// It is no base64.
    NotBase64,
    /// It cannot be written.
    Io(io::Error),
}

impl<W: Write> Scan<W> {
    /// A text whose other members have so many bytes at most.
    pub(super) fn new(zip: W, most_rest: usize) -> Scan<W> {
        Scan {
            state: State::Outside,
            name: Vec::new(),
            rest: Vec::new(),
            most_rest,
            decoder: Decoder::new(zip),
            seen: 0,
        }
    }

    /// Bytes that were decoded.
    pub(super) fn decoded(&self) -> u64 {
        self.decoder.written
    }

    /// Where they were written.
    pub(super) fn zip(&self) -> &W {
        &self.decoder.into
    }

    /// Takes the next piece.
    pub(super) fn push(&mut self, mut piece: &[u8]) -> Result<(), ScanError> {
        while let Some((&byte, behind)) = piece.split_first() {
            if self.state == State::Zip {
                let plain = piece.iter().position(|&byte| byte == b'"' || byte == b'\\');
                let plain = plain.unwrap_or(piece.len());
                self.decoder.push(&piece[..plain])?;
                piece = &piece[plain..];
                match piece.split_first() {
                    Some((b'"', behind)) => {
                        self.decoder.end_of_text()?;
                        self.keep(b'"')?;
                        (self.state, piece) = (State::Outside, behind);
                    }
                    Some((_, behind)) => {
                        self.state = State::Escape { digits: 0, code: 0 };
                        piece = behind;
                    }
                    None => {}
                }
                continue;
            }
            if let State::Escape { digits, code } = self.state {
                self.escape(byte, digits, code)?;
            } else {
                self.keep(byte)?;
                self.step(byte)?;
            }
            piece = behind;
        }
        Ok(())
    }

    /// The text without what was decoded, where that was written, and whether there was any.
    pub(super) fn end(self) -> (Vec<u8>, W, bool) {
        (self.rest, self.decoder.into, self.seen > 0)
    }

    fn keep(&mut self, byte: u8) -> Result<(), ScanError> {
        if self.rest.len() == self.most_rest {
            return Err(ScanError::TooLong);
        }
        self.rest.push(byte);
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<(), ScanError> {
        self.state = match (self.state, byte) {
            (State::Within { escaped: false }, b'"') if self.name == MEMBER => State::Named,
            (State::Within { escaped: false }, b'"') => State::Outside,
            (State::Within { escaped }, _) => {
                if self.name.len() <= MEMBER.len() {
                    self.name.push(byte);
                }
                State::Within {
                    escaped: byte == b'\\' && !escaped,
                }
            }
            (State::Named, b':') => State::Value,
            (state @ (State::Named | State::Value), b' ' | b'\t' | b'\r' | b'\n') => state,
            (State::Value, b'"') if self.seen > 0 => return Err(ScanError::Twice),
            (State::Value, b'"') => {
                self.seen += 1;
                State::Zip
            }
            (_, b'"') => {
                self.name.clear();
                State::Within { escaped: false }
            }
            _ => State::Outside,
        };
        Ok(())
    }

    /// Some clients write `\/` and `\u002B`.
    fn escape(&mut self, byte: u8, digits: u8, code: u16) -> Result<(), ScanError> {
        let digit = char::from(byte)
            .to_digit(16)
            .and_then(|digit| u16::try_from(digit).ok());
        self.state = match (digits, byte, digit) {
            (0, b'/', _) => {
                self.decoder.push(b"/")?;
                State::Zip
            }
            (0, b'u', _) => State::Escape { digits: 1, code: 0 },
            (1..=4, _, Some(digit)) => {
                let code = code << 4 | digit;
                match (digits, u8::try_from(code)) {
                    (4, Ok(byte)) => {
                        self.decoder.push(&[byte])?;
                        State::Zip
                    }
                    (4, Err(_)) => return Err(ScanError::NotBase64),
                    _ => State::Escape {
                        digits: digits + 1,
                        code,
                    },
                }
            }
            _ => return Err(ScanError::NotBase64),
        };
        Ok(())
    }
}

/// Base64 piece by piece.
struct Decoder<W> {
    into: W,
    waiting: Vec<u8>,
    bytes: Vec<u8>,
    written: u64,
}

impl<W: Write> Decoder<W> {
    fn new(into: W) -> Decoder<W> {
        Decoder {
            into,
            waiting: Vec::with_capacity(GROUP),
            bytes: vec![0; GROUP],
            written: 0,
        }
    }

    fn push(&mut self, mut text: &[u8]) -> Result<(), ScanError> {
        while !text.is_empty() {
            // Padding ends a text: what is full is decoded when more follows, and may not have any.
            if self.waiting.len() == GROUP {
                if self.waiting.ends_with(b"=") {
                    return Err(ScanError::NotBase64);
                }
                self.decode()?;
            }
            let (now, later) = text.split_at(text.len().min(GROUP - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            text = later;
        }
        Ok(())
    }

    fn end_of_text(&mut self) -> Result<(), ScanError> {
        self.decode()
    }

    fn decode(&mut self) -> Result<(), ScanError> {
        let length = STANDARD
            .decode_slice(&self.waiting, &mut self.bytes)
            .map_err(|_| ScanError::NotBase64)?;
        self.waiting.clear();
        self.written += length as u64;
        self.into.write_all(&self.bytes[..length]).map_err(ScanError::Io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left and what was decoded, the text coming in pieces of this size.
    fn scanned(text: &str, piece: usize) -> Result<(String, Vec<u8>, bool), ScanError> {
        let mut scan = Scan::new(Vec::new(), 1000);
        for piece in text.as_bytes().chunks(piece) {
            scan.push(piece)?;
        }
        let (rest, zip, seen) = scan.end();
        Ok((String::from_utf8(rest).unwrap(), zip, seen))
    }

    #[test]
    fn the_zip_is_taken_out_wherever_the_text_is_cut() {
        let text = r#"{"Description": "\"ZipFile\": \"AAAA", "Content" : {"ZipFile" :
            "UEsDBAo\u002B\/A==", "S3Key": "ZipFile"}, "x": ["ZipFile", "y"]}"#;
        for piece in 1..text.len() {
            let (rest, zip, seen) = scanned(text, piece).unwrap();
            assert_eq!(rest, text.replace(r"UEsDBAo\u002B\/A==", ""), "{piece}");
            assert_eq!((zip.as_slice(), seen), (&b"PK\x03\x04\x0a\x3e\xfc"[..], true));
        }
    }

    #[test]
    fn a_large_zip_is_decoded_group_by_group() {
        let bytes: Vec<u8> = (0..300_001u32).map(|n| (n * 7 % 251) as u8).collect();
        let text = format!(r#"{{"ZipFile":"{}"}}"#, STANDARD.encode(&bytes));
        for piece in [1, 1000, 65_537, text.len()] {
            assert_eq!(scanned(&text, piece).unwrap().1, bytes);
        }
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in ["A", "AA=A", "A===", "AA==AA==", "A\\nAA", "AA\\u0", "\u{e9}AAA"] {
            let text = format!(r#"{{"ZipFile":"{text}"}}"#);
            assert!(matches!(scanned(&text, 5), Err(ScanError::NotBase64)), "{text}");
        }
        let padded = format!(r#"{{"ZipFile":"{}=AAAA"}}"#, "A".repeat(GROUP - 1));
        assert!(matches!(scanned(&padded, 999), Err(ScanError::NotBase64)));
        let twice = r#"{"ZipFile":"AAAA","ZipFile":"AAAA"}"#;
        assert!(matches!(scanned(twice, 3), Err(ScanError::Twice)));
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(1000));
        assert!(matches!(scanned(&long, 7), Err(ScanError::TooLong)));
    }

    #[test]
    fn other_values_and_names_are_left_to_the_parser() {
        for text in [
            r#"{"ZipFile": null}"#,
            r#"{"ZipFile2":"AAAA"}"#,
            r#"["ZipFile","AAAA"]"#,
            r#"{"ZipFil"#,
        ] {
            let (rest, zip, seen) = scanned(text, 2).unwrap();
            assert_eq!((rest.as_str(), zip.len(), seen), (text, 0, false));
        }
    }
}
