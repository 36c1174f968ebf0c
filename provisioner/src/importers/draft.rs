//! What an import will write: the two files as plain data, before they are text.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// A whole import.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) federation: FederationDraft,
    pub(super) site: SiteDraft,
}

/// `federation.yaml`.
#[derive(Debug)]
pub(super) struct FederationDraft {
    pub(super) name: String,
    pub(super) primary: String,
    pub(super) consul: String,
    pub(super) nomad: String,
    pub(super) cni: String,
    pub(super) nvidia: Option<NvidiaDraft>,
    /// Namespace and domain by VO.
    pub(super) vos: BTreeMap<String, (String, String)>,
    /// Addresses of servers that are no host of the inventory.
    pub(super) external: BTreeSet<IpAddr>,
    /// MiB, where it is not the usual 4096.
    pub(super) reserved_memory_mib: Option<u32>,
}

/// `nvidia:`.
#[derive(Debug)]
pub(super) struct NvidiaDraft {
    pub(super) driver: String,
    pub(super) plugin: String,
}

/// A file of `sites/`.
#[derive(Debug)]
pub(super) struct SiteDraft {
    /// GOCDB name.
    pub(super) site: Option<String>,
    pub(super) datacenter: String,
    pub(super) domain: String,
    pub(super) user: String,
    /// Where it is not 22.
    pub(super) port: Option<u16>,
    pub(super) jump: Vec<String>,
    /// Versions that differ from the federation's, by product.
    pub(super) versions: BTreeMap<&'static str, String>,
    pub(super) mirror: Option<String>,
    /// Whether the gateways' certificates are files that the operator has.
    pub(super) has_certificates: bool,
    pub(super) vos: BTreeSet<String>,
    pub(super) hosts: BTreeMap<String, HostDraft>,
}

/// An entry of `hosts:`.
#[derive(Debug, Clone)]
pub(super) struct HostDraft {
    /// Its name in Ansible.
    pub(super) ansible: String,
    pub(super) node: String,
    pub(super) roles: Vec<&'static str>,
    pub(super) address: IpAddr,
    pub(super) public_address: Option<IpAddr>,
    pub(super) ssh_address: Option<IpAddr>,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    /// Device and name of the partition.
    pub(super) volume: Option<(String, Option<String>)>,
    pub(super) kind: Option<&'static str>,
    pub(super) has_gpus: bool,
    /// Where it serves fewer than the site.
    pub(super) vos: Option<BTreeSet<String>>,
}
