//! What a `.dist-info` directory says: the rows of RECORD, and name and version in METADATA.
//!
//! RECORD is CSV: path, `sha256=` and the digest in URL-safe base64 without padding, size
//! (packaging.python.org, "Recording installed projects").

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A row of RECORD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The path, relative to the directory that the `.dist-info` directory lies in.
    pub(super) path: Vec<u8>,
    /// The SHA-256, where it has one: bytecode has none, and other digests are not looked at.
    pub(super) sha256: Option<[u8; 32]>,
    /// The size.
    pub(super) size: Option<u64>,
}

/// All rows that name a path.
pub(super) fn rows(text: &[u8]) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (fields, behind) = fields(rest);
        rest = behind;
        let mut fields = fields.into_iter();
        let path = fields.next().unwrap_or_default();
        if path.is_empty() {
            continue;
        }
        let digest = fields.next().unwrap_or_default();
        let size = fields.next().unwrap_or_default();
        rows.push(Row {
            path,
            sha256: digest.strip_prefix(b"sha256=").and_then(base64_url),
            size: std::str::from_utf8(&size).ok().and_then(|size| size.parse().ok()),
        });
    }
    rows
}

/// The fields of the first line, and what lies behind it. In quotes a comma and a line's end are ordinary, and a
/// doubled quote is one. More than three fields say nothing here.
fn fields(text: &[u8]) -> (Vec<Vec<u8>>, &[u8]) {
    let mut fields = vec![Vec::new()];
    let mut quoted = false;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match (byte, quoted) {
            (b'"', true) if text.get(at) == Some(&b'"') => {
                at += 1;
                push(&mut fields, b'"');
            }
            (b'"', _) => quoted = !quoted,
            (b',', false) if fields.len() <= 3 => fields.push(Vec::new()),
            (b'\n', false) => break,
            (b'\r', false) if text.get(at).is_none_or(|&next| next == b'\n') => {}
            _ => push(&mut fields, byte),
        }
    }
    (fields, &text[at..])
}

fn push(fields: &mut [Vec<u8>], byte: u8) {
    if let Some(last) = fields.last_mut() {
        last.push(byte);
    }
}

/// 32 bytes of URL-safe base64, with or without padding.
fn base64_url(text: &[u8]) -> Option<[u8; 32]> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);
    URL.decode(text).ok()?.try_into().ok()
}

/// Name and version from the headers of METADATA, which end at an empty line.
pub(super) fn name_and_version(text: &[u8]) -> (Option<String>, Option<String>) {
    let (mut name, mut version) = (None, None);
    for line in text.split(|&b| b == b'\n') {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            break;
        }
        let value = |header: &str| {
            let (head, value) = line.split_at_checked(header.len())?;
            let matches = head.eq_ignore_ascii_case(header.as_bytes());
            matches.then(|| String::from_utf8_lossy(value.trim_ascii()).into_owned())
        };
        name = name.or_else(|| value("Name:"));
        version = version.or_else(|| value("Version:"));
    }
    (name, version)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The digest of nothing at all.
    const EMPTY: &str = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

    #[test]
    fn rows_are_csv_with_quotes() {
        let text =
            format!("a.py,{EMPTY},0\r\n\"b,\"\"c\"\".py\",,\nd.pyc,md5=x,12\n\n\"open, never closed,\n,\n");
        let rows = rows(text.as_bytes());
        let paths: Vec<_> = rows
            .iter()
            .map(|row| row.path.escape_ascii().to_string())
            .collect();
        assert_eq!(
            paths,
            ["a.py", "b,\\\"c\\\".py", "d.pyc", "open, never closed,\\n,\\n"]
        );
        let digest = rows[0].sha256.unwrap();
        assert_eq!((digest[0], digest[1], digest[31]), (0xe3, 0xb0, 0x55));
        assert_eq!(
            (rows[0].size, rows[1].size, rows[2].size),
            (Some(0), None, Some(12))
        );
        assert_eq!(rows[2].sha256, None);
    }

    #[test]
    fn what_is_no_record_is_no_trouble() {
        for text in [
            &b""[..],
            b"\"",
            b",,,,,,,",
            b"\0\xff\r\r\r",
            b"a,sha256=!!!,99999999999999999999999",
        ] {
            for row in rows(text) {
                assert_eq!((row.sha256, row.size), (None, None));
            }
        }
        let many = b"x,".repeat(100_000);
        assert_eq!(rows(&many).len(), 1);
    }

    #[test]
    fn headers_end_at_an_empty_line() {
        let text = b"Metadata-Version: 2.1\r\nname: NumPy\r\n\r\nVersion: not this\n";
        assert_eq!(name_and_version(text), (Some("NumPy".to_owned()), None));
        assert_eq!(name_and_version(b"\xff\xfe"), (None, None));
    }
}
