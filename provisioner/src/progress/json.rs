//! Events as JSON lines on standard output.

use std::io::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::progress::{Event, Listener};

/// Writes one object a line.
#[derive(Debug)]
pub(super) struct Json {
    started: Instant,
    lock: Mutex<()>,
}

impl Default for Json {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            lock: Mutex::new(()),
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    milliseconds_since_start: u128,
    #[serde(flatten)]
    event: &'a Event,
}

/// An event as programs read it, so long after the run began.
pub fn line(event: &Event, since_start: Duration) -> String {
    let line = Line {
        milliseconds_since_start: since_start.as_millis(),
        event,
    };
    // What an event holds is texts and numbers, which JSON has.
    serde_json::to_string(&line).unwrap_or_default()
}

impl Listener for Json {
    fn tell(&self, event: Event) {
        let text = line(&event, self.started.elapsed());
        let _held = self.lock.lock();
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }
}
