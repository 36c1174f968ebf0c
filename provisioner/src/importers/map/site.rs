//! What the site is called, and its file.

use std::collections::BTreeMap;

use federation::names::{DatacenterName, DomainLabel};

use super::ssh::SiteSsh;
use super::vos::SiteVos;
use super::{Member, Part, Source, hosts, most_common};
use crate::importers::draft::SiteDraft;
use crate::importers::report::Place;

/// The names that everything else of the site is made of.
pub(super) struct Identity {
    pub(super) datacenter: String,
    pub(super) domain: String,
    /// The domain below which the certificate's names are, without the site's label.
    pub(super) parent: Option<String>,
    /// The datacenter that owns the federation.
    pub(super) primary: String,
}

/// A value that hosts should share: what each says, and where.
type Said = Vec<(String, Place)>;

/// The site's names; `None` when its hosts do not agree, or a name is none.
pub(super) fn identity(source: &Source, members: &[Member]) -> Option<Identity> {
    let said = |name: &str| -> Said {
        let hosts = members
            .iter()
            .filter_map(|it| source.text(Some(&it.name), name));
        hosts.collect()
    };
    let all = source.text(None, "consul_dc_name");
    let mut datacenters = said("nomad_dc");
    datacenters.extend(said("consul_dc_name"));
    if datacenters.is_empty() {
        datacenters.extend(all);
    }
    let domains = said("domain");
    one_site(source, &datacenters, &domains)?;
    let Some((datacenter, place)) = datacenters.into_iter().next() else {
        let what = "no line says which datacenter this is";
        let hint = "add `consul_dc_name: …` to group_vars/all.yml";
        source.findings.error(&source.top, what, hint);
        return None;
    };
    if let Err(error) = datacenter.parse::<DatacenterName>() {
        let hint = "a datacenter cannot be renamed: this one cannot be taken over";
        source.findings.error(&place, error.to_string(), hint);
        return None;
    }
    let primary = source
        .text(None, "primary_datacenter")
        .or_else(|| source.of_site(members, "primary_datacenter"));
    let primary = primary.map_or_else(|| datacenter.clone(), |(primary, _)| primary);
    if source.joins && primary == datacenter {
        let what =
            format!("a site that joins has the datacenter `{datacenter}` of the site it joins");
        let hint = "set `consul_dc_name` to the new site's own datacenter, and `primary_datacenter` to the other";
        source.findings.error(&place, what, hint);
        return None;
    }
    let (domain, parent) = domain(source, members, domains, &datacenter)?;
    Some(Identity {
        datacenter,
        domain,
        parent,
        primary,
    })
}

/// One inventory is one site: one datacenter, one domain.
fn one_site(source: &Source, datacenters: &Said, domains: &Said) -> Option<()> {
    let mut mixed = Vec::new();
    let mut odd: Option<&Place> = None;
    for (noun, said) in [("datacenters", datacenters), ("domains", domains)] {
        let mut values: BTreeMap<&str, &Place> = BTreeMap::new();
        for (value, place) in said {
            let first = values.entry(value).or_insert(place);
            *first = (*first).min(place);
        }
        if values.len() > 1 {
            let usual = most_common(said.iter().map(|(value, _)| value.as_str()));
            let unusual = values.iter().filter(|(value, _)| Some(**value) != usual);
            odd = odd.or(unusual.map(|(_, place)| *place).max());
            let values: Vec<_> = values
                .iter()
                .map(|(value, at)| format!("`{value}` ({at})"))
                .collect();
            mixed.push(format!("several {noun}: {}", values.join(", ")));
        }
    }
    let Some(place) = odd else { return Some(()) };
    let what = format!("the site has {}", mixed.join("; and "));
    let hint = "one inventory is one site: give all its hosts the same nomad_dc, consul_dc_name and domain";
    source.findings.error(place, what, hint);
    None
}

/// The site's label and the parent domain of its certificate.
fn domain(
    source: &Source,
    members: &[Member],
    domains: Said,
    datacenter: &str,
) -> Option<(String, Option<String>)> {
    let certificate = source.of_site(members, "traefik_certs");
    let (domain, place) = domains.into_iter().next().unwrap_or_else(|| {
        let place = certificate
            .as_ref()
            .map_or(&source.top, |(_, place)| place)
            .clone();
        let of_certificate = certificate
            .as_ref()
            .and_then(|(name, _)| name.split_once("-deployments."));
        let of_datacenter = datacenter
            .rsplit_once('-')
            .map_or(datacenter, |(site, _)| site);
        let label = of_certificate
            .map_or(of_datacenter, |(label, _)| label)
            .to_owned();
        let what = format!("no host says the site's `domain`: `{label}` stands there");
        let hint = "it is the site's label in its users' URLs, <job>.<domain>-deployments…";
        source.findings.decide(&place, what, hint);
        (label, place)
    });
    if let Err(error) = domain.parse::<DomainLabel>() {
        source.findings.error(
            &place,
            error.to_string(),
            "correct it: no certificate can have that name",
        );
        return None;
    }
    let parent = certificate.and_then(|(name, place)| {
        let parent = name.strip_prefix(&format!("{domain}-")).map(str::to_owned);
        if parent.is_none() {
            let what = format!("the certificate `{name}` is not of the site's domain `{domain}`");
            let hint =
                "correct `traefik_certs` or `domain`: users' URLs need a certificate of both";
            source.findings.decide(&place, what, hint);
        }
        parent
    });
    Some((domain, parent))
}

/// The site's file.
pub(super) fn site(
    source: &Source,
    members: &[Member],
    identity: &Identity,
    vos: &SiteVos,
) -> Option<SiteDraft> {
    let ssh = SiteSsh::new(source, members);
    let hosts = hosts::hosts(source, members, identity, &ssh, vos);
    needed(source, members);
    if source.answers.site.is_none() {
        let what = "Ansible does not know the site's name in GOCDB";
        let hint = "give it with `--site NAME`: without it, accounting does not publish";
        source.findings.decide(&source.top, what, hint);
    }
    let mirror = source.of_site(members, "docker_registry");
    if let Some((_, place)) = &mirror {
        let what = "`docker_registry` becomes the first place from which images are taken";
        let hint =
            "ai4-ansible ships one site's mirror to all: keep it only if it is near this site";
        source.findings.decide(place, what, hint);
    }
    let certificate = source.of_site(members, "traefik_certs");
    if let Some((name, place)) = &certificate {
        let what = format!("the certificate of `{name}` is a file that this import does not have");
        let hint = "keep `certificates: { source: files }` and give the files, or change it to `own` or `acme`";
        source.findings.decide(place, what, hint);
    }
    Some(SiteDraft {
        site: source.answers.site.clone(),
        datacenter: identity.datacenter.clone(),
        domain: identity.domain.clone(),
        user: ssh.user,
        port: Some(ssh.port).filter(|port| *port != 22),
        jump: ssh.jump,
        versions: versions(source, members),
        mirror: mirror.map(|(mirror, _)| mirror),
        has_certificates: certificate.is_some(),
        vos: vos.served.clone(),
        hosts: hosts?,
    })
}

/// Reports what a site cannot do without.
fn needed(source: &Source, members: &[Member]) {
    if !members.iter().any(|member| member.is(Part::Gateway)) {
        let what = format!("no host is in `{}`", source.family.gateway);
        let hint = "users reach their jobs through a host with the role `gateway`: add one";
        source.findings.decide(&source.top, what, hint);
    }
    if !members.iter().any(|member| member.is(Part::ConsulServer)) {
        let what = "no host is a Consul server";
        let hint = format!(
            "put one, or three, into `{}`",
            source.family.consul_servers[1]
        );
        source.findings.error(&source.top, what, hint);
    }
}

/// Where the site runs other versions than the federation that is there already.
fn versions(source: &Source, members: &[Member]) -> BTreeMap<&'static str, String> {
    let Some(existing) = source.existing else {
        return BTreeMap::new();
    };
    let theirs = &existing.inventory.federation.versions;
    let mut differing = BTreeMap::new();
    for (product, name, wanted) in [
        ("consul", "consul_version", &theirs.consul),
        ("nomad", "nomad_version", &theirs.nomad),
    ] {
        if let Some((own, place)) = source
            .of_site(members, name)
            .filter(|(own, _)| own != wanted.as_str())
        {
            let what = format!("the site runs {product} {own}, the federation {wanted}");
            let hint = "the site's file keeps its own version: remove `versions` there to follow the federation";
            source.findings.changed(&place, what, hint);
            differing.insert(product, own);
        }
    }
    differing
}
