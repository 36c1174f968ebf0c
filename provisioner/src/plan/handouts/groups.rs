//! Sets of addresses that rules of firewalls are about.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::inventory::{Host, Inventory, Role, Site, is_private};

/// The name of a set of addresses: `consul-servers` of all sites, `example-one/hosts` of one, and
/// `example-one/gateways/public` as others see them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Group(String);

/// The addresses of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// Networks, addresses, or names where only names are known; in their own order.
    pub members: Vec<String>,
    /// Whether the group is meant for others, who cannot see some of these addresses.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}

/// What a host, or somebody elsewhere, is in the matrix of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Party {
    Anybody,
    Operators,
    ApiCallers,
    Monitoring,
    JumpHosts,
    TimeServers,
    Hosts,
    ConsulServers,
    NomadServers,
    NomadClients,
    Workers,
    Gateways,
    Accounting,
}

impl Party {
    fn name(self) -> &'static str {
        match self {
            Self::Anybody => "anybody",
            Self::Operators => "operators",
            Self::ApiCallers => "api-callers",
            Self::Monitoring => "monitoring",
            Self::JumpHosts => "jump-hosts",
            Self::TimeServers => "time-servers",
            Self::Hosts => "hosts",
            Self::ConsulServers => "consul-servers",
            Self::NomadServers => "nomad-servers",
            Self::NomadClients => "nomad-clients",
            Self::Workers => "workers",
            Self::Gateways => "gateways",
            Self::Accounting => "accounting",
        }
    }

    /// The hosts of a site that are this.
    pub(super) fn hosts(self, site: &Site) -> impl Iterator<Item = &Host> {
        site.hosts.values().filter(move |host| match self {
            Self::Hosts => true,
            Self::ConsulServers => host.has(Role::ConsulServer),
            Self::NomadServers => host.has(Role::NomadServer),
            Self::NomadClients => host.is_nomad_client(),
            Self::Workers => host.has(Role::Client) && !host.has(Role::Gateway),
            Self::Gateways => host.has(Role::Gateway),
            Self::Accounting => host.has(Role::Accounting),
            _ => false,
        })
    }

    /// Whether a site has some.
    pub(super) fn is_at(self, site: &Site) -> bool {
        self.hosts(site).next().is_some()
    }

    /// Servers that belong to sites which are in no file of the inventory.
    pub(super) fn external(self, inventory: &Inventory) -> impl Iterator<Item = IpAddr> {
        let external = &inventory.federation.external;
        let servers = match self {
            Self::ConsulServers => Some(&external.consul_servers),
            Self::NomadServers => Some(&external.nomad_servers),
            _ => None,
        };
        servers.into_iter().flatten().copied()
    }
}

/// The groups that rules have named so far. Each is worked out once.
pub(super) struct Groups<'a> {
    inventory: &'a Inventory,
    named: BTreeMap<Group, Addresses>,
}

impl<'a> Groups<'a> {
    pub(super) fn new(inventory: &'a Inventory) -> Self {
        Self {
            inventory,
            named: BTreeMap::new(),
        }
    }

    pub(super) fn into_named(self) -> BTreeMap<Group, Addresses> {
        self.named
    }

    /// A party of a site, as the site itself sees it.
    pub(super) fn inside(&mut self, site: &Site, party: Party) -> Group {
        self.name(
            format!("{}/{}", site.datacenter, party.name()),
            |_| match party {
                Party::JumpHosts => names(site.ssh.jump.iter().map(|jump| jump.host.clone())),
                Party::TimeServers => names(site.ntp.iter().cloned()),
                Party::Hosts if !site.networks.is_empty() => networks(&site.networks),
                _ => hosts(party.hosts(site).map(|host| host.address)),
            },
        )
    }

    /// A party of a site, as others see it.
    pub(super) fn outside(&mut self, site: &Site, party: Party) -> Group {
        let name = format!("{}/{}/public", site.datacenter, party.name());
        self.name(name, |_| {
            public(party.hosts(site).map(|host| host.public_address))
        })
    }

    /// A party of the whole federation, or somebody who belongs to no site.
    pub(super) fn everywhere(&mut self, party: Party) -> Group {
        self.name(party.name().to_owned(), |inventory| {
            let access = &inventory.federation.access;
            match party {
                Party::Anybody => names(["0.0.0.0/0", "::/0"].map(str::to_owned).into_iter()),
                Party::Operators => networks(&access.ssh),
                Party::ApiCallers => networks(&access.api),
                Party::Monitoring => networks(&access.monitoring),
                _ => {
                    let own = inventory.sites.values().flat_map(|site| party.hosts(site));
                    let own = own.map(|host| host.public_address);
                    public(own.chain(party.external(inventory)))
                }
            }
        })
    }

    /// Servers of sites that are in no file of the inventory.
    pub(super) fn external(&mut self, party: Party) -> Group {
        self.name(format!("external/{}", party.name()), |inventory| {
            hosts(party.external(inventory))
        })
    }

    fn name(&mut self, name: String, addresses: impl FnOnce(&Inventory) -> Addresses) -> Group {
        let group = Group(name);
        if !self.named.contains_key(&group) {
            self.named.insert(group.clone(), addresses(self.inventory));
        }
        group
    }
}

fn names(names: impl Iterator<Item = String>) -> Addresses {
    Addresses {
        members: names.collect(),
        private: false,
    }
}

fn hosts(addresses: impl Iterator<Item = IpAddr>) -> Addresses {
    networks(&addresses.map(IpNet::from).collect::<Vec<_>>())
}

/// Addresses that are to be seen by others, and a word on those that cannot be.
fn public(addresses: impl Iterator<Item = IpAddr>) -> Addresses {
    let addresses: Vec<_> = addresses.collect();
    Addresses {
        private: addresses.iter().copied().any(is_private),
        ..hosts(addresses.into_iter())
    }
}

/// As few networks as say the same; a whole network is never said where a part of it was meant.
fn networks(networks: &[IpNet]) -> Addresses {
    let shown = |network: IpNet| {
        if network.prefix_len() == network.max_prefix_len() {
            network.addr().to_string()
        } else {
            network.to_string()
        }
    };
    names(IpNet::aggregate(&networks.to_vec()).into_iter().map(shown))
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_said_shortly_and_exactly() {
        let said = |texts: &[&str]| {
            let addresses = texts.iter().map(|text| text.parse().unwrap());
            hosts(addresses).members.join(" ")
        };
        for (addresses, expected) in [
            (&["198.51.100.3", "198.51.100.2"][..], "198.51.100.2/31"),
            (
                &["198.51.100.2", "198.51.100.1"],
                "198.51.100.1 198.51.100.2",
            ),
            (
                &["2001:db8::1", "192.0.2.1", "192.0.2.1"],
                "192.0.2.1 2001:db8::1",
            ),
            (&[], ""),
        ] {
            assert_eq!(said(addresses), expected);
        }
    }
}
