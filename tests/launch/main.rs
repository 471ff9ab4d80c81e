//! The three processes of `launch`, played by this very file: it executes itself as P, S and C.
//!
//! It has no test harness, because the harness has threads and unshare(CLONE_NEWUSER) refuses them. A scene
//! runs as root, when the tests do, and as an ordinary user. Most mount a tmpfs, where the question is who sees a
//! mount; those about the server's life mount FUSE and answer nothing.

#![allow(clippy::unwrap_used)]

mod roles;
mod scenes;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(code) = roles::play(&arguments) {
        return code;
    }
    let filter = arguments
        .iter()
        .filter_map(|argument| argument.to_str())
        .find(|text| !text.starts_with('-'));
    let mut failed = 0;
    for who in scenes::everybody() {
        for (name, scene) in scenes::ALL
            .iter()
            .filter(|(name, _)| filter.is_none_or(|part| name.contains(part)))
        {
            let result = catch_unwind(AssertUnwindSafe(|| scene(who)));
            println!(
                "test {who:?}::{name} ... {}",
                if result.is_ok() { "ok" } else { "FAILED" }
            );
            failed += usize::from(result.is_err());
        }
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
