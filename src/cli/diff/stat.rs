//! Differences counted, for each directory down to the second level.

use std::collections::BTreeMap;
use std::io::Write;

use super::{Status, status};
use crate::cli::failure::Failure;
use crate::cli::printable::printable;
use crate::cli::size::human;
use crate::cli::terminal::Out;
use crate::explain::Kind;
use crate::explain::diff::{Change, Diff, Side};

/// Parts of a path by which differences are counted together.
const LEVELS: usize = 2;

#[derive(Default)]
struct Row {
    counts: [u64; 3],
    grown: i128,
}

pub(super) fn print(out: &mut Out, diff: &Diff) -> Result<(), Failure> {
    let mut rows: BTreeMap<&[u8], Row> = BTreeMap::new();
    for change in &diff.changes {
        let row = rows.entry(directory(&change.path)).or_default();
        row.counts[status(change) as usize] += 1;
        row.grown += grown(change);
    }
    if rows.is_empty() {
        return Ok(());
    }
    let titles = ["added", "removed", "changed"];
    writeln!(
        out,
        "{:>9} {:>9} {:>9} {:>12}",
        titles[0], titles[1], titles[2], "bytes"
    )?;
    let mut sum = Row::default();
    for (directory, row) in &rows {
        for (sum, count) in sum.counts.iter_mut().zip(row.counts) {
            *sum += count;
        }
        sum.grown += row.grown;
        line(out, row)?;
        writeln!(out, "{}", printable(directory))?;
    }
    // Of ten thousand levels nobody looks at each.
    sum.counts[Status::Added as usize] += diff.unlisted.added;
    sum.counts[Status::Removed as usize] += diff.unlisted.removed;
    line(out, &sum)?;
    out.bold("in all")?;
    Ok(writeln!(out)?)
}

fn line(out: &mut Out, row: &Row) -> Result<(), Failure> {
    let [added, removed, changed] = row.counts;
    let size = human(u64::try_from(row.grown.unsigned_abs()).unwrap_or(u64::MAX));
    let sign = match row.grown {
        ..0 => "-",
        0 => "",
        1.. => "+",
    };
    Ok(write!(
        out,
        "{added:>9} {removed:>9} {changed:>9} {:>12}  ",
        format!("{sign}{size}")
    )?)
}

/// The directory that a path lies in, no deeper than the second level; the root is `/`.
fn directory(path: &[u8]) -> &[u8] {
    let mut slashes = path
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(at, _)| at);
    let mut end = None;
    for _ in 0..LEVELS {
        end = slashes.next().or(end);
    }
    end.map_or(b"/", |end| &path[..end])
}

fn grown(change: &Change) -> i128 {
    let size = |side: &Option<Side>| match side {
        Some(side) if side.facts.kind == Kind::File => i128::from(side.facts.size),
        _ => 0,
    };
    size(&change.after) - size(&change.before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_counted_by_the_directory_they_lie_in() {
        for (path, counted_as) in [("x", "/"), ("a/x", "a"), ("a/b/x", "a/b"), ("a/b/c/d/x", "a/b")] {
            assert_eq!(directory(path.as_bytes()), counted_as.as_bytes());
        }
    }
}
