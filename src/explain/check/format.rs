//! The zip as a file: its end, its local headers, and the bytes that belong to nobody.

use super::{Findings, Look, Rule, Severity};
use crate::archive::{Listed, Local};

const NO_LOCAL_HEADER: Rule = Rule {
    code: "Z001",
    slug: "no-local-header",
    severity: Severity::Error,
    title: "no local header where the directory says, or data that runs out of the file",
    why: "The entry cannot be read: Lambda refuses the archive, optfs answers with an I/O error.",
    cure: "Build or fetch the archive again; `zip -FF` may save the rest.",
};
const NAME_DIFFERS: Rule = Rule {
    code: "Z002",
    slug: "local-name-differs",
    severity: Severity::Error,
    title: "the local header gives the entry another name than the directory",
    why: "Tools that read the directory and tools that read from the front extract different files, which is how \
          content is smuggled past a check. optfs believes the directory.",
    cure: "Do not use this archive before you know who made it so; then extract it and zip it again.",
};
const HEADER_DIFFERS: Rule = Rule {
    code: "Z003",
    slug: "local-header-differs",
    severity: Severity::Error,
    title: "size, method, CRC or encryption differ between local header and directory",
    why: "Readers disagree about the bytes of the entry. optfs believes the directory.",
    cure: "Extract the archive with a tool you trust and zip it again.",
};
const OVERLAP: Rule = Rule {
    code: "Z004",
    slug: "overlapping-entries",
    severity: Severity::Error,
    title: "two entries, or an entry and the directory, share bytes of the file",
    why: "So zip bombs are made small, and so one entry hides in another; many tools refuse such archives.",
    cure: "Extract the archive with a tool you trust and zip it again.",
};
const HIDDEN: Rule = Rule {
    code: "Z005",
    slug: "hidden-entry",
    severity: Severity::Warning,
    title: "a local header that the directory does not list",
    why: "Tools that read from the front extract a file that all others do not have. Archives that were changed \
          in place also keep deleted entries in this way, with all their bytes.",
    cure: "Zip the content again instead of changing the archive in place.",
};
const GAP: Rule = Rule {
    code: "Z006",
    slug: "unreferenced-bytes",
    severity: Severity::Note,
    title: "bytes between entries that belong to none",
    why: "They count toward the size of an upload and nobody can read them.",
    cure: "Zip the content again.",
};
const PREPENDED: Rule = Rule {
    code: "Z007",
    slug: "prepended-data",
    severity: Severity::Warning,
    title: "bytes before the first entry",
    why: "Self-extractors have them; some readers count offsets from the wrong place then, and a second archive \
          may hide there.",
    cure: "Zip the content again, without what stands in front.",
};
const TRAILING: Rule = Rule {
    code: "Z008",
    slug: "trailing-data",
    severity: Severity::Warning,
    title: "bytes behind the end of the archive",
    why: "Strict readers refuse the archive, and what reads from the end may find another one there.",
    cure: "Zip the content again; a download that appended something should be repeated.",
};
const AMBIGUOUS_END: Rule = Rule {
    code: "Z009",
    slug: "ambiguous-end",
    severity: Severity::Error,
    title: "more than one end record from which the archive can be read",
    why: "Which files the archive holds depends on the reader. optfs takes the last end record whose comment ends \
          with the file.",
    cure: "Do not use this archive before you know who made it so; then extract it and zip it again.",
};
const COUNT_LIES: Rule = Rule {
    code: "Z010",
    slug: "wrong-entry-count",
    severity: Severity::Error,
    title: "the end record declares another number of entries than the directory lists",
    why: "Readers that trust the count stop early or fail. optfs reads the whole directory.",
    cure: "Zip the content again; with more than 65,535 entries use a tool that writes Zip64.",
};

pub(super) const RULES: &[&Rule] = &[
    &NO_LOCAL_HEADER,
    &NAME_DIFFERS,
    &HEADER_DIFFERS,
    &OVERLAP,
    &HIDDEN,
    &GAP,
    &PREPENDED,
    &TRAILING,
    &AMBIGUOUS_END,
    &COUNT_LIES,
];

/// Sizes of a data descriptor: without and with signature, of 32 and of 64 bits.
const DESCRIPTOR_BYTES: [u64; 4] = [12, 16, 20, 24];
const UNLISTED: &str = "a local header without a record in the directory";
/// Nothing that can be an entry is shorter.
const HEADER_BYTES: u64 = 30;

pub(super) fn check(look: &Look<'_>, findings: &mut Findings) {
    check_ends(look, findings);
    let survey = &look.survey;
    // The end of what is known to be used so far, and whose end that is.
    let mut used: Option<(u64, usize)> = None;
    // The last entry whose data runs out of the file.
    let mut cut_off = None;
    let mut gaps = Vec::new();
    look.archive.local_headers(survey, |index, local| {
        let listed = &survey.listed[index];
        let local = match local {
            Ok(local) => local,
            Err(error) => {
                findings.add(&NO_LOCAL_HEADER, look.listed(index), error.to_string());
                return;
            }
        };
        compare(look, index, &local, findings);
        let mut end = local.data_offset.saturating_add(listed.compressed_size);
        let is_cut_off = end > survey.file_bytes;
        if is_cut_off {
            let found = format!(
                "the data should be {} bytes, {} are left in the file",
                listed.compressed_size,
                survey.file_bytes.saturating_sub(local.data_offset)
            );
            findings.add(&NO_LOCAL_HEADER, look.listed(index), found);
            // Else everything behind it would lie within it.
            end = local.data_offset;
        }
        if end > survey.directory.start && listed.header_offset < survey.directory.start {
            findings.add(
                &OVERLAP,
                look.listed(index),
                "its data runs into the central directory",
            );
        }
        match used {
            Some((used_end, other)) if used_end > listed.header_offset => {
                let other = look.listed(other).entry.unwrap_or_default();
                let found = format!("begins within \"{}\"", other.escape_ascii());
                findings.add(&OVERLAP, look.listed(index), found);
            }
            // Where the data before really ends is not known.
            Some((_, other)) if cut_off == Some(other) => {}
            Some((used_end, other)) => gaps.push((used_end, listed.header_offset, Some(other))),
            None => gaps.push((0, listed.header_offset, None)),
        }
        if used.is_none_or(|(used_end, _)| end > used_end) {
            used = Some((end, index));
        }
        if is_cut_off {
            cut_off = Some(index);
        }
    });
    match used {
        Some((end, last)) if end < survey.directory.start && cut_off != Some(last) => {
            gaps.push((end, survey.directory.start, Some(last)));
        }
        None if survey.listed.is_empty() => gaps.push((0, survey.directory.start, None)),
        _ => {}
    }
    for (start, end, before) in gaps {
        check_gap(look, start, end, before, findings);
    }
}

fn check_ends(look: &Look<'_>, findings: &mut Findings) {
    let survey = &look.survey;
    for &other in &survey.other_ends {
        let found = "another end record, whose directory can be read too";
        findings.add(&AMBIGUOUS_END, look.place(None, Some(other)), found);
    }
    let (declared, found) = (survey.declared_entries, survey.listed.len() as u64);
    if declared != found {
        let found = format!("declared: {declared}, listed: {found}");
        findings.add(&COUNT_LIES, look.place(None, Some(survey.directory.end)), found);
    }
    let behind = survey.file_bytes.saturating_sub(survey.end_offset);
    if behind > 0 {
        let found = format!("{behind} bytes");
        findings.add(&TRAILING, look.place(None, Some(survey.end_offset)), found);
    }
}

/// Bytes that no entry claims: a descriptor, something before the archive, a hidden entry, or just a gap.
fn check_gap(look: &Look<'_>, start: u64, end: u64, before: Option<usize>, findings: &mut Findings) {
    let len = end - start;
    // Who cannot be asked is reported where an entry cannot be read.
    let is_hidden = |at: u64| at + HEADER_BYTES <= end && look.archive.has_local_header(at).unwrap_or(false);
    let Some(before) = before else {
        let place = look.place(None, Some(0));
        match len {
            0 => {}
            _ if is_hidden(0) => findings.add(&HIDDEN, place, UNLISTED),
            _ => findings.add(&PREPENDED, place, format!("{len} bytes")),
        }
        return;
    };
    let descriptor = look.survey.listed[before].has_descriptor;
    if len == 0 || descriptor && DESCRIPTOR_BYTES.contains(&len) {
        return;
    }
    let starts = if descriptor { &DESCRIPTOR_BYTES[..] } else { &[0] };
    let hidden = starts
        .iter()
        .map(|skipped| start + skipped)
        .find(|&at| is_hidden(at));
    match hidden {
        Some(at) => findings.add(&HIDDEN, look.place(None, Some(at)), UNLISTED),
        None => findings.add(&GAP, look.place(None, Some(start)), format!("{len} bytes")),
    }
}

fn compare(look: &Look<'_>, index: usize, local: &Local<'_>, findings: &mut Findings) {
    let listed = &look.survey.listed[index];
    if !look.archive.has_raw_name(listed, local.name) {
        let found = format!("the local header says \"{}\"", local.name.escape_ascii());
        findings.add(&NAME_DIFFERS, look.listed(index), found);
    }
    let differences = differences(listed, local);
    if !differences.is_empty() {
        findings.add(&HEADER_DIFFERS, look.listed(index), differences.join("; "));
    }
}

fn differences(listed: &Listed, local: &Local<'_>) -> Vec<String> {
    let mut all = Vec::new();
    if listed.method != local.method {
        all.push(format!("method {} here, {} there", local.method, listed.method));
    }
    if listed.encrypted != local.encrypted {
        let word = |encrypted| if encrypted { "encrypted" } else { "not encrypted" };
        all.push(format!(
            "{} here, {} there",
            word(local.encrypted),
            word(listed.encrypted)
        ));
    }
    // With a descriptor behind the data the local header need not know, and says 0.
    let unsaid = |value: u64| value == 0 && local.has_descriptor;
    let mut number = |what: &str, here: u64, there: u64| {
        if here != there && !unsaid(here) {
            all.push(format!("{what} {here} here, {there} there"));
        }
    };
    number("size", local.declared_size, listed.declared_size);
    number("compressed size", local.compressed_size, listed.compressed_size);
    if local.crc != listed.crc && !unsaid(local.crc.into()) {
        all.push(format!("crc {:08x} here, {:08x} there", local.crc, listed.crc));
    }
    all
}
