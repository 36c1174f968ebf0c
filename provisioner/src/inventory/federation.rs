//! What all sites share (`federation.yaml`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use federation::names::{DatacenterName, DomainName, NamespaceName, RegionName, Version, VoName};
use ipnet::IpNet;

use super::NodeType;

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
    /// Servers of sites that are in no file here.
    pub external: External,
    /// What all Nomad clients have in common.
    pub clients: Clients,
    /// Who opens connections to the sites from elsewhere.
    pub access: Access,
    /// How unused images are removed; not at all when absent.
    pub image_cleanup: Option<ImageCleanup>,
    /// What try-me nodes have beforehand, where a site says nothing else.
    pub tryme: TryMe,
    /// The operator's own words in the files of products.
    pub extra: Extra,
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
    /// The CNI plugins, on Nomad clients; without them no job has a bridge network.
    pub cni: Option<Version>,
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

/// Servers of sites that are in no file of this inventory, at their public addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct External {
    /// Consul servers, to be joined over WAN.
    pub consul_servers: BTreeSet<IpAddr>,
    /// Nomad servers of the region.
    pub nomad_servers: BTreeSet<IpAddr>,
}

/// What all Nomad clients have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clients {
    /// Memory that no job gets, in MiB; gateways keep nothing back.
    pub reserved_memory_mib: u32,
    /// The types of node on which jobs may run as plain processes, which is as root.
    pub raw_exec: BTreeSet<NodeType>,
}

impl Default for Clients {
    /// What the platform's own tests of a node ask for.
    fn default() -> Self {
        Self {
            reserved_memory_mib: 4096,
            raw_exec: NodeType::ALL.into(),
        }
    }
}

/// Networks from which connections are opened to the sites, beside users'.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Operators, by SSH.
    pub ssh: Vec<IpNet>,
    /// Callers of the Nomad servers' API.
    pub api: Vec<IpNet>,
    /// Who reads metrics.
    pub monitoring: Vec<IpNet>,
}

/// A job on every node that keeps images, which removes those least recently used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageCleanup {
    /// The image of the program that does it (docuum).
    pub image: String,
    /// How much images may take: `50 GB`, or `60%` of the file system.
    pub threshold: String,
}

/// What hosts of kind `tryme` have beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TryMe {
    /// Images that are pulled once a day, in this order.
    pub images: Vec<String>,
    /// How much of Docker's file system a pull leaves free, in percent.
    pub keep_free_percent: u8,
}

impl Default for TryMe {
    /// No images; and as much room as the platform's operators ask for.
    fn default() -> Self {
        Self {
            images: Vec::new(),
            keep_free_percent: 20,
        }
    }
}

/// An operator's own words in the files of products. They are merged last, so they win.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extra {
    /// For Consul's agent, in HCL.
    pub consul: Option<String>,
    /// For Nomad's agent, in HCL.
    pub nomad: Option<String>,
    /// For Docker's daemon, as keys of `daemon.json`.
    pub docker: serde_json::Map<String, serde_json::Value>,
}
