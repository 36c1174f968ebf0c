//! What the templates of our own daemons see.

use std::net::SocketAddr;

use federation::names::{DatacenterName, NamespaceName, NodeName, RegionName, SiteName, VoName};
use serde::Serialize;

use crate::plan::Secret;

/// `agent.toml` of `atoll-agent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentSettings {
    /// The federation.
    pub federation: RegionName,
    /// The node.
    pub node: NodeName,
    /// Its datacenter.
    pub datacenter: DatacenterName,
    /// Docker's folder, where it is not the usual one.
    pub docker: Option<&'static str>,
    /// Where usage records go; nowhere while the federation has no accounting host.
    pub accounting: Option<SocketAddr>,
}

/// The file with the agent's Consul token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentConsulToken {
    /// The token.
    pub token: Secret,
}

/// `atoll-agent.service`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentUnit {
    /// Whether it has a key for deliveries.
    pub delivers: bool,
    /// Nomad's folder, which holds secrets of jobs.
    pub nomad_data: &'static str,
}

/// `accounting.toml` of `atoll-accounting`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountingSettings {
    /// The federation.
    pub federation: RegionName,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Each datacenter that has a GOCDB name, in their order.
    pub sites: Vec<SiteOf>,
    /// Each namespace, in their order.
    pub vos: Vec<VoOf>,
}

/// The GOCDB name of a datacenter. (A template goes through a mapping in no order.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SiteOf {
    /// The datacenter.
    pub datacenter: DatacenterName,
    /// Its GOCDB name.
    pub site: SiteName,
}

/// The VO of a namespace; where several share one, the first by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VoOf {
    /// The namespace.
    pub namespace: NamespaceName,
    /// Its VO.
    pub vo: VoName,
}

/// `atoll-accounting.service`: the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountingUnit {}
