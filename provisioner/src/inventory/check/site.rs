//! One site: the VOs it serves, and what else it says of itself.

use std::collections::BTreeSet;

use ::federation::count::counted;

use super::super::checks::{NEVER_WAIVED, WAIVABLE};
use super::super::decode::Spot;
use super::super::file::{CertificateSource, ClientsEntry, SiteFile, VoEntry, Waivers};
use super::super::problem::{Place, Problems};
use super::super::spelling::advice;
use super::super::{Email, Role, State};
use super::{Taken, each, places, said_once};

/// The VOs of a site are those of the federation.
pub(super) fn vos(site: &SiteFile, known: Option<&Spot<Vec<VoEntry>>>, problems: &Problems) {
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

/// Users' jobs need a gateway to be reached, and a VO to be run.
pub(super) fn gateway(site: &SiteFile, problems: &Problems) {
    let Some(hosts) = site.hosts.as_ref().filter(|_| site.is_whole()) else {
        return;
    };
    let has = |role| site.hosts().any(|host| host.has(role));
    let Some(vos) = site.vos.as_ref().filter(|_| has(Role::Client)) else {
        return;
    };
    if vos.value.is_empty() {
        let what = "the site has clients and serves no VO: no user's job will run";
        problems.warning(&vos.place, what, "list the VOs it serves");
    } else if !has(Role::Gateway) {
        let what = "the site has clients and no gateway: users cannot reach their jobs";
        problems.warning(&hosts.place, what, "give a host the role `gateway`");
    }
}

/// What the file says of the site itself.
pub(super) fn itself(site: &SiteFile, problems: &Problems) {
    let retired = site
        .state
        .as_ref()
        .filter(|state| state.value == State::Retired);
    let count = site.hosts().count();
    if let Some(state) = retired.filter(|_| count > 0) {
        let what = format!(
            "the site is retired and has {}, still kept up",
            counted(count, "host")
        );
        let hint = "`hosts: {}` lets go of them, once they have left Consul and Nomad";
        problems.warning(&state.place, what, hint);
    }
    if let Some(spot) = &site.location
        && let Some(location) = &spot.value
        && location.latitude.value() == 0.0
        && location.longitude.value() == 0.0
    {
        let what = "latitude 0 and longitude 0 are in the sea";
        problems.warning(&spot.place, what, "look the site up on a map");
    }
    said_once(site.docker.mirrors.as_ref(), problems);
    said_once(site.ntp.as_ref(), problems);
    said_once(site.tryme.images.as_ref(), problems);
    for mirror in each(site.docker.mirrors.as_ref()).filter(|it| it.value.starts_with("http:")) {
        let what = format!(
            "`{}` is not encrypted: whoever is on the way can change an image",
            mirror.value
        );
        problems.warning(&mirror.place, what, "use https");
    }
}

/// The nodes of a datacenter deliver to one place.
pub(super) fn accounting(site: &SiteFile, problems: &Problems) {
    if let Some(second) = places(site.hosts(), Role::Accounting).get(1) {
        let what = "the site has an accounting host already";
        problems.error(second, what, "keep the role on one host");
    }
}

/// ACME asks for two more keys, and for somebody who reads its mail.
pub(super) fn certificates(site: &SiteFile, problems: &Problems) {
    let Some(spot) = &site.certificates else {
        return;
    };
    let Some(entry) = &spot.value else { return };
    let Some(source) = &entry.source else { return };
    let email = entry.email.as_ref().map(|spot| &spot.place);
    let provider = entry.dns_provider.as_ref().map(|spot| &spot.place);
    let is_acme = source.value == CertificateSource::Acme;
    for (key, place, example) in [
        ("email", email, "ops@site.example.org"),
        ("dns_provider", provider, "rfc2136"),
    ] {
        match place {
            None if is_acme => {
                let what = format!("`acme` wants `{key}`: a wildcard is proved by an entry in DNS");
                problems.error(&source.place, what, &format!("add `{key}: {example}`"));
            }
            Some(place) if !is_acme => {
                let what = format!("only `source: acme` has `{key}`");
                problems.error(place, what, "remove it, or change the source");
            }
            _ => {}
        }
    }
    if let Some(spot) = &entry.email
        && let Some(email) = &spot.value
    {
        placeholder(email, &spot.place, problems);
    }
}

/// Addresses that manuals and templates show, and that nobody reads.
fn placeholder(email: &Email, place: &Place, problems: &Problems) {
    let domain = email.domain();
    let (first, top) = domain.split_once('.').unwrap_or((domain, ""));
    let top = top.rsplit('.').next().unwrap_or_default();
    let is_shown = (["example", "test", "domain"].contains(&first)
        && domain.matches('.').count() == 1)
        || ["example", "test", "invalid", "localhost"].contains(&top);
    let name = email.to_string();
    let is_role = ["admin@", "root@", "user@", "noreply@", "nobody@"]
        .iter()
        .any(|role| name.starts_with(role));
    let hint = "write the address of those who would renew a certificate";
    if is_shown {
        problems.error(place, format!("`{name}` is a placeholder"), hint);
    } else if is_role {
        problems.warning(place, format!("`{name}` looks like a placeholder"), hint);
    }
}

/// Known checks, each waived once, and none by which somebody is recognized.
pub(super) fn waivers(waivers: Option<&Waivers>, problems: &Problems) {
    let mut names = Taken::new("waived", problems);
    let entries = waivers
        .into_iter()
        .flat_map(|list| list.value.iter().flatten());
    for check in entries.filter_map(|entry| entry.check.as_ref()) {
        let name = check.value.as_str();
        if NEVER_WAIVED.contains(&name) {
            let what =
                format!("the check `{name}` is about identity or secrets, and cannot be waived");
            problems.error(&check.place, what, "mend what it finds");
        } else if !WAIVABLE.contains(&name) {
            let hint = advice("the checks are", name, WAIVABLE);
            problems.error(&check.place, format!("no check is called `{name}`"), &hint);
        } else {
            names.take(name, &check.place);
        }
    }
}

/// What jobs of the platform do as root on their nodes.
pub(super) fn raw_exec(clients: &ClientsEntry, problems: &Problems) {
    let Some(list) = &clients.raw_exec else {
        return;
    };
    if list.value.is_empty() {
        let what =
            "no node runs plain processes: nothing cleans up users' storage after their jobs";
        let hint = "keep `raw_exec` where users' jobs run, unless another job does that";
        problems.warning(&list.place, what, hint);
    }
}
