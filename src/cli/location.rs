//! Where a file is, as a URL.

use std::path::Path;

/// A URL that leads to the zip without a server (RFC 8089).
pub(super) fn location(zip: &Path) -> String {
    let mut url = "file://".to_owned();
    for &byte in zip.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_url() {
        assert_eq!(
            location(Path::new("/a b/ü:1.zip")),
            "file:///a%20b/%C3%BC%3A1.zip"
        );
    }
}
