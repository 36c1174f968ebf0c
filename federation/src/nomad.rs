//! The calls to Nomad's HTTP API, and the parts of its answers that we read.
//!
//! Paths and fields as Nomad 1.11 documents and shows them. Every call but
//! [`leader`], [`peers`] and [`health`] wants a token.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::http::{Api, Call, Method};

mod events;
mod placed;

pub use events::{Evaluated, Event, Events, Payload, Topic, events, whole_job};
pub use placed::{
    Allocated, AllocatedCpu, AllocatedDevice, AllocatedMemory, AllocatedShared, AllocatedTask,
    Equipped, Instance, Placed, PlacedEvent, PlacedGroup, PlacedJob, PlacedState, PlacedTask,
    Resources, ResourcesCpu, ResourcesDevice, equipped, node_allocations,
};

/// The address of the Raft leader, empty while there is none. Needs no token.
pub fn leader() -> Call<String> {
    Call::json(Api::Nomad, Method::Get, "/v1/status/leader")
}

/// The addresses of the Raft peers. Needs no token.
pub fn peers() -> Call<Vec<String>> {
    Call::json(Api::Nomad, Method::Get, "/v1/status/peers")
}

/// Whether the asked agent is healthy in a role, `server` or `client`. Needs no token.
pub fn health(role: &str) -> Call<Value> {
    Call::json(
        Api::Nomad,
        Method::Get,
        format!("/v1/agent/health?type={role}"),
    )
}

/// Bootstraps the ACL system with a management token of our choice.
pub fn bootstrap(secret: &str) -> Call<()> {
    Call::done(Api::Nomad, Method::Post, "/v1/acl/bootstrap")
        .with(&json!({ "BootstrapSecret": secret }))
}

/// The token that the call is made with: whether it is known.
pub fn own_token() -> Call<Value> {
    Call::json(Api::Nomad, Method::Get, "/v1/acl/token/self")
}

/// An ACL policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    /// Unique name.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// The rules, in HCL.
    pub rules: String,
}

/// A token as lists show it: without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TokenStub {
    /// Public ID.
    #[serde(rename = "AccessorID")]
    pub accessor_id: String,
    /// For people; not unique.
    pub name: String,
}

/// All tokens.
pub fn tokens() -> Call<Vec<TokenStub>> {
    Call::json(Api::Nomad, Method::Get, "/v1/acl/tokens")
}

/// Makes a token with one policy. Nomad chooses its secret, and tells it once.
pub fn create_token(name: &str, policy: &str) -> Call<NewToken> {
    Call::json(Api::Nomad, Method::Post, "/v1/acl/token")
        .with(&json!({ "Name": name, "Type": "client", "Policies": [policy] }))
}

/// Withdraws a token.
pub fn delete_token(accessor_id: &str) -> Call<()> {
    Call::done(
        Api::Nomad,
        Method::Delete,
        format!("/v1/acl/token/{accessor_id}"),
    )
}

/// A token that has just been made.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct NewToken {
    /// Its secret.
    #[serde(rename = "SecretID")]
    pub secret_id: String,
}

/// A policy by name.
pub fn policy(name: &str) -> Call<Option<Policy>> {
    Call::find(Api::Nomad, format!("/v1/acl/policy/{name}"))
}

/// Creates or replaces a policy.
pub fn put_policy(policy: &Policy) -> Call<()> {
    Call::done(
        Api::Nomad,
        Method::Post,
        format!("/v1/acl/policy/{}", policy.name),
    )
    .with(policy)
}

/// Creates or replaces a namespace.
pub fn put_namespace(namespace: &Namespace) -> Call<()> {
    Call::done(Api::Nomad, Method::Post, "/v1/namespace").with(namespace)
}

/// A namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// What its jobs may use; everything when absent.
    #[serde(default)]
    pub capabilities: Option<Capabilities>,
}

/// What the jobs of a namespace may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Capabilities {
    /// The only drivers of its tasks; all when absent.
    #[serde(default)]
    pub enabled_task_drivers: Option<Vec<String>>,
    /// Drivers that its tasks may not have.
    #[serde(default)]
    pub disabled_task_drivers: Option<Vec<String>>,
}

/// All namespaces that the token may see.
pub fn namespaces() -> Call<Vec<Namespace>> {
    Call::json(Api::Nomad, Method::Get, "/v1/namespaces")
}

/// How Nomad places jobs, as far as we have an opinion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Scheduler {
    /// `binpack` or `spread`.
    pub scheduler_algorithm: String,
    /// Whether `memory_max` of jobs counts.
    pub memory_oversubscription_enabled: bool,
}

/// The scheduler's whole configuration, under `SchedulerConfig`.
pub fn scheduler() -> Call<Value> {
    Call::json(
        Api::Nomad,
        Method::Get,
        "/v1/operator/scheduler/configuration",
    )
}

/// Replaces the scheduler's whole configuration, if nobody has changed it since `index`.
/// The answer's `Updated` says whether.
pub fn put_scheduler(configuration: &Value, index: u64) -> Call<Value> {
    Call::json(
        Api::Nomad,
        Method::Put,
        format!("/v1/operator/scheduler/configuration?cas={index}"),
    )
    .with(configuration)
}

/// Mints a token with which one node may join: a JWT that lives `ttl_seconds`.
pub fn introduction(node: &str, ttl_seconds: u32) -> Call<Introduction> {
    Call::json(
        Api::Nomad,
        Method::Post,
        "/v1/acl/identity/client-introduction-token",
    )
    .with(&json!({ "NodeName": node, "NodePool": "default", "TTL": format!("{ttl_seconds}s") }))
}

/// A token with which one node may join.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Introduction {
    /// The JWT.
    #[serde(rename = "JWT")]
    pub jwt: String,
}

/// A node as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NodeStub {
    /// Node ID.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// `ready`, `down`, `initializing`, `disconnected`.
    pub status: String,
    /// `eligible` or `ineligible`.
    pub scheduling_eligibility: String,
    /// Its datacenter.
    pub datacenter: String,
    /// The drivers that the node has found.
    #[serde(default)]
    pub drivers: Option<BTreeMap<String, Driver>>,
}

/// A task driver of a node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Driver {
    /// Whether it is there.
    pub detected: bool,
    /// Whether it works.
    pub healthy: bool,
}

/// All nodes.
pub fn nodes() -> Call<Vec<NodeStub>> {
    Call::json(Api::Nomad, Method::Get, "/v1/nodes")
}

/// Sets dynamic metadata of a node; it wins over the static kind and survives restarts.
pub fn put_metadata(node_id: &str, meta: &BTreeMap<&str, &str>) -> Call<()> {
    Call::done(
        Api::Nomad,
        Method::Post,
        format!("/v1/client/metadata?node_id={node_id}"),
    )
    .with(&json!({ "NodeID": node_id, "Meta": meta }))
}

/// Items of a variable of the namespace `default`, by path.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Variable {
    /// Namespace.
    pub namespace: String,
    /// Path, such as `nomad/jobs/traefik`.
    pub path: String,
    /// Items.
    pub items: BTreeMap<String, String>,
}

/// Reads a variable.
pub fn variable(path: &str) -> Call<Option<Variable>> {
    Call::find(Api::Nomad, format!("/v1/var/{path}"))
}

/// Writes a variable.
pub fn put_variable(variable: &Variable) -> Call<()> {
    Call::done(
        Api::Nomad,
        Method::Put,
        format!("/v1/var/{}", variable.path),
    )
    .with(variable)
}

/// Parses a job's HCL into the JSON which the other calls want.
pub fn parse_job(hcl: &str) -> Call<Value> {
    Call::json(Api::Nomad, Method::Post, "/v1/jobs/parse")
        .with(&json!({ "JobHCL": hcl, "Canonicalize": false }))
}

/// What would change if a job were registered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct JobPlan {
    /// The difference; its type is `None`, `Added` or `Edited`.
    pub diff: Option<JobDiff>,
    /// What the scheduler could not place, by task group.
    #[serde(rename = "FailedTGAllocs", default)]
    pub failed: Option<BTreeMap<String, Value>>,
}

/// The difference between a job and the one that runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct JobDiff {
    /// `None`, `Added` or `Edited`.
    #[serde(rename = "Type")]
    pub kind: String,
}

/// Plans a job without registering it.
pub fn plan_job(id: &str, namespace: &str, job: &Value) -> Call<JobPlan> {
    Call::json(
        Api::Nomad,
        Method::Put,
        format!("/v1/job/{id}/plan?namespace={namespace}"),
    )
    .with(&json!({ "Job": job, "Diff": true }))
}

/// Registers a job.
pub fn register_job(namespace: &str, job: &Value) -> Call<Value> {
    Call::json(
        Api::Nomad,
        Method::Put,
        format!("/v1/jobs?namespace={namespace}"),
    )
    .with(&json!({ "Job": job }))
}

/// A job's own state.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Job {
    /// `pending`, `running` or `dead`.
    pub status: String,
}

/// A job by ID.
pub fn job(id: &str, namespace: &str) -> Call<Option<Job>> {
    Call::find(Api::Nomad, format!("/v1/job/{id}?namespace={namespace}"))
}

/// Stops a job and forgets it.
pub fn purge_job(id: &str, namespace: &str) -> Call<Value> {
    Call::json(
        Api::Nomad,
        Method::Delete,
        format!("/v1/job/{id}?purge=true&namespace={namespace}"),
    )
}

/// An allocation as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Allocation {
    /// Allocation ID.
    #[serde(rename = "ID")]
    pub id: String,
    /// The node it is on.
    pub node_name: String,
    /// `pending`, `running`, `complete`, `failed`, `lost`.
    pub client_status: String,
    /// `run`, `stop`, `evict`.
    pub desired_status: String,
    /// What happened to each task.
    #[serde(default)]
    pub task_states: Option<BTreeMap<String, TaskState>>,
}

/// What happened to a task.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TaskState {
    /// `pending`, `running` or `dead`.
    pub state: String,
    /// Whether it failed.
    pub failed: bool,
    /// The newest last.
    #[serde(default)]
    pub events: Vec<TaskEvent>,
}

/// An event of a task.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TaskEvent {
    /// Its kind, such as `Driver Failure`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// The kind in a sentence.
    #[serde(default)]
    pub display_message: String,
}

/// The allocations of a job.
pub fn allocations(job: &str, namespace: &str) -> Call<Vec<Allocation>> {
    Call::json(
        Api::Nomad,
        Method::Get,
        format!("/v1/job/{job}/allocations?namespace={namespace}"),
    )
}

/// An evaluation of a job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Evaluation {
    /// `complete`, `blocked`, `pending`, `failed`.
    pub status: String,
    /// Why nothing was placed, by task group.
    #[serde(rename = "FailedTGAllocs", default)]
    pub failed: Option<BTreeMap<String, Value>>,
}

/// The evaluations of a job, the newest first.
pub fn evaluations(job: &str, namespace: &str) -> Call<Vec<Evaluation>> {
    Call::json(
        Api::Nomad,
        Method::Get,
        format!("/v1/job/{job}/evaluations?namespace={namespace}"),
    )
}

/// What an agent says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AgentSelf {
    /// Its statistics: sections of texts.
    pub stats: BTreeMap<String, BTreeMap<String, String>>,
}

impl AgentSelf {
    /// The ID with which the asked agent is registered as a node, if it is a client.
    ///
    /// A name does not do: a host that was installed anew is there twice for a while.
    pub fn node_id(&self) -> Option<&str> {
        self.stats.get("client")?.get("node_id").map(String::as_str)
    }
}

/// Asks an agent for itself. Needs `agent:read`.
pub fn agent_self() -> Call<AgentSelf> {
    Call::json(Api::Nomad, Method::Get, "/v1/agent/self")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a real Nomad answered to what [`put_namespace`] sent: nothing seems to differ.
    #[test]
    fn a_namespace_reads_back_as_it_was_written() {
        let wanted = Namespace {
            name: "example".to_owned(),
            description: "d".to_owned(),
            capabilities: Some(Capabilities {
                enabled_task_drivers: Some(
                    ["docker", "exec", "raw_exec"].map(str::to_owned).into(),
                ),
                disabled_task_drivers: None,
            }),
        };
        let answer = r#"[
            {"Capabilities":null,"ConsulConfiguration":null,"CreateIndex":1,"Description":"Default shared namespace",
             "Meta":null,"ModifyIndex":1,"Name":"default","NodePoolConfiguration":null,"Quota":"","VaultConfiguration":null},
            {"Capabilities":{"DisabledNetworkModes":null,"DisabledTaskDrivers":null,"EnabledNetworkModes":null,
             "EnabledTaskDrivers":["docker","exec","raw_exec"]},"ConsulConfiguration":null,"CreateIndex":15,
             "Description":"d","Meta":null,"ModifyIndex":15,"Name":"example","NodePoolConfiguration":null}
        ]"#;
        let there: Vec<Namespace> = serde_json::from_str(answer).unwrap();
        assert!(there.contains(&wanted), "{there:?}");
        assert_eq!(there[0].capabilities, None);
    }
}
