//! Whether files lie where Lambda and its runtimes look for them, and may be started there.

use std::collections::BTreeMap;

use super::{Findings, Look, Options, Place, Rule, Severity, counted};
use crate::archive::EntryKind;
use crate::stack::Stack;

const SITE_PACKAGES: Rule = Rule {
    code: "L010",
    slug: "misplaced-site-packages",
    severity: Severity::Warning,
    title: "site-packages where no Python looks",
    why: "Lambda's Pythons look into python/ and python/lib/pythonX.Y/site-packages of a layer, nowhere else.",
    cure: "`pip install --target python …`, then zip the directory `python`.",
};
const BARE_PACKAGE: Rule = Rule {
    code: "L011",
    slug: "bare-package",
    severity: Severity::Warning,
    title: "packages at the root of the layer",
    why: "They land in /opt itself, where no runtime looks.",
    cure: "Put Python packages below python/, node_modules below nodejs/, Ruby gems below ruby/gems/X.Y.0, jars into \
           java/lib.",
};
const WRAPPED: Rule = Rule {
    code: "L012",
    slug: "wrapped-layer",
    severity: Severity::Warning,
    title: "the whole layer lies in one more directory",
    why: "python/, nodejs/, bin/ and the like must be at the root of the zip; here they land in /opt/DIRECTORY.",
    cure: "Zip from within: `(cd layer && zip -qry ../layer.zip .)`.",
};
const OTHER_RUNTIME: Rule = Rule {
    code: "L013",
    slug: "other-runtime-directory",
    severity: Severity::Warning,
    title: "a directory of another version of the runtime (--runtime)",
    why: "The runtime looks into the directory of its own version only.",
    cure: "Build the layer for this runtime, or use the directory without a version: python/, nodejs/node_modules.",
};
const BIN_NOT_EXECUTABLE: Rule = Rule {
    code: "L014",
    slug: "bin-not-executable",
    severity: Severity::Warning,
    title: "a file in bin/ that not everybody may execute",
    why: "/opt/bin is on the PATH; without the bit the program is \"permission denied\".",
    cure: "`chmod o+rx bin/*` before zipping, on a system that keeps modes.",
};
const EXTENSION_NOT_EXECUTABLE: Rule = Rule {
    code: "L015",
    slug: "extension-not-executable",
    severity: Severity::Error,
    title: "a file in extensions/ that not everybody may execute",
    why: "Lambda starts every file there as an extension; one that does not start ends the function.",
    cure: "`chmod o+rx extensions/*` before zipping; put what is no program elsewhere.",
};
const BOOTSTRAP_NOT_EXECUTABLE: Rule = Rule {
    code: "L016",
    slug: "bootstrap-not-executable",
    severity: Severity::Error,
    title: "a bootstrap that not everybody may execute",
    why: "Lambda: \"Couldn't find valid bootstrap(s)\".",
    cure: "`chmod 755 bootstrap` before zipping.",
};
const TOO_MANY_EXTENSIONS: Rule = Rule {
    code: "L017",
    slug: "too-many-extensions",
    severity: Severity::Error,
    title: "more extensions than a function may have",
    why: "Lambda starts at most ten extensions.",
    cure: "Leave out the layers of extensions that the function does not need.",
};

pub(super) const RULES: &[&Rule] = &[
    &SITE_PACKAGES,
    &BARE_PACKAGE,
    &WRAPPED,
    &OTHER_RUNTIME,
    &BIN_NOT_EXECUTABLE,
    &EXTENSION_NOT_EXECUTABLE,
    &BOOTSTRAP_NOT_EXECUTABLE,
    &TOO_MANY_EXTENSIONS,
];

const MOST_EXTENSIONS: usize = 10;
/// What Lambda or a runtime looks for at the root of a layer.
const HOMES: [&[u8]; 8] = [
    b"python",
    b"nodejs",
    b"java",
    b"ruby",
    b"bin",
    b"lib",
    b"extensions",
    b"bootstrap",
];

/// What is known of a name at the root.
#[derive(Default)]
struct Top {
    entries: usize,
    /// What makes it a package of some language, as a path below the root.
    package: Option<Vec<u8>>,
    /// A home of some runtime directly below it.
    home: Option<Vec<u8>>,
}

pub(super) fn check(look: &Look<'_>, findings: &mut Findings) {
    let mut tops: BTreeMap<&[u8], Top> = BTreeMap::new();
    let mut site_packages: BTreeMap<&[u8], usize> = BTreeMap::new();
    // Entries of one directory mostly stand together.
    let mut last: Option<(&[u8], Top)> = None;
    for (_, entry) in look.archive.entries() {
        let path = entry.path;
        let (top, below) = split(path);
        if last.as_ref().is_none_or(|(name, _)| *name != top) {
            if let Some((name, done)) = last.take() {
                merge(&mut tops, name, done);
            }
            last = Some((top, Top::default()));
        }
        if let Some((_, known)) = &mut last {
            note(known, path, top, below, entry.kind);
        }
        if let Some(directory) = misplaced_site_packages(path) {
            *site_packages.entry(directory).or_default() += 1;
        }
        check_executable(look, path, entry.kind, entry.permissions, findings);
    }
    if let Some((name, done)) = last {
        merge(&mut tops, name, done);
    }
    for (directory, entries) in site_packages {
        let found = format!("{} below it", counted(entries, "entry"));
        findings.add(&SITE_PACKAGES, look.place(Some(directory.to_vec()), None), found);
    }
    check_tops(look, &tops, findings);
}

/// The rules of places that need to know all layers, or the runtime.
pub(super) fn check_stack(stack: &Stack, options: &Options, findings: &mut Findings) {
    if !options.apart
        && let Some(extensions) = stack.find([&b"extensions"[..]])
    {
        let count = stack
            .children(extensions)
            .filter(|&child| !stack.is_directory(child))
            .count();
        if count > MOST_EXTENSIONS {
            let found = format!("{count} extensions, the limit is {MOST_EXTENSIONS}");
            findings.add(&TOO_MANY_EXTENSIONS, Place::default(), found);
        }
    }
    let Some(runtime) = &options.runtime else { return };
    let homes = [
        (&b"python/lib"[..], "python", &runtime.python),
        (b"nodejs", "node", &runtime.node),
    ];
    for (home, prefix, version) in homes {
        let directory = stack.find(home.split(|&b| b == b'/'));
        let (Some(version), Some(directory)) = (version, directory) else {
            continue;
        };
        for child in stack.children(directory) {
            let name = String::from_utf8_lossy(stack.name(child)).into_owned();
            let other = name.strip_prefix(prefix).filter(|other| other != version);
            if other.is_some_and(|other| other.starts_with(|c: char| c.is_ascii_digit())) {
                let place = Place {
                    layer: Some(stack.provider(child)),
                    entry: Some(stack.path(child)),
                    offset: None,
                };
                let found = format!("{} looks into {prefix}{version}", runtime.name);
                findings.add(&OTHER_RUNTIME, place, found);
            }
        }
    }
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().position(|&b| b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (path, &[]),
    }
}

fn note(top: &mut Top, path: &[u8], name: &[u8], below: &[u8], kind: EntryKind) {
    top.entries += 1;
    let is_home = HOMES.contains(&name);
    if is_home {
        return;
    }
    if top.package.is_none() {
        let is_package = below == b"__init__.py"
            || name == b"node_modules"
            || name.ends_with(b".dist-info")
            || name.ends_with(b".egg-info")
            || (below.is_empty() && kind == EntryKind::File && is_module(name));
        top.package = is_package.then(|| path.to_vec());
    }
    if top.home.is_none() {
        let (second, third) = split(below);
        let is_home = HOMES[..4].contains(&second) && !third.is_empty();
        top.home = is_home.then(|| [name, b"/", second].concat());
    }
}

/// A file that somebody would import or require, or a jar.
fn is_module(name: &[u8]) -> bool {
    let ends: [&[u8]; 4] = [b".py", b".so", b".jar", b".pyc"];
    ends.iter().any(|end| name.ends_with(end))
}

fn merge<'a>(tops: &mut BTreeMap<&'a [u8], Top>, name: &'a [u8], more: Top) {
    let top = tops.entry(name).or_default();
    top.entries += more.entries;
    top.package = top.package.take().or(more.package);
    top.home = top.home.take().or(more.home);
}

fn check_tops(look: &Look<'_>, tops: &BTreeMap<&[u8], Top>, findings: &mut Findings) {
    for (name, top) in tops {
        match (&top.home, &top.package) {
            (Some(home), _) if tops.len() == 1 => {
                let found = format!("all of the layer lies below it, such as {}", home.escape_ascii());
                findings.add(&WRAPPED, look.place(Some(name.to_vec()), None), found);
            }
            (_, Some(package)) => {
                let found = match package.as_slice() == *name {
                    true => "a module at the root".to_owned(),
                    false => format!("a package at the root: it has {}", package.escape_ascii()),
                };
                findings.add(&BARE_PACKAGE, look.place(Some(name.to_vec()), None), found);
            }
            _ => {}
        }
    }
}

/// The `site-packages` directory of a path, unless Lambda's Pythons look there or anywhere above.
fn misplaced_site_packages(path: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"site-packages";
    let at = path.windows(NAME.len()).position(|part| part == NAME)?;
    let end = at + NAME.len();
    let is_part = (at == 0 || path[at - 1] == b'/') && path.get(end).is_none_or(|&b| b == b'/');
    let before: Vec<&[u8]> = path[..at].split(|&b| b == b'/').collect();
    let is_right = match before.as_slice() {
        [b"python", b"lib", version, b""] => version.starts_with(b"python"),
        // Something within a package, such as a template of a virtual environment.
        [b"python", b"lib", _, b"site-packages", ..] => true,
        [b"python", package, _, ..] if *package != b"lib" && !package.starts_with(b"python") => true,
        [b"nodejs", b"node_modules", ..] => true,
        _ => false,
    };
    (is_part && !is_right).then_some(&path[..end])
}

fn check_executable(
    look: &Look<'_>,
    path: &[u8],
    kind: EntryKind,
    permissions: u16,
    findings: &mut Findings,
) {
    if kind != EntryKind::File || permissions & 0o001 != 0 {
        return;
    }
    let rule = match split(path) {
        (b"bin", name) if !name.is_empty() && !name.contains(&b'/') => &BIN_NOT_EXECUTABLE,
        (b"extensions", name) if !name.is_empty() && !name.contains(&b'/') => &EXTENSION_NOT_EXECUTABLE,
        (b"bootstrap", b"") => &BOOTSTRAP_NOT_EXECUTABLE,
        _ => return,
    };
    let place = look.place(Some(path.to_vec()), None);
    findings.add(rule, place, format!("mode {permissions:04o}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn site_packages_is_right_below_python_lib() {
        for (path, found) in [
            (&b"python/lib/python3.11/site-packages/x.py"[..], None),
            (
                b"lib/python3.11/site-packages/x.py",
                Some(&b"lib/python3.11/site-packages"[..]),
            ),
            (b"python/site-packages/x.py", Some(b"python/site-packages")),
            (b"site-packages", Some(b"site-packages")),
            (
                b"python/python3.11/site-packages/a",
                Some(b"python/python3.11/site-packages"),
            ),
            (b"python/virtualenv/seed/site-packages/a", None),
            (b"python/my-site-packages/x", None),
            (b"python/x.py", None),
        ] {
            assert_eq!(misplaced_site_packages(path), found, "{}", path.escape_ascii());
        }
    }
}
