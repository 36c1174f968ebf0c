//! The part of a federation that a run is about (`--on`).
//!
//! The plan is always made of the whole inventory: whom to join, how many servers there are. A run
//! connects to the chosen hosts, compares and changes them, and sets through the APIs what is
//! theirs. What all sites share (policies, namespaces, jobs) is set by a run that has chosen both
//! the host which notes it and a server of Nomad; any other run asks a server only for what its
//! hosts cannot start without ([`crate::apply::lenders`]).

use std::collections::BTreeSet;

use federation::names::NodeName;
use jiff::Timestamp;

use crate::apply::manifest::Manifest;
use crate::apply::services::services_digest;
use crate::plan::{Agents, Plan};
use crate::render::Rendered;
use crate::secrets::Store;

/// The hosts that a run is about, and what it may set for them through the APIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    nodes: BTreeSet<NodeName>,
    is_whole: bool,
    /// Whom to choose too, so that a run sets what all sites share.
    lacks: Vec<NodeName>,
    /// What the run sets, then what a run on all hosts would.
    digests: Vec<String>,
    gateways_left_out: Vec<NodeName>,
}

impl Scope {
    /// The chosen nodes of a plan; all of them where nobody has chosen.
    pub fn new(plan: &Plan, chosen: Option<BTreeSet<NodeName>>) -> Self {
        let all = || plan.hosts.keys().cloned().collect();
        let nodes = chosen.unwrap_or_else(all);
        let gateways = plan.services.gateways.iter().map(|gateway| &gateway.node);
        let others = gateways.filter(|node| !nodes.contains(*node));
        Self {
            gateways_left_out: others.cloned().collect(),
            is_whole: nodes.len() == plan.hosts.len(),
            lacks: lacks(plan, &nodes),
            digests: Vec::new(),
            nodes,
        }
    }

    /// Leaves in a plan and its texts only what the run sets through the APIs. Secrets which that
    /// takes are made where they are missing.
    pub fn narrow(&mut self, plan: &mut Plan, rendered: &mut Rendered, store: &mut Store) {
        let digest = |plan: &Plan, rendered: &Rendered, store: &Store| {
            services_digest(&plan.services, &rendered.services, store)
        };
        let secrets = |plan: &Plan| plan.secrets().into_iter().collect::<Vec<_>>();
        if self.is_whole {
            store.ensure(&secrets(plan));
            self.digests = vec![digest(plan, rendered, store)];
            return;
        }
        let part = plan.services_for(&self.nodes);
        let whole = std::mem::replace(&mut plan.services, part);
        store.ensure(&secrets(plan));
        let of_whole = services_digest(&whole, &rendered.services, store);
        let gateways = &mut rendered.services.gateways;
        gateways.retain(|gateway| self.nodes.contains(&gateway.node));
        self.digests = vec![digest(plan, rendered, store), of_whole];
    }

    /// The hosts that are connected to, looked at and changed.
    pub fn nodes(&self) -> &BTreeSet<NodeName> {
        &self.nodes
    }

    /// Whether the run is about all hosts.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether the run sets what all sites share, and with it what is its own hosts'.
    pub fn sets_shared(&self) -> bool {
        self.is_whole || self.lacks.is_empty()
    }

    /// What is noted when all that the run sets has been set. A part never counts as the whole.
    pub fn digest(&self) -> &str {
        self.digests.first().map_or("", String::as_str)
    }

    /// Whether the note on a host says that what the run sets has been set, by it or as part of
    /// the whole.
    pub fn is_done(&self, manifest: &Manifest, now: Timestamp) -> bool {
        let mut digests = self.digests.iter();
        digests.any(|digest| manifest.services_will_do(digest, now))
    }

    /// What a run leaves out of all that there is; nothing where it is about all hosts.
    pub fn left_out(&self, plan: &Plan) -> Vec<String> {
        let mut left_out = self.hosts_left_out(plan);
        if !self.sets_shared() {
            left_out.push(format!(
                "what is set through the APIs: policies, namespaces, jobs, Traefik (choose {} too)",
                names(&self.lacks)
            ));
        } else if !self.gateways_left_out.is_empty() {
            left_out.push(format!("Traefik on {}", names(&self.gateways_left_out)));
        }
        left_out
    }

    /// The same of a run that only proves.
    pub fn not_proved(&self, plan: &Plan) -> Vec<String> {
        let mut left_out = self.hosts_left_out(plan);
        if !self.gateways_left_out.is_empty() {
            left_out.push(format!("routes through {}", names(&self.gateways_left_out)));
        }
        left_out
    }

    fn hosts_left_out(&self, plan: &Plan) -> Vec<String> {
        let all = plan.hosts.len();
        let others = all - self.nodes.len();
        let told = (others > 0).then(|| format!("{others} of {all} hosts"));
        told.into_iter().collect()
    }
}

/// Whom a choice lacks to set what all sites share: the host that notes it, and a server of Nomad.
fn lacks(plan: &Plan, nodes: &BTreeSet<NodeName>) -> Vec<NodeName> {
    let of = |kind: fn(&Agents) -> bool| {
        let hosts = plan.hosts.values().filter(move |host| kind(&host.agents));
        let mut hosts: Vec<_> = hosts.collect();
        hosts.sort_by_key(|host| (host.datacenter != plan.primary, &host.node));
        hosts
    };
    let keeper = plan.keeper().filter(|keeper| !nodes.contains(*keeper));
    let servers = of(|agents| agents.nomad_server);
    let has_server = servers.iter().any(|host| nodes.contains(&host.node));
    let server = servers.first().filter(|_| !has_server);
    let lacks: BTreeSet<&NodeName> = keeper
        .into_iter()
        .chain(server.map(|host| &host.node))
        .collect();
    lacks.into_iter().cloned().collect()
}

fn names(nodes: &[NodeName]) -> String {
    let names: Vec<&str> = nodes.iter().map(NodeName::as_str).collect();
    names.join(", ")
}
