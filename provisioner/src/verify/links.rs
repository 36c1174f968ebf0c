//! The checks of single links: a node's agents, their tokens, what the node says of itself.

use std::collections::BTreeMap;

use federation::{consul, nomad};

use crate::host::{Endpoint, Session};
use crate::plan::{HostPlan, NomadClient, Secret};
use crate::secrets::Store;
use crate::verify::Answer;

/// The node's own Consul agent runs, and its datacenter knows it as alive.
pub(super) fn consul_agent(session: &Session, store: &Store, host: &HostPlan) -> Answer {
    let consul = session.consul(store.value(&Secret::ConsulManagementToken));
    let own = consul
        .ask(&consul::agent_self())
        .map_err(|error| error.to_string())?;
    let members = consul
        .ask(&consul::members())
        .map_err(|error| error.to_string())?;
    let alive = members.iter().filter(|member| member.status == 1).count();
    if own.config.node_name != host.node.as_str() {
        return Err(format!("it calls itself {}", own.config.node_name));
    }
    if alive < 2 && members.len() > 1 {
        return Err(format!(
            "it sees {} other members, and none is alive",
            members.len() - 1
        ));
    }
    Ok(format!(
        "Consul {}, {alive} members alive",
        own.config.version
    ))
}

/// Consul knows the tokens of the node's agents, and lets Nomad's register the node.
pub(super) fn tokens(session: &Session, store: &Store, host: &HostPlan) -> Answer {
    let tokens = [
        ("Consul agent", Secret::ConsulAgentToken(host.node.clone())),
        ("Nomad agent", Secret::ConsulNomadToken(host.node.clone())),
    ];
    for (holder, secret) in tokens {
        let value = store
            .value(&secret)
            .ok_or_else(|| format!("the operator's store has no {secret}"))?;
        let known = session.consul(Some(value)).ask(&consul::own_token());
        known.map_err(|error| format!("Consul does not accept the token of the {holder}: {error}; `atoll apply --deep` sets it again"))?;
    }
    let registered = session
        .consul(store.value(&Secret::ConsulManagementToken))
        .ask(&consul::service("nomad-client"))
        .map_err(|error| error.to_string())?;
    if !registered
        .iter()
        .any(|service| service.node == host.node.as_str())
    {
        return Err("Nomad's agent has not registered with Consul: the token in its configuration is not the one it was given".to_owned());
    }
    Ok("both are accepted".to_owned())
}

/// The node's capacity is registered by its agent, whose check passes.
pub(super) fn agent(session: &Session, store: &Store, host: &HostPlan) -> Answer {
    let registered = session
        .consul(store.value(&Secret::ConsulManagementToken))
        .ask(&consul::instances(CAPACITY))
        .map_err(|error| error.to_string())?;
    let own = registered
        .iter()
        .find(|instance| instance.node.node == host.node.as_str())
        .ok_or("atoll-agent has not registered the node's capacity: see `journalctl -u atoll-agent` there")?;
    let failing: Vec<String> = own
        .checks
        .iter()
        .filter(|check| check.status != consul::Health::Passing)
        .map(|check| {
            let (name, output) = (&check.name, check.output.trim());
            format!("Consul's check `{name}` is {:?}: {output}", check.status)
        })
        .collect();
    if !failing.is_empty() {
        return Err(failing.join("; "));
    }
    let meta = |key: &str| own.service.meta.get(key).map_or("?", String::as_str);
    Ok(format!(
        "it registered {} cores, {} MiB, {} GPUs",
        meta("cpu_cores"),
        meta("mem_mib"),
        meta("gpu_count")
    ))
}

/// The service under which agents register what their node has.
const CAPACITY: &str = "site-capacity-node";

/// The node is ready in Nomad, and says of itself what users' jobs ask for.
pub(super) fn metadata(
    nomad: &Endpoint,
    stub: Option<&nomad::NodeStub>,
    client: Option<&NomadClient>,
) -> Answer {
    let stub = stub.ok_or("Nomad has no ready node of this name")?;
    let client = client.ok_or("the plan has no client for it")?;
    let node = nomad
        .ask(&nomad::equipped(&stub.id))
        .map_err(|error| error.to_string())?;
    let meta = node.meta.unwrap_or_default();
    let namespaces: Vec<&str> = client
        .namespaces
        .iter()
        .map(federation::names::NamespaceName::as_str)
        .collect();
    let wanted: BTreeMap<&str, String> = [
        ("type", client.kind.to_owned()),
        ("compute", client.compute.to_string()),
        ("tags", client.tags.to_owned()),
        ("domain", client.domain.to_string()),
        ("namespace", namespaces.join(",")),
    ]
    .into();
    let wrong: Vec<String> = wanted
        .iter()
        .filter(|(key, value)| meta.get(**key) != Some(value))
        .map(|(key, value)| {
            format!(
                "meta.{key} is {:?}, not {value:?}",
                meta.get(*key).map_or("absent", String::as_str)
            )
        })
        .collect();
    if !wrong.is_empty() {
        return Err(wrong.join("; "));
    }
    let sick: Vec<&str> = ["docker", "exec", "raw_exec"]
        .into_iter()
        .filter(|driver| {
            !stub
                .drivers
                .as_ref()
                .and_then(|all| all.get(*driver))
                .is_some_and(|driver| driver.detected && driver.healthy)
        })
        .collect();
    if !sick.is_empty() {
        return Err(format!("drivers that do not work: {}", sick.join(", ")));
    }
    Ok(format!(
        "status {}",
        meta.get("status").map_or("absent", String::as_str)
    ))
}
