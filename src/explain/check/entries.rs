//! What entries declare of themselves: method, sizes, mode, and where links lead.

use super::{Findings, Look, Rule, Severity};
use crate::archive::{Entry, EntryId, EntryKind, Listed, Method};

const ENCRYPTED: Rule = Rule {
    code: "Z030",
    slug: "encrypted-entry",
    severity: Severity::Error,
    title: "an entry that needs a password",
    why: "Lambda has no password: the layer cannot be extracted. optfs lists the entry and cannot read it.",
    cure: "Zip without encryption; keep secrets in AWS Secrets Manager or in the function's environment.",
};
const UNKNOWN_METHOD: Rule = Rule {
    code: "Z031",
    slug: "unknown-method",
    severity: Severity::Error,
    title: "a compression method that nobody here reads",
    why: "The entry is listed and cannot be read.",
    cure: "Zip with deflate: `zip -qry`.",
};
const UNUSUAL_METHOD: Rule = Rule {
    code: "Z032",
    slug: "unusual-method",
    severity: Severity::Warning,
    title: "a compression method other than stored and deflate",
    why: "optfs reads it; of Lambda only stored and deflate are known to work.",
    cure: "Zip with deflate: `zip -qry`.",
};
const IMPOSSIBLE_SIZE: Rule = Rule {
    code: "Z033",
    slug: "impossible-size",
    severity: Severity::Error,
    title: "a declared size that the data cannot have",
    why: "Deflate cannot expand by more than 1,032, a stored entry is as long as its data: the header lies, and the \
          entry cannot be read.",
    cure: "Build or fetch the archive again.",
};
const RATIO: Rule = Rule {
    code: "Z034",
    slug: "suspicious-ratio",
    severity: Severity::Warning,
    title: "an entry that expands more than 200 times to more than 16 MiB",
    why: "So zip bombs look; unpacked it takes far more of the 250 MB than the upload shows.",
    cure: "Look at what it is; leave it out where the function does not need it.",
};
const ARCHIVE_RATIO: Rule = Rule {
    code: "Z035",
    slug: "suspicious-archive-ratio",
    severity: Severity::Warning,
    title: "an archive that expands more than 100 times to more than 16 MiB",
    why: "So zip bombs look; unpacked it takes far more of the 250 MB than the upload shows.",
    cure: "Look at the largest files; `optfs ls -lR` lists them.",
};
const SETUID: Rule = Rule {
    code: "Z036",
    slug: "setuid",
    severity: Severity::Warning,
    title: "a setuid, setgid or sticky bit",
    why: "It has no effect on Lambda, nor in a mount, and elsewhere it may be dangerous. optfs leaves it out.",
    cure: "`chmod -R ug-s,-t .` before zipping.",
};
const SPECIAL: Rule = Rule {
    code: "Z037",
    slug: "special-file",
    severity: Severity::Warning,
    title: "an entry marked as device, FIFO or socket",
    why: "A zip cannot hold one: it is extracted as a plain file.",
    cure: "Leave it out; make it in /tmp when the function starts.",
};
const NO_MODE: Rule = Rule {
    code: "Z038",
    slug: "mode-missing",
    severity: Severity::Note,
    title: "no Unix mode",
    why: "Made on Windows, or by a tool that knows no modes: files become 0644 and directories 0755, so that no program \
          is executable.",
    cure: "Zip on Linux or macOS, or with a tool that sets modes, where the layer holds programs.",
};
const KIND_DIFFERS: Rule = Rule {
    code: "Z039",
    slug: "kind-differs",
    severity: Severity::Warning,
    title: "name and mode disagree on whether it is a directory",
    why: "A name that ends in a slash is a directory to extraction tools, whatever the mode says, and no other is.",
    cure: "Zip with a tool that ends the names of directories, and only theirs, in a slash.",
};
const ESCAPING_LINK: Rule = Rule {
    code: "Z040",
    slug: "escaping-symlink",
    severity: Severity::Warning,
    title: "a symlink that leads out of /opt",
    why: "What it shows depends on the machine: on Lambda the function's system, elsewhere your own files.",
    cure: "Link within the layer, with a relative target.",
};
const ABSOLUTE_LINK: Rule = Rule {
    code: "Z041",
    slug: "absolute-symlink",
    severity: Severity::Note,
    title: "a symlink with an absolute target below /opt",
    why: "It is right on Lambda and under `optfs run`, and leads elsewhere when the stack is mounted elsewhere.",
    cure: "Link with a relative target.",
};
const BAD_LINK: Rule = Rule {
    code: "Z042",
    slug: "unreadable-symlink",
    severity: Severity::Error,
    title: "a symlink whose target cannot be read or is none",
    why: "A target is 1 to 4,095 bytes without NUL; anything else cannot be extracted.",
    cure: "Make the link again and zip with `zip -y`.",
};

pub(super) const RULES: &[&Rule] = &[
    &ENCRYPTED,
    &UNKNOWN_METHOD,
    &UNUSUAL_METHOD,
    &IMPOSSIBLE_SIZE,
    &RATIO,
    &ARCHIVE_RATIO,
    &SETUID,
    &SPECIAL,
    &NO_MODE,
    &KIND_DIFFERS,
    &ESCAPING_LINK,
    &ABSOLUTE_LINK,
    &BAD_LINK,
];

/// DEFLATE cannot expand by more than this (zlib.net, "Maximum Compression Factor").
const DEFLATE_MAX_RATIO: u64 = 1032;
const SUSPICIOUS_RATIO: u64 = 200;
const SUSPICIOUS_ARCHIVE_RATIO: u64 = 100;
/// Less than this does no harm, however small it was packed.
const HARMLESS_BYTES: u64 = 16 << 20;
/// Linux takes no longer target (`PATH_MAX` with the NUL behind it).
const MOST_TARGET_BYTES: u64 = 4095;

const S_IFMT: u32 = 0o170_000;
const S_IFDIR: u32 = 0o040_000;

pub(super) fn check(look: &Look<'_>, findings: &mut Findings) {
    let (mut packed, mut unpacked) = (0u64, 0u64);
    for (index, listed) in look.survey.listed.iter().enumerate() {
        let Some(id) = listed.entry else { continue };
        let entry = look.archive.entry(id);
        packed = packed.saturating_add(entry.compressed_size);
        unpacked = unpacked.saturating_add(entry.declared_size);
        let is_readable = check_data(look, index, &entry, findings);
        check_mode(look, index, listed, &entry, findings);
        if entry.kind == EntryKind::Symlink && is_readable {
            check_link(look, index, id, &entry, findings);
        }
    }
    if unpacked > HARMLESS_BYTES && unpacked / SUSPICIOUS_ARCHIVE_RATIO > packed {
        let found = format!("{packed} bytes of data become {unpacked}");
        findings.add(&ARCHIVE_RATIO, look.place(None, None), found);
    }
}

/// Method and sizes; whether the data can be read as far as they tell.
fn check_data(look: &Look<'_>, index: usize, entry: &Entry<'_>, findings: &mut Findings) -> bool {
    let (declared, packed) = (entry.declared_size, entry.compressed_size);
    if entry.encrypted {
        findings.add(&ENCRYPTED, look.listed(index), "encrypted");
        return false;
    }
    let possible = match entry.method {
        Method::Stored => declared == packed,
        Method::Deflate => declared <= packed.saturating_mul(DEFLATE_MAX_RATIO),
        Method::Unsupported(code) => {
            let found = format!("method {code} ({})", entry.method.name());
            findings.add(&UNKNOWN_METHOD, look.listed(index), found);
            return false;
        }
        Method::Deflate64 | Method::Bzip2 | Method::Lzma | Method::Zstd | Method::Xz => {
            findings.add(&UNUSUAL_METHOD, look.listed(index), entry.method.name());
            true
        }
    };
    if !possible {
        let found = format!(
            "{packed} bytes of {} data cannot become {declared}",
            entry.method.name()
        );
        findings.add(&IMPOSSIBLE_SIZE, look.listed(index), found);
    } else if declared > HARMLESS_BYTES && declared / SUSPICIOUS_RATIO > packed {
        let found = format!("{packed} bytes become {declared}");
        findings.add(&RATIO, look.listed(index), found);
    }
    possible
}

fn check_mode(look: &Look<'_>, index: usize, listed: &Listed, entry: &Entry<'_>, findings: &mut Findings) {
    let Some(mode) = listed.unix_mode.filter(|&mode| mode != 0) else {
        let found = match listed.unix_mode {
            Some(_) => "mode 0",
            None => "made by a tool that knows no modes",
        };
        findings.add(&NO_MODE, look.listed(index), found);
        return;
    };
    if mode & 0o7000 != 0 {
        let found = format!("mode {:04o}", mode & 0o7777);
        findings.add(&SETUID, look.listed(index), found);
    }
    let says_directory = mode & S_IFMT == S_IFDIR;
    let is_directory = entry.kind == EntryKind::Directory;
    let special = match (mode & S_IFMT) >> 12 {
        0o1 => Some("a FIFO"),
        0o2 => Some("a character device"),
        0o6 => Some("a block device"),
        0o14 => Some("a socket"),
        _ => None,
    };
    if let Some(special) = special {
        findings.add(&SPECIAL, look.listed(index), format!("marked as {special}"));
    } else if mode & S_IFMT != 0 && says_directory != is_directory {
        let found = match is_directory {
            true => format!("a directory by its name, mode {mode:o}"),
            false => "a file by its name, a directory by its mode".to_owned(),
        };
        findings.add(&KIND_DIFFERS, look.listed(index), found);
    }
}

fn check_link(look: &Look<'_>, index: usize, id: EntryId, entry: &Entry<'_>, findings: &mut Findings) {
    if !(1..=MOST_TARGET_BYTES).contains(&entry.declared_size) {
        let found = format!("the target has {} bytes", entry.declared_size);
        findings.add(&BAD_LINK, look.listed(index), found);
        return;
    }
    let target = match look.archive.read_whole(id) {
        Ok(target) if target.contains(&0) => {
            findings.add(&BAD_LINK, look.listed(index), "the target contains NUL");
            return;
        }
        Ok(target) => target,
        Err(error) => {
            findings.add(&BAD_LINK, look.listed(index), error.to_string());
            return;
        }
    };
    let rule = match target.strip_prefix(b"/") {
        Some(below) if below == b"opt" || below.starts_with(b"opt/") => match climbs_out(&below[3..], 0) {
            true => &ESCAPING_LINK,
            false => &ABSOLUTE_LINK,
        },
        Some(_) => &ESCAPING_LINK,
        None => {
            let depth = entry.path.iter().filter(|&&b| b == b'/').count();
            if !climbs_out(&target, depth) {
                return;
            }
            &ESCAPING_LINK
        }
    };
    let found = format!("-> \"{}\"", target.escape_ascii());
    findings.add(rule, look.listed(index), found);
}

/// Whether a relative target leaves the tree from a directory so deep in it. Links on the way are not
/// followed: where they lead is their own affair.
fn climbs_out(target: &[u8], depth: usize) -> bool {
    let mut depth = depth;
    for part in target.split(|&b| b == b'/') {
        depth = match (part, depth) {
            (b"" | b".", _) => depth,
            (b"..", 0) => return true,
            (b"..", _) => depth - 1,
            _ => depth + 1,
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_leaves_the_tree_by_one_step_too_many() {
        for (target, depth, out) in [
            (&b"../x"[..], 1, false),
            (b"../x", 0, true),
            (b"a/../../x", 0, true),
            (b"a/./b/../../x", 0, false),
            (b"../../..", 3, false),
        ] {
            assert_eq!(climbs_out(target, depth), out, "{}", target.escape_ascii());
        }
    }
}
