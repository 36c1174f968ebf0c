//! The keys of the files, and what each becomes.
//!
//! A file structure is what could be read: each part that could not is `None`,
//! and has been reported. No rule between two values is here (see `check`).

mod extra;
mod federation;
mod host;
mod scalar;
mod site;
mod tryme;

use std::net::IpAddr;

use ::federation::names::{
    DatacenterName, DomainLabel, DomainName, HostName, NameError, NamespaceName, NodeName,
    RegionName, SiteName, UserName, Version, VoName,
};
use ipnet::IpNet;

use super::decode::{Lines, Spot, Tree};
use super::problem::Place;
use super::{
    Docker, Email, Gpus, HostSsh, ImageCleanup, Introduction, Jump, Kind, Location, NodeType,
    Nvidia, Role, State, Volume,
};

pub(super) use federation::federation;
pub(super) use site::site;

/// `federation.yaml`.
pub(super) struct FederationFile {
    pub(super) name: Option<Spot<RegionName>>,
    pub(super) primary: Option<Spot<DatacenterName>>,
    pub(super) versions: Option<VersionsEntry>,
    pub(super) docker: Option<Spot<Docker>>,
    pub(super) introduction: Option<Spot<Introduction>>,
    pub(super) probe_image: Option<String>,
    pub(super) vos: Option<Spot<Vec<VoEntry>>>,
    /// Outside: whether the key is there. Inside: whether its value could be read.
    pub(super) nvidia: Option<Spot<Option<Nvidia>>>,
    pub(super) external: Option<ExternalEntry>,
    pub(super) clients: Option<ClientsEntry>,
    pub(super) access: Option<AccessEntry>,
    pub(super) image_cleanup: Option<Spot<Option<ImageCleanup>>>,
    pub(super) tryme: TryMeEntry,
    pub(super) extra: ExtraEntry,
}

/// `versions:` of the federation, or those in which a site differs from it.
#[derive(Default)]
pub(super) struct VersionsEntry {
    pub(super) consul: Option<Spot<Version>>,
    pub(super) nomad: Option<Spot<Version>>,
    pub(super) traefik: Option<Spot<Version>>,
    pub(super) cni: Option<Spot<Version>>,
}

/// `external:`.
pub(super) struct ExternalEntry {
    pub(super) consul_servers: Option<List<IpAddr>>,
    pub(super) nomad_servers: Option<List<IpAddr>>,
}

/// `clients:`.
pub(super) struct ClientsEntry {
    pub(super) reserved_memory_mib: Option<Spot<u32>>,
    pub(super) raw_exec: Option<List<NodeType>>,
}

/// `tryme:` of the federation or of a site.
#[derive(Default)]
pub(super) struct TryMeEntry {
    pub(super) images: Option<List<String>>,
    pub(super) keep_free_percent: Option<Spot<u8>>,
}

/// `access:`.
pub(super) struct AccessEntry {
    pub(super) ssh: Option<List<IpNet>>,
    pub(super) api: Option<List<IpNet>>,
    pub(super) monitoring: Option<List<IpNet>>,
}

/// `extra_hcl:` and `extra_yaml:`, of any level.
#[derive(Default)]
pub(super) struct ExtraEntry {
    pub(super) consul: Option<Spot<Lines>>,
    pub(super) nomad: Option<Spot<Lines>>,
    pub(super) docker: Option<Tree>,
}

/// A list whose items are values; `None` stands for an item that could not be read.
pub(super) type List<T> = Spot<Vec<Option<Spot<T>>>>;

/// One key of `vos:` with its value.
pub(super) struct VoEntry {
    pub(super) name: Option<Spot<VoName>>,
    pub(super) namespace: Option<Spot<NamespaceName>>,
    pub(super) domain: Option<Spot<DomainName>>,
}

/// One file of `sites/`.
pub(super) struct SiteFile {
    pub(super) site: Option<Spot<SiteName>>,
    pub(super) datacenter: Option<Spot<DatacenterName>>,
    pub(super) domain: Option<Spot<DomainLabel>>,
    pub(super) state: Option<Spot<State>>,
    pub(super) location: Option<Spot<Option<Location>>>,
    pub(super) ssh: Option<SshEntry>,
    pub(super) networks: Option<List<IpNet>>,
    pub(super) versions: VersionsEntry,
    pub(super) docker: DockerEntry,
    pub(super) certificates: Option<Spot<Option<CertificatesEntry>>>,
    pub(super) ntp: Option<List<String>>,
    pub(super) tryme: TryMeEntry,
    pub(super) vos: Option<VoList>,
    pub(super) waived: Option<Waivers>,
    pub(super) extra: ExtraEntry,
    pub(super) hosts: Option<Spot<Vec<Option<HostEntry>>>>,
}

/// `ssh:` of a site.
pub(super) struct SshEntry {
    pub(super) user: Option<Spot<UserName>>,
    pub(super) port: Option<Spot<u16>>,
    pub(super) jump: Option<List<Jump>>,
}

/// A list of VOs.
pub(super) type VoList = List<VoName>;

/// `docker:` of a site.
#[derive(Default)]
pub(super) struct DockerEntry {
    pub(super) mirrors: Option<List<String>>,
    pub(super) address_pools: Option<Spot<Vec<Option<PoolEntry>>>>,
}

/// An item of `address_pools:`.
pub(super) struct PoolEntry {
    pub(super) base: Option<Spot<IpNet>>,
    pub(super) size: Option<Spot<u8>>,
}

/// `certificates:`.
pub(super) struct CertificatesEntry {
    pub(super) source: Option<Spot<CertificateSource>>,
    /// Outside: whether the key is there. Inside: whether its value could be read.
    pub(super) email: Option<Spot<Option<Email>>>,
    pub(super) dns_provider: Option<Spot<Option<String>>>,
}

/// The words of `certificates.source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CertificateSource {
    Own,
    Files,
    Acme,
}

/// `waive:`, of a site or a host.
pub(super) type Waivers = Spot<Vec<Option<WaiverEntry>>>;

/// An item of `waive:`.
pub(super) struct WaiverEntry {
    pub(super) check: Option<Spot<String>>,
    pub(super) reason: Option<Spot<String>>,
}

/// One key of `hosts:` with its value.
pub(super) struct HostEntry {
    pub(super) key: Option<Spot<HostName>>,
    pub(super) name: Option<Spot<NodeName>>,
    pub(super) roles: Option<RoleList>,
    pub(super) address: Option<Spot<IpAddr>>,
    pub(super) public_address: Option<Spot<IpAddr>>,
    pub(super) kind: Option<Spot<Kind>>,
    pub(super) vos: Option<VoList>,
    pub(super) gpus: Option<Spot<Option<Gpus>>>,
    /// Outside: whether the key is there. Inside: whether its value could be read.
    pub(super) volume: Option<Spot<Option<Volume>>>,
    pub(super) ssh: Option<Spot<Option<HostSsh>>>,
    pub(super) waived: Option<Waivers>,
    pub(super) extra: ExtraEntry,
}

/// The words of `roles:`, each with the roles it means.
pub(super) type RoleList = Spot<Vec<Option<Spot<&'static [Role]>>>>;

/// What could be read of an inventory.
pub(super) struct Files {
    /// `federation.yaml`.
    pub(super) federation: Option<FederationFile>,
    /// The files of `sites/`, by file name; `None` stands for one that is no mapping.
    pub(super) sites: Vec<Option<SiteFile>>,
}

impl Files {
    /// The sites that could be read.
    pub(super) fn sites(&self) -> impl Iterator<Item = &SiteFile> {
        self.sites.iter().flatten()
    }

    /// Whether the roles of every host of every site are known.
    pub(super) fn is_whole(&self) -> bool {
        self.sites
            .iter()
            .all(|site| site.as_ref().is_some_and(SiteFile::is_whole))
    }
}

impl SiteFile {
    /// The hosts that could be read.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &HostEntry> {
        self.hosts
            .iter()
            .flat_map(|hosts| hosts.value.iter().flatten())
    }

    /// Whether the roles of every host are known.
    pub(super) fn is_whole(&self) -> bool {
        let is_whole = |host: &Option<HostEntry>| host.as_ref().is_some_and(HostEntry::is_whole);
        self.hosts
            .as_ref()
            .is_some_and(|hosts| hosts.value.iter().all(is_whole))
    }
}

impl HostEntry {
    /// The node's name, and what gives it: `name:`, or the host's key.
    pub(super) fn node(&self, site: &SiteFile) -> Option<(Result<NodeName, NameError>, &Place)> {
        if let Some(name) = &self.name {
            return Some((Ok(name.value.clone()), &name.place));
        }
        let (datacenter, key) = (site.datacenter.as_ref()?, self.key.as_ref()?);
        Some((NodeName::of(&datacenter.value, &key.value), &key.place))
    }

    /// The roles that could be read, each where its word is.
    pub(super) fn roles(&self) -> impl Iterator<Item = (Role, &Place)> {
        let words = self
            .roles
            .iter()
            .flat_map(|roles| roles.value.iter().flatten());
        words.flat_map(|word| word.value.iter().map(|role| (*role, &word.place)))
    }

    /// Whether the host has a role, as far as could be read.
    pub(super) fn has(&self, role: Role) -> bool {
        self.roles().any(|(given, _)| given == role)
    }

    /// Whether other sites or users open connections to the host.
    pub(super) fn is_dialled(&self) -> bool {
        [Role::ConsulServer, Role::NomadServer, Role::Gateway]
            .iter()
            .any(|role| self.has(*role))
    }

    /// Whether every role of the host is known.
    pub(super) fn is_whole(&self) -> bool {
        self.roles
            .as_ref()
            .is_some_and(|roles| roles.value.iter().all(Option::is_some))
    }
}
