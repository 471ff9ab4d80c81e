//! Where something like a name lies that was not found: in another place, for another version or machine, or in
//! another spelling.

use super::{Failure, Place, Resolution, Sort, Stage, Wanted};
use crate::explain::opt::Opt;
use crate::stack::NodeId;

/// As many are worth reading.
const MOST: usize = 5;

/// Something of the name that is not loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// Its path in the tree.
    pub path: Vec<u8>,
    /// What stands there.
    pub node: NodeId,
    /// Why it is not found.
    pub why: Why,
}

/// Why something of the name is not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// In a directory that is not searched.
    OtherPlace,
    /// In a directory of another version of the runtime.
    OtherVersion,
    /// Its ending is that of another interpreter or machine.
    OtherAbi,
    /// The name is spelt otherwise.
    Spelling,
}

/// The nearest things first: those that lie least deep.
pub(super) fn near(tree: &Opt<'_>, wanted: Wanted, resolution: &Resolution, name: &[u8]) -> Vec<Near> {
    let Some(stage) = resolution.stages.last() else {
        return Vec::new();
    };
    if stage.failure != Some(Failure::NotFound) {
        return Vec::new();
    }
    let is_part = resolution.stages.len() > 1;
    let stack = tree.stack();
    let mut found = Vec::new();
    for node in stack.nodes() {
        let Some(spelt) = likeness(tree, wanted, stage, name, node) else {
            continue;
        };
        let path = stack.path(node);
        let end = path.iter().rposition(|&b| b == b'/').unwrap_or(0);
        let is_searched = stage
            .places
            .iter()
            .any(|place| matches!(place, Place::Layers(directory) if *directory == path[..end]));
        let why = match (spelt, is_searched) {
            (Spelt::OtherAbi, true) => Why::OtherAbi,
            (Spelt::Otherwise, true) => Why::Spelling,
            (Spelt::Right, true) => continue,
            (_, false) if is_part => continue,
            (_, false) if is_of_other_version(&path) => Why::OtherVersion,
            (_, false) => Why::OtherPlace,
        };
        // A name deep inside of another package is somebody else's.
        if why == Why::OtherPlace && is_inside_package(tree, wanted, node) {
            continue;
        }
        found.push(Near { path, node, why });
    }
    found.sort_by_cached_key(|near| {
        let depth = near.path.iter().filter(|&&b| b == b'/').count();
        (near.why == Why::OtherPlace, depth, near.path.clone())
    });
    found.truncate(MOST);
    found
}

enum Spelt {
    Right,
    Otherwise,
    OtherAbi,
}

/// Whether a node's name is that which is looked for, or nearly.
fn likeness(tree: &Opt<'_>, wanted: Wanted, stage: &Stage, name: &[u8], node: NodeId) -> Option<Spelt> {
    let stack = tree.stack();
    let here = stack.name(node);
    let is_directory = stack.is_directory(node);
    let spelt = |meant: &[u8], here: &[u8]| match (meant == here, is_alike(meant, here)) {
        (true, _) => Some(Spelt::Right),
        (false, true) => Some(Spelt::Otherwise),
        (false, false) => None,
    };
    match wanted {
        Wanted::Python { .. } => {
            let tail = stage.name.rsplit(|&b| b == b'.').next().unwrap_or(&stage.name);
            if is_directory {
                return spelt(tail, here).filter(|_| holds_python(tree, node));
            }
            let dot = here.iter().position(|&b| b == b'.')?;
            let ending = &here[dot..];
            match () {
                () if ending == b".py" || ending == b".pyc" => spelt(tail, &here[..dot]),
                () if ending.ends_with(b".so") && here[..dot] == *tail => Some(Spelt::OtherAbi),
                () => None,
            }
        }
        Wanted::Node { .. } => {
            let package = name.rsplit(|&b| b == b'/').next().unwrap_or(name);
            spelt(package, here).filter(|_| is_directory && stack.child(node, b"package.json").is_some())
        }
        Wanted::Ruby => {
            let file = [name.rsplit(|&b| b == b'/').next().unwrap_or(name), b".rb"].concat();
            spelt(&file, here).filter(|_| !is_directory)
        }
        Wanted::Java if name.ends_with(b".jar") => spelt(name, here),
        // Any jar elsewhere may have it: none of them is on the class path.
        Wanted::Java => here.ends_with(b".jar").then_some(Spelt::Right),
        Wanted::File(Sort::Command) => spelt(name, here).filter(|_| !is_directory),
        Wanted::File(Sort::Library(_)) => {
            let stem = |name: &[u8]| name.windows(3).position(|part| part == b".so");
            let same = stem(name).is_some_and(|end| here.get(..end + 3) == Some(&name[..end + 3]));
            match (same, here == name) {
                (_, true) => Some(Spelt::Right),
                (true, _) => Some(Spelt::Otherwise),
                _ => spelt(name, here),
            }
            .filter(|_| !is_directory)
        }
    }
}

/// The same but for case, and for dashes, dots and underscores.
fn is_alike(one: &[u8], other: &[u8]) -> bool {
    let plain = |&byte: &u8| match byte {
        b'-' | b'.' => b'_',
        byte => byte.to_ascii_lowercase(),
    };
    one.len() == other.len() && one.iter().map(plain).eq(other.iter().map(plain))
}

fn holds_python(tree: &Opt<'_>, node: NodeId) -> bool {
    let stack = tree.stack();
    stack.children(node).any(|child| {
        let name = stack.name(child);
        name.ends_with(b".py") || name.ends_with(b".so") || name.ends_with(b".pyc")
    })
}

/// Whether what a node lies in is itself a package of the same kind.
fn is_inside_package(tree: &Opt<'_>, wanted: Wanted, node: NodeId) -> bool {
    let stack = tree.stack();
    let parent = stack.parent(node);
    match wanted {
        Wanted::Python { .. } => stack.child(parent, b"__init__.py").is_some(),
        _ => false,
    }
}

/// Whether a path goes through the directory of a version: `python3.9`, `node18`, a gem directory.
fn is_of_other_version(path: &[u8]) -> bool {
    let mut parts = path.split(|&b| b == b'/');
    let mut before: &[u8] = b"";
    parts.any(|part| {
        let digit_behind = |stem: &[u8]| {
            part.strip_prefix(stem)
                .is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit))
        };
        let is_version = (before == b"lib" && digit_behind(b"python"))
            || (before == b"nodejs" && digit_behind(b"node"))
            || (before == b"gems" && digit_behind(b""));
        before = part;
        is_version
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_versions_are_known_by_their_directories() {
        for path in [
            "python/lib/python3.9/site-packages/x",
            "nodejs/node18/node_modules/x",
            "ruby/gems/3.2.0/gems/x",
        ] {
            assert!(is_of_other_version(path.as_bytes()), "{path}");
        }
        for path in ["python/x", "nodejs/node_modules/x", "lib/pythonic/x"] {
            assert!(!is_of_other_version(path.as_bytes()), "{path}");
        }
        assert!(is_alike(b"pyyaml", b"PyYAML") && is_alike(b"a-b", b"a_b") && !is_alike(b"a", b"b"));
    }
}
