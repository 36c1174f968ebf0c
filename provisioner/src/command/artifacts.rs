//! `atoll artifacts`: pins what hosts are given.

use federation::count::counted;
use serde_json::json;

use crate::artifacts::{LOCK, Lock};
use crate::cli::Artifacts;
use crate::command::{Ended, Error};
use crate::progress::{Format, show};

pub(super) fn run(what: &Artifacts, format: Format) -> Result<Ended, Error> {
    let Artifacts::Lock {
        inventory,
        artifacts,
    } = what;
    let lock = Lock::of(artifacts)?;
    let path = inventory.join(LOCK);
    std::fs::write(&path, lock.to_string())
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    let files = lock.to_string().lines().count();
    show(&match format {
        Format::Human => format!("{}: {} pinned\n", path.display(), counted(files, "file")),
        Format::Json => format!("{}\n", json!({ "lock": path, "files": files })),
    });
    Ok(Ended::AsWanted)
}
