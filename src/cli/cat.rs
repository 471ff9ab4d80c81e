//! `optfs cat`: the bytes of files in the merged tree.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::failure::{Class, Failure};
use super::layers::StackArgs;
use super::stack_view::View;
use super::terminal::{Out, each, print};
use crate::fs::{FsError, Ino, MAX_READ_BYTES};

/// Write files of the merged tree to standard output
#[derive(Args)]
pub(super) struct CatArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Paths in the tree, with or without /opt in front (can be repeated)
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(super) fn run(args: &CatArgs) -> Result<ExitCode, Failure> {
    let view = View::open(&args.stack)?;
    print(|out| {
        each(out, &args.paths, |out, path| {
            let ino = view.find(path)?;
            copy(&view, ino, out)?.map_err(|e| unreadable(path, &e))?;
            Ok(ExitCode::SUCCESS)
        })
    })
}

fn unreadable(path: &Path, error: &FsError) -> Failure {
    let class = match error {
        FsError::IsADirectory => Class::No,
        _ => Class::Trouble,
    };
    Failure::new(class, format_args!("{}: {error}", path.display()))
}

/// Copies a file piece by piece; the outer error is of writing, the inner one of reading.
fn copy(view: &View, ino: Ino, out: &mut Out) -> Result<Result<(), FsError>, Failure> {
    let mut offset = 0;
    loop {
        let written = view
            .fs
            .read(ino, offset, MAX_READ_BYTES, |bytes| -> io::Result<usize> {
                out.write_all(bytes)?;
                Ok(bytes.len())
            });
        match written {
            Err(e) => return Ok(Err(e)),
            Ok(written) => match written? {
                0 => return Ok(Ok(())),
                n => offset += n as u64,
            },
        }
    }
}
