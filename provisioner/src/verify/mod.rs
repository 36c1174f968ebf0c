//! Proves that a site works, by real use: from what a node says of itself to a
//! user's job behind HTTPS.
//!
//! Every link of the chain has a check of its own, so that the one which is
//! broken is named, and not the one which happens to notice:
//!
//! | check | link |
//! |---|---|
//! | `consul-agent` | the node's own Consul agent runs and is a member |
//! | `token` | Consul knows the tokens of the node's agents |
//! | `metadata` | Nomad's node says what users' jobs ask for |
//! | `traefik` | the gateway's job runs and answers |
//! | `certificate` | the gateway shows a certificate for its names |
//! | `gpus` | Nomad sees the GPUs that the inventory says, and all are healthy |
//! | `agent` | the node's capacity is registered in Consul, and its check passes |
//! | `probe` | a job runs on each client |
//! | `gpu-job` | a job gets a GPU, and is told which |
//! | `route` | a user's job answers through the gateway, by name |

mod gpus;
mod jobs;
mod links;
mod probe;
mod route;
mod wait;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use federation::names::{DatacenterName, NodeName};
use federation::nomad;

use crate::host::{ApiError, Endpoint, Identity, Session};
use crate::plan::{Content, HostPlan, NomadClient, Plan, Secret, Template};
use crate::progress::{Event, Listener, Verdict};
use crate::secrets::Store;
use crate::verify::wait::wait;

/// What is proved, and how it is reached.
pub struct Verifier<'a> {
    /// What should be.
    pub plan: &'a Plan,
    /// The nodes that are proved; of its gateways, the plan has no others.
    pub chosen: &'a BTreeSet<NodeName>,
    /// The operator's secrets.
    pub store: &'a Store,
    /// Who the operator is to Nomad.
    pub identity: &'a Identity,
    /// A connection to each of them that could be reached, and to a Nomad server.
    pub sessions: &'a BTreeMap<NodeName, Session>,
    /// The name of this run, which its jobs carry.
    pub run: &'a str,
    /// Set when the operator wants an end: jobs are purged first.
    pub stop: &'a AtomicBool,
    /// Whether users' jobs whose routes answered are left running.
    pub keep: bool,
    /// Who is told.
    pub listener: &'a dyn Listener,
}

/// How long the agent of a node may take to be heard of.
const BEAT: Duration = Duration::from_secs(30);

/// A check that failed: `check subject`, and why.
pub type Failures = Vec<(String, String)>;

/// What a check says: what was seen, or why it failed.
type Answer = Result<String, String>;

impl Verifier<'_> {
    /// Runs all checks of all sites.
    ///
    /// # Errors
    /// When no Nomad server can be asked.
    pub fn verify(&self) -> Result<Failures, ApiError> {
        let mut told = Told {
            verifier: self,
            failures: Vec::new(),
            broken: BTreeSet::new(),
        };
        let Some(server) = self.server() else {
            told.tell(
                "nomad",
                "servers",
                Err("no Nomad server was reached".to_owned()),
            );
            return Ok(told.failures);
        };
        let nomad = server.nomad(
            self.identity,
            self.store.value(&Secret::NomadManagementToken),
        )?;
        let nodes = self.nodes(&nomad)?;
        for host in self.chosen().filter(|host| host.agents.nomad_client) {
            self.links(&mut told, &nomad, &nodes, host);
        }
        for gateway in &self.plan.services.gateways {
            let (traefik, certificate) =
                (Self::traefik(&nomad, gateway), self.certificates(gateway));
            let subject = gateway.node.as_str();
            told.tell("traefik", subject, traefik);
            told.tell("certificate", subject, certificate);
        }
        self.probes(&mut told, &nomad, &nodes);
        self.gpu_jobs(&mut told, &nomad, &nodes);
        for datacenter in self.datacenters() {
            self.routes(&mut told, &nomad, &datacenter);
        }
        Ok(told.failures)
    }

    /// The ready node of each host, by name. The host's own agent says which it is: one
    /// that was installed anew is listed twice until the servers miss the old one.
    fn nodes(&self, nomad: &Endpoint) -> Result<BTreeMap<String, nomad::NodeStub>, ApiError> {
        let token = self.store.value(&Secret::NomadManagementToken);
        let mut nodes = BTreeMap::new();
        let listed = nomad.ask(&nomad::nodes())?;
        for (name, session) in self.sessions {
            let own = session
                .nomad(self.identity, token)?
                .ask(&nomad::agent_self());
            let id = own.ok().and_then(|own| own.node_id().map(str::to_owned));
            let stub = listed
                .iter()
                .find(|stub| Some(&stub.id) == id.as_ref() && stub.status == "ready");
            nodes.extend(stub.map(|stub| (name.to_string(), stub.clone())));
        }
        Ok(nodes)
    }

    /// A Nomad server that was reached.
    fn server(&self) -> Option<&Session> {
        let mut servers = self
            .plan
            .hosts
            .values()
            .filter(|host| host.agents.nomad_server);
        servers.find_map(|host| self.sessions.get(&host.node))
    }

    fn datacenters(&self) -> BTreeSet<DatacenterName> {
        self.plan
            .hosts
            .values()
            .map(|host| host.datacenter.clone())
            .collect()
    }

    fn chosen(&self) -> impl Iterator<Item = &HostPlan> {
        let nodes = self.chosen.iter();
        nodes.filter_map(|node| self.plan.hosts.get(node))
    }

    /// The clients that run users' jobs, chosen or not; gateways run none.
    fn workers(&self) -> impl Iterator<Item = (&HostPlan, &NomadClient)> {
        let clients = self
            .plan
            .hosts
            .values()
            .filter_map(|host| Some((host, client_context(host)?)));
        clients.filter(|(_, client)| client.kind != "traefik")
    }

    fn links(
        &self,
        told: &mut Told,
        nomad: &Endpoint,
        nodes: &BTreeMap<String, nomad::NodeStub>,
        host: &HostPlan,
    ) {
        let node = host.node.as_str();
        let Some(session) = self.sessions.get(&host.node) else {
            told.tell(
                "consul-agent",
                node,
                Err("the host was not reached".to_owned()),
            );
            return;
        };
        let agent = links::consul_agent(session, self.store, host);
        let has_agent = agent.is_ok();
        told.tell("consul-agent", node, agent);
        if has_agent {
            told.tell("token", node, links::tokens(session, self.store, host));
        } else {
            told.not_tried("token", node, "the node has no Consul agent to ask");
        }
        told.tell(
            "metadata",
            node,
            links::metadata(nomad, nodes.get(node), client_context(host)),
        );
        if has_agent {
            // Consul's agent forgets a beat when it restarts; the next one comes within seconds.
            let agent = wait(BEAT, self.stop, || links::agent(session, self.store, host));
            told.tell("agent", node, agent);
        } else {
            told.not_tried("agent", node, "the node has no Consul agent to ask");
        }
        if let Some(gpus) = &host.gpus {
            told.tell("gpus", node, gpus::seen(nomad, nodes.get(node), gpus));
        }
    }
}

/// What has been told so far.
struct Told<'a> {
    verifier: &'a Verifier<'a>,
    failures: Failures,
    /// What failed, so that a check which needs it is not blamed for it.
    broken: BTreeSet<String>,
}

impl Told<'_> {
    fn tell(&mut self, check: &str, subject: &str, answer: Answer) {
        let verdict = match answer {
            Ok(seen) => Verdict::Passed(seen),
            Err(why) => {
                let why = one_line(&why);
                self.failures
                    .push((format!("{check} {subject}"), why.clone()));
                self.broken.insert(subject.to_owned());
                Verdict::Failed(why)
            }
        };
        self.event(check, subject, verdict);
    }

    /// A check that needs what has failed is not blamed for it.
    fn not_tried(&self, check: &str, subject: &str, why: &str) {
        self.event(check, subject, Verdict::NotTried(why.to_owned()));
    }

    fn event(&self, check: &str, subject: &str, verdict: Verdict) {
        let (check, subject) = (check.to_owned(), subject.to_owned());
        self.verifier.listener.tell(Event::Checked {
            check,
            subject,
            verdict,
        });
    }
}

/// Nomad writes its errors over several lines, as a list.
fn one_line(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| line.trim().trim_start_matches("* "))
        .filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

fn client_context(host: &HostPlan) -> Option<&NomadClient> {
    host.files.iter().find_map(|file| match &file.content {
        Content::Template(template) => match &**template {
            Template::NomadClient(client) => Some(client),
            _ => None,
        },
        _ => None,
    })
}
