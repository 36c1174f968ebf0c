//! Busy time of GPUs: a driver's samples, given to the task that holds the device.

use federation::usage::{Moment, Quality};

use super::state::{Device, OpenGpu};
use crate::gpu::Busy;

/// Samples come late and in lots: so much may lie in the next answer.
const LATE_US: u64 = 2_000_000;

/// What an interval says of a GPU.
pub(crate) struct Closed {
    pub(crate) busy_us: u64,
    pub(crate) bound_us: u64,
    pub(crate) quality: Quality,
}

impl OpenGpu {
    /// Takes an answer; `held_us` is how long the device has been held since the last cut.
    pub(crate) fn take(&mut self, busy: &Busy, held_us: u64) {
        self.round_us += busy.rounded_us();
        // Two answers in turn share the sample between them: only the widest end counts.
        self.end_us = self.end_us.max(busy.end_us);
        self.loose_us += busy.guessed_us;
        if self.answered || busy.seen_us <= held_us {
            self.busy_us += busy.busy_us;
            self.seen_us += busy.seen_us;
        } else {
            // Some of it was before the device was held: at least, and at most.
            let before_us = busy.seen_us - held_us;
            let least_us = busy.busy_us.saturating_sub(before_us);
            let most_us = busy.busy_us.min(held_us);
            self.busy_us += least_us;
            self.seen_us += held_us;
            self.loose_us += most_us.saturating_sub(least_us);
        }
        self.answered = true;
    }

    /// Closes `held_us`; what was seen of later stays for the next interval.
    ///
    /// Not `sure` is where in a longer time the busy part of it lies.
    pub(crate) fn close(&mut self, held_us: u64, sure: bool) -> Closed {
        let busy_us = self.busy_us.min(held_us);
        let unseen_us = if sure {
            held_us.saturating_sub(self.seen_us)
        } else {
            held_us
        };
        // What was seen of later may be busy time of later.
        let ahead_us = self.seen_us.saturating_sub(held_us);
        let later_us = ahead_us.min(busy_us);
        let loose_us = self.loose_us + unseen_us + later_us;
        let bound_us = self.round_us + self.end_us + loose_us;
        let quality = if unseen_us > LATE_US {
            Quality::Gap
        } else if self.divided || !sure || loose_us > LATE_US {
            Quality::Inferred
        } else {
            Quality::Measured
        };
        let closed = Closed {
            busy_us,
            // It was busy for no less than nothing, and no more than it was held.
            bound_us: bound_us.min(busy_us.max(held_us - busy_us)),
            quality,
        };
        self.busy_us -= busy_us;
        self.seen_us = ahead_us;
        self.divided = !sure;
        if sure {
            self.round_us = 0;
            self.end_us = 0;
            self.loose_us = later_us.max(self.loose_us.min(ahead_us));
        } else {
            // All of what is booked here may have been later.
            self.loose_us += busy_us;
        }
        self.allocated_total_us += held_us;
        self.busy_total_us += busy_us;
        closed
    }
}

impl Device {
    /// Takes note of how far its driver has told.
    pub(crate) fn told(&mut self, busy: &Busy, now: Moment) {
        self.last_seen_us = busy.last_seen_us;
        self.asked_boot_us = now.boot_us;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(busy_us: u64, seen_us: u64, end_us: u64) -> Busy {
        Busy {
            busy_us,
            seen_us,
            end_us,
            guessed_us: 0,
            last_seen_us: 1,
        }
    }

    #[test]
    fn what_nobody_saw_is_a_gap_with_a_bound() {
        let mut gpu = OpenGpu::default();
        gpu.take(&busy(4_000_000, 10_000_000, 20_000), 10_000_000);
        gpu.take(&busy(1_000_000, 10_000_000, 20_000), 20_000_000);
        let closed = gpu.close(60_000_000, true);
        assert_eq!(closed.busy_us, 5_000_000);
        // Half a percent of 20 s, one end of 20 ms, and the 40 s that are not told.
        assert_eq!(closed.bound_us, 100_000 + 20_000 + 40_000_000);
        assert_eq!(closed.quality, Quality::Gap);
    }

    #[test]
    fn what_was_before_it_was_held_is_not_counted() {
        let mut gpu = OpenGpu::default();
        // 15 s of 60 s busy, of which only the last 50 s are ours: at least 5 s, at most 15 s.
        gpu.take(&busy(15_000_000, 60_000_000, 0), 50_000_000);
        let closed = gpu.close(50_000_000, true);
        assert_eq!((closed.busy_us, closed.bound_us), (5_000_000, 10_300_000));
        assert_eq!(closed.quality, Quality::Inferred);
    }

    #[test]
    fn what_was_seen_of_later_may_be_busy_time_of_later() {
        let mut gpu = OpenGpu {
            answered: true,
            ..OpenGpu::default()
        };
        // Seen a second too long: 3 s of 5 s busy, of which the last may not be ours.
        gpu.take(&busy(3_000_000, 5_000_000, 0), 5_000_000);
        let closed = gpu.close(4_000_000, true);
        assert_eq!((closed.busy_us, closed.bound_us), (3_000_000, 1_025_000));
        assert_eq!(closed.quality, Quality::Measured);
        // And then the next one lacks it, which was busy for all of its 3 s.
        gpu.take(&busy(2_000_000, 2_000_000, 0), 2_000_000);
        let next = gpu.close(3_000_000, true);
        assert_eq!((next.busy_us, next.bound_us), (2_000_000, 1_010_000));
        gpu.take(&busy(2_000_000, 2_000_000, 0), 2_000_000);
        assert_eq!(gpu.close(2_000_000, true).bound_us, 10_000);
    }

    /// A driver that hung tells afterwards of all the time until now, a task of which has ended long ago.
    #[test]
    fn what_was_seen_of_much_later_is_not_called_measured() {
        for (seen_us, quality) in [
            (6_000_000, Quality::Measured),
            (9_000_000, Quality::Inferred),
        ] {
            let mut gpu = OpenGpu {
                answered: true,
                ..OpenGpu::default()
            };
            gpu.take(&busy(4_700_000, seen_us, 0), seen_us);
            let closed = gpu.close(4_000_000, true);
            assert_eq!(
                closed.bound_us,
                4_000_000.min(seen_us - 4_000_000 + seen_us / 200)
            );
            assert_eq!(closed.quality, quality);
        }
    }

    /// A rate is of the last moment alone: two of them say no more than one does.
    #[test]
    fn what_a_rate_says_may_be_off_by_all_of_the_time() {
        let mut gpu = OpenGpu::default();
        for second in 1..=10 {
            let rate = Busy {
                guessed_us: 1_000_000,
                ..busy(400_000, 1_000_000, 0)
            };
            gpu.take(&rate, second * 1_000_000);
        }
        let closed = gpu.close(10_000_000, true);
        // It was busy for no more than the time that is left.
        assert_eq!((closed.busy_us, closed.bound_us), (4_000_000, 6_000_000));
        assert_eq!(closed.quality, Quality::Inferred);
    }

    /// 12 s of which the driver told late: busy for 4.8 s, and a month ended in their midst.
    #[test]
    fn what_is_divided_by_time_alone_may_lie_in_either_part() {
        let mut gpu = OpenGpu {
            answered: true,
            ..OpenGpu::default()
        };
        gpu.take(&busy(4_800_000, 12_000_000, 20_000), 12_000_000);
        let first = gpu.close(6_000_000, false);
        let second = gpu.close(6_000_000, true);
        assert_eq!((first.busy_us, second.busy_us), (4_800_000, 0));
        assert_eq!((first.bound_us, second.bound_us), (4_800_000, 4_880_000));
        assert_eq!(first.quality, Quality::Gap);
        assert_eq!(second.quality, Quality::Inferred);
        gpu.take(&busy(1_000_000, 2_000_000, 10_000), 2_000_000);
        let third = gpu.close(2_000_000, true);
        assert_eq!((third.busy_us, third.bound_us), (1_000_000, 20_000));
        assert_eq!(third.quality, Quality::Measured);
    }

    #[test]
    fn busy_is_never_more_than_held() {
        let mut gpu = OpenGpu {
            answered: true,
            ..OpenGpu::default()
        };
        gpu.take(&busy(1_100_000, 1_100_000, 0), 1_000_000);
        assert_eq!(gpu.close(1_000_000, true).busy_us, 1_000_000);
        assert_eq!(gpu.close(1_000_000, true).busy_us, 100_000);
        assert_eq!(gpu.busy_total_us, 1_100_000);
    }
}
