//! A host's disk for jobs and images, and what lies on it.

use crate::inventory::Host;

use super::{DataMount, HostPlan, OnChange, PlannedFile, Service, Template, Unit, Wave};

/// Where the volume is mounted. The unit of a mount point is named after it (`mnt-data.mount`).
const MOUNT: &str = "/mnt/data";

/// Where a host keeps what grows: on its volume if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage {
    /// The volume's mount point; absent where all is on the root file system.
    pub volume: Option<&'static str>,
    /// Nomad's state, and the folders of allocations.
    pub nomad: &'static str,
    /// The state of a Nomad client, in that.
    pub nomad_client: &'static str,
    /// Docker's images, layers and containers.
    pub docker: &'static str,
}

impl Storage {
    /// Without a volume: where the products themselves would put it.
    pub const ROOT: Self = Self {
        volume: None,
        nomad: "/opt/nomad",
        nomad_client: "/opt/nomad/client",
        docker: "/var/lib/docker",
    };

    /// Side by side, because Docker and Nomad have folders of the same names.
    const VOLUME: Self = Self {
        volume: Some(MOUNT),
        nomad: "/mnt/data/nomad",
        nomad_client: "/mnt/data/nomad/client",
        docker: "/mnt/data/docker",
    };

    /// Jobs and images are what a volume is for: a host that runs none has no use for one.
    pub(super) fn of(host: &Host) -> Self {
        if host.volume.is_some() && host.is_nomad_client() {
            Self::VOLUME
        } else {
            Self::ROOT
        }
    }
}

/// Mounts the volume of a Nomad client, if it has one.
///
/// Its unit takes over another label at the next boot: what is mounted is not taken away from
/// under containers.
pub(super) fn add(plan: &mut HostPlan, host: &Host) {
    let Some(volume) = &host.volume else {
        return;
    };
    let mount = Template::DataMount(DataMount {
        label: volume.label.clone(),
        mount: MOUNT,
    });
    plan.files.push(PlannedFile::of_host(
        "/etc/systemd/system/mnt-data.mount",
        OnChange::Nothing,
        mount,
    ));
    plan.units.push(Unit {
        service: Service::DataVolume,
        wave: Wave::Base,
    });
}
