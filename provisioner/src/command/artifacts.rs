//! `atoll artifacts`: pins what hosts are given.

use crate::artifacts::{LOCK, Lock};
use crate::cli::Artifacts;
use crate::command::{Ended, Error};
use crate::progress::show;

pub(super) fn run(what: &Artifacts) -> Result<Ended, Error> {
    let Artifacts::Lock {
        inventory,
        artifacts,
    } = what;
    let lock = Lock::of(artifacts)?;
    let path = inventory.join(LOCK);
    std::fs::write(&path, lock.to_string())
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    show(&format!(
        "{}: {} files pinned\n",
        path.display(),
        lock.to_string().lines().count()
    ));
    Ok(Ended::AsWanted)
}
