//! Functions for people: one with all about it, many in a table.

use std::io::{self, Write};
use std::path::Path;

use crate::cli::printable::printable;
use crate::cli::rows::rows;
use crate::cli::size::{human, short};
use crate::cli::terminal::Out;
use crate::store::UNZIPPED_LIMIT_BYTES;
use crate::store::function::{Code, Function, Tags};

/// All about a function.
pub(super) fn function(out: &mut Out, of: &Function, tags: &Tags, zip: Option<&Path>) -> io::Result<()> {
    let settings = &of.settings;
    out.bold(&word(of))?;
    writeln!(out)?;
    let pairs = |all: &mut dyn Iterator<Item = (&str, &str)>| {
        let all: Vec<_> = all.map(|(name, value)| format!("{name}={value}")).collect();
        Some(all.join(" "))
    };
    let environment = settings.environment.as_ref();
    let mut tags = tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let (code, unzipped) = (of.code.size(), of.code.unzipped_size());
    let code = match &of.code {
        Code::Zip { .. } => format!("{}, {} unzipped", human(code), human(unzipped)),
        Code::Image(uri) => uri.clone(),
    };
    let arn = of.version.map_or_else(|| of.arn(), |_| of.qualified_arn());
    let timeout = settings.timeout.map(|seconds| format!("{seconds} s"));
    rows(
        out,
        [
            ("arn", Some(arn)),
            ("description", settings.description.clone()),
            ("runtime", settings.runtime.clone()),
            ("handler", settings.handler.clone()),
            ("architecture", Some(of.architectures.join(" "))),
            ("timeout", timeout),
            (
                "memory",
                settings.memory_size.map(|megabytes| format!("{megabytes} MB")),
            ),
            (
                "environment",
                environment.and_then(|one| pairs(&mut one.variables.iter())),
            ),
            ("tags", pairs(&mut tags)),
            ("modified", Some(of.last_modified.clone())),
            ("code", Some(code)),
            (
                "zip",
                zip.map(|zip| printable(zip.as_os_str().as_encoded_bytes()).into_owned()),
            ),
        ],
    )?;
    let layers = of.layers.iter().zip(1..).map(|(layer, place)| {
        let size = human(layer.unzipped_size);
        (
            if place == 1 { "layers" } else { "" },
            Some(format!("{place}  {}  {size} unzipped", layer.arn)),
        )
    });
    rows(out, layers)?;
    if !of.layers.is_empty() {
        let together = of.layers.iter().map(|layer| layer.unzipped_size).sum::<u64>() + unzipped;
        let (together, limit) = (human(together), human(UNZIPPED_LIMIT_BYTES));
        rows(
            out,
            [("together", Some(format!("{together} of {limit} unzipped")))],
        )?;
    }
    Ok(())
}

/// A line a function: name, when, how large, its runtime, its layers, and what it is.
pub(super) fn table(out: &mut Out, functions: &[Function], with_versions: bool) -> io::Result<()> {
    let name = |of: &Function| match with_versions {
        true => format!("{}:{}", of.name, of.version_word()),
        false => of.name.clone(),
    };
    let width = functions.iter().map(|of| name(of).len()).max().unwrap_or(0);
    for of in functions {
        out.bold(&format!("{:<width$}", name(of)))?;
        // To the minute: what is more stands in `get`.
        let modified = of.last_modified.get(..16).unwrap_or(&of.last_modified);
        write!(
            out,
            "  {}  {:>5}",
            modified.replace('T', " "),
            short(of.code.size())
        )?;
        let layers: Vec<_> = of.layers.iter().map(|layer| layer.short()).collect();
        let settings = &of.settings;
        let texts = [
            settings.runtime.clone(),
            Some(layers.join(" ")),
            settings.description.clone(),
        ];
        for text in texts.into_iter().flatten().filter(|text| !text.is_empty()) {
            write!(out, "  {}", printable(text.as_bytes()))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// `name`, or `name:3`.
fn word(of: &Function) -> String {
    match of.version {
        None => of.name.clone(),
        Some(number) => format!("{}:{number}", of.name),
    }
}
