//! Packages that stay at the version which the inventory says.

use super::{AptPreferences, HeldPackage, HostPlan, OnChange, PlannedFile, Template};

/// Adds the file by which apt, and whoever upgrades by apt at night, keeps the packages as they
/// are: those whose version the inventory says, and with them what Debian ties to exactly that
/// version. It is for all packages of the plan, so it is added when these are known.
pub(super) fn add(plan: &mut HostPlan) {
    let held = plan.packages.iter().map(|package| HeldPackage {
        name: package.name,
        version: package.version.clone(),
    });
    let packages = held.collect();
    plan.files.push(PlannedFile::of_host(
        "/etc/apt/preferences.d/10-atoll.pref",
        OnChange::Nothing,
        Template::AptPreferences(AptPreferences { packages }),
    ));
}
