//! Releases: known ones, and such as work with each other.

use federation::names::Version;

use crate::versions::{Options, Product, lines};

use super::super::Role;
use super::super::decode::Spot;
use super::super::file::{Files, SiteFile, VersionsEntry};
use super::super::problem::Problems;

/// How far apart the lines of agents may be that work together.
const MOST_LINES: usize = 2;
/// Nomad takes no older plugins since 1.9.5.
const OLDEST_CNI: [u32; 3] = [1, 2, 0];

/// Products whose releases must be known, because they do not start with an option of another.
const PRODUCTS: [Product; 3] = [Product::Consul, Product::Nomad, Product::Traefik];

/// Where a release's line stands among those whose options are known, the oldest being 0.
fn line(product: Product, version: &Version) -> Option<usize> {
    let numbers = version.numbers();
    lines(product)
        .iter()
        .position(|line| numbers.starts_with(line))
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
    for product in PRODUCTS {
        if let Some(version) = of(product, versions).filter(|it| is_release(it, problems)) {
            has_options(product, version, problems);
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

/// Options of an unknown line cannot be told from mistakes; those of a line that no program was
/// asked for may be some.
fn has_options(product: Product, version: &Spot<Version>, problems: &Problems) {
    let wanted = &version.value;
    match Options::of(product, wanted) {
        Ok(options) if options.is_proven() => {}
        Ok(_) => {
            let what = format!("the options of {product} {wanted} were only read about");
            let hint = "try it on one host first: the program itself was not asked yet";
            problems.warning(&version.place, what, hint);
        }
        Err(_) => {
            let what = format!("Atoll does not know the options of {product} {wanted}");
            let dotted = |line: &&[u32]| {
                line.iter()
                    .map(u32::to_string)
                    .collect::<Vec<_>>()
                    .join(".")
            };
            let known: Vec<_> = lines(product).iter().map(dotted).collect();
            let hint = format!("it knows those of {}", known.join(", "));
            problems.error(&version.place, what, &hint);
        }
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
    let lines = [version, wanted].map(|spot| line(product, &spot.value));
    let [Some(line), Some(wanted_line)] = lines else {
        return;
    };
    let place = &version.place;
    if version.value.numbers() > wanted.value.numbers() {
        let what = format!(
            "{product} {} is newer than the {} {whose}, at {}",
            version.value, wanted.value, wanted.place
        );
        let hint = format!("{product} is upgraded there first");
        // Releases of one line are made to work with each other.
        if line == wanted_line {
            problems.warning(place, what, &hint);
        } else {
            problems.error(place, what, &hint);
        }
    } else if line.abs_diff(wanted_line) > MOST_LINES {
        let what = format!(
            "{product} {} is more than two lines from the {} {whose}, at {}",
            version.value, wanted.value, wanted.place
        );
        problems.error(place, what, "upgrade the older one line by line");
    }
}

fn of(product: Product, versions: &VersionsEntry) -> Option<&Spot<Version>> {
    match product {
        Product::Consul => versions.consul.as_ref(),
        Product::Nomad => versions.nomad.as_ref(),
        Product::Traefik => versions.traefik.as_ref(),
        Product::Docker => None,
    }
}
