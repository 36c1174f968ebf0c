//! Releases: known ones, and such as work with each other.

use std::fmt;

use federation::names::Version;

use super::super::Role;
use super::super::decode::Spot;
use super::super::file::{Files, SiteFile, VersionsEntry};
use super::super::problem::Problems;

/// A product whose releases come in lines, such as 1.21 of 1.21.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Product {
    Consul,
    Nomad,
    Traefik,
}

/// How far apart the lines of agents may be that work together.
const MOST_LINES: usize = 2;
/// Nomad takes no older plugins since 1.9.5.
const OLDEST_CNI: [u32; 3] = [1, 2, 0];

/// Where a release's line stands among those whose options Atoll knows, the oldest being 0;
/// else all there are.
fn known_line(product: Product, version: &Version) -> Result<usize, &'static [&'static str]> {
    let lines: &[&str] = match product {
        Product::Consul => &["1.21", "1.22", "2.0"],
        Product::Nomad => &["1.10", "1.11", "2.0"],
        Product::Traefik => &["3.7"],
    };
    let line = version
        .as_str()
        .rsplit_once('.')
        .map_or("", |(line, _)| line);
    lines.iter().position(|known| *known == line).ok_or(lines)
}

/// Reports releases that Atoll does not know, and such as do not work together.
pub(super) fn versions(files: &Files, problems: &Problems) {
    let all = files
        .federation
        .as_ref()
        .and_then(|federation| federation.versions.as_ref());
    let own = files.sites().map(|site| &site.versions);
    own.chain(all)
        .for_each(|versions| known(versions, problems));
    let Some(all) = all.filter(|_| files.is_whole()) else {
        return;
    };
    consul(all, files, problems);
    nomad(all, files, problems);
}

fn known(versions: &VersionsEntry, problems: &Problems) {
    for (product, version) in Product::ALL
        .iter()
        .filter_map(|it| Some((*it, it.of(versions)?)))
    {
        if !is_release(version, problems) {
            continue;
        }
        if let Err(lines) = known_line(product, &version.value) {
            let what = format!(
                "Atoll does not know the options of {product} {}",
                version.value
            );
            let hint = format!("it knows those of {}", lines.join(", "));
            problems.error(&version.place, what, &hint);
        }
    }
    let Some(cni) = versions
        .cni
        .as_ref()
        .filter(|cni| is_release(cni, problems))
    else {
        return;
    };
    if cni.value.numbers().as_slice() < OLDEST_CNI.as_slice() {
        let what = format!("Nomad refuses CNI plugins {}", cni.value);
        problems.error(&cni.place, what, "since 1.9.5 it wants 1.2.0 or later");
    }
}

/// Whether a version names one release and no line of them.
fn is_release(version: &Spot<Version>, problems: &Problems) -> bool {
    let is_one = version.value.numbers().len() == 3;
    if !is_one {
        let what = format!("`{}` does not name one release", version.value);
        problems.error(&version.place, what, "write three numbers, such as 1.11.3");
    }
    is_one
}

/// The primary's servers are upgraded first, and other sites' soon after.
fn consul(all: &VersionsEntry, files: &Files, problems: &Problems) {
    let primary = files
        .federation
        .as_ref()
        .and_then(|federation| federation.primary.as_ref());
    let is_primary = |site: &&SiteFile| {
        let datacenter = site.datacenter.as_ref().map(|spot| &spot.value);
        primary.is_some_and(|primary| Some(&primary.value) == datacenter)
    };
    let first = files.sites().find(is_primary);
    let wanted = first
        .and_then(|site| site.versions.consul.as_ref())
        .or(all.consul.as_ref());
    let Some(wanted) = wanted else { return };
    for version in files
        .sites()
        .filter_map(|site| site.versions.consul.as_ref().or(all.consul.as_ref()))
    {
        together(Product::Consul, version, wanted, "of the primary", problems);
    }
}

/// Clients follow servers.
fn nomad(all: &VersionsEntry, files: &Files, problems: &Problems) {
    let runs = |roles: &'static [Role]| {
        let sites = files.sites().filter(move |site| {
            site.hosts()
                .any(|host| roles.iter().any(|role| host.has(*role)))
        });
        sites.filter_map(|site| site.versions.nomad.as_ref().or(all.nomad.as_ref()))
    };
    let servers = runs(&[Role::NomadServer]).min_by_key(|version| version.value.numbers());
    let Some(oldest) = servers.or(all.nomad.as_ref()) else {
        return;
    };
    for version in runs(&[Role::NomadServer, Role::Client, Role::Gateway]) {
        together(
            Product::Nomad,
            version,
            oldest,
            "of the oldest server",
            problems,
        );
    }
}

/// Reports a version that is newer than what it depends on, or far from it.
fn together(
    product: Product,
    version: &Spot<Version>,
    wanted: &Spot<Version>,
    whose: &str,
    problems: &Problems,
) {
    let lines = [version, wanted].map(|spot| known_line(product, &spot.value));
    let [Ok(line), Ok(wanted_line)] = lines else {
        return;
    };
    let place = &version.place;
    if version.value.numbers() > wanted.value.numbers() {
        let what = format!(
            "{product} {} is newer than the {} {whose}, at {}",
            version.value, wanted.value, wanted.place
        );
        let hint = format!("{product} is upgraded there first");
        problems.error(place, what, &hint);
    } else if line.abs_diff(wanted_line) > MOST_LINES {
        let what = format!(
            "{product} {} is more than two lines from the {} {whose}, at {}",
            version.value, wanted.value, wanted.place
        );
        problems.error(place, what, "upgrade the older one line by line");
    }
}

impl Product {
    const ALL: [Self; 3] = [Self::Consul, Self::Nomad, Self::Traefik];

    fn of(self, versions: &VersionsEntry) -> Option<&Spot<Version>> {
        match self {
            Self::Consul => versions.consul.as_ref(),
            Self::Nomad => versions.nomad.as_ref(),
            Self::Traefik => versions.traefik.as_ref(),
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Consul => "Consul",
            Self::Nomad => "Nomad",
            Self::Traefik => "Traefik",
        })
    }
}
