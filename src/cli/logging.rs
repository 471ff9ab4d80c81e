//! Where log lines go: to standard error while somebody watches, to the system log from the background.

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};

use env_logger::{Builder, Target};
use log::LevelFilter;

use super::Verbosity;
use super::printable::printable;
use crate::fuse::STATISTICS;

/// The socket of the system log (syslog(3)).
const SYSTEM_LOG: &str = "/dev/log";
/// Facility daemon (3), severity warning (4), as syslog writes them (RFC 3164, 4.1.1).
const PRIORITY: u8 = 3 << 3 | 4;

static IN_BACKGROUND: AtomicBool = AtomicBool::new(false);

/// Sends log lines to standard error: warnings, or as much as the flags or `OPTFS_LOG` ask for.
pub(super) fn begin(verbosity: Verbosity) {
    let level = match (verbosity.quiet, verbosity.verbose) {
        (true, _) => LevelFilter::Error,
        (false, 0) => LevelFilter::Warn,
        (false, 1) => LevelFilter::Info,
        (false, _) => LevelFilter::Debug,
    };
    let mut builder = Builder::new();
    let asked = std::env::var("OPTFS_LOG").unwrap_or_default();
    // What is typed now counts more than what was exported once.
    if verbosity.quiet || verbosity.verbose > 0 || asked.is_empty() {
        builder
            .filter_level(LevelFilter::Error)
            .filter_module("optfs", level);
        if verbosity.verbose > 1 {
            builder.filter_module("fuser", level);
        }
    } else {
        builder.parse_filters(&asked);
    }
    // Somebody has asked for them, by a signal.
    builder.filter_module(STATISTICS, LevelFilter::Info);
    builder
        .format(|out, record| {
            let level = record.level().as_str().to_lowercase();
            // Whoever names a file has not thought of terminals.
            let said = record.args().to_string();
            writeln!(out, "optfs: {level}: {}", printable(said.as_bytes()))
        })
        .target(Target::Pipe(Box::new(Lines)))
        .init();
}

/// From now on log lines go to the system log: nobody reads this process's standard error any more.
pub(super) fn go_to_background() {
    IN_BACKGROUND.store(true, Ordering::Relaxed);
}

/// Takes whole lines from the logger.
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if IN_BACKGROUND.load(Ordering::Relaxed) {
            // Where no system log listens, there is nobody to tell.
            let _ = send_to_system_log(line);
            return Ok(line.len());
        }
        io::stderr().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn send_to_system_log(line: &[u8]) -> io::Result<()> {
    let line = line.strip_prefix(b"optfs: ").unwrap_or(line);
    let mut message = format!("<{PRIORITY}>optfs[{}]: ", std::process::id()).into_bytes();
    message.extend_from_slice(line.trim_ascii_end());
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to(&message, SYSTEM_LOG)?;
    Ok(())
}
