//! Docker on a Nomad client: the packages, the daemon's file, the images it must have.

use serde_json::{Map, Value};

use crate::inventory::{DockerSource, Host, Role};
use crate::versions::{Options, Product, upstream};

use super::peers::Place;
use super::{
    Access, Content, Directory, DockerDaemon, DockerUnit, HostPlan, OnChange, Package, PlannedFile,
    Pool, Service, Storage, Template, Unit, Wave, cleanup, extra, traefik,
};

/// Adds Docker to a host. The jobs of `verify`, the gateway's Traefik and the clean-up start from
/// images that are already there: hosts need no internet.
pub(super) fn add(plan: &mut HostPlan, place: &Place<'_>, host: &Host) {
    let docker = &place.inventory.federation.docker;
    plan.directories.push(Directory {
        path: "/etc/docker",
        access: Access::root(0o755, "root"),
        wave: Wave::Base,
    });
    plan.files.push(PlannedFile {
        path: "/etc/docker/daemon.json".to_owned(),
        access: Access::root(0o644, "root"),
        wave: Wave::Base,
        on_change: OnChange::Restart(Service::Docker),
        content: daemon(plan.storage, place, host),
    });
    if let Some(volume) = plan.storage.volume {
        plan.directories.push(Directory {
            path: "/etc/systemd/system/docker.service.d",
            access: Access::root(0o755, "root"),
            wave: Wave::Base,
        });
        plan.files.push(PlannedFile::of_host(
            "/etc/systemd/system/docker.service.d/10-atoll.conf",
            OnChange::Restart(Service::Docker),
            Template::DockerUnit(DockerUnit { volume }),
        ));
    }
    plan.units.push(Unit {
        service: Service::Docker,
        wave: Wave::Base,
    });
    plan.packages.push(Package {
        set: "docker",
        name: match docker.source {
            DockerSource::Distribution => "docker.io",
            DockerSource::Vendor => "docker-ce",
        },
        version: docker.version.clone(),
    });
    plan.images
        .push(place.inventory.federation.probe_image.clone());
    plan.images.extend(cleanup::image(place.inventory, host));
    if host.has(Role::Gateway) {
        plan.images
            .push(traefik::image(&place.site.versions.traefik));
    }
}

/// Docker must not keep containers alive without its daemon (`live-restore`): Nomad takes a lost
/// daemon for the end of all tasks, and starts them elsewhere.
fn daemon(storage: Storage, place: &Place<'_>, host: &Host) -> Content {
    let own = extra::docker(place, host);
    let template = Template::DockerDaemon(DockerDaemon {
        data_root: storage.volume.map(|_| storage.docker),
        address_pools: place.site.address_pools.iter().map(Pool::of).collect(),
        has_image_store: has_image_store(&place.inventory.federation.docker.version),
        has_log_files: has_log_files(&own),
        mirrors: place.site.mirrors.clone(),
        gpus: host.gpus.is_some(),
    });
    if own.is_empty() {
        Content::Template(Box::new(template))
    } else {
        Content::Merged(Box::new(template), own)
    }
}

/// Log drivers that write files of a bounded size.
const FILE_DRIVERS: [&str; 2] = ["json-file", "local"];

/// Whether the last level that names a log driver names one that writes files; Atoll's does.
fn has_log_files(own: &[Map<String, Value>]) -> bool {
    let named = own.iter().rev().find_map(|keys| keys.get("log-driver"));
    let driver = named.and_then(Value::as_str).unwrap_or(FILE_DRIVERS[0]);
    FILE_DRIVERS.contains(&driver)
}

/// Whether a package's Docker has the containerd image store.
fn has_image_store(package: &str) -> bool {
    upstream(package).is_some_and(|version| {
        let options = Options::closest(Product::Docker, &version);
        options.knows(&["features", "containerd-snapshotter"])
    })
}
