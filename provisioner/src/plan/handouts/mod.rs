//! What people outside of Atoll are given, who set it up elsewhere: firewalls, DNS, the platform's
//! list of datacenters.

mod datacenters;
mod firewall;
mod groups;
mod zones;

use crate::inventory::Inventory;

pub use datacenters::{Datacenter, Datacenters, Unlisted};
pub use firewall::{Firewall, Opening, Protocol, SiteFirewall};
pub use groups::{Addresses as GroupAddresses, Group};
pub use zones::{Record, Zone};

/// What people outside of Atoll are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handouts {
    /// Who must reach whom.
    pub firewall: Firewall,
    /// The records of users' URLs, a zone for each parent of VOs' domains.
    pub zones: Vec<Zone>,
    /// The datacenters as the platform's API lists them.
    pub datacenters: Datacenters,
}

/// Plans what people outside are given.
pub(super) fn handouts(inventory: &Inventory) -> Handouts {
    Handouts {
        firewall: firewall::firewall(inventory),
        zones: zones::zones(inventory),
        datacenters: datacenters::datacenters(inventory),
    }
}
