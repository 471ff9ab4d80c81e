//! How `optfs resolve` says what was decided: sentences for people, fixed words for scripts (docs/json.md).

use crate::cli::printable::printable;
use crate::explain::resolve::{Failure, Kind, Note, Reason, Verdict, Why};

pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Package => "a package",
        Kind::Module => "a module",
        Kind::Extension => "an extension module",
        Kind::NamespacePortion => "a part of a namespace package",
        Kind::File => "a file",
        Kind::Exported => "named by the package's exports",
        Kind::Main => "the package's main file",
        Kind::Jar => "a jar",
        Kind::Gem => "of a gem",
        Kind::Command => "a command",
        Kind::Library => "a shared object",
    }
}

pub(super) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Package => "package",
        Kind::Module => "module",
        Kind::Extension => "extension",
        Kind::NamespacePortion => "namespace",
        Kind::File => "file",
        Kind::Exported => "exports",
        Kind::Main => "main",
        Kind::Jar => "jar",
        Kind::Gem => "gem",
        Kind::Command => "command",
        Kind::Library => "library",
    }
}

pub(super) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Loads => "found",
        Verdict::Portion => "found, a part of it",
        Verdict::PassedOver(reason) => match reason {
            Reason::LaterPlace => "found later on the path",
            Reason::PackageFirst => "a package comes before a module of its name",
            Reason::SuffixOrder => "another ending is tried first",
            Reason::NamespaceLast => "a directory without __init__ gives way to a module or package",
            Reason::FileFirst => "another file of its name is tried first",
            Reason::LowerVersion => "of a gem the highest version counts",
            Reason::NotExecutable => "may not be executed",
            Reason::OtherMachine => "compiled for another machine",
            Reason::BuiltIn => "never looked for",
        },
    }
}

pub(super) fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::LaterPlace => "later-place",
        Reason::PackageFirst => "package-first",
        Reason::SuffixOrder => "suffix-order",
        Reason::NamespaceLast => "namespace-last",
        Reason::FileFirst => "file-first",
        Reason::LowerVersion => "lower-version",
        Reason::NotExecutable => "not-executable",
        Reason::OtherMachine => "other-machine",
        Reason::BuiltIn => "built-in",
    }
}

/// What a place outside of the layers means for the answer: whether it is searched before what was found.
pub(super) fn outside(holds: &str, before: Option<bool>) -> String {
    match before {
        Some(true) => format!("would win: {holds}"),
        Some(false) => format!("too late: {holds}"),
        None => format!("outside: {holds}"),
    }
}

pub(super) fn failure(failure: &Failure) -> String {
    let place = |path: &[u8]| format!("/opt/{}", printable(path));
    match failure {
        Failure::NotFound => "no layer has it where it is looked for".to_owned(),
        Failure::BuiltIn => "built into the runtime: no file of that name is ever loaded".to_owned(),
        Failure::NotAPackage { path } => format!("{} is a module: nothing can be below it", place(path)),
        Failure::NotExported { path, subpath } => {
            let subpath = printable(subpath.as_bytes());
            format!("{} exports no \"{subpath}\", and require ends there", place(path))
        }
        Failure::NamedFileMissing { path, target } => {
            let target = printable(target.as_bytes());
            format!("{} names \"{target}\", which is not there", place(path))
        }
        Failure::BadPackageJson { path } => format!("{} is no JSON, and require ends there", place(path)),
        Failure::NotElf { path } => format!("{} is no ELF file, and the loader ends there", place(path)),
    }
}

pub(super) fn failure_word(failure: &Failure) -> &'static str {
    match failure {
        Failure::NotFound => "not-found",
        Failure::BuiltIn => "built-in",
        Failure::NotAPackage { .. } => "not-a-package",
        Failure::NotExported { .. } => "not-exported",
        Failure::NamedFileMissing { .. } => "named-file-missing",
        Failure::BadPackageJson { .. } => "bad-package-json",
        Failure::NotElf { .. } => "not-elf",
    }
}

pub(super) fn why(why: Why) -> &'static str {
    match why {
        Why::OtherPlace => "not on the search path",
        Why::OtherVersion => "in the directory of another version of the runtime",
        Why::OtherAbi => "for another interpreter or machine",
        Why::Spelling => "spelt otherwise",
    }
}

pub(super) fn why_word(why: Why) -> &'static str {
    match why {
        Why::OtherPlace => "other-place",
        Why::OtherVersion => "other-version",
        Why::OtherAbi => "other-abi",
        Why::Spelling => "spelling",
    }
}

pub(super) fn note(note: &Note) -> String {
    let place = |path: &[u8]| format!("/opt/{}", printable(path));
    match note {
        Note::PthFiles(paths) => {
            let files: Vec<_> = paths.iter().map(|path| place(path)).collect();
            format!(
                "on Lambda, not under optfs run, lines of {} add directories",
                files.join(", ")
            )
        }
        Note::ExtendsPath(path) => {
            format!(
                "{} joins the directories of its name on the whole path",
                place(path)
            )
        }
        Note::SeveralVersions(versions) => {
            let versions: Vec<_> = versions
                .iter()
                .map(|version| printable(version.as_bytes()))
                .collect();
            format!(
                "versions {} are installed over each other: see optfs torn",
                versions.join(" and ")
            )
        }
        Note::EsModule(path) => {
            format!(
                "{} is an ES module: require needs Node 20.19 or 22.12, import finds no layer",
                place(path)
            )
        }
    }
}
