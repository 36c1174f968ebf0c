//! Names: what they become with others, and that no two things share one.

use std::collections::{BTreeMap, BTreeSet};

use federation::names::NamespaceName;

use super::super::Role;
use super::super::file::{Files, HostEntry, SiteFile, VoEntry};
use super::super::problem::{Place, Problems};
use super::{Taken, each};

/// The longest DNS label, and the longest name.
const LABEL: usize = 63;
const NAME: usize = 253;
/// What stands before a node or datacenter in the name of Traefik's job.
const TRAEFIK: &str = "traefik-";

/// The labels of the shortest parent domain. A site's own is put before the first with a `-`, so
/// that `one-deployments.example.org` is below `example.org`, and `one-example.org` is not.
const PARENT_LABELS: usize = 3;

/// A namespace has one parent domain, which is below that of its owner.
pub(super) fn domains(vos: &[VoEntry], problems: &Problems) {
    for domain in vos.iter().filter_map(|vo| vo.domain.as_ref()) {
        let name = domain.value.as_str();
        if name.split('.').count() < PARENT_LABELS {
            let what = format!(
                "users' URLs would be below `SITE-{name}`, a name that who owns `{name}` does not own"
            );
            let hint = format!("choose a domain below it, such as `deployments.{name}`");
            problems.error(&domain.place, what, &hint);
        }
    }
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
pub(super) fn patterns(vos: &[VoEntry], problems: &Problems) {
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

/// A node's name is a DNS label as well.
pub(super) fn host_name(site: &SiteFile, host: &HostEntry, problems: &Problems) {
    if let Some((Err(error), place)) = host.node(site) {
        let hint = "shorten the host's key, or set `name`";
        problems.error(place, error.to_string(), hint);
    }
}

/// Reports names and addresses that two things would share.
pub(super) fn taken(files: &Files, problems: &Problems) {
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

/// A gateway's job is called after its node, or after the datacenter where ai4-ansible did so.
pub(super) fn gateways(files: &Files, problems: &Problems) {
    let datacenters = files.sites().filter_map(|site| site.datacenter.as_ref());
    let datacenters: BTreeSet<_> = datacenters.map(|spot| spot.value.as_str()).collect();
    for (site, host) in files
        .sites()
        .flat_map(|site| site.hosts().map(move |host| (site, host)))
        .filter(|(_, host)| host.has(Role::Gateway))
    {
        let Some((Ok(node), place)) = host.node(site) else {
            continue;
        };
        // Traefik's job has a service of its name, which is a DNS label.
        if node.as_str().len() > LABEL - TRAEFIK.len() {
            let what = format!("`{TRAEFIK}{node}` is too long for the name of a service");
            let hint = "shorten the host's key, or set `name`: 55 characters for a gateway";
            problems.error(place, what, hint);
        }
        if datacenters.contains(node.as_str()) {
            let what = format!("the gateway `{node}` is called as a datacenter is");
            let hint = "choose another `name`: Traefik's jobs are called after both";
            problems.error(place, what, hint);
        }
    }
}

/// The names below which users' URLs are: legal, and each of one site.
pub(super) fn zones(files: &Files, problems: &Problems) {
    let mut first: BTreeMap<String, (&str, &Place)> = BTreeMap::new();
    for (site, label) in files
        .sites()
        .filter_map(|site| Some((site, site.domain.as_ref()?)))
    {
        for parent in parents(files, site) {
            let zone = format!("{}-{parent}", label.value);
            let left = zone.split('.').next().unwrap_or_default();
            if left.len() > LABEL || zone.len() > NAME - LABEL - 1 {
                let what =
                    format!("users' URLs would be below `{zone}`, which leaves no legal name");
                let hint = "shorten it: 63 characters before the first dot, and 189 in all";
                problems.error(&label.place, what, hint);
            }
            let (other, place) = *first
                .entry(zone.clone())
                .or_insert((label.value.as_str(), &label.place));
            if other != label.value.as_str() {
                let what = format!(
                    "users' URLs would be below `{zone}`, as those of `{other}` are, at {place}"
                );
                problems.error(&label.place, what, "choose another label");
            }
        }
    }
}

/// The parent domains of the VOs that a site serves.
fn parents<'a>(files: &'a Files, site: &'a SiteFile) -> BTreeSet<&'a str> {
    let vos = files
        .federation
        .iter()
        .flat_map(|federation| &federation.vos);
    let served: BTreeSet<_> = each(site.vos.as_ref()).map(|vo| &vo.value).collect();
    vos.flat_map(|vos| &vos.value)
        .filter(|vo| {
            vo.name
                .as_ref()
                .is_some_and(|name| served.contains(&name.value))
        })
        .filter_map(|vo| Some(vo.domain.as_ref()?.value.as_str()))
        .collect()
}
