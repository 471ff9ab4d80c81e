//! Standard output: buffered, coloured where a person reads it, and closed at any time by whoever has
//! seen enough.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::process::ExitCode;

use super::failure::Failure;
use super::printable::printable;

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

    /// Whether a person reads it.
    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
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

    /// Text that a terminal shows in red: what fails.
    pub(super) fn red(&mut self, text: &str) -> io::Result<()> {
        self.coloured("1;31", text)
    }

    /// Text that a terminal shows in yellow: what may fail.
    pub(super) fn yellow(&mut self, text: &str) -> io::Result<()> {
        self.coloured("33", text)
    }

    /// Text that a terminal shows in green: what has passed.
    pub(super) fn green(&mut self, text: &str) -> io::Result<()> {
        self.coloured("32", text)
    }

    /// Text that a terminal shows in blue: what is worth knowing.
    pub(super) fn blue(&mut self, text: &str) -> io::Result<()> {
        self.coloured("34", text)
    }

    /// Text that a terminal shows in a colour, named by its number (ECMA-48, 8.3.117).
    pub(super) fn coloured(&mut self, code: &str, text: &str) -> io::Result<()> {
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

/// Does the same for each path. One that fails is reported and the others are done all the same: the
/// status is that of the last failure, else 1 where one answer was no.
pub(super) fn each<T>(
    out: &mut Out,
    items: impl IntoIterator<Item = T>,
    mut body: impl FnMut(&mut Out, T) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    let (mut answer, mut failed) = (ExitCode::SUCCESS, None);
    for item in items {
        match body(out, item) {
            Ok(code) if code == ExitCode::SUCCESS => {}
            Ok(code) => answer = code,
            Err(failure) if failure.is_broken_pipe() => return Err(failure),
            Err(failure) => {
                out.flush()?;
                failed = Some(failure.report());
            }
        }
    }
    Ok(failed.unwrap_or(answer))
}
