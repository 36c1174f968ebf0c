//! The Consul tokens of a federation: one a node and purpose, so that each can be withdrawn alone.

use crate::inventory::{Host, Inventory, Role, Site};

use super::{ConsulPolicy, ConsulToken, Secret};

/// All tokens, site by site.
pub(super) fn consul_tokens(inventory: &Inventory) -> Vec<ConsulToken> {
    inventory
        .sites
        .values()
        .flat_map(|site| {
            let of_hosts = site.hosts.values().flat_map(|host| host_tokens(site, host));
            site_tokens(inventory, site).into_iter().chain(of_hosts)
        })
        .collect()
}

fn site_tokens(inventory: &Inventory, site: &Site) -> Vec<ConsulToken> {
    let datacenter = &site.datacenter;
    let has = |role| site.hosts.values().any(|host| host.has(role));
    let dns = token(
        Secret::ConsulDnsToken(datacenter.clone()),
        format!("DNS queries in {datacenter}"),
        [ConsulPolicy::DnsRead],
    );
    let replication = (has(Role::ConsulServer) && !inventory.is_primary(site)).then(|| {
        token(
            Secret::ConsulReplicationToken(datacenter.clone()),
            format!("replication of ACLs to {datacenter}"),
            [ConsulPolicy::Replication],
        )
    });
    let traefik = has(Role::Gateway).then(|| {
        token(
            Secret::ConsulTraefikToken(datacenter.clone()),
            format!("Traefik in {datacenter}"),
            [ConsulPolicy::TraefikRead],
        )
    });
    [Some(dns), replication, traefik]
        .into_iter()
        .flatten()
        .collect()
}

fn host_tokens(site: &Site, host: &Host) -> Vec<ConsulToken> {
    let node = &host.node;
    let agent = ConsulToken {
        node: Some((node.clone(), site.datacenter.clone())),
        ..token(
            Secret::ConsulAgentToken(node.clone()),
            format!("Consul agent of {node}"),
            [],
        )
    };
    let server = host
        .has(Role::NomadServer)
        .then_some(ConsulPolicy::NomadServer);
    let client = host.is_nomad_client().then_some(ConsulPolicy::NomadClient);
    let policies: Vec<_> = server.into_iter().chain(client).collect();
    let nomad = (!policies.is_empty()).then(|| {
        token(
            Secret::ConsulNomadToken(node.clone()),
            format!("Nomad agent of {node}"),
            policies,
        )
    });
    let capacity = host.is_nomad_client().then(|| {
        token(
            Secret::ConsulCapacityToken(node.clone()),
            format!("atoll-agent of {node}"),
            [ConsulPolicy::AtollAgent],
        )
    });
    std::iter::once(agent)
        .chain(nomad)
        .chain(capacity)
        .collect()
}

fn token(
    secret: Secret,
    description: String,
    policies: impl IntoIterator<Item = ConsulPolicy>,
) -> ConsulToken {
    let policies = policies.into_iter().map(ConsulPolicy::name).collect();
    ConsulToken {
        secret,
        description,
        policies,
        node: None,
    }
}
