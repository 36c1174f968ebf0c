//! Decides what each host and the federation should have.
//!
//! Planning is a pure function of the inventory. It opens no file, no socket
//! and no clock, so a plan can be computed anywhere, compared with another one
//! and reviewed before a single host is touched.
//!
//! ```text
//! Inventory ──plan()──▶ Plan ──render()──▶ Rendered ──apply──▶ hosts
//! ```
//!
//! A plan names the template of each file and the values which that template
//! sees. It holds no rendered text ([`crate::render`]), no secret but by name
//! ([`Secret`]), and knows nothing of what a host has today (`apply`).

mod accounting;
mod agent;
mod cleanup;
mod cni;
mod consul;
mod contexts;
mod docker;
mod extra;
mod file;
mod gpu;
mod handouts;
mod hold;
mod host;
mod kernel;
mod nomad;
mod origin;
mod peers;
mod secret;
mod services;
mod system;
mod tokens;
mod traefik;
mod tryme;
mod volume;

use std::collections::{BTreeMap, BTreeSet};

use federation::names::{DatacenterName, NodeName, RegionName};

use crate::inventory::Inventory;

/// What a host is and has, as the inventory says it.
pub use crate::inventory::{Gpus, NodeType};
pub use contexts::{
    AccountingSettings, AccountingUnit, Addresses, AgentConsulToken, AgentSettings, AgentUnit,
    AptPreferences, ConsulAcl, ConsulClient, ConsulConfig, ConsulPolicy, ConsulServer, ConsulUnit,
    DataMount, DockerDaemon, DockerUnit, ExtraHcl, HeldPackage, ImageCleanupJob, ImagePullScript,
    ImagePullTimer, ImagePullUnit, JournaldConfig, KernelFile, NomadClient, NomadConfig,
    NomadPolicy, NomadServer, NomadUnit, NomadUser, Pool, SiteOf, Template, TimesyncdConfig,
    TraefikAcme, TraefikDynamic, TraefikJob, TraefikStatic, VoOf,
};
pub use file::{Access, Authority, Content, Leaf, OnChange, PlannedFile, Service, Wave};
pub use handouts::{
    Datacenter, Datacenters, Firewall, Group, GroupAddresses, Handouts, Opening, Protocol, Record,
    SiteFirewall, Unlisted, Zone,
};
pub use host::{Account, Agents, Directory, HostPlan, Jump, Login, Package, Program, Unit};
pub use origin::{Origin, origin};
pub use secret::{Secret, SecretKind};
pub use services::{ConsulToken, FederationJob, Gateway, Services};
pub use traefik::{Given, Wildcards};
pub use volume::Storage;

/// What every host and the federation should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Nomad's region.
    pub region: RegionName,
    /// The datacenter which owns Consul's ACLs.
    pub primary: DatacenterName,
    /// The hosts by node name.
    pub hosts: BTreeMap<NodeName, HostPlan>,
    /// What is reached through the APIs of Consul and Nomad rather than on a host.
    pub services: Services,
    /// What people outside of Atoll are given.
    pub handouts: Handouts,
}

impl Plan {
    /// Every secret that Atoll makes, by name: what the federation's texts name, and what its
    /// bootstraps need.
    pub fn secrets(&self) -> BTreeSet<Secret> {
        let shared = [
            Secret::ConsulGossipKey,
            Secret::NomadGossipKey,
            Secret::ConsulManagementToken,
            Secret::NomadManagementToken,
        ];
        let tokens = self
            .services
            .consul_tokens
            .iter()
            .map(|token| token.secret.clone());
        shared.into_iter().chain(tokens).collect()
    }

    /// What is set through the APIs for these nodes and for all: no token, and no gateway, of others.
    pub fn services_for(&self, nodes: &BTreeSet<NodeName>) -> Services {
        let hosts = nodes.iter().filter_map(|node| self.hosts.get(node));
        let datacenters = hosts.map(|host| host.datacenter.clone()).collect();
        let mut services = self.services.clone();
        let tokens = &mut services.consul_tokens;
        tokens.retain(|token| token.secret.is_for(nodes, &datacenters));
        services
            .gateways
            .retain(|gateway| nodes.contains(&gateway.node));
        services
    }

    /// The host whose manifest says what was last set through the APIs: the first Consul server of
    /// the primary datacenter.
    pub fn keeper(&self) -> Option<&NodeName> {
        let mut hosts = self.hosts.values();
        let first = hosts.find(|host| host.agents.consul_server && host.datacenter == self.primary);
        first.map(|host| &host.node)
    }
}

/// Plans a whole inventory. A checked inventory always has a plan.
pub fn plan(inventory: &Inventory) -> Plan {
    let federation_peers = peers::FederationPeers::of(inventory);
    let hosts = inventory.sites.values().flat_map(|site| {
        let place = peers::Place::new(inventory, &federation_peers, site);
        site.hosts.iter().map(move |(name, host)| {
            let mut plan = host::host_plan(&place, name, host);
            // Many thousand plans wait together: what each reserved and did not use adds up.
            plan.files.shrink_to_fit();
            (host.node.clone(), plan)
        })
    });
    Plan {
        region: inventory.federation.name.clone(),
        primary: inventory.federation.primary.clone(),
        hosts: hosts.collect(),
        services: services::services(inventory),
        handouts: handouts::handouts(inventory),
    }
}
