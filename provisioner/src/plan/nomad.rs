//! Nomad on a host: a server, a client, or one agent which is both.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::inventory::{Host, Introduction, NodeType};
use crate::versions::{Options, Product};

use super::consul::local_and;
use super::file::AgentFiles;
use super::peers::Place;
use super::{
    Access, Account, Agents, Authority, Content, Directory, HostPlan, Leaf, NomadClient,
    NomadConfig, NomadServer, NomadUnit, PlannedFile, Program, Secret, Service, Storage, Template,
    Unit, Wave, cni, extra, gpu,
};

/// The account and group of a server; a client needs root.
const NOMAD: &str = "nomad";

/// Adds the Nomad agent to a host.
pub(super) fn add(plan: &mut HostPlan, place: &Place<'_>, host: &Host) {
    let agents = plan.agents;
    let user = if agents.nomad_client { "root" } else { NOMAD };
    if user == NOMAD {
        plan.accounts.push(Account {
            name: NOMAD,
            home: "/etc/nomad.d",
        });
    }
    plan.directories.extend(directories(plan, user));
    plan.files.extend(files(plan, place, host, user));
    plan.units.push(Unit {
        service: Service::Nomad,
        wave: agents.nomad_wave(),
    });
    plan.programs.push(Program::linked(
        "nomad",
        place.site.versions.nomad.clone(),
        Service::Nomad,
    ));
}

fn files(plan: &HostPlan, place: &Place<'_>, host: &Host, user: &'static str) -> Vec<PlannedFile> {
    let agents = plan.agents;
    let of = AgentFiles {
        service: Service::Nomad,
        wave: agents.nomad_wave(),
        group: user,
    };
    let leaf = Arc::new(leaf(place, host, agents));
    let (certificate, key) = (
        Content::Certificate(Arc::clone(&leaf)),
        Content::PrivateKey(leaf),
    );
    let key_mode = if agents.nomad_client { 0o600 } else { 0o640 };
    let authority = Content::Authority(Authority::Nomad);
    let unit = NomadUnit {
        user,
        client: agents.nomad_client,
        volume: plan.storage.volume,
    };
    let mut files = vec![
        of.configuration("/etc/nomad.d/nomad.hcl", config(plan, place, host)),
        of.certificate("/etc/nomad.d/certs/nomad-ca.pem", 0o640, authority),
        of.certificate("/etc/nomad.d/certs/agent.pem", 0o640, certificate),
        of.certificate("/etc/nomad.d/certs/agent-key.pem", key_mode, key),
        of.unit(Template::NomadUnit(unit)),
    ];
    if agents.nomad_server {
        files.push(of.configuration("/etc/nomad.d/server.hcl", server(place)));
    }
    if let Some(node_type) = plan.node_type {
        let client = client(place, host, node_type);
        files.push(of.configuration("/etc/nomad.d/client.hcl", client));
    }
    files.extend(extra::files(of, "/etc/nomad.d", place, host, |extra| {
        extra.nomad.as_deref()
    }));
    files
}

/// The client's folder waits for the introduction token, which must lie there before the first
/// start. Plugins stay off the volume, so that one that is missing takes no GPU away.
fn directories(plan: &HostPlan, user: &'static str) -> Vec<Directory> {
    let own = |path, mode, wave| Directory {
        path,
        access: Access {
            mode,
            owner: user,
            group: user,
        },
        wave,
    };
    let mut directories = vec![
        Directory {
            path: "/etc/nomad.d",
            access: Access::root(0o750, user),
            wave: Wave::Base,
        },
        Directory {
            path: "/etc/nomad.d/certs",
            access: Access::root(0o750, user),
            wave: Wave::Base,
        },
        own("/opt/nomad", 0o700, Wave::Base),
    ];
    if !plan.agents.nomad_client {
        return directories;
    }
    let Storage {
        volume,
        nomad,
        nomad_client,
        ..
    } = plan.storage;
    // A folder on a volume that is not mounted yet would be one on the root file system.
    let wave = volume.map_or(Wave::Base, |_| plan.agents.nomad_wave());
    directories.extend(volume.map(|_| own(nomad, 0o700, wave)));
    directories.extend([
        own(nomad_client, 0o700, wave),
        own("/opt/nomad/plugins", 0o755, Wave::Base),
    ]);
    directories
}

/// Servers are met from other sites; a client only by the hosts of its own.
fn config(plan: &HostPlan, place: &Place<'_>, host: &Host) -> Template {
    let agents = plan.agents;
    let address = if agents.nomad_server {
        host.public_address
    } else {
        host.address
    };
    let at = |port| SocketAddr::new(address, port);
    Template::NomadConfig(NomadConfig {
        region: place.inventory.federation.name.clone(),
        datacenter: place.site.datacenter.clone(),
        node: host.node.clone(),
        data_dir: plan.storage.nomad,
        listens: match address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        },
        http: at(4646),
        rpc: at(4647),
        serf: agents.nomad_server.then(|| at(4648)),
        consul_token: Secret::ConsulNomadToken(host.node.clone()),
    })
}

fn server(place: &Place<'_>) -> Template {
    let federation = &place.inventory.federation;
    let options = Options::closest(Product::Nomad, &place.site.versions.nomad);
    let introduces = options.knows(&["server", "client_introduction", "enforcement"]);
    let enforcement = match federation.introduction {
        Introduction::Strict => "strict",
        Introduction::Warn => "warn",
    };
    Template::NomadServer(NomadServer {
        bootstrap_expect: place.federation.nomad_servers.len(),
        gossip_key: Secret::NomadGossipKey,
        servers: place.federation.nomad_servers.clone(),
        introduction: introduces.then_some(enforcement),
    })
}

fn client(place: &Place<'_>, host: &Host, node_type: NodeType) -> Template {
    let namespaces: BTreeSet<_> = place
        .inventory
        .namespaces(&host.vos)
        .into_keys()
        .cloned()
        .collect();
    let clients = &place.inventory.federation.clients;
    let is_gateway = node_type == NodeType::Gateway;
    Template::NomadClient(NomadClient {
        servers: place.federation.nomad_servers.clone(),
        namespaces,
        kind: match node_type {
            NodeType::Compute => "compute",
            NodeType::Batch => "batch",
            NodeType::TryMe => "tryme",
            NodeType::Gateway => "traefik",
        },
        compute: node_type == NodeType::Compute,
        tags: if host.gpus.is_some() { "gpu" } else { "cpu" },
        plugin_dir: gpu::plugin_dir(place, host),
        gpus: host.gpus.is_some(),
        domain: place.site.domain.clone(),
        reserved_memory_mib: (!is_gateway).then_some(clients.reserved_memory_mib),
        // On gateways no users' jobs run, and Traefik must get its ports.
        reserved_ports: if is_gateway {
            "22".to_owned()
        } else {
            ssh_ports(place, host)
        },
        cni_path: cni::path(place),
        raw_exec: clients.raw_exec.contains(&node_type),
    })
}

/// The usual port, and the one that the operator is told to use, which may be a translated one.
fn ssh_ports(place: &Place<'_>, host: &Host) -> String {
    let port = host.ssh.port.unwrap_or(place.site.ssh.port);
    let ports: BTreeSet<u16> = [22, port].into();
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    ports.join(",")
}

/// A server's name is authority to act as one: it never stands in a certificate of a mere client.
fn leaf(place: &Place<'_>, host: &Host, agents: Agents) -> Leaf {
    let region = &place.inventory.federation.name;
    let server = agents
        .nomad_server
        .then(|| format!("server.{region}.nomad"));
    let client = agents
        .nomad_client
        .then(|| format!("client.{region}.nomad"));
    let local = ["localhost".to_owned(), host.node.to_string()];
    let public = agents.nomad_server.then_some(host.public_address);
    Leaf {
        authority: Authority::Nomad,
        common_name: host.node.to_string(),
        dns_names: server.into_iter().chain(client).chain(local).collect(),
        addresses: local_and([host.address].into_iter().chain(public)),
        uris: Vec::new(),
        serves: true,
    }
}
