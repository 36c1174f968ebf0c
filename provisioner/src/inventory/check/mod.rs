//! Rules between values: names resolve, nothing is taken twice, quorums make sense.
//!
//! A rule about a whole (a site's servers, the federation's primary) waits until
//! every part could be read: the part's own problem is enough, and a verdict
//! on half a site could be wrong.

mod addresses;
mod docker;
mod extra;
mod host;
mod names;
mod owned;
mod servers;
mod site;
mod versions;

use std::collections::BTreeMap;
use std::fmt::Display;

use super::Role;
use super::decode::Spot;
use super::file::{FederationFile, Files, HostEntry, List, SiteFile};
use super::problem::{Place, Problem, Problems};

/// Reports every rule that the files break.
pub(super) fn check(files: &Files, problems: &Problems) {
    if let Some(file) = &files.federation {
        federation(file, files, problems);
    }
    for file in files.sites() {
        site(file, files, problems);
    }
    names::zones(files, problems);
    names::taken(files, problems);
    names::gateways(files, problems);
    versions::versions(files, problems);
}

fn federation(file: &FederationFile, files: &Files, problems: &Problems) {
    if let Some(vos) = &file.vos {
        names::domains(&vos.value, problems);
        names::patterns(&vos.value, problems);
    }
    servers::primary(file, files, problems);
    servers::elsewhere(file, files, problems);
    servers::nomad_servers(file, files, problems);
    if let Some(access) = &file.access {
        addresses::access(access, problems);
    }
    if let Some(clients) = &file.clients {
        site::raw_exec(clients, problems);
    }
    said_once(file.tryme.images.as_ref(), problems);
    extra::extra(&file.extra, docker::Daemon::of(file), problems);
}

fn site(file: &SiteFile, files: &Files, problems: &Problems) {
    let federation = files.federation.as_ref();
    let vos = federation.and_then(|federation| federation.vos.as_ref());
    site::vos(file, vos, problems);
    site::gateway(file, problems);
    site::itself(file, problems);
    site::accounting(file, problems);
    site::certificates(file, problems);
    site::waivers(file.waived.as_ref(), problems);
    servers::consul_servers(file, problems);
    addresses::site(file, files, problems);
    let daemon = federation.and_then(docker::Daemon::of);
    extra::extra(&file.extra, daemon, problems);
    for host in file.hosts() {
        names::host_name(file, host, problems);
        host::roles(host, problems);
        host::kind(host, problems);
        host::vos(file, host, problems);
        host::gpus(federation, host, problems);
        host::volume(host, problems);
        site::waivers(host.waived.as_ref(), problems);
        extra::extra(&host.extra, daemon, problems);
    }
}

/// What is in use so far, and where.
struct Taken<'a, T> {
    noun: &'static str,
    places: BTreeMap<T, &'a Place>,
    problems: &'a Problems,
}

impl<'a, T: Ord + Display> Taken<'a, T> {
    fn new(noun: &'static str, problems: &'a Problems) -> Self {
        Self {
            noun,
            places: BTreeMap::new(),
            problems,
        }
    }

    /// Whether the value was free. If not, that is reported.
    fn take(&mut self, value: T, place: &'a Place) -> bool {
        let Some(first) = self.places.get(&value) else {
            self.places.insert(value, place);
            return true;
        };
        let what = format!(
            "`{value}` is already {}: {}, at {first}",
            self.noun, first.at
        );
        self.problems.add(Problem::error(place, what));
        false
    }
}

fn said_once<T: Ord + Display>(list: Option<&List<T>>, problems: &Problems) {
    let mut values = Taken::new("in this list", problems);
    each(list).for_each(|spot| _ = values.take(&spot.value, &spot.place));
}

/// The items of a list that could be read.
fn each<T>(list: Option<&List<T>>) -> impl Iterator<Item = &Spot<T>> {
    list.into_iter()
        .flat_map(|list| list.value.iter().flatten())
}

/// Where hosts are given a role.
fn places<'a>(hosts: impl Iterator<Item = &'a HostEntry>, role: Role) -> Vec<&'a Place> {
    let given = |host: &'a HostEntry| host.roles().find(|(given, _)| *given == role);
    hosts.filter_map(given).map(|(_, place)| place).collect()
}
