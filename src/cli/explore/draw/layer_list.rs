//! The pane of the layers: name, position, size, share of the tree, and what of it is hidden.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Widget};

use super::fitting::{SIZE_COLUMNS, columns, fit, number_columns, percent, scroll_bar};
use crate::cli::explore::keys::Place;
use crate::cli::explore::layout::{Panes, inside};
use crate::cli::explore::state::State;
use crate::cli::size::{counted, short};

/// Columns of a share: a blank, a hundred, and its sign.
const SHARE_COLUMNS: usize = 5;
/// Columns of what is hidden with its word.
const HIDDEN_COLUMNS: usize = SIZE_COLUMNS + 7;
/// What stands behind the name in one line: size, share and what is hidden.
const TAIL_COLUMNS: usize = SIZE_COLUMNS + SHARE_COLUMNS + SIZE_COLUMNS;
/// What is listed above the layers.
const MERGED: &str = "merged tree";

/// The merged tree and the layers, bottom first, each with what it ships, gives and ships in vain.
pub(super) fn layers(state: &State<'_>, panes: &Panes, buffer: &mut Buffer) {
    let pane = panes.layers;
    if pane.height == 0 {
        return;
    }
    let has_keys = state.place() == Place::Layers;
    let frame = state.theme.frame(has_keys);
    let dim = state.theme.dim();
    Block::bordered()
        .border_style(frame)
        .title(Span::styled(" layers, the last wins ", frame))
        .title_bottom(Span::styled(" 0-9 or Tab ", dim))
        .render(pane, buffer);
    let inner = inside(pane);
    let each = if panes.is_roomy { 2 } else { 1 };
    let fitting = (usize::from(inner.height) / each).max(1);
    let count = state.names.len() + 1;
    let top = (state.shown() + 1).saturating_sub(fitting);
    for (row, place) in (top..count.min(top + fitting)).enumerate() {
        let y = inner.y + (row * each) as u16;
        let is_shown = place == state.shown();
        let pointer = if is_shown { "▸" } else { " " };
        let width = usize::from(inner.width);
        let [first, second] = match place.checked_sub(1) {
            None => merged_lines(state, pointer, width, panes.is_roomy),
            Some(layer) => layer_lines(state, layer, pointer, width, panes.is_roomy),
        };
        buffer.set_line(inner.x, y, &first, inner.width);
        if panes.is_roomy && y + 1 < inner.bottom() {
            buffer.set_line(inner.x, y + 1, &second, inner.width);
        }
        if is_shown {
            let style = if has_keys {
                state.theme.cursor()
            } else {
                state.theme.bold()
            };
            buffer.set_style(
                Rect {
                    y,
                    height: 1,
                    ..inner
                },
                style,
            );
        }
    }
    scroll_bar(pane, count, top, fitting, buffer);
}

/// The merged tree in two lines, or in the first of them.
fn merged_lines(state: &State<'_>, pointer: &str, width: usize, is_roomy: bool) -> [Line<'static>; 2] {
    let numbers = number_columns(state);
    let head = format!("{pointer}{:>numbers$} ", "");
    let bytes = short(state.weight.seen.bytes.bytes);
    if is_roomy {
        let paths = counted(state.view.stack().node_count() as u64 - 1, "path");
        let second = format!(" {:>numbers$} {bytes:>SIZE_COLUMNS$}  {paths}", "");
        return [Line::raw(head + MERGED), Line::styled(second, state.theme.dim())];
    }
    let name = padded(MERGED, width.saturating_sub(columns(&head) + TAIL_COLUMNS));
    [
        Line::raw(format!("{head}{name}{bytes:>SIZE_COLUMNS$}")),
        Line::default(),
    ]
}

/// A layer in two lines, or in the first of them.
fn layer_lines(
    state: &State<'_>,
    layer: usize,
    pointer: &str,
    width: usize,
    is_roomy: bool,
) -> [Line<'static>; 2] {
    let (theme, numbers) = (&state.theme, number_columns(state));
    let (sum, whole) = (&state.weight.layers[layer], state.weight.seen.bytes.bytes);
    let colour = theme.layer(Some(layer));
    let share = percent(sum.seen.bytes, whole);
    let hidden_bytes = sum.unzipped.bytes.saturating_sub(sum.seen.bytes);
    let bytes = short(sum.unzipped.bytes);
    let (hidden, hidden_style) = match hidden_bytes {
        0 => (String::new(), theme.dim()),
        _ => (short(hidden_bytes), theme.warn()),
    };
    let head = format!("{pointer}{:>numbers$} ", layer + 1);
    if is_roomy {
        let name_columns = width.saturating_sub(head.chars().count());
        let name = fit(&state.names[layer], name_columns).into_owned();
        let mut second = vec![Span::raw(format!(
            " {:>numbers$} {bytes:>SIZE_COLUMNS$} {share:>3}% ",
            ""
        ))];
        let hidden = match hidden.is_empty() {
            true => hidden,
            false => format!("{hidden:>SIZE_COLUMNS$} hidden"),
        };
        // As long for each layer, or bars would not compare.
        let bar_columns = width.saturating_sub(second[0].width() + HIDDEN_COLUMNS);
        let bar = bar(sum.seen.bytes, whole, bar_columns, colour, theme.dim());
        second.extend(bar);
        second.push(Span::styled(hidden, hidden_style));
        return [
            Line::from(vec![Span::styled(head, colour), Span::styled(name, colour)]),
            Line::from(second),
        ];
    }
    let room = width.saturating_sub(columns(&head) + TAIL_COLUMNS);
    let name = padded(&state.names[layer], room);
    let line = Line::from(vec![
        Span::styled(head, colour),
        Span::styled(name, colour),
        Span::raw(format!(
            "{bytes:>SIZE_COLUMNS$}{:>SHARE_COLUMNS$}",
            format!("{share}%")
        )),
        Span::styled(format!("{hidden:>SIZE_COLUMNS$}"), hidden_style),
    ]);
    [line, Line::default()]
}

/// A text cut or filled up to so many columns.
fn padded(text: &str, width: usize) -> String {
    let text = fit(text, width);
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(&text))))
}

/// A share as a bar, where there is room for one.
fn bar(part: u64, whole: u64, width: usize, full: Style, empty: Style) -> Vec<Span<'static>> {
    const LEAST_COLUMNS: usize = 5;
    if width < LEAST_COLUMNS {
        return Vec::new();
    }
    let filled = (part as f64 / whole.max(1) as f64 * width as f64).round() as usize;
    // Something is never nothing.
    let filled = filled.clamp(usize::from(part > 0), width);
    vec![
        Span::styled("━".repeat(filled), full),
        Span::styled("─".repeat(width - filled), empty),
    ]
}
