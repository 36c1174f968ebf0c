//! `atoll-agent` on a node: what it reads, what it may, and how it is known.

use std::net::SocketAddr;
use std::sync::Arc;

use federation::usage::identity;

use crate::inventory::Host;

use super::accounting::PORT;
use super::file::AgentFiles;
use super::host::own_version;
use super::peers::Place;
use super::{
    Access, Account, AgentConsulToken, AgentSettings, AgentUnit, Authority, Content, Directory,
    HostPlan, Leaf, NomadUser, PlannedFile, Program, Secret, Service, Template, Unit, Wave,
};

/// The service's account and group.
const AGENT: &str = "atoll-agent";

/// Adds the agent to a host that is a Nomad client.
pub(super) fn add(plan: &mut HostPlan, place: &Place<'_>, host: &Host) {
    plan.accounts.push(Account {
        name: AGENT,
        home: "/var/lib/atoll-agent",
    });
    plan.directories.extend(directories());
    plan.files.extend(files(plan, place, host));
    plan.units.push(Unit {
        service: Service::AtollAgent,
        wave: Wave::Services,
    });
    plan.programs.push(Program::linked(
        "atoll-agent",
        own_version(),
        Service::AtollAgent,
    ));
}

fn directories() -> [Directory; 3] {
    [
        Directory {
            path: "/etc/atoll-agent",
            access: Access::root(0o750, AGENT),
            wave: Wave::Base,
        },
        Directory {
            path: "/etc/atoll-agent/certs",
            access: Access::root(0o750, AGENT),
            wave: Wave::Base,
        },
        // systemd hands these to the service (`LoadCredential=`), and to nobody else.
        Directory {
            path: "/etc/atoll-agent/credentials",
            access: Access::root(0o700, "root"),
            wave: Wave::Base,
        },
    ]
}

fn files(plan: &HostPlan, place: &Place<'_>, host: &Host) -> Vec<PlannedFile> {
    let of = AgentFiles {
        service: Service::AtollAgent,
        wave: Wave::Services,
        group: AGENT,
    };
    let accounting = accounting(place);
    let nomad = Arc::new(nomad_leaf(host));
    let token = AgentConsulToken {
        token: Secret::ConsulCapacityToken(host.node.clone()),
    };
    let mut files = vec![
        of.configuration(
            "/etc/atoll-agent/agent.toml",
            settings(plan, place, accounting),
        ),
        of.public(
            "/etc/atoll-agent/certs/nomad-ca.pem",
            Content::Authority(Authority::Nomad),
        ),
        of.public(
            "/etc/atoll-agent/certs/nomad.pem",
            Content::Certificate(Arc::clone(&nomad)),
        ),
        of.credential(
            "/etc/atoll-agent/credentials/nomad-key.pem",
            Content::PrivateKey(nomad),
        ),
        of.credential(
            "/etc/atoll-agent/credentials/nomad-token",
            Content::NomadToken(NomadUser::Agent),
        ),
        of.credential(
            "/etc/atoll-agent/credentials/consul-token",
            Content::Template(Box::new(Template::AgentConsulToken(token))),
        ),
        of.unit(Template::AgentUnit(AgentUnit {
            delivers: accounting.is_some(),
            nomad_data: plan.storage.nomad,
        })),
    ];
    if accounting.is_some() {
        let own = Arc::new(own_leaf(place, host));
        files.extend([
            of.public(
                "/etc/atoll-agent/certs/atoll-ca.pem",
                Content::Authority(Authority::Atoll),
            ),
            of.public(
                "/etc/atoll-agent/certs/agent.pem",
                Content::Certificate(Arc::clone(&own)),
            ),
            of.credential(
                "/etc/atoll-agent/credentials/agent-key.pem",
                Content::PrivateKey(own),
            ),
        ]);
    }
    files
}

fn settings(plan: &HostPlan, place: &Place<'_>, accounting: Option<SocketAddr>) -> Template {
    Template::AgentSettings(AgentSettings {
        federation: place.inventory.federation.name.clone(),
        node: plan.node.clone(),
        datacenter: place.site.datacenter.clone(),
        docker: plan.storage.volume.map(|_| plan.storage.docker),
        accounting,
    })
}

/// Hosts of another site are met at their public address.
fn accounting(place: &Place<'_>) -> Option<SocketAddr> {
    let (site, host) = place.inventory.accounting(place.site)?;
    let address = if site.datacenter == place.site.datacenter {
        host.address
    } else {
        host.public_address
    };
    Some(SocketAddr::new(address, PORT))
}

/// For reading Nomad's API: without a name that would make its holder a client or server.
fn nomad_leaf(host: &Host) -> Leaf {
    Leaf {
        authority: Authority::Nomad,
        common_name: host.node.to_string(),
        dns_names: Vec::new(),
        addresses: Vec::new(),
        uris: Vec::new(),
        serves: false,
    }
}

/// For deliveries: says whose records these are.
fn own_leaf(place: &Place<'_>, host: &Host) -> Leaf {
    let federation = &place.inventory.federation.name;
    Leaf {
        authority: Authority::Atoll,
        common_name: host.node.to_string(),
        dns_names: Vec::new(),
        addresses: Vec::new(),
        uris: vec![identity(
            federation.as_str(),
            &place.site.datacenter,
            &host.node,
        )],
        serves: false,
    }
}
