//! What a federation should be, read from a folder of YAML files.
//!
//! ```text
//! folder ──tree──▶ values with positions ──decode──▶ Inventory ──check──▶ trusted
//! ```
//!
//! Everything past this room trusts these types: names are legal, unique and
//! resolvable, and every rule that can be checked without a host has been.
//! Host names are keys, so no order of a list has a meaning.

mod build;
mod check;
mod decode;
mod file;
mod problem;
mod read;
mod tree;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use federation::names::{
    DatacenterName, DomainLabel, DomainName, HostName, NamespaceName, NodeName, RegionName,
    SiteName, UserName, Version, VoName,
};

pub use problem::{InventoryError, Problem, Severity};
pub use read::{Loaded, load};

/// The whole federation: one document of its own, and one per site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// What all sites share.
    pub federation: Federation,
    /// The sites by datacenter; a site file is one datacenter.
    pub sites: BTreeMap<DatacenterName, Site>,
}

/// What all sites share (`federation.yaml`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federation {
    /// The federation's name, which is Nomad's region.
    pub name: RegionName,
    /// The Consul datacenter which owns ACLs and the mesh CA.
    pub primary: DatacenterName,
    /// The wanted version of each product.
    pub versions: Versions,
    /// Where Docker comes from.
    pub docker: Docker,
    /// How strictly new Nomad clients are admitted.
    pub introduction: Introduction,
    /// The image of the jobs that `verify` starts, such as `atoll/probe:1.35`.
    pub probe_image: String,
    /// Virtual organisations, each with its Nomad namespace and parent domain.
    pub vos: BTreeMap<VoName, Vo>,
    /// What hosts with NVIDIA GPUs get; there when any host has some.
    pub nvidia: Option<Nvidia>,
}

/// The versions of what a host with NVIDIA GPUs needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nvidia {
    /// Of the package `nvidia-driver`.
    pub driver: String,
    /// Of the package `nvidia-container-toolkit`, which gives Docker its runtime.
    pub toolkit: String,
    /// Of Nomad's device plugin, `nomad-device-nvidia`.
    pub plugin: Version,
}

/// The wanted version of each product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    /// Consul, on every host.
    pub consul: Version,
    /// Nomad, on every host.
    pub nomad: Version,
    /// Traefik, on gateways.
    pub traefik: Version,
}

/// Where Docker's packages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docker {
    /// Whose packages.
    pub source: DockerSource,
    /// The exact version, in the words of the package manager.
    pub version: String,
}

/// Whose Docker packages are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DockerSource {
    /// The distribution's `docker.io`.
    Distribution,
    /// Docker's own `docker-ce`.
    Vendor,
}

/// How strictly Nomad servers admit new clients (`client_introduction`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introduction {
    /// A client without an introduction token is refused.
    Strict,
    /// Such a client is admitted, with a warning in the log: for adopted federations.
    Warn,
}

/// A virtual organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vo {
    /// Its Nomad namespace.
    pub namespace: NamespaceName,
    /// The parent domain of its users' URLs, such as `deployments.cloud.example.org`.
    pub domain: DomainName,
}

/// One site file: one datacenter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// GOCDB name; absent means that accounting cannot be published.
    pub site: Option<SiteName>,
    /// Consul's and Nomad's datacenter.
    pub datacenter: DatacenterName,
    /// The left label of its users' URLs.
    pub domain: DomainLabel,
    /// How its hosts are reached.
    pub ssh: Ssh,
    /// The VOs it serves.
    pub vos: BTreeSet<VoName>,
    /// Its hosts.
    pub hosts: BTreeMap<HostName, Host>,
}

/// How the hosts of a site are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// The account, which has sudo without a password.
    pub user: UserName,
    /// The TCP port; 22 when absent from the file.
    pub port: u16,
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Unique in the federation: `<datacenter>-<host>` unless the file says `name:`.
    pub node: NodeName,
    /// What it does; never empty.
    pub roles: BTreeSet<Role>,
    /// Its address inside the site; also where SSH connects.
    pub address: IpAddr,
    /// Its address as other sites and users see it; the same where nothing else is said.
    pub public_address: IpAddr,
    /// What a client is for.
    pub kind: Kind,
    /// The VOs it serves: the site's, unless the host narrows them.
    pub vos: BTreeSet<VoName>,
    /// Its GPUs, if it has some.
    pub gpus: Option<Gpus>,
}

/// The GPUs that a host should turn out to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpus {
    /// Their model as the driver names it: `NVIDIA A100-PCIE-40GB`.
    pub model: String,
    /// How many.
    pub count: u32,
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

impl Host {
    /// Whether the host has a role.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether a Nomad client runs here: on compute nodes and on gateways.
    pub fn is_nomad_client(&self) -> bool {
        self.has(Role::Client) || self.has(Role::Gateway)
    }
}
