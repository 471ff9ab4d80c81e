//! The progress bar of verbs that read or write much: on standard error, where a person looks at it.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Verbosity;
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
