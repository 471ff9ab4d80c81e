//! A page of lines to scroll through: a file, a difference, details, help.

/// How a piece of text is meant; the theme says how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Dim,
    Bold,
    Added,
    Removed,
    Hunk,
    Warn,
    Layer(usize),
}

/// One line, printable as it is.
pub(super) type Line = Vec<(Tone, String)>;

/// Lines with a place among them.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) title: String,
    /// What more is to be said than the title does.
    pub(super) about: String,
    pub(super) lines: Vec<Line>,
    top: usize,
    left: usize,
}

impl Page {
    pub(super) fn new(title: String, lines: Vec<Line>) -> Page {
        Page {
            title,
            about: String::new(),
            lines,
            top: 0,
            left: 0,
        }
    }

    /// With something said about it.
    pub(super) fn about(mut self, about: String) -> Page {
        self.about = about;
        self
    }

    /// The first line that is shown.
    pub(super) fn top(&self) -> usize {
        self.top
    }

    /// Columns that are left out at the left.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    pub(super) fn move_by(&mut self, lines: isize) {
        self.top = self.top.saturating_add_signed(lines);
    }

    pub(super) fn move_to(&mut self, line: usize) {
        self.top = line;
    }

    /// Moves sideways, to where something still stands.
    pub(super) fn shift(&mut self, columns: isize) {
        let longest = |line: &Line| line.iter().map(|(_, text)| text.chars().count()).sum::<usize>();
        let widest = self.lines.iter().map(longest).max().unwrap_or(0);
        self.left = self
            .left
            .saturating_add_signed(columns)
            .min(widest.saturating_sub(1));
    }

    /// Keeps the last line at the end of a screen of so many.
    pub(super) fn scroll(&mut self, height: usize) {
        self.top = self.top.min(self.lines.len().saturating_sub(height));
    }

    /// The next line of a tone below the top, or above it.
    pub(super) fn next(&self, forward: bool, tone: Tone) -> Option<usize> {
        let is_it = |&line: &usize| self.lines[line].first().is_some_and(|(first, _)| *first == tone);
        match forward {
            true => (self.top + 1..self.lines.len()).find(is_it),
            false => (0..self.top.min(self.lines.len())).rev().find(is_it),
        }
    }
}

/// A line of one tone.
pub(super) fn line(tone: Tone, text: impl Into<String>) -> Line {
    vec![(tone, text.into())]
}
