//! The state as a picture: title, layers, details, tree or page, footer. Nothing is decided here but what fits.

mod fitting;
mod layer_list;

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Widget};

use fitting::{SIZE_COLUMNS, columns, fit, fit_end, number_columns, scroll_bar};
use layer_list::layers;

use super::facts::Mark;
use super::keys::{Place, hints};
use super::layout::{LEAST, inside};
use super::page::{self, Page};
use super::state::{Asked, Over, State};
use super::theme::sign;
use super::tree::{Only, Row, Tree};
use crate::cli::printable::printable;
use crate::cli::size::{counted, human, short};
use crate::stack::{Body, EntryRef};

/// Columns that each level of the tree is moved in.
const INDENT_COLUMNS: usize = 2;
/// A name keeps so many columns, however deep it lies.
const NAME_COLUMNS: usize = 16;

/// Draws the state on a screen of its size.
pub(super) fn draw(state: &State<'_>, buffer: &mut Buffer) {
    let area = buffer.area;
    if (area.width, area.height) != state.size() {
        // The screen has changed since: the state hears of it next.
        return;
    }
    let Some(panes) = state.panes() else {
        return too_small(area, buffer);
    };
    title(state, panes.title, buffer);
    match &state.over {
        Some(Over::Page(page)) => draw_page(state, page, panes.body, buffer),
        Some(Over::Preview(preview)) => draw_page(state, &preview.page, panes.body, buffer),
        None => {
            layers(state, &panes, buffer);
            details(state, panes.details, buffer);
            tree(state, panes.tree, buffer);
        }
    }
    footer(state, panes.footer, buffer);
}

fn too_small(area: Rect, buffer: &mut Buffer) {
    let said = [
        "too small:".to_owned(),
        format!("{}×{}", area.width, area.height),
        format!("needs {}×{}", LEAST.0, LEAST.1),
    ];
    for (y, text) in (area.y..area.bottom()).zip(said) {
        buffer.set_stringn(area.x, y, text, area.width.into(), Style::new());
    }
}

fn title(state: &State<'_>, area: Rect, buffer: &mut Buffer) {
    let stack = state.view.stack();
    let (seen, all) = (state.weight.seen.bytes.bytes, state.weight.unzipped().bytes);
    let hidden = all.saturating_sub(seen);
    let facts = [
        counted(state.names.len() as u64, "layer"),
        counted(stack.node_count() as u64 - 1, "path"),
        human(seen),
        match hidden {
            0 => "nothing hidden".to_owned(),
            _ => format!("{} hidden", human(hidden)),
        },
        format!("efficiency {:.1} %", state.efficiency * 100.0),
    ];
    let mut line = Line::styled(" optfs ", state.theme.bold());
    // As many as fit whole.
    for (place, fact) in facts.iter().enumerate() {
        let text = format!("{}{fact}", if place == 0 { " " } else { " · " });
        if line.width() + columns(&text) <= area.width.into() {
            line.push_span(Span::styled(text, Style::new().remove_modifier(Modifier::BOLD)));
        }
    }
    buffer.set_line(area.x, area.y, &line, area.width);
}

fn details(state: &State<'_>, pane: Rect, buffer: &mut Buffer) {
    if pane.height == 0 {
        return;
    }
    let frame = state.theme.frame(false);
    Block::bordered()
        .border_style(frame)
        .title(Span::styled(" details ", frame))
        .render(pane, buffer);
    let inner = inside(pane);
    let fitting = usize::from(inner.height);
    let left_out = state.details.len() > fitting;
    let shown = if left_out {
        fitting.saturating_sub(1)
    } else {
        fitting
    };
    for (y, line) in (inner.y..).zip(state.details.iter().take(shown)) {
        buffer.set_line(
            inner.x,
            y,
            &toned(state, line, 0, inner.width.into()),
            inner.width,
        );
    }
    if left_out && inner.height > 0 {
        let more = format!("… {} more: i", state.details.len() - shown);
        let y = inner.bottom() - 1;
        buffer.set_stringn(inner.x, y, more, inner.width.into(), state.theme.dim());
    }
}

fn tree(state: &State<'_>, pane: Rect, buffer: &mut Buffer) {
    if pane.height == 0 {
        return;
    }
    let tree = state.tree();
    let has_keys = matches!(state.place(), Place::Tree | Place::Prompt);
    let frame = state.theme.frame(has_keys);
    let inner = inside(pane);
    let what = match tree.layer() {
        None => " merged ".to_owned(),
        Some(layer) => format!(" only layer {} ", layer.index() + 1),
    };
    let path = format!("/opt/{}", printable(&state.selected_path().unwrap_or_default()));
    let room = usize::from(inner.width).saturating_sub(columns(&what) + 2);
    let path = format!(" {} ", fit_end(&path, room.saturating_sub(2)));
    let mut block = Block::bordered()
        .border_style(frame)
        .title(Span::styled(
            what,
            state
                .theme
                .layer(tree.layer().map(|layer| layer.index()))
                .remove_modifier(Modifier::DIM)
                .patch(frame),
        ))
        .title(Span::styled(path, frame));
    if let Some(shape) = shape_words(state) {
        block = block.title_bottom(Span::styled(format!(" {shape} "), state.theme.bold()));
    }
    block.render(pane, buffer);
    if tree.rows().is_empty() {
        let text = match shape_words(state) {
            Some(_) => "nothing here: Esc drops the filter",
            None => "an empty tree: its layers have no entries",
        };
        buffer.set_stringn(
            inner.x + 1,
            inner.y,
            text,
            usize::from(inner.width) - 1,
            state.theme.dim(),
        );
    }
    let rows = tree.rows().iter().enumerate().skip(tree.top());
    for (y, (place, row)) in (inner.y..inner.bottom()).zip(rows) {
        let line = tree_line(state, tree, row, inner.width.into());
        buffer.set_line(inner.x, y, &line, inner.width);
        if place == tree.cursor() {
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
    scroll_bar(pane, tree.rows().len(), tree.top(), inner.height.into(), buffer);
}

/// What the shape of the tree leaves out, and its order where that is not by name.
fn shape_words(state: &State<'_>) -> Option<String> {
    let shape = state.shape();
    let mut words = Vec::new();
    if shape.pattern.is_some() {
        words.push(format!("\"{}\"", printable(state.filter.as_bytes())));
    }
    match shape.only {
        Only::All => {}
        Only::Shadowed => words.push("only where something is hidden".to_owned()),
        Only::Conflicts => words.push("only conflicts".to_owned()),
    }
    if !words.is_empty() {
        words.push(counted(state.tree().kept_count() as u64, "path"));
    }
    if shape.by_size {
        words.push("by size".to_owned());
    }
    (!words.is_empty()).then(|| words.join(" · "))
}

fn tree_line(state: &State<'_>, tree: &Tree<'_>, row: &Row, width: usize) -> Line<'static> {
    let (stack, theme) = (tree.stack(), &state.theme);
    let fact = tree.fact(row.node);
    let body = stack.body(row.node);
    let is_directory = matches!(body, Body::Directory(_));
    let numbers = number_columns(state);
    let number = match fact.seen() {
        Some(layer) => format!("{:>numbers$}", layer + 1),
        None => format!("{:>numbers$}", "+"),
    };
    // A mark below says where to look; one at the path itself what is there.
    let (mark, mark_style) = match fact.own {
        Mark::Nothing if fact.below > Mark::Nothing => (fact.below, theme.dim()),
        own => (own, theme.mark(own)),
    };
    let colour = theme.layer(fact.seen());
    let is_hidden = tree
        .layer()
        .is_some_and(|layer| fact.seen() != Some(layer.index()))
        && !is_directory;
    let size = match body {
        Body::Symlink(_) => String::new(),
        _ => short(fact.bytes),
    };
    let fixed = numbers + 3 + SIZE_COLUMNS + 1;
    let room = width.saturating_sub(fixed);
    let indent = (row.depth as usize * INDENT_COLUMNS).min(room.saturating_sub(NAME_COLUMNS));
    let room = room.saturating_sub(indent);
    let arrow = match (is_directory, tree.is_open(row.node)) {
        (true, true) => "▾ ",
        (true, false) => "▸ ",
        (false, _) => "  ",
    };
    let name = printable(stack.name(row.node));
    let name = match is_directory {
        true => format!("{name}/"),
        false => name.into_owned(),
    };
    let target = match body {
        Body::Symlink(entry) => target(state, tree, entry),
        _ => String::new(),
    };
    let name = fit(&name, room.saturating_sub(2)).into_owned();
    let target = fit(&target, room.saturating_sub(2 + columns(&name))).into_owned();
    let used = 2 + columns(&name) + columns(&target);
    let name_style = match (is_directory, is_hidden) {
        (true, _) => theme.bold(),
        (false, true) => theme.dim(),
        (false, false) => colour,
    };
    let mut spans = vec![
        Span::styled(number, colour),
        Span::raw(" "),
        Span::styled(sign(mark), mark_style),
        Span::raw(format!(" {}{arrow}", " ".repeat(indent))),
    ];
    spans.extend(with_match(state, name, name_style));
    spans.push(Span::styled(target, theme.dim()));
    spans.push(Span::raw(" ".repeat(room.saturating_sub(used))));
    spans.push(Span::raw(format!(" {size:>SIZE_COLUMNS$}")));
    Line::from(spans)
}

/// A name with the part underlined that was looked for.
fn with_match(state: &State<'_>, name: String, style: Style) -> Vec<Span<'static>> {
    let wanted = state.shape().pattern.as_ref().or(state.search.as_ref());
    let place = wanted.and_then(|pattern| pattern.place_in(&name));
    // Bytes were compared: where they are no whole characters, there is nothing to underline.
    let parts = place.and_then(|place| {
        let parts = [
            name.get(..place.start)?,
            name.get(place.clone())?,
            name.get(place.end..)?,
        ];
        Some(parts.map(str::to_owned))
    });
    match parts {
        None => vec![Span::styled(name, style)],
        Some([before, found, behind]) => vec![
            Span::styled(before, style),
            Span::styled(found, style.add_modifier(Modifier::UNDERLINED)),
            Span::styled(behind, style),
        ],
    }
}

fn target(state: &State<'_>, tree: &Tree<'_>, entry: EntryRef) -> String {
    let entry = EntryRef {
        layer: tree.layer().unwrap_or(entry.layer),
        ..entry
    };
    match state.view.fs.content().link_target(entry) {
        Ok(target) => format!(" → {}", printable(&target)),
        Err(_) => " → ?".to_owned(),
    }
}

fn draw_page(state: &State<'_>, page: &Page, pane: Rect, buffer: &mut Buffer) {
    let frame = state.theme.frame(true);
    let inner = inside(pane);
    let width = usize::from(inner.width);
    let last = page.lines.len().min(page.top() + usize::from(inner.height));
    let place = format!(" {}–{last} of {} ", (page.top() + 1).min(last), page.lines.len());
    let room = width.saturating_sub(columns(&place) + 3);
    let about = match page.about.is_empty() {
        true => String::new(),
        false => format!(" {} ", fit(&page.about, room)),
    };
    let title = format!(" {} ", fit_end(&page.title, width.saturating_sub(2)));
    Block::bordered()
        .border_style(frame)
        .title(Span::styled(title, frame))
        .title_bottom(Span::styled(about, frame))
        .title_bottom(Line::styled(place, frame).alignment(Alignment::Right))
        .render(pane, buffer);
    let lines = page.lines.iter().skip(page.top());
    for (y, line) in (inner.y..inner.bottom()).zip(lines) {
        buffer.set_line(inner.x, y, &toned(state, line, page.left(), width), inner.width);
    }
    scroll_bar(pane, page.lines.len(), page.top(), inner.height.into(), buffer);
}

/// A line of a page, without its first columns, with a sign where it goes on.
fn toned(state: &State<'_>, line: &page::Line, mut left: usize, width: usize) -> Line<'static> {
    let mut spans = Vec::new();
    let mut room = width;
    for (tone, text) in line {
        let start = text
            .char_indices()
            .nth(left)
            .map_or(text.len(), |(start, _)| start);
        left -= left.min(text.chars().count());
        let shown = fit(&text[start..], room);
        room = room.saturating_sub(columns(&shown));
        spans.push(Span::styled(shown.into_owned(), state.theme.tone(*tone)));
    }
    Line::from(spans)
}

fn footer(state: &State<'_>, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    let theme = &state.theme;
    if let Some(notice) = &state.notice
        && state.prompt.is_none()
    {
        let text = format!(" {}", fit(notice, width.saturating_sub(2)));
        buffer.set_stringn(area.x, area.y, text, width, theme.bold());
        return;
    }
    if let Some(prompt) = &state.prompt {
        let (asked, help) = match prompt.asked {
            Asked::Filter => (" filter: ", "part of a name, *.so, dir/**"),
            Asked::Search => (" search: ", "part of a name, *.so, dir/**"),
        };
        let help = state.notice.as_deref().unwrap_or(help);
        let typed = printable(prompt.text.as_bytes());
        let room = width.saturating_sub(asked.len() + 2);
        let line = Line::from(vec![
            Span::styled(asked, theme.bold()),
            Span::raw(fit_end(&typed, room).into_owned()),
            Span::styled(" ", theme.cursor()),
            Span::styled(format!("  {help} · ⏎ done · Esc drop"), theme.dim()),
        ]);
        buffer.set_line(area.x, area.y, &line, area.width);
        return;
    }
    // The way out and to the rest of the keys is always there.
    let place = state.place();
    let ends: &[_] = match place {
        Place::Preview | Place::Page => &[("?", "help")],
        Place::Layers | Place::Tree | Place::Prompt => &[("?", "help"), ("q", "quit")],
    };
    let wide = |&(key, word): &(&str, &str)| columns(key) + columns(word) + 3;
    let mut room = width.saturating_sub(ends.iter().map(wide).sum::<usize>());
    let mut spans = Vec::new();
    let fitting = hints(place).iter().take_while(|hint| {
        let fits = wide(hint) <= room;
        room = room.saturating_sub(wide(hint));
        fits
    });
    for (key, word) in fitting.chain(ends) {
        spans.push(Span::styled(format!(" {key}"), theme.bold()));
        spans.push(Span::styled(format!(" {word} "), theme.dim()));
    }
    buffer.set_line(area.x, area.y, &Line::from(spans), area.width);
}
