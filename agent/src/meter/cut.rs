//! Closing what is open: intervals out of pending use.

use federation::usage::{Body, Cpu, Gpu, Interval, Moment, Quality, Task};

use super::place::{Clocks, next_month_end};
use super::state::{Counter, Fresh, Open, OpenTask, Pending};

/// What a cut needs to know of the world.
pub(crate) struct Scene<'a> {
    pub(crate) boot_id: &'a str,
    pub(crate) now: Moment,
    pub(crate) clocks: &'a Clocks,
}

/// How much of what is pending goes into an interval: `part_us` of `whole_us`.
#[derive(Clone, Copy)]
struct Share {
    part_us: u64,
    whole_us: u64,
}

/// How many looks are kept apart: those before Nomad tells of an end are a handful.
const LOOKS: usize = 16;

const ALL: Share = Share {
    part_us: 1,
    whole_us: 1,
};

impl Share {
    fn of(self, value: u64) -> u64 {
        let part = u128::from(value) * u128::from(self.part_us) / u128::from(self.whole_us.max(1));
        u64::try_from(part).map_or(value, |part| part.min(value))
    }

    fn is_all(self) -> bool {
        self.part_us >= self.whole_us
    }
}

impl Open {
    /// Closes the allocation's tasks at `to`, and at each end of a month before it.
    ///
    /// What was used between the last look before the end of a month and the first
    /// after it goes to the month before, and both months have it as bound. After
    /// a gap it is divided by time, and said to be inferred.
    pub(crate) fn cut(
        &mut self,
        to: Moment,
        scene: &Scene,
        counter: &dyn Fn(&str) -> Option<Counter>,
        out: &mut Vec<Body>,
    ) {
        self.cut_months(to, scene, counter, out);
        self.cut_once(self.bounded(to), ALL, false, scene, counter, out);
    }

    /// Closes the allocation's tasks at the ends of months that lie between its last interval and `to`.
    pub(crate) fn cut_months(
        &mut self,
        to: Moment,
        scene: &Scene,
        counter: &dyn Fn(&str) -> Option<Counter>,
        out: &mut Vec<Body>,
    ) {
        let mut end_us = next_month_end(self.cut.wall_us);
        while end_us <= to.wall_us {
            let mut end = scene.clocks.place(end_us, scene.now);
            end.boot_us = end
                .boot_us
                .clamp(self.cut.boot_us, to.boot_us.max(self.cut.boot_us));
            let share = if self.held == Quality::Measured {
                ALL
            } else {
                Share {
                    part_us: micros(end.boot_us - self.cut.boot_us),
                    whole_us: micros(to.boot_us - self.cut.boot_us),
                }
            };
            let held = self.held;
            self.cut_once(end, share, true, scene, counter, out);
            self.held = held;
            end_us = next_month_end(end_us);
        }
    }

    fn bounded(&self, to: Moment) -> Moment {
        if to.boot_us < self.cut.boot_us {
            self.cut
        } else {
            to
        }
    }

    fn cut_once(
        &mut self,
        to: Moment,
        share: Share,
        is_month: bool,
        scene: &Scene,
        counter: &dyn Fn(&str) -> Option<Counter>,
        out: &mut Vec<Body>,
    ) {
        let held_us = micros(to.boot_us - self.cut.boot_us);
        let pending = self.tasks.values().any(OpenTask::is_pending);
        if held_us == 0 && (!pending || !share.is_all()) {
            // Nothing lies between, but the clock may have been set.
            self.cut = to;
            return;
        }
        self.held_total_us += held_us;
        for facts in &self.facts.tasks {
            let task = self.tasks.entry(facts.name.clone()).or_default();
            let counter = counter(&facts.name);
            let cores = cores(facts, self.facts.node_cores);
            // Of a task that has ended nothing is of later; but it may have, after the end of a month.
            let is_over = !is_month && self.done.contains(&facts.name);
            let other_us = if share.is_all() {
                task.pass_looks(to.boot_us, is_over)
            } else {
                0
            };
            out.push(Body::Interval(Box::new(Interval {
                allocation: self.facts.id.clone(),
                task: facts.name.clone(),
                boot_id: scene.boot_id.to_owned(),
                start: self.cut,
                end: to,
                held_us,
                held: self.held,
                held_total_us: self.held_total_us,
                cpu: task.close_cpu(held_us, share, cores, other_us, counter.as_ref()),
                gpus: task.close_gpus(held_us, share.is_all()),
            })));
        }
        self.cut = to;
        self.held = Quality::Measured;
    }
}

impl OpenTask {
    /// Takes use that a counter has told.
    pub(crate) fn take(&mut self, told: &Pending, boot_us: i64) {
        self.cpu.used_us += told.used_us;
        if told.used_us > 0 {
            self.note_look(told.used_us, boot_us);
        }
        self.cpu.counter_bound_us = self.cpu.counter_bound_us.max(told.counter_bound_us);
        self.cpu.bound_us += told.bound_us;
        self.cpu.quality = self.cpu.quality.max(told.quality);
        self.cpu.unseen_us += told.unseen_us;
    }

    fn is_pending(&self) -> bool {
        self.cpu.used_us > 0 || self.cpu.bound_us > 0 || self.cpu.unseen_us > 0
    }

    fn note_look(&mut self, used_us: u64, boot_us: i64) {
        self.looks.push(Fresh {
            boot_us,
            used_us,
            booked: false,
        });
        if self.looks.len() <= LOOKS {
            return;
        }
        // What is older may as well be of the look after it.
        let oldest = self.looks.remove(0);
        if let Some(next) = self.looks.first_mut() {
            next.used_us += oldest.used_us;
            next.booked |= oldest.booked;
        }
    }

    /// How much of what is booked at a cut may be of later, and of what was booked before of this interval.
    fn pass_looks(&mut self, to_boot_us: i64, is_over: bool) -> u64 {
        let mut other_us = 0;
        for look in &mut self.looks {
            if look.booked || (look.boot_us > to_boot_us && !is_over) {
                other_us += look.used_us;
            }
            look.booked = true;
        }
        self.looks
            .retain(|look| look.boot_us > to_boot_us && !is_over);
        other_us
    }

    /// Of what is booked, or was before, `other_us` may be of another interval.
    fn close_cpu(
        &mut self,
        held_us: u64,
        share: Share,
        cores: u64,
        other_us: u64,
        counter: Option<&Counter>,
    ) -> Cpu {
        let pending = std::mem::take(&mut self.cpu);
        let used_us = share.of(pending.used_us);
        let rest_us = pending.used_us - used_us;
        // A task that has no counter is unseen for as long as it is held; the rest is for the next interval.
        let unseen_us = self.unseen_us.min(held_us);
        self.unseen_us -= unseen_us;
        let lost_us = share.of(pending.unseen_us);
        let mut quality = pending.quality;
        if unseen_us > 0 || lost_us > 0 {
            quality = Quality::Gap;
        }
        // A part by time alone may be wrong by all of it, or by all that the other one got.
        let divided_us = if share.is_all() {
            other_us
        } else {
            used_us.max(rest_us)
        };
        if !share.is_all() {
            if pending.used_us > 0 {
                quality = quality.max(Quality::Inferred);
            }
            self.cpu = Pending {
                used_us: rest_us,
                bound_us: pending.bound_us + divided_us,
                counter_bound_us: pending.counter_bound_us,
                quality,
                unseen_us: pending.unseen_us - lost_us,
            };
        }
        self.cpu_total_us += used_us;
        let bound_us = pending.counter_bound_us + pending.bound_us + divided_us;
        let unseen_us = unseen_us.saturating_add(lost_us);
        Cpu {
            used_us,
            total_us: self.cpu_total_us,
            bound_us: bound_us.saturating_add(unseen_us.saturating_mul(cores)),
            quality,
            epoch: counter.map_or_else(String::new, |counter| counter.epoch.clone()),
            raw_us: counter.map_or(0, |counter| counter.raw_us),
        }
    }

    fn close_gpus(&mut self, held_us: u64, sure: bool) -> Vec<Gpu> {
        let close = |(id, gpu): (&String, &mut super::state::OpenGpu)| {
            let closed = gpu.close(held_us, sure);
            Gpu {
                id: id.clone(),
                model: gpu.model.clone(),
                allocated_us: held_us,
                allocated_total_us: gpu.allocated_total_us,
                busy_us: closed.busy_us,
                busy_total_us: gpu.busy_total_us,
                busy_bound_us: closed.bound_us,
                quality: closed.quality,
            }
        };
        self.gpus.iter_mut().map(close).collect()
    }
}

/// How many cores a task can use at once: its own, or all of the node.
fn cores(facts: &Task, node_cores: u32) -> u64 {
    u64::from(if facts.cores > 0 {
        facts.cores
    } else {
        node_cores
    })
}

fn micros(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
