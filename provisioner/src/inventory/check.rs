//! Rules between values: names resolve, nothing is taken twice, quorums make sense.
//!
//! A rule about a whole (a site's servers, the federation's primary) waits until
//! every part could be read: the part's own problem is enough, and a verdict
//! on half a site could be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use federation::names::{NamespaceName, VoName};

use super::Role;
use super::decode::Spot;
use super::file::{FederationFile, Files, HostEntry, SiteFile, VoEntry, VoList};
use super::problem::{Place, Problem, Problems};

/// Reports every rule that the files break.
pub(super) fn check(files: &Files, problems: &Problems) {
    let known = files
        .federation
        .as_ref()
        .and_then(|federation| federation.vos.as_ref());
    if let Some(vos) = known {
        domains(&vos.value, problems);
        patterns(&vos.value, problems);
    }
    if let Some(federation) = &files.federation {
        primary(federation, files, problems);
        nomad_servers(federation, files, problems);
    }
    for site in files.sites() {
        site_vos(site, known, problems);
        site_roles(site, problems);
        for host in site.hosts() {
            host_name(site, host, problems);
            host_roles(host, problems);
            host_kind(host, problems);
            host_vos(site, host, problems);
            host_gpus(files.federation.as_ref(), host, problems);
        }
    }
    accounting(files, problems);
    taken(files, problems);
}

/// A namespace has one parent domain.
fn domains(vos: &[VoEntry], problems: &Problems) {
    let mut first = BTreeMap::new();
    for vo in vos {
        let (Some(namespace), Some(domain)) = (&vo.namespace, &vo.domain) else {
            continue;
        };
        let first = first.entry(&namespace.value).or_insert(domain);
        if first.value != domain.value {
            let what = format!(
                "the namespace `{}` has the domain `{}`, at {}",
                namespace.value, first.value, first.place
            );
            let hint = "VOs can share a namespace only if they share its domain";
            problems.error(&domain.place, what, hint);
        }
    }
}

/// PAPI's jobs find their nodes by a pattern, so that one namespace may not contain another.
fn patterns(vos: &[VoEntry], problems: &Problems) {
    let namespaces: BTreeMap<_, _> = vos
        .iter()
        .rev()
        .filter_map(|vo| vo.namespace.as_ref())
        .map(|spot| (&spot.value, &spot.place))
        .collect();
    for (part, place) in &namespaces {
        let contains =
            |whole: &&&NamespaceName| whole != &part && whole.as_str().contains(part.as_str());
        if let Some(whole) = namespaces.keys().find(contains) {
            let what = format!(
                "`{part}` is a part of `{whole}`, so its jobs would also run on nodes of that namespace"
            );
            let hint =
                "choose namespaces of which none contains another: jobs find nodes by pattern";
            problems.error(place, what, hint);
        }
    }
}

fn primary(federation: &FederationFile, files: &Files, problems: &Problems) {
    let Some(primary) = &federation.primary else {
        return;
    };
    let datacenter =
        |site: &Option<SiteFile>| Some(site.as_ref()?.datacenter.as_ref()?.value.clone());
    let datacenters: Option<BTreeSet<_>> = files.sites.iter().map(datacenter).collect();
    if datacenters.is_some_and(|datacenters| !datacenters.contains(&primary.value)) {
        let what = format!("no file in sites/ has `datacenter: {}`", primary.value);
        let hint = "name the datacenter of one of the sites";
        problems.error(&primary.place, what, hint);
    }
}

fn nomad_servers(federation: &FederationFile, files: &Files, problems: &Problems) {
    let Some(name) = federation.name.as_ref().filter(|_| files.is_whole()) else {
        return;
    };
    let servers = places(files.sites().flat_map(SiteFile::hosts), Role::NomadServer);
    if servers.is_empty() {
        let what = "no host of the federation is a Nomad server";
        let hint = "give one host, or three, the role `nomad-server`";
        problems.error(&name.place, what, hint);
    }
    quorum("Nomad", &servers, problems);
}

fn site_vos(site: &SiteFile, known: Option<&Spot<Vec<VoEntry>>>, problems: &Problems) {
    said_once(site.vos.as_ref(), problems);
    let names = known.map(|vos| vos.value.iter().map(|vo| Some(&vo.name.as_ref()?.value)));
    let Some(known) = names.and_then(Iterator::collect::<Option<BTreeSet<_>>>) else {
        return;
    };
    for vo in each(site.vos.as_ref()).filter(|vo| !known.contains(&vo.value)) {
        let what = format!("federation.yaml has no VO `{}`", vo.value);
        let hint = "correct the name, or add it there under `vos`";
        problems.error(&vo.place, what, hint);
    }
}

fn site_roles(site: &SiteFile, problems: &Problems) {
    let Some(hosts) = site.hosts.as_ref().filter(|_| site.is_whole()) else {
        return;
    };
    let having = |role| places(site.hosts(), role);
    let servers = having(Role::ConsulServer);
    if servers.is_empty() {
        let what = "no host of the site is a Consul server";
        let hint = "give one host, or three, the role `consul-server`";
        problems.error(&hosts.place, what, hint);
    }
    quorum("Consul", &servers, problems);
    let Some(vos) = site
        .vos
        .as_ref()
        .filter(|_| !having(Role::Client).is_empty())
    else {
        return;
    };
    if vos.value.is_empty() {
        let what = "the site has clients and serves no VO: no user's job will run";
        problems.warning(&vos.place, what, "list the VOs it serves");
    } else if having(Role::Gateway).is_empty() {
        let what = "the site has clients and no gateway: users cannot reach their jobs";
        problems.warning(&hosts.place, what, "give a host the role `gateway`");
    }
}

/// Warns of a server that adds work and no safety.
fn quorum(product: &str, servers: &[&Place], problems: &Problems) {
    let (count, losses) = (servers.len(), servers.len().div_ceil(2).saturating_sub(1));
    let Some(last) = servers.last().filter(|_| count % 2 == 0) else {
        return;
    };
    let plural = if losses == 1 { "" } else { "es" };
    let verb = if count == 2 { "does" } else { "do" };
    let what = format!(
        "{count} {product} servers tolerate {losses} loss{plural}, as {} {verb}",
        count - 1
    );
    problems.warning(last, what, "add one or leave one out");
}

fn host_name(site: &SiteFile, host: &HostEntry, problems: &Problems) {
    if let Some((Err(error), place)) = host.node(site) {
        let hint = "shorten the host's key, or set `name`";
        problems.error(place, error.to_string(), hint);
    }
}

fn host_roles(host: &HostEntry, problems: &Problems) {
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
fn host_kind(host: &HostEntry, problems: &Problems) {
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

fn host_vos(site: &SiteFile, host: &HostEntry, problems: &Problems) {
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
fn host_gpus(federation: Option<&FederationFile>, host: &HostEntry, problems: &Problems) {
    let Some(gpus) = &host.gpus else { return };
    if host.is_whole() && !host.has(Role::Client) {
        let what = "only a host with the role `client` gives its GPUs to jobs";
        problems.error(&gpus.place, what, "remove `gpus`, or add the role");
    }
    if federation.is_some_and(|federation| federation.nvidia.is_none()) {
        let what = "federation.yaml does not say which NVIDIA driver hosts with GPUs get";
        let hint = "add `nvidia: { driver: …, toolkit: …, plugin: 1.1.0 }` there";
        problems.error(&gpus.place, what, hint);
    }
}

/// The nodes of a datacenter deliver to one place.
fn accounting(files: &Files, problems: &Problems) {
    for site in files.sites() {
        let places = places(site.hosts(), Role::Accounting);
        if let Some(second) = places.get(1) {
            let what = "the site has an accounting host already";
            problems.error(second, what, "keep the role on one host");
        }
    }
}

/// Reports names and addresses that two things would share.
fn taken(files: &Files, problems: &Problems) {
    let mut datacenters = Taken::new("a datacenter", problems);
    let mut labels = Taken::new("the domain label of a datacenter", problems);
    let mut nodes = Taken::new("the name of a node", problems);
    let mut public = Taken::new("a public address", problems);
    for site in files.sites() {
        site.datacenter
            .iter()
            .for_each(|spot| _ = datacenters.take(&spot.value, &spot.place));
        site.domain
            .iter()
            .for_each(|spot| _ = labels.take(&spot.value, &spot.place));
        let mut private = Taken::new("an address of this site", problems);
        for host in site.hosts() {
            if let Some((Ok(node), place)) = host.node(site) {
                nodes.take(node, place);
            }
            let own = host
                .address
                .as_ref()
                .filter(|spot| private.take(spot.value, &spot.place));
            // Two sites may number their clients alike; what others dial must differ.
            let dialled = own.filter(|_| host.is_dialled());
            host.public_address
                .as_ref()
                .or(dialled)
                .map(|spot| public.take(spot.value, &spot.place));
        }
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

fn said_once(list: Option<&VoList>, problems: &Problems) {
    let mut vos = Taken::new("in this list", problems);
    each(list).for_each(|vo| _ = vos.take(&vo.value, &vo.place));
}

fn each(list: Option<&VoList>) -> impl Iterator<Item = &Spot<VoName>> {
    list.into_iter()
        .flat_map(|list| list.value.iter().flatten())
}

/// Where hosts are given a role.
fn places<'a>(hosts: impl Iterator<Item = &'a HostEntry>, role: Role) -> Vec<&'a Place> {
    let given = |host: &'a HostEntry| host.roles().find(|(given, _)| *given == role);
    hosts.filter_map(given).map(|(_, place)| place).collect()
}
