//! `require('NAME')` as Node's CommonJS loader does it below each directory of `NODE_PATH`: a package's `exports`
//! first, else a file, else its `main`, else its index.
//!
//! Built from Node's `lib/internal/modules/cjs/loader.js`; judged in the tests by a real `node`.

mod exports;

use super::{Candidate, Failure, Kind, Note, Search, Stage, Verdict};
use crate::explain::json::Json;
use crate::explain::opt::{Opt, Unread, below, folded};
use crate::stack::NodeId;
use exports::Target;

/// A larger package.json is refused, with a note.
pub(in crate::explain) const PACKAGE_JSON_BYTES: u64 = 16 << 20;

/// Endings that are tried, in order.
const EXTENSIONS: [&str; 3] = [".js", ".json", ".node"];

/// `require('module').builtinModules` of Node 22, those that need no `node:` in front.
const BUILT_IN: [&str; 42] = [
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "domain",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "repl",
    "stream",
    "string_decoder",
    "sys",
    "timers",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
];

/// Files of built-in modules that have a name of their own.
const BUILT_IN_PARTS: [&str; 12] = [
    "assert/strict",
    "dns/promises",
    "fs/promises",
    "inspector/promises",
    "path/posix",
    "path/win32",
    "readline/promises",
    "stream/consumers",
    "stream/promises",
    "stream/web",
    "timers/promises",
    "util/types",
];

/// Looks a name up below each directory. The first that has it, or fails at it, ends the search.
pub(super) fn stage(search: &mut Search<'_>, major: Option<u32>, name: &[u8]) -> Stage {
    let mut candidates = Vec::new();
    let mut failure = is_built_in(name).then_some(Failure::BuiltIn);
    let (mut notes, mut unread) = (Vec::new(), Vec::new());
    for (place, directory) in search.directories() {
        let mut lookup = Lookup {
            tree: search.tree,
            conditions: conditions(major),
            found: Vec::new(),
            unread: &mut unread,
        };
        if lookup.tree.directory(directory).is_none() {
            continue;
        }
        let ended = lookup.below(directory, name);
        let is_first = candidates.is_empty() && failure.is_none();
        let version = lookup.version(directory, name);
        for (number, (node, kind)) in std::mem::take(&mut lookup.found).into_iter().enumerate() {
            let path = search.tree.stack().path(node);
            if is_first && number == 0 && lookup.is_es_module(&path) {
                notes.push(Note::EsModule(path.clone()));
            }
            candidates.push(Candidate {
                place,
                path,
                node,
                kind,
                version: version.clone(),
                verdict: Verdict::Loads,
            });
        }
        if let (Err(why), true) = (ended, is_first) {
            failure = Some(why);
        }
    }
    search.notes.extend(notes);
    search.unread.extend(unread);
    if let Some(failure) = &failure {
        let reason = match failure {
            Failure::BuiltIn => super::Reason::BuiltIn,
            _ => super::Reason::LaterPlace,
        };
        for candidate in &mut candidates {
            candidate.verdict = Verdict::PassedOver(reason);
        }
    }
    search.decided(name, candidates, failure)
}

/// The conditions of `exports` that `require` has. `module-sync` came with `require` of ES modules, in Node 20.19
/// and 22.12.
fn conditions(major: Option<u32>) -> Vec<&'static str> {
    let mut conditions = vec!["require", "node", "node-addons"];
    if major.is_some_and(|major| major >= 20) {
        conditions.push("module-sync");
    }
    conditions
}

fn is_built_in(name: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(name) else {
        return false;
    };
    name.starts_with("node:") || BUILT_IN.contains(&name) || BUILT_IN_PARTS.contains(&name)
}

/// One search below one directory.
struct Lookup<'a> {
    tree: Opt<'a>,
    conditions: Vec<&'static str>,
    /// What could be loaded from here, the first one counting.
    found: Vec<(NodeId, Kind)>,
    unread: &'a mut Vec<Unread>,
}

impl Lookup<'_> {
    /// `Module._findPath` below one directory of the path.
    fn below(&mut self, directory: &[u8], name: &[u8]) -> Result<(), Failure> {
        if let Some((package, subpath)) = package_and_subpath(name) {
            let package = below(directory, package);
            if let Some(exports) = self
                .package_json(&package)?
                .as_ref()
                .and_then(|json| json.get("exports"))
                && *exports != Json::Null
            {
                return self.exported(&package, subpath, exports);
            }
        }
        let trailing_slash = [&b"/"[..], b"/.", b"/.."].iter().any(|end| name.ends_with(end));
        let Some(base) = folded(directory, name) else {
            return Ok(());
        };
        if !trailing_slash {
            self.file(&base, Kind::File);
            self.with_extension(&base, Kind::File);
        }
        match self.tree.directory(&base) {
            Some(_) => self.package(&base),
            None => Ok(()),
        }
    }

    /// `resolveExports`: what the package names for a subpath, or nothing at all.
    fn exported(&mut self, package: &[u8], subpath: &[u8], exports: &Json) -> Result<(), Failure> {
        let path = below(package, b"package.json");
        let key = format!(".{}", String::from_utf8_lossy(subpath));
        let missing = |target: String| Failure::NamedFileMissing {
            path: path.clone(),
            target,
        };
        match exports::target(exports, &key, &self.conditions) {
            Target::None => Err(Failure::NotExported { path, subpath: key }),
            Target::File(target) => {
                let file = folded(package, target.as_bytes()).and_then(|file| self.tree.file(&file));
                let file = file.ok_or_else(|| missing(target))?;
                self.found.push((file, Kind::Exported));
                Ok(())
            }
        }
    }

    /// `tryPackage`: `main` as a file, with an ending or as a directory; else the index.
    fn package(&mut self, directory: &[u8]) -> Result<(), Failure> {
        let json = self.package_json(directory)?;
        let main = json.as_ref().and_then(|json| json.text("main")).unwrap_or("");
        let before = self.found.len();
        if !main.is_empty()
            && let Some(base) = folded(directory, main.as_bytes())
        {
            self.file(&base, Kind::Main);
            self.with_extension(&base, Kind::Main);
            self.with_extension(&below(&base, b"index"), Kind::Main);
        }
        if self.found.len() == before {
            self.with_extension(&below(directory, b"index"), Kind::Main);
        }
        // Only the first counts; the others are what the same package would fall back to.
        self.found.truncate(before + 1);
        match self.found.len() == before && !main.is_empty() && before == 0 {
            true => Err(Failure::NamedFileMissing {
                path: below(directory, b"package.json"),
                target: main.to_owned(),
            }),
            false => Ok(()),
        }
    }

    fn with_extension(&mut self, base: &[u8], kind: Kind) {
        for extension in EXTENSIONS {
            self.file(&[base, extension.as_bytes()].concat(), kind);
        }
    }

    fn file(&mut self, path: &[u8], kind: Kind) {
        self.found.extend(self.tree.file(path).map(|node| (node, kind)));
    }

    /// The package.json of a directory, if it has one.
    fn package_json(&mut self, directory: &[u8]) -> Result<Option<Json>, Failure> {
        let path = below(directory, b"package.json");
        let Some(node) = self.tree.file(&path) else {
            return Ok(None);
        };
        let Some(entry) = self.tree.entry_of(node) else {
            return Ok(None);
        };
        match self.tree.read(entry, PACKAGE_JSON_BYTES) {
            Ok(bytes) => match Json::parse(&bytes) {
                Some(json) => Ok(Some(json)),
                None => Err(Failure::BadPackageJson { path }),
            },
            Err(why) => {
                self.unread.push(why);
                Ok(None)
            }
        }
    }

    fn version(&mut self, directory: &[u8], name: &[u8]) -> Option<String> {
        let (package, _) = package_and_subpath(name)?;
        let json = self.package_json(&below(directory, package)).ok()??;
        json.text("version").map(str::to_owned)
    }

    /// Whether a file is an ES module, by its ending or by the nearest package.json.
    fn is_es_module(&mut self, path: &[u8]) -> bool {
        if path.ends_with(b".mjs") {
            return true;
        }
        let mut directory = path;
        while let Some(slash) = directory.iter().rposition(|&b| b == b'/') {
            directory = &directory[..slash];
            if directory.ends_with(b"node_modules") {
                return false;
            }
            if let Ok(Some(json)) = self.package_json(directory) {
                return path.ends_with(b".js") && json.text("type") == Some("module");
            }
        }
        false
    }
}

/// Package and the rest: `@scope/name` and `/sub/path`. Nothing where the name can be no package's.
fn package_and_subpath(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let scope = match name.first()? {
        b'@' => name.iter().position(|&b| b == b'/')? + 1,
        _ => 0,
    };
    let end = name[scope..]
        .iter()
        .position(|&b| b == b'/')
        .map_or(name.len(), |slash| scope + slash);
    let package = &name[..end];
    let odd = scope == 2 || end == scope || name[scope] == b'.' || package.iter().any(|b| b"\\%".contains(b));
    (!odd).then(|| name.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_belongs_to_the_package() {
        let of = |name: &'static str| {
            package_and_subpath(name.as_bytes())
                .map(|(a, b)| (a.escape_ascii().to_string(), b.escape_ascii().to_string()))
        };
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(of("x"), pair("x", ""));
        assert_eq!(of("x/lib/y.js"), pair("x", "/lib/y.js"));
        assert_eq!(of("@aws/x/y"), pair("@aws/x", "/y"));
        for odd in ["", "@aws", "@/x", "./x", "../x", "/x"] {
            assert_eq!(of(odd), None, "{odd}");
        }
    }

    #[test]
    fn what_node_has_built_in_is_never_looked_for() {
        assert!(is_built_in(b"fs") && is_built_in(b"fs/promises") && is_built_in(b"node:test"));
        assert!(!is_built_in(b"test") && !is_built_in(b"fs-extra"));
    }
}
