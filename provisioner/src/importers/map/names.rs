//! The names that hosts and nodes have had, kept.

use std::collections::BTreeMap;

use super::{Member, Part, Source};

/// A host's key in the inventory: its name in Ansible, as far as a DNS label may say it.
pub(super) fn key(source: &Source, member: &Member) -> String {
    let name = &member.name;
    // Of a full domain name, the first label is the host's own; an address has no such part.
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    let own = match name.split_once('.') {
        Some((label, _)) if !is_address => label,
        _ => name,
    };
    let allowed = |c: char| {
        let lower = c.to_ascii_lowercase();
        if lower.is_ascii_lowercase() || lower.is_ascii_digit() {
            lower
        } else {
            '-'
        }
    };
    let key: String = own.chars().map(allowed).take(63).collect();
    let key = key.trim_matches('-').to_owned();
    if key.is_empty() {
        let what = format!("`{name}` cannot be the name of a host");
        source
            .findings
            .error(&member.place, what, "use 1 to 63 of a-z, 0-9 and -");
    } else if key != *name {
        let what = format!("the host `{name}` is called `{key}`");
        let hint = "a host's name is a DNS label; the node keeps the name it has";
        source.findings.changed(&member.place, what, hint);
    }
    key
}

/// The names of the site's nodes by Ansible's rule: the datacenter, the kind, and the place in
/// the list of the group.
pub(super) struct NodeNames<'a> {
    datacenter: &'a str,
    servers: BTreeMap<&'a str, usize>,
    cpu: BTreeMap<&'a str, usize>,
    gpu: BTreeMap<&'a str, usize>,
    tryme: BTreeMap<&'a str, usize>,
}

impl<'a> NodeNames<'a> {
    pub(super) fn new(source: &Source<'a>, datacenter: &'a str) -> Self {
        let positions = |group| {
            let hosts = source.model.hosts_of(group).into_iter();
            hosts
                .enumerate()
                .map(|(at, (host, _))| (host, at))
                .collect()
        };
        let family = source.family;
        let numbering = family.nomad_servers.last().copied().unwrap_or_default();
        Self {
            datacenter,
            servers: positions(numbering),
            cpu: positions(family.cpu),
            gpu: positions(family.gpu),
            tryme: positions(family.tryme),
        }
    }

    /// The name a member's node has; `None` where Ansible's rule gives none.
    pub(super) fn of(&self, member: &Member) -> Option<String> {
        let host = member.name.as_str();
        let numbered = |group: &BTreeMap<&str, usize>, kind| {
            let at = group.get(host)?;
            Some(format!("{}-{kind}-{at}", self.datacenter))
        };
        // Of several groups, the later rule wins.
        let gateway = || {
            member
                .is(Part::Gateway)
                .then(|| format!("{}-traefik", self.datacenter))
        };
        numbered(&self.servers, "server")
            .or_else(|| numbered(&self.tryme, "tn-cpu"))
            .or_else(gateway)
            .or_else(|| numbered(&self.gpu, "wn-gpu"))
            .or_else(|| numbered(&self.cpu, "wn-cpu"))
    }
}
