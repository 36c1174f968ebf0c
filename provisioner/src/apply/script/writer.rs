//! The calls of a script, in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::apply::changes::{Change, What};
use crate::apply::facts::{Facts, quote};
use crate::apply::script::effects::Effects;
use crate::apply::wanted::{Wanted, WantedFile, Wish};
use crate::artifacts::Artifact;
use crate::plan::{Access, Service};

/// What is written of a script so far, and what goes with it.
pub(super) struct Writer<'a> {
    wanted: &'a Wanted,
    found: &'a Facts,
    /// Texts by path within the stage.
    pub(super) texts: BTreeMap<String, String>,
    /// Artifacts, each once.
    pub(super) artifacts: Vec<Artifact>,
    /// The calls.
    pub(super) calls: String,
}

impl<'a> Writer<'a> {
    pub(super) fn new(wanted: &'a Wanted, found: &'a Facts) -> Self {
        Self {
            wanted,
            found,
            texts: BTreeMap::new(),
            artifacts: Vec::new(),
            calls: String::new(),
        }
    }

    fn call(&mut self, words: &[&str]) {
        let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let _ = writeln!(self.calls, "{}", quoted.join(" "));
    }

    /// A call for many things at once: each process that a host need not start is won.
    fn call_with<'w>(&mut self, words: &[&'w str], more: impl IntoIterator<Item = &'w str>) {
        let words: Vec<&str> = words.iter().copied().chain(more).collect();
        self.call(&words);
    }

    /// First all that nothing reads yet, and what judges it; then, when it is the wave's turn, what
    /// changes the host. `introduction` is a file of which only the path is known beforehand.
    pub(super) fn write(&mut self, changes: &[&Change], introduction: Option<&str>) {
        let effects = Effects::of(changes);
        self.call(&["begin"]);
        self.stage(changes);
        self.validate(changes);
        self.call(&["go"]);
        self.late(changes, introduction);
        for service in &effects.restart {
            self.call(&["will_restart", service.name()]);
        }
        for service in &effects.reload {
            self.call(&["will_reload", service.name()]);
        }
        for change in changes {
            self.put(&change.what);
        }
        if introduction.is_some() || changes.iter().any(|change| change.what.writes()) {
            self.call(&["place"]);
        }
        self.call(&["tell", "placed"]);
        self.serve(changes, &effects);
        for change in changes {
            self.image(&change.what);
        }
        self.call(&["confirm"]);
        if let Some(path) = introduction {
            self.call(&["rm", "-f", path]);
        }
        self.call(&["keep"]);
    }

    /// Accounts before the folders they own, folders before what lies in them, programs before
    /// they judge.
    fn stage(&mut self, changes: &[&Change]) {
        let accounts = changes.iter().filter_map(|change| match &change.what {
            What::CreateAccount(name) => {
                let mut accounts = self.wanted.accounts.iter();
                let account = accounts.find(|account| account.name == name);
                Some([name.as_str(), account.map_or("/", |account| account.home)])
            }
            _ => None,
        });
        let accounts: Vec<&str> = accounts.flatten().collect();
        if !accounts.is_empty() {
            self.call_with(&["accounts"], accounts);
        }
        self.directories(changes, |what| matches!(what, What::CreateDirectory(_)));
        for change in changes {
            self.program(&change.what);
            self.packages(&change.what);
        }
        let files = self.files(changes, |file| text(file).is_some());
        self.beside(&files);
    }

    fn directories(&mut self, changes: &[&Change], of: fn(&What) -> bool) {
        let changes = changes.iter().filter(|change| of(&change.what));
        let directories = changes.filter_map(|change| match &change.what {
            What::CreateDirectory(path) | What::ChangeDirectory(path) => Some(path),
            _ => None,
        });
        let wanted = self.wanted;
        let directories = directories.filter_map(|path| {
            let mut wanted = wanted.directories.iter();
            let directory = wanted.find(|directory| directory.path == path)?;
            Some((directory.access, directory.path))
        });
        // In their order: a folder comes after the one that it lies in.
        let directories: Vec<(Access, &str)> = directories.collect();
        for alike in directories.chunk_by(|(one, _), (other, _)| one == other) {
            self.with_access("directories", alike);
        }
    }

    fn with_access(&mut self, call: &str, alike: &[(Access, &str)]) {
        if let Some((access, _)) = alike.first() {
            let mode = mode(access.mode);
            let words = [call, &mode, access.owner, access.group];
            self.call_with(&words, alike.iter().map(|(_, path)| *path));
        }
    }

    fn files(&self, changes: &[&Change], of: fn(&WantedFile) -> bool) -> Vec<&'a WantedFile> {
        let written = changes.iter().filter(|change| change.what.writes());
        let paths = written.filter_map(|change| change.what.path());
        let files = paths.filter_map(|path| self.wanted.files.iter().find(|it| it.path == path));
        files.filter(|file| of(file)).collect()
    }

    /// Files of one owner and mode in one call.
    fn beside(&mut self, files: &[&'a WantedFile]) {
        let mut alike: BTreeMap<_, Vec<(Access, &str)>> = BTreeMap::new();
        for file in files {
            if let Some(text) = text(file) {
                self.texts
                    .insert(format!("files{}", file.path), text.to_owned());
            }
            let Access { mode, owner, group } = file.access;
            let alike = alike.entry((mode, owner, group)).or_default();
            alike.push((file.access, &file.path));
        }
        for files in alike.values() {
            self.with_access("files", files);
        }
        if !files.is_empty() {
            self.call(&["beside"]);
        }
    }

    /// What is made when the wave's turn has come, or touches folders that are in use.
    fn late(&mut self, changes: &[&Change], introduction: Option<&str>) {
        self.directories(changes, |what| matches!(what, What::ChangeDirectory(_)));
        if let Some((folder, _)) = introduction.and_then(|path| path.rsplit_once('/')) {
            // Folders on a volume are made in this wave too, and may not be there yet.
            self.call(&["directories", "0700", "root", "root", folder]);
        }
        if let Some(path) = introduction {
            self.call(&["files", "0600", "root", "root", path]);
        }
        let late = self.files(changes, |file| text(file).is_none());
        self.beside(&late);
        if introduction.is_some() && late.is_empty() {
            self.call(&["beside"]);
        }
    }

    fn program(&mut self, what: &What) {
        let What::InstallProgram {
            product,
            file,
            version,
        } = what
        else {
            return;
        };
        let mut programs = self.wanted.programs.iter();
        if let Some(program) =
            programs.find(|program| program.product == product && program.file == file)
        {
            self.artifacts.push(program.artifact.clone());
            let digest = &program.artifact.digest;
            self.call(&["program", product, version, file, digest]);
        }
    }

    /// Packages are looked at before anything changes; they are installed later.
    fn packages(&mut self, what: &What) {
        let What::InstallPackages { name, .. } = what else {
            return;
        };
        if let Some(set) = self.wanted.packages.iter().find(|set| set.name == name) {
            self.artifacts.extend(set.artifacts.iter().cloned());
            for artifact in &set.artifacts {
                self.call(&["artifact", &artifact.path, &artifact.digest]);
            }
        }
    }

    fn validate(&mut self, changes: &[&Change]) {
        let touches = |folder: &str| {
            let mut paths = changes.iter().filter_map(|change| change.what.path());
            paths.any(|path| path.starts_with(folder))
        };
        for (folder, product) in [("/etc/consul.d/", "consul"), ("/etc/nomad.d/", "nomad")] {
            let mut programs = self.wanted.programs.iter();
            let program = programs.find(|program| program.product == product);
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
            let mut programs = self.wanted.programs.iter();
            let program = programs.find(|program| program.product == product);
            if let Some(program) = program.filter(|_| is_written) {
                self.call(&["validate_settings", product, &program.version, file]);
            }
        }
    }

    fn put(&mut self, what: &What) {
        match what {
            What::ChangeAccess(path) => {
                if let Some(file) = self.wanted.files.iter().find(|file| &file.path == path) {
                    self.with_access("access", &[(file.access, path)]);
                }
            }
            What::RemoveFile(path) => self.call(&["remove", path]),
            What::Link { product, version } => self.call(&["link", product, version]),
            _ => {}
        }
    }

    /// A package starts its daemon, which must find its file system in place, and brings the unit
    /// that is enabled.
    fn serve(&mut self, changes: &[&Change], effects: &Effects) {
        let volume = effects.only(|service| service == Service::DataVolume);
        let mut touched = units(changes, self.found);
        if volume.running().len() + volume.enable.len() > 0 {
            self.services(&volume, std::mem::take(&mut touched));
        }
        for change in changes {
            let What::InstallPackages { name, version, .. } = &change.what else {
                continue;
            };
            if let Some(set) = self.wanted.packages.iter().find(|set| set.name == name) {
                self.call(&["packages", set.set, version]);
            }
        }
        let others = effects.only(|service| service != Service::DataVolume);
        self.services(&others, touched);
    }

    fn services(&mut self, effects: &Effects, touched: BTreeSet<&str>) {
        let enable: Vec<&str> = effects
            .enable
            .iter()
            .map(|service| service.name())
            .collect();
        if !enable.is_empty() {
            self.call_with(&["enable"], enable.iter().copied());
        }
        if !touched.is_empty() {
            self.call_with(&["reload_units"], touched);
        }
        for service in &effects.start {
            self.call(&["start", service.name()]);
        }
        for service in &effects.restart {
            self.call(&["serve", "restart", service.name()]);
        }
        for service in &effects.reload {
            self.call(&["serve", "reload", service.name()]);
        }
        let loaded = enable
            .into_iter()
            .filter(|unit| is_loaded(self.found, unit));
        let loaded: Vec<&str> = loaded.collect();
        if !loaded.is_empty() {
            self.call_with(&["enabled"], loaded);
        }
    }

    fn image(&mut self, what: &What) {
        let What::LoadImage(reference) = what else {
            return;
        };
        let mut images = self.wanted.images.iter();
        if let Some(image) = images.find(|image| &image.reference == reference) {
            self.artifacts.push(image.artifact.clone());
            let (path, digest) = (&image.artifact.path, &image.artifact.digest);
            self.call(&["image", reference, path, digest]);
        }
    }
}

/// The systemd units whose files or drop-ins are touched, and which systemd may have read before.
/// One that it has not is read when it starts.
fn units<'a>(changes: &[&'a Change], found: &Facts) -> BTreeSet<&'a str> {
    let paths = changes.iter().filter_map(|change| change.what.path());
    let units = paths
        .filter_map(|path| path.strip_prefix("/etc/systemd/system/"))
        .filter_map(|path| path.split('/').next())
        .map(|unit| unit.strip_suffix(".d").unwrap_or(unit));
    units.filter(|unit| is_loaded(found, unit)).collect()
}

/// Whether systemd has read a unit. Of one that it was not asked about it may have.
fn is_loaded(found: &Facts, unit: &str) -> bool {
    let service = found
        .services
        .get(unit.strip_suffix(".service").unwrap_or(unit));
    service.is_none_or(|service| service.loaded)
}

/// What a file will hold, if that is known before its wave.
pub(in crate::apply) fn text(file: &WantedFile) -> Option<&str> {
    match &file.wish {
        Wish::Text(text) | Wish::Issued { pem: text, .. } => Some(text),
        Wish::Kept | Wish::NomadToken { .. } => None,
    }
}

fn mode(mode: u32) -> String {
    format!("{mode:04o}")
}
