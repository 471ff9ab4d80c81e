//! A directory on disk as a tree: what an extractor left there, or what a real mount shows; and a tree written to disk.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

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

/// Writes a tree into a directory that is there: what a native filesystem would hold.
pub(crate) fn write(tree: &Tree, root: &Path) {
    for (name, node) in tree {
        let path = root.join(OsStr::from_bytes(name));
        match &node.body {
            Body::Directory if name.is_empty() => {}
            Body::Directory => fs::create_dir(&path).expect("a fresh directory in a directory"),
            Body::File(bytes) => fs::write(&path, bytes).expect("a writable directory"),
            Body::Symlink(target) => {
                symlink(OsStr::from_bytes(target), &path).expect("a fresh name in a directory");
            }
            Body::Unreadable { .. } => panic!("{}: nobody knows its bytes", path.display()),
        }
        if !matches!(node.body, Body::Symlink(_)) {
            fs::set_permissions(&path, PermissionsExt::from_mode(node.mode.into())).expect("our own file");
        }
    }
    // Children first: what is written into a directory changes its time.
    for (name, node) in tree.iter().rev() {
        let path = root.join(OsStr::from_bytes(name));
        let time = TimeSpec::new(node.mtime, 0);
        utimensat(AT_FDCWD, &path, &time, &time, UtimensatFlags::NoFollowSymlink).expect("our own file");
    }
}
