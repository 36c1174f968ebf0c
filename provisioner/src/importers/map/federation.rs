//! What all sites share, as far as one site's Ansible knows it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use federation::names::{RegionName, Version};

use super::site::Identity;
use super::vos::SiteVos;
use super::{Member, Source};
use crate::importers::draft::{FederationDraft, NvidiaDraft, SiteDraft};
use crate::importers::known::{DEPLOY, usual};
use crate::importers::report::Place;

/// The federation's file; `None` when a value of it could not be read.
pub(super) fn federation(
    source: &Source,
    site: &SiteDraft,
    members: &[Member],
    identity: &Identity,
    vos: SiteVos,
) -> Option<FederationDraft> {
    let name = source.of_site(members, "nomad_region");
    let name = name.unwrap_or_else(|| (usual::REGION.to_owned(), source.top.clone()));
    if let Err(error) = name.0.parse::<RegionName>() {
        source.findings.error(
            &name.1,
            error.to_string(),
            "a region cannot be renamed: this one cannot be taken over",
        );
    }
    same_federation(source, &name, identity);
    let version = |name, usual: &str| version(source, members, name, usual);
    let consul = version("consul_version", usual::CONSUL);
    let nomad = version("nomad_version", usual::NOMAD);
    let cni = raised(source, members, "nomad_cni_version", "1.2.0", usual::CNI);
    let external = external(source, site, members, identity);
    let has_gpus = site.hosts.values().any(|host| host.has_gpus);
    let nvidia = has_gpus.then(|| nvidia(source, members));
    if source.existing.is_none() {
        unknown(source);
    }
    Some(FederationDraft {
        name: name.0,
        primary: identity.primary.clone(),
        consul: consul?,
        nomad: nomad?,
        cni,
        nvidia,
        vos: vos.all,
        external,
        reserved_memory_mib: reserved_memory(source, members),
    })
}

/// A folder holds one federation.
fn same_federation(source: &Source, name: &(String, Place), identity: &Identity) {
    let Some(existing) = source.existing else {
        return;
    };
    let theirs = &existing.inventory.federation;
    if theirs.name.as_str() != name.0 || theirs.primary.as_str() != identity.primary {
        let what = format!(
            "this is a site of the federation `{}` with the primary `{}`; the folder has `{}` with `{}`",
            name.0, identity.primary, theirs.name, theirs.primary
        );
        source
            .findings
            .error(&name.1, what, "import it into a folder of its own");
    }
}

fn version(source: &Source, members: &[Member], name: &str, usual: &str) -> Option<String> {
    let Some((version, place)) = source.of_site(members, name) else {
        if source.existing.is_none() {
            let what = format!("no line says `{name}`: {usual} stands there");
            source
                .findings
                .decide(&source.top, what, "correct it under `versions`");
        }
        return Some(usual.to_owned());
    };
    if let Err(error) = version.parse::<Version>() {
        let what = format!("`{name}`: {error}");
        source
            .findings
            .error(&place, what, "write the exact version, such as 1.11.3");
        return None;
    }
    Some(version)
}

/// A version, or a newer one where it is too old to work.
fn raised(source: &Source, members: &[Member], name: &str, oldest: &str, usual: &str) -> String {
    let Some((text, place)) = source.of_site(members, name) else {
        return usual.to_owned();
    };
    let numbers = |text: &str| text.parse::<Version>().map(|version| version.numbers());
    match (numbers(&text), numbers(oldest)) {
        (Ok(own), Ok(oldest)) if own >= oldest => text,
        _ => {
            let what = format!("`{name}` is `{text}`: {usual} stands there");
            let hint = format!("versions before {oldest} are no longer supported");
            source.findings.changed(&place, what, hint);
            usual.to_owned()
        }
    }
}

/// What Ansible cannot know at all.
fn unknown(source: &Source) {
    let (findings, top) = (source.findings, &source.top);
    let what = format!(
        "Ansible installs whatever Docker is newest: {} stands there",
        usual::DOCKER
    );
    findings.decide(
        top,
        what,
        "set `docker` to what `apt-cache policy docker-ce` says of a host",
    );
    let what = format!(
        "ai4-ansible's job runs Traefik 2: {} stands there",
        usual::TRAEFIK
    );
    findings.decide(
        top,
        what,
        "Traefik 3 is what Atoll runs: `versions.traefik` must be 3.x",
    );
    let what = format!("`atoll verify` starts jobs of the image `{}`", usual::PROBE);
    findings.decide(
        top,
        what,
        "set `verify.image` to an image that the hosts can get",
    );
    let what = "nodes which run already are let in without a token: `introduction: warn`";
    findings.decide(
        top,
        what,
        "set it to `strict` once all nodes were introduced",
    );
    let what = "no host is said to collect usage records";
    findings.decide(
        top,
        what,
        "give a server the role `accounting`, if the site accounts for usage",
    );
}

fn nvidia(source: &Source, members: &[Member]) -> NvidiaDraft {
    let branch = source.of_site(members, "docker_nvidia_driver_version");
    let place = branch.as_ref().map_or(&source.top, |(_, place)| place);
    let driver = match &branch {
        // A branch such as 550 is the first number of a package's version.
        Some((branch, _)) if branch.contains('.') => branch.clone(),
        Some((branch, _)) if !usual::DRIVER.starts_with(branch.as_str()) => format!("{branch}.0-1"),
        _ => usual::DRIVER.to_owned(),
    };
    if source
        .existing
        .is_none_or(|it| it.inventory.federation.nvidia.is_none())
    {
        let what = format!(
            "Ansible does not say which NVIDIA packages: driver {driver}, toolkit {} stand there",
            usual::TOOLKIT
        );
        let hint =
            "set `nvidia` to what `apt-cache policy nvidia-driver nvidia-container-toolkit` says";
        source.findings.decide(place, what, hint);
    }
    let plugin = raised(
        source,
        members,
        "nomad_nvidia_plugin_version",
        "1.1.0",
        usual::PLUGIN,
    );
    NvidiaDraft { driver, plugin }
}

fn reserved_memory(source: &Source, members: &[Member]) -> Option<u32> {
    let (text, place) = source.of_site(members, "nomad_reserved_memory_mb")?;
    let Ok(mib) = text.parse() else {
        let what = format!("`nomad_reserved_memory_mb` is `{text}`, which is no number");
        source
            .findings
            .error(&place, what, "write a number of MiB, such as 4096");
        return None;
    };
    if let Some(existing) = source.existing {
        let theirs = existing.inventory.federation.clients.reserved_memory_mib;
        if mib != theirs {
            let what =
                format!("the site keeps {mib} MiB of each client free, the federation {theirs}");
            source.findings.decide(
                &place,
                what,
                "federation.yaml was not changed: correct `clients` there, for all sites",
            );
        }
    }
    Some(mib).filter(|mib| *mib != usual::RESERVED_MEMORY_MIB)
}

/// The servers of the list that are no host which is known here.
fn external(
    source: &Source,
    site: &SiteDraft,
    members: &[Member],
    identity: &Identity,
) -> BTreeSet<IpAddr> {
    let own = site.hosts.values().flat_map(|host| {
        [Some(host.address), host.public_address, host.ssh_address]
            .into_iter()
            .flatten()
    });
    let own: BTreeSet<IpAddr> = own.collect();
    let theirs = source
        .existing
        .into_iter()
        .flat_map(|it| it.inventory.sites.values());
    let theirs = theirs.flat_map(|site| site.hosts.values());
    let known: BTreeSet<IpAddr> = theirs
        .flat_map(|host| [host.address, host.public_address])
        .chain(own.iter().copied())
        .collect();
    joined(source, members, &own);
    let mut external = listed(source, members);
    external.extend(elsewhere(source));
    if source.joins && external.is_empty() && source.existing.is_none() {
        let what = format!(
            "no line gives an address of a server of `{}`",
            identity.primary
        );
        let hint = "list the federation's servers in `consul_servers_ip`";
        source.findings.error(&source.top, what, hint);
    }
    external.retain(|address| !known.contains(address));
    external
}

/// `consul_servers_ip`.
fn listed(source: &Source, members: &[Member]) -> BTreeSet<IpAddr> {
    let first = members.first().map(|member| member.name.as_str());
    let given = source
        .get(None, "consul_servers_ip")
        .or_else(|| source.get(first, "consul_servers_ip"));
    let Some(given) = given else {
        return BTreeSet::new();
    };
    let items = given.datum.items().unwrap_or_default();
    let address = |text: &String| {
        let parsed = text.parse();
        if parsed.is_err() {
            let what = format!("`consul_servers_ip` has `{text}`, which is no IP address");
            source.findings.error(
                &given.place,
                what,
                "names are not looked up: write the address",
            );
        }
        parsed.ok()
    };
    items.iter().filter_map(address).collect()
}

/// Hosts of the site that is joined, where the inventory names some.
fn elsewhere(source: &Source) -> BTreeSet<IpAddr> {
    let groups = DEPLOY.consul_servers.iter().filter(|_| source.joins);
    let hosts = groups.flat_map(|group| source.model.hosts_of(group));
    let address = |(host, _): (&str, &Place)| {
        let public = source.text(Some(host), "my_public_ip");
        let (text, _) = public.or_else(|| source.text(Some(host), "ansible_host"))?;
        text.parse().ok()
    };
    hosts.filter_map(address).collect()
}

/// `consul_public_ip` is one of the site's own servers.
fn joined(source: &Source, members: &[Member], own: &BTreeSet<IpAddr>) {
    let Some((text, place)) = source.of_site(members, "consul_public_ip") else {
        return;
    };
    if !text.parse().is_ok_and(|address| own.contains(&address)) {
        let what =
            format!("`consul_public_ip` is `{text}`, which is no address of this site's hosts");
        let hint = "Atoll takes the servers' addresses from `hosts`: see that they have the right `public_address`";
        source.findings.decide(&place, what, hint);
    }
}
