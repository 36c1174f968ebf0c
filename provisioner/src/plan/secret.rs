//! Secrets by name: what a plan may say of them.

use std::collections::BTreeSet;
use std::fmt;

use federation::names::{DatacenterName, NodeName};
use serde::{Serialize, Serializer};

/// A secret of the federation, of a datacenter or of a node, by name only.
///
/// In a rendered text it is the placeholder `@secret(<name>)@`; what it stands
/// for is known to the operator's store and to the host it is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Secret {
    /// Gossip key of Consul, for the whole federation.
    ConsulGossipKey,
    /// Gossip key of Nomad's servers.
    NomadGossipKey,
    /// Consul's management token, made at the bootstrap.
    ConsulManagementToken,
    /// Nomad's management token, made at the bootstrap.
    NomadManagementToken,
    /// Token for Consul's DNS queries in a datacenter.
    ConsulDnsToken(DatacenterName),
    /// Token with which a datacenter replicates tokens from the primary.
    ConsulReplicationToken(DatacenterName),
    /// Token with which the gateways of a datacenter read the catalog.
    ConsulTraefikToken(DatacenterName),
    /// Token of a node's Consul agent.
    ConsulAgentToken(NodeName),
    /// Token with which a node's Nomad agent talks to Consul.
    ConsulNomadToken(NodeName),
    /// Token with which a node's `atoll-agent` registers its capacity.
    ConsulCapacityToken(NodeName),
    /// A wildcard certificate for the gateways of a datacenter, by the name of its item.
    GatewayCertificate(DatacenterName, String),
    /// The private key of such a certificate.
    GatewayKey(DatacenterName, String),
}

/// The form of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// A random UUID: Consul's and Nomad's tokens.
    Uuid,
    /// 32 random bytes in base64: gossip keys.
    Key32,
    /// PEM that others have made: it is given, and never made here.
    Given,
}

impl Secret {
    /// The form of its value.
    pub fn kind(&self) -> SecretKind {
        match self {
            Self::ConsulGossipKey | Self::NomadGossipKey => SecretKind::Key32,
            Self::GatewayCertificate(..) | Self::GatewayKey(..) => SecretKind::Given,
            _ => SecretKind::Uuid,
        }
    }

    /// Whether it is for these nodes: their own, one of a datacenter of theirs, or everybody's.
    pub fn is_for(
        &self,
        nodes: &BTreeSet<NodeName>,
        datacenters: &BTreeSet<DatacenterName>,
    ) -> bool {
        match self {
            Self::ConsulGossipKey
            | Self::NomadGossipKey
            | Self::ConsulManagementToken
            | Self::NomadManagementToken => true,
            Self::ConsulDnsToken(datacenter)
            | Self::ConsulReplicationToken(datacenter)
            | Self::ConsulTraefikToken(datacenter)
            | Self::GatewayCertificate(datacenter, _)
            | Self::GatewayKey(datacenter, _) => datacenters.contains(datacenter),
            Self::ConsulAgentToken(node)
            | Self::ConsulNomadToken(node)
            | Self::ConsulCapacityToken(node) => nodes.contains(node),
        }
    }

    /// What a rendered text holds in its place.
    pub fn placeholder(&self) -> String {
        format!("@secret({self})@")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConsulGossipKey => f.write_str("consul/gossip-key"),
            Self::NomadGossipKey => f.write_str("nomad/gossip-key"),
            Self::ConsulManagementToken => f.write_str("consul/management-token"),
            Self::NomadManagementToken => f.write_str("nomad/management-token"),
            Self::ConsulDnsToken(dc) => write!(f, "datacenter/{dc}/consul/dns-token"),
            Self::ConsulReplicationToken(dc) => {
                write!(f, "datacenter/{dc}/consul/replication-token")
            }
            Self::ConsulTraefikToken(dc) => write!(f, "datacenter/{dc}/consul/traefik-token"),
            Self::ConsulAgentToken(node) => write!(f, "node/{node}/consul/agent-token"),
            Self::ConsulNomadToken(node) => write!(f, "node/{node}/consul/nomad-token"),
            Self::ConsulCapacityToken(node) => write!(f, "node/{node}/consul/capacity-token"),
            Self::GatewayCertificate(dc, name) => {
                write!(f, "datacenter/{dc}/traefik/{name}/certificate")
            }
            Self::GatewayKey(dc, name) => write!(f, "datacenter/{dc}/traefik/{name}/key"),
        }
    }
}

/// In a template's context a secret is its placeholder.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.placeholder())
    }
}
