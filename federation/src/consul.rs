//! The calls to Consul's HTTP API, and the parts of its answers that we read.
//!
//! Paths and fields as Consul 1.22 documents and shows them. Every call but
//! [`leader`] and [`peers`] wants a token.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::http::{Api, Call, Method};

/// The address of the Raft leader, empty while there is none. Needs no token.
pub fn leader() -> Call<String> {
    Call::json(Api::Consul, Method::Get, "/v1/status/leader")
}

/// The addresses of the Raft peers. Needs no token.
pub fn peers() -> Call<Vec<String>> {
    Call::json(Api::Consul, Method::Get, "/v1/status/peers")
}

/// Bootstraps the ACL system with a management token of our choice.
///
/// Refused with 403 when it has been done before, and with 5xx in the first
/// seconds after an election.
pub fn bootstrap(secret: &str) -> Call<()> {
    Call::done(Api::Consul, Method::Put, "/v1/acl/bootstrap")
        .with(&json!({ "BootstrapSecret": secret }))
}

/// The token that the call is made with: whether it is known.
pub fn own_token() -> Call<Value> {
    Call::json(Api::Consul, Method::Get, "/v1/acl/token/self")
}

/// An ACL policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    /// Set by Consul.
    #[serde(rename = "ID", default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Unique name.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// The rules, in HCL.
    pub rules: String,
}

/// A policy by name.
pub fn policy(name: &str) -> Call<Option<Policy>> {
    Call::find(Api::Consul, format!("/v1/acl/policy/name/{name}"))
}

/// Creates a policy, or replaces the one whose ID it has.
pub fn put_policy(policy: &Policy) -> Call<()> {
    let path = if policy.id.is_empty() {
        "/v1/acl/policy".to_owned()
    } else {
        format!("/v1/acl/policy/{}", policy.id)
    };
    Call::done(Api::Consul, Method::Put, path).with(policy)
}

/// An ACL token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Token {
    /// What names the token; no secret.
    #[serde(rename = "AccessorID")]
    pub accessor_id: String,
    /// The token itself.
    #[serde(rename = "SecretID")]
    pub secret_id: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Its policies.
    #[serde(default)]
    pub policies: Vec<PolicyLink>,
    /// The nodes whose agent it may be.
    #[serde(default)]
    pub node_identities: Vec<NodeIdentity>,
}

/// A policy of a token, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyLink {
    /// The policy's name.
    pub name: String,
}

/// The right to be a node's Consul agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NodeIdentity {
    /// The node.
    pub node_name: String,
    /// Its datacenter.
    pub datacenter: String,
}

/// A token by accessor.
pub fn token(accessor: &str) -> Call<Option<Token>> {
    Call::find(Api::Consul, format!("/v1/acl/token/{accessor}"))
}

/// Creates a token with IDs of our choice.
pub fn create_token(token: &Token) -> Call<()> {
    Call::done(Api::Consul, Method::Put, "/v1/acl/token").with(token)
}

/// Replaces what a token may do; its IDs stay.
pub fn update_token(token: &Token) -> Call<()> {
    Call::done(
        Api::Consul,
        Method::Put,
        format!("/v1/acl/token/{}", token.accessor_id),
    )
    .with(token)
}

/// What an agent says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AgentSelf {
    /// The configuration it runs with.
    pub config: AgentConfig,
    /// Its statistics: sections of texts.
    pub stats: Value,
}

/// The configuration an agent runs with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AgentConfig {
    /// Version of the running process.
    pub version: String,
    /// Its name.
    pub node_name: String,
}

/// Asks an agent for itself. Needs `agent:read`.
pub fn agent_self() -> Call<AgentSelf> {
    Call::json(Api::Consul, Method::Get, "/v1/agent/self")
}

/// A member of the LAN gossip pool.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Member {
    /// Node name.
    pub name: String,
    /// 1 is alive.
    pub status: u8,
}

/// The members that the asked agent knows.
pub fn members() -> Call<Vec<Member>> {
    Call::json(Api::Consul, Method::Get, "/v1/agent/members")
}

/// An instance of a service in the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CatalogService {
    /// The node it runs on.
    pub node: String,
}

/// The instances of a service.
pub fn service(name: &str) -> Call<Vec<CatalogService>> {
    Call::json(
        Api::Consul,
        Method::Get,
        format!("/v1/catalog/service/{name}"),
    )
}

/// An instance of a service with its node and checks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Instance {
    /// Where it is.
    pub node: InstanceNode,
    /// What it says of itself.
    pub service: InstanceService,
    /// Its checks, and those of its node.
    pub checks: Vec<Check>,
}

/// The node of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InstanceNode {
    /// Its name.
    pub node: String,
}

/// What an instance says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InstanceService {
    /// Facts by name.
    #[serde(default)]
    pub meta: BTreeMap<String, String>,
}

/// What a check says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Check {
    /// For people.
    pub name: String,
    /// Its state.
    pub status: Health,
    /// What it last said.
    #[serde(default)]
    pub output: String,
}

/// All instances of a service in the agent's datacenter, healthy or not.
pub fn instances(service: &str) -> Call<Vec<Instance>> {
    Call::json(
        Api::Consul,
        Method::Get,
        format!("/v1/health/service/{service}"),
    )
}

/// The state of a check, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// All is well.
    Passing,
    /// It works, but something is amiss.
    Warning,
    /// It does not work.
    Critical,
}

/// A service of this node, with one check that wants to hear of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Service {
    /// Unique on the agent.
    #[serde(rename = "ID")]
    pub id: String,
    /// The name under which it is found.
    pub name: String,
    /// Short words to filter by.
    pub tags: Vec<String>,
    /// Facts: keys of at most 128, values of at most 512 bytes.
    pub meta: BTreeMap<String, String>,
    /// Its check.
    pub check: TtlCheck,
}

/// A check that turns critical when nothing is heard of it for its time to live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TtlCheck {
    /// What [`update_check`] names it by.
    #[serde(rename = "CheckID")]
    pub id: String,
    /// For people.
    #[serde(rename = "Name")]
    pub name: String,
    /// Such as `60s`.
    #[serde(rename = "TTL")]
    pub ttl: String,
    /// Its state until the first word.
    #[serde(rename = "Status")]
    pub status: Health,
    /// How long it may be critical before the service is forgotten, such as `72h`.
    #[serde(rename = "DeregisterCriticalServiceAfter")]
    pub forget_after: String,
}

/// Registers a service at the asked agent, in place of what it knew. Needs `service:write`.
pub fn register_service(service: &Service) -> Call<()> {
    Call::done(
        Api::Consul,
        Method::Put,
        "/v1/agent/service/register?replace-existing-checks=true",
    )
    .with(service)
}

/// Tells a check with a time to live how things are. Answered with 404 when it is not known.
///
/// A text that stays the same costs the servers nothing.
pub fn update_check(id: &str, status: Health, text: &str) -> Call<()> {
    Call::done(
        Api::Consul,
        Method::Put,
        format!("/v1/agent/check/update/{id}"),
    )
    .with(&json!({ "Status": status, "Output": text }))
}
