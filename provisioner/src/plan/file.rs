//! One file of a host: where it goes, who may read it, what a change of it asks for.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::{NomadUser, Template};

/// Hosts are changed in waves: a wave starts when the one before it is healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wave {
    /// Accounts, directories, programs, kernel, time, logs, the data volume, Docker, images.
    Base,
    /// Consul servers.
    ConsulServers,
    /// Consul clients.
    ConsulClients,
    /// Nomad servers.
    NomadServers,
    /// Nomad clients.
    NomadClients,
    /// What is reached by API: namespaces, policies, Traefik.
    Services,
}

/// Who may do what with a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Access {
    /// Permission bits, such as `0o640`.
    pub mode: u32,
    /// Owner.
    pub owner: &'static str,
    /// Group.
    pub group: &'static str,
}

/// A file a host should have, before it is rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    /// Absolute path on the host.
    pub path: String,
    /// Who may do what.
    pub access: Access,
    /// When it is put in place.
    pub wave: Wave,
    /// What the host must do when it changes.
    pub on_change: OnChange,
    /// Where its bytes come from.
    pub content: Content,
}

/// Where a file's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A template and the values which it sees.
    Template(Box<Template>),
    /// A template of JSON, and the operator's own keys, which are merged into its text last.
    Merged(Box<Template>, Vec<Map<String, Value>>),
    /// The certificate of an authority.
    Authority(Authority),
    /// A certificate to be issued to this host.
    Certificate(Arc<Leaf>),
    /// The private key of a certificate issued to this host.
    PrivateKey(Arc<Leaf>),
    /// A Nomad token for this host alone, with the policy of that user. Nomad makes it;
    /// nobody but the host keeps it.
    NomadToken(NomadUser),
}

/// A certificate authority in the operator's store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authority {
    /// Signs Consul servers.
    Consul,
    /// Signs Nomad agents and the callers of Nomad's API.
    Nomad,
    /// Signs what is ours, and gateways without a public certificate.
    Atoll,
}

/// What a certificate says of its holder (subject alternative names).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Leaf {
    /// Who signs it.
    pub authority: Authority,
    /// The subject's common name: the node's, since X.509 ends it at 64 characters.
    pub common_name: String,
    /// DNS names, the ones that the products insist on first.
    pub dns_names: Vec<String>,
    /// IP addresses.
    pub addresses: Vec<IpAddr>,
    /// URIs, such as `atoll://<federation>/<datacenter>/<node>`.
    pub uris: Vec<String>,
    /// Whether its holder answers TLS connections, or only opens them.
    pub serves: bool,
}

/// What a host must do when a file changes, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "do", content = "unit")]
pub enum OnChange {
    /// Nothing: who reads it will read it anew.
    Nothing,
    /// The service takes it over while running (SIGHUP).
    Reload(Service),
    /// The service must be restarted.
    Restart(Service),
}

/// A systemd unit that is started, or told of changes; in the order in which they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// `systemd-modules-load.service`, which loads modules of the kernel.
    ModulesLoad,
    /// `systemd-sysctl.service`, which sets the kernel's parameters.
    Sysctl,
    /// `systemd-timesyncd.service`, which keeps the time.
    Timesyncd,
    /// `systemd-journald.service`, which keeps logs.
    Journald,
    /// `mnt-data.mount`, the file system for jobs and images.
    DataVolume,
    /// `docker.service`.
    Docker,
    /// `atoll-image-pull.timer`, which has images pulled that a try-me node should have.
    ImagePull,
    /// `consul.service`.
    Consul,
    /// `nomad.service`.
    Nomad,
    /// `atoll-accounting.service`.
    AtollAccounting,
    /// `atoll-agent.service`.
    AtollAgent,
}

impl Access {
    /// Root's own, in a group which may read it as far as the mode says.
    pub(super) const fn root(mode: u32, group: &'static str) -> Self {
        Self {
            mode,
            owner: "root",
            group,
        }
    }
}

/// The files of one agent: they share its service, its wave and the group which may read them.
#[derive(Debug, Clone, Copy)]
pub(super) struct AgentFiles {
    pub(super) service: Service,
    pub(super) wave: Wave,
    pub(super) group: &'static str,
}

impl AgentFiles {
    /// A configuration file. A reload would take over only a part of it, silently.
    pub(super) fn configuration(self, path: &str, template: Template) -> PlannedFile {
        self.restarting(path, Access::root(0o640, self.group), template)
    }

    /// The unit's own file.
    pub(super) fn unit(self, template: Template) -> PlannedFile {
        let path = format!("/etc/systemd/system/{}.service", self.service.name());
        self.restarting(&path, Access::root(0o644, "root"), template)
    }

    /// A certificate or its key: the agents take over new ones while running.
    pub(super) fn certificate(self, path: &str, mode: u32, content: Content) -> PlannedFile {
        PlannedFile {
            path: path.to_owned(),
            access: Access::root(mode, self.group),
            wave: self.wave,
            on_change: OnChange::Reload(self.service),
            content,
        }
    }

    /// What is no secret and is read once, at the start.
    pub(super) fn public(self, path: &str, content: Content) -> PlannedFile {
        self.at_start(path, Access::root(0o640, self.group), content)
    }

    /// A secret that only root may read, and hands to the service when it starts.
    pub(super) fn credential(self, path: &str, content: Content) -> PlannedFile {
        self.at_start(path, Access::root(0o600, "root"), content)
    }

    fn at_start(self, path: &str, access: Access, content: Content) -> PlannedFile {
        PlannedFile {
            path: path.to_owned(),
            access,
            wave: self.wave,
            on_change: OnChange::Restart(self.service),
            content,
        }
    }

    fn restarting(self, path: &str, access: Access, template: Template) -> PlannedFile {
        PlannedFile {
            path: path.to_owned(),
            access,
            wave: self.wave,
            on_change: OnChange::Restart(self.service),
            content: Content::Template(Box::new(template)),
        }
    }
}

impl PlannedFile {
    /// What the host itself reads, before any agent: owned by root, and no secret.
    pub(super) fn of_host(path: &str, on_change: OnChange, template: Template) -> Self {
        Self {
            path: path.to_owned(),
            access: Access::root(0o644, "root"),
            wave: Wave::Base,
            on_change,
            content: Content::Template(Box::new(template)),
        }
    }
}

impl Service {
    /// The unit's name; a service's without its suffix.
    pub fn name(self) -> &'static str {
        match self {
            Self::ModulesLoad => "systemd-modules-load",
            Self::Sysctl => "systemd-sysctl",
            Self::Timesyncd => "systemd-timesyncd",
            Self::Journald => "systemd-journald",
            Self::DataVolume => "mnt-data.mount",
            Self::Docker => "docker",
            Self::ImagePull => "atoll-image-pull.timer",
            Self::Consul => "consul",
            Self::Nomad => "nomad",
            Self::AtollAccounting => "atoll-accounting",
            Self::AtollAgent => "atoll-agent",
        }
    }
}

/// By its name.
impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Wave {
    /// All waves, in their order.
    pub const ALL: [Self; 6] = [
        Self::Base,
        Self::ConsulServers,
        Self::ConsulClients,
        Self::NomadServers,
        Self::NomadClients,
        Self::Services,
    ];
}

impl fmt::Display for Wave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Base => "base",
            Self::ConsulServers => "consul servers",
            Self::ConsulClients => "consul clients",
            Self::NomadServers => "nomad servers",
            Self::NomadClients => "nomad clients",
            Self::Services => "services",
        })
    }
}

impl fmt::Display for OnChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no effect on services"),
            Self::Reload(service) => write!(f, "reloads {}", service.name()),
            Self::Restart(service) => write!(f, "restarts {}", service.name()),
        }
    }
}
