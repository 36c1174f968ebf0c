//! Servers: that there are some, how many, and where.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::decode::Spot;
use super::super::file::{ExternalEntry, FederationFile, Files, List, SiteFile};
use super::super::problem::{Place, Problems};
use super::super::{Role, State};
use super::{Taken, places};

/// More than these make each write slower, and are lost no more safely.
const MOST_NOMAD_SERVERS: usize = 7;

/// The owner of access rights is a site that is there.
pub(super) fn primary(federation: &FederationFile, files: &Files, problems: &Problems) {
    let Some(primary) = &federation.primary else {
        return;
    };
    let datacenter =
        |site: &Option<SiteFile>| Some(site.as_ref()?.datacenter.as_ref()?.value.clone());
    let datacenters: Option<BTreeSet<_>> = files.sites.iter().map(datacenter).collect();
    let is_elsewhere = external(federation, |it| it.consul_servers.as_ref()).is_some();
    let is_absent = datacenters.is_some_and(|all| !all.contains(&primary.value));
    if is_absent && !is_elsewhere {
        let what = format!("no file in sites/ has `datacenter: {}`", primary.value);
        let hint = "name that of a site, or its servers elsewhere in `external.consul_servers`";
        problems.error(&primary.place, what, hint);
    }
    let is_gone = |site: &&SiteFile| {
        let datacenter = site.datacenter.as_ref().map(|spot| &spot.value);
        let state = site.state.as_ref().map(|spot| spot.value);
        datacenter == Some(&primary.value) && state == Some(State::Retired)
    };
    if let Some(state) = files
        .sites()
        .find(is_gone)
        .and_then(|site| site.state.as_ref())
    {
        let what = "the primary is retired: nobody owns access rights";
        problems.error(&state.place, what, "choose another primary first");
    }
}

/// A list of servers elsewhere, unless it is empty.
fn external<'a>(
    federation: &'a FederationFile,
    list: impl Fn(&'a ExternalEntry) -> Option<&'a List<IpAddr>>,
) -> Option<&'a List<IpAddr>> {
    let list = list(federation.external.as_ref()?)?;
    (!list.value.is_empty()).then_some(list)
}

/// Servers elsewhere are said once, and are none of the hosts here.
pub(super) fn elsewhere(federation: &FederationFile, files: &Files, problems: &Problems) {
    let lists = federation
        .external
        .iter()
        .flat_map(|it| [&it.consul_servers, &it.nomad_servers]);
    for list in lists.flatten() {
        let mut addresses = Taken::new("in this list", problems);
        for address in list
            .value
            .iter()
            .flatten()
            .filter(|it| addresses.take(it.value, &it.place))
        {
            let is_here = |spot: &&Spot<IpAddr>| spot.value == address.value;
            let dialled = files
                .sites()
                .flat_map(SiteFile::hosts)
                .filter(|host| host.is_dialled());
            let public =
                dialled.filter_map(|host| host.public_address.as_ref().or(host.address.as_ref()));
            if let Some(here) = public.into_iter().find(is_here) {
                let what = format!(
                    "`{}` is the address of a host here, at {}",
                    address.value, here.place
                );
                let hint = "`external` is for servers of sites that are in no file";
                problems.error(&address.place, what, hint);
            }
        }
    }
}

/// Nomad's servers are one body over all sites.
pub(super) fn nomad_servers(federation: &FederationFile, files: &Files, problems: &Problems) {
    let Some(name) = federation.name.as_ref().filter(|_| files.is_whole()) else {
        return;
    };
    let elsewhere = external(federation, |it| it.nomad_servers.as_ref());
    let by_site: Vec<_> = files
        .sites()
        .map(|site| places(site.hosts(), Role::NomadServer))
        .filter(|servers| !servers.is_empty())
        .collect();
    let servers = by_site.concat();
    if servers.is_empty() && elsewhere.is_none() {
        let what = "no host of the federation is a Nomad server";
        let hint = "give one host, or three, the role `nomad-server`";
        problems.error(&name.place, what, hint);
    }
    let count = servers.len() + elsewhere.map_or(0, |list| list.value.len());
    let Some(last) = servers
        .last()
        .copied()
        .or(elsewhere.map(|list| &list.place))
    else {
        return;
    };
    quorum("Nomad", count, last, problems);
    if count > MOST_NOMAD_SERVERS {
        let what = format!("{count} Nomad servers: every write waits for more than half of them");
        problems.error(
            last,
            what,
            "7 are the most; clients need no server of their own site",
        );
    }
    let sites = by_site.len() + usize::from(elsewhere.is_some());
    if let Some(first) = by_site
        .last()
        .and_then(|servers| servers.first())
        .filter(|_| sites > 1)
    {
        let what = format!(
            "Nomad servers at {sites} sites: every write waits for the network between them"
        );
        let hint = "keep them at one site, or within 10 ms of each other";
        problems.warning(first, what, hint);
    }
}

/// Each site has Consul servers of its own.
pub(super) fn consul_servers(site: &SiteFile, problems: &Problems) {
    let Some(hosts) = site.hosts.as_ref().filter(|_| site.is_whole()) else {
        return;
    };
    let servers = places(site.hosts(), Role::ConsulServer);
    let Some(last) = servers.last() else {
        let what = "no host of the site is a Consul server";
        let hint = "give one host, or three, the role `consul-server`";
        return problems.error(&hosts.place, what, hint);
    };
    quorum("Consul", servers.len(), last, problems);
}

/// Warns of a server that adds work and no safety.
fn quorum(product: &str, count: usize, last: &Place, problems: &Problems) {
    if count % 2 == 1 {
        return;
    }
    let losses = count / 2 - 1;
    let plural = if losses == 1 { "" } else { "es" };
    let verb = if count == 2 { "does" } else { "do" };
    let what = format!(
        "{count} {product} servers tolerate {losses} loss{plural}, as {} {verb}",
        count - 1
    );
    problems.warning(last, what, "add one or leave one out");
}
