//! NVIDIA GPUs on a Nomad client: the driver, Docker's runtime, Nomad's device plugin.

use crate::inventory::Host;

use super::peers::Place;
use super::{HostPlan, Package, Program, Service};

/// Nomad's device plugin. The file, the folder and the block in Nomad's configuration
/// are called alike: Nomad finds a plugin's configuration by the name of its file.
const PLUGIN: &str = "nomad-device-nvidia";

/// Adds what GPUs need to a host that has some.
pub(super) fn add(plan: &mut HostPlan, place: &Place<'_>, host: &Host) {
    let (Some(_), Some(nvidia)) = (&host.gpus, &place.inventory.federation.nvidia) else {
        return;
    };
    for (name, version) in [
        ("nvidia-driver", &nvidia.driver),
        ("nvidia-container-toolkit", &nvidia.toolkit),
    ] {
        plan.packages.push(Package {
            set: name,
            name,
            version: version.clone(),
        });
    }
    plan.programs.push(Program::linked(
        PLUGIN,
        nvidia.plugin.clone(),
        Service::Nomad,
    ));
}

/// The folder in which Nomad looks for plugins: where there are GPUs, the one of the
/// plugin's version, so that another version is another configuration.
pub(super) fn plugin_dir(place: &Place<'_>, host: &Host) -> String {
    match (&host.gpus, &place.inventory.federation.nvidia) {
        (Some(_), Some(nvidia)) => format!("/opt/atoll/{PLUGIN}/{}", nvidia.plugin),
        _ => "/opt/nomad/plugins".to_owned(),
    }
}
