//! `atoll-accounting` on the host with that role.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::inventory::{Host, Inventory};

use super::consul::local_and;
use super::file::AgentFiles;
use super::host::own_version;
use super::peers::Place;
use super::{
    Access, Account, AccountingSettings, AccountingUnit, Authority, Content, Directory, HostPlan,
    Leaf, PlannedFile, Program, Service, SiteOf, Template, Unit, VoOf, Wave,
};

/// Where nodes deliver their usage records, over TCP.
pub(super) const PORT: u16 = 4690;

/// The service's account and group.
const ACCOUNTING: &str = "atoll-accounting";

/// Adds the accounting service to a host.
pub(super) fn add(plan: &mut HostPlan, place: &Place<'_>, host: &Host) {
    plan.accounts.push(Account {
        name: ACCOUNTING,
        home: "/var/lib/atoll-accounting",
    });
    plan.directories.extend([
        Directory {
            path: "/etc/atoll-accounting",
            access: Access::root(0o750, ACCOUNTING),
            wave: Wave::Base,
        },
        Directory {
            path: "/etc/atoll-accounting/certs",
            access: Access::root(0o750, ACCOUNTING),
            wave: Wave::Base,
        },
    ]);
    plan.files.extend(files(place, host));
    plan.units.push(Unit {
        service: Service::AtollAccounting,
        wave: Wave::Services,
    });
    plan.programs.push(Program::linked(
        "atoll-accounting",
        own_version(),
        Service::AtollAccounting,
    ));
}

fn files(place: &Place<'_>, host: &Host) -> [PlannedFile; 5] {
    let of = AgentFiles {
        service: Service::AtollAccounting,
        wave: Wave::Services,
        group: ACCOUNTING,
    };
    let leaf = Arc::new(Leaf {
        authority: Authority::Atoll,
        common_name: host.node.to_string(),
        dns_names: vec![host.node.to_string(), "localhost".to_owned()],
        addresses: local_and([host.address, host.public_address]),
        uris: Vec::new(),
        serves: true,
    });
    let authority = Content::Authority(Authority::Atoll);
    let (certificate, key) = (
        Content::Certificate(Arc::clone(&leaf)),
        Content::PrivateKey(leaf),
    );
    let unit = Template::AccountingUnit(AccountingUnit {});
    [
        of.configuration(
            "/etc/atoll-accounting/accounting.toml",
            settings(place, host),
        ),
        of.certificate("/etc/atoll-accounting/certs/atoll-ca.pem", 0o640, authority),
        of.certificate("/etc/atoll-accounting/certs/server.pem", 0o640, certificate),
        of.certificate("/etc/atoll-accounting/certs/server-key.pem", 0o640, key),
        of.unit(unit),
    ]
}

fn settings(place: &Place<'_>, host: &Host) -> Template {
    let Inventory { federation, sites } = place.inventory;
    let mut vos = BTreeMap::new();
    for (name, vo) in &federation.vos {
        vos.entry(vo.namespace.clone())
            .or_insert_with(|| name.clone());
    }
    let named = sites.values().filter_map(|site| {
        Some(SiteOf {
            datacenter: site.datacenter.clone(),
            site: site.site.clone()?,
        })
    });
    Template::AccountingSettings(AccountingSettings {
        federation: federation.name.clone(),
        listen: SocketAddr::new(host.address, PORT),
        sites: named.collect(),
        vos: vos
            .into_iter()
            .map(|(namespace, vo)| VoOf { namespace, vo })
            .collect(),
    })
}
