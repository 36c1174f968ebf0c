//! Releases: known ones, and such as work with each other.

use federation::names::Version;

use crate::versions::{Options, Product, lines, way};

use super::super::Role;
use super::super::decode::Spot;
use super::super::file::{Files, SiteFile, VersionsEntry};
use super::super::problem::{Place, Problems};

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
    let mut told = consul(all, files, problems);
    told.extend(nomad(all, files, problems));
    for site in files.sites() {
        for product in PRODUCTS.into_iter().filter(|product| runs(*product, site)) {
            let versions = [&site.versions, all].map(|versions| of(product, versions));
            let [Some(own), Some(general)] = versions else {
                continue;
            };
            if !told.contains(&&own.place) {
                steps(product, own, general, problems);
            }
        }
    }
}

/// Whether a product has anything to do at a site.
fn runs(product: Product, site: &SiteFile) -> bool {
    let roles: &[Role] = match product {
        Product::Nomad => &[Role::NomadServer, Role::Client, Role::Gateway],
        Product::Traefik => &[Role::Gateway],
        Product::Consul | Product::Docker => return site.hosts().next().is_some(),
    };
    site.hosts()
        .any(|host| roles.iter().any(|role| host.has(*role)))
}

/// Reports a site's own version from which no step leads to the federation's.
fn steps(product: Product, own: &Spot<Version>, general: &Spot<Version>, problems: &Problems) {
    if line(product, &general.value).is_none() {
        return;
    }
    let place = &own.place;
    let of_all = format!("the federation's {}, at {}", general.value, general.place);
    let (own, general) = (&own.value, &general.value);
    match way(product, own, general) {
        Ok(way) if way.is_direct() => {}
        Ok(way) => {
            let what = format!("{product} {own} cannot become {of_all}, in one step");
            problems.error(place, what, &format!("upgrade step by step: {way}"));
        }
        Err(refusal) if own.numbers() < general.numbers() => {
            let what = format!("{product} {own} cannot become {of_all}: {}", refusal.reason);
            problems.error(place, what, "there is no way: choose another version");
        }
        // The first site of an upgrade is ahead, and the others are to follow.
        Err(_) => {
            let what = format!("{product} {own} has no way back to {of_all}");
            let hint = format!(
                "let the others follow{}",
                road(product, general, own).unwrap_or_default()
            );
            problems.warning(place, what, &hint);
        }
    }
}

/// The way from one version to another, as the end of a hint; nothing if there is none.
fn road(product: Product, from: &Version, to: &Version) -> Option<String> {
    let way = way(product, from, to).ok()?;
    Some(format!(": {way}"))
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

/// The primary's servers are upgraded first, and other sites' soon after. Gives what was reported.
fn consul<'a>(all: &'a VersionsEntry, files: &'a Files, problems: &Problems) -> Vec<&'a Place> {
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
    let Some(wanted) = wanted else {
        return Vec::new();
    };
    let versions = files
        .sites()
        .filter_map(|site| site.versions.consul.as_ref().or(all.consul.as_ref()));
    let told = versions
        .filter(|version| !together(Product::Consul, version, wanted, "of the primary", problems));
    told.map(|version| &version.place).collect()
}

/// Clients follow servers, and servers each other. Gives what was reported.
fn nomad<'a>(all: &'a VersionsEntry, files: &'a Files, problems: &Problems) -> Vec<&'a Place> {
    let runs = |roles: &'static [Role]| {
        let sites = files.sites().filter(move |site| {
            site.hosts()
                .any(|host| roles.iter().any(|role| host.has(*role)))
        });
        sites.filter_map(|site| site.versions.nomad.as_ref().or(all.nomad.as_ref()))
    };
    let servers = runs(&[Role::NomadServer]).min_by_key(|version| version.value.numbers());
    let Some(oldest) = servers.or(all.nomad.as_ref()) else {
        return Vec::new();
    };
    let whose = "of the oldest server";
    let versions = runs(&[Role::NomadServer, Role::Client, Role::Gateway]);
    let told =
        versions.filter(|version| !together(Product::Nomad, version, oldest, whose, problems));
    told.map(|version| &version.place).collect()
}

/// Whether a version works with what it depends on. One that is newer, or far from it, is reported,
/// with the way by which the older one follows.
fn together(
    product: Product,
    version: &Spot<Version>,
    wanted: &Spot<Version>,
    whose: &str,
    problems: &Problems,
) -> bool {
    let lines = [version, wanted].map(|spot| line(product, &spot.value));
    let [Some(line), Some(wanted_line)] = lines else {
        return true;
    };
    let place = &version.place;
    if version.value.numbers() > wanted.value.numbers() {
        let what = format!(
            "{product} {} is newer than the {} {whose}, at {}",
            version.value, wanted.value, wanted.place
        );
        let way = road(product, &wanted.value, &version.value).unwrap_or_default();
        let hint = format!("{product} is upgraded there first{way}");
        // Releases of one line are made to work with each other.
        if line == wanted_line {
            problems.warning(place, what, &hint);
        } else {
            problems.error(place, what, &hint);
        }
        false
    } else if line.abs_diff(wanted_line) > MOST_LINES {
        let what = format!(
            "{product} {} is more than two lines from the {} {whose}, at {}",
            version.value, wanted.value, wanted.place
        );
        let way = road(product, &version.value, &wanted.value).unwrap_or_default();
        problems.error(place, what, &format!("upgrade it{way}"));
        false
    } else {
        true
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::problem::Place;
    use super::*;

    fn spot(version: &str) -> Spot<Version> {
        Spot {
            value: version.parse().unwrap(),
            place: Place::start(Path::new("site.yaml")),
        }
    }

    fn told(report: impl FnOnce(&Problems)) -> Vec<String> {
        let problems = Problems::default();
        report(&problems);
        let problems = problems.sorted().into_iter();
        problems.map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn a_site_that_cannot_come_to_the_federation_s_version_is_told_the_way() {
        for (product, own, general, expected) in [
            (Product::Nomad, "1.10.5", "1.11.3", None),
            (Product::Nomad, "1.10.5", "2.0.4", None),
            (Product::Consul, "1.22.5", "1.22.3", None),
            (
                Product::Nomad,
                "1.11.4",
                "1.11.3",
                Some(
                    "site.yaml:1:1: warning: Nomad 1.11.4 has no way back to the federation's 1.11.3, \
                     at site.yaml:1:1; let the others follow: 1.11.3 → 1.11.4",
                ),
            ),
            (
                Product::Consul,
                "2.0.1",
                "1.21.5",
                Some(
                    "site.yaml:1:1: warning: Consul 2.0.1 has no way back to the federation's 1.21.5, \
                     at site.yaml:1:1; let the others follow: 1.21.5 → 2.0.1",
                ),
            ),
            (
                Product::Nomad,
                "1.8.4",
                "1.11.3",
                Some(
                    "site.yaml:1:1: Nomad 1.8.4 cannot become the federation's 1.11.3, at \
                     site.yaml:1:1, in one step; upgrade step by step: 1.8.4 → newest 1.10 → 1.11.3",
                ),
            ),
            (
                Product::Consul,
                "0.9.4",
                "1.22.3",
                Some(
                    "site.yaml:1:1: Consul 0.9.4 cannot become the federation's 1.22.3, at \
                     site.yaml:1:1: it is not known which options Consul 0.9.4 reads; the known \
                     lines are 1.21, 1.22, 2.0; there is no way: choose another version",
                ),
            ),
            // What no table describes has a problem of its own.
            (Product::Nomad, "1.10.5", "1.12.0", None),
        ] {
            let found = told(|problems| steps(product, &spot(own), &spot(general), problems));
            assert_eq!(
                found.first().map(String::as_str),
                expected,
                "{own} {general}"
            );
        }
    }
}
