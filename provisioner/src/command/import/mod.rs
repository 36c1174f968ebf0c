//! `atoll import`: what another tool knows of a site becomes an inventory.

mod sources;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::Import;
use crate::command::place::place;
use crate::command::shell::word;
use crate::command::{Ended, Error};
use crate::importers::{self, Answers, Existing, Finding, Imported, REPORT, Severity, counts};
use crate::inventory;
use crate::progress::{Format, show};

pub(super) fn run(what: Import, format: Format) -> Result<Ended, Error> {
    let Import::Ansible {
        path,
        out,
        site,
        vo,
        ssh_config,
    } = what;
    let sources = sources::read(&path, ssh_config.as_deref())?;
    let existing = existing(&out)?;
    let answers = Answers {
        vos: vo.into_iter().collect(),
        site: site.map(String::from),
    };
    let imported = importers::import(&sources, &answers, existing.as_ref());
    let Imported { files, findings } = &imported;
    if files.is_empty() {
        tell(findings, format);
        if format == Format::Human {
            show(&format!(
                "{}: {}: nothing was written\n",
                path.display(),
                counts(findings)
            ));
        }
        return Ok(Ended::NotAsWanted);
    }
    write(&out, files)?;
    tell(findings, format);
    show(&summary(&out, &imported, format));
    Ok(Ended::AsWanted)
}

/// The inventory to which the site is added; `None` when the folder is new or empty.
fn existing(out: &Path) -> Result<Option<Existing>, Error> {
    let is_empty = match fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(format!("cannot read {}: {error}", out.display()).into()),
    };
    if is_empty {
        return Ok(None);
    }
    let loaded = inventory::load(out)?;
    let mut files = BTreeMap::new();
    let mut names = inventory::files(out)?;
    if out.join(REPORT).exists() {
        names.push(PathBuf::from(REPORT));
    }
    for name in names {
        let path = out.join(&name);
        let text = fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        files.insert(name, text);
    }
    Ok(Some(Existing {
        inventory: loaded.inventory,
        files,
    }))
}

/// Writes the files, sites before `federation.yaml`: without that a folder is no inventory.
fn write(out: &Path, files: &BTreeMap<PathBuf, String>) -> Result<(), Error> {
    let files: Vec<_> = files
        .iter()
        .rev()
        .map(|(name, text)| (name.as_path(), text.as_str()))
        .collect();
    place(out, &files).map_err(|(path, error)| cannot_write(&path, &error))
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    format!(
        "cannot write {}: {error}; nothing was written",
        path.display()
    )
    .into()
}

/// People see what needs them; the report has the rest. Programs see everything.
fn tell(findings: &[Finding], format: Format) {
    for finding in findings {
        match format {
            Format::Json => show(&format!(
                "{}\n",
                serde_json::to_string(finding).unwrap_or_default()
            )),
            Format::Human if finding.severity <= Severity::Decide => {
                show(&format!("{finding}\n"));
            }
            Format::Human => {}
        }
    }
}

fn summary(out: &Path, imported: &Imported, format: Format) -> String {
    let names: Vec<_> = imported
        .files
        .keys()
        .map(|name| name.display().to_string())
        .collect();
    let counts = counts(&imported.findings);
    match format {
        Format::Json => format!(
            "{}\n",
            json!({ "out": out, "files": names, "findings": imported.findings.len() })
        ),
        Format::Human => {
            let (report, word) = (word(out.join(REPORT)), word(out));
            format!(
                "{}: {}; {counts}\nnext: read {report}, then `atoll check {word}`\n",
                out.display(),
                names.join(", ")
            )
        }
    }
}
