//! The usage record: what was held and used, in closed intervals that add up.
//!
//! The agent writes these, `atoll-accounting` keeps them; `docs/records.md`
//! explains every field to people. All amounts are integers: microseconds (µs)
//! and bytes. A value is never corrected afterwards; what could not be known is
//! said by its [`Quality`], with a bound.
//!
//! A record's key is `(node_id, ledger, seq)`: the Nomad node, the agent's
//! database on it, and a number that grows by one. Records are delivered in
//! this order, so that "all up to here" is one number.

use serde::{Deserialize, Serialize};

use crate::names::{DatacenterName, NodeName};

/// Version of the delivery format, in every [`Header`].
pub const FORMAT: u32 = 1;

/// The first line of a delivery: whose records follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// The node in Consul and Nomad.
    pub node: NodeName,
    /// Its datacenter.
    pub datacenter: DatacenterName,
    /// Nomad's ID of the node: a node that is installed anew has another one.
    pub node_id: String,
    /// The agent's database: a UUID made with it.
    pub ledger: String,
    /// How many [`Entry`] lines follow.
    pub entries: u32,
}

/// One line of a delivery after the header, and one row of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the ledger: 1, 2, 3, …
    pub seq: u64,
    /// What it says.
    #[serde(flatten)]
    pub body: Body,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// What is known of an allocation; comes before its first interval, once.
    Allocation(Box<Allocation>),
    /// A closed interval of one of its tasks.
    Interval(Box<Interval>),
    /// The allocation is over.
    End(End),
}

/// The facts of an allocation, frozen when the agent first saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// Allocation ID.
    pub id: String,
    /// Nomad namespace; empty where Nomad never said what the allocation is.
    pub namespace: String,
    /// Job ID.
    pub job: String,
    /// Task group.
    pub group: String,
    /// `<job>.<group>[<index>]`.
    pub name: String,
    /// Who it is for: the job's `meta.owner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// When its first task started, by the node's clock, in µs since 1970 UTC.
    pub started_us: i64,
    /// What its tasks reserve, by name.
    pub tasks: Vec<Task>,
    /// Ephemeral disk, in MiB.
    pub disk_mib: u64,
    /// The node's cores, which a share in MHz is a part of.
    pub node_cores: u32,
    /// The node's MHz in all, as Nomad counts them.
    pub node_mhz: u64,
}

impl Allocation {
    /// Whether Nomad never said what it is: the kernel had groups of its tasks, and that is all that is known.
    /// Nomad's own namespaces have names.
    pub fn is_unnamed(&self) -> bool {
        self.namespace.is_empty()
    }
}

/// What a task reserves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// `docker`, `exec`, `raw_exec`, …
    pub driver: String,
    /// The container image as the job names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// CPU share, in MHz.
    pub cpu_mhz: u64,
    /// Cores reserved for it alone; 0 when it only has a share.
    pub cores: u32,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Devices assigned to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
}

/// A device that is assigned to a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its UUID by NVML, such as `GPU-1b4e…`.
    pub id: String,
    /// `nvidia`.
    pub vendor: String,
    /// `gpu`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Such as `NVIDIA A100-PCIE-40GB`.
    pub model: String,
}

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// µs since boot, in suspend too: durations come from this one.
    pub boot_us: i64,
    /// µs since 1970 UTC, read at the same instant: it places, and never measures.
    pub wall_us: i64,
}

/// How well a value is known.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Read from a counter, or integrated from samples that lie within the interval.
    #[default]
    Measured,
    /// Follows from other facts: from Nomad's, or from the counter of a group that held several tasks.
    Inferred,
    /// Nobody looked: the value is what is known at least, the bound what it may be more.
    Gap,
}

/// A closed interval `[start, end)` of one task, with what it used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Allocation ID.
    pub allocation: String,
    /// Task name.
    pub task: String,
    /// The boot that the boot-clock times belong to.
    pub boot_id: String,
    /// Begin. The first interval begins when the allocation's first task started.
    pub start: Moment,
    /// End; the next interval begins here.
    pub end: Moment,
    /// How long the allocation was held in this interval, in µs. Where the interval
    /// lies within one boot this is `end.boot_us - start.boot_us`.
    pub held_us: u64,
    /// Whether the holding was seen, or follows from what was there before and after.
    pub held: Quality,
    /// How long it was held in all, to the end of this interval.
    pub held_total_us: u64,
    /// CPU time.
    pub cpu: Cpu,
    /// Each assigned GPU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Gpu>,
}

/// CPU time of a task in an interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// Used in the interval, in µs.
    pub used_us: u64,
    /// Used since the task's first start, in µs.
    pub total_us: u64,
    /// The true value is at most this much more, in µs. At a cut between two looks, as a month's end
    /// is, it can be as much less too: what was used between them goes to the part before, or is
    /// divided by time where nobody looked. What one part has too much there, the other has too little.
    pub bound_us: u64,
    /// How it is known.
    pub quality: Quality,
    /// What the counter belongs to, such as a cgroup's path and inode: a new one begins at 0.
    pub epoch: String,
    /// The counter at the end of the interval, in µs.
    pub raw_us: u64,
}

/// One GPU of a task in an interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    /// UUID.
    pub id: String,
    /// Model.
    pub model: String,
    /// Held, in µs: the length of the interval.
    pub allocated_us: u64,
    /// Held since the allocation's start, in µs.
    pub allocated_total_us: u64,
    /// With at least one kernel running, in µs.
    pub busy_us: u64,
    /// The same since the allocation's start, in µs.
    pub busy_total_us: u64,
    /// The true value of `busy_us` lies at most this far from it, in µs.
    pub busy_bound_us: u64,
    /// How `busy_us` is known.
    pub quality: Quality,
}

/// An allocation is over: nothing follows for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Allocation ID.
    pub allocation: String,
    /// When its last task ended, by the node's clock, in µs since 1970 UTC.
    pub ended_us: i64,
    /// `complete`, `failed`, `lost`, as Nomad says; `unnamed` where it never said anything.
    pub status: String,
}

/// What the receiver answers to a delivery, and to a question for its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// The ledger.
    pub ledger: String,
    /// Everything up to here is committed; 0 when there is nothing.
    pub acknowledged: u64,
}

/// Why the receiver refused a delivery, for a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// In a sentence.
    pub error: String,
    /// What is committed of this ledger, where that is why: go on from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<u64>,
}

/// The node that a certificate names: `atoll://<federation>/<datacenter>/<node>`.
pub fn identity(federation: &str, datacenter: &DatacenterName, node: &NodeName) -> String {
    format!("atoll://{federation}/{datacenter}/{node}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_flat_line() {
        let entry = Entry {
            seq: 7,
            body: Body::End(End {
                allocation: "a".to_owned(),
                ended_us: 5,
                status: "complete".to_owned(),
            }),
        };
        let line = serde_json::to_string(&entry).unwrap();
        assert_eq!(
            line,
            r#"{"seq":7,"end":{"allocation":"a","ended_us":5,"status":"complete"}}"#
        );
        assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), entry);
    }
}
