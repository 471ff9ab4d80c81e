//! A progress bar over bytes, on standard error, where a person watches.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far it is.
pub(super) struct Bar(pub(super) ProgressBar);

impl Bar {
    pub(super) fn new(is_shown: bool) -> Bar {
        if !is_shown {
            return Bar(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let words = "{bar:40} {percent:>3}%  {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        Bar(bar
            .with_style(ProgressStyle::with_template(words).unwrap_or_else(|_| ProgressStyle::default_bar())))
    }
}
