//! From the driver's samples of utilisation to busy time.

use crate::gpu::Busy;

/// The driver samples at least once a second; what lies further apart are two stretches.
const GAP_US: u64 = 2_000_000;
/// How long the driver takes for a sample when there is no second one to tell: a sixth of a second.
const SAMPLE_US: u64 = 166_667;

/// Adds up samples `(time in µs, percent)` newer than `since`: each tells of the time since the one before it.
///
/// The times are the driver's own, and only their differences mean something.
pub(super) fn add_up(samples: &[(u64, u64)], since: u64) -> Busy {
    let mut samples: Vec<_> = samples.iter().filter(|(at, _)| *at > since).collect();
    samples.sort_unstable();
    let starts = std::iter::once(since).chain(samples.iter().map(|(at, _)| *at));
    let lengths: Vec<u64> = samples
        .iter()
        .zip(starts)
        .map(|((at, _), start)| at - start)
        .collect();
    let within = lengths.iter().copied().filter(|&us| us > 0 && us <= GAP_US);
    let usual = within.min().unwrap_or(SAMPLE_US);
    let (mut seen_us, mut hole_us, mut hundredths, mut longest_us) = (0, 0, 0, 0);
    for ((_, percent), whole) in samples.iter().zip(lengths) {
        let length = if whole > GAP_US { usual } else { whole };
        hole_us += whole - length;
        seen_us += length;
        hundredths += length * percent.min(&100);
        longest_us = length.max(longest_us);
    }
    Busy {
        busy_us: hundredths / 100,
        seen_us,
        hole_us,
        end_us: 2 * longest_us,
        guessed_us: 0,
        last_seen_us: samples.last().map_or(since, |(at, _)| *at),
        from_us: Some(since),
    }
}

/// From the rate of the last moment alone: it may have been anything since the last question.
pub(super) fn from_rate(percent: u64, elapsed_us: u64, since: u64) -> Busy {
    Busy {
        busy_us: elapsed_us * percent.min(100) / 100,
        seen_us: elapsed_us,
        hole_us: 0,
        end_us: 0,
        guessed_us: elapsed_us,
        last_seen_us: since,
        from_us: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_tells_of_the_time_before_it() {
        let samples = [(1_000, 9), (201_000, 50), (401_000, 100), (501_000, 0)];
        let busy = add_up(&samples, 1_000);
        assert_eq!(busy.busy_us, 300_000);
        assert_eq!(busy.seen_us, 500_000);
        assert_eq!((busy.rounded_us(), busy.end_us), (2_500, 400_000));
        assert_eq!(busy.last_seen_us, 501_000);
    }

    #[test]
    fn what_nobody_sampled_is_not_seen() {
        let samples = [(100_000_000, 100), (100_200_000, 100)];
        let busy = add_up(&samples, 1_000_000);
        assert_eq!((busy.busy_us, busy.seen_us), (400_000, 400_000));
        assert_eq!(busy.hole_us, 98_800_000);
        let alone = add_up(&samples[..1], 1_000_000);
        assert_eq!(alone.seen_us, SAMPLE_US);
        assert_eq!(add_up(&[], 5).last_seen_us, 5);
    }

    #[test]
    fn answers_in_a_row_share_their_ends() {
        let samples: Vec<(u64, u64)> = (0..=20).map(|n| (n * 100_000, 33)).collect();
        let whole = add_up(&samples, 0);
        let parts = add_up(&samples[..11], 0).then(add_up(&samples[11..], 1_000_000));
        assert_eq!(parts, whole);
    }

    #[test]
    fn a_rate_alone_is_worth_little() {
        let busy = from_rate(250, 1_000, 7).then(from_rate(50, 1_000, 7));
        assert_eq!((busy.busy_us, busy.seen_us), (1_500, 2_000));
        assert_eq!((busy.guessed_us, busy.last_seen_us), (2_000, 7));
    }
}
