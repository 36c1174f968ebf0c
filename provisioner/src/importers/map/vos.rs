//! Namespaces become VOs.

use std::collections::{BTreeMap, BTreeSet};

use federation::names::{DomainName, NamespaceName, VoName};

use super::site::Identity;
use super::{Member, Part, Source};
use crate::importers::datum::Datum;
use crate::importers::known::{AI4EOSC, NAMESPACES};
use crate::importers::report::Place;

/// The VOs of the federation and of the site.
pub(super) struct SiteVos {
    /// Namespace and domain of every VO.
    pub(super) all: BTreeMap<String, (String, String)>,
    /// Those which the site serves.
    pub(super) served: BTreeSet<String>,
    /// Those of each host.
    hosts: BTreeMap<String, BTreeSet<String>>,
}

impl SiteVos {
    /// The VOs of a host that serves fewer than its site.
    pub(super) fn narrowed(&self, host: &str) -> Option<BTreeSet<String>> {
        let own = self.hosts.get(host)?;
        (*own != self.served).then(|| own.clone())
    }
}

/// What the site and its hosts serve.
pub(super) fn of_site(source: &Source, members: &[Member], identity: &Identity) -> SiteVos {
    let mut namespaces: BTreeMap<String, Place> = BTreeMap::new();
    let listed = listed(source, members);
    if let Some((names, place)) = &listed {
        for name in names {
            namespaces
                .entry(name.clone())
                .or_insert_with(|| place.clone());
        }
    }
    let mut of_hosts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut without = Vec::new();
    for member in members
        .iter()
        .filter(|it| it.is_client() || it.is(Part::Gateway))
    {
        let given = source.get(Some(&member.name), "nomad_namespaces");
        match given.filter(|given| matches!(given.datum, Datum::Text(_))) {
            Some(given) => {
                let names = given.datum.items().unwrap_or_default();
                unlisted(source, &names, &given.place, listed.as_ref());
                for name in &names {
                    let at = || given.place.clone();
                    namespaces.entry(name.clone()).or_insert_with(at);
                }
                of_hosts.insert(member.name.clone(), names.into_iter().collect());
            }
            None if member.is_client() => without.push(member),
            None => {}
        }
    }
    unsaid(source, &without, listed.as_ref(), &mut of_hosts);
    remove_invalid(source, &mut namespaces);
    named(source, identity, &namespaces, &of_hosts, members)
}

/// The federation's list of namespaces, which is a list and not a text.
fn listed(source: &Source, members: &[Member]) -> Option<(Vec<String>, Place)> {
    let whole = std::iter::once(None);
    let hosts = members.iter().map(|member| Some(member.name.as_str()));
    let mut given = whole
        .chain(hosts)
        .filter_map(|host| source.get(host, "nomad_namespaces"));
    let list = given.find(|given| matches!(given.datum, Datum::List(_)))?;
    Some((list.datum.items()?, list.place))
}

/// Says which namespaces of a host the federation's list does not have: a slip, mostly.
fn unlisted(
    source: &Source,
    names: &[String],
    place: &Place,
    listed: Option<&(Vec<String>, Place)>,
) {
    let Some((known, at)) = listed else { return };
    let mut wrong = names.iter().filter(|name| !known.contains(name));
    if let Some(name) = wrong.next() {
        let what = format!("`{name}` is no namespace of the list at {at}");
        let hint =
            "correct it here, or add it there: Ansible makes no namespace that is not listed";
        source.findings.decide(place, what, hint);
    }
}

/// Clients without namespaces of their own get those of the federation.
fn unsaid(
    source: &Source,
    without: &[&Member],
    listed: Option<&(Vec<String>, Place)>,
    of_hosts: &mut BTreeMap<String, BTreeSet<String>>,
) {
    for member in without {
        let (name, place) = (&member.name, &member.place);
        if let Some((names, _)) = listed {
            let what =
                format!("`{name}` has no `nomad_namespaces` of its own: it serves all of them");
            let hint = "Ansible would have written the list into its metadata as a text, which no job finds";
            source.findings.changed(place, what, hint);
            of_hosts.insert(name.clone(), names.iter().cloned().collect());
        } else {
            let what = format!("no line says which namespaces `{name}` serves");
            source
                .findings
                .decide(place, what, "list the VOs in the site's file, under `vos`");
        }
    }
}

/// Takes out what no product takes for a namespace, and reports it.
fn remove_invalid(source: &Source, namespaces: &mut BTreeMap<String, Place>) {
    let invalid = |name: &String| name.parse::<NamespaceName>().is_err();
    let wrong: Vec<_> = namespaces
        .keys()
        .filter(|name| invalid(name))
        .cloned()
        .collect();
    for name in wrong {
        if let Some(place) = namespaces.remove(&name) {
            let what = format!("`{name}` cannot be a namespace");
            source
                .findings
                .error(&place, what, "names are of letters, digits, - and _");
        }
    }
}

/// Gives each namespace its VO.
fn named(
    source: &Source,
    identity: &Identity,
    namespaces: &BTreeMap<String, Place>,
    of_hosts: &BTreeMap<String, BTreeSet<String>>,
    members: &[Member],
) -> SiteVos {
    let mut all = BTreeMap::new();
    let mut vo_of: BTreeMap<&str, String> = BTreeMap::new();
    for (namespace, place) in namespaces {
        let (vo, domain) = vo(source, identity, namespace, place);
        vo_of.insert(namespace, vo.clone());
        all.insert(vo, (namespace.clone(), domain));
    }
    let vos = |names: &BTreeSet<String>| -> BTreeSet<String> {
        names
            .iter()
            .filter_map(|name| vo_of.get(name.as_str()).cloned())
            .collect()
    };
    let hosts: BTreeMap<_, _> = of_hosts
        .iter()
        .map(|(host, names)| (host.clone(), vos(names)))
        .collect();
    // A gateway serves whatever the site's clients do.
    let clients = members.iter().filter(|it| it.is_client());
    let mut served: BTreeSet<_> = clients
        .filter_map(|it| hosts.get(&it.name))
        .flatten()
        .cloned()
        .collect();
    if served.is_empty() {
        served = hosts.values().flatten().cloned().collect();
    }
    SiteVos { all, served, hosts }
}

/// The VO and parent domain of a namespace.
fn vo(source: &Source, identity: &Identity, namespace: &str, place: &Place) -> (String, String) {
    if let Some(found) = existing(source, namespace) {
        return found;
    }
    let known = NAMESPACES.iter().find(|(name, ..)| *name == namespace);
    // The certificate of a site of another federation is of another domain than PAPI's.
    let parent = identity
        .parent
        .as_deref()
        .filter(|it| it.parse::<DomainName>().is_ok());
    let is_papis = |parent: &str| NAMESPACES.iter().any(|(_, _, domain)| *domain == parent);
    let domain = match (known, parent) {
        (_, Some(parent)) if !is_papis(parent) => parent,
        (Some((_, _, domain)), _) => domain,
        (None, Some(parent)) => parent,
        (None, None) => AI4EOSC,
    };
    if let Some(answer) = source.answers.vos.get(namespace) {
        return (answer.to_string(), domain.to_owned());
    }
    if let Some((_, Some(vo), _)) = known.filter(|(_, _, usual)| *usual == domain) {
        return ((*vo).to_owned(), domain.to_owned());
    }
    let labels: Vec<_> = domain.rsplit('.').take(2).collect();
    let organisation: Vec<_> = labels.into_iter().rev().collect();
    let label: String = namespace.to_ascii_lowercase().replace('_', "-");
    let vo = format!("{}.{}", label.trim_matches('-'), organisation.join("."));
    if vo.parse::<VoName>().is_err() {
        let what = format!("the namespace `{namespace}` gives no VO a name");
        source
            .findings
            .error(place, what, format!("say `--vo {namespace}=VO`"));
    } else {
        let what = format!("no VO of the namespace `{namespace}` is known: `{vo}` stands there");
        source.findings.decide(
            place,
            what,
            format!("import with `--vo {namespace}=VO`, or correct the name"),
        );
    }
    (vo, domain.to_owned())
}

/// The VO that the federation in the folder has given the namespace.
fn existing(source: &Source, namespace: &str) -> Option<(String, String)> {
    let vos = &source.existing?.inventory.federation.vos;
    let (name, vo) = vos
        .iter()
        .find(|(_, vo)| vo.namespace.as_str() == namespace)?;
    Some((name.to_string(), vo.domain.to_string()))
}
