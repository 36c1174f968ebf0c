//! The CNI plugins, with which jobs get networks of their own (mode `bridge`).

use super::peers::Place;
use super::{HostPlan, Program, Service};

/// The product, and its folder.
const CNI: &str = "cni";

/// The plugins that Nomad calls, of all that a release has.
const PLUGINS: [&str; 5] = ["bridge", "firewall", "host-local", "loopback", "portmap"];

/// Adds the plugins to a Nomad client, if the site has a version of them.
pub(super) fn add(plan: &mut HostPlan, place: &Place<'_>) {
    let Some(version) = &place.site.versions.cni else {
        return;
    };
    plan.programs.extend(PLUGINS.map(|file| Program {
        product: CNI,
        file,
        linked: false,
        version: version.clone(),
        service: Service::Nomad,
    }));
}

/// The folder in which Nomad looks for plugins: one of a version, so that another version is
/// another configuration, and Nomad reads them anew.
pub(super) fn path(place: &Place<'_>) -> Option<String> {
    let version = place.site.versions.cni.as_ref()?;
    Some(format!("/opt/atoll/{CNI}/{version}"))
}
