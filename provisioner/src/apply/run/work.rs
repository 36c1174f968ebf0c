//! What each host does in a wave, and the doing of it on all hosts at once.

use std::collections::BTreeMap;

use federation::names::NodeName;

use crate::apply::changes::What;
use crate::apply::health::Health;
use crate::apply::manifest::{Manifest, manifest_after};
use crate::apply::run::Run;
use crate::apply::script::{Batch, Late, batch};
use crate::apply::services::ServicesError;
use crate::apply::survey::Member;
use crate::apply::wanted::Wish;
use crate::apply::wave::{Place, Staged, WaveError};
use crate::artifacts;
use crate::plan::{HostPlan, Wave};
use crate::progress::Event;

/// What is done on one host in one wave.
pub(super) struct Work {
    batch: Batch,
    late: Late,
    /// What the host says of itself afterwards.
    manifest: Manifest,
    /// The batch, if the host was sent it before.
    staged: Option<Staged>,
    /// What the host is sent while this wave waits.
    next: Option<Batch>,
}

/// The work of a wave, by host.
pub(super) type Works = BTreeMap<NodeName, Work>;

/// What came of a work.
pub(super) struct Done {
    pub(super) node: NodeName,
    pub(super) result: Result<(), WaveError>,
    pub(super) manifest: Manifest,
    /// The host's next wave, if it has been sent.
    pub(super) next: Option<(Wave, Staged)>,
}

/// Tokens that Nomad has made, by the path of their file.
type Tokens = BTreeMap<String, String>;

impl Run<'_, '_> {
    /// What is to be done in a wave; what only now can be made is made.
    pub(super) fn works(&mut self, wave: Wave) -> Result<Works, String> {
        let tokens = self.tokens(wave).map_err(|error| error.to_string())?;
        let mut works = Works::new();
        for (node, member) in &self.members {
            let Some(batch) = self.batch(member, wave) else {
                continue;
            };
            let images = self.image_ids(member, wave)?;
            let before = self.manifests.get(node).cloned().unwrap_or_default();
            let (changes, wanted) = (&member.changes, &member.wanted);
            let mut manifest = manifest_after(&before, self.name, wave, changes, wanted, &images);
            for (path, token) in tokens.get(node).into_iter().flatten() {
                let digest = artifacts::digest_of(token.as_bytes());
                manifest.files.insert(path.clone(), digest);
            }
            let mut late = Late::new(&manifest);
            for (path, token) in tokens.get(node).into_iter().flatten() {
                late.file(path, token);
            }
            if let Some(path) = &batch.introduction {
                let token = self.introduction(node).map_err(|error| error.to_string())?;
                late.file(path, &token);
            }
            let work = Work {
                next: self.next(member, &batch),
                batch,
                late,
                manifest,
                staged: None,
            };
            works.insert(node.clone(), work);
        }
        for (node, work) in &mut works {
            let staged = self.staged.remove(node);
            work.staged = staged.and_then(|(of, staged)| (of == wave).then_some(staged));
        }
        Ok(works)
    }

    fn batch(&self, member: &Member, wave: Wave) -> Option<Batch> {
        let (changes, wanted) = (&member.changes, &member.wanted);
        batch(self.name, wave, changes, wanted, &member.facts)
    }

    /// The next wave that has something for a host, if it may be sent before its turn.
    fn next(&self, member: &Member, present: &Batch) -> Option<Batch> {
        let later = Wave::ALL.into_iter().filter(|later| *later > present.wave);
        let mut batches = later.filter_map(|later| self.batch(member, later));
        batches
            .next()
            .filter(|batch| batch.may_be_sent_during(present))
    }

    /// Runs works side by side, each on its host.
    pub(super) fn run_works(&self, works: Works) -> Vec<Done> {
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for (node, work) in works {
                let Some(member) = self.members.get(&node) else {
                    continue;
                };
                let health = self.health(work.batch.wave, member.plan);
                let place = self.place(member);
                threads.push(scope.spawn(move || run_work(node, work, &place, &health)));
            }
            threads
                .into_iter()
                .filter_map(|thread| thread.join().ok())
                .collect()
        })
    }

    pub(super) fn place<'a>(&'a self, member: &'a Member) -> Place<'a> {
        Place {
            session: &member.session,
            node: &member.plan.node,
            artifacts: self.artifacts,
            listener: self.listener,
        }
    }

    /// The IDs of the images that a member is to load.
    fn image_ids(&self, member: &Member, wave: Wave) -> Result<BTreeMap<String, String>, String> {
        let loads = |reference: &str| {
            member
                .changes
                .iter()
                .any(|change| change.what == What::LoadImage(reference.to_owned()))
        };
        let mut ids = BTreeMap::new();
        for image in member
            .wanted
            .images
            .iter()
            .filter(|image| wave == Wave::Base && loads(&image.reference))
        {
            let folder = self
                .artifacts
                .ok_or("no artifact folder was given (--artifacts)")?;
            let path = folder.join(&image.artifact.path);
            ids.insert(
                image.reference.clone(),
                artifacts::image_id(&path).map_err(|error| error.to_string())?,
            );
        }
        Ok(ids)
    }

    /// The tokens that Nomad must make for the members of a wave.
    fn tokens(&self, wave: Wave) -> Result<BTreeMap<NodeName, Tokens>, ServicesError> {
        let mut wanted = Vec::new();
        for (node, member) in &self.members {
            for file in member.wanted.files.iter().filter(|file| file.wave == wave) {
                if let Wish::NomadToken { policy, .. } = &file.wish {
                    wanted.push((node, &file.path, *policy));
                }
            }
        }
        let mut tokens: BTreeMap<NodeName, Tokens> = BTreeMap::new();
        if wanted.is_empty() {
            return Ok(tokens);
        }
        let session = self.server(|host| host.agents.nomad_server)?;
        let names = wanted
            .iter()
            .map(|(node, _, policy)| (node.as_str(), *policy));
        let made = self.api().nomad_tokens(session, names)?;
        for ((node, path, _), token) in wanted.into_iter().zip(made) {
            let of_node = tokens.entry(node.clone()).or_default();
            of_node.insert(path.clone(), token);
        }
        Ok(tokens)
    }

    fn introduction(&self, node: &NodeName) -> Result<String, ServicesError> {
        let session = self.server(|host| host.agents.nomad_server)?;
        self.listener.tell(Event::Step {
            node: node.clone(),
            doing: "asking Nomad for an introduction".to_owned(),
        });
        self.api().introduction(session, node.as_str())
    }

    pub(super) fn health(&self, wave: Wave, host: &HostPlan) -> Health {
        let plan = self.desired.plan;
        let consul_servers = plan
            .hosts
            .values()
            .filter(|other| other.agents.consul_server && other.datacenter == host.datacenter);
        let nomad_servers = plan
            .hosts
            .values()
            .filter(|other| other.agents.nomad_server);
        let version = host
            .programs
            .iter()
            .find(|program| program.product == "consul");
        Health {
            wave,
            servers: if wave == Wave::ConsulServers {
                consul_servers.count()
            } else {
                nomad_servers.count()
            },
            consul_version: version
                .map(|program| program.version.to_string())
                .unwrap_or_default(),
            identity: self.identity.clone(),
            consul_token: None,
            nomad_token: None,
        }
        .with_tokens(self.desired.store)
    }
}

fn run_work(node: NodeName, work: Work, place: &Place, health: &Health) -> Done {
    let mut next = None;
    // A host that cannot be sent its next wave now is sent it when it is its turn, and tells then.
    let mut meanwhile = || {
        let batch = work.next.as_ref();
        next = batch.and_then(|batch| Some((batch.wave, place.stage(batch).ok()?)));
    };
    let staged = work.staged.map_or_else(|| place.stage(&work.batch), Ok);
    let result = staged.and_then(|staged| place.run(staged, &work.late, health, &mut meanwhile));
    Done {
        node,
        result,
        manifest: work.manifest,
        next,
    }
}
