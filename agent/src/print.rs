//! The one place that writes to standard output.

use std::io::Write as _;

/// Shows a text on a line of its own, or on several; a closed pipe is no error.
pub fn show(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", text.trim_end());
}
