//! The one room that prints.

use std::io::{self, Write as _};

/// Writes a text to standard output, whole: what a command was asked for.
///
/// A reader that has gone away (`| head`) wants no more, which is no fault.
///
/// # Errors
/// When it cannot be written, as on a full disk.
pub fn show(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a line about the run to standard error.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
