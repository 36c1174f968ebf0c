//! What happens, as events, and who shows them.
//!
//! The stages tell events; this room turns them into lanes of a terminal, plain
//! lines or JSON. It is the only one that prints.

mod ask;
mod event;
mod human;
mod json;

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};

pub use ask::{ask, can_ask};
pub use event::{Event, Outcome, Verdict};
pub use json::line;

static UNSHOWN: AtomicBool = AtomicBool::new(false);

/// Takes events from many threads.
pub trait Listener: Sync {
    /// Something has happened.
    fn tell(&self, event: Event);
}

/// How a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lanes on a terminal, plain lines elsewhere.
    Human,
    /// One JSON object a line.
    Json,
}

/// The listener for a format.
pub fn listener(format: Format, quiet: bool) -> Box<dyn Listener> {
    match format {
        Format::Json => Box::new(json::Json::default()),
        Format::Human => Box::new(human::Human::new(std::io::stderr().is_terminal(), quiet)),
    }
}

/// Writes a text to standard output, whole: what a command was asked for.
///
/// A reader that has gone away (`| head`) is no error. Anything else is said once, and remembered
/// for [`all_was_shown`].
pub fn show(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
        && !UNSHOWN.swap(true, Ordering::Relaxed)
    {
        complain(&format!("atoll: cannot write the answer: {error}"));
    }
}

/// Whether every answer could be written: one that nobody got must not look like one.
pub fn all_was_shown() -> bool {
    !UNSHOWN.load(Ordering::Relaxed)
}

/// Writes an error to standard error.
pub fn complain(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
