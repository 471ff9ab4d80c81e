//! `-o`: the options of mount(8) and mount.fuse(8), as far as they mean something here.

use std::path::PathBuf;

use super::index_dir::IndexArgs;
use super::size;
use crate::fuse::Transport;
use crate::guide::Xattrs;

/// What `-o` can set.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct MountOptions {
    pub(super) allow_other: bool,
    pub(super) auto_unmount: bool,
    pub(super) supervise: bool,
    pub(super) noexec: bool,
    pub(super) debug: bool,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) file_mask: u16,
    pub(super) directory_mask: u16,
    pub(super) source: Option<String>,
    pub(super) max_read_bytes: Option<u32>,
    pub(super) layers: Vec<PathBuf>,
    pub(super) cache_bytes: Option<u64>,
    pub(super) index: Option<IndexArgs>,
    pub(super) threads: Option<usize>,
    pub(super) transport: Option<Transport>,
    pub(super) no_special: bool,
    pub(super) xattrs: Option<Xattrs>,
}

/// Reads option lists: separated by commas, a comma in a value written as `\,`.
pub(super) fn parse<'a>(lists: impl IntoIterator<Item = &'a str>) -> Result<MountOptions, String> {
    let mut options = MountOptions::default();
    for list in lists {
        for option in split(list, ',') {
            options
                .set(&option)
                .map_err(|why| format!("-o {option}: {why}"))?;
        }
    }
    Ok(options)
}

impl MountOptions {
    /// Where checkpoints are kept; what `-o` says goes before the flags.
    pub(super) fn index_directory(&self, flags: &IndexArgs) -> Option<PathBuf> {
        self.index.as_ref().unwrap_or(flags).directory()
    }

    fn set(&mut self, option: &str) -> Result<(), String> {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option, None),
        };
        match (name, value) {
            // What every mount of optfs is, or has nothing to do with it.
            ("ro" | "nosuid" | "nodev" | "noatime" | "default_permissions" | "exec" | "async", None) => {}
            ("_netdev" | "nofail" | "auto" | "noauto" | "user" | "nouser" | "users" | "defaults", None) => {}
            (name, _) if name.starts_with("x-") => {}
            ("subtype", Some("optfs")) | ("encoding", Some("auto")) | ("verify", Some("lazy")) => {}
            ("rw" | "suid" | "dev" | "atime", None) => {
                return Err("mounts are read-only, nosuid, nodev and noatime".to_owned());
            }
            ("allow_root", None) => {
                return Err(
                    "not possible: the kernel's caches know only one user or all; use allow_other".to_owned(),
                );
            }
            ("allow_other", None) => self.allow_other = true,
            ("auto_unmount", None) => self.auto_unmount = true,
            ("supervise", None) => self.supervise = true,
            ("noexec", None) => self.noexec = true,
            ("debug", None) => self.debug = true,
            ("no_special", None) => self.no_special = true,
            ("xattrs", Some(value)) => self.xattrs = Some(xattrs(value)?),
            ("uid", Some(value)) => self.uid = Some(number(value)?),
            ("gid", Some(value)) => self.gid = Some(number(value)?),
            ("umask", Some(value)) => (self.file_mask, self.directory_mask) = (octal(value)?, octal(value)?),
            ("fmask", Some(value)) => self.file_mask = octal(value)?,
            ("dmask", Some(value)) => self.directory_mask = octal(value)?,
            ("fsname", Some(value)) => self.source = Some(value.to_owned()),
            ("max_read", Some(value)) => self.max_read_bytes = Some(number(value)?),
            ("layers", Some(value)) => self.layers = split(value, ':').map(PathBuf::from).collect(),
            ("cachesize", Some(value)) => self.cache_bytes = Some(size::parse(value)?),
            ("indexdir", Some(value)) => self.index = Some(IndexArgs::at(value.into())),
            ("noindex", None) => self.index = Some(IndexArgs::nowhere()),
            ("threads", Some(value)) => self.threads = Some(threads(value)?),
            ("transport", Some(value)) => self.transport = Some(transport(value)?),
            _ => return Err("unknown option, or a value that it does not take".to_owned()),
        }
        Ok(())
    }
}

/// A count of threads, at least 1.
pub(super) fn threads(value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(n @ 1..=256) => Ok(n),
        _ => Err("expected a number from 1 to 256".to_owned()),
    }
}

/// Which way requests come.
pub(super) fn transport(word: &str) -> Result<Transport, String> {
    word.parse()
}

/// What is known of extended attributes.
pub(super) fn xattrs(word: &str) -> Result<Xattrs, String> {
    word.parse()
}

/// A user or group, or another number of 32 bits.
pub(super) fn number(value: &str) -> Result<u32, String> {
    value.parse().map_err(|_| "expected a number".to_owned())
}

fn octal(value: &str) -> Result<u16, String> {
    match u16::from_str_radix(value, 8) {
        Ok(mask @ 0..=0o777) => Ok(mask),
        _ => Err("expected octal permission bits such as 022".to_owned()),
    }
}

/// Splits at separators that no backslash precedes, and takes those backslashes away.
pub(super) fn split(list: &str, separator: char) -> impl Iterator<Item = String> + use<> {
    let mut parts = vec![String::new()];
    let mut chars = list.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = c == '\\' && chars.peek() == Some(&separator);
        match parts.last_mut() {
            _ if c == separator => parts.push(String::new()),
            Some(part) => part.push(if escaped { chars.next().unwrap_or(c) } else { c }),
            None => {}
        }
    }
    parts.into_iter().filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_fstab_are_understood() {
        let line = r"ro,allow_other,uid=7,umask=027,fsname=a\,b,x-systemd.automount,_netdev,cachesize=64m,layers=/a.zip:/b\:c.zip";
        let options = parse([line, "noexec"]).unwrap();
        assert!(options.allow_other && options.noexec && !options.auto_unmount);
        assert_eq!(
            (options.uid, options.file_mask, options.directory_mask),
            (Some(7), 0o27, 0o27)
        );
        assert_eq!(options.source.as_deref(), Some("a,b"));
        assert_eq!(options.cache_bytes, Some(64 << 20));
        assert_eq!(
            options.layers,
            [PathBuf::from("/a.zip"), PathBuf::from("/b:c.zip")]
        );
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (list, word) in [
            ("rw", "-o rw: mounts are read-only"),
            ("allow_root", "allow_other"),
            ("nonsense", "-o nonsense: unknown"),
            ("umask=9", "octal"),
            ("threads=0", "1 to 256"),
            ("transport=mule", "auto, fuser, uring"),
            ("xattrs=some", "hidden, listed, off"),
            ("ro,uid=me", "-o uid=me: expected a number"),
        ] {
            let error = parse([list]).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
