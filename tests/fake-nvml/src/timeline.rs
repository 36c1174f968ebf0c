//! When a GPU is busy: patterns, and how much of a stretch of time they cover.
//!
//! Times are microseconds from the scenario's epoch. All is exact: sums of integers, and of
//! patterns that overlap the union.

use serde::Deserialize;

/// No time in a scenario lies further from its epoch: 142 years.
pub(crate) const FURTHEST_US: i64 = 1 << 52;
/// So many turns of duty cycles that overlap may have to be counted one by one.
const MOST_TURNS: i64 = 100_000;

/// Busy from `from_us` until `until_us`: all the time, or the first `busy_us` of each
/// `period_us`, the first of which begins at `from_us`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Busy {
    pub(crate) from_us: i64,
    pub(crate) until_us: i64,
    period_us: Option<i64>,
    busy_us: Option<i64>,
    /// How far into a turn it begins: more than 0 only where its beginning was cut off.
    #[serde(skip)]
    into_us: i64,
}

/// A pattern as its turns: one that is always busy is one whose turn has no pause.
#[derive(Clone, Copy)]
struct Cycle {
    origin_us: i64,
    period_us: i64,
    busy_us: i64,
}

impl Busy {
    fn cycle(&self) -> Cycle {
        Cycle {
            origin_us: self.from_us - self.into_us,
            period_us: self.period_us.unwrap_or(1),
            busy_us: self.busy_us.unwrap_or(1),
        }
    }

    /// The part of it within `from_us..until_us`, if there is one; its turns stay where they were.
    pub(crate) fn within(&self, from_us: i64, until_us: i64) -> Option<Self> {
        let (from, until) = (self.from_us.max(from_us), self.until_us.min(until_us));
        (from < until).then(|| Self {
            from_us: from,
            until_us: until,
            into_us: self.into_us + from - self.from_us,
            ..self.clone()
        })
    }

    /// What is wrong with it, if anything.
    fn problem(&self) -> Option<&'static str> {
        let near = -FURTHEST_US..=FURTHEST_US;
        if !near.contains(&self.from_us) || !near.contains(&self.until_us) {
            return Some("its times are further than 2^52 µs from the epoch");
        }
        if self.from_us >= self.until_us {
            return Some("it ends before it begins");
        }
        match (self.period_us, self.busy_us) {
            (None, None) => None,
            (Some(period), Some(busy)) if (1..=FURTHEST_US).contains(&period) => (busy < 0
                || busy > period)
                .then_some("`busy_us` must lie between 0 and `period_us`"),
            (Some(_), Some(_)) => Some("`period_us` must be at least 1"),
            _ => Some("`period_us` and `busy_us` belong together"),
        }
    }
}

impl Cycle {
    fn always(self) -> bool {
        self.busy_us == self.period_us
    }

    /// Busy time from its origin to `at_us`.
    fn since_origin_us(self, at_us: i64) -> i64 {
        let passed = at_us - self.origin_us;
        (passed / self.period_us) * self.busy_us + (passed % self.period_us).min(self.busy_us)
    }

    /// Whether it is busy at a moment, and when that changes next.
    fn at(self, at_us: i64) -> (bool, i64) {
        let into = (at_us - self.origin_us).rem_euclid(self.period_us);
        if into < self.busy_us {
            (true, at_us - into + self.busy_us)
        } else {
            (false, at_us - into + self.period_us)
        }
    }
}

/// Everything that is wrong with the patterns, each with its place in the list.
pub(crate) fn problems(patterns: &[Busy]) -> Vec<String> {
    let mut found = problems_alone(patterns);
    if found.is_empty() {
        found.extend(problem_together(patterns));
    }
    found
}

/// What is wrong with each pattern, whatever the others are.
pub(crate) fn problems_alone(patterns: &[Busy]) -> Vec<String> {
    patterns
        .iter()
        .enumerate()
        .filter_map(|(place, busy)| Some(format!("busy[{place}]: {}", busy.problem()?)))
        .collect()
}

/// What is wrong with patterns that overlap, each of which is right by itself.
pub(crate) fn problem_together(patterns: &[Busy]) -> Option<String> {
    stretches(patterns, -FURTHEST_US, FURTHEST_US)
        .into_iter()
        .find(|(from, until, cycles)| turns(cycles, until - from) > MOST_TURNS)
        .map(|(from, until, _)| {
            format!(
                "busy: from {from} until {until} µs duty cycles overlap whose periods have too \
                 large a common multiple; take periods that divide each other"
            )
        })
}

/// How long at least one pattern is busy within `from_us..until_us`.
pub(crate) fn busy_us(patterns: &[Busy], from_us: i64, until_us: i64) -> i64 {
    stretches(patterns, from_us, until_us)
        .into_iter()
        .map(|(from, until, cycles)| union_us(&cycles, from, until))
        .sum()
}

/// Whether at least one pattern is busy at that moment.
pub(crate) fn busy_at(patterns: &[Busy], at_us: i64) -> bool {
    busy_us(patterns, at_us, at_us + 1) == 1
}

/// A window cut where a pattern begins or ends; with each piece those that run in all of it.
fn stretches(patterns: &[Busy], from_us: i64, until_us: i64) -> Vec<(i64, i64, Vec<Cycle>)> {
    let mut cuts: Vec<i64> = patterns
        .iter()
        .flat_map(|busy| [busy.from_us, busy.until_us])
        .filter(|cut| (from_us..until_us).contains(cut))
        .chain([from_us, until_us])
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2)
        .map(|piece| {
            let runs = |busy: &&Busy| busy.from_us <= piece[0] && piece[1] <= busy.until_us;
            let cycles = patterns.iter().filter(runs).map(Busy::cycle).collect();
            (piece[0], piece[1], cycles)
        })
        .collect()
}

/// How many turns `counted_us` has to look at for a stretch of that length.
fn turns(cycles: &[Cycle], length_us: i64) -> i64 {
    if cycles.len() < 2 || cycles.iter().any(|cycle| cycle.always()) {
        return 0;
    }
    let counted = common_period_us(cycles).map_or(length_us, |common| common.min(length_us));
    cycles.iter().map(|cycle| counted / cycle.period_us).sum()
}

fn union_us(cycles: &[Cycle], from_us: i64, until_us: i64) -> i64 {
    if cycles.iter().any(|cycle| cycle.always()) {
        return until_us - from_us;
    }
    if let [one] = cycles {
        return one.since_origin_us(until_us) - one.since_origin_us(from_us);
    }
    let length = until_us - from_us;
    match common_period_us(cycles) {
        Some(common) if common < length => {
            let whole = counted_us(cycles, from_us, from_us + common);
            let rest = counted_us(cycles, from_us, from_us + length % common);
            (length / common) * whole + rest
        }
        _ => counted_us(cycles, from_us, until_us),
    }
}

/// The union, edge by edge.
fn counted_us(cycles: &[Cycle], from_us: i64, until_us: i64) -> i64 {
    let (mut at, mut sum) = (from_us, 0);
    while at < until_us {
        let states = cycles.iter().map(|cycle| cycle.at(at));
        let busy_until = states
            .clone()
            .filter(|state| state.0)
            .map(|state| state.1)
            .max();
        let idle_until = states.map(|state| state.1).min().unwrap_or(until_us);
        let next = busy_until.unwrap_or(idle_until).min(until_us);
        if busy_until.is_some() {
            sum += next - at;
        }
        at = next;
    }
    sum
}

/// The time after which all of them repeat; none if it is out of all proportion.
fn common_period_us(cycles: &[Cycle]) -> Option<i64> {
    cycles.iter().try_fold(1_i64, |common, cycle| {
        (common / divisor(common, cycle.period_us)).checked_mul(cycle.period_us)
    })
}

fn divisor(mut one: i64, mut other: i64) -> i64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(from_us: i64, until_us: i64) -> Busy {
        Busy {
            from_us,
            until_us,
            period_us: None,
            busy_us: None,
            into_us: 0,
        }
    }

    fn duty(from_us: i64, until_us: i64, period: i64, busy: i64) -> Busy {
        Busy {
            from_us,
            until_us,
            period_us: Some(period),
            busy_us: Some(busy),
            into_us: 0,
        }
    }

    /// Microsecond by microsecond.
    fn plain(patterns: &[Busy], from_us: i64, until_us: i64) -> i64 {
        let busy = |at: &i64| {
            patterns.iter().any(|busy| {
                (busy.from_us..busy.until_us).contains(at)
                    && (at - busy.from_us) % busy.period_us.unwrap_or(1) < busy.busy_us.unwrap_or(1)
            })
        };
        (from_us..until_us).filter(busy).count().try_into().unwrap()
    }

    #[test]
    fn a_stretch_counts_once_however_many_patterns_cover_it() {
        let patterns = [full(10, 30), full(20, 40), duty(0, 50, 10, 3)];
        assert_eq!(busy_us(&patterns, 0, 50), 3 + 30 + 3);
    }

    #[test]
    fn every_window_is_what_counting_says() {
        let patterns = [
            duty(3, 190, 7, 2),
            duty(11, 150, 5, 1),
            duty(40, 180, 6, 3),
            full(60, 71),
            duty(100, 120, 9, 0),
        ];
        for from in -5..200 {
            for until in from..200 {
                assert_eq!(
                    busy_us(&patterns, from, until),
                    plain(&patterns, from, until),
                    "{from}..{until}"
                );
            }
        }
    }

    #[test]
    fn a_part_of_a_pattern_keeps_its_turns() {
        let whole = [duty(3, 90, 7, 2), full(40, 44)];
        for (from, until) in [(0, 100), (11, 60), (12, 42), (3, 4)] {
            let part: Vec<Busy> = whole
                .iter()
                .filter_map(|busy| busy.within(from, until))
                .collect();
            for at in -5..100 {
                assert_eq!(
                    busy_at(&part, at),
                    (from..until).contains(&at) && plain(&whole, at, at + 1) == 1,
                    "{at} of {from}..{until}"
                );
            }
        }
        assert!(whole[1].within(44, 90).is_none());
        let twice = whole[0].within(9, 80).and_then(|part| part.within(20, 70));
        assert_eq!(
            busy_us(&[twice.unwrap()], 0, 100),
            plain(&whole[..1], 20, 70)
        );
    }

    #[test]
    fn years_of_cycles_that_overlap_take_no_time() {
        let patterns = [
            duty(0, FURTHEST_US, 1_000, 10),
            duty(5, FURTHEST_US, 250, 10),
        ];
        assert!(problems(&patterns).is_empty());
        let day = 86_400_000_000;
        assert_eq!(
            busy_us(&patterns, 1_000, 1_000 + day),
            day / 1_000 * (15 + 3 * 10)
        );
    }

    #[test]
    fn what_cannot_be_counted_in_bounded_time_is_refused() {
        let patterns = [
            duty(0, FURTHEST_US, 1_000_003, 10),
            duty(0, FURTHEST_US, 999_983, 10),
        ];
        assert_eq!(problems(&patterns).len(), 1);
        let both = [full(5, 5), duty(0, 10, 0, 0), duty(0, 10, 4, 5)];
        assert_eq!(problems(&both).len(), 3);
    }
}
