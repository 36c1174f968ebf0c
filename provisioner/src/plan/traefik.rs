//! Traefik: one Nomad job a gateway, pinned to its node.

use std::collections::{BTreeMap, BTreeSet};

use federation::names::{DomainName, NamespaceName, Version};

use crate::inventory::{Host, Inventory, Role, Site};

use super::{
    Authority, Gateway, Leaf, Secret, Template, TraefikDynamic, TraefikJob, TraefikStatic,
};

/// The image of a version, as it is called on the hosts.
pub(super) fn image(version: &Version) -> String {
    format!("traefik:v{version}")
}

/// The gateways of a site.
pub(super) fn gateways(inventory: &Inventory, site: &Site) -> Vec<Gateway> {
    let hosts: Vec<_> = site
        .hosts
        .iter()
        .filter(|(_, host)| host.has(Role::Gateway))
        .collect();
    let alone = hosts.len() == 1;
    let job_id = |name| {
        let site_wide = format!("traefik-{}", site.datacenter);
        if alone {
            site_wide
        } else {
            format!("{site_wide}-{name}")
        }
    };
    hosts
        .into_iter()
        .map(|(name, host)| gateway(inventory, site, host, job_id(name)))
        .collect()
}

fn gateway(inventory: &Inventory, site: &Site, host: &Host, job_id: String) -> Gateway {
    let certificates = certificates(inventory, site, host);
    let variable = format!("nomad/jobs/{job_id}");
    let names: Vec<_> = certificates.keys().cloned().collect();
    Gateway {
        node: host.node.clone(),
        datacenter: site.datacenter.clone(),
        public_address: host.public_address,
        job: Template::TraefikJob(TraefikJob {
            job_id: job_id.clone(),
            region: inventory.federation.name.clone(),
            datacenter: site.datacenter.clone(),
            node: host.node.clone(),
            image: image(&inventory.federation.versions.traefik),
            variable: variable.clone(),
            certificates: names.clone(),
        }),
        static_configuration: Template::TraefikStatic(TraefikStatic {
            variable: variable.clone(),
        }),
        dynamic_configuration: Template::TraefikDynamic(TraefikDynamic {
            variable: variable.clone(),
            certificates: names,
        }),
        job_id,
        variable,
        certificates,
        consul_token: Secret::ConsulTraefikToken(site.datacenter.clone()),
    }
}

/// One wildcard a parent domain, under the name of the first namespace that uses the domain.
fn certificates(inventory: &Inventory, site: &Site, host: &Host) -> BTreeMap<String, Leaf> {
    let mut domains: BTreeSet<&DomainName> = BTreeSet::new();
    let mut certificates = BTreeMap::new();
    for (namespace, parent) in inventory.namespaces(&site.vos) {
        if domains.insert(parent) {
            let mut name = item_name(namespace);
            while certificates.contains_key(&name) {
                name.push('_');
            }
            certificates.insert(name, wildcard(site, host, parent));
        }
    }
    certificates
}

/// A namespace as the name of a Nomad variable's item, which a template can say after a dot.
fn item_name(namespace: &NamespaceName) -> String {
    namespace.as_str().replace('-', "_")
}

/// The site's own label and the parent domain are joined by a hyphen, so one wildcard covers
/// every user's host name: `<job>.<domain>-<parent>`.
fn wildcard(site: &Site, host: &Host, parent: &DomainName) -> Leaf {
    let zone = format!("{}-{parent}", site.domain);
    Leaf {
        authority: Authority::Atoll,
        common_name: host.node.to_string(),
        dns_names: vec![zone.clone(), format!("*.{zone}")],
        addresses: Vec::new(),
        uris: Vec::new(),
        serves: true,
    }
}
