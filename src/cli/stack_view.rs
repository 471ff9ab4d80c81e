//! What the verbs that look into a stack share: the stack as a filesystem, and paths as people type
//! them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::attached::Attached;
use super::failure::{Class, Failure};
use super::layers::{self, StackArgs};
use super::printable::printable;
use crate::fs::{Attr, Fs, Ino, Options, WalkError};
use crate::path::{NameError, RelPath};
use crate::stack::{LayerIdx, Stack};
use crate::store::date::civil;

/// A stack opened for a question.
pub(super) struct View {
    pub(super) fs: Fs,
}

impl View {
    pub(super) fn open(args: &StackArgs) -> Result<View, Failure> {
        View::open_with_function(args).map(|(view, _)| view)
    }

    /// The same, with the function that the layers are of.
    pub(super) fn open_with_function(args: &StackArgs) -> Result<(View, Option<Attached>), Failure> {
        let named = args.named(&[])?;
        let stack = Arc::new(layers::open(&named.paths)?);
        let fs = Fs::new(stack, Options::default());
        Ok((View { fs }, named.function))
    }

    pub(super) fn stack(&self) -> &Stack {
        self.fs.stack()
    }

    /// The inode that a path leads to, links followed.
    pub(super) fn find(&self, path: &Path) -> Result<Ino, Failure> {
        self.walk(path, true)
    }

    /// Like [`View::find`], but a link at the end stands for itself.
    pub(super) fn find_itself(&self, path: &Path) -> Result<Ino, Failure> {
        self.walk(path, false)
    }

    fn walk(&self, path: &Path, follow: bool) -> Result<Ino, Failure> {
        let inside = below_home(path);
        let walked = self.fs.walk(&inside, follow);
        walked.map_err(|error| {
            let class = match error {
                WalkError::NotFound | WalkError::NotADirectory => Class::No,
                WalkError::Loop | WalkError::Outside(_) | WalkError::Damaged(_) => Class::Trouble,
            };
            Failure::new(class, format_args!("{}: {error}", path.display()))
        })
    }

    pub(super) fn attr(&self, ino: Ino) -> Result<Attr, Failure> {
        self.fs.getattr(ino).map_err(|e| Failure::new(Class::Trouble, e))
    }

    /// The layer that an inode comes from.
    pub(super) fn provider(&self, ino: Ino) -> Result<LayerIdx, Failure> {
        let node = self.fs.node(ino).map_err(|e| Failure::new(Class::Trouble, e))?;
        Ok(self.stack().provider(node))
    }

    /// Width of the widest of the layers' names.
    pub(super) fn layer_columns(&self) -> usize {
        let names = self
            .stack()
            .layers_in_order()
            .map(|(layer, _)| self.layer_name(layer));
        names.map(|name| name.chars().count()).max().unwrap_or(0)
    }

    /// A layer as people call it, and its place.
    pub(super) fn layer_and_place(&self, layer: LayerIdx) -> String {
        format!("{} (layer {})", self.layer_name(layer), layer.index() + 1)
    }

    /// A layer as people call it: the name of its file.
    pub(super) fn layer_name(&self, layer: LayerIdx) -> String {
        let path = self.stack().layer(layer).path();
        let name = path.file_name().unwrap_or(path.as_os_str());
        printable(name.as_encoded_bytes()).into_owned()
    }
}

/// A path in the tree, from its root: people copy paths of a running function, which begin with /opt.
pub(super) fn below_home(path: &Path) -> Vec<u8> {
    let below = path.strip_prefix("/opt").unwrap_or(path);
    below.as_os_str().as_encoded_bytes().to_vec()
}

/// A path of the tree as it was typed, its parts checked; empty for the root.
pub(super) fn checked_path(path: &Path) -> Result<Vec<u8>, Failure> {
    match RelPath::check(&below_home(path)) {
        Ok(checked) => Ok(checked.as_bytes().to_vec()),
        Err(NameError::Empty) => Ok(Vec::new()),
        Err(error) => Err(
            Failure::new(Class::Usage, format_args!("{}: {error}", path.display()))
                .hint("name a path as it stands in the tree, with or without /opt in front"),
        ),
    }
}

/// No path means the root.
pub(super) fn or_root(paths: &[PathBuf]) -> Vec<PathBuf> {
    if paths.is_empty() {
        vec![PathBuf::from("/")]
    } else {
        paths.to_vec()
    }
}

/// Permission bits and kind as `ls -l` writes them.
pub(super) fn mode_text(attr: &Attr) -> String {
    use crate::fs::Kind;
    let kind = match attr.kind {
        Kind::Directory => 'd',
        Kind::File => '-',
        Kind::Symlink => 'l',
    };
    let bit = |shift: u16, c: char| if attr.mode >> shift & 1 == 1 { c } else { '-' };
    let bits = (0..9).map(|i| bit(8 - i, ['r', 'w', 'x'][usize::from(i % 3)]));
    std::iter::once(kind).chain(bits).collect()
}

/// A time in UTC, as `date -u '+%F %T'` writes it.
pub(super) fn time_text(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (-1, "1969-12-31 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_795_219_199, "2026-11-20 23:59:59"),
            (4_354_819_198, "2107-12-31 23:59:58"),
        ] {
            assert_eq!(time_text(seconds), text);
        }
    }

    #[test]
    fn a_path_copied_from_a_function_is_understood() {
        assert_eq!(below_home(Path::new("/opt/python/x.py")), b"python/x.py");
        assert_eq!(below_home(Path::new("/optional")), b"/optional");
        assert_eq!(below_home(Path::new("python/x.py")), b"python/x.py");
    }
}
