//! The script of one wave on one host, and what is uploaded for it.
//!
//! The script holds no secret: what files hold travels beside it, in the upload.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::apply::changes::{Change, What};
use crate::apply::facts::{Facts, client_id, quote};
use crate::apply::manifest::{ImageRecord, Manifest};
use crate::apply::wanted::{Wanted, WantedFile, Wish};
use crate::artifacts::{Artifact, digest_of};
use crate::plan::{OnChange, Service, Storage, Wave};

/// What every script begins with, after its own variables.
const PRELUDE: &str = include_str!("script.sh");
/// Where a host keeps what is being staged.
const STAGE: &str = "/var/lib/atoll/stage";
/// The token that introduces a Nomad client, in the client's folder.
const INTRODUCTION: &str = "intro_token.jwt";

/// One wave of one host: what to upload and what to run.
#[derive(Clone, PartialEq, Eq)]
pub struct Batch {
    /// Which wave.
    pub wave: Wave,
    /// Folder on the host that the upload is unpacked into.
    pub stage: String,
    /// The script's text.
    pub script: String,
    /// Texts by path within the stage.
    pub texts: BTreeMap<String, String>,
    /// Artifacts, which lie in the stage as in the artifact folder, below `artifacts/`.
    pub artifacts: Vec<Artifact>,
    /// Services that are started or restarted.
    pub restarts: BTreeSet<Service>,
}

/// Builds the batch of one wave, or nothing when the wave has no change here.
///
/// `manifest` is what the host will say of itself once the wave is kept.
pub fn batch(
    run: &str,
    wave: Wave,
    changes: &[Change],
    wanted: &Wanted,
    manifest: &Manifest,
) -> Option<Batch> {
    let changes: Vec<&Change> = changes
        .iter()
        .filter(|change| change.wave == wave)
        .collect();
    if changes.is_empty() {
        return None;
    }
    let stage = format!("{STAGE}/{run}-{}", wave.to_string().replace(' ', "-"));
    let mut writer = Writer {
        wanted,
        texts: BTreeMap::new(),
        artifacts: Vec::new(),
        calls: String::new(),
    };
    let effects = Effects::of(&changes);
    writer.write(&changes, &effects);
    let removed: Vec<String> = changes
        .iter()
        .filter_map(|change| match &change.what {
            What::RemoveFile(path) => Some(quote(path)),
            _ => None,
        })
        .collect();
    let mut script = format!(
        "#!/bin/sh\n# One wave of an Atoll run: {wave}.\nrun={run}\nstage={stage}\nremoved='{}'\n\n",
        removed.join(" ")
    );
    script.push_str(PRELUDE);
    script.push('\n');
    script.push_str(&writer.calls);
    let mut texts = writer.texts;
    texts.insert(
        "manifest.json".to_owned(),
        serde_json::to_string_pretty(manifest).unwrap_or_default(),
    );
    Some(Batch {
        wave,
        stage,
        script,
        texts,
        artifacts: writer.artifacts,
        restarts: effects.running(),
    })
}

/// What the changes of a wave do to services, once each.
struct Effects {
    start: BTreeSet<Service>,
    restart: BTreeSet<Service>,
    reload: BTreeSet<Service>,
}

impl Effects {
    fn of(changes: &[&Change]) -> Self {
        let start: BTreeSet<Service> = changes
            .iter()
            .filter_map(|change| match change.what {
                What::Start(service) => Some(service),
                _ => None,
            })
            .collect();
        let effect = |wanted: fn(OnChange) -> Option<Service>| -> BTreeSet<Service> {
            changes
                .iter()
                .filter_map(|change| wanted(change.effect))
                .filter(|service| !start.contains(service))
                .collect()
        };
        let restart = effect(|effect| match effect {
            OnChange::Restart(service) => Some(service),
            _ => None,
        });
        let mut reload = effect(|effect| match effect {
            OnChange::Reload(service) => Some(service),
            _ => None,
        });
        reload.retain(|service| !restart.contains(service));
        Self {
            start,
            restart,
            reload,
        }
    }

    fn running(&self) -> BTreeSet<Service> {
        self.start.union(&self.restart).copied().collect()
    }
}

struct Writer<'a> {
    wanted: &'a Wanted,
    texts: BTreeMap<String, String>,
    artifacts: Vec<Artifact>,
    calls: String,
}

impl Writer<'_> {
    fn call(&mut self, words: &[&str]) {
        let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let _ = writeln!(self.calls, "{}", quoted.join(" "));
    }

    /// Accounts and folders first, programs before they judge, files before who
    /// reads them starts, images once Docker runs.
    fn write(&mut self, changes: &[&Change], effects: &Effects) {
        self.call(&["lock"]);
        for change in changes {
            self.prepare(&change.what);
        }
        self.validate(changes);
        for service in &effects.restart {
            self.call(&["will_restart", service.name()]);
        }
        for service in &effects.reload {
            self.call(&["will_reload", service.name()]);
        }
        for change in changes {
            self.put(&change.what);
        }
        if changes.iter().any(|change| change.what.writes()) {
            self.call(&["place"]);
        }
        let units = units(changes);
        if !units.is_empty() {
            let words: Vec<&str> = std::iter::once("reload_units").chain(units).collect();
            self.call(&words);
        }
        // A package starts its daemon, which then finds its file system in place.
        let is_volume = |service| service == Service::DataVolume;
        self.services(changes, effects, is_volume);
        for change in changes {
            self.packages(&change.what);
        }
        self.services(changes, effects, |service| !is_volume(service));
        for change in changes {
            self.image(&change.what);
        }
        self.call(&["confirm"]);
        self.call(&["keep"]);
    }

    fn prepare(&mut self, what: &What) {
        match what {
            What::CreateAccount(name) => {
                let home = self
                    .wanted
                    .accounts
                    .iter()
                    .find(|account| account.name == name)
                    .map_or("/", |account| account.home);
                self.call(&["account", name, home]);
            }
            What::CreateDirectory(path) | What::ChangeDirectory(path) => {
                if let Some(directory) = self
                    .wanted
                    .directories
                    .iter()
                    .find(|directory| directory.path == path)
                {
                    let access = directory.access;
                    self.call(&[
                        "directory",
                        path,
                        &mode(access.mode),
                        access.owner,
                        access.group,
                    ]);
                }
            }
            What::InstallProgram {
                product,
                file,
                version,
            } => {
                if let Some(program) = self
                    .wanted
                    .programs
                    .iter()
                    .find(|program| program.product == product && program.file == file)
                {
                    self.artifacts.push(program.artifact.clone());
                    let digest = &program.artifact.digest;
                    self.call(&["program", product, version, file, digest]);
                }
            }
            _ => {}
        }
    }

    fn validate(&mut self, changes: &[&Change]) {
        let touches = |folder: &str| {
            changes.iter().any(|change| {
                change
                    .what
                    .path()
                    .is_some_and(|path| path.starts_with(folder))
            })
        };
        for (folder, product) in [("/etc/consul.d/", "consul"), ("/etc/nomad.d/", "nomad")] {
            let program = self
                .wanted
                .programs
                .iter()
                .find(|program| program.product == product);
            if let Some(program) = program.filter(|_| touches(folder)) {
                self.call(&[&format!("validate_{product}"), &program.version]);
            }
        }
        let settings = [
            ("/etc/atoll-accounting/accounting.toml", "atoll-accounting"),
            ("/etc/atoll-agent/agent.toml", "atoll-agent"),
        ];
        for (file, product) in settings {
            let is_written = changes
                .iter()
                .any(|change| change.what.writes() && change.what.path() == Some(file));
            let programs = self.wanted.programs.iter();
            let program = programs.clone().find(|program| program.product == product);
            if let Some(program) = program.filter(|_| is_written) {
                self.call(&["validate_settings", product, &program.version, file]);
            }
        }
    }

    fn put(&mut self, what: &What) {
        match what {
            What::CreateFile(path) | What::ReplaceFile(path) | What::Issue { path, .. } => {
                self.file("file", path);
            }
            What::ChangeAccess(path) => self.file("access", path),
            What::RemoveFile(path) => self.call(&["remove", path]),
            What::Link { product, version } => self.call(&["link", product, version]),
            _ => {}
        }
    }

    fn file(&mut self, verb: &str, path: &str) {
        let Some(file) = self.wanted.files.iter().find(|file| file.path == path) else {
            return;
        };
        if let Some(text) = text(file) {
            self.texts.insert(format!("files{path}"), text.to_owned());
        }
        let access = file.access;
        self.call(&[verb, path, &mode(access.mode), access.owner, access.group]);
    }

    fn packages(&mut self, what: &What) {
        let What::InstallPackages { name, version, .. } = what else {
            return;
        };
        if let Some(set) = self.wanted.packages.iter().find(|set| set.name == name) {
            self.artifacts.extend(set.artifacts.iter().cloned());
            for artifact in &set.artifacts {
                self.call(&["artifact", &artifact.path, &artifact.digest]);
            }
            self.call(&["packages", set.set, version]);
        }
    }

    fn services(&mut self, changes: &[&Change], effects: &Effects, of: impl Fn(Service) -> bool) {
        let enable = changes.iter().filter_map(|change| match change.what {
            What::Enable(service) => Some(service),
            _ => None,
        });
        for service in enable.filter(|service| of(*service)) {
            self.call(&["enable", service.name()]);
        }
        for service in effects.start.iter().filter(|service| of(**service)) {
            self.call(&["start", service.name()]);
        }
        for service in effects.restart.iter().filter(|service| of(**service)) {
            self.call(&["serve", "restart", service.name()]);
        }
        for service in effects.reload.iter().filter(|service| of(**service)) {
            self.call(&["serve", "reload", service.name()]);
        }
    }

    fn image(&mut self, what: &What) {
        let What::LoadImage(reference) = what else {
            return;
        };
        if let Some(image) = self
            .wanted
            .images
            .iter()
            .find(|image| &image.reference == reference)
        {
            self.artifacts.push(image.artifact.clone());
            self.call(&[
                "image",
                reference,
                &image.artifact.path,
                &image.artifact.digest,
            ]);
        }
    }
}

impl Batch {
    /// A batch which changes nothing but what a host says of itself.
    pub fn note(run: &str, manifest: &Manifest) -> Self {
        let wave = Wave::Services;
        let stage = format!("{STAGE}/{run}-note");
        let script = format!(
            "#!/bin/sh\n# Notes what was set through the APIs.\nrun={run}\nstage={stage}\nremoved=\n\n{PRELUDE}\nlock\nkeep\n"
        );
        let texts = [(
            "manifest.json".to_owned(),
            serde_json::to_string_pretty(manifest).unwrap_or_default(),
        )]
        .into();
        Self {
            wave,
            stage,
            script,
            texts,
            artifacts: Vec::new(),
            restarts: BTreeSet::new(),
        }
    }

    /// Gives a file of the batch its text, which was made for this wave.
    pub fn fill(&mut self, path: &str, text: &str) {
        self.texts.insert(format!("files{path}"), text.to_owned());
    }

    /// Adds the token with which a Nomad client introduces itself once, to be put where the
    /// client keeps its state.
    pub fn introduce(&mut self, storage: Storage, token: &str) {
        let folder = storage.nomad_client;
        let path = format!("{folder}/{INTRODUCTION}");
        self.texts.insert(format!("files{path}"), token.to_owned());
        // Folders on a volume are made in this wave too, and may not be there yet.
        let put = format!("directory {folder} 0700 root root\nfile {path} 0600 root root\nplace\n");
        // Right after the lock: before the agent starts, whatever else changes.
        self.script = self
            .script
            .replacen("\nlock\n", &format!("\nlock\n{put}"), 1);
        self.script = self
            .script
            .replacen("\nkeep\n", &format!("\nrm -f {path}\nkeep\n"), 1);
    }
}

impl What {
    /// The file that a change touches.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::CreateFile(path)
            | Self::ReplaceFile(path)
            | Self::ChangeAccess(path)
            | Self::RemoveFile(path)
            | Self::Issue { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Whether new content is put in place.
    fn writes(&self) -> bool {
        matches!(
            self,
            Self::CreateFile(_) | Self::ReplaceFile(_) | Self::Issue { .. }
        )
    }

    /// The file whose present content a change replaces.
    pub fn replaces(&self) -> Option<&str> {
        match self {
            Self::ReplaceFile(path) => Some(path),
            _ => None,
        }
    }
}

/// The systemd units whose files or drop-ins are touched.
fn units<'a>(changes: &[&'a Change]) -> BTreeSet<&'a str> {
    let paths = changes.iter().filter_map(|change| change.what.path());
    paths
        .filter_map(|path| path.strip_prefix("/etc/systemd/system/"))
        .filter_map(|path| path.split('/').next())
        .map(|unit| unit.strip_suffix(".d").unwrap_or(unit))
        .collect()
}

/// Whether a host must be introduced to Nomad before its client starts.
pub fn needs_introduction(wanted: &Wanted, found: &Facts) -> bool {
    let is_client = wanted
        .files
        .iter()
        .any(|file| file.path == "/etc/nomad.d/client.hcl");
    is_client && !found.paths.contains_key(&client_id(wanted.storage))
}

/// What a host will say of itself once a wave is kept.
pub fn manifest_after(
    before: &Manifest,
    run: &str,
    wave: Wave,
    changes: &[Change],
    wanted: &Wanted,
    images: &BTreeMap<String, String>,
) -> Manifest {
    let mut manifest = before.clone();
    manifest.format = 1;
    run.clone_into(&mut manifest.run);
    for file in wanted.files.iter().filter(|file| file.wave == wave) {
        if let Some(text) = text(file) {
            manifest
                .files
                .insert(file.path.clone(), digest_of(text.as_bytes()));
        }
    }
    for change in changes.iter().filter(|change| change.wave == wave) {
        if let What::RemoveFile(path) = &change.what {
            manifest.files.remove(path);
        }
    }
    if wave == Wave::Base {
        for image in &wanted.images {
            if let Some(id) = images.get(&image.reference) {
                let record = ImageRecord {
                    digest: image.artifact.digest.clone(),
                    id: id.clone(),
                };
                manifest.images.insert(image.reference.clone(), record);
            }
        }
    }
    manifest
}

fn text(file: &WantedFile) -> Option<&str> {
    match &file.wish {
        Wish::Text(text) | Wish::Issued { pem: text, .. } => Some(text),
        // A token is put in when the wave comes.
        Wish::Kept | Wish::NomadToken { .. } => None,
    }
}

fn mode(mode: u32) -> String {
    format!("{mode:04o}")
}
