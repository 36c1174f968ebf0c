//! The DNS records of users' URLs.
//!
//! Users' hosts are `<job>.<site>-<VO's domain>`, with a hyphen: what is to be recorded stands beside
//! the VO's domain and not below it, so it belongs to the zone of that domain's parent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use federation::names::DomainName;

use crate::inventory::{Inventory, Role, Site};

/// A zone, as far as it is about gateways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its name, without a trailing dot: `cloud.example.org`.
    pub name: String,
    /// Its records, by name. Each stands for itself and for all names below it.
    pub records: Vec<Record>,
}

/// A name and its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name within the zone: `one-deployments`.
    pub name: String,
    /// The public addresses of the site's gateways.
    pub addresses: BTreeSet<IpAddr>,
}

/// The zones of a federation, by name.
pub(super) fn zones(inventory: &Inventory) -> Vec<Zone> {
    let mut zones: BTreeMap<String, BTreeMap<String, BTreeSet<IpAddr>>> = BTreeMap::new();
    for site in inventory.sites.values() {
        let addresses = gateways(site);
        if addresses.is_empty() {
            continue;
        }
        for domain in inventory.namespaces(&site.vos).into_values() {
            let (name, zone) = placed(site, domain);
            let records = zones.entry(zone).or_default();
            records.entry(name).or_default().extend(&addresses);
        }
    }
    let zone = |(name, records): (_, BTreeMap<_, _>)| Zone {
        name,
        records: records
            .into_iter()
            .map(|(name, addresses)| Record { name, addresses })
            .collect(),
    };
    zones.into_iter().map(zone).collect()
}

fn gateways(site: &Site) -> BTreeSet<IpAddr> {
    let gateways = site.hosts.values().filter(|host| host.has(Role::Gateway));
    gateways.map(|host| host.public_address).collect()
}

/// The name of a site's record for a VO's domain, and the zone in which it stands.
fn placed(site: &Site, domain: &DomainName) -> (String, String) {
    // A domain name has two labels at least.
    let (label, zone) = domain.as_str().split_once('.').unwrap_or_default();
    (format!("{}-{label}", site.domain), zone.to_owned())
}
