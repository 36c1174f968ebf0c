//! What each template sees, and nothing else: one struct a template.
//!
//! A field which a template asks for and its struct lacks is found by a test
//! that walks the templates; a field that no plan fills does not compile.

mod atoll;
mod cleanup;
mod consul;
mod docker;
mod extra;
mod nomad;
mod system;
mod traefik;
mod tryme;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

pub use atoll::{
    AccountingSettings, AccountingUnit, AgentConsulToken, AgentSettings, AgentUnit, SiteOf, VoOf,
};
pub use cleanup::ImageCleanupJob;
pub use consul::{ConsulAcl, ConsulClient, ConsulConfig, ConsulPolicy, ConsulServer, ConsulUnit};
pub use docker::{DockerDaemon, DockerUnit, Pool};
pub use extra::ExtraHcl;
pub use nomad::{NomadClient, NomadConfig, NomadPolicy, NomadServer, NomadUnit, NomadUser};
pub use system::{
    AptPreferences, DataMount, HeldPackage, JournaldConfig, KernelFile, TimesyncdConfig,
};
pub use traefik::{TraefikAcme, TraefikDynamic, TraefikJob, TraefikStatic};
pub use tryme::{ImagePullScript, ImagePullTimer, ImagePullUnit};

/// A template and the values which it sees. Serialised, it is those values alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each variant is named after its context")]
pub enum Template {
    ConsulConfig(ConsulConfig),
    ConsulAcl(ConsulAcl),
    ConsulServer(ConsulServer),
    ConsulClient(ConsulClient),
    ConsulUnit(ConsulUnit),
    ConsulPolicy(ConsulPolicy),
    NomadConfig(NomadConfig),
    NomadServer(NomadServer),
    NomadClient(NomadClient),
    NomadUnit(NomadUnit),
    NomadPolicy(NomadPolicy),
    DataMount(DataMount),
    JournaldConfig(JournaldConfig),
    TimesyncdConfig(TimesyncdConfig),
    KernelFile(KernelFile),
    AptPreferences(AptPreferences),
    DockerDaemon(DockerDaemon),
    DockerUnit(DockerUnit),
    ExtraHcl(ExtraHcl),
    AgentSettings(AgentSettings),
    AgentConsulToken(AgentConsulToken),
    AgentUnit(AgentUnit),
    AccountingSettings(AccountingSettings),
    AccountingUnit(AccountingUnit),
    TraefikJob(TraefikJob),
    TraefikStatic(TraefikStatic),
    TraefikDynamic(TraefikDynamic),
    ImageCleanupJob(ImageCleanupJob),
    ImagePullScript(ImagePullScript),
    ImagePullUnit(ImagePullUnit),
    ImagePullTimer(ImagePullTimer),
}

impl Template {
    /// Its file under `templates/`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ConsulConfig(_) => "consul/consul.hcl.tera",
            Self::ConsulAcl(_) => "consul/acl.hcl.tera",
            Self::ConsulServer(_) => "consul/server.hcl.tera",
            Self::ConsulClient(_) => "consul/client.hcl.tera",
            Self::ConsulUnit(_) => "systemd/consul.service.tera",
            Self::ConsulPolicy(policy) => policy.template(),
            Self::NomadConfig(_) => "nomad/nomad.hcl.tera",
            Self::NomadServer(_) => "nomad/server.hcl.tera",
            Self::NomadClient(_) => "nomad/client.hcl.tera",
            Self::NomadUnit(_) => "systemd/nomad.service.tera",
            Self::NomadPolicy(policy) => policy.user.template(),
            Self::DataMount(_) => "systemd/mnt-data.mount.tera",
            Self::JournaldConfig(_) => "systemd/journald.conf.d/10-atoll.conf.tera",
            Self::TimesyncdConfig(_) => "systemd/timesyncd.conf.d/10-atoll.conf.tera",
            Self::KernelFile(file) => file.template(),
            Self::AptPreferences(_) => "preferences.d/10-atoll.pref.tera",
            Self::DockerDaemon(_) => "docker/daemon.json.tera",
            Self::DockerUnit(_) => "systemd/docker.service.d/10-atoll.conf.tera",
            Self::ExtraHcl(_) => "extra/zz-extra.hcl.tera",
            Self::AgentSettings(_) => "agent/agent.toml.tera",
            Self::AgentConsulToken(_) => "agent/consul-token.tera",
            Self::AgentUnit(_) => "systemd/atoll-agent.service.tera",
            Self::AccountingSettings(_) => "accounting/accounting.toml.tera",
            Self::AccountingUnit(_) => "systemd/atoll-accounting.service.tera",
            Self::TraefikJob(_) => "traefik/traefik.nomad.hcl.tera",
            Self::TraefikStatic(_) => "traefik/traefik.toml.tera",
            Self::TraefikDynamic(_) => "traefik/dynamic.toml.tera",
            Self::ImageCleanupJob(_) => "jobs/image-cleanup.nomad.hcl.tera",
            Self::ImagePullScript(_) => "docker/pull-images.tera",
            Self::ImagePullUnit(_) => "systemd/atoll-image-pull.service.tera",
            Self::ImagePullTimer(_) => "systemd/atoll-image-pull.timer.tera",
        }
    }
}

/// Addresses in their own order, each once; shared by all the hosts which must know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses(Arc<[IpAddr]>);

impl Addresses {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<IpAddr> for Addresses {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        let sorted: BTreeSet<_> = addresses.into_iter().collect();
        Self(sorted.into_iter().collect())
    }
}

impl Serialize for Addresses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}
