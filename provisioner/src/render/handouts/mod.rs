//! What people outside of Atoll are given, as files that they can read or feed to their tools.

mod firewall;
mod zone;

use serde::Serialize;

use crate::plan::{Datacenters, Firewall, Handouts, Unlisted};

use super::tree::pretty;

/// All handouts, by path below `federation/`.
pub(super) fn texts(handouts: &Handouts) -> impl Iterator<Item = (String, String)> {
    let zones = handouts.zones.iter();
    let zones = zones.map(|zone| (format!("dns/{}.zone", zone.name), zone::text(zone)));
    firewall(&handouts.firewall)
        .chain(zones)
        .chain(datacenters(&handouts.datacenters))
}

fn firewall(firewall: &Firewall) -> impl Iterator<Item = (String, String)> {
    let sites = firewall.sites.iter().map(|(name, rules)| {
        let text = firewall::site(firewall, name, rules);
        (format!("firewall/sites/{name}.txt"), text)
    });
    let whole = [
        ("firewall/matrix.json".to_owned(), pretty(firewall)),
        ("firewall/matrix.txt".to_owned(), firewall::matrix(firewall)),
    ];
    whole.into_iter().chain(sites)
}

/// The list of datacenters, and beside it those that are not in it. A list without rows is not
/// written: the platform's API does not start with one.
fn datacenters(datacenters: &Datacenters) -> impl Iterator<Item = (String, String)> {
    let list = (!datacenters.listed.is_empty()).then(|| csv(datacenters));
    let rest = (!datacenters.unlisted.is_empty()).then(|| {
        pretty(&Rest {
            effect: "a node of such a datacenter hinders every deployment of these VOs; \
                     say what its site's file lacks, and have the row in use before its first node",
            datacenters: &datacenters.unlisted,
        })
    });
    let named = |name: &str, text: Option<String>| text.map(|text| (name.to_owned(), text));
    named("papi/datacenters.csv", list)
        .into_iter()
        .chain(named("papi/unlisted.json", rest))
}

/// What cannot be listed, and what comes of it.
#[derive(Serialize)]
struct Rest<'a> {
    effect: &'static str,
    datacenters: &'a [Unlisted],
}

/// No value has a comma or a quote in it, so none is quoted.
fn csv(datacenters: &Datacenters) -> String {
    let header = "name,country,lat,lon,PUE\n".to_owned();
    datacenters.listed.iter().fold(header, |text, row| {
        let (latitude, longitude) = (&row.latitude, &row.longitude);
        text + &format!(
            "{},{},{latitude},{longitude},{}\n",
            row.name, row.country, row.pue
        )
    })
}
