//! Who an agent must find: worked out once, shared by all hosts.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::inventory::{Host, Inventory, Role, Site};

use super::Addresses;

/// The servers that agents of every site must find.
#[derive(Debug)]
pub(super) struct FederationPeers {
    /// All Consul servers, as other sites see them.
    pub(super) consul_servers: Addresses,
    /// All Nomad servers of the region, as other sites see them.
    pub(super) nomad_servers: Addresses,
}

/// A site within its federation: all that a host's plan depends on beside the host.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    /// What is wanted of the whole federation.
    pub(super) inventory: &'a Inventory,
    /// The servers that agents of every site must find.
    pub(super) federation: &'a FederationPeers,
    /// The site itself.
    pub(super) site: &'a Site,
    /// The Consul servers of the site, as its own hosts see them.
    pub(super) consul_servers: Addresses,
}

impl FederationPeers {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let public = |role, external: &BTreeSet<IpAddr>| {
            let hosts = inventory
                .sites
                .values()
                .flat_map(|site| site.hosts.values());
            let here = of_role(hosts, role).map(|host| host.public_address);
            here.chain(external.iter().copied()).collect()
        };
        let external = &inventory.federation.external;
        Self {
            consul_servers: public(Role::ConsulServer, &external.consul_servers),
            nomad_servers: public(Role::NomadServer, &external.nomad_servers),
        }
    }
}

impl<'a> Place<'a> {
    pub(super) fn new(
        inventory: &'a Inventory,
        federation: &'a FederationPeers,
        site: &'a Site,
    ) -> Self {
        let consul_servers = of_role(site.hosts.values(), Role::ConsulServer);
        Self {
            inventory,
            federation,
            site,
            consul_servers: consul_servers.map(|host| host.address).collect(),
        }
    }
}

fn of_role<'a>(
    hosts: impl Iterator<Item = &'a Host>,
    role: Role,
) -> impl Iterator<Item = &'a Host> {
    hosts.filter(move |host| host.has(role))
}
