//! Which hosts the site has, what each does, and where it is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::names::{NodeNames, key};
use super::site::Identity;
use super::ssh::SiteSsh;
use super::vos::SiteVos;
use super::{Member, Part, Source};
use crate::importers::draft::HostDraft;
use crate::importers::known::{DEPLOY, IGNORED_GROUPS, usual};
use crate::importers::report::Place;
use crate::inventory::{is_private, nearest};

/// Names of hosts for which others are sought that may have been meant.
const MAX_SUGGESTIONS: usize = 20;
const IN_A_ROLE: &str = "put it into a group of servers, of clients or of Traefik";

/// The hosts with a role at the site, by name. What the others are is said.
pub(super) fn members(source: &Source) -> Vec<Member> {
    let family = source.family;
    let set = |groups: &[&str]| -> BTreeSet<&str> {
        let hosts = groups.iter().flat_map(|group| source.model.hosts_of(group));
        hosts.map(|(host, _)| host).collect()
    };
    let parts = [
        (Part::ConsulServer, set(&family.consul_servers)),
        (Part::NomadServer, set(family.nomad_servers)),
        (Part::Gateway, set(&[family.gateway])),
        (Part::Cpu, set(&[family.cpu])),
        (Part::Gpu, set(&[family.gpu])),
        (Part::TryMe, set(&[family.tryme])),
    ];
    let member = |name: &str, place: &Place| Member {
        name: name.to_owned(),
        place: place.clone(),
        parts: parts
            .iter()
            .filter(|(_, hosts)| hosts.contains(name))
            .map(|(part, _)| *part)
            .collect(),
    };
    let of_consul = set(family.consul_clients);
    let others = if source.joins {
        set(&DEPLOY.all().collect::<Vec<_>>())
    } else {
        BTreeSet::new()
    };
    let mut members = Vec::new();
    let mut strays = 0;
    for (name, host) in &source.model.hosts {
        let name = name.as_str();
        if parts.iter().any(|(_, hosts)| hosts.contains(name)) {
            let member = member(name, &host.place);
            agents(source, &member, of_consul.contains(name));
            members.push(member);
        } else if of_consul.contains(name) {
            let what = format!("`{name}` runs Consul and nothing else");
            source.findings.dropped(&host.place, what, IN_A_ROLE);
        } else if others.contains(name) {
            let what = format!("`{name}` is a host of another site");
            let hint = "its own site's inventory says what it is";
            source.findings.dropped(&host.place, what, hint);
        } else {
            strays += 1;
            stray(source, name, &host.place, strays <= MAX_SUGGESTIONS);
        }
    }
    members
}

/// What a member's groups lack for what its roles need.
fn agents(source: &Source, member: &Member, is_in_consul: bool) {
    let name = &member.name;
    if !(is_in_consul || member.is(Part::ConsulServer)) {
        let what = format!("`{name}` is in Nomad's groups and in none of Consul's");
        let hint = "it becomes a Consul client as well, as every host without a server";
        source.findings.changed(&member.place, what, hint);
    }
    if member.is(Part::NomadServer) && (member.is_client() || member.is(Part::Gateway)) {
        let what = format!("`{name}` is a Nomad server and also a client");
        let hint = "make another host the client: nobody could introduce a server to itself";
        source.findings.error(&member.place, what, hint);
    }
    let kinds = [Part::Cpu, Part::Gpu, Part::TryMe];
    if kinds.iter().filter(|part| member.is(**part)).count() > 1 {
        let what = format!("`{name}` is in several of the groups of CPU, GPU and try-me clients");
        let hint = "keep it in one: its node's name comes from the position there";
        source.findings.error(&member.place, what, hint);
    }
}

/// A host that only helper groups, or no known groups, name.
fn stray(source: &Source, name: &str, place: &Place, suggests: bool) {
    let helpers = IGNORED_GROUPS.iter().map(|(group, _)| *group);
    let helper = std::iter::once(source.family.volume)
        .chain(helpers.filter(|group| *group == "monitoring"))
        .find(|group| {
            source
                .model
                .hosts_of(group)
                .iter()
                .any(|(host, _)| *host == name)
        });
    let Some(group) = helper else {
        let what = format!("`{name}` is in no group with a role");
        return source.findings.dropped(place, what, IN_A_ROLE);
    };
    let roles: Vec<_> = source.family.roles().collect();
    let known: Vec<&str> = roles
        .iter()
        .flat_map(|group| source.model.hosts_of(group))
        .map(|(host, _)| host)
        .collect();
    let meant = suggests.then(|| nearest(name, &known)).flatten();
    let hint = meant.map_or_else(
        || format!("correct the name, or remove it from `{group}`"),
        |meant| format!("did you mean `{meant}`?"),
    );
    let what = format!("the group `{group}` names the host `{name}`, which is in no other group");
    source.findings.error(place, what, hint);
}

/// The entries of `hosts:` by key; `None` when one of them could not be read.
pub(super) fn hosts(
    source: &Source,
    members: &[Member],
    identity: &Identity,
    ssh: &SiteSsh,
    vos: &SiteVos,
) -> Option<BTreeMap<String, HostDraft>> {
    let names = NodeNames::new(source, &identity.datacenter);
    let mut hosts: BTreeMap<String, HostDraft> = BTreeMap::new();
    let mut addresses: BTreeMap<IpAddr, &str> = BTreeMap::new();
    let mut nodes: BTreeMap<String, &str> = BTreeMap::new();
    let mut is_whole = true;
    for member in members {
        let key = key(source, member);
        let Some(draft) = host(source, member, &key, identity, &names, ssh, vos) else {
            is_whole = false;
            continue;
        };
        taken(source, member, "address", draft.address, &mut addresses);
        taken(source, member, "node name", draft.node.clone(), &mut nodes);
        if let Some(first) = hosts.get(&key) {
            let what = format!(
                "`{}` and `{}` would both be called `{key}`",
                first.ansible, member.name
            );
            source
                .findings
                .error(&member.place, what, "rename one of them in Ansible");
        }
        hosts.insert(key, draft);
    }
    gpus(source, members);
    private(source, members, hosts.values());
    is_whole.then_some(hosts)
}

/// Reports what two hosts would share.
fn taken<'m, T: Ord + std::fmt::Display>(
    source: &Source,
    member: &'m Member,
    noun: &str,
    value: T,
    seen: &mut BTreeMap<T, &'m str>,
) {
    if let Some(first) = seen.get(&value) {
        let what = format!(
            "`{first}` and `{}` have the same {noun}, `{value}`",
            member.name
        );
        source
            .findings
            .error(&member.place, what, "give each its own");
    }
    seen.insert(value, &member.name);
}

fn host(
    source: &Source,
    member: &Member,
    key: &str,
    identity: &Identity,
    names: &NodeNames,
    ssh: &SiteSsh,
    vos: &SiteVos,
) -> Option<HostDraft> {
    let name = Some(member.name.as_str());
    let reached = reached(source, member)?;
    let ip = "an IP address, such as 192.0.2.10";
    let own: Option<(IpAddr, _)> = source.parse(name, "my_ip", ip);
    let address = own.map_or(reached, |(address, _)| address);
    let public: Option<(IpAddr, _)> = source.parse(name, "my_public_ip", ip);
    let node = names.of(member).unwrap_or_else(|| {
        let node = format!("{}-{key}", identity.datacenter);
        let what = format!("Ansible gives the node of `{}` no name", member.name);
        let hint = format!("see what it is called, and set `name:` unless that is `{node}`");
        source.findings.decide(&member.place, what, hint);
        node
    });
    Some(HostDraft {
        ansible: member.name.clone(),
        node,
        roles: roles(member),
        address,
        public_address: public.map(|(public, _)| public).filter(|it| *it != address),
        ssh_address: Some(reached).filter(|reached| *reached != address),
        port: ssh.port_of(&member.name),
        user: ssh.user_of(&member.name),
        volume: volume(source, member),
        kind: kind(source, member),
        has_gpus: member.is(Part::Gpu) && member.is_client(),
        vos: vos.narrowed(&member.name).filter(|_| member.is_client()),
    })
}

/// The address to which Ansible connects.
fn reached(source: &Source, member: &Member) -> Option<IpAddr> {
    let (text, place) = source
        .text(Some(&member.name), "ansible_host")
        .unwrap_or_else(|| (member.name.clone(), member.place.clone()));
    let configured = source.ssh.get(&text, "hostname");
    let text = configured.map_or(text.clone(), |(name, _)| name.replace("%h", &text));
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (what, hint) = if text == member.name {
        (
            format!("`{text}` has no address"),
            "add ansible_host=… with its IP address".to_owned(),
        )
    } else {
        (
            format!("`ansible_host` is `{text}`, which is no IP address"),
            "names are not looked up: write the address".to_owned(),
        )
    };
    source.findings.error(&place, what, hint);
    None
}

fn roles(member: &Member) -> Vec<&'static str> {
    let server = match (member.is(Part::ConsulServer), member.is(Part::NomadServer)) {
        (true, true) => Some("server"),
        (true, false) => Some("consul-server"),
        (false, true) => Some("nomad-server"),
        (false, false) => None,
    };
    let gateway = member.is(Part::Gateway).then_some("gateway");
    let client = member.is_client().then_some("client");
    server.into_iter().chain(gateway).chain(client).collect()
}

fn kind(source: &Source, member: &Member) -> Option<&'static str> {
    let batch = source.get(Some(&member.name), "batch");
    let is_batch = batch.is_some_and(|given| {
        given.datum.truth().unwrap_or_else(|| {
            let what = "`batch` is neither true nor false";
            source
                .findings
                .error(&given.place, what, "write `batch=true` or `batch=false`");
            false
        })
    });
    match (member.is_client(), member.is(Part::TryMe)) {
        (true, true) => {
            let what = format!(
                "`{}` has images beforehand, which a script finds",
                member.name
            );
            let hint = "list those of the platform's modules as `tryme.images` in federation.yaml";
            source.findings.decide(&member.place, what, hint);
            Some("tryme")
        }
        (true, false) if is_batch => Some("batch"),
        _ => None,
    }
}

/// The disk for data, with the name of its partition.
fn volume(source: &Source, member: &Member) -> Option<(String, Option<String>)> {
    let name = Some(member.name.as_str());
    let members = source.model.hosts_of(source.family.volume);
    let place = members.iter().find(|(host, _)| *host == member.name);
    let given = source.text(name, "vol_name");
    let Some((_, place)) = place else {
        if let Some((volume, place)) = given {
            let what = format!(
                "`vol_name` is `{volume}`, but `{}` is not in `{}`",
                member.name, source.family.volume
            );
            source
                .findings
                .dropped(&place, what, "Ansible leaves such a disk alone");
        }
        return None;
    };
    let Some((volume, _)) = given else {
        let what = format!("`{}` has a volume without `vol_name`", member.name);
        source
            .findings
            .error(place, what, "add vol_name=…, such as vol_name=vdb");
        return None;
    };
    let device = if volume.starts_with('/') {
        volume
    } else {
        let prefix = source.text(name, "disks_path");
        let prefix = prefix.map_or_else(|| "/dev/".to_owned(), |(prefix, _)| prefix);
        format!("{}/{volume}", prefix.trim_end_matches('/'))
    };
    let label = source.text(name, "partition_name").map(|(label, _)| label);
    Some((device, label.filter(|label| label != usual::LABEL)))
}

/// Ansible says that there are GPUs, and not which.
fn gpus(source: &Source, members: &[Member]) {
    let with: Vec<_> = members
        .iter()
        .filter(|it| it.is(Part::Gpu) && it.is_client())
        .collect();
    let Some(first) = with.first() else { return };
    let names: Vec<_> = with.iter().map(|it| format!("`{}`", it.name)).collect();
    let what = format!(
        "Ansible does not say which GPUs, and how many, {} should have",
        names.join(", ")
    );
    let hint =
        "add `model` and `count` to `gpus` as `nvidia-smi -L` prints them, or leave it at `{}`";
    source.findings.decide(&first.place, what, hint);
}

/// Servers are dialled by other sites and gateways by users, so a private address is not enough.
fn private<'h>(source: &Source, members: &[Member], hosts: impl Iterator<Item = &'h HostDraft>) {
    let hosts = hosts.filter(|host| is_private(host.public_address.unwrap_or(host.address)));
    let ansible: BTreeSet<_> = hosts.map(|host| host.ansible.as_str()).collect();
    let dialled = [Part::ConsulServer, Part::NomadServer, Part::Gateway];
    for member in members {
        let is_dialled = dialled.iter().any(|part| member.is(*part));
        if is_dialled && ansible.contains(member.name.as_str()) {
            let what = format!(
                "other sites or users reach `{}`, which has a private address alone",
                member.name
            );
            let hint = "give it `my_public_ip` in Ansible, or `public_address` in the site's file";
            source.findings.decide(&member.place, what, hint);
        }
    }
}
