//! What a GPU would say of itself at a moment: pure functions of the scenario and the time.

use crate::{
    process::Process,
    scenario::{Gpu, Scenario},
    timeline,
};

/// The driver looks six times a second.
pub(crate) const SAMPLE_PERIOD_US: i64 = 166_667;
/// The energy counter moves ten times a second.
const ENERGY_PERIOD_US: i64 = 100_000;

/// One look of the driver at a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Unix µs of the end of the period which it speaks of.
    pub(crate) at_us: u64,
    /// How much of that period the GPU was busy, rounded half up.
    pub(crate) percent: u32,
}

/// The samples in the driver's ring that are younger than `seen_us` (Unix µs), oldest first.
pub(crate) fn samples(scenario: &Scenario, gpu: &Gpu, seen_us: u64, now_us: i64) -> Vec<Sample> {
    let complete = scenario.since_epoch_us(now_us).div_euclid(SAMPLE_PERIOD_US);
    let ring = i64::try_from(scenario.ring_samples).unwrap_or(i64::MAX);
    // The first period that ends after what was seen.
    let seen = i64::try_from(seen_us).unwrap_or(i64::MAX);
    let unseen = (scenario.since_epoch_us(seen)).div_euclid(SAMPLE_PERIOD_US);
    (unseen.max(complete - ring).max(0)..complete)
        .map(|period| {
            let end_us = scenario.epoch_us + (period + 1) * SAMPLE_PERIOD_US;
            Sample {
                at_us: end_us.unsigned_abs(),
                percent: percent(gpu, period),
            }
        })
        .collect()
}

/// How much of the last whole period the GPU was busy; 0 before there is one.
pub(crate) fn utilisation_percent(scenario: &Scenario, gpu: &Gpu, now_us: i64) -> u32 {
    let complete = scenario.since_epoch_us(now_us).div_euclid(SAMPLE_PERIOD_US);
    if complete < 1 {
        0
    } else {
        percent(gpu, complete - 1)
    }
}

/// The power at that moment.
pub(crate) fn power_mw(scenario: &Scenario, gpu: &Gpu, now_us: i64) -> u32 {
    if timeline::busy_at(&gpu.work, scenario.since_epoch_us(now_us)) {
        gpu.power_busy_mw
    } else {
        gpu.power_idle_mw
    }
}

/// The energy since the epoch, up to the counter's last step, in whole mJ.
pub(crate) fn energy_mj(scenario: &Scenario, gpu: &Gpu, now_us: i64) -> u64 {
    let passed = scenario.since_epoch_us(now_us).max(0);
    let until = passed - passed % ENERGY_PERIOD_US;
    let busy = timeline::busy_us(&gpu.work, 0, until);
    let spent_nj = u128::from(busy.unsigned_abs()) * u128::from(gpu.power_busy_mw)
        + u128::from((until - busy).unsigned_abs()) * u128::from(gpu.power_idle_mw);
    u64::try_from(spent_nj / 1_000_000).unwrap_or(u64::MAX)
}

/// The processes that are there at that moment.
pub(crate) fn running<'a>(
    scenario: &Scenario,
    gpu: &'a Gpu,
    now_us: i64,
) -> impl Iterator<Item = &'a Process> {
    let at = scenario.since_epoch_us(now_us);
    gpu.processes
        .iter()
        .filter(move |process| process.runs_at(at))
}

/// The PID of each process that was busy since `seen_us` (Unix µs, but not before the epoch),
/// and how much of the time since then it was; rounded half up.
pub(crate) fn process_percents(
    scenario: &Scenario,
    gpu: &Gpu,
    seen_us: u64,
    now_us: i64,
) -> Vec<(u32, u32)> {
    let seen = i64::try_from(seen_us).unwrap_or(i64::MAX);
    let from = scenario.since_epoch_us(seen).max(0);
    let until = scenario.since_epoch_us(now_us);
    if from >= until {
        return Vec::new();
    }
    let percent = |process: &Process| {
        let busy = timeline::busy_us(&process.work(), from, until);
        (busy > 0).then(|| (process.pid, rounded_percent(busy, until - from)))
    };
    gpu.processes.iter().filter_map(percent).collect()
}

fn percent(gpu: &Gpu, period: i64) -> u32 {
    let from = period * SAMPLE_PERIOD_US;
    let busy = timeline::busy_us(&gpu.work, from, from + SAMPLE_PERIOD_US);
    rounded_percent(busy, SAMPLE_PERIOD_US)
}

/// No overflow: times are less than 2^53.
fn rounded_percent(busy_us: i64, of_us: i64) -> u32 {
    u32::try_from((100 * busy_us + of_us / 2) / of_us).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(ring: u64, busy: &str) -> Scenario {
        Scenario::parse(&format!(
            r#"{{"epoch_us": 1000000, "ring_samples": {ring}, "gpus": [{{"uuid": "GPU-1", "name": "A",
                "pci": "00000000:3B:00.0", "memory_mib": 10, "power_idle_mw": 100000,
                "power_busy_mw": 300000, "busy": [{busy}]}}]}}"#
        ))
        .unwrap()
    }

    #[test]
    fn the_ring_forgets_the_oldest() {
        let scenario = scenario(3, r#"{"from_us": 0, "until_us": 583335}"#);
        let now = 1_000_000 + 4 * SAMPLE_PERIOD_US + 5;
        let percents = |seen| -> Vec<u32> {
            samples(&scenario, &scenario.gpus[0], seen, now)
                .iter()
                .map(|s| s.percent)
                .collect()
        };
        // The fourth was busy for 83 334 of 166 667 µs.
        assert_eq!(percents(0), [100, 100, 50]);
        assert_eq!(percents(1_000_000 + 3 * 166_667), [50]);
        assert_eq!(percents(1_000_000 + 3 * 166_667 - 1), [100, 50]);
        assert!(percents(1_000_000 + 4 * 166_667).is_empty());
        assert!(percents(u64::MAX).is_empty());
    }

    #[test]
    fn nothing_was_before_the_epoch() {
        let scenario = scenario(120, r#"{"from_us": -5000000, "until_us": 10}"#);
        let gpu = &scenario.gpus[0];
        assert_eq!(
            samples(&scenario, gpu, 0, 1_000_000 + SAMPLE_PERIOD_US - 1),
            []
        );
        assert_eq!(utilisation_percent(&scenario, gpu, 999_999), 0);
        assert_eq!(energy_mj(&scenario, gpu, 999_999), 0);
        assert_eq!(power_mw(&scenario, gpu, 999_999), 300_000);
    }

    #[test]
    fn energy_moves_in_steps_and_is_the_integral_of_power() {
        let scenario = scenario(
            120,
            r#"{"from_us": 0, "until_us": 10000000, "period_us": 10, "busy_us": 5}"#,
        );
        let energy = |after: i64| energy_mj(&scenario, &scenario.gpus[0], 1_000_000 + after);
        assert_eq!(energy(99_999), 0);
        assert_eq!(energy(100_000), 20_000);
        assert_eq!(energy(20_000_000), 2_000_000 + 1_000_000);
    }
}
