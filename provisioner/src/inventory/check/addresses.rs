//! Addresses and networks: that hosts are where they should be, and can be dialled.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::super::decode::Spot;
use super::super::file::{AccessEntry, Files, HostEntry, SiteFile};
use super::super::private::is_private;
use super::super::problem::Problems;
use super::extra::nomad_bridge;
use super::{Taken, each};

/// Nomad's own bridge, and Docker's first one, where nothing else is said.
const NOMAD_BRIDGE: &str = "172.26.64.0/20";
const NOMAD_BRIDGE_HINT: &str = "set `client { bridge_network_subnet = … }` in `extra_hcl.nomad`";
const DOCKER_BRIDGE: &str = "172.17.0.0/16";

/// The addresses of a site's hosts, and the ranges around them.
pub(super) fn site(site: &SiteFile, files: &Files, problems: &Problems) {
    networks(site, problems);
    families(site, problems);
    reached(site, problems);
    pools(site, files, problems);
    bridges(site, files, problems);
    if files.sites.len() > 1 {
        site.hosts().for_each(|host| dialled(host, problems));
    }
}

/// Networks that stand for the whole internet.
pub(super) fn access(access: &AccessEntry, problems: &Problems) {
    let all = [&access.ssh, &access.api, &access.monitoring];
    let lists = all.into_iter().flatten();
    for network in lists
        .flat_map(|list| each(Some(list)))
        .filter(|network| network.value.prefix_len() == 0)
    {
        let what = format!("`{}` is the whole internet", network.value);
        let hint = "name the networks whence people and services come";
        problems.warning(&network.place, what, hint);
    }
}

/// Each host lies in a network of its site, and no network in another.
fn networks(site: &SiteFile, problems: &Problems) {
    let Some(list) = &site.networks else { return };
    let networks: Vec<_> = each(Some(list)).collect();
    for (index, network) in networks.iter().enumerate() {
        let earlier = networks[..index]
            .iter()
            .find(|it| overlap(&it.value, &network.value));
        if let Some(earlier) = earlier {
            let what = format!(
                "`{}` overlaps `{}`, at {}",
                network.value, earlier.value, earlier.place
            );
            problems.warning(&network.place, what, "keep the wider one");
        }
    }
    let is_whole = list.value.iter().all(Option::is_some);
    for address in site
        .hosts()
        .filter_map(|host| host.address.as_ref())
        .filter(|_| is_whole)
    {
        if !networks
            .iter()
            .any(|network| network.value.contains(&address.value))
        {
            let what = format!("`{}` lies in none of the site's `networks`", address.value);
            let hint = "correct the address, or add its network";
            problems.error(&address.place, what, hint);
        }
    }
}

/// An agent has one address, so that agents of both families cannot all meet.
fn families(site: &SiteFile, problems: &Problems) {
    let mut addresses = site.hosts().filter_map(|host| host.address.as_ref());
    let Some(first) = addresses.next() else {
        return;
    };
    if let Some(other) = addresses.find(|it| it.value.is_ipv4() != first.value.is_ipv4()) {
        let what = format!(
            "`{}` and `{}`, at {}, are of two families",
            other.value, first.value, first.place
        );
        let hint = "give all hosts of a site IPv4 addresses, or all IPv6";
        problems.error(&other.place, what, hint);
    }
}

/// No two hosts answer SSH at one place, and no host is on the way to itself.
fn reached(site: &SiteFile, problems: &Problems) {
    let mut ways = Taken::new("where SSH connects for a host of this site", problems);
    for (host, ssh) in site
        .hosts()
        .filter_map(|host| Some((host, host.ssh.as_ref()?)))
    {
        let Some(set) = &ssh.value else { continue };
        let usual = site
            .ssh
            .as_ref()
            .and_then(|ssh| Some(ssh.port.as_ref()?.value));
        let port = set.port.or(usual).unwrap_or(22);
        if let Some(address) = set.address.or(host.address.as_ref().map(|spot| spot.value)) {
            ways.take(format!("{address} port {port}"), &ssh.place);
        }
    }
    let mut hops = Taken::new("on the way", problems);
    let jumps = site.ssh.as_ref().and_then(|ssh| ssh.jump.as_ref());
    for jump in each(jumps) {
        let hop = format!("{}:{}", jump.value.host, jump.value.port);
        let is_new = hops.take(hop, &jump.place);
        let address: Option<IpAddr> = jump.value.host.parse().ok();
        let itself = address
            .and_then(|address| site.hosts().find(|host| connects_to(host) == Some(address)));
        if let Some(place) = itself
            .filter(|_| is_new)
            .and_then(|host| Some(&host.key.as_ref()?.place))
        {
            let what = format!(
                "`{}` is a host of this site, at {place}: it would be reached through itself",
                jump.value.host
            );
            let hint =
                "give that host an `ssh.address` that needs no jump, or jump through another";
            problems.warning(&jump.place, what, hint);
        }
    }
}

fn connects_to(host: &HostEntry) -> Option<IpAddr> {
    let own = host
        .ssh
        .as_ref()
        .and_then(|ssh| ssh.value.as_ref()?.address);
    own.or(host.address.as_ref().map(|spot| spot.value))
}

/// Docker's ranges: of a sane size, apart from each other, and from whatever hosts talk to.
fn pools(site: &SiteFile, files: &Files, problems: &Problems) {
    let mut earlier: Vec<&Spot<IpNet>> = Vec::new();
    for pool in site
        .docker
        .address_pools
        .iter()
        .flat_map(|pools| pools.value.iter().flatten())
    {
        let Some(base) = &pool.base else { continue };
        pool_size(base, pool.size.as_ref(), problems);
        let networks = each(site.networks.as_ref());
        let others = networks.chain(earlier.iter().copied());
        let other = others
            .filter(|it| overlap(&it.value, &base.value))
            .map(|it| (it.value.to_string(), &it.place));
        let inside = talks_to(site, files)
            .filter(|it| base.value.contains(&it.value))
            .map(|it| (it.value.to_string(), &it.place));
        let mut bridges = nomad_bridges(site, files).into_iter();
        if let Some(bridge) = bridges.find(|bridge| overlap(bridge, &base.value)) {
            let what = format!("`{}` overlaps Nomad's bridge, {bridge}", base.value);
            problems.error(&base.place, what, NOMAD_BRIDGE_HINT);
        }
        if let Some((name, place)) = other.chain(inside).next() {
            let what = format!(
                "`{}` overlaps `{name}`, at {place}: containers would hide it",
                base.value
            );
            problems.error(&base.place, what, "choose a range that nothing else uses");
        }
        earlier.push(base);
    }
}

/// A pool has room for a network, and a network for a container and its gateway.
fn pool_size(base: &Spot<IpNet>, size: Option<&Spot<u8>>, problems: &Problems) {
    let (least, most) = (base.value.prefix_len(), base.value.max_prefix_len() - 2);
    if least > most {
        let what = format!("`{}` has no room for a network", base.value);
        problems.error(&base.place, what, "choose a wider range");
    } else if let Some(size) = size.filter(|size| !(least..=most).contains(&size.value)) {
        let what = format!(
            "`{}` cannot be the size of networks in `{}`",
            size.value, base.value
        );
        let hint = format!("a prefix length of {least} to {most}");
        problems.error(&size.place, what, &hint);
    }
}

/// The addresses that hosts of a site open connections to.
fn talks_to<'a>(site: &'a SiteFile, files: &'a Files) -> impl Iterator<Item = &'a Spot<IpAddr>> {
    let own = site.hosts().filter_map(|host| host.address.as_ref());
    let servers = files
        .sites()
        .flat_map(SiteFile::hosts)
        .filter(|host| host.is_dialled());
    let servers = servers.filter_map(public);
    let external = files
        .federation
        .iter()
        .filter_map(|federation| federation.external.as_ref());
    let external = external.flat_map(|it| [&it.consul_servers, &it.nomad_servers]);
    own.chain(servers)
        .chain(external.flat_map(|list| each(list.as_ref())))
}

/// The ranges of Nomad's bridge on the site's hosts: of each, what the last level says.
fn nomad_bridges(site: &SiteFile, files: &Files) -> BTreeSet<IpNet> {
    let federation = files.federation.as_ref();
    let of_all = federation.and_then(|federation| nomad_bridge(&federation.extra));
    let of_site = nomad_bridge(&site.extra).or(of_all);
    let of_hosts = site
        .hosts()
        .map(|host| nomad_bridge(&host.extra).or_else(|| of_site.clone()));
    let ranges = of_hosts.map(|range| range.unwrap_or_else(|| NOMAD_BRIDGE.to_owned()));
    // Nomad itself judges what is no range.
    ranges.filter_map(|range| range.parse().ok()).collect()
}

/// Networks and addresses of the site that the products' own bridges would hide.
fn bridges(site: &SiteFile, files: &Files, problems: &Problems) {
    for range in nomad_bridges(site, files) {
        bridge(
            site,
            &range,
            ("Nomad's bridge", NOMAD_BRIDGE_HINT),
            problems,
        );
    }
    let is_docker = site.docker.address_pools.is_none();
    if let Some(range) = DOCKER_BRIDGE.parse().ok().filter(|_| is_docker) {
        let hint = "give Docker other ranges by `docker.address_pools`";
        bridge(site, &range, ("Docker's first bridge", hint), problems);
    }
}

/// A network of the site in a bridge's range, or else the address of a host.
fn bridge(site: &SiteFile, range: &IpNet, (whose, hint): (&str, &str), problems: &Problems) {
    let network = each(site.networks.as_ref()).find(|it| overlap(&it.value, range));
    let network = network.map(|it| (it.value.to_string(), &it.place, "overlaps"));
    let address = || {
        let mut own = site.hosts().filter_map(|host| host.address.as_ref());
        let inside = own.find(|it| range.contains(&it.value))?;
        Some((inside.value.to_string(), &inside.place, "lies in"))
    };
    if let Some((name, place, how)) = network.or_else(address) {
        let what = format!("`{name}` {how} {whose}, {range}");
        problems.warning(place, what, hint);
    }
}

/// A server or gateway that other sites and users must reach over the internet.
fn dialled(host: &HostEntry, problems: &Problems) {
    let Some(address) = public(host).filter(|_| host.is_dialled()) else {
        return;
    };
    if is_private(address.value) {
        let what = format!(
            "`{}` is private, and other sites or users dial this host",
            address.value
        );
        let hint = "say its `public_address`, unless all sites are in one private network";
        problems.warning(&address.place, what, hint);
    }
}

fn public(host: &HostEntry) -> Option<&Spot<IpAddr>> {
    host.public_address.as_ref().or(host.address.as_ref())
}

fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}
