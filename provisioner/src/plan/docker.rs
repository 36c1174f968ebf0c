//! Docker on a Nomad client: the packages, the daemon's file, the images it must have.

use crate::inventory::{DockerSource, Host, Role};

use super::peers::Place;
use super::{
    Access, Content, Directory, DockerDaemon, HostPlan, OnChange, Package, PlannedFile, Service,
    Template, Unit, Wave, traefik,
};

/// Since this version Docker knows the containerd image store.
const IMAGE_STORE_SINCE: u32 = 23;

/// Adds Docker to a host. The jobs of `verify` and the gateway's Traefik start from images
/// that are already there: hosts need no internet.
pub(super) fn add(plan: &mut HostPlan, place: &Place<'_>, host: &Host) {
    let federation = &place.inventory.federation;
    plan.directories.push(Directory {
        path: "/etc/docker",
        access: Access::root(0o755, "root"),
    });
    plan.files.push(PlannedFile {
        path: "/etc/docker/daemon.json".to_owned(),
        access: Access::root(0o644, "root"),
        wave: Wave::Base,
        on_change: OnChange::Restart(Service::Docker),
        content: Content::Template(Template::DockerDaemon(DockerDaemon {
            has_image_store: major(&federation.docker.version) >= IMAGE_STORE_SINCE,
            gpus: host.gpus.is_some(),
        })),
    });
    plan.units.push(Unit {
        service: Service::Docker,
        wave: Wave::Base,
    });
    plan.packages.push(Package {
        set: "docker",
        name: match federation.docker.source {
            DockerSource::Distribution => "docker.io",
            DockerSource::Vendor => "docker-ce",
        },
        version: federation.docker.version.clone(),
    });
    plan.images.push(federation.probe_image.clone());
    if host.has(Role::Gateway) {
        plan.images
            .push(traefik::image(&federation.versions.traefik));
    }
}

/// The first number of a package's version, past the epoch: 20 of `5:20.10.24+dfsg1-1`.
fn major(version: &str) -> u32 {
    let upstream = version
        .split_once(':')
        .map_or(version, |(_, upstream)| upstream);
    let digits = upstream.split(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_stands_behind_the_epoch() {
        for (version, expected) in [
            ("20.10.24+dfsg1-1+deb12u1", 20),
            ("5:29.0.1-1~debian.12~bookworm", 29),
            ("26.1.5+dfsg1-9+b4", 26),
            ("unknown", 0),
        ] {
            assert_eq!(major(version), expected, "{version}");
        }
    }
}
