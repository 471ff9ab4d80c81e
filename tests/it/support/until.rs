//! Waiting for what another process does: by asking again and again, up to a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// Far more than any wait takes on the slowest machine; only a failing test waits for so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns when the condition holds, and panics with its name when it never does.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
