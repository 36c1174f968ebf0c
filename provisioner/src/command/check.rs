//! `atoll check`: all problems of an inventory in one run.

use std::path::{Path, PathBuf};

use federation::count::counted;
use serde_json::json;

use crate::command::{Ended, Error};
use crate::inventory::{self, InventoryError, Loaded, Problem, Severity};
use crate::plan;
use crate::progress::{Format, show};
use crate::render::{Mistake, Overrides, RenderError, mistakes};

/// Where an inventory's own templates lie.
const TEMPLATES: &str = "templates";

pub(super) fn run(folder: &Path, format: Format) -> Result<Ended, Error> {
    let loaded = match inventory::load(folder) {
        Ok(loaded) => Ok(loaded),
        Err(InventoryError::Invalid { problems }) => Err(problems),
        Err(error) => return Err(error.into()),
    };
    let of_templates = templates(folder, loaded.as_ref().ok())?;
    let mut problems = match loaded {
        Ok(loaded) if of_templates.is_empty() => {
            tell(&loaded.warnings, format);
            show(&sound(folder, &loaded, format));
            return Ok(Ended::AsWanted);
        }
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    problems.extend(of_templates);
    problems.sort();
    tell(&problems, format);
    if format == Format::Human {
        let count = counted(problems.len(), "problem");
        show(&format!("{}: {count}\n", folder.display()));
    }
    Ok(Ended::NotAsWanted)
}

/// What is wrong with the inventory's own templates. Only an inventory that can be used shows what
/// they cannot render.
fn templates(folder: &Path, loaded: Option<&Loaded>) -> Result<Vec<Problem>, Error> {
    let own = match Overrides::read(&folder.join(TEMPLATES)) {
        Ok(own) => own,
        Err(RenderError::Strangers { names }) => {
            let stranger = |name: &String| {
                let what = "takes the place of no template".to_owned();
                let hint = "name it as the one it replaces, or remove it";
                problem(&mistake_of_file(name, what), Some(hint))
            };
            return Ok(names.iter().map(stranger).collect());
        }
        Err(error) => return Err(error.into()),
    };
    let plan = loaded.map(|loaded| plan::plan(&loaded.inventory));
    let found = mistakes(plan.as_ref(), &own);
    Ok(found.iter().map(|it| problem(it, None)).collect())
}

fn mistake_of_file(name: &str, what: String) -> Mistake {
    Mistake {
        template: name.to_owned(),
        line: 1,
        column: 1,
        what,
    }
}

fn problem(mistake: &Mistake, hint: Option<&str>) -> Problem {
    Problem {
        file: PathBuf::from(TEMPLATES).join(&mistake.template),
        line: mistake.line,
        column: mistake.column,
        severity: Severity::Error,
        at: String::new(),
        what: mistake.what.clone(),
        hint: hint.map(str::to_owned),
    }
}

/// The last line for an inventory without an error.
fn sound(folder: &Path, loaded: &Loaded, format: Format) -> String {
    let sites = loaded.inventory.sites.values();
    let hosts: usize = sites.map(|site| site.hosts.len()).sum();
    let (federation, sites) = (
        &loaded.inventory.federation.name,
        loaded.inventory.sites.len(),
    );
    let warnings = loaded.warnings.len();
    match format {
        Format::Human => format!(
            "{}: federation {federation}, {}, {}, {}: as wanted\n",
            folder.display(),
            counted(sites, "site"),
            counted(hosts, "host"),
            counted(warnings, "warning"),
        ),
        Format::Json => format!(
            "{}\n",
            json!({ "federation": federation, "sites": sites, "hosts": hosts, "warnings": warnings })
        ),
    }
}

/// Shows problems, one a line.
pub(super) fn tell(problems: &[Problem], format: Format) {
    for problem in problems {
        match format {
            Format::Human => show(&format!("{problem}\n")),
            Format::Json => show(&format!(
                "{}\n",
                serde_json::to_string(problem).unwrap_or_default()
            )),
        }
    }
}
