//! What the templates of Consul's files and policies see.

use std::net::IpAddr;

use federation::names::{DatacenterName, NodeName};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::Addresses;
use crate::plan::Secret;

/// `consul.hcl`, of every Consul agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsulConfig {
    /// Its datacenter.
    pub datacenter: DatacenterName,
    /// The datacenter which owns ACLs.
    pub primary_datacenter: DatacenterName,
    /// Its name.
    pub node: NodeName,
    /// Where it listens, and where its own site reaches it.
    pub address: IpAddr,
    /// The Consul servers of its site.
    pub servers: Addresses,
    /// Whether it is a server, and so has a certificate of its own.
    pub server: bool,
    /// The federation's gossip key.
    pub gossip_key: Secret,
}

/// `acl.hcl`, of every Consul agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsulAcl {
    /// For the agent's own writes.
    pub agent_token: Secret,
    /// For DNS queries.
    pub dns_token: Secret,
    /// On servers outside the primary datacenter.
    pub replication_token: Option<Secret>,
}

/// `server.hcl` of Consul.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsulServer {
    /// How many servers the datacenter is born with.
    pub bootstrap_expect: usize,
    /// Where servers of other sites reach it.
    pub public_address: IpAddr,
    /// The Consul servers of all sites.
    pub federation_servers: Addresses,
}

/// `client.hcl` of Consul: the same on every client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsulClient {}

/// `consul.service`: the same on every host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsulUnit {}

/// A Consul ACL policy; its rules depend on no inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsulPolicy {
    /// `atoll` itself, in place of the management token.
    Atoll,
    /// `atoll-agent`.
    AtollAgent,
    /// Consul's DNS queries.
    DnsRead,
    /// Nomad clients.
    NomadClient,
    /// Nomad servers.
    NomadServer,
    /// Consul servers outside the primary datacenter.
    Replication,
    /// Monitoring.
    StatusRead,
    /// Traefik.
    TraefikRead,
}

impl ConsulPolicy {
    /// All policies, by name.
    pub const ALL: [Self; 8] = [
        Self::Atoll,
        Self::AtollAgent,
        Self::DnsRead,
        Self::NomadClient,
        Self::NomadServer,
        Self::Replication,
        Self::StatusRead,
        Self::TraefikRead,
    ];

    /// Its name in Consul.
    pub fn name(self) -> &'static str {
        self.names().0
    }

    pub(super) fn template(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Atoll => ("atoll", "consul/policies/atoll.hcl.tera"),
            Self::AtollAgent => ("atoll-agent", "consul/policies/atoll-agent.hcl.tera"),
            Self::DnsRead => ("dns-read", "consul/policies/dns-read.hcl.tera"),
            Self::NomadClient => ("nomad-client", "consul/policies/nomad-client.hcl.tera"),
            Self::NomadServer => ("nomad-server", "consul/policies/nomad-server.hcl.tera"),
            Self::Replication => ("replication", "consul/policies/replication.hcl.tera"),
            Self::StatusRead => ("status-read", "consul/policies/status-read.hcl.tera"),
            Self::TraefikRead => ("traefik-read", "consul/policies/traefik-read.hcl.tera"),
        }
    }
}

/// Its template sees nothing.
impl Serialize for ConsulPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_map(Some(0))?.end()
    }
}
