//! `group_vars/all.yml` of a site.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use federation::names::VoName;

use crate::importers::known::{AI4EOSC, NAMESPACES, UNNEEDED, is_secret, usual};
use crate::inventory::{Certificates, Inventory, Role, Site, Vo};

/// `group_vars/all.yml`: what the site says, then what ai4-ansible's roles cannot do without.
pub(super) fn variables(inventory: &Inventory, site: &Site) -> String {
    let federation = &inventory.federation;
    let list = |items: Vec<String>| format!("[{}]", items.join(", "));
    let mut servers: BTreeSet<_> = inventory.sites.values().flat_map(consul_servers).collect();
    let external = &federation.external;
    servers.extend(external.consul_servers.union(&external.nomad_servers));
    let servers = servers
        .iter()
        .map(|address| format!("\"{address}\""))
        .collect();
    let namespaces = federation.vos.values().map(|vo| vo.namespace.to_string());
    let namespaces: BTreeSet<_> = namespaces.collect();
    let versions = &site.versions;
    let mut pairs: Vec<(&str, String)> = vec![
        ("primary_datacenter", federation.primary.to_string()),
        ("consul_dc_name", site.datacenter.to_string()),
        ("nomad_region", federation.name.to_string()),
        ("consul_servers_ip", format!("!unsafe {}", list(servers))),
        ("my_ip", "\"{{ ansible_host }}\"".to_owned()),
        ("username", site.ssh.user.to_string()),
        ("consul_version", versions.consul.to_string()),
        ("nomad_version", versions.nomad.to_string()),
        ("nomad_namespaces", list(namespaces.into_iter().collect())),
        (
            "nomad_reserved_memory_mb",
            federation.clients.reserved_memory_mib.to_string(),
        ),
        ("disks_path", "/dev/".to_owned()),
    ];
    let first = consul_servers(site).next();
    pairs.extend(first.map(|first| ("consul_public_ip", format!("\"{first}\""))));
    pairs.extend(
        versions
            .cni
            .as_ref()
            .map(|cni| ("nomad_cni_version", cni.to_string())),
    );
    pairs.extend(
        site.mirrors
            .first()
            .map(|mirror| ("docker_registry", format!("\"{mirror}\""))),
    );
    if matches!(site.certificates, Certificates::Files) {
        pairs.push((
            "traefik_certs",
            format!("{}-{}", site.domain, parent(inventory, site)),
        ));
    }
    if let Some(nvidia) = &federation.nvidia {
        pairs.push(("docker_nvidia_driver_version", driver(&nvidia.driver)));
        pairs.push(("nomad_nvidia_plugin_version", nvidia.plugin.to_string()));
    }
    let mut text = format!(
        "# The variables of the site `{}`, written by `atoll export ansible`.\n",
        site.datacenter
    );
    for (name, value) in pairs {
        let _ = writeln!(text, "{name}: {value}");
    }
    text + "\n# Where ai4-ansible's roles put things, as it ships them.\n" + &shipped()
}

/// The public addresses of a site's Consul servers.
fn consul_servers(site: &Site) -> impl Iterator<Item = IpAddr> {
    let servers = site
        .hosts
        .values()
        .filter(|host| host.has(Role::ConsulServer));
    servers.map(|host| host.public_address)
}

/// What the roles need and Atoll has no word for; no secret has a default worth writing.
fn shipped() -> String {
    let mut text = String::new();
    for unneeded in UNNEEDED
        .iter()
        .filter(|it| !is_secret(it.name) && !it.name.ends_with("_email"))
    {
        let Some(value) = unneeded.shipped else {
            continue;
        };
        let value = if value.contains("{{") {
            format!("\"{value}\"")
        } else {
            value.replace(':', ": ")
        };
        let _ = writeln!(text, "{}: {value}", unneeded.name);
    }
    text
}

/// The parent domain for which the site's certificate stands. Ansible has room for one of those of
/// the VOs that the site serves: the first that no list of namespaces gives, or else the first.
fn parent(inventory: &Inventory, site: &Site) -> String {
    let vos = &inventory.federation.vos;
    let served = || site.vos.iter().filter_map(|vo| vos.get(vo));
    let unlisted = served().find(|vo| !is_listed(vo));
    unlisted
        .or_else(|| served().next())
        .map_or_else(|| AI4EOSC.to_owned(), |vo| vo.domain.to_string())
}

/// Whether ai4-ansible's list of namespaces gives a VO its domain.
fn is_listed(vo: &Vo) -> bool {
    let (namespace, domain) = (vo.namespace.as_str(), vo.domain.as_str());
    let mut known = NAMESPACES.iter();
    known.any(|(name, _, usual)| *name == namespace && *usual == domain)
}

/// The VOs whose domain no variable of the site says.
pub(super) fn without_domain<'a>(
    inventory: &'a Inventory,
    site: &Site,
) -> impl Iterator<Item = &'a VoName> {
    let said = matches!(site.certificates, Certificates::Files).then(|| parent(inventory, site));
    let is_said = move |vo: &Vo| is_listed(vo) || said.as_deref() == Some(vo.domain.as_str());
    let vos = inventory.federation.vos.iter();
    vos.filter(move |(_, vo)| !is_said(vo))
        .map(|(name, _)| name)
}

/// The branch of a driver, where an import would find the same version by it.
fn driver(version: &str) -> String {
    let (branch, rest) = version.split_once('.').unwrap_or((version, ""));
    if version == usual::DRIVER || rest == "0-1" {
        branch.to_owned()
    } else {
        version.to_owned()
    }
}
