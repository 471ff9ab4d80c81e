//! `--index-dir` and `--no-index`: where what one mount has found out is kept for the next. What is in there is the business
//! of `content`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// Words of every command that serves a view.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct IndexArgs {
    /// Where what this mount finds out is kept for the next one of the same archives: places inside large deflated
    /// files, from which reading can begin at once, and the order in which files were read [default: optfs/index in the
    /// user's cache directory]
    #[arg(long, value_name = "DIR", env = "OPTFS_INDEX_DIR")]
    index_dir: Option<PathBuf>,
    /// Keep nothing for the next mount
    #[arg(long)]
    no_index: bool,
}

impl IndexArgs {
    /// In a directory.
    pub(super) fn at(directory: PathBuf) -> IndexArgs {
        IndexArgs {
            index_dir: Some(directory),
            no_index: false,
        }
    }

    /// Nowhere.
    pub(super) fn nowhere() -> IndexArgs {
        IndexArgs {
            index_dir: None,
            no_index: true,
        }
    }

    /// The directory, whole: the server leaves the one that it was started in.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        if self.no_index {
            return None;
        }
        let named = self.index_dir.clone();
        let directory = named.or_else(|| cache_directory("optfs/index"))?;
        std::path::absolute(directory).ok()
    }

    /// The same for another process of ours.
    pub(super) fn words(&self) -> Vec<OsString> {
        match self.directory() {
            None => vec!["--no-index".into()],
            Some(directory) => vec!["--index-dir".into(), directory.into()],
        }
    }
}

/// A directory of ours among the user's caches.
pub(super) fn cache_directory(below: &str) -> Option<PathBuf> {
    directory_of(below, |name| std::env::var_os(name))
}

fn directory_of(below: &str, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    // The XDG Base Directory Specification: what is not absolute is to be ignored.
    let cache = path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")))?;
    Some(cache.join(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_cache_directory_is_found() {
        let with = |cache: &str, home: &str| {
            directory_of("optfs/index", |name| match name {
                "XDG_CACHE_HOME" => Some(cache.into()),
                _ => Some(home.into()),
            })
        };
        assert_eq!(with("/c", "/h"), Some("/c/optfs/index".into()));
        assert_eq!(with("relative", "/h"), Some("/h/.cache/optfs/index".into()));
        assert_eq!(with("", ""), None);
    }
}
