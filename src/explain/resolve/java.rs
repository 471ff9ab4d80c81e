//! Which jar a class or a resource is loaded from: the jars of a directory in the order of their names, whatever
//! layer they are of, as Lambda's class loader lists them (aws-lambda-java-libs, `CustomerClassLoader.java`).

use std::path::Path;
use std::sync::Arc;

use super::{Candidate, Kind, Search, Stage, Verdict};
use crate::archive::Archive;
use crate::explain::opt::{Opt, Unread, below};
use crate::stack::{EntryRef, NodeId};

/// Jars are read whole to see what they hold; larger ones are named as not looked into.
const JAR_BYTES: u64 = 128 << 20;

/// Looks for a jar by its file's name, else for a class or a resource inside the jars.
pub(super) fn stage(search: &mut Search<'_>, name: &[u8]) -> Stage {
    let (mut candidates, mut unread) = (Vec::new(), Vec::new());
    let inside = inside_name(name);
    for (place, directory) in search.directories() {
        for jar in jars(&search.tree, directory) {
            let has_it = match name.ends_with(b".jar") {
                true => jar.name == name,
                false => match entries(&search.tree, jar.entry) {
                    Ok(archive) => archive.entry_ids().any(|id| archive.entry_path(id) == inside),
                    Err(why) => {
                        unread.push(why);
                        false
                    }
                },
            };
            if has_it {
                candidates.push(Candidate {
                    place,
                    path: below(directory, &jar.name),
                    node: jar.node,
                    kind: Kind::Jar,
                    version: version_of(&jar.name).map(|(_, version)| version),
                    verdict: Verdict::Loads,
                });
            }
        }
    }
    search.unread.extend(unread);
    let mut stage = search.decided(name, candidates, None);
    for candidate in &mut stage.candidates {
        if candidate.verdict != Verdict::Loads {
            candidate.verdict = Verdict::PassedOver(super::Reason::LaterPlace);
        }
    }
    stage
}

/// A jar in a directory.
pub(in crate::explain) struct Jar {
    /// Its file's name.
    pub(in crate::explain) name: Vec<u8>,
    /// What stands there, links followed.
    pub(in crate::explain) node: NodeId,
    /// Its bytes.
    pub(in crate::explain) entry: EntryRef,
}

/// The jars directly in a directory, by name.
pub(in crate::explain) fn jars(tree: &Opt<'_>, directory: &[u8]) -> Vec<Jar> {
    let Some(node) = tree.directory(directory) else {
        return Vec::new();
    };
    let names = tree.stack().children(node).map(|child| tree.stack().name(child));
    let jars = names.filter(|name| name.ends_with(b".jar"));
    jars.filter_map(|name| {
        let node = tree.file(&below(directory, name))?;
        Some(Jar {
            name: name.to_vec(),
            node,
            entry: tree.entry_of(node)?,
        })
    })
    .collect()
}

/// Artifact and version of a jar's file name: `guava` and `31.1-jre` of `guava-31.1-jre.jar`. The version begins
/// at the last dash that a digit follows, for names have numbers too (`log4j-1.2-api-2.17.1.jar`).
pub(in crate::explain) fn version_of(name: &[u8]) -> Option<(String, String)> {
    let stem = std::str::from_utf8(name.strip_suffix(b".jar")?).ok()?;
    let dash = stem
        .match_indices('-')
        .map(|(at, _)| at)
        .rfind(|&at| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit()))?;
    (dash > 0).then(|| (stem[..dash].to_owned(), stem[dash + 1..].to_owned()))
}

fn entries(tree: &Opt<'_>, jar: EntryRef) -> Result<Archive, Unread> {
    let path = tree.stack().entry(jar).path;
    let bytes = tree.read(jar, JAR_BYTES)?;
    let name = String::from_utf8_lossy(path).into_owned();
    Archive::from_source(Path::new(&name), Arc::new(bytes)).map_err(|error| Unread {
        path: path.to_vec(),
        entry: jar,
        why: error.to_string(),
    })
}

/// A class as an entry of a jar: `com.example.Some$Inner` is `com/example/Some$Inner.class`. What has a slash
/// is a resource and stands for itself.
fn inside_name(name: &[u8]) -> Vec<u8> {
    if name.contains(&b'/') {
        return name.to_vec();
    }
    let mut path: Vec<u8> = name.iter().map(|&b| if b == b'.' { b'/' } else { b }).collect();
    path.extend_from_slice(b".class");
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_stand_behind_the_last_dash_before_a_digit() {
        let of = |name: &str| version_of(name.as_bytes());
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(of("guava-31.1-jre.jar"), pair("guava", "31.1-jre"));
        assert_eq!(of("log4j-1.2-api-2.17.1.jar"), pair("log4j-1.2-api", "2.17.1"));
        assert_eq!(
            of("aws-lambda-java-core-1.2.3.jar"),
            pair("aws-lambda-java-core", "1.2.3")
        );
        assert_eq!(of("plain.jar"), None);
        assert_eq!(of("-1.jar"), None);
        assert_eq!(inside_name(b"com.x.Y$Z"), b"com/x/Y$Z.class");
        assert_eq!(inside_name(b"META-INF/x.txt"), b"META-INF/x.txt");
    }
}
