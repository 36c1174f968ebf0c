//! Packages that stay at the version which the inventory says.

use super::{AptPreferences, HeldPackage, HostPlan, OnChange, PlannedFile, Template};

/// Adds the file by which apt, and whoever upgrades by apt at night, keeps the packages as they
/// are: those whose version the inventory says, and with them what Debian ties to exactly that
/// version. It is for all packages of the plan, so it is added when these are known.
///
/// What else a set has, such as containerd and runc, no key of the inventory has a version of, and
/// the plan knows no files of the artifact folder. These get the distribution's security updates:
/// containerd leaves running containers with their shims when it is restarted, and runc is started
/// anew for each.
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
