//! What `diff` compares, as people name it: a stack file, a zip, zips joined by colons as in fstab, a published
//! layer, a function, or a directory.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::attached::function_named;
use super::failure::{Class, Failure};
use super::layers::{self, StackArgs};
use super::mount_options::split;
use super::published::StoreArgs;
use super::stack_view::View;
use crate::explain::OnDisk;
use crate::fs::{Fs, Options};
use crate::stack::Stack;

/// What is enough of a file to tell a list from a zip.
const HEAD_BYTES: u64 = 8 << 10;

/// One of the two things to compare.
pub(super) enum Operand {
    Stack(Box<View>),
    Directory(OnDisk),
}

impl Operand {
    /// The stack that options name.
    pub(super) fn of_options(args: &StackArgs) -> Result<Operand, Failure> {
        Ok(Operand::Stack(Box::new(View::open(args)?)))
    }

    /// What a word on the command line names. What is there by that very name is meant; else the word is a
    /// list of zips, first to last, with a colon between them and `\:` for a colon in a name.
    pub(super) fn named(word: &Path, store: &StoreArgs) -> Result<Operand, Failure> {
        let refuse = |why: &dyn std::fmt::Display| {
            Failure::new(Class::Layer, format_args!("{}: {why}", word.display()))
        };
        let meta = match fs::metadata(word) {
            Ok(meta) => meta,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if let Some(zip) = store.published(word)? {
                    return Ok(of_stack(layers::open(&[zip])?));
                }
                if let Some(function) = function_named(word, store)? {
                    return Ok(of_stack(layers::open(&function.layers)?));
                }
                let zips: Vec<PathBuf> = word
                    .to_str()
                    .map(|list| split(list, ':').map(PathBuf::from).collect())
                    .unwrap_or_default();
                if zips.len() < 2 && zips.iter().all(|zip| zip == word) {
                    return Err(refuse(&"no such file or directory").hint(
                        "name a stack file, a zip, zips joined by colons (a.zip:b.zip), function:NAME, or a directory",
                    ));
                }
                return Ok(of_stack(layers::open(&zips)?));
            }
            Err(error) => return Err(refuse(&error)),
        };
        if meta.is_dir() {
            let listed = OnDisk::list(word)
                .map_err(|error| Failure::new(Class::Trouble, format_args!("{}: {error}", word.display())))?;
            return Ok(Operand::Directory(listed));
        }
        let is_list = meta.is_file() && is_list(word).map_err(|error| refuse(&error))?;
        let named = StackArgs {
            layers: if is_list {
                Vec::new()
            } else {
                vec![word.to_owned()]
            },
            stack: is_list.then(|| word.to_owned()),
            store: store.clone(),
            ..StackArgs::default()
        };
        Ok(of_stack(named.open()?))
    }
}

fn of_stack(stack: Stack) -> Operand {
    Operand::Stack(Box::new(View {
        fs: Fs::new(Arc::new(stack), Options::default()),
    }))
}

/// Whether a file is a text. A zip may begin with anything, but is never a text, and mostly says what it is.
fn is_list(file: &Path) -> std::io::Result<bool> {
    let is_zip_by_name = file
        .extension()
        .is_some_and(|extension| extension.as_bytes().eq_ignore_ascii_case(b"zip"));
    if is_zip_by_name {
        return Ok(false);
    }
    let mut head = Vec::new();
    File::open(file)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(!head.starts_with(b"PK") && !head.contains(&0))
}
