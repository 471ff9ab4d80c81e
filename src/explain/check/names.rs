//! What entries are called.

use super::{Findings, Look, Rule, Severity};
use crate::path::NameError;

const ESCAPES: Rule = Rule {
    code: "Z020",
    slug: "escaping-name",
    severity: Severity::Error,
    title: "a name with a '..' part",
    why: "Extracted carelessly it lands outside of /opt; Lambda refuses such archives, optfs leaves the entry out.",
    cure: "Zip from within the directory: `(cd layer && zip -qry ../layer.zip .)`.",
};
const UNUSABLE: Rule = Rule {
    code: "Z021",
    slug: "unusable-name",
    severity: Severity::Error,
    title: "a name that no filesystem can hold",
    why: "It is empty, too long or has a NUL byte, behind which tools disagree. optfs leaves the entry out.",
    cure: "Rename the file and zip again.",
};
const ABSOLUTE: Rule = Rule {
    code: "Z022",
    slug: "absolute-name",
    severity: Severity::Error,
    title: "a name that begins with a slash",
    why: "Some tools write to that very place, others take the slash away, as optfs does; Lambda calls such \
          archives invalid.",
    cure: "Zip with relative names: `(cd layer && zip -qry ../layer.zip .)`.",
};
const BACKSLASH: Rule = Rule {
    code: "Z023",
    slug: "backslash-name",
    severity: Severity::Warning,
    title: "a name with a backslash",
    why: "Windows tools write them for slashes. On Lambda a backslash is an ordinary character: the file lies in \
          no directory and is not found.",
    cure: "Zip with a tool that writes slashes, as the format demands.",
};
const UNTIDY: Rule = Rule {
    code: "Z024",
    slug: "untidy-name",
    severity: Severity::Note,
    title: "a name with '.' parts or doubled slashes",
    why: "They are folded away; two names may mean the same file.",
    cure: "Zip with plain relative names.",
};
const NOT_UTF8: Rule = Rule {
    code: "Z025",
    slug: "name-not-utf8",
    severity: Severity::Warning,
    title: "a name that is not UTF-8",
    why: "Tools guess its charset differently, so the file may be looked for under a name it does not have.",
    cure: "Zip on a system with a UTF-8 locale.",
};
const CONTROL: Rule = Rule {
    code: "Z026",
    slug: "control-character-name",
    severity: Severity::Warning,
    title: "a name with control characters",
    why: "It breaks lists of files and may deceive whoever reads them on a terminal.",
    cure: "Rename the file and zip again.",
};

pub(super) const RULES: &[&Rule] = &[
    &ESCAPES, &UNUSABLE, &ABSOLUTE, &BACKSLASH, &UNTIDY, &NOT_UTF8, &CONTROL,
];

pub(super) fn check(look: &Look<'_>, findings: &mut Findings) {
    let mut rejected = look.archive.rejected().iter();
    for (index, listed) in look.survey.listed.iter().enumerate() {
        let Some(id) = listed.entry else {
            let Some(rejected) = rejected.next() else { continue };
            let rule = match rejected.reason {
                NameError::DotDot => &ESCAPES,
                NameError::Nul | NameError::LongPart(_) | NameError::TooLong(_) | NameError::Empty => {
                    &UNUSABLE
                }
            };
            findings.add(rule, look.listed(index), rejected.reason.to_string());
            continue;
        };
        let path = look.archive.entry_path(id);
        if let Some(raw) = listed.odd_name() {
            check_odd(look, index, raw, path, findings);
        }
        let (mut backslash, mut control) = (false, false);
        for &byte in path {
            backslash |= byte == b'\\';
            control |= byte < 0x20 || byte == 0x7f;
        }
        if backslash {
            findings.add(
                &BACKSLASH,
                look.listed(index),
                "a backslash is no separator on Linux",
            );
        }
        if control {
            let found = format!("\"{}\"", path.escape_ascii());
            findings.add(&CONTROL, look.listed(index), found);
        }
        if !path.is_ascii() && std::str::from_utf8(path).is_err() {
            let found = format!("\"{}\" is kept as it is", path.escape_ascii());
            findings.add(&NOT_UTF8, look.listed(index), found);
        }
    }
}

/// A name of which something had to be folded away, or that was decoded.
fn check_odd(look: &Look<'_>, index: usize, raw: &[u8], path: &[u8], findings: &mut Findings) {
    if raw.starts_with(b"/") {
        let found = format!("\"{}\" becomes a path below /opt", raw.escape_ascii());
        findings.add(&ABSOLUTE, look.listed(index), found);
    } else if raw
        .split(|&b| b == b'/')
        .filter(|part| !part.is_empty())
        .ne(path.split(|&b| b == b'/'))
    {
        match std::str::from_utf8(raw) {
            Ok(_) if raw.split(|&b| b == b'/').any(|part| part == b".") => {
                untidy(look, index, raw, findings);
            }
            // The Unicode path field gives another name, and says so by its CRC: nothing is wrong.
            Ok(_) => {}
            Err(_) if std::str::from_utf8(path).is_ok() => {
                let found = format!("\"{}\" is read as CP437", raw.escape_ascii());
                findings.add(&NOT_UTF8, look.listed(index), found);
            }
            Err(_) => {}
        }
    } else if raw.windows(2).any(|pair| pair == b"//") {
        untidy(look, index, raw, findings);
    }
}

fn untidy(look: &Look<'_>, index: usize, raw: &[u8], findings: &mut Findings) {
    let found = format!("\"{}\" in the archive", raw.escape_ascii());
    findings.add(&UNTIDY, look.listed(index), found);
}
