//! `atoll check`: all problems of an inventory in one run.

use std::path::Path;

use crate::command::{Ended, Error};
use crate::inventory::{self, InventoryError, Problem};
use crate::progress::{Format, show};

pub(super) fn run(folder: &Path, format: Format) -> Result<Ended, Error> {
    match inventory::load(folder) {
        Ok(loaded) => {
            tell(&loaded.warnings, format);
            if format == Format::Human {
                let hosts: usize = loaded
                    .inventory
                    .sites
                    .values()
                    .map(|site| site.hosts.len())
                    .sum();
                show(&format!(
                    "{}: federation {}, {} site(s), {hosts} host(s), {} warning(s): as wanted\n",
                    folder.display(),
                    loaded.inventory.federation.name,
                    loaded.inventory.sites.len(),
                    loaded.warnings.len()
                ));
            }
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

fn tell(problems: &[Problem], format: Format) {
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
