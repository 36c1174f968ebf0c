//! Events as JSON lines on standard output.

use std::io::Write as _;
use std::sync::Mutex;
use std::time::Instant;

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

impl Listener for Json {
    fn tell(&self, event: Event) {
        let line = Line {
            milliseconds_since_start: self.started.elapsed().as_millis(),
            event: &event,
        };
        let Ok(text) = serde_json::to_string(&line) else {
            return;
        };
        let _held = self.lock.lock();
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }
}
