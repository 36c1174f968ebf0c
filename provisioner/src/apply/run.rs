//! A whole run: wave after wave, and what is set through the APIs in between.

mod work;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use federation::names::NodeName;
use jiff::Timestamp;

use crate::apply::health::operator_identity;
use crate::apply::lenders::{Lender, tokens_written};
use crate::apply::manifest::Manifest;
use crate::apply::run::work::Works;
use crate::apply::script::{Batch, Late};
use crate::apply::services::{Services, ServicesError};
use crate::apply::survey::{Desired, Member};
use crate::apply::turns::turns;
use crate::apply::wave::Staged;
use crate::host::{Identity, Session};
use crate::plan::{HostPlan, Service, Wave};
use crate::progress::{Event, Listener, Outcome};

/// What came of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Changes made.
    pub changes: usize,
    /// What failed and why: nodes, or `federation`.
    pub failed: BTreeMap<String, String>,
    /// Whether it was stopped by the operator before its end.
    pub stopped: bool,
}

/// Brings all members to what is wanted.
///
/// `stop` is looked at between waves: a wave that has begun is brought to its end.
pub fn apply(
    desired: &Desired,
    members: BTreeMap<NodeName, Member>,
    lenders: &[Lender],
    artifacts: Option<&Path>,
    run: &str,
    stop: &AtomicBool,
    listener: &dyn Listener,
) -> Applied {
    let identity = match operator_identity(desired.store, desired.now) {
        Ok(identity) => identity,
        Err(error) => {
            return Applied {
                failed: [("federation".to_owned(), error.to_string())].into(),
                ..Applied::default()
            };
        }
    };
    let manifests = members
        .iter()
        .map(|(node, member)| (node.clone(), member.facts.manifest.clone()))
        .collect();
    let mut run = Run {
        desired,
        members,
        lenders,
        manifests,
        artifacts,
        name: run,
        identity,
        listener,
        staged: BTreeMap::new(),
        applied: Applied::default(),
    };
    run.all(stop);
    run.applied
}

struct Run<'a, 'b> {
    desired: &'b Desired<'a>,
    members: BTreeMap<NodeName, Member<'a>>,
    lenders: &'b [Lender<'a>],
    manifests: BTreeMap<NodeName, Manifest>,
    artifacts: Option<&'b Path>,
    name: &'b str,
    identity: Identity,
    listener: &'b dyn Listener,
    /// What hosts were sent before its turn: the wave that it belongs to.
    staged: BTreeMap<NodeName, (Wave, Staged)>,
    applied: Applied,
}

impl Run<'_, '_> {
    fn all(&mut self, stop: &AtomicBool) {
        let scope = self.desired.scope;
        let services_changed = scope.sets_shared() && (!self.is_noted() || self.desired.deep);
        for wave in Wave::ALL {
            if stop.load(Ordering::Relaxed) {
                self.applied.stopped = true;
                return;
            }
            let lost_server = self.wave(wave);
            let outcome = if lost_server {
                Err("a server failed, and what comes next needs it".to_owned())
            } else if services_changed {
                self.services(wave).map_err(|error| error.to_string())
            } else if wave == Wave::ConsulServers && !scope.sets_shared() {
                self.missing_tokens().map_err(|error| error.to_string())
            } else {
                Ok(())
            };
            if let Err(error) = outcome {
                let why = self.applied.failed.entry("federation".to_owned());
                why.or_insert(error);
                return;
            }
        }
        self.ask_again();
    }

    /// Runs one wave on all members; says whether a server failed. After such a failure
    /// no other server is touched.
    fn wave(&mut self, wave: Wave) -> bool {
        let works = match self.works(wave) {
            Ok(works) => works,
            Err(error) => {
                self.applied.failed.insert("federation".to_owned(), error);
                return true;
            }
        };
        if works.is_empty() {
            return false;
        }
        self.listener.tell(Event::WaveStarted {
            wave,
            nodes: works.keys().cloned().collect(),
        });
        self.turns(wave, works)
            .into_iter()
            .any(|turn| self.turn(wave, turn))
    }

    /// Splits a wave into what may happen at once.
    fn turns(&self, wave: Wave, works: Works) -> Vec<Works> {
        let service = match wave {
            Wave::ConsulServers => Service::Consul,
            Wave::NomadServers => Service::Nomad,
            _ => return vec![works],
        };
        turns(works, |node| {
            let services = self.members.get(node).map(|member| &member.facts.services);
            services
                .and_then(|services| services.get(service.name()))
                .is_some_and(|fact| fact.active)
        })
    }

    /// Runs what may happen at once; says whether a server failed.
    fn turn(&mut self, wave: Wave, works: Works) -> bool {
        let mut lost_server = false;
        for done in self.run_works(works) {
            let node = done.node;
            match done.result {
                Ok(()) => {
                    let made = self
                        .members
                        .get(&node)
                        .map_or(0, |member| made(member, wave));
                    self.applied.changes += made;
                    self.manifests.insert(node.clone(), done.manifest);
                    self.staged
                        .extend(done.next.map(|next| (node.clone(), next)));
                }
                Err(error) => {
                    let why = format!("{wave}: {error}");
                    self.listener.tell(Event::HostDone {
                        node: node.clone(),
                        outcome: Outcome::Failed(why.clone()),
                    });
                    let agents = self.members.remove(&node).map(|member| member.plan.agents);
                    lost_server |=
                        agents.is_some_and(|agents| agents.consul_server || agents.nomad_server);
                    self.applied.failed.insert(node.to_string(), why);
                }
            }
        }
        lost_server
    }

    fn api(&self) -> Services<'_> {
        Services {
            plan: self.desired.plan,
            rendered: self.desired.rendered,
            store: self.desired.store,
            identity: &self.identity,
            now: self.desired.now,
        }
    }

    /// Consul must know the tokens of hosts before these start with them.
    fn missing_tokens(&self) -> Result<(), ServicesError> {
        match tokens_written(self.desired, self.members.values()).as_slice() {
            [] => Ok(()),
            tokens => self.api().missing_tokens(self.consul()?, tokens),
        }
    }

    /// The session of a Consul server of the primary datacenter.
    fn consul(&self) -> Result<&Session, ServicesError> {
        let primary = &self.desired.plan.primary;
        self.server(|host| host.agents.consul_server && &host.datacenter == primary)
    }

    /// The session of the first member of a kind, in the primary datacenter if there is one; else
    /// of one that lends itself.
    fn server(&self, kind: impl Fn(&HostPlan) -> bool) -> Result<&Session, ServicesError> {
        let primary = &self.desired.plan.primary;
        let of_kind = self.members.values().filter(|member| kind(member.plan));
        let member = of_kind
            .min_by_key(|member| (&member.plan.datacenter != primary, &member.plan.node))
            .map(|member| &member.session);
        let mut lenders = self.lenders.iter();
        let lender = lenders.find(|lender| kind(lender.plan));
        member
            .or(lender.map(|lender| &lender.session))
            .ok_or(ServicesError::NoServer)
    }

    /// What follows a wave through the APIs. What was noted of them is taken away before the first
    /// step: a run that ends in between must not leave a word that something else has been set.
    fn services(&mut self, wave: Wave) -> Result<(), ServicesError> {
        if wave == Wave::ConsulServers && !self.is_noted() {
            self.note(None, None)?;
        }
        let tell = |doing: String| self.listener.tell(Event::Federation { doing });
        match wave {
            Wave::ConsulServers => {
                tell("setting Consul's ACLs".to_owned());
                self.api().consul(self.consul()?)
            }
            Wave::NomadServers => {
                tell("setting Nomad's ACLs".to_owned());
                self.api()
                    .nomad_acls(self.server(|host| host.agents.nomad_server)?)
            }
            Wave::Services => {
                tell("setting namespaces, policies and gateways".to_owned());
                let due = self
                    .api()
                    .nomad(self.server(|host| host.agents.nomad_server)?, &tell)?;
                self.note_services(due)
            }
            _ => Ok(()),
        }
    }

    /// Notes on the keeper that the services are as wanted, so that the next run need not ask.
    fn note_services(&mut self, due: Option<Timestamp>) -> Result<(), ServicesError> {
        if self.is_noted() {
            return Ok(());
        }
        let digest = self.desired.scope.digest().to_owned();
        if self.note(Some(digest), due)? {
            self.applied.changes += 1;
        }
        Ok(())
    }

    /// Whether the keeper has a note that what this run sets has been set.
    fn is_noted(&self) -> bool {
        let keeper = self.desired.plan.keeper();
        let noted = keeper.and_then(|node| self.manifests.get(node));
        noted.is_some_and(|manifest| self.desired.scope.is_done(manifest, self.desired.now))
    }

    /// Notes on the keeper what has been set, if it is here and has another note.
    fn note(
        &mut self,
        digest: Option<String>,
        due: Option<Timestamp>,
    ) -> Result<bool, ServicesError> {
        let keeper = self.desired.plan.keeper();
        let Some(keeper) = keeper.filter(|node| self.members.contains_key(*node)) else {
            return Ok(false);
        };
        let mut manifest = self.manifests.get(keeper).cloned().unwrap_or_default();
        let due = due.map(|due| due.to_string());
        if (&manifest.services, &manifest.services_due) == (&digest, &due) {
            return Ok(false);
        }
        manifest.services = digest;
        manifest.services_due = due;
        let member = self.members.get(keeper).ok_or(ServicesError::NoServer)?;
        let health = self.health(Wave::Services, member.plan);
        let place = self.place(member);
        let late = Late::new(&manifest);
        place
            .stage(&Batch::note(self.name))
            .and_then(|staged| place.run(staged, &late, &health, &mut || ()))
            .map_err(|error| ServicesError::Note {
                reason: error.to_string(),
            })?;
        self.manifests.insert(keeper.clone(), manifest);
        Ok(true)
    }

    /// A run is over when the hosts themselves say that nothing is left to do.
    fn ask_again(&mut self) {
        let (desired, listener) = (self.desired, self.listener);
        let answers: Vec<(NodeName, usize, Result<Vec<String>, String>)> =
            std::thread::scope(|scope| {
                let threads: Vec<_> = self
                    .members
                    .iter_mut()
                    .map(|(node, member)| {
                        listener.tell(Event::Step {
                            node: node.clone(),
                            doing: "comparing again".to_owned(),
                        });
                        let made = Wave::ALL.iter().map(|wave| made(member, *wave)).sum();
                        (
                            node.clone(),
                            made,
                            scope.spawn(move || again(member, made, desired)),
                        )
                    })
                    .collect();
                threads
                    .into_iter()
                    .filter_map(|(node, made, thread)| Some((node, made, thread.join().ok()?)))
                    .collect()
            });
        for (node, made, answer) in answers {
            let outcome = match answer {
                Ok(left) if left.is_empty() && made == 0 => Outcome::Converged,
                Ok(left) if left.is_empty() => Outcome::Changed(made),
                Ok(left) => Outcome::Failed(format!("it did not converge: {}", left.join("; "))),
                Err(error) => Outcome::Failed(error),
            };
            if let Outcome::Failed(why) = &outcome {
                self.applied.failed.insert(node.to_string(), why.clone());
            }
            listener.tell(Event::HostDone { node, outcome });
        }
    }
}

/// What is left to do on a host that was changed; one that was not has just been asked.
fn again(member: &mut Member, made: usize, desired: &Desired) -> Result<Vec<String>, String> {
    if made > 0 {
        member.refresh(desired).map_err(|error| error.to_string())?;
        return Ok(member
            .changes
            .iter()
            .map(|change| change.what.to_string())
            .collect());
    }
    Ok(Vec::new())
}

fn made(member: &Member, wave: Wave) -> usize {
    member
        .changes
        .iter()
        .filter(|change| change.wave == wave)
        .count()
}
