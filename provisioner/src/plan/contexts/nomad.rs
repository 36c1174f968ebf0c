//! What the templates of Nomad's files and policies see.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use federation::names::{DatacenterName, DomainLabel, NamespaceName, NodeName, RegionName};
use serde::Serialize;

use super::Addresses;
use crate::plan::Secret;

/// `nomad.hcl`, of every Nomad agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NomadConfig {
    /// The federation.
    pub region: RegionName,
    /// Its datacenter.
    pub datacenter: DatacenterName,
    /// Its name.
    pub node: NodeName,
    /// Its state, and on clients the folders of allocations.
    pub data_dir: &'static str,
    /// Where it listens: on every address of the family that others reach it by, or of both.
    pub listens: IpAddr,
    /// Where others reach its API.
    pub http: SocketAddr,
    /// Where others reach its RPC.
    pub rpc: SocketAddr,
    /// Where other servers gossip with it; on servers.
    pub serf: Option<SocketAddr>,
    /// For its own registration in Consul and that of its jobs.
    pub consul_token: Secret,
}

/// `server.hcl` of Nomad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NomadServer {
    /// How many servers the region is born with.
    pub bootstrap_expect: usize,
    /// Gossip key of the servers.
    pub gossip_key: Secret,
    /// The Nomad servers of the region.
    pub servers: Addresses,
    /// How strictly clients are admitted; absent where Nomad is too old to know the word.
    pub introduction: Option<&'static str>,
}

/// `client.hcl` of Nomad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NomadClient {
    /// The Nomad servers of the region.
    pub servers: Addresses,
    /// The namespaces whose jobs may run here.
    pub namespaces: BTreeSet<NamespaceName>,
    /// `meta.type`: `compute`, `batch`, `tryme` or `traefik`.
    pub kind: &'static str,
    /// Whether users' deployments run here.
    pub compute: bool,
    /// `meta.tags`: `cpu` or `gpu`.
    pub tags: &'static str,
    /// The left label of its users' URLs.
    pub domain: DomainLabel,
    /// The folder of its plugins: one of a version, where the host has GPUs.
    pub plugin_dir: String,
    /// Whether it has GPUs, and so a plugin that shows them.
    pub gpus: bool,
    /// Memory which no job gets; none on gateways.
    pub reserved_memory_mib: Option<u32>,
    /// Ports which no job gets: those of SSH.
    pub reserved_ports: String,
    /// The folder of the CNI plugins, if there are some.
    pub cni_path: Option<String>,
    /// Whether jobs may run as plain processes, which is as root.
    pub raw_exec: bool,
}

/// `nomad.service`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NomadUnit {
    /// The account it runs as, and its group.
    pub user: &'static str,
    /// Whether it runs jobs, and so needs Docker and many open files.
    pub client: bool,
    /// The mount point without which it must not start.
    pub volume: Option<&'static str>,
}

/// A Nomad ACL policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NomadPolicy {
    /// Whom it serves.
    #[serde(skip)]
    pub user: NomadUser,
    /// The namespaces of all VOs.
    pub namespaces: BTreeSet<NamespaceName>,
}

/// Whom a Nomad ACL policy serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NomadUser {
    /// The accounting service.
    Accounting,
    /// `atoll-agent`.
    Agent,
    /// Monitoring.
    Monitoring,
    /// The platform's API, which starts users' deployments.
    Papi,
    /// `atoll verify`.
    Verify,
}

impl NomadUser {
    /// All users, by name.
    pub const ALL: [Self; 5] = [
        Self::Accounting,
        Self::Agent,
        Self::Monitoring,
        Self::Papi,
        Self::Verify,
    ];

    /// The policy's name in Nomad.
    pub fn name(self) -> &'static str {
        self.names().0
    }

    pub(super) fn template(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Accounting => ("accounting", "nomad/policies/accounting.hcl.tera"),
            Self::Agent => ("atoll-agent", "nomad/policies/atoll-agent.hcl.tera"),
            Self::Monitoring => ("monitoring", "nomad/policies/monitoring.hcl.tera"),
            Self::Papi => ("papi", "nomad/policies/papi.hcl.tera"),
            Self::Verify => ("verify", "nomad/policies/verify.hcl.tera"),
        }
    }
}
