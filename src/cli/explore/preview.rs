//! What stands in a file, and how its versions differ: the first 64 KiB as text or as bytes in hexadecimal,
//! and a unified difference of a hidden version against the one that is seen.

use std::borrow::Cow;
use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::facts::{Mark, mark_of};
use super::page::{Line, Page, Tone, line};
use crate::cli::printable::printable;
use crate::cli::size::human;
use crate::cli::stack_view::{View, time_text};
use crate::explain;
use crate::path::RelPath;
use crate::stack::{Body, EntryKind, EntryRef, LayerIdx};

/// So much of a file is read.
const SHOWN_BYTES: usize = 64 << 10;
/// A difference that takes longer is shown coarser.
const PATIENCE: Duration = Duration::from_millis(300);
const TAB_COLUMNS: usize = 4;
/// Lines around a change.
const CONTEXT_LINES: usize = 3;

/// The versions of one path, one of them on the page.
pub(super) struct Preview {
    path: Vec<u8>,
    /// The one that is seen first, if one is, then the hidden ones, the topmost first.
    versions: Vec<Version>,
    at: usize,
    is_diff: bool,
    columns: usize,
    pub(super) page: Page,
}

/// One entry of the path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version {
    pub(super) entry: EntryRef,
    /// How it compares to what is seen; none for that one itself.
    pub(super) hidden: Option<Mark>,
    /// The layer that hides it; its own where nothing does.
    pub(super) by: LayerIdx,
}

/// All versions of a path that have bytes: the one that is seen, then the hidden ones, the topmost first.
pub(super) fn versions(view: &View, path: &[u8]) -> Vec<Version> {
    let Ok(checked) = RelPath::check(path) else {
        return Vec::new();
    };
    let stack = view.stack();
    let which = explain::which(stack, &checked);
    let seen = which.seen.and_then(|seen| match seen.body {
        Body::File(entry) | Body::Symlink(entry) => Some(entry),
        Body::Directory(_) => None,
    });
    let hidden = which.hidden.iter().map(|hidden| Version {
        entry: hidden.entry,
        hidden: Some(seen.map_or(Mark::OtherKind, |seen| {
            mark_of(explain::likeness(stack, seen, hidden.entry))
        })),
        by: hidden.by,
    });
    let first = seen.map(|entry| Version {
        entry,
        hidden: None,
        by: entry.layer,
    });
    let all = first.into_iter().chain(hidden);
    all.filter(|version| stack.entry(version.entry).kind != EntryKind::Directory)
        .collect()
}

impl Preview {
    /// Of a path, beginning with a version of it; none where nothing there has bytes.
    pub(super) fn open(
        view: &View,
        path: Vec<u8>,
        first: Option<EntryRef>,
        columns: usize,
    ) -> Option<Preview> {
        let versions = versions(view, &path);
        let at = versions.iter().position(|version| Some(version.entry) == first);
        let mut preview = Preview {
            at: at.unwrap_or(0),
            path,
            is_diff: false,
            columns,
            page: Page::default(),
            versions,
        };
        if preview.versions.is_empty() {
            return None;
        }
        preview.read(view);
        Some(preview)
    }

    pub(super) fn is_diff(&self) -> bool {
        self.is_diff
    }

    /// How many versions there are.
    pub(super) fn count(&self) -> usize {
        self.versions.len()
    }

    /// Shows the difference to what is seen, or the content again. Without a second version there is none.
    pub(super) fn set_diff(&mut self, view: &View, is_diff: bool) -> bool {
        if is_diff && self.pair().is_none() {
            return false;
        }
        self.is_diff = is_diff;
        if is_diff && self.versions[self.at].hidden.is_none() {
            // What is seen differs from itself in nothing: the first that does is worth a look.
            let differs = |version: &Version| version.hidden.is_some_and(|mark| mark >= Mark::Differs);
            self.at = self.versions.iter().position(differs).unwrap_or(1);
        }
        self.read(view);
        true
    }

    /// Goes to the next version, or the one before; in a difference, of the hidden ones.
    pub(super) fn turn(&mut self, view: &View, forward: bool) {
        let count = self.versions.len();
        for _ in 0..count {
            self.at = match forward {
                true => (self.at + 1) % count,
                false => (self.at + count - 1) % count,
            };
            if !self.is_diff || self.versions[self.at].hidden.is_some() {
                break;
            }
        }
        self.read(view);
    }

    /// Makes the page anew for a screen of so many columns.
    pub(super) fn widen(&mut self, view: &View, columns: usize) {
        if self.columns != columns {
            self.columns = columns;
            let top = self.page.top();
            self.read(view);
            self.page.move_to(top);
        }
    }

    /// A hidden version and the one that is seen.
    fn pair(&self) -> Option<(EntryRef, EntryRef)> {
        let seen = self.versions.first().filter(|first| first.hidden.is_none())?;
        let hidden = match self.versions[self.at].hidden {
            Some(_) => &self.versions[self.at],
            None => self.versions.get(1)?,
        };
        Some((hidden.entry, seen.entry))
    }

    fn read(&mut self, view: &View) {
        let version = self.versions[self.at];
        let name = |entry: EntryRef| said_layer(view, entry.layer);
        let place = match self.versions.len() {
            1 => String::new(),
            count => format!(" · version {} of {count}", self.at + 1),
        };
        let (about, lines) = match self.pair().filter(|_| self.is_diff) {
            Some((hidden, seen)) => (
                format!("{} → {}{place}", name(hidden), name(seen)),
                difference(view, hidden, seen, self.columns),
            ),
            None => {
                let state = match version.hidden {
                    None => "seen",
                    Some(Mark::Same) => "hidden, the same content",
                    Some(_) => "hidden",
                };
                (
                    format!("{} · {state}{place}", name(version.entry)),
                    content(view, version.entry, self.columns),
                )
            }
        };
        let title = format!("/opt/{}", printable(&self.path));
        self.page = Page::new(title, lines).about(about);
    }
}

/// A layer by its position and its short name.
fn said_layer(view: &View, layer: LayerIdx) -> String {
    format!("{} {}", layer.index() + 1, short_name(view, layer))
}

/// A layer's name in few columns: that it is a zip goes without saying.
pub(super) fn short_name(view: &View, layer: LayerIdx) -> String {
    let name = view.layer_name(layer);
    match name.strip_suffix(".zip") {
        Some(stem) if !stem.is_empty() => stem.to_owned(),
        _ => name,
    }
}

/// The first bytes of an entry, or why they cannot be read.
fn bytes_of(view: &View, entry: EntryRef) -> Result<Vec<u8>, String> {
    let read = view.fs.content().read(entry, 0, SHOWN_BYTES, <[u8]>::to_vec);
    read.map_err(|error| printable(error.to_string().as_bytes()).into_owned())
}

fn content(view: &View, entry: EntryRef, columns: usize) -> Vec<Line> {
    let size = view.stack().entry(entry).declared_size;
    let bytes = match bytes_of(view, entry) {
        Ok(bytes) => bytes,
        Err(why) => return vec![line(Tone::Warn, format!("cannot be read: {why}"))],
    };
    let mut lines: Vec<Line> = match view.stack().entry(entry).kind {
        EntryKind::Symlink => vec![line(Tone::Plain, format!("a link to {}", printable(&bytes)))],
        _ if bytes.is_empty() => vec![line(Tone::Dim, "empty")],
        _ if is_text(&bytes) => text_lines(&bytes).map(|text| line(Tone::Plain, text)).collect(),
        _ => hex_lines(&bytes, columns)
            .map(|(offset, rest)| vec![(Tone::Dim, offset), (Tone::Plain, rest)])
            .collect(),
    };
    if size > bytes.len() as u64 {
        let rest = format!("… the first {} of {}", human(bytes.len() as u64), human(size));
        lines.push(line(Tone::Dim, rest));
    }
    lines
}

fn difference(view: &View, old: EntryRef, new: EntryRef, columns: usize) -> Vec<Line> {
    let mut lines = vec![
        line(Tone::Removed, format!("--- {}", head(view, old))),
        line(Tone::Added, format!("+++ {}", head(view, new))),
    ];
    let mark = mark_of(explain::likeness(view.stack(), old, new));
    if mark == Mark::Same {
        lines.push(line(Tone::Dim, "the same content: size and CRC-32 agree"));
        return lines;
    }
    let (old_bytes, new_bytes) = match (bytes_of(view, old), bytes_of(view, new)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(why), _) | (_, Err(why)) => {
            lines.push(line(Tone::Warn, format!("cannot be compared: {why}")));
            return lines;
        }
    };
    let before = lines.len();
    match is_text(&old_bytes) && is_text(&new_bytes) {
        true => unified(&old_bytes, &new_bytes, &mut lines),
        false => unified(
            hex_text(&old_bytes, columns).as_bytes(),
            hex_text(&new_bytes, columns).as_bytes(),
            &mut lines,
        ),
    }
    let size = |entry| view.stack().entry(entry).declared_size;
    let longest = size(old).max(size(new));
    if longest > SHOWN_BYTES as u64 {
        let text = match lines.len() == before {
            true => "the first 64 KiB are the same; what differs comes later",
            false => "… of the first 64 KiB",
        };
        lines.push(line(Tone::Dim, text));
    }
    lines
}

/// A version in one line: what one would compare besides the content.
fn head(view: &View, entry: EntryRef) -> String {
    let declared = view.stack().entry(entry);
    format!(
        "{}  {}  {:04o}  {}",
        said_layer(view, entry.layer),
        human(declared.declared_size),
        declared.permissions,
        time_text(declared.mtime.seconds)
    )
}

fn unified(old: &[u8], new: &[u8], lines: &mut Vec<Line>) {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    for hunk in diff.unified_diff().context_radius(CONTEXT_LINES).iter_hunks() {
        lines.push(line(Tone::Hunk, hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let (tone, sign) = match change.tag() {
                ChangeTag::Delete => (Tone::Removed, '-'),
                ChangeTag::Insert => (Tone::Added, '+'),
                ChangeTag::Equal => (Tone::Plain, ' '),
            };
            let value = change.value();
            let text = value.strip_suffix(b"\n").unwrap_or(value);
            lines.push(line(tone, format!("{sign}{}", sayable(text))));
            if !value.ends_with(b"\n") {
                lines.push(line(Tone::Dim, "\\ no newline at the end"));
            }
        }
    }
}

/// Text is what has no NUL and hardly a byte that no text has.
fn is_text(bytes: &[u8]) -> bool {
    let is_odd = |byte: &&u8| matches!(byte, 0x01..=0x08 | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f);
    let odd = bytes.iter().filter(is_odd).count();
    let broken: usize = bytes.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    !bytes.contains(&0) && (odd + broken) * 10 <= bytes.len()
}

fn text_lines(bytes: &[u8]) -> impl Iterator<Item = String> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.split(|&byte| byte == b'\n').map(|text| {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        sayable(text).into_owned()
    })
}

/// One line of a text, tabs as blanks.
fn sayable(text: &[u8]) -> Cow<'_, str> {
    if !text.contains(&b'\t') {
        return printable(text);
    }
    let mut spaced = String::new();
    for (place, part) in text.split(|&byte| byte == b'\t').enumerate() {
        if place > 0 {
            let columns = spaced.chars().count();
            spaced.extend(std::iter::repeat_n(' ', TAB_COLUMNS - columns % TAB_COLUMNS));
        }
        spaced.push_str(&printable(part));
    }
    Cow::Owned(spaced)
}

/// Bytes in hexadecimal and as characters, each line with its offset: as many as there is room for.
fn hex_lines(bytes: &[u8], columns: usize) -> impl Iterator<Item = (String, String)> {
    let count = [16, 8]
        .into_iter()
        .find(|count| 13 + count * 4 <= columns)
        .unwrap_or(4);
    bytes.chunks(count).enumerate().map(move |(place, chunk)| {
        let mut text = String::new();
        for i in 0..count {
            let gap = if i % 8 == 0 { "  " } else { " " };
            text.push_str(gap);
            match chunk.get(i) {
                Some(byte) => text.push_str(&format!("{byte:02x}")),
                None => text.push_str("  "),
            }
        }
        text.push_str("  ");
        let shown = |byte: &u8| match byte {
            0x20..=0x7e => char::from(*byte),
            _ => '·',
        };
        text.extend(chunk.iter().map(shown));
        (format!("{:08x}", place * count), text)
    })
}

/// Without offsets, so that what only moved is not all new.
fn hex_text(bytes: &[u8], columns: usize) -> String {
    hex_lines(bytes, columns.saturating_sub(1))
        .map(|(_, text)| text + "\n")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_bytes() {
        for (bytes, text) in [
            (&b"import os\n\tpass\n"[..], true),
            ("café ☕".as_bytes(), true),
            (b"caf\xe9 au lait, s'il vous pla\xeet", true),
            (b"\x7fELF\x02\x01\x01\x00", false),
            (b"\xca\xfe\xba\xbe\xff\xfe", false),
            (b"", true),
        ] {
            assert_eq!(is_text(bytes), text, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn tabs_are_blanks_up_to_the_next_stop_and_escapes_are_shown() {
        assert_eq!(sayable(b"\ta\tb"), "    a   b");
        assert_eq!(sayable(b"a\x1b[2J"), "a\\u{1b}[2J");
        let lines: Vec<_> = text_lines(b"a\r\nb\n").collect();
        assert_eq!(lines, ["a", "b"]);
    }

    #[test]
    fn bytes_stand_in_columns() {
        let lines = |columns| hex_lines(b"\x00A\xffBCDEFGH", columns).map(|(offset, text)| offset + &text);
        assert_eq!(
            lines(80).next().unwrap(),
            "00000000  00 41 ff 42 43 44 45 46  47 48                    ·A·BCDEFGH"
        );
        assert_eq!(
            lines(50).collect::<Vec<_>>(),
            [
                "00000000  00 41 ff 42 43 44 45 46  ·A·BCDEF",
                "00000008  47 48                    GH"
            ]
        );
    }
}
