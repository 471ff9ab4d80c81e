//! The reference model: what extracting the layers in order would have left behind.
//!
//! It is naive on purpose: one flat map, one entry after the other, nothing shared with the library. Each
//! choice that docs/semantics.md promises is marked `Semantics decision:` with its number. Promises 7 (the
//! archive changes under the mount) and 8 (everything that would write answers EROFS) are about a mount's
//! life; a tree at rest has nothing to say on them.

use super::stack::{Item, Layer, Method};
use super::tree::{Body, Node, Tree};

/// The tree that a mount of a stack shows: the kernel asks for no byte of a file whose size is 0, also where none could be
/// had.
pub(crate) fn mounted(stack: &[Layer]) -> Tree {
    let mut tree = extracted(stack);
    for node in tree.values_mut() {
        if node.body == (Body::Unreadable { declared_size: 0 }) {
            node.body = Body::File(Vec::new());
        }
    }
    tree
}

/// The tree that a stack shows.
pub(crate) fn extracted(stack: &[Layer]) -> Tree {
    let mut tree = Tree::new();
    // The root is made by whoever comes first, as every implicit directory is, and no entry can name it.
    let first_mtime = stack.first().expect("a stack has a layer").mtime;
    tree.insert(Vec::new(), implicit_directory(first_mtime));
    // Semantics decision: (1) layers apply in the order given, and inside a layer its entries do, by one
    // and the same rule. Semantics decision: (2) of two entries with one name the later in the central
    // directory wins, as it comes later here.
    for layer in stack {
        for (name, item) in &layer.entries {
            if let Some(parts) = legal_parts(name) {
                apply(&mut tree, &parts, item, layer.mtime);
            }
        }
    }
    tree
}

/// The parts of a legal name; `None` leaves the entry out, and with it the directories it would have implied.
pub(crate) fn legal_parts(name: &[u8]) -> Option<Vec<Vec<u8>>> {
    // Semantics decision: (3) leading slashes, doubled slashes and `.` parts are folded away.
    let parts: Vec<Vec<u8>> = name
        .split(|&byte| byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .map(<[u8]>::to_vec)
        .collect();
    // Semantics decision: (3) `..`, NUL, a part over 255 bytes, or nothing left: the entry is left out.
    let legal = |part: &Vec<u8>| part != b".." && !part.contains(&0) && part.len() <= 255;
    (!parts.is_empty() && parts.iter().all(legal)).then_some(parts)
}

/// What one entry does to the tree that is there when its turn comes.
fn apply(tree: &mut Tree, parts: &[Vec<u8>], item: &Item, layer_mtime: i64) {
    for len in 1..parts.len() {
        let parent = parts[..len].join(&b'/');
        // Semantics decision: (1) a directory that is there stays as it is. Anything else in the place of a
        // parent is replaced; a symlink too, which is never followed.
        if !is_directory(tree, &parent) {
            // Semantics decision: (5) a directory without an entry of its own: 0755, and the time of its
            // layer's file.
            tree.insert(parent, implicit_directory(layer_mtime));
        }
    }
    let path = parts.join(&b'/');
    let node = node(item);
    // Semantics decision: (1) directories merge only with directories: the later entry gives mode and
    // mtime, the content stays. In every other pair the later one wins and hides all that was there.
    if !(node.body == Body::Directory && is_directory(tree, &path)) {
        remove(tree, &path);
    }
    tree.insert(path, node);
}

/// What an entry is on its own.
fn node(item: &Item) -> Node {
    match item {
        Item::Dir { mode, mtime } => Node {
            mode: shown_mode(*mode, 0o755),
            mtime: (*mtime).into(),
            body: Body::Directory,
        },
        Item::File {
            mode,
            mtime,
            bytes,
            method,
        } => {
            let body = match method {
                // Semantics decision: (6) what cannot be read is listed with its size, and hides what lies
                // below all the same.
                Method::Unknown => Body::Unreadable {
                    declared_size: bytes.len() as u64,
                },
                Method::Stored | Method::Deflate | Method::Streamed => Body::File(bytes.clone()),
            };
            Node {
                mode: shown_mode(*mode, 0o644),
                mtime: (*mtime).into(),
                body,
            }
        }
        // Semantics decision: (4) the target is kept to the byte, wherever it leads.
        Item::Symlink { mtime, target } => Node {
            mode: 0o777,
            mtime: (*mtime).into(),
            body: Body::Symlink(target.clone()),
        },
    }
}

// Semantics decision: (5) no unix mode means the default; setuid, setgid and sticky are stripped.
fn shown_mode(mode: Option<u16>, default: u16) -> u16 {
    mode.unwrap_or(default) & 0o777
}

fn implicit_directory(mtime: i64) -> Node {
    Node {
        mode: 0o755,
        mtime,
        body: Body::Directory,
    }
}

fn is_directory(tree: &Tree, path: &[u8]) -> bool {
    tree.get(path).is_some_and(|node| node.body == Body::Directory)
}

/// Takes a path and everything below it out of the tree.
fn remove(tree: &mut Tree, path: &[u8]) {
    let below = [path, b"/"].concat();
    tree.retain(|other, _| other != path && !other.starts_with(&below));
}

mod tests {
    use super::extracted;
    use crate::support::stack::{Item, Layer, Method};
    use crate::support::tree::{Body, Tree};

    fn layer(mtime: i64, entries: &[(&str, Item)]) -> Layer {
        let entries = entries
            .iter()
            .map(|(name, item)| (name.as_bytes().to_vec(), item.clone()))
            .collect();
        Layer { mtime, entries }
    }

    fn dir(mode: u16) -> Item {
        Item::Dir {
            mode: Some(mode),
            mtime: 7,
        }
    }

    fn file(content: &str) -> Item {
        Item::File {
            mode: Some(0o4640),
            mtime: 8,
            bytes: content.into(),
            method: Method::Stored,
        }
    }

    fn symlink(target: &str) -> Item {
        Item::Symlink {
            mtime: 9,
            target: target.into(),
        }
    }

    fn paths(tree: &Tree) -> Vec<&str> {
        tree.keys()
            .map(|path| std::str::from_utf8(path).expect("names of this test are UTF-8"))
            .collect()
    }

    #[test]
    fn the_last_layer_wins_and_directories_merge() {
        let tree = extracted(&[
            layer(
                100,
                &[("d", dir(0o700)), ("d/f", file("first")), ("d/g", file("g"))],
            ),
            layer(200, &[("d/f", file("second")), ("e/h", file("h"))]),
        ]);
        assert_eq!(paths(&tree), ["", "d", "d/f", "d/g", "e", "e/h"]);
        assert_eq!(tree[&b"d/f"[..]].body, Body::File(b"second".to_vec()));
        assert_eq!(tree[&b"d/f"[..]].mode, 0o640);
        assert_eq!((tree[&b"d"[..]].mode, tree[&b"d"[..]].mtime), (0o700, 7));
        assert_eq!((tree[&b"e"[..]].mode, tree[&b"e"[..]].mtime), (0o755, 200));
        assert_eq!(tree[&b""[..]].mtime, 100);
    }

    #[test]
    fn a_directory_over_a_file_starts_from_what_lies_above_the_file() {
        let tree = extracted(&[
            layer(1, &[("x/old", file("old"))]),
            layer(2, &[("x", file("file"))]),
            layer(3, &[("x/new", file("new"))]),
        ]);
        assert_eq!(paths(&tree), ["", "x", "x/new"]);
        assert_eq!(tree[&b"x"[..]].mtime, 3);
    }

    #[test]
    fn a_symlink_is_replaced_and_not_followed() {
        let tree = extracted(&[
            layer(1, &[("real", dir(0o755)), ("l", symlink("real"))]),
            layer(2, &[("l/f", file("f"))]),
        ]);
        assert_eq!(paths(&tree), ["", "l", "l/f", "real"]);
        assert_eq!(tree[&b"l"[..]].body, Body::Directory);
    }

    #[test]
    fn names_are_folded_or_left_out() {
        let long = "x".repeat(256);
        let tree = extracted(&[layer(
            1,
            &[
                ("/./a//b", file("b")),
                ("../c", file("")),
                ("d/../e", file("")),
                (".", file("")),
                ("", file("")),
                ("n\0", file("")),
                (&long, file("")),
                (&long[1..], file("")),
            ],
        )]);
        assert_eq!(paths(&tree), ["", "a", "a/b", &long[1..]]);
    }
}
