//! What the meter remembers between two observations, as rows that a ledger keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use federation::usage::{Allocation, Moment, Quality};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::place::Clocks;
use crate::cgroup::TaskKey;

/// Everything that the meter remembers. Starts empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    pub(crate) time: Time,
    pub(crate) allocations: BTreeMap<String, Open>,
    pub(crate) counters: BTreeMap<TaskKey, Counter>,
    pub(crate) parents: BTreeMap<String, Gone>,
    pub(crate) devices: BTreeMap<String, Device>,
    pub(crate) over: BTreeMap<String, Over>,
    /// Tasks whose groups have appeared, and of whose allocation Nomad has not said anything yet.
    pub(crate) glimpses: BTreeMap<TaskKey, Glimpse>,
}

/// The last observation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Time {
    pub(crate) boot_id: String,
    pub(crate) last: Option<Moment>,
    pub(crate) clocks: Clocks,
    /// How many allocations Nomad never named.
    #[serde(default)]
    pub(crate) unnamed: u64,
}

/// A task whose group has appeared: when it was not there yet, and when it was last known to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Glimpse {
    pub(crate) from_boot_us: i64,
    pub(crate) to_boot_us: i64,
}

/// An allocation that has begun and is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(crate) facts: Allocation,
    /// The end of its last interval, or its start.
    pub(crate) cut: Moment,
    /// When it was last known to live, by a group of it, or its start.
    // So called in the rows that there are.
    #[serde(rename = "touched_boot_us")]
    pub(crate) lived_boot_us: i64,
    /// When use of it was last told: later than that where a parent tells of a group that is gone.
    #[serde(default)]
    pub(crate) used_boot_us: i64,
    /// The first look at which it was not known to live any more.
    #[serde(default)]
    pub(crate) gone_boot_us: Option<i64>,
    pub(crate) held: Quality,
    pub(crate) held_total_us: u64,
    pub(crate) tasks: BTreeMap<String, OpenTask>,
    /// Tasks whose end has been cut at.
    pub(crate) done: BTreeSet<String>,
    /// Since when Nomad does not list it any more, though it had not called it over.
    #[serde(default)]
    pub(crate) missing_boot_us: Option<i64>,
}

/// What a task of an open allocation has used, and what of it is not in an interval yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenTask {
    pub(crate) cpu_total_us: u64,
    pub(crate) cpu: Pending,
    /// What the last looks have told: it may have been used a little before each.
    #[serde(default)]
    pub(crate) looks: Vec<Fresh>,
    /// How long its use could not be known, since the last cut.
    pub(crate) unseen_us: u64,
    pub(crate) gpus: BTreeMap<String, OpenGpu>,
}

/// CPU time that a look has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fresh {
    pub(crate) boot_us: i64,
    pub(crate) used_us: u64,
    /// Whether it is in an interval, which ended before that look.
    pub(crate) booked: bool,
}

/// CPU time that is not in an interval yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) used_us: u64,
    /// The counter's own error.
    pub(crate) counter_bound_us: u64,
    /// What else may be missing.
    pub(crate) bound_us: u64,
    pub(crate) quality: Quality,
    /// Counters that went away unseen: how long before nobody looked.
    pub(crate) unseen_us: u64,
}

/// A GPU of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenGpu {
    pub(crate) model: String,
    pub(crate) allocated_total_us: u64,
    pub(crate) busy_total_us: u64,
    /// What the driver has told and is in no interval yet: up to the last hole in it, and after that.
    #[serde(default)]
    pub(crate) before: Vec<Told>,
    #[serde(flatten)]
    pub(crate) told: Told,
    /// What rounding may have moved, and the widest end of a look.
    pub(crate) round_us: u64,
    pub(crate) end_us: u64,
    /// Of what was seen, what may be another's or was guessed.
    #[serde(default)]
    pub(crate) loose_us: u64,
    /// How much of what was before the last cut had not been told by then.
    #[serde(default)]
    pub(crate) owed_us: u64,
    /// How far what it tells may be from where it is taken to be, since its clock was set.
    #[serde(default)]
    pub(crate) adrift_us: u64,
    /// How much of what its driver tells next is of before it was held.
    #[serde(default)]
    pub(crate) lead_us: u64,
    /// Whether a rate stood for samples.
    #[serde(default)]
    pub(crate) guessed: bool,
    /// Whether the interval before took its part of what is pending by time alone.
    #[serde(default)]
    pub(crate) divided: bool,
    /// Whether the device has answered for this task before.
    pub(crate) answered: bool,
}

/// What a driver has told of a time: of its first part no sample tells, and never will.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "a name carries its unit")]
pub(crate) struct Told {
    #[serde(default)]
    pub(crate) hole_us: u64,
    pub(crate) seen_us: u64,
    pub(crate) busy_us: u64,
}

/// A task's CPU counter as it was last read, whoever the task belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counter {
    pub(crate) raw_us: u64,
    /// By how much it showed less than that when it was last read.
    #[serde(default)]
    pub(crate) back_us: u64,
    pub(crate) bound_us: u64,
    pub(crate) epoch: String,
    pub(crate) parent: Option<String>,
    /// Whether the group is there, and had processes.
    pub(crate) present: bool,
    pub(crate) has_processes: bool,
    /// Since when it is watched without a break, and when it was read last.
    pub(crate) first_boot_us: i64,
    pub(crate) last_boot_us: i64,
    /// When it was first read, where there was a break since.
    #[serde(default)]
    pub(crate) shown_boot_us: Option<i64>,
    /// When it was last known to be used: by processes in it, or by use that can be of nobody else.
    #[serde(default = "never")]
    pub(crate) lived_boot_us: i64,
    /// What no allocation has taken yet.
    pub(crate) pending: Pending,
}

fn never() -> i64 {
    i64::MIN
}

/// What the removed children of a parent group have used in all: between `low_us` and `high_us`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gone {
    pub(crate) epoch: String,
    pub(crate) low_us: i64,
    pub(crate) high_us: i64,
    /// Groups live below it that are no tasks: what it counts more is nobody's.
    pub(crate) strangers: bool,
    /// Use that no task seen has caused.
    pub(crate) unexplained: Vec<Window>,
}

/// Use of groups that came and went between two observations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) from_boot_us: i64,
    pub(crate) to_boot_us: i64,
    pub(crate) low_us: u64,
    pub(crate) high_us: u64,
    /// Whether nobody looked in between.
    #[serde(default)]
    pub(crate) unwatched: bool,
}

/// A GPU, as its driver was last asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Device {
    pub(crate) last_seen_us: u64,
    pub(crate) asked_boot_us: i64,
}

/// An allocation that is over: not to be begun again while Nomad still lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Over {
    pub(crate) ended_us: i64,
}

/// A row of a ledger is none of a state: the database is of another version, or damaged.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the meter's row `{key}`: {source}")]
pub struct RowError {
    key: String,
    source: serde_json::Error,
}

#[derive(Serialize, Deserialize)]
struct Keyed<T> {
    allocation: String,
    task: String,
    // So called in the rows that there are.
    #[serde(rename = "counter")]
    value: T,
}

impl<T: Clone> Keyed<T> {
    fn new(key: &TaskKey, value: &T) -> Self {
        Self {
            allocation: key.allocation.clone(),
            task: key.task.clone(),
            value: value.clone(),
        }
    }

    fn split(self) -> (TaskKey, T) {
        let key = TaskKey {
            allocation: self.allocation,
            task: self.task,
        };
        (key, self.value)
    }
}

impl State {
    /// The state as rows: a key, and JSON.
    pub fn rows(&self) -> BTreeMap<String, String> {
        let mut rows = BTreeMap::new();
        put(&mut rows, "time".to_owned(), &self.time);
        for (id, open) in &self.allocations {
            put(&mut rows, format!("allocation/{id}"), open);
        }
        for (key, counter) in &self.counters {
            let row = format!("counter/{}/{}", key.allocation, key.task);
            put(&mut rows, row, &Keyed::new(key, counter));
        }
        for (key, glimpse) in &self.glimpses {
            let row = format!("glimpse/{}/{}", key.allocation, key.task);
            put(&mut rows, row, &Keyed::new(key, glimpse));
        }
        for (name, gone) in &self.parents {
            put(&mut rows, format!("parent/{name}"), gone);
        }
        for (id, device) in &self.devices {
            put(&mut rows, format!("device/{id}"), device);
        }
        for (id, over) in &self.over {
            put(&mut rows, format!("over/{id}"), over);
        }
        rows
    }

    /// The state that [`State::rows`] gave.
    ///
    /// # Errors
    /// When a row is not what this version writes.
    pub fn from_rows(rows: impl IntoIterator<Item = (String, String)>) -> Result<Self, RowError> {
        let mut state = Self::default();
        for (key, json) in rows {
            let (kind, id) = key.split_once('/').unwrap_or((&key, ""));
            let id = id.to_owned();
            match kind {
                "time" => state.time = get(&key, &json)?,
                "allocation" => {
                    state.allocations.insert(id, get(&key, &json)?);
                }
                "counter" => {
                    let (key, counter) = get::<Keyed<_>>(&key, &json)?.split();
                    state.counters.insert(key, counter);
                }
                "glimpse" => {
                    let (key, glimpse) = get::<Keyed<_>>(&key, &json)?.split();
                    state.glimpses.insert(key, glimpse);
                }
                "parent" => {
                    state.parents.insert(id, get(&key, &json)?);
                }
                "device" => {
                    state.devices.insert(id, get(&key, &json)?);
                }
                "over" => {
                    state.over.insert(id, get(&key, &json)?);
                }
                // A row of a newer version says nothing to this one.
                _ => {}
            }
        }
        Ok(state)
    }

    /// A number that changes when an allocation or a task begins or ends.
    pub fn shape(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for id in self.allocations.keys() {
            id.hash(&mut hasher);
        }
        for (key, counter) in &self.counters {
            (key, &counter.epoch, counter.present).hash(&mut hasher);
        }
        for key in self.glimpses.keys() {
            key.hash(&mut hasher);
        }
        hasher.finish()
    }

    /// How many allocations are being metered.
    pub fn metered(&self) -> usize {
        self.allocations.len()
    }

    /// How many allocations were metered that Nomad never named, in this ledger.
    pub fn unnamed(&self) -> u64 {
        self.time.unnamed
    }
}

fn put(rows: &mut BTreeMap<String, String>, key: String, value: &impl Serialize) {
    // Plain structs with texts for keys: they have a JSON form.
    if let Ok(json) = serde_json::to_string(value) {
        rows.insert(key, json);
    }
}

fn get<T: DeserializeOwned>(key: &str, json: &str) -> Result<T, RowError> {
    serde_json::from_str(json).map_err(|source| RowError {
        key: key.to_owned(),
        source,
    })
}
