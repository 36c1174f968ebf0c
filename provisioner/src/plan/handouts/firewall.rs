//! Who must reach whom, and on which ports: what the firewalls of sites are set by.
//!
//! The ports are in [`FLOWS`], but for SSH and the delivery of usage records, whose ends the inventory
//! chooses. What is derived names groups of addresses and never pairs of hosts, so it grows with the
//! hosts and not with their square. Consul's API and DNS (8500 to 8503, 8600) are for the host
//! itself, and so stand nowhere.

use std::collections::{BTreeMap, BTreeSet};

use federation::names::DatacenterName;
use serde::{Deserialize, Serialize};

use crate::inventory::{Inventory, Site};

use super::super::accounting;
use super::groups::{Addresses, Group, Groups, Party};

/// Who must reach whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// The groups which the rules name.
    pub groups: BTreeMap<Group, Addresses>,
    /// The rules of each site.
    pub sites: BTreeMap<DatacenterName, SiteFirewall>,
    /// What sites open that are in no file of the inventory.
    pub external: Vec<Opening>,
}

/// The rules of a site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteFirewall {
    /// What it lets in.
    pub inward: Vec<Opening>,
    /// What it lets out, as far as its own people decide on that.
    pub outward: Vec<Opening>,
    /// What other sites let in for it.
    pub elsewhere: Vec<Opening>,
}

/// Ports that are open from one group to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Who opens connections.
    pub from: Group,
    /// Who is reached.
    pub to: Group,
    /// Over what.
    pub protocol: Protocol,
    /// A port, a range, or several of these joined by commas.
    pub ports: String,
    /// What for.
    pub why: String,
}

/// What a port is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// How far a flow goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Within a site.
    Site,
    /// From every site to every site.
    Federation,
    /// From somebody who belongs to no site.
    Inward,
    /// To somebody who belongs to no site.
    Outward,
}

/// A row of the matrix.
struct Flow {
    reach: Reach,
    from: Party,
    to: Party,
    protocols: &'static [Protocol],
    ports: &'static str,
    why: &'static str,
}

const TCP: &[Protocol] = &[Protocol::Tcp];
const UDP: &[Protocol] = &[Protocol::Udp];
const BOTH: &[Protocol] = &[Protocol::Tcp, Protocol::Udp];

const fn flow(
    reach: Reach,
    (from, to): (Party, Party),
    (protocols, ports): (&'static [Protocol], &'static str),
    why: &'static str,
) -> Flow {
    Flow {
        reach,
        from,
        to,
        protocols,
        ports,
        why,
    }
}

/// The matrix, but for SSH and the delivery of usage records, whose ends the inventory chooses.
const FLOWS: &[Flow] = {
    use Party::{
        Anybody, ApiCallers, ConsulServers, Gateways, Hosts, Monitoring, NomadClients,
        NomadServers, TimeServers, Workers,
    };
    use Reach::{Federation, Inward, Outward, Site};
    &[
        flow(Inward, (Anybody, Gateways), (TCP, "80,443"), "users' URLs"),
        flow(
            Inward,
            (Anybody, Gateways),
            (TCP, "8002-8003"),
            "NVFlare of users",
        ),
        flow(
            Inward,
            (ApiCallers, NomadServers),
            (TCP, "4646"),
            "Nomad's API",
        ),
        flow(
            Inward,
            (Monitoring, NomadServers),
            (TCP, "4646"),
            "metrics of Nomad",
        ),
        flow(
            Inward,
            (Monitoring, Gateways),
            (TCP, "8081"),
            "ping and metrics of Traefik",
        ),
        flow(
            Site,
            (Hosts, ConsulServers),
            (TCP, "8300"),
            "calls to Consul's servers",
        ),
        flow(
            Site,
            (Hosts, Hosts),
            (BOTH, "8301"),
            "Consul's gossip of a site",
        ),
        flow(
            Site,
            (Gateways, Workers),
            (BOTH, "20000-32000"),
            "users' jobs",
        ),
        flow(
            Federation,
            (ConsulServers, ConsulServers),
            (TCP, "8300"),
            "calls between Consul's servers",
        ),
        flow(
            Federation,
            (ConsulServers, ConsulServers),
            (BOTH, "8302"),
            "Consul's gossip between sites",
        ),
        flow(
            Federation,
            (NomadClients, NomadServers),
            (TCP, "4647"),
            "calls to Nomad's servers",
        ),
        flow(
            Federation,
            (NomadServers, NomadServers),
            (TCP, "4647"),
            "calls between Nomad's servers",
        ),
        flow(
            Federation,
            (NomadServers, NomadServers),
            (BOTH, "4648"),
            "gossip of Nomad's servers",
        ),
        flow(Outward, (Hosts, TimeServers), (UDP, "123"), "time"),
        flow(
            Outward,
            (NomadClients, Anybody),
            (TCP, "443"),
            "images and data of users' jobs",
        ),
    ]
};

/// Where usage records are delivered.
const ACCOUNTING: (Protocol, u16, &str) = (Protocol::Tcp, accounting::PORT, "usage records");

/// Works out the rules of all sites.
pub(super) fn firewall(inventory: &Inventory) -> Firewall {
    let parties = FLOWS.iter().flat_map(|flow| [flow.from, flow.to]);
    let mut matrix = Matrix {
        inventory,
        groups: Groups::new(inventory),
        counts: parties
            .map(|party| (party, count(inventory, party)))
            .collect(),
    };
    let mut sites: BTreeMap<_, _> = inventory
        .sites
        .iter()
        .map(|(name, site)| (name.clone(), matrix.site(site)))
        .collect();
    matrix.accounting(&mut sites);
    let external = matrix.external();
    Firewall {
        groups: matrix.groups.into_named(),
        sites,
        external,
    }
}

struct Matrix<'a> {
    inventory: &'a Inventory,
    groups: Groups<'a>,
    /// How many there are in the whole federation, external ones included.
    counts: BTreeMap<Party, usize>,
}

impl Matrix<'_> {
    fn site(&mut self, site: &Site) -> SiteFirewall {
        let mut rules = SiteFirewall {
            inward: self.ssh(site),
            ..SiteFirewall::default()
        };
        for flow in FLOWS {
            match flow.reach {
                Reach::Inward => rules.inward.extend(self.inward(site, flow)),
                Reach::Site => rules.inward.extend(self.within(site, flow)),
                Reach::Outward => rules.outward.extend(self.outward(site, flow)),
                Reach::Federation => {
                    rules.inward.extend(self.let_in(site, flow));
                    rules.elsewhere.extend(self.asked_of_others(site, flow));
                }
            }
        }
        rules
    }

    /// SSH, directly or by way of the site's jump hosts.
    fn ssh(&mut self, site: &Site) -> Vec<Opening> {
        let to_hosts = site
            .hosts
            .values()
            .map(|host| host.ssh.port.unwrap_or(site.ssh.port));
        let to_hosts = ports(to_hosts);
        let operators = self.groups.everywhere(Party::Operators);
        let hosts = self.groups.inside(site, Party::Hosts);
        let ssh = |from: &Group, to: &Group, ports| Opening {
            from: from.clone(),
            to: to.clone(),
            protocol: Protocol::Tcp,
            ports,
            why: "SSH of operators".to_owned(),
        };
        if site.ssh.jump.is_empty() {
            return vec![ssh(&operators, &hosts, to_hosts)];
        }
        let jump_hosts = self.groups.inside(site, Party::JumpHosts);
        let to_jump_hosts = ports(site.ssh.jump.iter().map(|jump| jump.port));
        vec![
            ssh(&operators, &jump_hosts, to_jump_hosts),
            ssh(&jump_hosts, &hosts, to_hosts),
        ]
    }

    fn inward(&mut self, site: &Site, flow: &Flow) -> Vec<Opening> {
        let access = &self.inventory.federation.access;
        let is_there = match flow.from {
            Party::ApiCallers => !access.api.is_empty(),
            Party::Monitoring => !access.monitoring.is_empty(),
            _ => true,
        };
        if !is_there || !flow.to.is_at(site) {
            return Vec::new();
        }
        let from = self.groups.everywhere(flow.from);
        flow.between(&from, &self.groups.outside(site, flow.to))
    }

    fn within(&mut self, site: &Site, flow: &Flow) -> Vec<Opening> {
        if site.hosts.len() < 2 || !flow.from.is_at(site) || !flow.to.is_at(site) {
            return Vec::new();
        }
        let from = self.groups.inside(site, flow.from);
        flow.between(&from, &self.groups.inside(site, flow.to))
    }

    fn outward(&mut self, site: &Site, flow: &Flow) -> Vec<Opening> {
        if !flow.from.is_at(site) {
            return Vec::new();
        }
        // Without servers of its own a host asks those of its distribution, wherever they are.
        let to = match flow.to {
            Party::TimeServers if !site.ntp.is_empty() => self.groups.inside(site, flow.to),
            _ => self.groups.everywhere(Party::Anybody),
        };
        flow.between(&self.groups.inside(site, flow.from), &to)
    }

    /// What a site lets in from all sites, itself included: its own hosts take the same way.
    fn let_in(&mut self, site: &Site, flow: &Flow) -> Vec<Opening> {
        let alone = flow.from == flow.to && self.count(flow.from) < 2;
        if alone || !flow.to.is_at(site) || self.count(flow.from) == 0 {
            return Vec::new();
        }
        let from = self.groups.everywhere(flow.from);
        flow.between(&from, &self.groups.outside(site, flow.to))
    }

    /// What the other sites let in for a site.
    fn asked_of_others(&mut self, site: &Site, flow: &Flow) -> Vec<Opening> {
        let is_elsewhere = self.count(flow.to) > flow.to.hosts(site).count();
        if !is_elsewhere || !flow.from.is_at(site) {
            return Vec::new();
        }
        let from = self.groups.outside(site, flow.from);
        flow.between(&from, &self.groups.everywhere(flow.to))
    }

    fn count(&self, party: Party) -> usize {
        self.counts.get(&party).copied().unwrap_or(0)
    }

    fn external(&mut self) -> Vec<Opening> {
        let mut rules = Vec::new();
        for flow in FLOWS.iter().filter(|flow| flow.reach == Reach::Federation) {
            let is_there = flow.to.external(self.inventory).next().is_some();
            let is_reached = (self.inventory.sites.values()).any(|site| flow.from.is_at(site));
            if is_there && is_reached {
                let from = self.groups.everywhere(flow.from);
                rules.extend(flow.between(&from, &self.groups.external(flow.to)));
            }
        }
        rules
    }

    /// Each site delivers to one host, of its own or of another site.
    fn accounting(&mut self, sites: &mut BTreeMap<DatacenterName, SiteFirewall>) {
        let inventory = self.inventory;
        for site in inventory.sites.values() {
            let Some((other, _)) = inventory
                .accounting(site)
                .filter(|_| Party::NomadClients.is_at(site))
            else {
                continue;
            };
            let is_own = other.datacenter == site.datacenter;
            let (from, to) = if is_own {
                (
                    self.groups.inside(site, Party::NomadClients),
                    self.groups.inside(site, Party::Accounting),
                )
            } else {
                (
                    self.groups.outside(site, Party::NomadClients),
                    self.groups.outside(other, Party::Accounting),
                )
            };
            let (protocol, port, why) = ACCOUNTING;
            let rule = Opening {
                from,
                to,
                protocol,
                ports: port.to_string(),
                why: why.to_owned(),
            };
            if let Some(rules) = sites.get_mut(&site.datacenter).filter(|_| !is_own) {
                rules.elsewhere.push(rule.clone());
            }
            if let Some(rules) = sites.get_mut(&other.datacenter) {
                rules.inward.push(rule);
            }
        }
    }
}

impl Flow {
    fn between(&self, from: &Group, to: &Group) -> Vec<Opening> {
        let openings = self.protocols.iter().map(|protocol| Opening {
            from: from.clone(),
            to: to.clone(),
            protocol: *protocol,
            ports: self.ports.to_owned(),
            why: self.why.to_owned(),
        });
        openings.collect()
    }
}

fn count(inventory: &Inventory, party: Party) -> usize {
    let sites = inventory.sites.values();
    let own: usize = sites.map(|site| party.hosts(site).count()).sum();
    own + party.external(inventory).count()
}

fn ports(ports: impl Iterator<Item = u16>) -> String {
    let ports: BTreeSet<_> = ports.collect();
    let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
    ports.join(",")
}
