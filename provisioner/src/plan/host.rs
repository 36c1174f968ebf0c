//! What one host should have: accounts, directories, files, units, programs.

use std::net::IpAddr;

use federation::names::{DatacenterName, HostName, NodeName, Version};

use crate::inventory::{Gpus, Host, NodeType, Role, Site};

use super::peers::Place;
use super::{
    Access, PlannedFile, Service, Storage, Wave, accounting, agent, cni, consul, docker, gpu, hold,
    kernel, nomad, system, tryme, volume,
};

/// What one host should have, in the order in which it can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPlan {
    /// Its name in Consul and Nomad.
    pub node: NodeName,
    /// Its name in the inventory.
    pub host: HostName,
    /// Its datacenter.
    pub datacenter: DatacenterName,
    /// Where SSH connects, and with which account.
    pub login: Login,
    /// The servers it runs and the client it is.
    pub agents: Agents,
    /// What it is to the platform, if a Nomad client runs here.
    pub node_type: Option<NodeType>,
    /// Where it keeps what grows.
    pub storage: Storage,
    /// The GPUs that it should turn out to have.
    pub gpus: Option<Gpus>,
    /// System accounts, with their own group of the same name.
    pub accounts: Vec<Account>,
    /// Directories that must exist before files are put into them.
    pub directories: Vec<Directory>,
    /// Files, by wave and path.
    pub files: Vec<PlannedFile>,
    /// Units that must be enabled and running once their wave is over.
    pub units: Vec<Unit>,
    /// Programs under `/opt/atoll/<product>/<version>/`.
    pub programs: Vec<Program>,
    /// Packages to be installed from the artifact folder, when the host lacks them.
    pub packages: Vec<Package>,
    /// Docker images to be loaded, when the host lacks them.
    pub images: Vec<String>,
}

/// How SSH reaches a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The host's address.
    pub address: IpAddr,
    /// The TCP port.
    pub port: u16,
    /// The account.
    pub user: String,
    /// The hosts to go through, the first hop first.
    pub jump: Vec<Jump>,
}

/// A host on the way to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// The account there.
    pub user: String,
    /// Its name or address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// Which agents of Consul and Nomad a host runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agents {
    /// A Consul server; every host without it is a Consul client.
    pub consul_server: bool,
    /// A Nomad server.
    pub nomad_server: bool,
    /// A Nomad client.
    pub nomad_client: bool,
}

/// A system account and its own group of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: &'static str,
    /// Its home, which is not created.
    pub home: &'static str,
}

/// A directory that must exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Absolute path.
    pub path: &'static str,
    /// Who may do what.
    pub access: Access,
    /// When it is made: one on a volume, after that is mounted.
    pub wave: Wave,
}

/// A unit that must be enabled and running once its wave is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// Which one.
    pub service: Service,
    /// When it is started.
    pub wave: Wave,
}

/// A program in a versioned folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The product, which is also the folder's name.
    pub product: &'static str,
    /// The file's name: the product's own, but where a product is several programs.
    pub file: &'static str,
    /// Whether `/usr/local/bin` has a link to it.
    pub linked: bool,
    /// Its version.
    pub version: Version,
    /// The service that must be restarted when the version changes.
    pub service: Service,
}

/// A set of packages which the host's package manager installs together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The folder of the artifact store which holds the files: `docker`.
    pub set: &'static str,
    /// The package whose version tells whether the set is installed: `docker.io`.
    pub name: &'static str,
    /// Its exact version.
    pub version: String,
}

impl Program {
    /// A product that is one program, linked in `/usr/local/bin`.
    pub(super) fn linked(product: &'static str, version: Version, service: Service) -> Self {
        Self {
            product,
            file: product,
            linked: true,
            version,
            service,
        }
    }

    /// Where it lies on the host.
    pub fn path(&self) -> String {
        let Self {
            product,
            file,
            version,
            ..
        } = self;
        format!("/opt/atoll/{product}/{version}/{file}")
    }
}

/// Plans one host of a site.
pub(super) fn host_plan(place: &Place<'_>, name: &HostName, host: &Host) -> HostPlan {
    let mut plan = HostPlan {
        node: host.node.clone(),
        host: name.clone(),
        datacenter: place.site.datacenter.clone(),
        login: Login::of(place.site, host),
        agents: Agents::of(host),
        node_type: host.node_type(),
        storage: Storage::of(host),
        gpus: host.gpus.clone(),
        accounts: Vec::new(),
        directories: Vec::new(),
        files: Vec::new(),
        units: Vec::new(),
        programs: Vec::new(),
        packages: Vec::new(),
        images: Vec::new(),
    };
    system::add(&mut plan, place);
    if plan.agents.nomad_client {
        kernel::add(&mut plan);
        volume::add(&mut plan, host);
        docker::add(&mut plan, place, host);
        tryme::add(&mut plan, place);
    }
    consul::add(&mut plan, place, host);
    if plan.agents.runs_nomad() {
        nomad::add(&mut plan, place, host);
    }
    if plan.agents.nomad_client {
        cni::add(&mut plan, place);
        gpu::add(&mut plan, place, host);
        agent::add(&mut plan, place, host);
        hold::add(&mut plan);
    }
    if host.has(Role::Accounting) {
        accounting::add(&mut plan, place, host);
    }
    plan.files
        .sort_by(|a, b| (a.wave, &a.path).cmp(&(b.wave, &b.path)));
    plan
}

/// The version of our own programs on hosts: that of the `atoll` which brings them.
pub(super) fn own_version() -> Version {
    // A crate's version is a version by the rules of Cargo, which are stricter.
    env!("CARGO_PKG_VERSION")
        .parse()
        .unwrap_or_else(|_| unreachable!("a crate has a version"))
}

impl Login {
    /// What the site says, but for what the host says otherwise.
    fn of(site: &Site, host: &Host) -> Self {
        let user = host.ssh.user.as_ref().unwrap_or(&site.ssh.user);
        let jump = site.ssh.jump.iter().map(|jump| Jump {
            user: jump.user.as_ref().unwrap_or(&site.ssh.user).to_string(),
            host: jump.host.clone(),
            port: jump.port,
        });
        Self {
            address: host.ssh.address.unwrap_or(host.address),
            port: host.ssh.port.unwrap_or(site.ssh.port),
            user: user.to_string(),
            jump: jump.collect(),
        }
    }
}

impl Agents {
    /// What the roles of a host come to.
    fn of(host: &Host) -> Self {
        Self {
            consul_server: host.has(Role::ConsulServer),
            nomad_server: host.has(Role::NomadServer),
            nomad_client: host.is_nomad_client(),
        }
    }

    /// Whether a Nomad agent of either kind runs: not where a site is served by the
    /// Nomad servers of another one and the host takes no jobs.
    pub fn runs_nomad(self) -> bool {
        self.nomad_server || self.nomad_client
    }

    /// When the Consul agent is started.
    pub fn consul_wave(self) -> Wave {
        if self.consul_server {
            Wave::ConsulServers
        } else {
            Wave::ConsulClients
        }
    }

    /// When the Nomad agent is started.
    pub fn nomad_wave(self) -> Wave {
        if self.nomad_server {
            Wave::NomadServers
        } else {
            Wave::NomadClients
        }
    }
}
