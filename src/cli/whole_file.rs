//! A file that is written whole or not at all: whoever reads it finds the old one or the new one.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::failure::{Class, Failure};

/// Writes beside the file's place and renames. What is no ordinary file, such as /dev/stdout, is written to as it is.
pub(super) fn write(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let trouble =
        |why: &dyn std::fmt::Display| Failure::new(Class::Trouble, format_args!("{}: {why}", path.display()));
    if path.is_dir() {
        return Err(trouble(&"is a directory").hint("name a file in it"));
    }
    replace(path, text).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => trouble(&"the directory is missing").hint("make it first"),
        _ => trouble(&e).hint("name a file that can be written"),
    })
}

/// The same for who has looked at what is there, and says by itself what went wrong.
pub(super) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let is_special = fs::metadata(path).is_ok_and(|meta| !meta.is_file());
    // A link stays, and what it leads to is replaced.
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let Some(name) = place.file_name().filter(|_| !is_special) else {
        return fs::write(path, text);
    };
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}", std::process::id()));
    let beside = place.with_file_name(beside);
    // What is there is left over from another process of this number, or a trap.
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
    let written = file.write_all(text).and_then(|()| fs::rename(&beside, &place));
    if written.is_err() {
        // The first error says more than this one could.
        let _ = fs::remove_file(&beside);
    }
    written
}
