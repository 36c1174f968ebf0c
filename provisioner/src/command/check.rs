//! `atoll check`: all problems of an inventory in one run.

use std::path::Path;

use serde_json::json;

use crate::command::{Ended, Error};
use crate::inventory::{self, InventoryError, Problem};
use crate::progress::{Format, show};

pub(super) fn run(folder: &Path, format: Format) -> Result<Ended, Error> {
    match inventory::load(folder) {
        Ok(loaded) => {
            tell(&loaded.warnings, format);
            let sites = loaded.inventory.sites.values();
            let hosts: usize = sites.map(|site| site.hosts.len()).sum();
            let (federation, sites) = (
                &loaded.inventory.federation.name,
                loaded.inventory.sites.len(),
            );
            let warnings = loaded.warnings.len();
            show(&match format {
                Format::Human => format!(
                    "{}: federation {federation}, {sites} site(s), {hosts} host(s), {warnings} warning(s): as wanted\n",
                    folder.display()
                ),
                Format::Json => format!(
                    "{}\n",
                    json!({ "federation": federation, "sites": sites, "hosts": hosts, "warnings": warnings })
                ),
            });
            Ok(Ended::AsWanted)
        }
        Err(InventoryError::Invalid { problems }) => {
            tell(&problems, format);
            if format == Format::Human {
                show(&format!(
                    "{}: {} problem(s)\n",
                    folder.display(),
                    problems.len()
                ));
            }
            Ok(Ended::NotAsWanted)
        }
        Err(error) => Err(error.into()),
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
