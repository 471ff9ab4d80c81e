//! `optfs extract`: the merged tree on disk, for those who cannot mount, and to compare with a mount.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;

use super::Verbosity;
use super::bar::Bar;
use super::failure::{Class, Failure, sayable};
use super::layers::{self, StackArgs};
use super::printable::printable;
use super::size::human;
use crate::extract::{self, ExtractError, Progress, Report};
use crate::fs::{Fs, FsError, Options};

/// Hardly anything is read twice: enough for what the threads are at.
const CACHE_BYTES: u64 = 64 << 20;

/// Write the merged tree to disk, exactly what a mount shows
///
/// The directory is made when missing, and must be empty otherwise. Everything belongs to who extracts.
/// A file that cannot be served is left out and named; the others are written, and the exit status is 6.
#[derive(Args)]
#[command(override_usage = "optfs extract [OPTIONS] LAYER.zip... DIR\n       \
                            optfs extract [OPTIONS] --stack FILE DIR")]
pub(super) struct ExtractArgs {
    /// Layer zips, first to last, and at the end the directory to write into
    #[arg(required = true, value_name = "LAYER.zip... DIR", hide_possible_values = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    stack: StackArgs,
    /// No progress bar [default: one, on a terminal]
    #[arg(long)]
    no_progress: bool,
}

pub(super) fn run(args: &ExtractArgs, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    let begin = Instant::now();
    let (plain, dir) = split_off_directory(&args.paths)?;
    let stack = layers::open(&args.stack.paths(plain)?)?;
    let shown = Options {
        cache_capacity_bytes: CACHE_BYTES,
        ..Options::default()
    };
    let fs = Fs::new(Arc::new(stack), shown);
    let bar = Bar::new(args.no_progress, verbosity);
    let written = extract::write(&fs, dir, extract::Options::default(), &bar);
    bar.end();
    let report = written.map_err(|error| explain(&error, dir))?;
    if !verbosity.quiet {
        eprintln!("optfs: {}", summary(&report, begin.elapsed()));
    }
    match report.left_out {
        0 => Ok(ExitCode::SUCCESS),
        n => Err(Failure::new(
            Class::Trouble,
            format_args!(
                "{n} of the files cannot be served and are not in {}",
                dir.display()
            ),
        )),
    }
}

fn split_off_directory(paths: &[PathBuf]) -> Result<(&[PathBuf], &Path), Failure> {
    let Some((dir, layers)) = paths.split_last() else {
        return Err(Failure::new(Class::Usage, "no directory is named"));
    };
    if dir.is_file() {
        let message = format!(
            "{}: a file, and the last argument is where to extract",
            dir.display()
        );
        return Err(Failure::new(Class::MountPoint, message)
            .hint("end the command with a directory: optfs extract LAYER.zip... DIR"));
    }
    Ok((layers, dir))
}

fn explain(error: &ExtractError, dir: &Path) -> Failure {
    // Names from archives are in it.
    let message = printable(error.to_string().as_bytes()).into_owned();
    match error {
        ExtractError::Target { .. } => Failure::new(Class::MountPoint, message),
        ExtractError::NotEmpty(_) => Failure::new(Class::MountPoint, message)
            .hint("name a new directory, or empty this one: nothing in it is overwritten"),
        ExtractError::Write { .. } => Failure::new(Class::Trouble, message).hint(format_args!(
            "{} is incomplete: remove it, and extract again",
            dir.display()
        )),
    }
}

fn summary(report: &Report, elapsed: Duration) -> String {
    let Report {
        directories,
        files,
        symlinks,
        bytes,
        ..
    } = report;
    let (size, seconds) = (human(*bytes), elapsed.as_secs_f64());
    format!("{files} files, {symlinks} symlinks, {directories} directories, {size} in {seconds:.2} s")
}

impl Progress for Bar {
    fn begins(&self, declared_bytes: u64) {
        self.0.set_length(declared_bytes);
    }

    fn wrote(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn left_out(&self, why: &FsError) {
        self.0
            .suspend(|| eprintln!("optfs: {}", sayable(&why.to_string())));
    }
}
