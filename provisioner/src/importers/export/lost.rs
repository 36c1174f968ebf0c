//! What an inventory says and Ansible's files have no place for.

use super::variables::without_domain;
use crate::inventory::{Certificates, Extra, Host, Inventory, Kind, Role, Site};

/// What of the federation no variable says.
pub(super) fn of_federation(inventory: &Inventory) -> Vec<String> {
    let federation = &inventory.federation;
    let nothing = Extra::default();
    let access = &federation.access;
    let said = [
        (
            "access",
            !(access.ssh.is_empty() && access.api.is_empty() && access.monitoring.is_empty()),
        ),
        ("image_cleanup", federation.image_cleanup.is_some()),
        ("tryme", !federation.tryme.images.is_empty()),
        ("extra_hcl and extra_yaml", federation.extra != nothing),
    ];
    let lost = said.iter().filter(|(_, is_said)| *is_said);
    lost.map(|(key, _)| format!("federation.yaml: Ansible has no place for `{key}`"))
        .collect()
}

/// What of a site no variable says.
pub(super) fn of_site(inventory: &Inventory, site: &Site, lost: &mut Vec<String>) {
    let nothing = Extra::default();
    let any = |is: fn(&Host) -> bool| site.hosts.values().any(is);
    let models = |host: &Host| {
        host.gpus
            .as_ref()
            .is_some_and(|it| it.model.is_some() || it.count.is_some())
    };
    let said = [
        ("location", site.location.is_some()),
        ("networks", !site.networks.is_empty()),
        ("ntp", !site.ntp.is_empty()),
        (
            "waive",
            !site.waived.is_empty() || any(|host| !host.waived.is_empty()),
        ),
        ("docker.address_pools", !site.address_pools.is_empty()),
        ("a second mirror", site.mirrors.len() > 1),
        (
            "certificates by ACME",
            matches!(site.certificates, Certificates::Acme { .. }),
        ),
        (
            "extra_hcl and extra_yaml",
            site.extra != nothing || any(|host| host.extra != Extra::default()),
        ),
        (
            "the role `accounting`",
            any(|host| host.has(Role::Accounting)),
        ),
        ("the models and counts of GPUs", any(models)),
        (
            "try-me nodes with GPUs",
            any(|host| host.gpus.is_some() && host.kind == Kind::TryMe),
        ),
    ];
    for (key, _) in said.iter().filter(|(_, is_said)| *is_said) {
        lost.push(format!(
            "{}: Ansible has no place for {key}",
            site.datacenter
        ));
    }
    for vo in without_domain(inventory, site) {
        lost.push(format!(
            "{}: Ansible has no place for the domain of {vo}",
            site.datacenter
        ));
    }
}
