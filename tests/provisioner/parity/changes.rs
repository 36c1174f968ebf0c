//! What an apply would change on hosts, in which order, and what that costs: without a host.

use provisioner::apply::{Change, Facts, Manifest, What, changes, manifest_after};
use provisioner::plan::{OnChange, Service, Wave};

use super::World;
use super::host::{Host, calls};
use crate::golden::name;

const WORKER: &str = "example-one-wn-1";
const SERVER: &str = "example-one-server-0";
const CLIENT_FILE: &str = "/etc/nomad.d/client.hcl";

fn whats(changes: &[Change]) -> Vec<String> {
    changes
        .iter()
        .map(|change| change.what.to_string())
        .collect()
}

#[test]
fn a_converged_host_has_no_change() {
    let world = World::example();
    for node in world.plan.hosts.keys() {
        let host = Host::of(&world, node.as_str());
        assert_eq!(
            whats(&host.changes(&host.converged())),
            Vec::<String>::new(),
            "{node}"
        );
    }
}

#[test]
fn an_edit_by_hand_is_undone_whatever_its_file() {
    let world = World::example();
    for node in [WORKER, SERVER] {
        let host = Host::of(&world, node);
        for path in host.texts() {
            let mut facts = host.converged();
            facts.digests.insert(path.clone(), "edited".to_owned());
            let expected = [format!("replace {path}")];
            assert_eq!(whats(&host.changes(&facts)), expected, "{node}");
        }
    }
}

#[test]
fn a_key_that_others_can_read_is_closed_again() {
    let world = World::example();
    let host = Host::of(&world, SERVER);
    let key = "/etc/consul.d/certs/server-key.pem";
    let mut facts = host.converged();
    facts.paths.get_mut(key).unwrap().mode = 0o644;
    assert_eq!(
        whats(&host.changes(&facts)),
        [format!("set owner and mode of {key}")]
    );
}

#[test]
fn a_file_that_is_no_longer_wanted_goes_away() {
    let world = World::example();
    let host = Host::of(&world, WORKER);
    let mut facts = host.converged();
    let old = "/etc/nomad.d/server.hcl";
    facts
        .manifest
        .files
        .insert(old.to_owned(), "old".to_owned());
    let changes = host.changes(&facts);
    assert_eq!(whats(&changes), [format!("remove {old}")]);
    assert_eq!(changes[0].effect, OnChange::Restart(Service::Nomad));
}

#[test]
fn a_new_certificate_is_a_reload_and_a_new_configuration_a_restart() {
    let world = World::example();
    let host = Host::of(&world, SERVER);
    let mut facts = host.converged();
    facts.certificates.remove("/etc/consul.d/certs/server.pem");
    let effects: Vec<_> = host
        .changes(&facts)
        .iter()
        .map(|change| change.effect)
        .collect();
    assert_eq!(effects, [OnChange::Reload(Service::Consul); 2]);
    let told = host.calls_for(&facts);
    assert!(told.contains(&"serve reload consul".to_owned()), "{told:?}");
    assert!(
        !told.iter().any(|call| call.contains("restart")),
        "{told:?}"
    );

    let mut facts = host.converged();
    facts
        .digests
        .insert("/etc/nomad.d/server.hcl".to_owned(), "x".to_owned());
    let told = host.calls_for(&facts);
    assert!(told.contains(&"serve restart nomad".to_owned()), "{told:?}");
    assert!(!told.iter().any(|call| call.contains("consul")), "{told:?}");
}

/// systemd reads its units anew only for a unit that has changed.
#[test]
fn units_are_read_anew_only_when_one_has_changed() {
    let world = World::example();
    let host = Host::of(&world, WORKER);
    for (path, expected) in [
        (CLIENT_FILE, None),
        (
            "/etc/systemd/system/nomad.service",
            Some("reload_units nomad.service"),
        ),
    ] {
        let mut facts = host.converged();
        facts.digests.insert(path.to_owned(), "x".to_owned());
        let told = host.calls_for(&facts);
        let reload = told.iter().find(|call| call.starts_with("reload_units"));
        assert_eq!(reload.map(String::as_str), expected, "{path}");
    }
}

/// Only a service that does not run is started: what runs is told of changes and of nothing else.
#[test]
fn what_runs_is_not_started_again() {
    let world = World::example();
    let host = Host::of(&world, WORKER);
    let mut facts = host.converged();
    facts.services.get_mut("nomad").unwrap().active = false;
    let changes = host.changes(&facts);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].what, What::Start(Service::Nomad));
}

#[test]
fn a_bare_host_has_each_service_enabled_and_started_once() {
    let world = World::example();
    for (node, services) in [
        (WORKER, vec!["atoll-agent", "consul", "docker", "nomad"]),
        (SERVER, vec!["atoll-accounting", "consul", "nomad"]),
    ] {
        let told = Host::of(&world, node).calls_for(&Facts::default());
        for verb in ["enable", "start"] {
            let mut found: Vec<_> = told
                .iter()
                .filter_map(|call| call.strip_prefix(&format!("{verb} ")))
                .collect();
            found.sort_unstable();
            assert_eq!(found, services, "{node}: {verb}");
        }
    }
}

/// Consul before Nomad, servers before clients, and what is reached by API last.
#[test]
fn one_run_does_everything_in_the_order_in_which_it_is_needed() {
    let order: Vec<_> = Wave::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(
        order,
        [
            "base",
            "consul servers",
            "consul clients",
            "nomad servers",
            "nomad clients",
            "services"
        ]
    );
    let world = World::example();
    let products = [
        "docker",
        "consul",
        "nomad",
        "atoll-agent",
        "atoll-accounting",
    ];
    let waves = |node: &str| {
        let batches = Host::of(&world, node).batches(&Facts::default());
        let started = batches.iter().map(|batch| {
            let names = batch.restarts.iter().map(|service| service.name());
            let names: Vec<_> = names.filter(|name| products.contains(name)).collect();
            format!("{}: {}", batch.wave, names.join(" "))
        });
        started.collect::<Vec<_>>()
    };
    assert_eq!(
        waves(WORKER),
        [
            "base: docker",
            "consul clients: consul",
            "nomad clients: nomad",
            "services: atoll-agent"
        ]
    );
    assert_eq!(
        waves(SERVER),
        [
            "base: ",
            "consul servers: consul",
            "nomad servers: nomad",
            "services: atoll-accounting"
        ]
    );
}

/// Within a wave a product first judges its new files; then it is the wave's turn, they are swapped,
/// and it restarts.
#[test]
fn files_are_judged_before_they_are_swapped_and_read_after() {
    let world = World::example();
    let host = Host::of(&world, WORKER);
    let mut facts = host.converged();
    for path in [CLIENT_FILE, "/etc/consul.d/client.hcl"] {
        facts.digests.insert(path.to_owned(), "x".to_owned());
    }
    for (wave, product) in [
        (Wave::ConsulClients, "consul"),
        (Wave::NomadClients, "nomad"),
    ] {
        let batches = host.batches(&facts);
        let batch = batches.iter().find(|batch| batch.wave == wave).unwrap();
        let told = calls(&batch.script);
        let place = |start: &str| {
            told.iter()
                .position(|call| call.starts_with(start))
                .unwrap()
        };
        assert!(
            place("files ") < place(&format!("validate_{product} ")),
            "{told:?}"
        );
        assert!(
            place(&format!("validate_{product} ")) < place("go"),
            "{told:?}"
        );
        assert!(place("go") < place("place"), "{told:?}");
        assert!(
            place("place") < place(&format!("serve restart {product}")),
            "{told:?}"
        );
        assert!(
            place(&format!("serve restart {product}")) < place("confirm"),
            "{told:?}"
        );
    }
}

#[test]
fn a_new_version_of_one_product_touches_that_product_alone() {
    let file = "federation.yaml";
    let old = World::example();
    for (product, service, from, to) in [
        ("consul", Service::Consul, "1.22.3", "1.22.4"),
        ("nomad", Service::Nomad, "1.11.3", "1.11.4"),
    ] {
        let host = Host::of(&old, SERVER);
        let converged = host.converged();
        let (from, wanted) = (format!("{product}: {from}"), format!("{product}: {to}"));
        let world = World::of(&super::example(&[(file, &from, &wanted)]));
        let changes = host.after(&world).changes(&converged);
        assert_eq!(
            whats(&changes),
            [
                format!("install {product} {to}"),
                format!("switch {product} to {to}")
            ]
        );
        assert_eq!(changes[1].effect, OnChange::Restart(service));
    }
}

/// What a kept wave has put in place is written down, with the run that did it.
#[test]
fn a_host_knows_which_run_put_which_files_there() {
    let world = World::example();
    let host = Host::of(&world, WORKER);
    let wanted = host.wanted(&Facts::default());
    let changes = host.changes(&Facts::default());
    let manifest = manifest_after(
        &Manifest::default(),
        "20260301T120000Z",
        Wave::NomadClients,
        &changes,
        &wanted,
        &std::collections::BTreeMap::new(),
    );
    assert_eq!(manifest.run, "20260301T120000Z");
    assert!(
        manifest.files.contains_key(CLIENT_FILE),
        "{:?}",
        manifest.files
    );
}

/// A host of a joining site is brought up by the same run and in the same waves.
#[test]
fn a_joining_site_comes_up_in_the_same_run() {
    let world = World::samples();
    let node = "demo-ai4eosc-server-0";
    let told = Host::of(&world, node).calls_for(&Facts::default());
    for expected in [
        "start consul",
        "start nomad",
        "link consul 1.22.3",
        "link nomad 1.11.3",
    ] {
        assert!(told.contains(&expected.to_owned()), "{expected}: {told:?}");
    }
    let site = &world.plan.hosts[&name(node)].datacenter;
    assert_ne!(site, &world.plan.primary);
}

/// The example's host with other versions of what it runs: links as an earlier run has left them.
fn with(host: &Host, versions: &[(&str, &str)]) -> Facts {
    let mut facts = host.converged();
    for (product, version) in versions {
        if let Some(link) = facts.paths.get_mut(&format!("/usr/local/bin/{product}")) {
            link.target = Some(format!("/opt/atoll/{product}/{version}/{product}"));
        } else {
            let (name, version) = ((*product).to_owned(), (*version).to_owned());
            facts.packages.insert(name, version);
        }
    }
    facts
}

/// A host that may not take the step has no change at all, and so no script; the way is told.
#[test]
fn a_version_that_may_not_follow_is_refused_before_anything_is_written() {
    let world = World::example();
    let host = Host::of(&world, WORKER);
    let refused = |versions: &[(&str, &str)]| {
        let facts = with(&host, versions);
        let told = changes(&host.wanted(&facts), &facts);
        told.err().map(|refused| refused.to_string())
    };
    let no_way = "Nomad 2.0.4 cannot become 1.11.3: the other servers refuse an older one, and it \
                  does not read their state; stay, or restore a snapshot into new servers";
    let far = "Consul 1.18.2 cannot become 1.22.3: a step climbs two lines at most; go to the newest \
               1.20 first, one run for each step of 1.18.2 → newest 1.20 → 1.22.3";
    assert_eq!(refused(&[("nomad", "2.0.4")]).as_deref(), Some(no_way));
    assert_eq!(refused(&[("consul", "1.18.2")]).as_deref(), Some(far));
    assert_eq!(
        refused(&[("nomad", "2.0.4"), ("consul", "1.18.2")]),
        Some(format!("{far}; {no_way}")),
        "all at once"
    );
    let docker = refused(&[("docker.io", "29.0.1+dfsg1-1")]).unwrap();
    assert!(
        docker.starts_with("Docker 29.0.1 cannot become 20.10.24: "),
        "{docker}"
    );
}

#[test]
fn a_version_that_may_follow_is_installed() {
    let world = World::example();
    let host = Host::of(&world, WORKER);
    for versions in [
        [("nomad", "1.10.5"), ("consul", "1.21.5")],
        [("nomad", "1.11.2"), ("consul", "1.22.5")],
    ] {
        let told = whats(&host.changes(&with(&host, &versions)));
        for expected in ["switch consul to 1.22.3", "switch nomad to 1.11.3"] {
            assert!(told.iter().any(|it| it == expected), "{told:?}");
        }
    }
    // What others have put there tells no version.
    let mut facts = host.converged();
    let link = facts.paths.get_mut("/usr/local/bin/nomad").unwrap();
    link.target = Some("/opt/vendor/nomad-9.9.9".to_owned());
    assert!(whats(&host.changes(&facts)).contains(&"switch nomad to 1.11.3".to_owned()));
}
