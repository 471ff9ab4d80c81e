//! A directory on disk as a tree: what an extractor left there, or what a real mount shows.

use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::tree::{Body, Node, Tree};

/// Every path under a directory, the directory itself as the empty path. Follows no symlink.
pub(crate) fn tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    add(root, Vec::new(), &mut tree);
    tree
}

fn add(path: &Path, name: Vec<u8>, tree: &mut Tree) {
    let metadata = fs::symlink_metadata(path).expect("what was listed can be asked for");
    let body = if metadata.is_dir() {
        for child in fs::read_dir(path).expect("a readable directory") {
            let child = child.expect("a readable directory");
            let separator = if name.is_empty() { &b""[..] } else { b"/" };
            add(
                &child.path(),
                [&name, separator, child.file_name().as_bytes()].concat(),
                tree,
            );
        }
        Body::Directory
    } else if metadata.is_symlink() {
        Body::Symlink(
            fs::read_link(path)
                .expect("a readable symlink")
                .into_os_string()
                .into_vec(),
        )
    } else {
        match fs::read(path) {
            Ok(bytes) => {
                assert_eq!(
                    bytes.len() as u64,
                    metadata.len(),
                    "{}: stat and read disagree",
                    path.display()
                );
                Body::File(bytes)
            }
            Err(error) if error.raw_os_error() == Some(5) => Body::Unreadable {
                declared_size: metadata.len(),
            },
            Err(error) => panic!("{}: {error}", path.display()),
        }
    };
    let mode = (metadata.mode() & 0o7777) as u16;
    tree.insert(
        name,
        Node {
            mode,
            mtime: metadata.mtime(),
            body,
        },
    );
}
