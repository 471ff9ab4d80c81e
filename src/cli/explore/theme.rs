//! Colours and marks: a colour for each layer, beside its number, so that a screen without colours says the
//! same.

use ratatui::style::{Color, Modifier, Style};

use super::facts::Mark;
use super::page::Tone;

/// How things look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme {
    colours: bool,
}

/// The terminal's own colours, which fit its background. Red is for what differs.
const LAYERS: [Color; 8] = [
    Color::Cyan,
    Color::Yellow,
    Color::Green,
    Color::Magenta,
    Color::LightBlue,
    Color::LightYellow,
    Color::LightGreen,
    Color::LightMagenta,
];

impl Theme {
    /// With colours, but where `NO_COLOR` is set and not empty (<https://no-color.org>).
    pub(super) fn from_environment() -> Theme {
        Theme {
            colours: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    #[cfg(test)]
    pub(super) fn with_colours(colours: bool) -> Theme {
        Theme { colours }
    }

    /// Of a layer, by its place; of several layers, none.
    pub(super) fn layer(&self, layer: Option<usize>) -> Style {
        layer.map_or(self.dim(), |layer| self.coloured(LAYERS[layer % LAYERS.len()]))
    }

    pub(super) fn mark(&self, mark: Mark) -> Style {
        match mark {
            Mark::Nothing => Style::new(),
            Mark::Same => self.dim(),
            Mark::Differs | Mark::OtherKind => self.warn(),
        }
    }

    pub(super) fn tone(&self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => Style::new(),
            Tone::Dim => self.dim(),
            Tone::Bold => self.bold(),
            Tone::Added => self.coloured(Color::Green),
            Tone::Removed => self.coloured(Color::Red),
            Tone::Hunk => self.coloured(Color::Cyan),
            Tone::Warn => self.warn(),
            Tone::Layer(layer) => self.layer(Some(layer)),
        }
    }

    pub(super) fn dim(&self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn bold(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn warn(&self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// What the keys act on.
    pub(super) fn cursor(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The frame of the pane that has the keys.
    pub(super) fn frame(&self, has_keys: bool) -> Style {
        match has_keys {
            true => self.bold(),
            false => self.dim(),
        }
    }

    fn coloured(&self, colour: Color) -> Style {
        match self.colours {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }
}

/// The sign of a mark.
pub(super) fn sign(mark: Mark) -> &'static str {
    match mark {
        Mark::Nothing => " ",
        Mark::Same => "=",
        Mark::Differs => "≠",
        Mark::OtherKind => "!",
    }
}
