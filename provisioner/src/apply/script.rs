//! The script of one wave on one host, and what is uploaded for it.
//!
//! The script holds no secret: what files hold travels beside it, in the upload.

mod effects;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::apply::changes::{Change, What};
use crate::apply::facts::{Facts, client_id, quote};
use crate::apply::manifest::Manifest;
use crate::apply::script::effects::Effects;
use crate::apply::script::writer::Writer;
use crate::apply::wanted::Wanted;
use crate::artifacts::Artifact;
use crate::plan::{Service, Wave};

pub(super) use writer::text;

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
    /// Where the wave puts the token with which a Nomad client introduces itself once.
    pub introduction: Option<String>,
}

/// What a wave is given only when its turn has come: texts by path within the stage. They go over
/// the same connection as the upload.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Late {
    pub(super) texts: BTreeMap<String, String>,
}

/// Builds the batch of one wave, or nothing when the wave has no change here.
pub fn batch(
    run: &str,
    wave: Wave,
    changes: &[Change],
    wanted: &Wanted,
    found: &Facts,
) -> Option<Batch> {
    let changes: Vec<&Change> = changes
        .iter()
        .filter(|change| change.wave == wave)
        .collect();
    if changes.is_empty() {
        return None;
    }
    let introduction = (wave == Wave::NomadClients && needs_introduction(wanted, found))
        .then(|| format!("{}/{INTRODUCTION}", wanted.storage.nomad_client));
    let mut writer = Writer::new(wanted, found);
    writer.write(&changes, introduction.as_deref());
    let removed = changes.iter().filter_map(|change| match &change.what {
        What::RemoveFile(path) => Some(quote(path)),
        _ => None,
    });
    let removed: Vec<String> = removed.collect();
    let stage = format!("{STAGE}/{run}-{}", wave.to_string().replace(' ', "-"));
    let mut script = head(&format!("One wave of an Atoll run: {wave}."), run, &stage);
    let _ = write!(script, "removed='{}'\n\n{PRELUDE}\n", removed.join(" "));
    script.push_str(&writer.calls);
    Some(Batch {
        wave,
        stage,
        script,
        texts: writer.texts,
        artifacts: writer.artifacts,
        restarts: Effects::of(&changes).running(),
        introduction,
    })
}

fn head(about: &str, run: &str, stage: &str) -> String {
    format!("#!/bin/sh\n# {about}\nrun={run}\nstage={stage}\n")
}

impl Batch {
    /// Whether a host may get this while another wave of its waits for health. Artifacts would keep
    /// that waiting; and where a volume is about to be mounted, folders would be made below it.
    pub fn may_be_sent_during(&self, present: &Self) -> bool {
        self.artifacts.is_empty() && !present.restarts.contains(&Service::DataVolume)
    }

    /// A batch which changes nothing but what a host says of itself.
    pub fn note(run: &str) -> Self {
        let stage = format!("{STAGE}/{run}-note");
        let head = head("Notes what was set through the APIs.", run, &stage);
        Self {
            wave: Wave::Services,
            script: format!("{head}removed=\n\n{PRELUDE}\nbegin\ngo\nkeep\n"),
            stage,
            texts: BTreeMap::new(),
            artifacts: Vec::new(),
            restarts: BTreeSet::new(),
            introduction: None,
        }
    }
}

impl Late {
    /// What a host will say of itself once the wave is kept.
    pub fn new(manifest: &Manifest) -> Self {
        let text = serde_json::to_string_pretty(manifest).unwrap_or_default();
        Self {
            texts: [("manifest.json".to_owned(), text)].into(),
        }
    }

    /// A file whose text was made for this wave.
    pub fn file(&mut self, path: &str, text: &str) {
        self.texts.insert(format!("files{path}"), text.to_owned());
    }
}

/// Whether a host must be introduced to Nomad before its client starts.
pub(super) fn needs_introduction(wanted: &Wanted, found: &Facts) -> bool {
    let mut files = wanted.files.iter();
    let is_client = files.any(|file| file.path == "/etc/nomad.d/client.hcl");
    is_client && !found.paths.contains_key(&client_id(wanted.storage))
}
