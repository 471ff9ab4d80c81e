//! `import a.b.c` as Python's path finder does it: importlib's `FileFinder` for each directory, `PathFinder` for
//! their order, and the directories of the package found before for what lies below it.
//!
//! Built from `Lib/importlib/_bootstrap_external.py`; judged in the tests by a real interpreter.

use super::elf::Machine;
use super::{Candidate, Failure, Kind, Note, Place, Reason, Search, Stage, Verdict};
use crate::explain::opt::below;
use crate::stack::NodeId;

/// An interpreter's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 3 of 3.12.
    pub major: u16,
    /// 12 of 3.12.
    pub minor: u16,
}

/// Of an `__init__` that is looked into for the two ways to join directories by hand.
const INIT_BYTES: u64 = 64 << 10;

/// Modules that the interpreter is made with: `sys.builtin_module_names`, and those that are frozen into it and
/// loaded before any path is searched. No file of theirs is ever looked for.
const BUILT_IN: [&str; 58] = [
    "_abc",
    "_ast",
    "_bisect",
    "_codecs",
    "_collections",
    "_collections_abc",
    "_frozen_importlib",
    "_frozen_importlib_external",
    "_functools",
    "_imp",
    "_io",
    "_locale",
    "_operator",
    "_signal",
    "_sitebuiltins",
    "_sre",
    "_stat",
    "_string",
    "_symtable",
    "_thread",
    "_tokenize",
    "_tracemalloc",
    "_typing",
    "_warnings",
    "_weakref",
    "abc",
    "atexit",
    "builtins",
    "codecs",
    "encodings",
    "errno",
    "faulthandler",
    "gc",
    "genericpath",
    "importlib",
    "importlib._bootstrap",
    "importlib._bootstrap_external",
    "importlib.machinery",
    "importlib.util",
    "io",
    "itertools",
    "marshal",
    "ntpath",
    "os",
    "os.path",
    "posix",
    "posixpath",
    "pwd",
    "runpy",
    "site",
    "stat",
    "sys",
    "time",
    "warnings",
    "zipimport",
    "__main__",
    "__hello__",
    "__phello__",
];

impl Version {
    /// Endings of modules in the order in which they are tried.
    fn suffixes(self, machine: Machine) -> Vec<String> {
        let gnu = machine.gnu();
        let Version { major, minor } = self;
        let tagged: Vec<String> = match (major, minor) {
            (2, _) => vec![".so".into(), "module.so".into()],
            // The last with a flag for its allocator in the name.
            (3, ..=7) => vec![
                format!(".cpython-{major}{minor}m-{gnu}-linux-gnu.so"),
                ".abi3.so".into(),
                ".so".into(),
            ],
            _ => vec![
                format!(".cpython-{major}{minor}-{gnu}-linux-gnu.so"),
                ".abi3.so".into(),
                ".so".into(),
            ],
        };
        tagged.into_iter().chain([".py".into(), ".pyc".into()]).collect()
    }

    /// Endings of the file that makes a directory a package.
    fn init_suffixes(self, machine: Machine) -> Vec<String> {
        match self.major {
            2 => vec![".py".into(), ".pyc".into()],
            _ => self.suffixes(machine),
        }
    }

    fn has_namespaces(self) -> bool {
        self.major >= 3
    }
}

/// The endings of one interpreter.
struct Endings {
    module: Vec<String>,
    init: Vec<String>,
    namespaces: bool,
}

/// Looks for each part of a dotted name in turn.
pub(super) fn stages(search: &mut Search<'_>, version: Version, machine: Machine, name: &[u8]) -> Vec<Stage> {
    let endings = Endings {
        module: version.suffixes(machine),
        init: version.init_suffixes(machine),
        namespaces: version.has_namespaces(),
    };
    note_pth_files(search);
    let mut stages: Vec<Stage> = Vec::new();
    let mut places = search.places.to_vec();
    let ends = name
        .iter()
        .enumerate()
        .filter(|&(_, &b)| b == b'.')
        .map(|(at, _)| at);
    for end in ends.chain([name.len()]) {
        let whole = &name[..end];
        let tail = whole.rsplit(|&b| b == b'.').next().unwrap_or(whole);
        let mut stage = find(search, &endings, &places, whole, tail);
        if std::str::from_utf8(whole).is_ok_and(|name| BUILT_IN.contains(&name)) {
            for candidate in &mut stage.candidates {
                candidate.verdict = Verdict::PassedOver(Reason::BuiltIn);
            }
            stage.failure = Some(Failure::BuiltIn);
        }
        if stages.is_empty() {
            tell_versions(search, &mut stage, tail);
        }
        let failed = stage.failure.is_some();
        let below = match end < name.len() && !failed {
            true => directories_of(search, &endings, &stage, &places, tail),
            false => Ok(Vec::new()),
        };
        stages.push(stage);
        if failed || end == name.len() {
            break;
        }
        match below {
            Ok(directories) => places = directories.into_iter().map(Place::Layers).collect(),
            Err(module) => {
                let next = name[end + 1..].iter().position(|&b| b == b'.');
                stages.push(Stage {
                    name: name[..next.map_or(name.len(), |next| end + 1 + next)].to_vec(),
                    places: Vec::new(),
                    candidates: Vec::new(),
                    failure: Some(Failure::NotAPackage { path: module }),
                });
                break;
            }
        }
    }
    stages
}

/// Adds the version to what a name on the path itself is loaded from.
fn tell_versions(search: &mut Search<'_>, stage: &mut Stage, tail: &[u8]) {
    let places = &stage.places;
    for candidate in &mut stage.candidates {
        let Some(Place::Layers(directory)) = places.get(candidate.place) else {
            continue;
        };
        let mut versions = installed_versions(search, directory, tail);
        match versions.len() {
            0 | 1 => candidate.version = versions.pop(),
            _ if candidate.verdict == Verdict::Loads => search.notes.push(Note::SeveralVersions(versions)),
            _ => {}
        }
    }
}

/// Walks the directories as `PathFinder` does: the first regular module or package ends it, directories without
/// an `__init__` are collected until then.
fn find(search: &Search<'_>, endings: &Endings, places: &[Place], whole: &[u8], tail: &[u8]) -> Stage {
    let mut candidates = Vec::new();
    let mut winner = None;
    for (place, what) in places.iter().enumerate() {
        let Place::Layers(directory) = what else { continue };
        let from = candidates.len();
        in_directory(search, endings, place, directory, tail, &mut candidates);
        let regular = |candidate: &Candidate| candidate.kind != Kind::NamespacePortion;
        if winner.is_none() && candidates[from..].first().is_some_and(regular) {
            winner = Some(from);
        }
    }
    let won = winner.map(|winner| (winner, candidates[winner].place, candidates[winner].kind));
    for (number, candidate) in candidates.iter_mut().enumerate() {
        candidate.verdict = match won {
            None => Verdict::Portion,
            Some((winner, ..)) if winner == number => Verdict::Loads,
            Some(_) if candidate.kind == Kind::NamespacePortion => Verdict::PassedOver(Reason::NamespaceLast),
            Some((_, place, _)) if candidate.place != place => Verdict::PassedOver(Reason::LaterPlace),
            Some((_, _, Kind::Package)) if candidate.kind != Kind::Package => {
                Verdict::PassedOver(Reason::PackageFirst)
            }
            Some(_) => Verdict::PassedOver(Reason::SuffixOrder),
        };
    }
    Stage {
        name: whole.to_vec(),
        places: places.to_vec(),
        failure: candidates.is_empty().then_some(Failure::NotFound),
        candidates,
    }
}

/// What one directory has under a name, in the order of `FileFinder`: the package, then modules by ending, then
/// the bare directory.
fn in_directory(
    search: &Search<'_>,
    endings: &Endings,
    place: usize,
    directory: &[u8],
    tail: &[u8],
    candidates: &mut Vec<Candidate>,
) {
    let tree = &search.tree;
    if tail.is_empty() || tree.directory(directory).is_none() {
        return;
    }
    let before = candidates.len();
    let mut found = |path: Vec<u8>, node: NodeId, kind: Kind| {
        candidates.push(Candidate {
            place,
            version: None,
            path,
            node,
            kind,
            verdict: Verdict::Loads,
        });
    };
    let base = below(directory, tail);
    let package = tree.directory(&base);
    if package.is_some() {
        for ending in &endings.init {
            let path = [&base, &b"/__init__"[..], ending.as_bytes()].concat();
            if let Some(node) = tree.file(&path) {
                found(path, node, Kind::Package);
            }
        }
    }
    for ending in &endings.module {
        let path = [&base, ending.as_bytes()].concat();
        if let Some(node) = tree.file(&path) {
            let kind = match ending.ends_with(".so") {
                true => Kind::Extension,
                false => Kind::Module,
            };
            found(path, node, kind);
        }
    }
    if let Some(node) = package.filter(|_| endings.namespaces) {
        let has_init = |candidate: &Candidate| candidate.kind == Kind::Package;
        if !candidates[before..].iter().any(has_init) {
            candidates.push(Candidate {
                place,
                version: None,
                path: base,
                node,
                kind: Kind::NamespacePortion,
                verdict: Verdict::Loads,
            });
        }
    }
}

/// Where submodules of what a stage found are looked for, or the module that can have none.
fn directories_of(
    search: &mut Search<'_>,
    endings: &Endings,
    stage: &Stage,
    places: &[Place],
    tail: &[u8],
) -> Result<Vec<Vec<u8>>, Vec<u8>> {
    let mut directories = Vec::new();
    for winner in stage.winners() {
        match winner.kind {
            Kind::NamespacePortion => directories.push(winner.path.clone()),
            Kind::Package => {
                let end = winner.path.iter().rposition(|&b| b == b'/').unwrap_or(0);
                directories.push(winner.path[..end].to_vec());
                if extends_path(search, winner) {
                    search.notes.push(Note::ExtendsPath(winner.path.clone()));
                    directories.extend(portions(search, endings, places, tail));
                }
            }
            _ => return Err(winner.path.clone()),
        }
    }
    let mut seen = std::collections::HashSet::new();
    directories.retain(|directory| seen.insert(directory.clone()));
    Ok(directories)
}

/// Whether an `__init__` says that it joins other directories of its name, in one of the two usual ways
/// (`pkgutil.extend_path`, `pkg_resources.declare_namespace`).
fn extends_path(search: &mut Search<'_>, package: &Candidate) -> bool {
    let Some(entry) = search.tree.entry_of(package.node) else {
        return false;
    };
    if !package.path.ends_with(b".py") || search.tree.stack().entry(entry).declared_size > INIT_BYTES {
        return false;
    }
    match search.tree.read(entry, INIT_BYTES) {
        Ok(text) => [&b"extend_path"[..], b"declare_namespace"]
            .iter()
            .any(|call| text.windows(call.len()).any(|part| part == *call)),
        Err(unread) => {
            search.unread.push(unread);
            false
        }
    }
}

/// The directories that `extend_path` finds: of each place the package or the bare directory.
fn portions(search: &Search<'_>, endings: &Endings, places: &[Place], tail: &[u8]) -> Vec<Vec<u8>> {
    let mut portions = Vec::new();
    for (place, what) in places.iter().enumerate() {
        let Place::Layers(directory) = what else { continue };
        let mut here = Vec::new();
        in_directory(search, endings, place, directory, tail, &mut here);
        let first = here.first().map(|first| first.kind);
        if matches!(first, Some(Kind::Package | Kind::NamespacePortion)) {
            portions.push(below(directory, tail));
        }
    }
    portions
}

/// The versions of the distribution that has the module's own name, as `.dist-info` directories say.
fn installed_versions(search: &Search<'_>, directory: &[u8], tail: &[u8]) -> Vec<String> {
    let stack = search.tree.stack();
    let node = search.tree.directory(directory);
    let names = node.into_iter().flat_map(|node| stack.children(node));
    let stems = names.filter_map(|child| stack.name(child).strip_suffix(b".dist-info"));
    stems
        .filter_map(|stem| {
            let dash = stem.iter().position(|&b| b == b'-')?;
            let version = String::from_utf8_lossy(&stem[dash + 1..]).into_owned();
            stem[..dash].eq_ignore_ascii_case(tail).then_some(version)
        })
        .collect()
}

/// On Lambda the layers' directories are site directories: lines of `.pth` files in them add others.
fn note_pth_files(search: &mut Search<'_>) {
    let tree = search.tree;
    let mut files = Vec::new();
    for (_, directory) in search.directories() {
        let Some(node) = tree.directory(directory) else {
            continue;
        };
        let names = tree.stack().children(node).map(|child| tree.stack().name(child));
        let pth = names.filter(|name| name.ends_with(b".pth"));
        files.extend(pth.map(|name| below(directory, name)));
    }
    if !files.is_empty() {
        search.notes.push(Note::PthFiles(files));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_those_of_the_interpreter() {
        let of = |major, minor, machine| Version { major, minor }.suffixes(machine).join(" ");
        assert_eq!(
            of(3, 11, Machine::X86_64),
            ".cpython-311-x86_64-linux-gnu.so .abi3.so .so .py .pyc"
        );
        assert_eq!(
            of(3, 7, Machine::Arm64),
            ".cpython-37m-aarch64-linux-gnu.so .abi3.so .so .py .pyc"
        );
        assert_eq!(of(2, 7, Machine::X86_64), ".so module.so .py .pyc");
    }
}
