//! All that is known of the path under the cursor, in few lines: what it is, where it comes from, what it
//! hides or what hides it.

use super::facts::Mark;
use super::page::{Line, Tone, line};
use super::preview::{Version, short_name, versions};
use super::theme::sign;
use super::tree::Tree;
use crate::cli::printable::printable;
use crate::cli::size::{counted, human, short};
use crate::cli::stack_view::{View, time_text};
use crate::explain;
use crate::path::RelPath;
use crate::stack::{Body, EntryRef, LayerIdx, NodeId};

/// From here on a line says more.
const WIDE_COLUMNS: usize = 60;

/// The path of a node of a tree, described for so many columns.
pub(super) fn of(view: &View, tree: &Tree<'_>, node: NodeId, columns: usize) -> Vec<Line> {
    let stack = tree.stack();
    let path = stack.path(node);
    // An entry of a layer's own tree, as the merged stack knows it.
    let own = |entry: EntryRef| EntryRef {
        layer: tree.layer().unwrap_or(entry.layer),
        ..entry
    };
    let mut lines = match stack.body(node) {
        Body::Directory(entry) => directory(view, tree, node, entry.map(own)),
        Body::File(entry) => file(view, own(entry)),
        Body::Symlink(entry) => symlink(view, own(entry)),
    };
    if stack.is_directory(node) && tree.layer().is_none() {
        lines.push(contributors(view, &path, columns));
    }
    lines.extend(version_lines(
        view,
        &versions(view, &path),
        columns >= WIDE_COLUMNS,
    ));
    if tree.layer().is_none() {
        lines.extend(buried(view, &path));
    }
    lines
}

/// Each version of a path below the other, the one that is seen first.
fn version_lines(view: &View, versions: &[Version], is_wide: bool) -> Vec<Line> {
    let widest = |text: &dyn Fn(&Version) -> String| {
        let columns = versions.iter().map(|version| text(version).chars().count());
        columns.max().unwrap_or(0)
    };
    let size = |version: &Version| {
        let size = view.stack().entry(version.entry).declared_size;
        if is_wide { human(size) } else { short(size) }
    };
    let name = |version: &Version| short_name(view, version.entry.layer);
    let (name_columns, size_columns) = (widest(&name), widest(&size));
    let lines = versions.iter().map(|version| {
        let e = view.stack().entry(version.entry);
        let by = version.by.index() + 1;
        let (tone, sign, word) = match version.hidden {
            None => (Tone::Bold, "✓", "seen".to_owned()),
            Some(mark @ Mark::Same) => (Tone::Dim, sign(mark), format!("the same, hidden by {by}")),
            Some(mark @ Mark::OtherKind) => {
                (Tone::Warn, sign(mark), format!("hidden by another kind in {by}"))
            }
            Some(mark) => (Tone::Warn, sign(mark), format!("differs, hidden by {by}")),
        };
        let layer = Tone::Layer(version.entry.layer.index());
        let position = version.entry.layer.index() + 1;
        let (name, size) = (name(version), size(version));
        let mut said = vec![
            (tone, format!("{sign} ")),
            (layer, format!("{position} {name:<name_columns$}")),
            (Tone::Plain, format!("  {size:>size_columns$}")),
        ];
        if is_wide {
            let more = format!("  {:08x}  {}  ", e.crc, time_text(e.mtime.seconds));
            said.push((Tone::Dim, more));
            said.push((tone, word));
        }
        said
    });
    lines.collect()
}

/// What lay below a directory whose place something else took, by layer.
fn buried(view: &View, path: &[u8]) -> Vec<Line> {
    let Ok(checked) = RelPath::check(path) else {
        return Vec::new();
    };
    let which = explain::which(view.stack(), &checked);
    let said = which.buried.iter().rev().map(|buried| {
        let mut said = vec![(Tone::Warn, format!("{} ", sign(Mark::OtherKind)))];
        said.extend(layer(view, buried.layer));
        let lost = counted(buried.lost.entries, "entry");
        said.push((Tone::Plain, format!("  {lost} below")));
        said
    });
    said.collect()
}

fn file(view: &View, entry: EntryRef) -> Vec<Line> {
    let e = view.stack().entry(entry);
    let percent = e.compressed_size.saturating_mul(100).checked_div(e.declared_size);
    let encrypted = if e.encrypted { ", encrypted" } else { "" };
    let packed = match percent {
        Some(percent) => format!("{} ({percent}%)", human(e.compressed_size)),
        None => human(e.compressed_size),
    };
    vec![
        line(
            Tone::Bold,
            format!("file  {:04o}  {}", e.permissions, human(e.declared_size)),
        ),
        line(Tone::Plain, format!("{} UTC", time_text(e.mtime.seconds))),
        line(Tone::Plain, format!("{} {packed}{encrypted}", e.method.name())),
        line(Tone::Plain, format!("crc {:08x}", e.crc)),
    ]
}

fn symlink(view: &View, entry: EntryRef) -> Vec<Line> {
    let e = view.stack().entry(entry);
    let target = match view.fs.content().link_target(entry) {
        Ok(target) => line(Tone::Plain, format!("→ {}", printable(&target))),
        Err(error) => {
            let why = error.to_string();
            line(
                Tone::Warn,
                format!("cannot be read: {}", printable(why.as_bytes())),
            )
        }
    };
    vec![
        line(Tone::Bold, format!("symlink  {:04o}", e.permissions)),
        target,
        line(Tone::Plain, format!("{} UTC", time_text(e.mtime.seconds))),
    ]
}

fn directory(view: &View, tree: &Tree<'_>, node: NodeId, entry: Option<EntryRef>) -> Vec<Line> {
    let names = counted(tree.stack().children(node).len() as u64, "name");
    let bytes = human(tree.fact(node).bytes);
    let (mode, time) = match entry.map(|entry| view.stack().entry(entry)) {
        Some(e) => (e.permissions, format!("{} UTC", time_text(e.mtime.seconds))),
        None => (0o755, "implicit: no entry of its own".to_owned()),
    };
    vec![
        line(Tone::Bold, format!("directory  {mode:04o}")),
        line(Tone::Plain, format!("{names}, {bytes} in all")),
        line(Tone::Plain, time),
    ]
}

/// Every layer that has something in a directory: all by number, or by name where there is room.
fn contributors(view: &View, path: &[u8], columns: usize) -> Line {
    let which = match RelPath::check(path) {
        Ok(checked) => explain::which(view.stack(), &checked),
        Err(_) => explain::root(view.stack()),
    };
    let layers = which.seen.map(|seen| seen.contributions).unwrap_or_default();
    let mut said = vec![(Tone::Plain, "from".to_owned())];
    for from in layers.iter().filter(|from| from.is_seen()).map(|from| from.layer) {
        said.push((Tone::Plain, " ".to_owned()));
        match columns >= WIDE_COLUMNS {
            true => said.extend(layer(view, from)),
            false => said.push((Tone::Layer(from.index()), (from.index() + 1).to_string())),
        }
    }
    said
}

/// A layer's number and name.
fn layer(view: &View, layer: LayerIdx) -> Line {
    let tone = Tone::Layer(layer.index());
    vec![
        (tone, format!("{} ", layer.index() + 1)),
        (tone, short_name(view, layer)),
    ]
}
