//! What a Nomad client needs of the kernel: modules and parameters.
//!
//! Nothing is done about control groups: the distributions that are supported boot with
//! version 2 and all controllers, and an older host keeps what it was booted with.

use super::{HostPlan, KernelFile, OnChange, PlannedFile, Service, Template};

/// Adds the files by which the kernel is set up, now and at each boot.
///
/// On a host that is a container they do neither good nor harm: the kernel is another one's, and
/// systemd passes over what it may not set.
pub(super) fn add(plan: &mut HostPlan) {
    let files = [
        (
            "/etc/modules-load.d/nomad.conf",
            Service::ModulesLoad,
            KernelFile::Modules,
        ),
        (
            "/etc/sysctl.d/98-nomad.conf",
            Service::Sysctl,
            KernelFile::Limits,
        ),
        (
            "/etc/sysctl.d/99-nomad-cni.conf",
            Service::Sysctl,
            KernelFile::Bridges,
        ),
    ];
    plan.files.extend(files.map(|(path, service, file)| {
        PlannedFile::of_host(path, OnChange::Restart(service), Template::KernelFile(file))
    }));
}
