//! Where a wall-clock time lies on the boot clock, and where months end.

use federation::usage::Moment;
use jiff::{Timestamp, ToSpan as _, Unit, Zoned, ZonedRound, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// A wall clock that moves by less than this was not set, only steered.
const STEP_US: i64 = 100_000;
/// How many settings of the clock are remembered.
const KEPT: usize = 16;

/// A stretch of the boot clock within which the wall clock was not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "a name carries its unit")]
pub(crate) struct Stretch {
    /// First moment seen in it, on the boot clock.
    from_us: i64,
    /// Last moment seen in it, on the boot clock.
    to_us: i64,
    /// Wall clock less boot clock.
    offset_us: i64,
}

/// How the two clocks of this boot have stood to each other, the newest last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Clocks(Vec<Stretch>);

impl Clocks {
    /// Takes note of a moment.
    pub(crate) fn see(&mut self, now: Moment) {
        let offset_us = now.wall_us.saturating_sub(now.boot_us);
        match self.0.last_mut() {
            Some(last) if (last.offset_us - offset_us).abs() < STEP_US => {
                last.to_us = now.boot_us;
                last.offset_us = offset_us;
            }
            _ => self.0.push(Stretch {
                from_us: now.boot_us,
                to_us: now.boot_us,
                offset_us,
            }),
        }
        if self.0.len() > KEPT {
            self.0.remove(0);
        }
    }

    /// What the wall clock showed at a moment of this boot.
    pub(crate) fn wall_us(&self, boot_us: i64, now: Moment) -> i64 {
        let then = self.0.iter().rev().find(|s| s.from_us <= boot_us);
        let offset_us = then.or(self.0.first()).map(|s| s.offset_us);
        let today_us = now.wall_us.saturating_sub(now.boot_us);
        boot_us.saturating_add(offset_us.unwrap_or(today_us))
    }

    /// The moment that another program's wall-clock time names; never after `now`.
    ///
    /// A clock that was set shows some times twice and others never: of the first
    /// the later moment is taken, of the others the last look before it was set.
    pub(crate) fn place(&self, wall_us: i64, now: Moment) -> Moment {
        let mut next: Option<&Stretch> = None;
        for (place, stretch) in self.0.iter().enumerate().rev() {
            let before = place.checked_sub(1).and_then(|place| self.0.get(place));
            let boot_us = wall_us.saturating_sub(stretch.offset_us);
            // The clock was set at an unknown moment between two looks.
            let after_us = before.map_or(i64::MIN, |before| before.to_us);
            let until_us = next.map_or(now.boot_us, |next| next.from_us);
            if boot_us > after_us && boot_us <= until_us {
                return Moment { boot_us, wall_us };
            }
            if let Some(before) = before {
                let skipped = wall_us.saturating_sub(before.offset_us) > stretch.from_us
                    && boot_us <= before.to_us;
                if skipped {
                    let boot_us = before.to_us;
                    return Moment { boot_us, wall_us };
                }
            }
            next = Some(stretch);
        }
        let offset_us = now.wall_us.saturating_sub(now.boot_us);
        Moment {
            boot_us: wall_us.saturating_sub(offset_us).min(now.boot_us),
            wall_us: wall_us.min(now.wall_us),
        }
    }
}

/// The first end of a month in UTC after a time, both in µs since 1970.
pub fn next_month_end(wall_us: i64) -> i64 {
    let next = || -> Option<i64> {
        let time: Zoned = Timestamp::from_microsecond(wall_us)
            .ok()?
            .to_zoned(TimeZone::UTC);
        let day = ZonedRound::new()
            .smallest(Unit::Day)
            .mode(jiff::RoundMode::Trunc);
        let first = time.first_of_month().ok()?.round(day).ok()?;
        Some(
            first
                .checked_add(1.month())
                .ok()?
                .timestamp()
                .as_microsecond(),
        )
    };
    next().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_end_in_utc() {
        // 2026-02-28T23:59:59.999999Z, 2026-03-01, 2026-12-31T12:00Z.
        assert_eq!(next_month_end(1_772_323_199_999_999), 1_772_323_200_000_000);
        assert_eq!(next_month_end(1_772_323_200_000_000), 1_775_001_600_000_000);
        assert_eq!(next_month_end(1_798_718_400_000_000), 1_798_761_600_000_000);
    }

    #[test]
    fn a_time_before_the_clock_was_set_is_placed_by_the_clock_of_then() {
        let mut clocks = Clocks::default();
        let at = |boot_us, wall_us| Moment { boot_us, wall_us };
        clocks.see(at(1_000_000, 101_000_000));
        clocks.see(at(2_000_000, 102_000_000));
        // Set forward by 1,000 s between two looks.
        let now = at(3_000_000, 1_103_000_000);
        clocks.see(now);
        assert_eq!(clocks.place(101_500_000, now), at(1_500_000, 101_500_000));
        assert_eq!(clocks.place(102_500_000, now), at(2_500_000, 102_500_000));
        assert_eq!(
            clocks.place(1_102_500_000, now),
            at(2_500_000, 1_102_500_000)
        );
        assert_eq!(clocks.place(500_000_000, now), at(2_000_000, 500_000_000));
        assert_eq!(
            clocks.place(9_000_000_000, now),
            at(3_000_000, 1_103_000_000)
        );
        assert_eq!(clocks.place(1_000_000, now).boot_us, -99_000_000);
        assert_eq!(clocks.wall_us(1_500_000, now), 101_500_000);
        assert_eq!(clocks.wall_us(2_500_000, now), 102_500_000);
        assert_eq!(clocks.wall_us(3_000_000, now), 1_103_000_000);
        assert_eq!(clocks.wall_us(-1_000_000, now), 99_000_000);
    }
}
