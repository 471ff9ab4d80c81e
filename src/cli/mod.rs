//! Arguments, printing, progress and exit codes.

use std::process::ExitCode;

/// Runs the `optfs` command line and returns its exit status.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
