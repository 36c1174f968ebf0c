//! A host of a plan with all that an apply would need, but for the host itself.

use std::fmt::Write as _;
use std::fs;

use jiff::Timestamp;
use provisioner::apply::{
    Batch, Change, Facts, ImageRecord, PathFact, ServiceFact, TrustedProgram, Wanted, WantedFile,
    Wish, batch, changes, wanted,
};
use provisioner::artifacts::{LOCK, Lock, digest_of};
use provisioner::plan::{Access, Wave};
use provisioner::render::{Body, RenderedFile};
use provisioner::secrets::{Identity, Store, keygen};

use super::World;
use crate::golden::name;

/// A host, the operator's secrets and the pinned artifacts.
pub(super) struct Host<'a> {
    world: &'a World,
    node: &'a str,
    store: Store,
    lock: Lock,
}

impl<'a> Host<'a> {
    pub(super) fn of(world: &'a World, node: &'a str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let identity = folder.path().join("identity");
        keygen(&identity).unwrap();
        let mut store =
            Store::open(folder.path(), &Identity::from_file(&identity).unwrap()).unwrap();
        store.ensure_authorities(&world.plan.region, now()).unwrap();
        store.ensure(&world.plan.secrets().into_iter().collect::<Vec<_>>());
        Self {
            world,
            node,
            store,
            lock: lock(world, node),
        }
    }

    /// The same host, after its inventory has changed: with the secrets that it had.
    pub(super) fn after<'b>(self, world: &'b World) -> Host<'b>
    where
        'a: 'b,
    {
        Host {
            lock: lock(world, self.node),
            store: self.store,
            node: self.node,
            world,
        }
    }

    pub(super) fn files(&self) -> &'a [RenderedFile] {
        &self.world.rendered.hosts[&name(self.node)]
    }

    /// The paths of files with a text of ours.
    pub(super) fn texts(&self) -> Vec<String> {
        let texts = self
            .files()
            .iter()
            .filter(|file| matches!(file.body, Body::Text(_)));
        texts.map(|file| file.path.clone()).collect()
    }

    /// The paths of private keys.
    pub(super) fn keys(&self) -> Vec<String> {
        let keys = self
            .files()
            .iter()
            .filter(|file| matches!(file.body, Body::PrivateKey(_)));
        keys.map(|file| file.path.clone()).collect()
    }

    /// Every secret of the store.
    pub(super) fn values(&self) -> Vec<String> {
        let values: Vec<_> = self.store.values().map(str::to_owned).collect();
        assert!(values.len() > 5, "too few secrets to look for");
        values
    }

    pub(super) fn wanted(&self, facts: &Facts) -> Wanted {
        let host = self.world.host(self.node);
        wanted(host, self.files(), &self.store, &self.lock, facts, now()).unwrap()
    }

    pub(super) fn changes(&self, facts: &Facts) -> Vec<Change> {
        changes(&self.wanted(facts), facts).unwrap()
    }

    /// The batches that a host with these facts would get.
    pub(super) fn batches(&self, facts: &Facts) -> Vec<Batch> {
        let (wanted, changes) = (self.wanted(facts), self.changes(facts));
        let batches = Wave::ALL
            .into_iter()
            .filter_map(|wave| batch("run", wave, &changes, &wanted, facts));
        batches.collect()
    }

    /// What the scripts of those batches do.
    pub(super) fn calls_for(&self, facts: &Facts) -> Vec<String> {
        let batches = self.batches(facts);
        batches
            .iter()
            .flat_map(|batch| calls(&batch.script))
            .collect()
    }

    /// What the host says once everything is as it should be.
    pub(super) fn converged(&self) -> Facts {
        let wanted = self.wanted(&Facts::default());
        let mut facts = Facts {
            accounts: wanted
                .accounts
                .iter()
                .map(|account| account.name.to_owned())
                .collect(),
            ..Facts::default()
        };
        for directory in &wanted.directories {
            let there = path_fact(directory.access, true);
            facts.paths.insert(directory.path.to_owned(), there);
        }
        wanted.files.iter().for_each(|file| put(file, &mut facts));
        for program in &wanted.programs {
            let digest = program.artifact.digest.clone();
            let access = Access {
                mode: 0o755,
                owner: "root",
                group: "root",
            };
            let there = path_fact(access, false);
            let link = PathFact {
                target: Some(program.path()),
                ..there.clone()
            };
            let trusted = TrustedProgram {
                digest,
                identity: there.identity.clone(),
            };
            facts.programs.insert(program.path(), trusted);
            facts.paths.insert(program.path(), there);
            facts.paths.insert(program.link(), link);
        }
        for set in &wanted.packages {
            facts
                .packages
                .insert(set.name.to_owned(), set.version.clone());
        }
        for image in &wanted.images {
            let digest = image.artifact.digest.clone();
            let id = format!("id of {}", image.reference);
            facts.images.insert(id.clone());
            let record = ImageRecord { digest, id };
            facts
                .manifest
                .images
                .insert(image.reference.clone(), record);
        }
        for unit in &wanted.units {
            let running = ServiceFact {
                active: true,
                enabled: true,
                loaded: true,
            };
            facts
                .services
                .insert(unit.service.name().to_owned(), running);
        }
        facts
    }
}

/// Puts a file where a run would have put it.
fn put(file: &WantedFile, facts: &mut Facts) {
    let text = match &file.wish {
        Wish::Text(text) => text.clone(),
        Wish::Issued { pem, is_key, .. } => {
            if !is_key {
                facts.certificates.insert(file.path.clone(), pem.clone());
            }
            pem.clone()
        }
        Wish::NomadToken { .. } | Wish::Kept => "a token".to_owned(),
    };
    let digest = digest_of(text.as_bytes());
    facts.digests.insert(file.path.clone(), digest.clone());
    facts.manifest.files.insert(file.path.clone(), digest);
    facts
        .paths
        .insert(file.path.clone(), path_fact(file.access, false));
}

fn path_fact(access: Access, is_directory: bool) -> PathFact {
    PathFact {
        mode: access.mode,
        owner: access.owner.to_owned(),
        group: access.group.to_owned(),
        identity: "1 2 3".to_owned(),
        is_directory,
        target: None,
    }
}

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// A lock which pins all that a host is given, each by a digest of its own.
fn lock(world: &World, node: &str) -> Lock {
    let host = world.host(node);
    let programs = host.programs.iter();
    let programs = programs.map(|p| format!("{0}/{1}/{0}", p.product, p.version));
    let packages = host.packages.iter();
    let packages = packages.map(|p| format!("{}/{}/{}.deb", p.set, p.version, p.name));
    let images = host.images.iter();
    let images = images.map(|image| format!("images/{}.tar", image.replace(['/', ':'], "-")));
    let mut lock = String::new();
    for path in programs.chain(packages).chain(images) {
        let _ = writeln!(lock, "{}  {path}", digest_of(path.as_bytes()));
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(LOCK), lock).unwrap();
    Lock::read(folder.path()).unwrap()
}

/// What a script does, call by call: what stands after the functions that all scripts have.
pub(super) fn calls(script: &str) -> Vec<String> {
    let (_, calls) = script.rsplit_once("\nbegin\n").unwrap();
    calls.lines().map(str::to_owned).collect()
}

/// The functions that all scripts have.
pub(super) fn prelude(host: &Host) -> String {
    let batches = host.batches(&Facts::default());
    let (prelude, _) = batches[0].script.rsplit_once("\nbegin\n").unwrap();
    prelude.to_owned()
}
