//! What may be printed: names from archives made safe for a terminal, and standard output that may
//! close at any time.

use std::borrow::Cow;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::process::ExitCode;

use super::failure::Failure;

/// Standard output, buffered, knowing whether a person reads it.
pub(super) struct Out {
    stdout: BufWriter<StdoutLock<'static>>,
    is_terminal: bool,
    colours: bool,
}

impl Out {
    pub(super) fn new() -> Out {
        let stdout = io::stdout().lock();
        let is_terminal = stdout.is_terminal();
        // https://no-color.org: present and not empty.
        let colours = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Out {
            stdout: BufWriter::with_capacity(1 << 16, stdout),
            is_terminal,
            colours,
        }
    }

    /// A name as it is for a pipe; on a terminal with control characters and broken UTF-8 escaped.
    pub(super) fn name(&mut self, name: &[u8]) -> io::Result<()> {
        match self.is_terminal {
            true => self.write_all(printable(name).as_bytes()),
            false => self.write_all(name),
        }
    }

    /// Text that a terminal shows dimmed.
    pub(super) fn dim(&mut self, text: &str) -> io::Result<()> {
        self.coloured("2", text)
    }

    /// Text that a terminal shows in bold.
    pub(super) fn bold(&mut self, text: &str) -> io::Result<()> {
        self.coloured("1", text)
    }

    fn coloured(&mut self, code: &str, text: &str) -> io::Result<()> {
        match self.colours {
            true => write!(self, "\x1b[{code}m{text}\x1b[0m"),
            false => self.write_all(text.as_bytes()),
        }
    }
}

impl Write for Out {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stdout.write(buf).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush().map_err(named)
    }
}

/// A full disk behind standard output is no trouble with the layers: the message says whose it is.
fn named(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("standard output: {error}"))
}

/// A name in which nothing can move the cursor: control characters and bytes that are no UTF-8 become
/// `\n`, `\x1b` and the like.
pub(super) fn printable(name: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(name) {
        Ok(text) if !text.chars().any(is_unsafe) => Cow::Borrowed(text),
        _ => {
            let mut safe = String::new();
            for chunk in name.utf8_chunks() {
                for c in chunk.valid().chars() {
                    match is_unsafe(c) {
                        true => safe.extend(c.escape_default()),
                        false => safe.push(c),
                    }
                }
                safe.push_str(&chunk.invalid().escape_ascii().to_string());
            }
            Cow::Owned(safe)
        }
    }
}

/// Control characters, and those that reorder or hide what stands beside them (Unicode TR 36, 2.10).
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Runs a command that prints. A reader who has seen enough and closes the pipe is a quiet end.
pub(super) fn print(body: impl FnOnce(&mut Out) -> Result<ExitCode, Failure>) -> Result<ExitCode, Failure> {
    let mut out = Out::new();
    let result = body(&mut out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    match result {
        Err(failure) if failure.is_broken_pipe() => Ok(ExitCode::SUCCESS),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_can_move_the_cursor() {
        assert_eq!(printable("café ☕".as_bytes()), "café ☕");
        assert_eq!(printable(b"a\x1b[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable(b"caf\xe9"), "caf\\xe9");
        assert_eq!(printable("x\u{202e}gpj.exe".as_bytes()), "x\\u{202e}gpj.exe");
    }
}
