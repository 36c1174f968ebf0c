//! Traefik: one Nomad job a gateway, pinned to its node.

use std::collections::{BTreeMap, BTreeSet};

use federation::names::{DomainName, NamespaceName, Version};

use crate::inventory::{Certificates, Host, Inventory, Role, Site};

use super::{
    Authority, Gateway, Leaf, Secret, Template, TraefikAcme, TraefikDynamic, TraefikJob,
    TraefikStatic,
};

/// The wildcard certificates of a gateway: one for each parent domain, under the name of the
/// first namespace that uses the domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wildcards {
    /// To be issued, by name: `ai4eosc` for the items `cert_ai4eosc` and `key_ai4eosc` of the
    /// gateway's variable. The first one also answers unknown names.
    Issued(BTreeMap<String, Leaf>),
    /// Given by the operator, by name; put into the variable in the same way.
    Given(BTreeMap<String, Given>),
    /// Got by Traefik itself.
    Acme(TraefikAcme),
}

/// A certificate that others have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The name that it is good for, as it must be for all names below it.
    pub zone: String,
    /// The certificate, followed by those of its issuers.
    pub certificate: Secret,
    /// Its private key.
    pub key: Secret,
}

impl Wildcards {
    /// The names for which, and below which, users' URLs are.
    pub fn zones(&self) -> Vec<&str> {
        match self {
            Self::Issued(leaves) => leaves.values().map(Leaf::zone).collect(),
            Self::Given(given) => given.values().map(|given| given.zone.as_str()).collect(),
            Self::Acme(acme) => acme.zones.iter().map(String::as_str).collect(),
        }
    }

    /// What the operator must give.
    pub fn given(&self) -> impl Iterator<Item = &Given> {
        let given = match self {
            Self::Given(given) => Some(given.values()),
            _ => None,
        };
        given.into_iter().flatten()
    }

    /// The certificates in the gateway's variable, the default one first.
    fn items(&self) -> Vec<String> {
        match self {
            Self::Issued(leaves) => leaves.keys().cloned().collect(),
            Self::Given(given) => given.keys().cloned().collect(),
            Self::Acme(_) => Vec::new(),
        }
    }

    fn acme(&self) -> Option<Box<TraefikAcme>> {
        match self {
            Self::Acme(acme) => Some(Box::new(acme.clone())),
            _ => None,
        }
    }
}

impl Leaf {
    /// The name below which a wildcard is good.
    fn zone(&self) -> &str {
        self.dns_names.first().map_or("", String::as_str)
    }
}

/// The image of a version, as it is called on the hosts.
pub(super) fn image(version: &Version) -> String {
    format!("traefik:v{version}")
}

/// The gateways of a site.
pub(super) fn gateways(inventory: &Inventory, site: &Site) -> Vec<Gateway> {
    let hosts = site.hosts.values();
    hosts
        .filter(|host| host.has(Role::Gateway))
        .map(|host| gateway(inventory, site, host, job_id(site, host)))
        .collect()
}

/// The name of a gateway's job, which hangs on nothing but the gateway: another one beside it
/// changes nothing. That of the node which ai4-ansible calls `<datacenter>-traefik` keeps the
/// name that it has there.
fn job_id(site: &Site, host: &Host) -> String {
    let datacenter = &site.datacenter;
    if host.node.as_str() == format!("{datacenter}-traefik") {
        format!("traefik-{datacenter}")
    } else {
        format!("traefik-{}", host.node)
    }
}

fn gateway(inventory: &Inventory, site: &Site, host: &Host, job_id: String) -> Gateway {
    let wildcards = wildcards(inventory, site, host, &job_id);
    let variable = format!("nomad/jobs/{job_id}");
    let (certificates, acme) = (wildcards.items(), wildcards.acme());
    Gateway {
        node: host.node.clone(),
        datacenter: site.datacenter.clone(),
        public_address: host.public_address,
        job: Template::TraefikJob(TraefikJob {
            job_id: job_id.clone(),
            region: inventory.federation.name.clone(),
            datacenter: site.datacenter.clone(),
            node: host.node.clone(),
            image: image(&site.versions.traefik),
            variable: variable.clone(),
            certificates: certificates.clone(),
            acme: acme.clone(),
        }),
        static_configuration: Template::TraefikStatic(TraefikStatic {
            variable: variable.clone(),
            acme: acme.clone(),
        }),
        dynamic_configuration: Template::TraefikDynamic(TraefikDynamic {
            variable: variable.clone(),
            certificates,
            acme,
        }),
        job_id,
        variable,
        certificates: wildcards,
        consul_token: Secret::ConsulTraefikToken(site.datacenter.clone()),
    }
}

fn wildcards(inventory: &Inventory, site: &Site, host: &Host, job_id: &str) -> Wildcards {
    let zones = zones(inventory, site);
    match &site.certificates {
        // Without a VO there is no name to ask for.
        Certificates::Acme { .. } if zones.is_empty() => Wildcards::Issued(BTreeMap::new()),
        Certificates::Own => {
            let issued = |(name, zone): (String, String)| (name, wildcard(host, &zone));
            Wildcards::Issued(zones.into_iter().map(issued).collect())
        }
        Certificates::Files => {
            let given = |(name, zone): (String, String)| {
                let given = Given {
                    zone,
                    certificate: Secret::GatewayCertificate(site.datacenter.clone(), name.clone()),
                    key: Secret::GatewayKey(site.datacenter.clone(), name.clone()),
                };
                (name, given)
            };
            Wildcards::Given(zones.into_iter().map(given).collect())
        }
        Certificates::Acme {
            email,
            dns_provider,
        } => Wildcards::Acme(TraefikAcme {
            email: email.to_string(),
            dns_provider: dns_provider.clone(),
            // Group and task are called as the job is. Their variable is apart from that of the
            // job, because each of its items becomes a variable of the environment.
            variable: format!("nomad/jobs/{job_id}/{job_id}/{job_id}"),
            zones: zones.into_values().collect(),
        }),
    }
}

/// The site's own label and the parent domain are joined by a hyphen, so one wildcard covers
/// every user's host name: `<job>.<domain>-<parent>`.
fn zones(inventory: &Inventory, site: &Site) -> BTreeMap<String, String> {
    let mut domains: BTreeSet<&DomainName> = BTreeSet::new();
    let mut zones = BTreeMap::new();
    for (namespace, parent) in inventory.namespaces(&site.vos) {
        if domains.insert(parent) {
            zones.insert(item_name(namespace), format!("{}-{parent}", site.domain));
        }
    }
    zones
}

/// A namespace as the name of a Nomad variable's item, which a template can say after a dot. A
/// namespace has no `_`, so no two have the same.
fn item_name(namespace: &NamespaceName) -> String {
    namespace.as_str().replace('-', "_")
}

fn wildcard(host: &Host, zone: &str) -> Leaf {
    Leaf {
        authority: Authority::Atoll,
        common_name: host.node.to_string(),
        dns_names: vec![zone.to_owned(), format!("*.{zone}")],
        addresses: Vec::new(),
        uris: Vec::new(),
        serves: true,
    }
}
