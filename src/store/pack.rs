//! A directory as a zip, the same for the same tree: names in the order of their bytes, one time for all, modes and links
//! kept. Nothing of the machine, the user or the day goes in.

use std::fs::{self, File, Metadata};
use std::io::{self, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::StoreError;
use super::error::at;
use super::examine::check_size;

/// Number, time of the bytes, time of all that is said of them.
fn stamp(meta: &Metadata) -> [i128; 3] {
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    [
        i128::from(meta.ino()),
        nanoseconds(meta.mtime(), meta.mtime_nsec()),
        nanoseconds(meta.ctime(), meta.ctime_nsec()),
    ]
}

/// Writes the zip of what is in a directory.
pub(super) fn pack(directory: &Path, out: &mut (impl Write + Seek)) -> Result<(), StoreError> {
    write(&Tree::list(directory)?, directory, out)
}

/// The same, of a directory that has been listed.
pub(super) fn write(tree: &Tree, directory: &Path, out: &mut (impl Write + Seek)) -> Result<(), StoreError> {
    let sizes = tree.0.iter().map(|found| found.size);
    check_size(sizes.fold(0, u64::saturating_add))?;
    let mut writer = ZipWriter::new(out);
    for found in &tree.0 {
        write_one(&mut writer, found).map_err(at(&found.path))?;
    }
    writer.finish().map_err(io::Error::from).map_err(at(directory))?;
    Ok(())
}

/// Everything below a directory, in the order of the names' bytes.
pub(super) struct Tree(Vec<Found>);

/// Something in the directory.
struct Found {
    path: PathBuf,
    /// Its path from the directory; of directories with a slash behind, as zips have it.
    name: String,
    mode: u32,
    size: u64,
    kind: Kind,
    /// What changes when its bytes do, or what it is: number, and times in nanoseconds.
    stamp: [i128; 3],
}

enum Kind {
    Directory,
    File,
    Symlink(String),
}

impl Tree {
    /// Lists a directory.
    pub(super) fn list(top: &Path) -> Result<Tree, StoreError> {
        list(top).map(Tree)
    }

    /// All that tells whether its zip would be another: the files themselves are not read.
    pub(super) fn looks(&self) -> Vec<u8> {
        let mut looks = Vec::new();
        for found in &self.0 {
            let kind = match &found.kind {
                Kind::Directory => "directory",
                Kind::File => "file",
                Kind::Symlink(target) => target,
            };
            let Found {
                name,
                mode,
                size,
                stamp,
                ..
            } = found;
            looks.extend_from_slice(format!("{name}\0{kind}\0{mode} {size} {stamp:?}\0").as_bytes());
        }
        looks
    }

    /// When anything in it changed last.
    pub(super) fn newest(&self) -> SystemTime {
        let newest = self.0.iter().map(|found| found.stamp[2]).max().unwrap_or(0);
        UNIX_EPOCH + Duration::from_nanos(u64::try_from(newest).unwrap_or(0))
    }
}

fn list(top: &Path) -> Result<Vec<Found>, StoreError> {
    let (mut all, mut waiting) = (Vec::new(), vec![(top.to_owned(), String::new())]);
    while let Some((directory, prefix)) = waiting.pop() {
        for entry in fs::read_dir(&directory).map_err(at(&directory))? {
            let entry = entry.map_err(at(&directory))?;
            let path = entry.path();
            let refuse = |why: &str| StoreError::Unpackable {
                path: path.clone(),
                why: why.to_owned(),
            };
            let part = entry
                .file_name()
                .into_string()
                .map_err(|_| refuse("its name is no UTF-8"))?;
            let meta = entry.metadata().map_err(at(&path))?;
            let mut found = Found {
                name: format!("{prefix}{part}"),
                mode: meta.mode() & 0o777,
                size: 0,
                kind: Kind::File,
                stamp: stamp(&meta),
                path: path.clone(),
            };
            if meta.is_dir() {
                found.name.push('/');
                found.kind = Kind::Directory;
                waiting.push((path, found.name.clone()));
            } else if meta.is_symlink() {
                let target = fs::read_link(&path).map_err(at(&path))?.into_os_string();
                let target = target
                    .into_string()
                    .map_err(|_| refuse("its target is no UTF-8"))?;
                found.kind = Kind::Symlink(target);
            } else if meta.is_file() {
                found.size = meta.len();
            } else {
                return Err(refuse("neither file, directory nor link: a zip cannot hold it"));
            }
            all.push(found);
        }
    }
    all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

fn write_one(writer: &mut ZipWriter<impl Write + Seek>, found: &Found) -> io::Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(found.mode);
    match &found.kind {
        Kind::Directory => writer.add_directory(found.name.as_str(), options)?,
        Kind::Symlink(target) => writer.add_symlink(found.name.as_str(), target.as_str(), options)?,
        Kind::File => {
            writer.start_file(found.name.as_str(), options)?;
            io::copy(&mut File::open(&found.path)?, writer)?;
        }
    }
    Ok(())
}
