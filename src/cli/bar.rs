//! The progress bar of verbs that read or write much: on standard error, where a person looks at it.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Verbosity;
use super::printable::printable;
use crate::explain;

/// How far it is, in bytes.
pub(super) struct Bar(pub(super) ProgressBar);

impl Bar {
    /// A bar on a terminal, unless somebody wants none.
    pub(super) fn new(no_progress: bool, verbosity: Verbosity) -> Bar {
        if no_progress || verbosity.quiet || !io::stderr().is_terminal() {
            return Bar(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let words = "{bar:40} {percent:>3}%  {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        Bar(bar
            .with_style(ProgressStyle::with_template(words).unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// That something goes on, whose end nobody knows: what was said last, and for how long.
pub(super) struct Spinner(ProgressBar);

impl Spinner {
    /// How often it turns.
    const TURN: Duration = Duration::from_millis(100);

    /// One on a terminal, unless somebody wants none.
    pub(super) fn new(no_progress: bool) -> Spinner {
        if no_progress || !io::stderr().is_terminal() {
            return Spinner(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner} {elapsed}  {wide_msg}");
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Spinner::TURN);
        Spinner(bar)
    }

    /// Shows what somebody has said.
    pub(super) fn says(&self, line: &str) {
        self.0.set_message(printable(line.as_bytes()).into_owned());
    }

    /// Takes it away.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}

impl explain::Progress for Bar {
    fn begins(&self, bytes: u64) {
        // Where nothing is to be read nothing is drawn.
        if bytes > 0 {
            self.0.inc_length(bytes);
        }
    }

    fn read(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}
