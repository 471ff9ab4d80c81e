//! A real browser without a window: what becomes of a page when it is opened.
//!
//! Nothing is skipped: without chromium these tests fail. `scripts/setup` installs it.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::program::finish;

/// The document as it is after the page's script has run; `fragment` is what stands behind the address.
pub(crate) fn opened(page: &Path, fragment: &str) -> String {
    let profile = TempDir::new().expect("a temporary directory");
    let mut chromium = Command::new("chromium");
    // The tests run as root in containers, where chromium's own sandbox and /dev/shm are not to be had.
    chromium.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--window-size=1280,900",
    ]);
    chromium.arg(format!("--user-data-dir={}", profile.path().display()));
    chromium.arg("--dump-dom");
    chromium.arg(format!("file://{}{fragment}", page.display()));
    let done = finish(&mut chromium);
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).expect("a document is UTF-8")
}
