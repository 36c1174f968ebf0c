//! Busy time of GPUs: a driver's samples, given to the task that holds the device.

use federation::usage::{Moment, Quality};

use super::state::{Device, OpenGpu, Told};
use crate::gpu::Busy;

/// Samples come late and in lots: so much may lie in the next answer.
const LATE_US: u64 = 2_000_000;
/// It is asked a little after the moment of a look.
const AHEAD_US: u64 = 500_000;
/// Two moments that are placed on the boot clock in different ways are the same if no further apart.
const SAME_US: i64 = 1_000;

/// What an interval says of a GPU.
pub(crate) struct Closed {
    pub(crate) busy_us: u64,
    pub(crate) bound_us: u64,
    pub(crate) quality: Quality,
}

/// What was told of a time that ends at a cut.
#[derive(Default)]
struct Passed {
    told: Told,
    /// Busy time that may lie behind the cut as well.
    later_us: u64,
    /// How much of the time is not told yet.
    left_us: u64,
}

impl OpenGpu {
    /// Takes the first answer, which begins `lead_us` before the device was held, or after it began to
    /// be if that is negative; nothing where nobody knows.
    pub(crate) fn take_first(&mut self, busy: &Busy, held_us: u64, lead_us: Option<i64>) {
        let passed_us = held_us + self.owed_us;
        let all_us = signed(busy.seen_us + busy.hole_us);
        // It ends a moment ago. What does not fit to that is told by another clock.
        let least_us = all_us - signed(passed_us);
        let fits = |&lead_us: &i64| {
            let late = lead_us - least_us > signed(LATE_US);
            lead_us >= least_us - signed(AHEAD_US) && (all_us == 0 || !late)
        };
        let before_us = match lead_us.filter(fits) {
            Some(lead_us) if lead_us.abs() <= SAME_US => 0,
            Some(lead_us) => {
                self.lead_us = u64::try_from(lead_us).unwrap_or(0);
                u64::try_from(-lead_us).unwrap_or(0)
            }
            None => {
                // What it tells next is of now, or of a little before.
                self.adrift_us = LATE_US;
                self.lead_us = busy.seen_us + busy.hole_us;
                passed_us.saturating_sub(LATE_US)
            }
        };
        // Of before the answer nobody will tell.
        self.told.hole_us = before_us.min(passed_us);
        self.take(busy, held_us);
        self.answered = true;
    }

    /// Takes an answer; `held_us` is how long the device has been held since the last cut.
    ///
    /// Two answers in turn share the sample between them: only the widest end counts.
    pub(crate) fn take(&mut self, busy: &Busy, held_us: u64) {
        self.round_us += busy.rounded_us();
        self.loose_us += busy.guessed_us;
        self.guessed |= busy.guessed_us > 0;
        // It tells of no more than has passed, but for what is of before the device was held; and the
        // driver's clock may have been set. What is not known goes first.
        let passed_us = (held_us + self.owed_us).saturating_sub(self.told_us());
        let all_us = busy.seen_us + busy.hole_us;
        let lead_us = self.lead_us.min(all_us);
        self.lead_us -= lead_us;
        let all_us = all_us - lead_us;
        let most_us = match (self.answered, busy.hole_us) {
            (false, _) => passed_us,
            (true, 0) => passed_us + AHEAD_US,
            // How old its newest sample is nobody knows, where its clock was set.
            (true, _) if all_us > passed_us => {
                self.adrift_us = LATE_US;
                passed_us.saturating_sub(LATE_US)
            }
            (true, _) => all_us,
        };
        let over_us = lead_us + all_us.saturating_sub(most_us);
        let mut hole_us = busy.hole_us.saturating_sub(over_us);
        let over_us = over_us.saturating_sub(busy.hole_us).min(busy.seen_us);
        let seen_us = busy.seen_us - over_us;
        let least_us = busy.busy_us.saturating_sub(over_us);
        self.loose_us += busy.busy_us.min(seen_us).saturating_sub(least_us);
        let ahead_us = (hole_us + seen_us).saturating_sub(passed_us);
        self.end_us = self.end_us.max(busy.end_us + ahead_us);
        // The newest sample is of a moment ago: what is missing beyond that nobody will tell.
        if seen_us > 0 {
            let missing_us = passed_us.saturating_sub(hole_us + seen_us);
            if missing_us > LATE_US {
                self.adrift_us = LATE_US;
                hole_us += missing_us - LATE_US;
            }
        }
        if hole_us > 0 {
            let before = std::mem::take(&mut self.told);
            self.before.push(before);
        }
        self.told.hole_us += hole_us;
        self.told.seen_us += seen_us;
        self.told.busy_us += least_us;
    }

    /// Since when its driver has not told, on the boot clock: the last cut, or what is owed before it.
    pub(crate) fn begin_boot_us(&self, cut_boot_us: i64) -> i64 {
        cut_boot_us.saturating_sub(signed(self.owed_us))
    }

    fn told_us(&self) -> u64 {
        let all = self.before.iter().chain([&self.told]);
        all.map(|told| told.hole_us + told.seen_us).sum()
    }

    /// How wrong the next interval can be at most by what is told already.
    fn left_us(&self) -> u64 {
        let all = self.before.iter().chain([&self.told]);
        all.map(|told| told.seen_us + told.busy_us).sum()
    }

    /// Takes what was told of the next `span_us`.
    fn pass(&mut self, span_us: u64) -> Passed {
        let mut passed = Passed {
            left_us: span_us,
            ..Passed::default()
        };
        for told in self.before.iter_mut().chain([&mut self.told]) {
            let hole_us = told.hole_us.min(passed.left_us);
            told.hole_us -= hole_us;
            passed.left_us -= hole_us;
            let seen_us = told.seen_us.min(passed.left_us);
            told.seen_us -= seen_us;
            passed.left_us -= seen_us;
            let is_whole = told.hole_us == 0 && told.seen_us == 0;
            let busy_us = if is_whole {
                told.busy_us
            } else {
                told.busy_us.min(seen_us)
            };
            told.busy_us -= busy_us;
            passed.told.hole_us += hole_us;
            passed.told.seen_us += seen_us;
            passed.told.busy_us += busy_us;
            if !is_whole {
                passed.later_us = busy_us.min(told.seen_us);
                break;
            }
        }
        self.before.retain(|told| *told != Told::default());
        passed
    }

    /// Closes `held_us`; what was seen of later stays for the next interval.
    ///
    /// Not `sure` is where in a longer time the busy part of it lies.
    pub(crate) fn close(&mut self, held_us: u64, sure: bool) -> Closed {
        // What is told late of before is booked here, too.
        let late = self.pass(self.owed_us);
        let own = self.pass(held_us);
        let told_us = late.told.busy_us + own.told.busy_us;
        let busy_us = told_us.min(held_us);
        let over_us = told_us - busy_us;
        self.told.busy_us += over_us;
        let unseen_us = if sure {
            own.told.hole_us + own.left_us
        } else {
            held_us
        };
        let later_us = (late.later_us + own.later_us).min(self.told_us());
        let loose_us = self.loose_us + later_us + late.told.seen_us.min(told_us);
        let bound_us = self.round_us + self.end_us + unseen_us + loose_us + self.adrift_us;
        let nothing = own.told.seen_us == 0 && own.told.hole_us + self.adrift_us > 0;
        let untold = (nothing || !self.answered) && held_us > 0;
        let quality = if unseen_us > LATE_US || untold {
            Quality::Gap
        } else if self.divided || !sure || self.guessed || loose_us > LATE_US {
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
        self.owed_us = late.left_us + own.left_us;
        self.divided = !sure;
        if sure {
            self.round_us = 0;
            self.end_us = 0;
            self.loose_us = (self.loose_us + later_us + over_us).min(self.left_us());
            self.guessed &= self.loose_us > 0;
        } else {
            // All of what is booked here may have been later.
            self.loose_us += busy_us;
        }
        self.allocated_total_us += held_us;
        self.busy_total_us += busy_us;
        closed
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
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
    use proptest::prelude::*;

    use super::*;

    fn busy(busy_us: u64, seen_us: u64, end_us: u64) -> Busy {
        Busy {
            busy_us,
            seen_us,
            hole_us: 0,
            end_us,
            guessed_us: 0,
            last_seen_us: 1,
            from_us: None,
        }
    }

    /// One that was told of before.
    fn asked() -> OpenGpu {
        OpenGpu {
            answered: true,
            ..OpenGpu::default()
        }
    }

    #[test]
    fn what_nobody_saw_is_a_gap_with_a_bound() {
        let mut gpu = OpenGpu::default();
        gpu.take_first(&busy(4_000_000, 10_000_000, 20_000), 10_000_000, Some(0));
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
        gpu.take_first(
            &busy(15_000_000, 60_000_000, 0),
            50_000_000,
            Some(10_000_000),
        );
        let closed = gpu.close(50_000_000, true);
        assert_eq!((closed.busy_us, closed.bound_us), (5_000_000, 10_300_000));
        assert_eq!(closed.quality, Quality::Inferred);
    }

    #[test]
    fn what_was_seen_of_later_may_be_busy_time_of_later() {
        let mut gpu = asked();
        // Seen a second too long: 3 s of 5 s busy, of which the last may not be ours.
        gpu.take(&busy(3_000_000, 5_000_000, 0), 5_000_000);
        let closed = gpu.close(4_000_000, true);
        assert_eq!((closed.busy_us, closed.bound_us), (3_000_000, 1_025_000));
        assert_eq!(closed.quality, Quality::Measured);
        // And then the next one lacks it, which was busy for all of its 3 s.
        gpu.take(&busy(2_000_000, 2_000_000, 0), 3_000_000);
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
            let mut gpu = asked();
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
        let mut gpu = asked();
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
        let mut gpu = asked();
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

    /// A driver keeps some seconds of samples: of a long outage it tells the last of them, when the task
    /// may have ended long ago.
    #[test]
    fn what_was_seen_after_a_hole_does_not_fill_it() {
        let mut gpu = asked();
        gpu.take(&busy(0, 4_000_000, 0), 4_000_000);
        let after = Busy {
            hole_us: 44_000_000,
            ..busy(0, 16_000_000, 0)
        };
        gpu.take(&after, 64_000_000);
        let closed = gpu.close(10_000_000, true);
        assert_eq!(closed.bound_us, 6_000_000 + 100_000);
        assert_eq!(closed.quality, Quality::Gap);
        // The rest of the hole is of whoever is cut then.
        assert_eq!(gpu.close(40_000_000, true).bound_us, 38_000_000);
        assert_eq!(gpu.close(14_000_000, true).quality, Quality::Measured);
    }

    #[test]
    fn what_nobody_was_asked_about_is_a_gap_however_short() {
        let closed = OpenGpu::default().close(50_000, true);
        assert_eq!((closed.busy_us, closed.bound_us), (0, 50_000));
        assert_eq!(closed.quality, Quality::Gap);
    }

    #[test]
    fn what_is_cut_twice_before_it_was_seen_may_be_of_either() {
        let mut gpu = asked();
        gpu.take(&busy(6_000_000, 10_000_000, 0), 10_000_000);
        let bounds = [3, 1, 6].map(|s| gpu.close(s * 1_000_000, true).bound_us);
        // If it did nothing for four seconds, the third one worked for all of its time.
        assert_eq!(bounds, [3_000_000, 1_000_000, 4_000_000]);
    }

    const TICK_US: u64 = 100_000;
    /// The tick at which the device begins to be held; others held it before.
    const BEGIN: usize = 100;

    fn us(ticks: usize) -> i64 {
        i64::try_from(ticks as u64 * TICK_US).unwrap()
    }

    /// What happens until something is asked or cut, in ticks.
    #[derive(Debug, Clone)]
    struct Step {
        passes: usize,
        /// By how much the driver's clock is set forward, before somebody asks.
        set: usize,
        /// How old the newest sample is, and the oldest that is kept; nothing when nobody asks.
        asks: Option<(usize, usize)>,
        /// How long ago the cut was.
        cuts: Option<usize>,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let set = prop_oneof![4 => Just(0), 1 => 21_usize..60];
        let asks = proptest::option::weighted(0.8, (0_usize..15, 20_usize..200));
        let cuts = proptest::option::weighted(0.3, 0_usize..80);
        let step = (1_usize..120, set, asks, cuts).prop_map(|(passes, set, asks, cuts)| Step {
            passes,
            set,
            asks,
            cuts,
        });
        proptest::collection::vec(step, 1..12)
    }

    /// What a driver tells, of what was true in each tick, of the time after `since`.
    fn told(
        truth: &[bool],
        since: usize,
        now: usize,
        (lag, kept): (usize, usize),
    ) -> (Busy, usize) {
        let newest = now.saturating_sub(lag);
        let oldest = now.saturating_sub(kept).max(since);
        if newest <= oldest {
            return (Busy::default(), since);
        }
        let ticks = |count: usize| count as u64 * TICK_US;
        let answer = Busy {
            hole_us: ticks(oldest - since),
            ..busy(worked(truth, oldest, newest), ticks(newest - oldest), 0)
        };
        (answer, newest)
    }

    fn worked(truth: &[bool], from: usize, to: usize) -> u64 {
        let worked = truth
            .get(from..to)
            .map_or(0, |part| part.iter().filter(|&&worked| worked).count());
        worked as u64 * TICK_US
    }

    proptest! {
        #[test]
        fn the_truth_lies_within_the_bound_of_each_interval(
            runs in proptest::collection::vec((any::<bool>(), 1_usize..60), 60),
            asked_since in BEGIN - 80..BEGIN + 20,
            by_wall_clock in any::<bool>(),
            steps in steps(),
        ) {
            let runs = runs.into_iter().flat_map(|(works, ticks)| vec![works; ticks]);
            let mut truth: Vec<bool> = runs.collect();
            truth.resize(BEGIN + 12 * 120, false);
            let mut gpu = OpenGpu::default();
            let (mut now, mut cut, mut since) = (BEGIN, BEGIN, asked_since);
            for step in steps {
                now += step.passes;
                if let Some(how) = step.asks {
                    since = since.min(now);
                    let (mut answer, newest) = told(&truth, since, now, how);
                    // The first sample seems to come so much later.
                    if answer.seen_us > 0 {
                        answer.hole_us += step.set as u64 * TICK_US;
                    }
                    let held_us = (now - cut) as u64 * TICK_US;
                    let (begin, since_us) = (gpu.begin_boot_us(us(cut)), us(since));
                    if gpu.answered {
                        gpu.take(&answer, held_us);
                    } else if by_wall_clock {
                        gpu.take_first(&answer, held_us, Some(begin - since_us));
                    } else {
                        gpu.take_first(&Busy::default(), held_us, None);
                    }
                    since = newest;
                }
                let Some(ago) = step.cuts else { continue };
                let to = now.saturating_sub(ago).max(cut);
                let closed = gpu.close((to - cut) as u64 * TICK_US, true);
                let worked_us = worked(&truth, cut, to);
                prop_assert!(
                    closed.busy_us.abs_diff(worked_us) <= closed.bound_us,
                    "{cut} to {to}: worked {worked_us}, busy {}, bound {}", closed.busy_us, closed.bound_us
                );
                cut = to;
            }
        }
    }

    #[test]
    fn busy_is_never_more_than_held() {
        let mut gpu = asked();
        gpu.take(&busy(1_100_000, 1_100_000, 0), 1_000_000);
        assert_eq!(gpu.close(1_000_000, true).busy_us, 1_000_000);
        assert_eq!(gpu.close(1_000_000, true).busy_us, 100_000);
        assert_eq!(gpu.busy_total_us, 1_100_000);
    }
}
