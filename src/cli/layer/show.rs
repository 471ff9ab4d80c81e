//! Versions of layers for people: one with all about it, many in a table.

use std::io::{self, Write};
use std::path::Path;

use crate::cli::printable::printable;
use crate::cli::rows::rows;
use crate::cli::size::{human, short};
use crate::cli::terminal::Out;
use crate::store::LayerVersion;

/// All about a version.
pub(super) fn version(out: &mut Out, version: &LayerVersion, zip: &Path) -> io::Result<()> {
    let about = &version.about;
    out.bold(&version.short())?;
    writeln!(out)?;
    let list = |values: &Option<Vec<String>>| values.as_ref().map(|values| values.join(" "));
    let sizes = format!(
        "{}, {} unzipped",
        human(version.code_size),
        human(version.unzipped_size)
    );
    let facts = [
        ("arn", Some(version.arn())),
        ("description", Some(about.description.clone())),
        ("licence", about.license_info.clone()),
        ("runtimes", list(&about.compatible_runtimes)),
        ("architectures", list(&about.compatible_architectures)),
        ("published", Some(version.created_date.clone())),
        ("size", Some(sizes)),
        ("sha256", Some(version.digest.to_string())),
        (
            "zip",
            Some(printable(zip.as_os_str().as_encoded_bytes()).into_owned()),
        ),
    ];
    rows(out, facts)
}

/// A line a version: name, when, how large, for what, and what it is.
pub(super) fn table<'a>(
    out: &mut Out,
    versions: impl Iterator<Item = &'a LayerVersion> + Clone,
) -> io::Result<()> {
    let names = versions.clone().map(|version| version.short().len());
    let width = names.max().unwrap_or(0);
    for version in versions {
        let name = version.short();
        out.bold(&format!("{name:<width$}"))?;
        // To the minute: what is more stands in `get`.
        let published = version.created_date.get(..16).unwrap_or(&version.created_date);
        let (published, size) = (published.replace('T', " "), short(version.code_size));
        write!(out, "  {published}  {size:>5}")?;
        let about = &version.about;
        let runtimes = about.compatible_runtimes.iter().flatten();
        let labels: Vec<_> = runtimes
            .chain(about.compatible_architectures.iter().flatten())
            .map(String::as_str)
            .collect();
        for text in [labels.join(" "), about.description.clone()] {
            if !text.is_empty() {
                write!(out, "  {}", printable(text.as_bytes()))?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}
