//! Waiting for a condition, with a deadline, until the operator wants an end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long to wait between two questions.
const PAUSE: Duration = Duration::from_millis(300);

/// Asks until there is an answer; `Err` says what was still missing at the end.
pub(super) fn wait<T>(
    limit: Duration,
    stop: &AtomicBool,
    mut ask: impl FnMut() -> Result<T, String>,
) -> Result<T, String> {
    let started = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(missing) if started.elapsed() > limit => {
                return Err(format!("{missing} (after {} s)", limit.as_secs()));
            }
            Err(_) if stop.load(Ordering::Relaxed) => {
                return Err("stopped by the operator".to_owned());
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}
