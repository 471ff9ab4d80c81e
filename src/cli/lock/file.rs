//! The lock file: TOML, one thing a line, in the order of the paths' bytes, so that two of them can be compared
//! as text. docs/lock.md is the format.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use thiserror::Error;

use crate::explain::digest::{Digest, Record};
use crate::explain::lock::{Depth, Lock, Pin};

/// Version of the format.
const VERSION: i64 = 1;

/// Why a file is no lock file that can be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum FileError {
    /// Another one than ours.
    #[error("a lock file of version {0}, and this optfs knows version {VERSION}")]
    Version(i64),
    /// Anything else.
    #[error("not a lock file: {0}")]
    Garbage(String),
}

#[derive(Deserialize)]
struct Head {
    version: i64,
    #[serde(rename = "view")]
    _view: String,
}

#[derive(Deserialize)]
struct Whole {
    view: String,
    depth: DepthText,
    #[serde(default)]
    layer: Vec<LayerText>,
    #[serde(default)]
    paths: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum DepthText {
    Levels(u32),
    Word(String),
}

#[derive(Deserialize)]
struct LayerText {
    name: String,
    size: u64,
    sha256: String,
}

/// The text of a lock file.
pub(super) fn write(lock: &Lock) -> String {
    let mut text = String::from(
        "# Written by 'optfs lock'; 'optfs lock --check' says what has changed since. The format: docs/lock.md\n",
    );
    let depth = match lock.depth {
        Depth::Directories(levels) => levels.to_string(),
        Depth::Full => "\"full\"".to_owned(),
    };
    line(
        &mut text,
        format_args!("version = {VERSION}\nview = \"{}\"\ndepth = {depth}", lock.view),
    );
    for layer in &lock.layers {
        let Pin { name, size, sha256 } = layer;
        line(
            &mut text,
            format_args!("\n[[layer]]\nname = \"{}\"\nsize = {size}", escaped(name)),
        );
        line(
            &mut text,
            format_args!("sha256 = \"{sha256}\"\ncode_sha256 = \"{}\"", sha256.base64()),
        );
    }
    line(&mut text, format_args!("\n[paths]"));
    for (path, record) in &lock.paths {
        line(&mut text, format_args!("\"{}\" = \"{record}\"", escaped(path)));
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

/// Reads a lock file.
pub(super) fn read(text: &[u8]) -> Result<Lock, FileError> {
    let garbage = |why: &dyn std::fmt::Display| FileError::Garbage(why.to_string());
    let text = std::str::from_utf8(text).map_err(|_| garbage(&"it is not text"))?;
    let head: Head = parse(text)?;
    if head.version != VERSION {
        return Err(FileError::Version(head.version));
    }
    let whole: Whole = parse(text)?;
    let digest = |text: &str| -> Result<Digest, FileError> {
        text.parse()
            .map_err(|_| garbage(&format_args!("'{text}' is no SHA-256")))
    };
    let depth = match whole.depth {
        DepthText::Levels(levels) => Depth::Directories(levels),
        DepthText::Word(word) if word == "full" => Depth::Full,
        DepthText::Word(word) => {
            return Err(garbage(&format_args!(
                "depth '{word}' is neither a number nor full"
            )));
        }
    };
    let layers = whole.layer.iter().map(|layer| {
        Ok(Pin {
            name: bytes(&layer.name),
            size: layer.size,
            sha256: digest(&layer.sha256)?,
        })
    });
    let paths = whole.paths.iter().map(|(path, record)| {
        let record: Record = record.parse().map_err(|_| {
            garbage(&format_args!(
                "'{path}' is '{record}', not a kind, a mode and a SHA-256"
            ))
        })?;
        Ok((bytes(path), record))
    });
    Ok(Lock {
        view: digest(&whole.view)?,
        layers: layers.collect::<Result<_, _>>()?,
        depth,
        paths: paths.collect::<Result<_, _>>()?,
    })
}

/// Whether optfs wrote this, now or in years to come.
pub(super) fn is_of_any_version(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| parse::<Head>(text).is_ok())
}

fn parse<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, FileError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..at]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count()
            + 1;
        FileError::Garbage(format!("line {line}: {}", error.message()))
    })
}

/// A name as TOML can hold it between quotes: what is no UTF-8, control characters, `"`, `\` and `%` become
/// `%` and two hexadecimal digits.
fn escaped(name: &[u8]) -> String {
    let mut text = String::new();
    let escape = |text: &mut String, bytes: &[u8]| {
        for byte in bytes {
            let _ = write!(text, "%{byte:02x}");
        }
    };
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c.is_control() || matches!(c, '"' | '\\' | '%') {
                true => escape(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes()),
                false => text.push(c),
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

/// The name that was escaped. A `%` that nothing follows stands for itself.
fn bytes(text: &str) -> Vec<u8> {
    let mut name = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(|_| first == b'%') {
            Some(byte) => {
                name.push(byte);
                rest = &behind[2..];
            }
            None => {
                name.push(first);
                rest = behind;
            }
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::EntryKind;

    fn lock(depth: Depth) -> Lock {
        let record = Record {
            kind: EntryKind::Directory,
            mode: 0o755,
            digest: Digest([7; 32]),
        };
        let names: [&[u8]; 4] = [b"python", b"100%", b"caf\xe9 \"q\" \\ \x1b\n", "café".as_bytes()];
        Lock {
            view: Digest([1; 32]),
            layers: vec![Pin {
                name: b"a.zip".to_vec(),
                size: u64::MAX >> 1,
                sha256: Digest([2; 32]),
            }],
            depth,
            paths: names.iter().map(|name| (name.to_vec(), record)).collect(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for depth in [Depth::Directories(3), Depth::Full] {
            let text = write(&lock(depth));
            assert_eq!(read(text.as_bytes()).unwrap(), lock(depth), "{text}");
        }
    }

    #[test]
    fn what_is_no_lock_file_is_refused_with_a_reason() {
        let good = write(&lock(Depth::Full));
        let zip = b"PK\x03\x04\xff\xfe";
        for (text, reason) in [
            (&zip[..], "not text"),
            (b"", "line 1: missing field `version`"),
            (b"[package]\nname = \"x\"\n", "missing field `version`"),
            (
                good.replace("version = 1", "version = 7").as_bytes(),
                "of version 7",
            ),
            (
                good.replace("view = \"01", "view = \"0x").as_bytes(),
                "no SHA-256",
            ),
            (
                good.replace("directory 0755", "pipe 0755").as_bytes(),
                "not a kind",
            ),
            (good.replace("\"full\"", "\"half\"").as_bytes(), "depth 'half'"),
            (&good.as_bytes()[..good.len() - 9], "line "),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{reason}: {error}");
        }
    }
}
