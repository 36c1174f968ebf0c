//! Docker on a Nomad client: the packages, the daemon's file, the images it must have.

use crate::inventory::{DockerSource, Host, Role};
use crate::versions::{Options, Product, upstream};

use super::peers::Place;
use super::{
    Access, Content, Directory, DockerDaemon, HostPlan, OnChange, Package, PlannedFile, Service,
    Template, Unit, Wave, traefik,
};

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
            has_image_store: has_image_store(&federation.docker.version),
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

/// Whether a package's Docker has the containerd image store.
fn has_image_store(package: &str) -> bool {
    upstream(package).is_some_and(|version| {
        let options = Options::closest(Product::Docker, &version);
        options.knows(&["features", "containerd-snapshotter"])
    })
}
