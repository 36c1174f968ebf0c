//! A log line that anybody on the network can cause is written once a minute at most.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_mins(1);

/// Counts what is not said.
#[derive(Debug, Default)]
pub(super) struct Seldom(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    said: Option<Instant>,
    unsaid: u64,
}

impl Seldom {
    /// How many lines were left out since the last one, when it is time for one again.
    pub(super) fn say(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |said| now.saturating_duration_since(said) < PERIOD;
        if state.said.is_some_and(recent) {
            state.unsaid += 1;
            return None;
        }
        state.said = Some(now);
        Some(std::mem::take(&mut state.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_a_minute() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.say(start), Some(0));
        for second in 1..60 {
            assert_eq!(seldom.say(start + Duration::from_secs(second)), None);
        }
        assert_eq!(seldom.say(start + PERIOD), Some(59));
    }
}
