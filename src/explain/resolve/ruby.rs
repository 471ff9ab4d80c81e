//! `require 'NAME'` as Ruby does it: the load path first, then the gem that has the file, by the gem's name and
//! its highest version (RubyGems, `Gem::Specification.find_by_path`). With Bundler the Gemfile decides instead.

use super::{Candidate, Kind, Reason, Search, Stage, Verdict};
use crate::explain::opt::{Opt, Unread, below};
use crate::explain::version::compare;
use crate::stack::NodeId;

/// Of a specification only the lines at its beginning are read, which RubyGems writes there for the same purpose.
const STUB_BYTES: usize = 4096;

/// What a gem's specification says in its first lines.
pub(in crate::explain) struct Gem {
    /// The gem's name.
    pub(in crate::explain) name: String,
    /// Its version.
    pub(in crate::explain) version: String,
    /// Name, version and, where it has one, platform: what its directories are called.
    pub(in crate::explain) full_name: String,
    /// Directories that `require` searches, below the gem's own.
    require_paths: Vec<String>,
    /// The specification.
    pub(in crate::explain) specification: NodeId,
}

/// Looks a name up on the load path, then among the gems.
pub(super) fn stage(search: &mut Search<'_>, name: &[u8]) -> Stage {
    let (mut candidates, mut unread) = (Vec::new(), Vec::new());
    for (place, directory) in search.directories() {
        let mut found = |base: &[u8], kind: Kind, version: Option<&str>| {
            for ending in endings(name) {
                let path = [below(base, name).as_slice(), ending.as_bytes()].concat();
                if let Some(node) = search.tree.file(&path) {
                    candidates.push(Candidate {
                        place,
                        path,
                        node,
                        kind,
                        version: version.map(str::to_owned),
                        verdict: Verdict::Loads,
                    });
                }
            }
        };
        let mut gems = gems(&search.tree, directory, &mut unread);
        if gems.is_empty() {
            found(directory, Kind::File, None);
            continue;
        }
        gems.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| compare(&b.version, &a.version)));
        for gem in &gems {
            for base in require_directories(&search.tree, directory, gem) {
                found(&base, Kind::Gem, Some(&gem.version));
            }
        }
    }
    search.unread.extend(unread);
    let mut stage = search.decided(name, candidates, None);
    for candidate in &mut stage.candidates {
        if candidate.kind == Kind::Gem && candidate.verdict == Verdict::PassedOver(Reason::FileFirst) {
            candidate.verdict = Verdict::PassedOver(Reason::LowerVersion);
        }
    }
    stage
}

/// The gems installed in a directory of `GEM_PATH`.
pub(in crate::explain) fn gems(tree: &Opt<'_>, home: &[u8], unread: &mut Vec<Unread>) -> Vec<Gem> {
    let Some(specifications) = tree.directory(&below(home, b"specifications")) else {
        return Vec::new();
    };
    let mut gems = Vec::new();
    for specification in tree.stack().children(specifications) {
        let Some(stem) = tree.stack().name(specification).strip_suffix(b".gemspec") else {
            continue;
        };
        let Some(entry) = tree.entry_of(specification) else {
            continue;
        };
        match tree.head(entry, STUB_BYTES) {
            Ok(head) => gems.extend(gem(stem, &head, specification)),
            Err(why) => unread.push(why),
        }
    }
    gems
}

/// `# stub: NAME VERSION PLATFORM PATH` with further paths behind NULs; without such a line, what the file's own
/// name says.
fn gem(stem: &[u8], head: &[u8], specification: NodeId) -> Option<Gem> {
    let full_name = std::str::from_utf8(stem).ok()?.to_owned();
    let head = String::from_utf8_lossy(head);
    let stub = head
        .lines()
        .take(8)
        .find_map(|line| line.strip_prefix("# stub: "));
    let mut words = stub.unwrap_or("").splitn(4, ' ');
    let gem = match (words.next(), words.next(), words.next(), words.next()) {
        (Some(name), Some(version), Some(_), Some(paths)) => Gem {
            name: name.to_owned(),
            version: version.to_owned(),
            full_name,
            require_paths: paths.split('\0').map(str::to_owned).collect(),
            specification,
        },
        _ => {
            let dash = full_name
                .match_indices('-')
                .map(|(at, _)| at)
                .find(|&at| full_name[at + 1..].starts_with(|c: char| c.is_ascii_digit()))?;
            Gem {
                name: full_name[..dash].to_owned(),
                version: full_name[dash + 1..].to_owned(),
                full_name,
                require_paths: vec!["lib".to_owned()],
                specification,
            }
        }
    };
    Some(gem)
}

/// Compiled extensions first, as `full_require_paths` has them, then the gem's own directories.
fn require_directories(tree: &Opt<'_>, home: &[u8], gem: &Gem) -> Vec<Vec<u8>> {
    let mut directories = Vec::new();
    let extensions = below(home, b"extensions");
    let children = |path: &[u8]| {
        let node = tree.directory(path);
        let names = node.into_iter().flat_map(|node| tree.stack().children(node));
        names
            .map(|child| below(path, tree.stack().name(child)))
            .collect::<Vec<_>>()
    };
    for platform in children(&extensions) {
        for api in children(&platform) {
            directories.push(below(&api, gem.full_name.as_bytes()));
        }
    }
    let own = below(&below(home, b"gems"), gem.full_name.as_bytes());
    directories.extend(gem.require_paths.iter().map(|path| below(&own, path.as_bytes())));
    directories
}

/// What `require` adds to a name.
fn endings(name: &[u8]) -> &'static [&'static str] {
    match name.ends_with(b".rb") || name.ends_with(b".so") {
        true => &[""],
        false => &[".rb", ".so"],
    }
}
