//! All about one thing, for people: a line a fact.

use std::io::{self, Write};

use super::printable::printable;
use super::terminal::Out;

/// Names and values below each other; what is nothing or empty is left out.
pub(super) fn rows<'a>(
    out: &mut Out,
    rows: impl IntoIterator<Item = (&'a str, Option<String>)>,
) -> io::Result<()> {
    for (name, value) in rows {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            out.dim(&format!("  {name:<13}  "))?;
            writeln!(out, "{}", printable(value.as_bytes()))?;
        }
    }
    Ok(())
}
