//! Texts and numbers in the columns that there are.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::cli::explore::state::State;

/// Columns of a size in short.
pub(super) const SIZE_COLUMNS: usize = 5;

/// Where one is among more rows than fit: a thick piece of the frame.
pub(super) fn scroll_bar(pane: Rect, count: usize, top: usize, fitting: usize, buffer: &mut Buffer) {
    let height = usize::from(pane.height).saturating_sub(2);
    if count <= fitting || height == 0 {
        return;
    }
    let length = (height * fitting / count).max(1);
    let start = (height - length) * top / (count - fitting).max(1);
    let x = pane.right() - 1;
    for y in (pane.y + 1..pane.bottom() - 1).skip(start).take(length) {
        buffer[(x, y)].set_symbol("┃");
    }
}

pub(super) fn percent(part: u64, whole: u64) -> u64 {
    (part as f64 / whole.max(1) as f64 * 100.0).round() as u64
}

/// Columns of the layers' numbers.
pub(super) fn number_columns(state: &State<'_>) -> usize {
    state.names.len().to_string().len()
}

pub(super) fn columns(text: &str) -> usize {
    Span::raw(text).width()
}

/// A text in so many columns, with a sign where it would go on.
pub(super) fn fit(text: &str, width: usize) -> Cow<'_, str> {
    if columns(text) <= width {
        return Cow::Borrowed(text);
    }
    let mut used = 1;
    let fitting = text.chars().take_while(|c| {
        used += columns(c.encode_utf8(&mut [0; 4]));
        used <= width
    });
    let mut fitting: String = fitting.collect();
    if width > 0 {
        fitting.push('…');
    }
    Cow::Owned(fitting)
}

/// The end of a text in so many columns: of a path that is what tells.
pub(super) fn fit_end(text: &str, width: usize) -> Cow<'_, str> {
    if columns(text) <= width {
        return Cow::Borrowed(text);
    }
    let mut used = 1;
    let fitting = text.chars().rev().take_while(|c| {
        used += columns(c.encode_utf8(&mut [0; 4]));
        used <= width
    });
    let mut fitting: Vec<char> = fitting.collect();
    fitting.reverse();
    Cow::Owned(std::iter::once('…').chain(fitting).collect())
}
