//! One machine of a site.

use std::collections::BTreeSet;
use std::net::IpAddr;

use federation::names::{NodeName, UserName, VoName};

use super::{Extra, Waiver};

/// One machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Unique in the federation: `<datacenter>-<host>` unless the file says `name:`.
    pub node: NodeName,
    /// What it does; never empty.
    pub roles: BTreeSet<Role>,
    /// Its address inside the site; also where SSH connects, unless `ssh` says otherwise.
    pub address: IpAddr,
    /// Its address as other sites and users see it; the same where nothing else is said.
    pub public_address: IpAddr,
    /// What a client is for.
    pub kind: Kind,
    /// The VOs it serves: the site's, unless the host narrows them.
    pub vos: BTreeSet<VoName>,
    /// Its GPUs, if it has some.
    pub gpus: Option<Gpus>,
    /// Its disk for jobs and images, if it has one.
    pub volume: Option<Volume>,
    /// Where it differs from its site in how it is reached.
    pub ssh: HostSsh,
    /// Checks that are not to be made here.
    pub waived: Vec<Waiver>,
    /// The operator's own words in the files of products.
    pub extra: Extra,
}

/// The GPUs that a host should turn out to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpus {
    /// Their model as the driver names it: `NVIDIA A100-PCIE-40GB`; absent while nobody knows.
    pub model: Option<String>,
    /// How many; absent while nobody knows.
    pub count: Option<u32>,
}

/// What a host does. The file's `server` means both kinds of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A Consul server.
    ConsulServer,
    /// A Nomad server.
    NomadServer,
    /// Runs Traefik, as a Nomad client of its own type.
    Gateway,
    /// Runs users' jobs.
    Client,
    /// Runs the accounting service.
    Accounting,
}

/// What a client is for (`meta.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Deployments of users.
    Compute,
    /// Batch jobs.
    Batch,
    /// Short trials.
    TryMe,
}

/// A disk for jobs and images: one partition, XFS with project quotas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// The disk: `/dev/vdb`, `/dev/nvme1n1`, `/dev/disk/by-id/…`.
    pub device: String,
    /// The name of the partition (GPT), by which it is mounted.
    pub label: String,
}

/// Where a host differs from its site in how SSH reaches it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostSsh {
    /// Another address than `address`.
    pub address: Option<IpAddr>,
    /// Another port than the site's.
    pub port: Option<u16>,
    /// Another account than the site's.
    pub user: Option<UserName>,
}

/// What a Nomad client is to the platform (`meta.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeType {
    /// Runs users' deployments.
    Compute,
    /// Runs batch jobs.
    Batch,
    /// Runs short trials.
    TryMe,
    /// Runs Traefik.
    Gateway,
}

impl NodeType {
    /// All types.
    pub const ALL: [Self; 4] = [Self::Compute, Self::Batch, Self::TryMe, Self::Gateway];
}

impl Host {
    /// Whether the host has a role.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether a Nomad client runs here: on compute nodes and on gateways.
    pub fn is_nomad_client(&self) -> bool {
        self.has(Role::Client) || self.has(Role::Gateway)
    }

    /// What the host is to the platform, if a Nomad client runs here.
    pub fn node_type(&self) -> Option<NodeType> {
        if self.has(Role::Gateway) {
            return Some(NodeType::Gateway);
        }
        self.has(Role::Client).then_some(match self.kind {
            Kind::Compute => NodeType::Compute,
            Kind::Batch => NodeType::Batch,
            Kind::TryMe => NodeType::TryMe,
        })
    }
}
