//! One host: its roles, and what only some roles have.

use std::collections::BTreeSet;

use super::super::file::{FederationFile, HostEntry, SiteFile};
use super::super::problem::Problems;
use super::super::{Gpus, Role};
use super::{each, said_once};

/// A host has a role, and each once.
pub(super) fn roles(host: &HostEntry, problems: &Problems) {
    let Some(roles) = &host.roles else { return };
    if roles.value.is_empty() {
        let what = "a host has at least one role";
        problems.error(&roles.place, what, "say what it does, or remove the host");
    }
    let mut given = BTreeSet::new();
    for word in roles.value.iter().flatten() {
        let repeated = word
            .value
            .iter()
            .filter(|role| !given.insert(**role))
            .count();
        if repeated > 0 {
            let hint = "say each role once; `server` means both kinds of server";
            problems.error(&word.place, "the host has this role already", hint);
        }
    }
}

/// What only some roles have, and roles that exclude each other.
pub(super) fn kind(host: &HostEntry, problems: &Problems) {
    let Some(roles) = host.roles.as_ref().filter(|_| host.is_whole()) else {
        return;
    };
    let is_client = host.has(Role::Client);
    if let Some(kind) = host.kind.as_ref().filter(|_| !is_client) {
        let what = "only a host with the role `client` has a kind";
        problems.error(&kind.place, what, "remove `kind`, or add the role");
    }
    if is_client && host.has(Role::Gateway) {
        let what = "a gateway takes no users' jobs, so the role `client` has no effect";
        problems.warning(&roles.place, what, "make another host the client");
    }
    if host.has(Role::NomadServer) && (is_client || host.has(Role::Gateway)) {
        let what = "a Nomad server cannot be a Nomad client as well: nobody could introduce it";
        problems.error(
            &roles.place,
            what,
            "make another host the client or gateway",
        );
    }
}

/// A host serves VOs of its site.
pub(super) fn vos(site: &SiteFile, host: &HostEntry, problems: &Problems) {
    let Some(vos) = &host.vos else { return };
    said_once(Some(vos), problems);
    if host.is_whole() && !host.has(Role::Client) && !host.has(Role::Gateway) {
        let what = "only clients and gateways serve VOs";
        problems.error(&vos.place, what, "remove `vos`, or add the role");
    } else if vos.value.is_empty() {
        let what = "the host serves no VO: no user's job will run on it";
        let hint = "remove `vos` to serve all VOs of the site";
        problems.warning(&vos.place, what, hint);
    }
    let Some(list) = site
        .vos
        .as_ref()
        .filter(|list| list.value.iter().all(Option::is_some))
    else {
        return;
    };
    let served: BTreeSet<_> = each(Some(list)).map(|vo| &vo.value).collect();
    for vo in each(Some(vos)).filter(|vo| !served.contains(&vo.value)) {
        let what = format!("the site does not serve `{}`", vo.value);
        let hint = "a host can only narrow the `vos` of its site";
        problems.error(&vo.place, what, hint);
    }
}

/// GPUs are for jobs, and need versions of what drives them.
pub(super) fn gpus(federation: Option<&FederationFile>, host: &HostEntry, problems: &Problems) {
    let Some(gpus) = &host.gpus else { return };
    if host.is_whole() && !host.has(Role::Client) {
        let what = "only a host with the role `client` gives its GPUs to jobs";
        problems.error(&gpus.place, what, "remove `gpus`, or add the role");
    }
    let is_known = |gpus: &Gpus| gpus.model.is_some() && gpus.count.is_some();
    if gpus.value.as_ref().is_some_and(|gpus| !is_known(gpus)) {
        let what = "without `model` and `count` nobody notices a GPU that is missing";
        problems.warning(&gpus.place, what, "copy both from `nvidia-smi -L`");
    }
    if federation.is_some_and(|federation| federation.nvidia.is_none()) {
        let what = "federation.yaml does not say which NVIDIA driver hosts with GPUs get";
        let hint = "add `nvidia: { driver: …, toolkit: …, plugin: 1.1.0 }` there";
        problems.error(&gpus.place, what, hint);
    }
}

/// A whole disk, of a host that keeps jobs and images.
pub(super) fn volume(host: &HostEntry, problems: &Problems) {
    let Some(spot) = &host.volume else { return };
    if host.is_whole() && !host.has(Role::Client) && !host.has(Role::Gateway) {
        let what = "only clients and gateways keep jobs and images, so the disk stays unused";
        problems.warning(&spot.place, what, "remove `volume`, or add the role");
    }
    let Some(volume) = &spot.value else { return };
    if is_partition(&volume.device) {
        let what = format!(
            "`{}` is a partition; a volume is a whole disk",
            volume.device
        );
        problems.error(&spot.place, what, "name the disk: `lsblk -d` lists them");
    } else if ["/dev/sda", "/dev/vda", "/dev/xvda"].contains(&volume.device.as_str()) {
        let what = format!("`{}` is mostly the disk of the system", volume.device);
        let hint = "see `lsblk`, and name it by /dev/disk/by-id/…";
        problems.warning(&spot.place, what, hint);
    }
}

/// Whether a device is named as the kernel and udev name partitions.
fn is_partition(device: &str) -> bool {
    let without_number = device.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_numbered = without_number != device;
    let letters = without_number.strip_prefix("/dev/").unwrap_or_default();
    let is_lettered = ["sd", "vd", "xvd", "hd"].iter().any(|kind| {
        let disk = letters.strip_prefix(kind).unwrap_or_default();
        !disk.is_empty() && disk.bytes().all(|b| b.is_ascii_lowercase())
    });
    let ends_as_part = without_number.ends_with("-part");
    let is_nvme = without_number.strip_suffix('p').is_some_and(|disk| {
        let is_counted = disk.ends_with(|c: char| c.is_ascii_digit());
        is_counted && (disk.starts_with("/dev/nvme") || disk.starts_with("/dev/mmcblk"))
    });
    is_numbered && (is_lettered || ends_as_part || is_nvme)
}

#[cfg(test)]
mod tests {
    use super::is_partition;

    #[test]
    fn a_partition_is_known_by_its_name() {
        for (device, expected) in [
            ("/dev/vdb", false),
            ("/dev/vdb1", true),
            ("/dev/sdaa12", true),
            ("/dev/nvme0n1", false),
            ("/dev/nvme0n1p2", true),
            ("/dev/disk/by-id/nvme-ACME_1234", false),
            ("/dev/disk/by-id/virtio-12ab-part1", true),
            ("/dev/mapper/data1", false),
        ] {
            assert_eq!(is_partition(device), expected, "{device}");
        }
    }
}
