//! Inventories that operators have already, in the words of other tools.
//!
//! ```text
//! Ansible's files ──ini, yaml──▶ Model ──map──▶ Draft ──write──▶ our files, and a report
//! our Inventory ──export──▶ Ansible's files
//! ```
//!
//! All of it is a pure function of bytes. What is read was written for a program that guesses;
//! here nothing is: what cannot be known is a finding, with the line it comes from.

mod amend;
mod datum;
mod draft;
mod export;
mod ini;
mod known;
mod map;
mod markdown;
mod model;
mod openssh;
mod range;
mod report;
mod said;
mod scope;
mod source;
mod write;
mod yaml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use federation::names::VoName;

use crate::inventory::{self, Inventory, InventoryError};
pub use export::{Exported, export};
pub use markdown::REPORT;
pub use report::{Finding, Severity, counts};
pub use source::{Owner, SourceFile, Sources};

use draft::Draft;
use model::Model;
use report::{Findings, Place};

/// What the operator knows and Ansible does not.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// The VO of a namespace.
    pub vos: BTreeMap<String, VoName>,
    /// The site's name in GOCDB.
    pub site: Option<String>,
}

/// The inventory to which a site is added.
#[derive(Debug, Clone)]
pub struct Existing {
    /// What it says.
    pub inventory: Inventory,
    /// Its `federation.yaml`, `sites/*.yaml` and [`REPORT`], relative to its folder.
    pub files: BTreeMap<PathBuf, String>,
}

/// What came of an import.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The files to write, relative to the inventory's folder; none when there are errors.
    pub files: BTreeMap<PathBuf, String>,
    /// What was dropped, changed, or needs a decision, by file and line.
    pub findings: Vec<Finding>,
}

/// Turns one site's Ansible inventory into ours, or adds it to one that is there.
pub fn import(sources: &Sources, answers: &Answers, existing: Option<&Existing>) -> Imported {
    let findings = Findings::default();
    let model = source::model(sources, &findings);
    let ssh = source::ssh_config(sources, &findings);
    let name: Rc<str> = sources.inventory.name.as_str().into();
    let top = Place::start(&name);
    // Of a source that could not be read, whatever else it seems to lack may be there.
    let is_read = !findings.has_errors();
    let draft = is_read.then(|| map::map(&model, &ssh, &top, answers, existing, &findings));
    let draft = draft.flatten();
    let mut files = draft.as_ref().map_or_else(BTreeMap::new, |draft| {
        written(draft, &model, existing, &top, &findings)
    });
    let findings = findings.sorted();
    let has_errors = findings.iter().any(|it| it.severity == Severity::Error);
    if let Some(draft) = draft.filter(|_| !has_errors) {
        let there = |name: &Path| existing.and_then(|it| it.files.get(name));
        let before = there(Path::new(REPORT)).map_or("", String::as_str);
        // What is there word for word needs no second report.
        let is_new = files.iter().any(|(name, text)| there(name) != Some(text));
        if is_new || before.is_empty() {
            let report = markdown::report(before, &draft.site, &name, &findings);
            files.insert(PathBuf::from(REPORT), report);
        }
    } else {
        files.clear();
    }
    Imported { files, findings }
}

/// The two files of a draft, once they are an inventory together with those that are there.
fn written(
    draft: &Draft,
    model: &Model,
    existing: Option<&Existing>,
    top: &Place,
    findings: &Findings,
) -> BTreeMap<PathBuf, String> {
    let federation = match existing {
        Some(existing) => amend::federation(existing, draft, top, findings),
        None => write::federation(&draft.federation),
    };
    let (path, site) = (
        write::site_path(&draft.site),
        write::site(&draft.site, &top.file),
    );
    let there = existing.and_then(|it| it.files.get(&path));
    if there.is_some_and(|there| *there != site) {
        let what = format!("{} is there already, and differs", path.display());
        findings.error(top, what, "remove it to import the site again");
    }
    let files = BTreeMap::from([(PathBuf::from("federation.yaml"), federation), (path, site)]);
    let mut all = existing.map_or_else(BTreeMap::new, |it| it.files.clone());
    all.extend(files.clone());
    if let Err(InventoryError::Invalid { problems }) = inventory::judge(&all) {
        let errors = problems.iter();
        for problem in errors.filter(|it| it.severity == inventory::Severity::Error) {
            let (file, at) = (problem.file.display(), &problem.at);
            let what = without_lines(problem.what.clone(), files.keys());
            let what = format!("as {file}: {at}: {what}");
            let place = if files.contains_key(&problem.file) {
                said::place(draft, model, top, at)
            } else {
                Place::at(&file.to_string().into(), problem.line, problem.column)
            };
            let hint = problem.hint.as_deref().unwrap_or("correct it in Ansible");
            findings.error(&place, what, hint);
        }
    }
    files
}

/// A text that names files and not their lines: the files are not written, and have none.
fn without_lines<'a>(text: String, files: impl Iterator<Item = &'a PathBuf>) -> String {
    files.fold(text, |text, file| {
        let file = file.display().to_string();
        let start = format!("{file}:");
        let mut parts = text.split(&start);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, rest| {
            let is_place = |c: char| c.is_ascii_digit() || c == ':';
            text + &file + rest.trim_start_matches(is_place)
        })
    })
}
