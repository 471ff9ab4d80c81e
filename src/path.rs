//! Names that passed the door: raw bytes in, a checked relative path out.
//!
//! Owns what a legal name is. Knows nothing of zips, layers or filesystems: whoever decodes a name
//! (its charset, its field) hands the bytes here, and nobody below checks again.

use std::borrow::Cow;

use thiserror::Error;

/// The longest part of a path that Linux filesystems accept, in bytes (`NAME_MAX`).
pub const MAX_PART_BYTES: usize = 255;

/// A relative path of one or more parts, joined by single slashes.
///
/// No part is empty, `.`, `..`, longer than [`MAX_PART_BYTES`], or contains NUL. A path of many parts
/// may be longer than `PATH_MAX`: the kernel asks for one part at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelPath<'a>(Cow<'a, [u8]>);

/// Why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameError {
    /// A part is `..`: it would point outside the tree or beside itself.
    #[error("the name has a '..' part")]
    DotDot,
    /// NUL ends a name for the kernel, so what follows it would be hidden.
    #[error("the name contains a NUL byte")]
    Nul,
    /// No Linux filesystem could have stored it.
    #[error("a part of the name has {0} bytes, 255 is the limit")]
    LongPart(usize),
    /// Longer than an index can say, 65,535 bytes.
    #[error("the name has {0} bytes, 65535 is the limit")]
    TooLong(usize),
    /// Only slashes and dots, or nothing at all.
    #[error("the name is empty once '/' and '.' are folded away")]
    Empty,
}

impl<'a> RelPath<'a> {
    /// Checks a name and folds away what means nothing: leading slashes, doubled slashes, `.` parts
    /// and a trailing slash.
    ///
    /// Semantics decision: (3) names are bytes. Leading `/`, `.` parts and doubled `/` are folded away;
    /// a name with a `..` part, NUL, a part over 255 bytes, or nothing left is refused. A backslash is
    /// an ordinary character, as it was for the Linux tools that extract layers.
    pub fn check(raw: &'a [u8]) -> Result<RelPath<'a>, NameError> {
        let undelimited = raw.strip_suffix(b"/").unwrap_or(raw);
        if is_plain(undelimited) {
            return Ok(RelPath(Cow::Borrowed(undelimited)));
        }
        if raw.contains(&0) {
            return Err(NameError::Nul);
        }
        let trimmed = trim_slashes(raw);
        let mut folded = false;
        for part in trimmed.split(|&b| b == b'/') {
            match part {
                b".." => return Err(NameError::DotDot),
                b"" | b"." => folded = true,
                long if long.len() > MAX_PART_BYTES => return Err(NameError::LongPart(long.len())),
                _ => {}
            }
        }
        if !folded {
            return Ok(RelPath(Cow::Borrowed(trimmed)));
        }
        let mut kept = Vec::with_capacity(trimmed.len());
        for part in trimmed
            .split(|&b| b == b'/')
            .filter(|part| !part.is_empty() && *part != b".")
        {
            if !kept.is_empty() {
                kept.push(b'/');
            }
            kept.extend_from_slice(part);
        }
        if kept.is_empty() {
            Err(NameError::Empty)
        } else {
            Ok(RelPath(Cow::Owned(kept)))
        }
    }

    /// The path as bytes, without a leading or trailing slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The parts, first to last.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/')
    }
}

/// Whether a name is a legal path as it stands, for almost all names are. It may say no to one that is,
/// such as `a/.b`. Byte by byte and without a branch, so that it is compiled to a few wide instructions.
fn is_plain(raw: &[u8]) -> bool {
    let (Some(first), Some(last)) = (raw.first(), raw.last()) else {
        return false;
    };
    let mut odd = matches!(first, b'/' | b'.') | matches!(last, 0 | b'/') | (raw.len() > MAX_PART_BYTES);
    for (&byte, &next) in raw.iter().zip(&raw[1..]) {
        odd |= (byte == 0) | ((byte == b'/') & ((next == b'/') | (next == b'.')));
    }
    !odd
}

fn trim_slashes(raw: &[u8]) -> &[u8] {
    let start = raw.iter().position(|&b| b != b'/').unwrap_or(raw.len());
    let end = raw
        .iter()
        .rposition(|&b| b != b'/')
        .map_or(start, |last| last + 1);
    &raw[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(raw: &[u8]) -> Vec<u8> {
        RelPath::check(raw).unwrap().as_bytes().to_vec()
    }

    #[test]
    fn what_means_nothing_is_folded_away() {
        for (raw, kept) in [
            (&b"a/b"[..], &b"a/b"[..]),
            (b"/etc/x", b"etc/x"),
            (b"//x", b"x"),
            (b"./a", b"a"),
            (b"b/./c", b"b/c"),
            (b"d//e", b"d/e"),
            (b"d/", b"d"),
            (b"d//", b"d"),
            (b"a/.b", b"a/.b"),
            (b".a/b./c..", b".a/b./c.."),
            (b"a\\b", b"a\\b"),
            (b".wh.x", b".wh.x"),
            (b"...", b"..."),
            (b"caf\xe9", b"caf\xe9"),
        ] {
            assert_eq!(folded(raw), kept, "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn what_could_escape_or_lie_is_refused() {
        for (raw, reason) in [
            (&b"../x"[..], NameError::DotDot),
            (b"a/../b", NameError::DotDot),
            (b"a/..", NameError::DotDot),
            (b"nu\0l", NameError::Nul),
            (b"\0", NameError::Nul),
            (b"nul\0", NameError::Nul),
            (b"nul\0/", NameError::Nul),
            (b"..", NameError::DotDot),
            (b"../", NameError::DotDot),
            (b"//", NameError::Empty),
            (b"", NameError::Empty),
            (b"/", NameError::Empty),
            (b"./.", NameError::Empty),
        ] {
            assert_eq!(RelPath::check(raw), Err(reason), "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn a_part_may_have_255_bytes_and_no_more() {
        assert!(RelPath::check(&[b'x'; 255]).is_ok());
        assert_eq!(RelPath::check(&[b'x'; 256]), Err(NameError::LongPart(256)));
        let long = [b"a/".repeat(10_000), b"z".to_vec()].concat();
        assert_eq!(RelPath::check(&long).unwrap().parts().count(), 10_001);
    }
}
