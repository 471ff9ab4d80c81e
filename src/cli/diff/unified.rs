//! The lines of one file that differ, in the form that `patch` takes.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use similar::TextDiff;

use super::{Compared, kind};
use crate::cli::failure::{Class, Failure};
use crate::cli::printable::printable;
use crate::cli::stack_view::below_home;
use crate::cli::terminal::{Out, each, print};
use crate::explain::{self, Kind};
use crate::fs::{FsError, MAX_READ_BYTES};
use crate::path::RelPath;

/// Files up to this size are compared line by line.
const TEXT_BYTES: u64 = 16 << 20;
/// So much of a file has to be without NUL for it to be a text.
const HEAD_BYTES: usize = 8 << 10;
/// From then on the lines that differ are found quickly rather than well.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn run(sides: &[Compared<'_>; 2], paths: &[PathBuf]) -> Result<ExitCode, Failure> {
    print(|out| each(out, paths, |out, path| file(out, sides, path)))
}

/// What one side has at the path.
enum Found {
    Nothing,
    Bytes(Vec<u8>),
    TooLarge,
    Other(Kind),
}

fn file(out: &mut Out, sides: &[Compared<'_>; 2], typed: &Path) -> Result<ExitCode, Failure> {
    let inside = below_home(typed);
    let refuse =
        |class, why: &dyn std::fmt::Display| Failure::new(class, format_args!("{}: {why}", typed.display()));
    let path = RelPath::check(&inside).map_err(|error| refuse(Class::Usage, &error))?;
    let found = [sides[0].bytes(&path), sides[1].bytes(&path)];
    let [before, after] = found.map(|found| found.map_err(|why| refuse(Class::Trouble, &why)));
    let name = printable(path.as_bytes()).into_owned();
    let differs = ExitCode::from(Class::No as u8);
    let (before, after) = match (before?, after?) {
        (Found::Nothing, Found::Nothing) => {
            return Err(refuse(Class::Trouble, &"no such file on either side")
                .hint("'optfs diff' without --unified lists what differs"));
        }
        (Found::Other(Kind::Directory), _) | (_, Found::Other(Kind::Directory)) => {
            return Err(refuse(Class::Trouble, &"is a directory")
                .hint("--unified compares files; 'optfs diff' without it lists what differs"));
        }
        (Found::Other(one), Found::Other(other)) if one == other => {
            return Err(
                refuse(Class::Trouble, &format_args!("a {} has no lines", kind(one)))
                    .hint("'optfs diff' without --unified compares it"),
            );
        }
        (Found::TooLarge, _) | (_, Found::TooLarge) => {
            return Err(refuse(
                Class::Trouble,
                &"too large to be compared line by line, 16 MiB is the limit",
            )
            .hint("'optfs diff' without --unified says whether it differs"));
        }
        (Found::Other(one), other) => return say(out, &name, kind(one), word(&other)).map(|()| differs),
        (one, Found::Other(other)) => return say(out, &name, word(&one), kind(other)).map(|()| differs),
        both => both,
    };
    let (old, new) = (bytes(&before), bytes(&after));
    if matches!((&before, &after), (Found::Bytes(old), Found::Bytes(new)) if old == new) {
        return Ok(ExitCode::SUCCESS);
    }
    let is_binary = |bytes: &[u8]| bytes[..bytes.len().min(HEAD_BYTES)].contains(&0);
    if is_binary(old) || is_binary(new) {
        writeln!(out, "{name}: binary files differ")?;
        return Ok(differs);
    }
    header(
        out,
        "--- ",
        matches!(before, Found::Bytes(_)).then_some(b"a/"),
        path.as_bytes(),
    )?;
    header(
        out,
        "+++ ",
        matches!(after, Found::Bytes(_)).then_some(b"b/"),
        path.as_bytes(),
    )?;
    let lines = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    let mut hunks = Vec::new();
    lines.unified_diff().to_writer(&mut hunks)?;
    for line in hunks.split_inclusive(|&byte| byte == b'\n') {
        show(out, line)?;
    }
    Ok(differs)
}

fn say(out: &mut Out, name: &str, before: &str, after: &str) -> Result<(), Failure> {
    Ok(writeln!(out, "{name}: {before} → {after}")?)
}

fn word(found: &Found) -> &'static str {
    match found {
        Found::Nothing => "nothing",
        Found::Bytes(_) | Found::TooLarge => "file",
        Found::Other(other) => kind(*other),
    }
}

fn bytes(found: &Found) -> &[u8] {
    match found {
        Found::Bytes(bytes) => bytes,
        Found::Nothing | Found::TooLarge | Found::Other(_) => b"",
    }
}

fn header(out: &mut Out, sign: &str, prefix: Option<&[u8; 2]>, path: &[u8]) -> Result<(), Failure> {
    out.bold(sign)?;
    match prefix {
        Some(prefix) => out.name(&[prefix.as_slice(), path].concat())?,
        None => write!(out, "/dev/null")?,
    }
    Ok(writeln!(out)?)
}

/// A line as it is for a pipe; for a person in colour, and unable to move the cursor.
fn show(out: &mut Out, line: &[u8]) -> Result<(), Failure> {
    if !out.is_terminal() {
        return Ok(out.write_all(line)?);
    }
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    let text: Vec<_> = text.split(|&byte| byte == b'\t').map(printable).collect();
    let text = text.join("\t");
    match line.first() {
        Some(b'+') => out.coloured("32", &text)?,
        Some(b'-') => out.coloured("31", &text)?,
        Some(b'@') => out.coloured("36", &text)?,
        _ => write!(out, "{text}")?,
    }
    Ok(writeln!(out)?)
}

impl Compared<'_> {
    fn bytes(&self, path: &RelPath<'_>) -> Result<Found, String> {
        let Some(at) = explain::find(self.tree(), path.parts()) else {
            return Ok(Found::Nothing);
        };
        let facts = self.tree().facts(at);
        match facts.kind {
            Kind::File if facts.size > TEXT_BYTES => Ok(Found::TooLarge),
            Kind::File => self.read(at).map(Found::Bytes),
            other => Ok(Found::Other(other)),
        }
    }

    fn read(&self, at: usize) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        match self {
            Compared::Directory(listed) => {
                let file = listed.open(at).map_err(|error| error.to_string())?;
                let read = file.take(TEXT_BYTES).read_to_end(&mut bytes);
                read.map_err(|error| error.to_string())?;
            }
            Compared::Stack(view, _) => {
                let unsaid = |error: FsError| error.to_string();
                let node = view.stack().node_at(at).ok_or("no such node")?;
                let ino = view.fs.attr(node).ino;
                loop {
                    let offset = bytes.len() as u64;
                    let take = |piece: &[u8]| {
                        bytes.extend_from_slice(piece);
                        piece.len()
                    };
                    let read = view.fs.read(ino, offset, MAX_READ_BYTES, take).map_err(unsaid)?;
                    if read == 0 {
                        break;
                    }
                }
            }
        }
        Ok(bytes)
    }
}
