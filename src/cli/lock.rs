//! `optfs lock`: what a stack is made of and shows, written down, and checked later.

mod check;
mod file;

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::Verbosity;
use super::bar::Bar;
use super::failure::{Class, Failure};
use super::hash;
use super::layers::StackArgs;
use super::size::counted;
use super::stack_view::View;
use super::terminal::print;
use super::whole_file;
use crate::explain::digest::Digests;
use crate::explain::lock::{self, Depth, Lock, Pin};
use file::FileError;

/// Write down what a stack is made of, or check that it is still so
///
/// The file holds the digest of each layer's zip and of what the stack shows, and those of its directories
/// down to some level, by which --check tells where something has changed; docs/lock.md is the format. Exit
/// status of --check: 0 nothing has changed, 1 something has.
#[derive(Args)]
pub(super) struct LockArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// The lock file; '-' writes it to standard output
    #[arg(long, short = 'F', value_name = "FILE", default_value = "optfs.lock")]
    file: PathBuf,
    /// Say what has changed since the file was written, and write nothing
    #[arg(long)]
    check: bool,
    /// Let only what the stack shows count, not the bytes, names and order of its zips
    #[arg(long, requires = "check")]
    view: bool,
    /// Levels of directories that are listed
    #[arg(long, value_name = "LEVELS", default_value = "3", conflicts_with = "check")]
    depth: u32,
    /// List everything, so that --check names each file
    #[arg(long, conflicts_with_all = ["check", "depth"])]
    full: bool,
    /// One JSON object
    #[arg(long, requires = "check")]
    json: bool,
    /// No progress bar [default: one, on a terminal]
    #[arg(long)]
    no_progress: bool,
}

pub(super) fn run(args: &LockArgs, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    let is_stdout = args.file.as_os_str() == "-";
    // The file is read first: what is wrong with it is said before the work is done.
    let locked = match (args.check, is_stdout) {
        (true, _) => Some(read(&args.file)?),
        (false, true) => None,
        (false, false) => refuse_other_files(&args.file).map(|()| None)?,
    };
    let view = hash::open(&args.stack)?;
    let bar = Bar::new(args.no_progress, verbosity);
    let pins = lock::pins(view.stack(), &bar).map_err(|error| {
        bar.end();
        let path = view.stack().layer(error.layer).path().display();
        Failure::new(Class::Layer, format_args!("{path}: {}", error.why))
            .hint("run it again when nobody writes to the layer")
    })?;
    let digests = hash::whole(&view, &bar)?;
    if let Some(locked) = locked {
        let found = put_together(&view, &digests, pins, locked.depth)?;
        let check = check::Check {
            args,
            view: &view,
            digests: &digests,
            locked: &locked,
            found: &found,
        };
        return check.run();
    }
    let depth = match args.full {
        true => Depth::Full,
        false => Depth::Directories(args.depth),
    };
    let lock = put_together(&view, &digests, pins, depth)?;
    let text = file::write(&lock);
    if is_stdout {
        return print(|out| {
            out.write_all(text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        });
    }
    whole_file::replace(&args.file, text.as_bytes()).map_err(|error| trouble(&args.file, &error))?;
    if !verbosity.quiet {
        let (layers, paths) = (lock.layers.len() as u64, lock.paths.len() as u64);
        let (layers, paths) = (counted(layers, "layer"), counted(paths, "path"));
        eprintln!(
            "optfs: {}: {layers}, {paths} listed, view {}",
            args.file.display(),
            lock.view
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn put_together(view: &View, digests: &Digests, pins: Vec<Pin>, depth: Depth) -> Result<Lock, Failure> {
    // Everything was read, so everything has a digest.
    let lock = lock::lock(view.stack(), digests, pins, depth);
    lock.ok_or_else(|| Failure::new(Class::Trouble, "the stack has paths without a digest"))
}

fn read(path: &Path) -> Result<Lock, Failure> {
    let text = fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => trouble(path, &"no such file").hint("'optfs lock' without --check writes one"),
        _ => trouble(path, &error),
    })?;
    file::read(&text).map_err(|error| refuse(path, &error))
}

fn refuse(path: &Path, error: &FileError) -> Failure {
    trouble(path, error).hint(match error {
        FileError::Version(_) => "use the optfs that wrote it, or write it anew with 'optfs lock'",
        FileError::Garbage(_) => {
            "name a file that 'optfs lock' wrote with --file, or remove it and write it anew"
        }
    })
}

fn trouble(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(Class::Trouble, format_args!("{}: {why}", path.display()))
}

/// A file that is there is overwritten if it is a lock file, of whatever version.
fn refuse_other_files(path: &Path) -> Result<(), Failure> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() > 0 => match read(path) {
            Ok(_) => Ok(()),
            Err(_) if fs::read(path).is_ok_and(|text| file::is_of_any_version(&text)) => Ok(()),
            Err(failure) => Err(failure),
        },
        Ok(meta) if meta.is_dir() => {
            Err(trouble(path, &"is a directory").hint("name a file in it with --file"))
        }
        _ => Ok(()),
    }
}

/// The fuzzer's door to the lock file.
#[cfg(fuzzing)]
pub(super) mod fuzzing {
    use super::file;

    /// What is read of a text, written again.
    pub fn lock_file(text: &[u8]) -> Option<String> {
        let _ = file::is_of_any_version(text);
        file::read(text).ok().map(|lock| file::write(&lock))
    }
}
