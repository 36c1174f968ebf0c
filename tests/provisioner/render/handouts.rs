//! What people outside of Atoll are given: firewalls, DNS zones, the list of datacenters.

use std::collections::BTreeSet;

use federation::nomad::{Namespace, Scheduler};
use provisioner::plan::{Firewall, Opening, Protocol, plan};

use super::{text, texts};
use crate::golden::{fixture, name, samples};

/// `from → to protocol ports`, sorted.
fn shown(rules: &[Opening]) -> BTreeSet<String> {
    let shown = rules.iter().map(|rule| {
        let protocol = format!("{:?}", rule.protocol).to_lowercase();
        format!("{} → {} {protocol} {}", rule.from, rule.to, rule.ports)
    });
    shown.collect()
}

fn firewall() -> Firewall {
    plan(&fixture("two-sites")).handouts.firewall
}

#[test]
fn a_site_lets_in_what_the_matrix_says() {
    let inward = shown(&firewall().sites[&name("beta-two")].inward);
    let expected = [
        "anybody → beta-two/gateways/public tcp 80,443",
        "anybody → beta-two/gateways/public tcp 8002-8003",
        "beta-two/gateways → beta-two/workers tcp 20000-32000",
        "beta-two/gateways → beta-two/workers udp 20000-32000",
        "beta-two/hosts → beta-two/consul-servers tcp 8300",
        "beta-two/hosts → beta-two/hosts tcp 8301",
        "beta-two/hosts → beta-two/hosts udp 8301",
        "beta-two/jump-hosts → beta-two/hosts tcp 22,2222",
        "consul-servers → beta-two/consul-servers/public tcp 8300",
        "consul-servers → beta-two/consul-servers/public tcp 8302",
        "consul-servers → beta-two/consul-servers/public udp 8302",
        "monitoring → beta-two/gateways/public tcp 8081",
        "operators → beta-two/jump-hosts tcp 22",
    ];
    assert_eq!(inward, expected.map(str::to_owned).into());
    let inward = shown(&firewall().sites[&name("alpha-one")].inward);
    for rule in [
        "api-callers → alpha-one/nomad-servers/public tcp 4646",
        "nomad-clients → alpha-one/nomad-servers/public tcp 4647",
        "nomad-servers → alpha-one/nomad-servers/public udp 4648",
        "alpha-one/nomad-clients → alpha-one/accounting tcp 4690",
        "beta-two/nomad-clients/public → alpha-one/accounting/public tcp 4690",
    ] {
        assert!(inward.contains(rule), "{rule}: {inward:#?}");
    }
}

/// What a site is told to ask of others is what the others are told to let in.
#[test]
fn what_a_site_asks_for_others_let_in() {
    let firewall = firewall();
    let elsewhere = shown(&firewall.sites[&name("beta-two")].elsewhere);
    let expected = [
        "beta-two/consul-servers/public → consul-servers tcp 8300",
        "beta-two/consul-servers/public → consul-servers tcp 8302",
        "beta-two/consul-servers/public → consul-servers udp 8302",
        "beta-two/nomad-clients/public → alpha-one/accounting/public tcp 4690",
        "beta-two/nomad-clients/public → nomad-servers tcp 4647",
    ];
    assert_eq!(elsewhere, expected.map(str::to_owned).into());
    let external = shown(&firewall.external);
    for rule in [
        "consul-servers → external/consul-servers udp 8302",
        "nomad-clients → external/nomad-servers tcp 4647",
        "nomad-servers → external/nomad-servers udp 4648",
    ] {
        assert!(external.contains(rule), "{rule}: {external:#?}");
    }
}

#[test]
fn a_group_says_who_is_in_it() {
    let firewall = firewall();
    let group = |wanted: &str| {
        let mut groups = firewall.groups.iter();
        let found = groups.find(|(group, _)| group.to_string() == wanted);
        let addresses = found.unwrap_or_else(|| panic!("no group {wanted}")).1;
        let private = if addresses.private { " (private)" } else { "" };
        addresses.members.join(" ") + private
    };
    let cases = [
        ("alpha-one/hosts", "198.51.100.0/26"),
        ("beta-two/hosts", "192.168.4.10/31 192.168.4.20"),
        (
            "consul-servers",
            "198.51.100.10/31 198.51.100.12 203.0.113.5 203.0.113.40",
        ),
        (
            "beta-two/nomad-clients/public",
            "192.168.4.20 203.0.113.41 (private)",
        ),
        ("beta-two/jump-hosts", "bastion.beta.example.org"),
        ("alpha-one/time-servers", "ntp.example.org"),
        ("operators", "192.0.2.0/28"),
        ("external/nomad-servers", "203.0.113.5"),
    ];
    for (group_name, expected) in cases {
        assert_eq!(group(group_name), expected, "{group_name}");
    }
}

/// Consul's API and DNS are a matter of the host itself, and gossip needs UDP as well.
#[test]
fn some_ports_are_never_opened_and_some_always_over_both_protocols() {
    for inventory in [samples(), super::varied(), fixture("two-sites")] {
        let firewall = plan(&inventory).handouts.firewall;
        let sites = firewall.sites.values();
        let rules: Vec<_> = sites
            .flat_map(|site| [&site.inward, &site.outward, &site.elsewhere])
            .flatten()
            .collect();
        for rule in &rules {
            for port in ["8500", "8501", "8502", "8503", "8600", "21000"] {
                assert!(!rule.ports.contains(port), "{rule:?}");
            }
        }
        for port in ["8301", "8302", "4648"] {
            let over = |protocol| {
                let ends = rules.iter().filter(|rule| rule.ports == port);
                ends.filter(|rule| rule.protocol == protocol)
                    .map(|rule| (&rule.from, &rule.to))
                    .collect::<BTreeSet<_>>()
            };
            assert_eq!(over(Protocol::Tcp), over(Protocol::Udp), "{port}");
            assert!(!over(Protocol::Udp).is_empty(), "{port}");
        }
    }
}

#[test]
fn the_documents_read_back_as_what_they_were_written_from() {
    let inventory = fixture("two-sites");
    let plan = plan(&inventory);
    let read = |path: &str| text(&inventory, &format!("federation/{path}"));
    let firewall: Firewall = serde_json::from_str(&read("firewall/matrix.json")).unwrap();
    assert_eq!(firewall, plan.handouts.firewall);
    let namespaces: Vec<Namespace> = serde_json::from_str(&read("namespaces.json")).unwrap();
    assert_eq!(namespaces, plan.services.namespaces);
    let scheduler: Scheduler = serde_json::from_str(&read("scheduler.json")).unwrap();
    assert_eq!(scheduler, plan.services.scheduler);
}

#[test]
fn each_name_of_users_urls_has_the_addresses_of_all_gateways() {
    let inventory = fixture("two-sites");
    let zone = |zone: &str| {
        let text = text(&inventory, &format!("federation/dns/{zone}.zone"));
        let records = text.lines().filter(|line| line.contains(" A"));
        records.map(str::to_owned).collect::<Vec<_>>()
    };
    let alpha = [
        "alpha-deployments IN A 198.51.100.13",
        "alpha-deployments IN AAAA 2001:db8::14",
        "*.alpha-deployments IN A 198.51.100.13",
        "*.alpha-deployments IN AAAA 2001:db8::14",
    ];
    let beta = [
        "beta-deployments IN A 203.0.113.41",
        "*.beta-deployments IN A 203.0.113.41",
    ];
    assert_eq!(zone("cloud.example.org"), alpha);
    assert_eq!(zone("imagine.example"), [&alpha[..], &beta].concat());
}

/// As PAPI reads it: each column but the first two becomes a number, and a list without rows or a
/// cell that is none stops it.
#[test]
fn the_list_of_datacenters_can_be_read_by_who_reads_it() {
    let inventory = fixture("two-sites");
    let csv = text(&inventory, "federation/papi/datacenters.csv");
    assert_eq!(
        csv,
        "name,country,lat,lon,PUE\nalpha-one,ES,43.47,-3.80,1.31\n"
    );
    for row in csv.lines().skip(1) {
        let cells: Vec<_> = row.split(',').collect();
        assert_eq!(cells.len(), 5, "{row}");
        assert!(cells[2..].iter().all(|cell| cell.parse::<f64>().is_ok()));
    }
    let unlisted = text(&inventory, "federation/papi/unlisted.json");
    let unlisted: serde_json::Value = serde_json::from_str(&unlisted).unwrap();
    let beta = serde_json::json!({
        "name": "beta-two",
        "lacks": "location.pue",
        "vos": ["vo.imagine.example", "vo.more.example"],
    });
    assert_eq!(unlisted["datacenters"], serde_json::json!([beta]));
    let without = texts(&samples());
    assert!(
        !without.keys().any(|path| path.ends_with("datacenters.csv")),
        "a list without rows"
    );
}

/// All files of a federation that are no host's, one after the other.
fn federation(fixture_name: &str) -> String {
    let texts = texts(&fixture(fixture_name)).into_iter();
    let federation = texts.filter(|(path, _)| path.starts_with("federation"));
    federation.fold(String::new(), |all, (path, text)| {
        all + &format!("──── {}\n{text}", path.display())
    })
}

#[test]
fn the_files_of_a_federation() {
    insta::assert_snapshot!("two_sites", federation("two-sites"));
    insta::assert_snapshot!("example", federation("../../../inventories/example"));
}
