//! Which key does what, where; and the words that footer and help have for it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Left,
    Right,
    Enter,
    Toggle,
    OpenAll,
    CloseAll,
    OtherPane,
    /// The merged tree at 0, else a layer by its position.
    Show(usize),
    NextLayer(bool),
    Filter,
    Search,
    NextMatch(bool),
    NextConflict(bool),
    NextShadowed(bool),
    Only,
    Sort,
    Diff,
    Version(bool),
    Details,
    Help,
    Back,
    Quit,
    Suspend,
    Redraw,
    Typed(char),
    Erase,
    EraseWord,
    EraseAll,
}

/// Where the keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Layers,
    Tree,
    /// A file, or a difference.
    Preview,
    /// Details, help.
    Page,
    Prompt,
}

/// What a key means at a place.
pub(super) fn action(key: KeyEvent, place: Place) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return with_control(key.code, place);
    }
    if place == Place::Prompt {
        return in_prompt(key.code);
    }
    let is_preview = place == Place::Preview;
    Some(match key.code {
        KeyCode::Up | KeyCode::Char('k') => Action::Up,
        KeyCode::Down | KeyCode::Char('j') => Action::Down,
        KeyCode::PageUp | KeyCode::Char('b') => Action::PageUp,
        KeyCode::PageDown => Action::PageDown,
        KeyCode::Home | KeyCode::Char('g') => Action::First,
        KeyCode::End | KeyCode::Char('G') => Action::Last,
        KeyCode::Left | KeyCode::Char('h') => Action::Left,
        KeyCode::Right | KeyCode::Char('l') => Action::Right,
        KeyCode::Tab if is_preview => Action::Version(true),
        KeyCode::BackTab if is_preview => Action::Version(false),
        KeyCode::Tab | KeyCode::BackTab => Action::OtherPane,
        KeyCode::Char(' ') if matches!(place, Place::Preview | Place::Page) => Action::PageDown,
        KeyCode::Enter => Action::Enter,
        KeyCode::Char(' ') => Action::Toggle,
        KeyCode::Char('*' | 'E') => Action::OpenAll,
        KeyCode::Char('-' | 'W') => Action::CloseAll,
        KeyCode::Char('m') => Action::Show(0),
        KeyCode::Char(digit @ '0'..='9') => Action::Show(digit as usize - '0' as usize),
        KeyCode::Char(']') => Action::NextLayer(true),
        KeyCode::Char('[') => Action::NextLayer(false),
        KeyCode::Char('f') => Action::Filter,
        KeyCode::Char('/') => Action::Search,
        KeyCode::Char('n') => Action::NextMatch(true),
        KeyCode::Char('N') => Action::NextMatch(false),
        KeyCode::Char('c') => Action::NextConflict(true),
        KeyCode::Char('C') => Action::NextConflict(false),
        KeyCode::Char('x') => Action::NextShadowed(true),
        KeyCode::Char('X') => Action::NextShadowed(false),
        KeyCode::Char('o') => Action::Only,
        KeyCode::Char('s') => Action::Sort,
        KeyCode::Char('d') => Action::Diff,
        KeyCode::Char('v') => Action::Version(true),
        KeyCode::Char('V') => Action::Version(false),
        KeyCode::Char('i') => Action::Details,
        KeyCode::Char('?') | KeyCode::F(1) => Action::Help,
        KeyCode::Esc | KeyCode::Backspace => Action::Back,
        KeyCode::Char('q') => match place {
            Place::Layers | Place::Tree => Action::Quit,
            Place::Preview | Place::Page | Place::Prompt => Action::Back,
        },
        _ => return None,
    })
}

fn with_control(code: KeyCode, place: Place) -> Option<Action> {
    let is_prompt = place == Place::Prompt;
    Some(match code {
        KeyCode::Char('c') => Action::Quit,
        KeyCode::Char('z') => Action::Suspend,
        KeyCode::Char('l') => Action::Redraw,
        KeyCode::Char('u') if is_prompt => Action::EraseAll,
        KeyCode::Char('w') if is_prompt => Action::EraseWord,
        KeyCode::Char('h') if is_prompt => Action::Erase,
        KeyCode::Char('d' | 'f') => Action::PageDown,
        KeyCode::Char('u' | 'b') => Action::PageUp,
        _ => return None,
    })
}

fn in_prompt(code: KeyCode) -> Option<Action> {
    Some(match code {
        KeyCode::Char(typed) => Action::Typed(typed),
        KeyCode::Backspace => Action::Erase,
        KeyCode::Enter => Action::Enter,
        KeyCode::Esc => Action::Back,
        KeyCode::Up => Action::Up,
        KeyCode::Down => Action::Down,
        _ => return None,
    })
}

/// A key and what it does, in one word.
pub(super) type Hint = (&'static str, &'static str);

/// What the footer shows, the most needed first.
pub(super) fn hints(place: Place) -> &'static [Hint] {
    match place {
        Place::Tree => &[
            ("⏎", "view"),
            ("f", "filter"),
            ("/", "search"),
            ("c", "conflict"),
            ("d", "diff"),
            ("o", "hidden"),
            ("s", "size"),
            ("0-9", "layer"),
            ("Tab", "layers"),
            ("i", "details"),
            ("↑↓←→", "move"),
        ],
        Place::Layers => &[
            ("↑↓", "choose"),
            ("→", "to its tree"),
            ("0", "merged"),
            ("1-9", "one layer"),
            ("Tab", "tree"),
        ],
        Place::Preview => &[
            ("↑↓←→", "scroll"),
            ("d", "diff"),
            ("v", "version"),
            ("n", "change"),
            ("c", "next conflict"),
            ("Esc", "back"),
        ],
        Place::Page => &[("↑↓", "scroll"), ("Esc", "back")],
        Place::Prompt => &[("⏎", "done"), ("Esc", "drop")],
    }
}

/// The whole help: headings have no words of their own.
pub(super) const HELP: &[Hint] = &[
    ("Moving", ""),
    ("↑ ↓  k j", "one line"),
    ("PgUp PgDn", "one page; so do b, Ctrl-D and Ctrl-U"),
    ("Home End", "to the first, to the last; so do g and G"),
    ("→  l", "open a directory, go into it, look into a file"),
    ("←  h", "close a directory, or go to the one above"),
    ("Space", "open or close a directory"),
    ("*  -", "open all, close all"),
    ("Tab", "between layers and tree"),
    ("Layers", ""),
    ("0  m", "the merged tree, as Lambda would show it"),
    (
        "1 … 9",
        "one layer by itself; its numbers say who is seen instead",
    ),
    ("[ ]", "the layer before, the next one"),
    ("Finding", ""),
    ("f", "filter as you type: part of a name, or a glob such as *.so;"),
    ("", "with a slash, of the whole path: python/**/*.pyc"),
    ("/  n N", "search; next match, match before"),
    ("c C", "next conflict, conflict before: other content is hidden"),
    ("x X", "next path that hides anything, the one before"),
    ("o", "only paths that hide something; only conflicts; all"),
    ("s", "by size, by name"),
    ("Esc", "drop the filter"),
    ("Looking closer", ""),
    ("Enter", "what is in a file (its first 64 KiB); open a directory"),
    ("d", "how the hidden version differs from the one that is seen"),
    ("v V", "next version, version before"),
    ("n N", "in a difference: next change, change before"),
    ("i", "details: all versions with size, CRC-32 and time"),
    ("Leaving", ""),
    ("q", "back, and out"),
    ("Ctrl-Z", "to the shell; fg comes back"),
    ("Signs", ""),
    ("1 2 …", "the layer that is seen; + in directories of several"),
    ("=", "the same content is hidden here: its bytes are there twice"),
    ("≠", "other content is hidden here: a conflict"),
    ("!", "something of another kind, such as a directory by a file"),
    ("", "in directories, dim: somewhere below"),
    ("35%", "of a layer: its bytes that are seen, of the whole tree's"),
    ("32M hidden", "of a layer: its bytes that nobody sees"),
    ("efficiency", "as dive counts: 100 % when no path is packed twice"),
];
