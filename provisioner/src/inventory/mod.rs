//! What a federation should be, read from a folder of YAML files.
//!
//! ```text
//! folder ──tree──▶ values with positions ──decode──▶ Inventory ──check──▶ trusted
//! ```
//!
//! Everything past this room trusts these types: names are legal, unique and
//! resolvable, and every rule that can be checked without a host has been.
//! Host names are keys, so no order of a list has a meaning.

mod assemble;
mod build;
mod check;
mod checks;
mod decode;
mod federation;
mod file;
mod host;
mod outline;
mod private;
mod problem;
mod read;
mod schema;
mod site;
mod skeleton;
mod spelling;
mod tree;
mod word;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use ::federation::names::{DatacenterName, DomainName, NamespaceName, NodeName, VoName};

pub use checks::{NEVER_WAIVED, WAIVABLE};
pub use federation::{
    Access, Clients, Docker, DockerSource, External, Extra, Federation, ImageCleanup, Introduction,
    Nvidia, TryMe, Versions, Vo,
};
pub use host::{Gpus, Host, HostSsh, Kind, NodeType, Role, Volume};
pub use private::is_private;
pub use problem::{InventoryError, Problem, Severity};
pub use read::{Draft, Loaded, files, judge, load, load_with};
pub use schema::{Document, schema};
pub use site::{AddressPool, Certificates, Jump, Location, Pue, Site, Ssh, State, Waiver};
pub use skeleton::{NewFederation, NewSite, NewVo, Suggestions, drafts, host_address, site_file};
pub(crate) use spelling::nearest;
pub(crate) use tree::{Entry, Node, Style, Value};
pub use word::{CountryCode, Decimal, Email};
pub(crate) use yaml::{MAX_FILE_BYTES, ansible as ansible_yaml};

/// The whole federation: one document of its own, and one per site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// What all sites share.
    pub federation: Federation,
    /// The sites by datacenter; a site file is one datacenter.
    pub sites: BTreeMap<DatacenterName, Site>,
}

impl Inventory {
    /// The site which owns Consul's ACLs.
    pub fn is_primary(&self, site: &Site) -> bool {
        site.datacenter == self.federation.primary
    }

    /// Where the nodes of a site deliver their usage records: to a host of their own site,
    /// else of the primary one, else of the first that has one.
    pub fn accounting<'a>(&'a self, site: &'a Site) -> Option<(&'a Site, &'a Host)> {
        let primary = self.sites.get(&self.federation.primary);
        std::iter::once(site)
            .chain(primary)
            .chain(self.sites.values())
            .find_map(|site| {
                let mut hosts = site.hosts.values();
                Some((site, hosts.find(|host| host.has(Role::Accounting))?))
            })
    }

    /// Every host of the federation with its site, by node name.
    pub fn hosts(&self) -> BTreeMap<&NodeName, (&Site, &Host)> {
        self.sites
            .values()
            .flat_map(|site| {
                site.hosts
                    .values()
                    .map(move |host| (&host.node, (site, host)))
            })
            .collect()
    }

    /// The parent domain and namespace of each VO that a site serves, by namespace.
    pub fn namespaces<'a>(
        &'a self,
        vos: &'a BTreeSet<VoName>,
    ) -> BTreeMap<&'a NamespaceName, &'a DomainName> {
        vos.iter()
            .filter_map(|vo| self.federation.vos.get(vo))
            .map(|vo| (&vo.namespace, &vo.domain))
            .collect()
    }
}
