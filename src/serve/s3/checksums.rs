//! What clients say of the bytes that they send, and whether it is true.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc32fast::Hasher as Crc32;
use hyper::HeaderMap;
use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::fault::S3Fault;

const CONTENT_SHA256: &str = "x-amz-content-sha256";
const CRC32: &str = "x-amz-checksum-crc32";
const SHA256: &str = "x-amz-checksum-sha256";
const CONTENT_MD5: &str = "content-md5";

/// Sums of what comes.
pub(super) struct Checksums {
    md5: Md5,
    crc32: Crc32,
    /// Only where a client speaks of it: it takes longest.
    sha256: Option<Sha256>,
    claimed: Vec<(&'static str, String)>,
}

impl Checksums {
    /// With all that the head of a request claims.
    pub(super) fn of(headers: &HeaderMap) -> Checksums {
        let mut claimed = Vec::new();
        for name in [CONTENT_SHA256, CRC32, SHA256, CONTENT_MD5] {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            claimed.extend(value.map(|value| (name, value.trim().to_owned())));
        }
        // Names of ways to sign, in the place of a sum.
        claimed.retain(|(name, value)| *name != CONTENT_SHA256 || value.len() == 64);
        // What trails is not known yet.
        let trails = headers.get("x-amz-trailer").and_then(|value| value.to_str().ok());
        let wants_sha256 = claimed.iter().any(|(name, _)| name.ends_with("sha256"))
            || trails.is_some_and(|trails| trails.to_ascii_lowercase().contains(SHA256));
        Checksums {
            md5: Md5::new(),
            crc32: Crc32::new(),
            sha256: wants_sha256.then(Sha256::new),
            claimed,
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.crc32.update(bytes);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
    }

    /// What a trailer claims.
    pub(super) fn claim(&mut self, name: &str, value: &str) {
        for known in [CRC32, SHA256] {
            if name.eq_ignore_ascii_case(known) {
                self.claimed.push((known, value.trim().to_owned()));
            }
        }
    }

    /// The MD5 in hexadecimal digits, if all that was claimed is true.
    pub(super) fn end(self) -> Result<String, S3Fault> {
        let md5 = self.md5.finalize();
        let crc32 = self.crc32.finalize().to_be_bytes();
        let sha256 = self.sha256.map(|sha256| sha256.finalize());
        for (name, value) in &self.claimed {
            let true_value = match (*name, &sha256) {
                (CONTENT_MD5, _) => STANDARD.encode(md5),
                (CRC32, _) => STANDARD.encode(crc32),
                (SHA256, Some(sha256)) => STANDARD.encode(sha256),
                (_, Some(sha256)) => hexadecimal(sha256),
                (_, None) => continue,
            };
            if *value != true_value {
                return Err(S3Fault::bad_digest(name));
            }
        }
        Ok(hexadecimal(&md5))
    }
}

/// The ETag of an object that came in parts of these ETags.
pub(super) fn etag_of_parts<'a>(etags: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = etags.len();
    let mut all = Md5::new();
    for etag in etags {
        let digits = etag.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Vec<u8> = digits.filter_map(byte).collect();
        all.update(bytes);
    }
    format!("{}-{count}", hexadecimal(&all.finalize()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(name: &'static str, value: &str) -> Result<String, S3Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        let mut sums = Checksums::of(&headers);
        sums.update(b"a");
        sums.update(b"bc");
        sums.end()
    }

    #[test]
    fn what_a_client_claims_is_checked() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for (name, right) in [
            (CONTENT_MD5, "kAFQmDzST7DWlj99KOF/cg=="),
            (CRC32, "NSRBwg=="),
            (SHA256, "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
            (CONTENT_SHA256, hex),
            (CONTENT_SHA256, "UNSIGNED-PAYLOAD"),
        ] {
            assert_eq!(
                checked(name, right).unwrap(),
                "900150983cd24fb0d6963f7d28e17f72",
                "{name}"
            );
        }
        for name in [CONTENT_MD5, CRC32, SHA256] {
            assert!(checked(name, "AAAAAA==").is_err(), "{name}");
        }
        assert!(checked(CONTENT_SHA256, &hex.replace('b', "c")).is_err());
    }

    /// As S3 documents it, and aws s3 cp expects.
    #[test]
    fn the_etag_of_parts_is_the_md5_of_their_md5s() {
        let etag = "900150983cd24fb0d6963f7d28e17f72";
        assert_eq!(
            etag_of_parts([etag, etag].into_iter()),
            "043a916d6cfeecedf5e04f0312ba762d-2"
        );
    }
}
