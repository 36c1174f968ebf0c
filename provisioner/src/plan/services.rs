//! What is reached through the APIs of Consul and Nomad rather than on a host.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use federation::names::{DatacenterName, DomainName, NamespaceName, NodeName};
use federation::nomad;

use crate::inventory::Inventory;

use super::{
    ConsulPolicy, Given, NomadPolicy, NomadUser, Secret, Template, Wildcards, cleanup, tokens,
    traefik,
};

/// What is reached through the APIs of Consul and Nomad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services {
    /// Consul ACL policies by name.
    pub consul_policies: BTreeMap<&'static str, Template>,
    /// Consul tokens with IDs of our choice.
    pub consul_tokens: Vec<ConsulToken>,
    /// Nomad ACL policies by name.
    pub nomad_policies: BTreeMap<&'static str, Template>,
    /// Nomad namespaces, by name.
    pub namespaces: Vec<nomad::Namespace>,
    /// How Nomad places jobs.
    pub scheduler: nomad::Scheduler,
    /// The parent domain of each namespace's user URLs.
    pub domains: BTreeMap<NamespaceName, DomainName>,
    /// The image of the jobs that `verify` starts.
    pub probe_image: String,
    /// One Traefik a gateway.
    pub gateways: Vec<Gateway>,
    /// Jobs on nodes of all sites.
    pub jobs: Vec<FederationJob>,
}

/// A job of Atoll's own on nodes of all sites, in the namespace `default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationJob {
    /// The Nomad job's ID.
    pub id: &'static str,
    /// The job.
    pub job: Template,
}

/// A Consul token with an ID of our choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsulToken {
    /// Names both its accessor and its secret ID.
    pub secret: Secret,
    /// What an operator reads in the list of tokens.
    pub description: String,
    /// Policies by name.
    pub policies: Vec<&'static str>,
    /// The node whose agent holds it (node identity).
    pub node: Option<(NodeName, DatacenterName)>,
}

/// Traefik on one gateway: a Nomad job and the variable it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// The Nomad job's ID.
    pub job_id: String,
    /// The node it is pinned to.
    pub node: NodeName,
    /// Its datacenter.
    pub datacenter: DatacenterName,
    /// Where users reach it.
    pub public_address: IpAddr,
    /// The job, which embeds the static and dynamic configuration.
    pub job: Template,
    /// The static configuration by itself.
    pub static_configuration: Template,
    /// The dynamic configuration by itself.
    pub dynamic_configuration: Template,
    /// Path of the Nomad variable which the task may read: `nomad/jobs/<job id>`.
    pub variable: String,
    /// Its certificates.
    pub certificates: Wildcards,
    /// The Consul token which Traefik reads the catalog with.
    pub consul_token: Secret,
}

impl Services {
    /// What only people can give, by name: certificates that others have signed, and their keys.
    pub fn given(&self) -> BTreeSet<Secret> {
        let pairs = self.given_certificates().into_iter();
        pairs
            .flat_map(|given| [given.certificate.clone(), given.key.clone()])
            .collect()
    }

    /// The certificates that others have signed, each once: the gateways of a site have the same.
    pub fn given_certificates(&self) -> Vec<&Given> {
        let gateways = self.gateways.iter();
        let given = gateways.flat_map(|gateway| gateway.certificates.given());
        let by_name: BTreeMap<_, _> = given.map(|given| (&given.certificate, given)).collect();
        by_name.into_values().collect()
    }
}

/// Plans the policies, tokens, namespaces and gateways of a federation.
pub(super) fn services(inventory: &Inventory) -> Services {
    let consul = ConsulPolicy::ALL.map(|policy| (policy.name(), Template::ConsulPolicy(policy)));
    let nomad = NomadUser::ALL.map(|user| (user.name(), nomad_policy(inventory, user)));
    Services {
        consul_policies: consul.into(),
        consul_tokens: tokens::consul_tokens(inventory),
        nomad_policies: nomad.into(),
        namespaces: namespaces(inventory),
        scheduler: nomad::Scheduler {
            scheduler_algorithm: "binpack".to_owned(),
            // Users' jobs say memory_max, which counts for nothing without.
            memory_oversubscription_enabled: true,
        },
        domains: inventory
            .federation
            .vos
            .values()
            .map(|vo| (vo.namespace.clone(), vo.domain.clone()))
            .collect(),
        probe_image: inventory.federation.probe_image.clone(),
        gateways: inventory
            .sites
            .values()
            .flat_map(|site| traefik::gateways(inventory, site))
            .collect(),
        jobs: cleanup::job(inventory).into_iter().collect(),
    }
}

fn nomad_policy(inventory: &Inventory, user: NomadUser) -> Template {
    let namespaces = inventory
        .federation
        .vos
        .values()
        .map(|vo| vo.namespace.clone())
        .collect();
    Template::NomadPolicy(NomadPolicy { user, namespaces })
}

/// The drivers of users' jobs. With `raw_exec` the platform clears up their storage.
const DRIVERS: [&str; 3] = ["docker", "exec", "raw_exec"];

/// Several VOs may share a namespace: then it is described by all of them.
fn namespaces(inventory: &Inventory) -> Vec<nomad::Namespace> {
    let mut vos: BTreeMap<&NamespaceName, Vec<&str>> = BTreeMap::new();
    for (name, vo) in &inventory.federation.vos {
        vos.entry(&vo.namespace).or_default().push(name.as_str());
    }
    let namespace = |(name, vos): (&NamespaceName, Vec<&str>)| nomad::Namespace {
        name: name.to_string(),
        description: vos.join(", "),
        capabilities: Some(nomad::Capabilities {
            enabled_task_drivers: Some(DRIVERS.map(str::to_owned).into()),
            disabled_task_drivers: None,
        }),
    };
    vos.into_iter().map(namespace).collect()
}
