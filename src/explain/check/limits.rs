//! What Lambda allows: how many layers, how large, and readable by everyone.

use super::{Findings, Options, Place, Rule, Severity, counted};
use crate::archive::{Archive, EntryKind};
use crate::explain::weight::{LAYERS_LIMIT, UNZIPPED_LIMIT_BYTES, UPLOAD_LIMIT_BYTES};
use crate::stack::{LayerIdx, Stack};

const TOO_MANY_LAYERS: Rule = Rule {
    code: "L001",
    slug: "too-many-layers",
    severity: Severity::Error,
    title: "more layers than a function may list",
    why: "Lambda: \"Cannot reference more than 5 layers\".",
    cure: "Put layers that always go together into one zip.",
};
const TOO_LARGE: Rule = Rule {
    code: "L002",
    slug: "unzipped-too-large",
    severity: Severity::Error,
    title: "more unzipped bytes than Lambda allows",
    why: "Function and layers may have 262,144,000 bytes together, hidden files counted too. Lambda: \"Function code \
          combined with layers exceeds the maximum allowed size of 262144000 bytes\".",
    cure: "Leave out tests, caches and what a later layer replaces; or make the function a container image.",
};
const UPLOAD_TOO_LARGE: Rule = Rule {
    code: "L003",
    slug: "upload-too-large",
    severity: Severity::Warning,
    title: "a zip too large to be uploaded directly",
    why: "Lambda: \"Zipped size must be smaller than 52428800 bytes\". Through S3 it may be larger.",
    cure: "Upload the zip to S3 and publish it with `--content S3Bucket=…,S3Key=…`.",
};
const NOT_READABLE: Rule = Rule {
    code: "L004",
    slug: "file-not-readable",
    severity: Severity::Error,
    title: "a file that not everybody may read",
    why: "Functions never own the files of layers. Lambda: \"Layer conversion failed: Some files do not have read \
          permissions\". Python's `ZipFile.writestr` makes such files.",
    cure: "`chmod -R o+rX .` before zipping.",
};
const NOT_SEARCHABLE: Rule = Rule {
    code: "L005",
    slug: "directory-not-searchable",
    severity: Severity::Error,
    title: "a directory that not everybody may list and enter",
    why: "Lambda: \"Layer conversion failed: Some directories do not have execute permissions\", or \"Could not scan one \
          or more directories\".",
    cure: "`chmod -R o+rX .` before zipping.",
};
const EMPTY: Rule = Rule {
    code: "L006",
    slug: "empty-layer",
    severity: Severity::Error,
    title: "an archive without entries",
    why: "Lambda: \"Uploaded file must be a non-empty zip\".",
    cure: "Zip the content, or leave the layer out.",
};

pub(super) const RULES: &[&Rule] = &[
    &TOO_MANY_LAYERS,
    &TOO_LARGE,
    &UPLOAD_TOO_LARGE,
    &NOT_READABLE,
    &NOT_SEARCHABLE,
    &EMPTY,
];

/// How much of everything there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Layers of a function.
    pub layers: u64,
    /// Bytes of all layers, unzipped.
    pub unzipped_bytes: u64,
    /// Bytes of one zip.
    pub zipped_bytes: u64,
}

impl Default for Limits {
    /// Those of Lambda.
    fn default() -> Limits {
        Limits {
            layers: LAYERS_LIMIT,
            unzipped_bytes: UNZIPPED_LIMIT_BYTES,
            zipped_bytes: UPLOAD_LIMIT_BYTES,
        }
    }
}

pub(super) fn check(stack: &Stack, options: &Options, findings: &mut Findings) {
    let limits = options.limits;
    let mut unzipped = 0u64;
    for (layer, archive) in stack.layers_in_order() {
        let own = check_layer(layer, archive, findings);
        unzipped = unzipped.saturating_add(own);
        let place = || Place {
            layer: Some(layer),
            ..Place::default()
        };
        let zipped = archive.opened().size;
        // "must be smaller than", says Lambda of a single zip.
        if zipped >= limits.zipped_bytes {
            let found = format!("{zipped} bytes zipped, the limit is {}", limits.zipped_bytes);
            findings.add(&UPLOAD_TOO_LARGE, place(), found);
        }
        if options.apart && own >= limits.unzipped_bytes {
            let found = format!("{own} bytes unzipped, the limit is {}", limits.unzipped_bytes);
            findings.add(&TOO_LARGE, place(), found);
        }
        if archive.is_empty() && archive.rejected().is_empty() {
            findings.add(&EMPTY, place(), "no entry");
        }
    }
    if options.apart {
        return;
    }
    if unzipped > limits.unzipped_bytes {
        let found = format!(
            "{unzipped} bytes in {}, {} over the limit of {}",
            counted(stack.layers().len(), "layer"),
            unzipped - limits.unzipped_bytes,
            limits.unzipped_bytes
        );
        findings.add(&TOO_LARGE, Place::default(), found);
    }
    let layers = stack.layers().len() as u64;
    if layers > limits.layers {
        let found = format!("{layers} layers, the limit is {}", limits.layers);
        findings.add(&TOO_MANY_LAYERS, Place::default(), found);
    }
}

/// Who may read what; gives the layer's unzipped bytes.
fn check_layer(layer: LayerIdx, archive: &Archive, findings: &mut Findings) -> u64 {
    let mut unzipped = 0u64;
    for (_, entry) in archive.entries() {
        let (rule, wanted) = match entry.kind {
            EntryKind::Directory => (&NOT_SEARCHABLE, 0o005),
            EntryKind::File => (&NOT_READABLE, 0o004),
            EntryKind::Symlink => (&NOT_READABLE, 0),
        };
        if entry.kind != EntryKind::Directory {
            unzipped = unzipped.saturating_add(entry.declared_size);
        }
        if entry.permissions & wanted != wanted {
            let place = Place {
                layer: Some(layer),
                entry: Some(entry.path.to_vec()),
                offset: None,
            };
            findings.add(rule, place, format!("mode {:04o}", entry.permissions));
        }
    }
    unzipped
}
