//! What one node has and runs, in full: what the agent on it asks for.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::http::{Api, Call, Method};

/// An allocation with its job and resources.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Placed {
    /// Allocation ID.
    #[serde(rename = "ID")]
    pub id: String,
    /// The node that it was placed on; empty where an old Nomad does not say.
    #[serde(rename = "NodeID", default)]
    pub node_id: String,
    /// Namespace.
    pub namespace: String,
    /// `<job>.<group>[<index>]`.
    pub name: String,
    /// Job ID.
    #[serde(rename = "JobID")]
    pub job_id: String,
    /// Task group.
    pub task_group: String,
    /// `pending`, `running`, `complete`, `failed`, `lost`, `unknown`.
    pub client_status: String,
    /// The job as it was when this was placed.
    #[serde(default)]
    pub job: Option<PlacedJob>,
    /// What each task has been through; absent until the client reports.
    #[serde(default)]
    pub task_states: Option<BTreeMap<String, PlacedState>>,
    /// What is reserved.
    #[serde(default)]
    pub allocated_resources: Option<Allocated>,
    /// The Raft index at which it was placed.
    #[serde(default)]
    pub create_index: u64,
    /// The Raft index of the last change.
    pub modify_index: u64,
    /// When it last changed, by a server's clock, in ns since 1970 UTC.
    #[serde(default)]
    pub modify_time: i64,
}

/// The parts of a job that say what an allocation is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PlacedJob {
    /// Job ID.
    #[serde(rename = "ID", default)]
    pub id: String,
    /// Namespace.
    #[serde(default)]
    pub namespace: String,
    /// The Raft index at which somebody last changed what it asks for.
    #[serde(default)]
    pub job_modify_index: u64,
    /// The job's own metadata.
    #[serde(default)]
    pub meta: Option<BTreeMap<String, String>>,
    /// Its groups.
    #[serde(default)]
    pub task_groups: Option<Vec<PlacedGroup>>,
}

/// A task group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PlacedGroup {
    /// Its name.
    pub name: String,
    /// Its tasks.
    #[serde(default)]
    pub tasks: Option<Vec<PlacedTask>>,
}

/// A task of a group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PlacedTask {
    /// Its name.
    pub name: String,
    /// `docker`, `exec`, `raw_exec`, …
    pub driver: String,
    /// What the driver is told.
    #[serde(default)]
    pub config: Option<BTreeMap<String, Value>>,
}

/// What a task has been through.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PlacedState {
    /// `pending`, `running` or `dead`.
    pub state: String,
    /// Its last start, in RFC 3339; the year 1 when there was none.
    #[serde(default)]
    pub started_at: Option<String>,
    /// Its end, in the same way.
    #[serde(default)]
    pub finished_at: Option<String>,
    /// The last ten events, the newest last.
    #[serde(default)]
    pub events: Option<Vec<PlacedEvent>>,
}

/// An event of a task.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PlacedEvent {
    /// Its kind, such as `Started`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// When, by the node's clock, in ns since 1970 UTC.
    pub time: i64,
}

/// What an allocation reserves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Allocated {
    /// By task.
    #[serde(default)]
    pub tasks: Option<BTreeMap<String, AllocatedTask>>,
    /// What its tasks share.
    #[serde(default)]
    pub shared: Option<AllocatedShared>,
}

/// What the tasks of an allocation share.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AllocatedShared {
    /// Ephemeral disk, in MiB.
    #[serde(rename = "DiskMB", default)]
    pub disk_mib: u64,
}

/// What a task reserves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AllocatedTask {
    /// CPU.
    pub cpu: AllocatedCpu,
    /// Memory.
    pub memory: AllocatedMemory,
    /// Devices, by model.
    #[serde(default)]
    pub devices: Option<Vec<AllocatedDevice>>,
}

/// Reserved CPU.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AllocatedCpu {
    /// The share, in MHz.
    #[serde(default)]
    pub cpu_shares: u64,
    /// The cores that are the task's alone.
    #[serde(default)]
    pub reserved_cores: Option<Vec<u32>>,
}

/// Reserved memory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AllocatedMemory {
    /// In MiB.
    #[serde(rename = "MemoryMB", default)]
    pub memory_mib: u64,
}

/// Assigned devices of one model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AllocatedDevice {
    /// `nvidia`.
    pub vendor: String,
    /// `gpu`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// The model.
    pub name: String,
    /// Which ones.
    #[serde(rename = "DeviceIDs", default)]
    pub ids: Vec<String>,
}

/// A node with what it has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Equipped {
    /// Node ID.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its datacenter.
    pub datacenter: String,
    /// `initializing`, `ready`, `down` or `disconnected`.
    #[serde(default)]
    pub status: String,
    /// Merged static and dynamic metadata.
    #[serde(default)]
    pub meta: Option<BTreeMap<String, String>>,
    /// What the node has found of itself.
    #[serde(default)]
    pub attributes: Option<BTreeMap<String, String>>,
    /// What may be reserved on it.
    #[serde(default)]
    pub node_resources: Option<Resources>,
}

/// What may be reserved on a node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Resources {
    /// CPU.
    #[serde(default)]
    pub cpu: Option<ResourcesCpu>,
    /// Memory.
    #[serde(default)]
    pub memory: Option<AllocatedMemory>,
    /// Disk.
    #[serde(default)]
    pub disk: Option<AllocatedShared>,
    /// Devices, by model.
    #[serde(default)]
    pub devices: Option<Vec<ResourcesDevice>>,
}

/// The CPU of a node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResourcesCpu {
    /// MHz in all.
    #[serde(default)]
    pub cpu_shares: u64,
    /// Cores.
    #[serde(default)]
    pub total_cpu_cores: u32,
}

/// The devices of one model of a node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResourcesDevice {
    /// `nvidia`.
    pub vendor: String,
    /// `gpu`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// The model.
    pub name: String,
    /// Each of them.
    #[serde(default)]
    pub instances: Option<Vec<Instance>>,
}

/// One device of a node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Instance {
    /// Its ID, for NVIDIA the UUID.
    #[serde(rename = "ID")]
    pub id: String,
    /// Whether new allocations may have it.
    #[serde(default)]
    pub healthy: bool,
    /// Why not, in the words of its plugin.
    #[serde(default)]
    pub health_description: String,
}

/// The allocations of a node, once there is something newer than `index` or `wait_ms` are over.
///
/// Needs `node:read`, and `read-job` for the namespaces. The index for the next
/// question is in the answer's header `X-Nomad-Index`.
pub fn node_allocations(node_id: &str, index: u64, wait_ms: u128) -> Call<Vec<Placed>> {
    Call::json(
        Api::Nomad,
        Method::Get,
        format!("/v1/node/{node_id}/allocations?index={index}&wait={wait_ms}ms"),
    )
}

/// One node with what it has. Needs `node:read`.
pub fn equipped(node_id: &str) -> Call<Equipped> {
    Call::json(Api::Nomad, Method::Get, format!("/v1/node/{node_id}"))
}
