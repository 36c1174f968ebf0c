//! Who an agent must find: worked out once, shared by all hosts.

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
        let public = |role| {
            let hosts = inventory
                .sites
                .values()
                .flat_map(|site| site.hosts.values());
            addresses(hosts, role, |host| host.public_address)
        };
        Self {
            consul_servers: public(Role::ConsulServer),
            nomad_servers: public(Role::NomadServer),
        }
    }
}

impl<'a> Place<'a> {
    pub(super) fn new(
        inventory: &'a Inventory,
        federation: &'a FederationPeers,
        site: &'a Site,
    ) -> Self {
        let consul_servers =
            addresses(site.hosts.values(), Role::ConsulServer, |host| host.address);
        Self {
            inventory,
            federation,
            site,
            consul_servers,
        }
    }
}

fn addresses<'a>(
    hosts: impl Iterator<Item = &'a Host>,
    role: Role,
    address: impl Fn(&Host) -> IpAddr,
) -> Addresses {
    hosts.filter(|host| host.has(role)).map(address).collect()
}
