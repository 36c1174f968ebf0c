//! Consul on a host: a server, or the client that every other host runs.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::inventory::Host;

use super::file::AgentFiles;
use super::peers::Place;
use super::{
    Access, Account, Agents, Authority, ConsulAcl, ConsulClient, ConsulConfig, ConsulServer,
    ConsulUnit, Content, Directory, HostPlan, Leaf, PlannedFile, Program, Secret, Service,
    Template, Unit, Wave, extra,
};

/// The service's account and group.
const CONSUL: &str = "consul";

/// Adds the Consul agent to a host.
pub(super) fn add(plan: &mut HostPlan, place: &Place<'_>, host: &Host) {
    let wave = plan.agents.consul_wave();
    plan.accounts.push(Account {
        name: CONSUL,
        home: "/etc/consul.d",
    });
    plan.directories.extend(directories());
    plan.files.extend(files(place, host, plan.agents));
    plan.units.push(Unit {
        service: Service::Consul,
        wave,
    });
    plan.programs.push(Program::linked(
        "consul",
        place.site.versions.consul.clone(),
        Service::Consul,
    ));
}

fn directories() -> [Directory; 3] {
    let own = Access {
        mode: 0o700,
        owner: CONSUL,
        group: CONSUL,
    };
    [
        Directory {
            path: "/etc/consul.d",
            access: Access::root(0o750, CONSUL),
            wave: Wave::Base,
        },
        Directory {
            path: "/etc/consul.d/certs",
            access: Access::root(0o750, CONSUL),
            wave: Wave::Base,
        },
        Directory {
            path: "/opt/consul",
            access: own,
            wave: Wave::Base,
        },
    ]
}

/// A client has no certificate of ours: servers give it one when it joins.
fn files(place: &Place<'_>, host: &Host, agents: Agents) -> Vec<PlannedFile> {
    let of = AgentFiles {
        service: Service::Consul,
        wave: agents.consul_wave(),
        group: CONSUL,
    };
    let server = agents.consul_server;
    let authority = Content::Authority(Authority::Consul);
    let mut files = vec![
        of.configuration("/etc/consul.d/consul.hcl", config(place, host, server)),
        of.configuration("/etc/consul.d/acl.hcl", acl(place, host, server)),
        of.certificate("/etc/consul.d/certs/consul-agent-ca.pem", 0o644, authority),
        of.unit(Template::ConsulUnit(ConsulUnit {})),
    ];
    if server {
        let leaf = Arc::new(server_leaf(place, host));
        let (certificate, key) = (
            Content::Certificate(Arc::clone(&leaf)),
            Content::PrivateKey(leaf),
        );
        files.extend([
            of.configuration("/etc/consul.d/server.hcl", server_config(place, host)),
            of.certificate("/etc/consul.d/certs/server.pem", 0o640, certificate),
            of.certificate("/etc/consul.d/certs/server-key.pem", 0o640, key),
        ]);
    } else {
        let client = Template::ConsulClient(ConsulClient {});
        files.push(of.configuration("/etc/consul.d/client.hcl", client));
    }
    files.extend(extra::files(of, "/etc/consul.d", place, host, |extra| {
        extra.consul.as_deref()
    }));
    files
}

fn config(place: &Place<'_>, host: &Host, server: bool) -> Template {
    Template::ConsulConfig(ConsulConfig {
        datacenter: place.site.datacenter.clone(),
        primary_datacenter: place.inventory.federation.primary.clone(),
        node: host.node.clone(),
        address: host.address,
        servers: place.consul_servers.clone(),
        server,
        gossip_key: Secret::ConsulGossipKey,
    })
}

fn acl(place: &Place<'_>, host: &Host, server: bool) -> Template {
    let datacenter = &place.site.datacenter;
    let replicates = server && !place.inventory.is_primary(place.site);
    Template::ConsulAcl(ConsulAcl {
        agent_token: Secret::ConsulAgentToken(host.node.clone()),
        dns_token: Secret::ConsulDnsToken(datacenter.clone()),
        replication_token: replicates.then(|| Secret::ConsulReplicationToken(datacenter.clone())),
    })
}

fn server_config(place: &Place<'_>, host: &Host) -> Template {
    Template::ConsulServer(ConsulServer {
        bootstrap_expect: place.consul_servers.len(),
        public_address: host.public_address,
        federation_servers: place.federation.consul_servers.clone(),
    })
}

/// What other servers and clients insist on comes first: `server.<datacenter>.<domain>`.
fn server_leaf(place: &Place<'_>, host: &Host) -> Leaf {
    let role = format!("server.{}.consul", place.site.datacenter);
    let own = format!("{}.{role}", host.node);
    Leaf {
        authority: Authority::Consul,
        common_name: host.node.to_string(),
        dns_names: vec![role, own, "localhost".to_owned()],
        addresses: local_and([host.address, host.public_address]),
        uris: Vec::new(),
        serves: true,
    }
}

/// The loopback address and others, each once.
pub(super) fn local_and(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut all = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    all.extend(addresses);
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|address| seen.insert(*address));
    all
}
