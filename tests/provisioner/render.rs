//! What a rendering holds, and that real programs accept it.

mod accepted;
mod command;
mod folder;
mod handouts;
mod own;
mod property;
mod services;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use provisioner::inventory::{Gpus, Introduction, Inventory, Kind, Nvidia, Role};
use provisioner::plan::{Content, HostPlan, Plan, plan};
use provisioner::render::{Overrides, fill, render, tree};

use crate::golden::{name, samples};

pub(crate) use accepted::{hosts_are_accepted, program, run};

/// The samples, with everything that they lack: a second gateway, a host which is server and
/// client, addresses which differ inside and outside, a host without any Nomad agent.
pub(crate) fn varied() -> Inventory {
    let mut inventory = samples();
    let ifca = inventory.sites.get_mut(&name("ifca-ai4eosc")).unwrap();
    for (index, host) in ifca.hosts.values_mut().enumerate() {
        host.public_address = format!("2001:db8::{index}").parse().unwrap();
    }
    ifca.hosts
        .get_mut(&name("server-1"))
        .unwrap()
        .roles
        .insert(Role::Client);
    let demo = inventory.sites.get_mut(&name("demo-ai4eosc")).unwrap();
    let mut second = demo.hosts[&name("traefik")].clone();
    second.node = name("old-gateway");
    second.address = [10, 88, 0, 16].into();
    demo.hosts.insert(name("gateway-1"), second);
    let mut books = demo.hosts[&name("server-0")].clone();
    books.node = name("demo-ai4eosc-books");
    books.roles = [Role::Accounting].into();
    demo.hosts.insert(name("books"), books);
    let server = demo.hosts.get_mut(&name("server-0")).unwrap();
    server.kind = Kind::Batch;
    server.gpus = Some(Gpus {
        model: Some("NVIDIA A100-PCIE-40GB".to_owned()),
        count: Some(2),
    });
    server.vos.remove(&name("vo.imagine-ai.eu"));
    demo.site = Some(name("DEMO-SITE"));
    inventory.federation.nvidia = Some(Nvidia {
        driver: "550.163.01-1".to_owned(),
        toolkit: "1.17.8-1".to_owned(),
        plugin: name("1.1.0"),
    });
    inventory
}

fn tree_of(plan: Plan) -> BTreeMap<PathBuf, Arc<str>> {
    let rendered = render(&plan, &Overrides::default()).unwrap();
    tree(plan, rendered)
}

fn texts(inventory: &Inventory) -> BTreeMap<PathBuf, String> {
    tree_of(plan(inventory))
        .into_iter()
        .map(|(path, text)| (path, text.to_string()))
        .collect()
}

fn text(inventory: &Inventory, path: &str) -> String {
    texts(inventory)[&PathBuf::from(path)].clone()
}

/// The lines of a text which hold one of some words, without blanks at the ends.
fn lines_with(text: &str, words: &[&str]) -> String {
    let lines = text
        .lines()
        .filter(|line| words.iter().any(|word| line.contains(word)));
    lines.map(str::trim).collect::<Vec<_>>().join("\n")
}

fn host<'a>(plan: &'a Plan, node: &str) -> &'a HostPlan {
    &plan.hosts[&name(node)]
}

#[test]
fn the_same_inventory_gives_the_same_bytes() {
    let inventory = varied();
    let mut turned = inventory.clone();
    turned.sites = turned.sites.into_iter().rev().collect();
    for site in turned.sites.values_mut() {
        site.hosts = std::mem::take(&mut site.hosts).into_iter().rev().collect();
    }
    assert_eq!(texts(&inventory), texts(&inventory));
    assert_eq!(texts(&inventory), texts(&turned));
}

/// Beside the hosts that name it, a new host may only show in what lists it.
#[test]
fn a_new_worker_changes_no_other_host() {
    let before = samples();
    let mut after = before.clone();
    let demo = after.sites.get_mut(&name("demo-ai4eosc")).unwrap();
    let mut worker = demo.hosts[&name("server-0")].clone();
    worker.node = name("demo-ai4eosc-aaa");
    worker.roles = [Role::Client].into();
    worker.address = [10, 88, 0, 1].into();
    demo.hosts.insert(name("aaa"), worker);
    let before = texts(&before);
    let after = texts(&after);
    let changed: Vec<_> = before
        .iter()
        .filter(|(path, text)| after.get(*path) != Some(text))
        .map(|(path, _)| path.to_str().unwrap())
        .collect();
    // Firewalls name the addresses of all hosts.
    let listing = [
        "federation/firewall/matrix.json",
        "federation/firewall/sites/demo-ai4eosc.txt",
    ];
    assert_eq!(changed, listing);
}

#[test]
fn a_text_names_secrets_and_holds_none() {
    let plan = plan(&varied());
    let known: BTreeMap<_, _> = plan
        .secrets()
        .into_iter()
        .map(|secret| (secret.to_string(), secret))
        .collect();
    let used = RefCell::new(BTreeSet::new());
    for (path, text) in tree_of(plan) {
        let lookup = |name: &str| {
            used.borrow_mut().insert(name.to_owned());
            known.get(name).map(|_| String::new())
        };
        let rest = fill(&text, lookup).unwrap();
        assert!(!rest.contains("-----BEGIN"), "{}", path.display());
        let values: Vec<_> = rest
            .split_whitespace()
            .filter(|word| is_value(word))
            .collect();
        assert!(values.is_empty(), "{}: {values:?}", path.display());
    }
    let mut unused: BTreeSet<_> = known.keys().cloned().collect();
    unused.retain(|secret| !used.borrow().contains(secret));
    let by_api = [
        "consul/management-token",
        "datacenter/demo-ai4eosc/consul/traefik-token",
        "nomad/management-token",
    ];
    assert_eq!(
        unused.iter().map(String::as_str).collect::<Vec<_>>(),
        by_api
    );
}

/// Whether a word is a token or a gossip key, with or without its quotes.
fn is_value(word: &str) -> bool {
    let word = word.trim_matches(['"', ',', '\'']);
    let is_uuid = word.len() == 36 && word.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let is_key = word.len() == 44 && word.ends_with('=');
    is_uuid || is_key
}

#[test]
fn each_host_has_its_files_with_their_rights() {
    let plan = plan(&varied());
    let listed = |node: &str| {
        let files = host(&plan, node).files.iter().map(|file| {
            let access = file.access;
            format!(
                "{:<14} {:04o} {}:{:<6} {} ({})",
                file.wave, access.mode, access.owner, access.group, file.path, file.on_change
            )
        });
        files.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(listed("ifca-ai4eosc-server-0"), SERVER.trim());
    assert_eq!(listed("old-gateway"), GATEWAY.trim());
    assert!(
        !listed("demo-ai4eosc-books").contains("nomad"),
        "no agent, no files"
    );
    let both = listed("ifca-ai4eosc-server-1");
    assert!(both.contains("nomad servers  0600 root:root   /etc/nomad.d/certs/agent-key.pem"));
    assert!(both.contains("nomad servers  0640 root:root   /etc/nomad.d/client.hcl"));
}

const SERVER: &str = "
base           0644 root:root   /etc/systemd/journald.conf.d/10-atoll.conf (restarts systemd-journald)
consul servers 0640 root:consul /etc/consul.d/acl.hcl (restarts consul)
consul servers 0644 root:consul /etc/consul.d/certs/consul-agent-ca.pem (reloads consul)
consul servers 0640 root:consul /etc/consul.d/certs/server-key.pem (reloads consul)
consul servers 0640 root:consul /etc/consul.d/certs/server.pem (reloads consul)
consul servers 0640 root:consul /etc/consul.d/consul.hcl (restarts consul)
consul servers 0640 root:consul /etc/consul.d/server.hcl (restarts consul)
consul servers 0644 root:root   /etc/systemd/system/consul.service (restarts consul)
nomad servers  0640 root:nomad  /etc/nomad.d/certs/agent-key.pem (reloads nomad)
nomad servers  0640 root:nomad  /etc/nomad.d/certs/agent.pem (reloads nomad)
nomad servers  0640 root:nomad  /etc/nomad.d/certs/nomad-ca.pem (reloads nomad)
nomad servers  0640 root:nomad  /etc/nomad.d/nomad.hcl (restarts nomad)
nomad servers  0640 root:nomad  /etc/nomad.d/server.hcl (restarts nomad)
nomad servers  0644 root:root   /etc/systemd/system/nomad.service (restarts nomad)
services       0640 root:atoll-accounting /etc/atoll-accounting/accounting.toml (restarts atoll-accounting)
services       0640 root:atoll-accounting /etc/atoll-accounting/certs/atoll-ca.pem (reloads atoll-accounting)
services       0640 root:atoll-accounting /etc/atoll-accounting/certs/server-key.pem (reloads atoll-accounting)
services       0640 root:atoll-accounting /etc/atoll-accounting/certs/server.pem (reloads atoll-accounting)
services       0644 root:root   /etc/systemd/system/atoll-accounting.service (restarts atoll-accounting)
";

const GATEWAY: &str = "
base           0644 root:root   /etc/apt/preferences.d/10-atoll.pref (no effect on services)
base           0644 root:root   /etc/docker/daemon.json (restarts docker)
base           0644 root:root   /etc/modules-load.d/nomad.conf (restarts systemd-modules-load)
base           0644 root:root   /etc/sysctl.d/98-nomad.conf (restarts systemd-sysctl)
base           0644 root:root   /etc/sysctl.d/99-nomad-cni.conf (restarts systemd-sysctl)
base           0644 root:root   /etc/systemd/journald.conf.d/10-atoll.conf (restarts systemd-journald)
consul clients 0640 root:consul /etc/consul.d/acl.hcl (restarts consul)
consul clients 0644 root:consul /etc/consul.d/certs/consul-agent-ca.pem (reloads consul)
consul clients 0640 root:consul /etc/consul.d/client.hcl (restarts consul)
consul clients 0640 root:consul /etc/consul.d/consul.hcl (restarts consul)
consul clients 0644 root:root   /etc/systemd/system/consul.service (restarts consul)
nomad clients  0600 root:root   /etc/nomad.d/certs/agent-key.pem (reloads nomad)
nomad clients  0640 root:root   /etc/nomad.d/certs/agent.pem (reloads nomad)
nomad clients  0640 root:root   /etc/nomad.d/certs/nomad-ca.pem (reloads nomad)
nomad clients  0640 root:root   /etc/nomad.d/client.hcl (restarts nomad)
nomad clients  0640 root:root   /etc/nomad.d/nomad.hcl (restarts nomad)
nomad clients  0644 root:root   /etc/systemd/system/nomad.service (restarts nomad)
services       0640 root:atoll-agent /etc/atoll-agent/agent.toml (restarts atoll-agent)
services       0640 root:atoll-agent /etc/atoll-agent/certs/agent.pem (restarts atoll-agent)
services       0640 root:atoll-agent /etc/atoll-agent/certs/atoll-ca.pem (restarts atoll-agent)
services       0640 root:atoll-agent /etc/atoll-agent/certs/nomad-ca.pem (restarts atoll-agent)
services       0640 root:atoll-agent /etc/atoll-agent/certs/nomad.pem (restarts atoll-agent)
services       0600 root:root   /etc/atoll-agent/credentials/agent-key.pem (restarts atoll-agent)
services       0600 root:root   /etc/atoll-agent/credentials/consul-token (restarts atoll-agent)
services       0600 root:root   /etc/atoll-agent/credentials/nomad-key.pem (restarts atoll-agent)
services       0600 root:root   /etc/atoll-agent/credentials/nomad-token (restarts atoll-agent)
services       0644 root:root   /etc/systemd/system/atoll-agent.service (restarts atoll-agent)
";

#[test]
fn each_host_has_what_its_files_need() {
    let plan = plan(&varied());
    let listed = |node: &str| {
        let host = host(&plan, node);
        let accounts = host.accounts.iter().map(|account| account.name.to_owned());
        let directories = host.directories.iter().map(|directory| {
            let access = directory.access;
            format!(
                "{}={:04o}:{}:{}",
                directory.path, access.mode, access.owner, access.group
            )
        });
        let programs = host
            .programs
            .iter()
            .map(|p| format!("{}-{}", p.product, p.version));
        let packages = host
            .packages
            .iter()
            .map(|p| format!("{}/{}={}", p.set, p.name, p.version));
        let units = host
            .units
            .iter()
            .map(|unit| format!("{}@{}", unit.service.name(), unit.wave));
        let all = accounts
            .chain(directories)
            .chain(programs)
            .chain(packages)
            .chain(units);
        all.chain(host.images.iter().cloned())
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(
        listed("ifca-ai4eosc-server-0"),
        "consul\nnomad\natoll-accounting\n/etc/systemd/journald.conf.d=0755:root:root\n/etc/consul.d=0750:root:consul\n/etc/consul.d/certs=0750:root:consul\n\
         /opt/consul=0700:consul:consul\n/etc/nomad.d=0750:root:nomad\n\
         /etc/nomad.d/certs=0750:root:nomad\n/opt/nomad=0700:nomad:nomad\n\
         /etc/atoll-accounting=0750:root:atoll-accounting\n\
         /etc/atoll-accounting/certs=0750:root:atoll-accounting\nconsul-1.22.3\n\
         nomad-1.11.3\natoll-accounting-0.1.0\nconsul@consul servers\nnomad@nomad servers\n\
         atoll-accounting@services"
    );
    assert_eq!(
        listed("old-gateway"),
        "consul\natoll-agent\n/etc/systemd/journald.conf.d=0755:root:root\n/etc/docker=0755:root:root\n/etc/consul.d=0750:root:consul\n\
         /etc/consul.d/certs=0750:root:consul\n/opt/consul=0700:consul:consul\n\
         /etc/nomad.d=0750:root:root\n/etc/nomad.d/certs=0750:root:root\n/opt/nomad=0700:root:root\n\
         /opt/nomad/client=0700:root:root\n/opt/nomad/plugins=0755:root:root\n\
         /etc/atoll-agent=0750:root:atoll-agent\n/etc/atoll-agent/certs=0750:root:atoll-agent\n\
         /etc/atoll-agent/credentials=0700:root:root\nconsul-1.22.3\n\
         nomad-1.11.3\natoll-agent-0.1.0\ndocker/docker.io=20.10.24+dfsg1-1+deb12u1+b6\ndocker@base\n\
         consul@consul clients\nnomad@nomad clients\natoll-agent@services\natoll/probe:1.35\ntraefik:v3.7.15"
    );
}

/// Folders that every host has.
const OF_THE_SYSTEM: [&str; 4] = [
    "/etc/modules-load.d",
    "/etc/apt/preferences.d",
    "/etc/sysctl.d",
    "/etc/systemd/system",
];

#[test]
fn a_directory_stands_after_the_one_that_holds_it() {
    for host in plan(&varied()).hosts.values() {
        let paths: Vec<_> = host
            .directories
            .iter()
            .map(|directory| directory.path)
            .collect();
        for (index, path) in paths.iter().enumerate() {
            let later = &paths[index..];
            assert!(
                !later
                    .iter()
                    .any(|other| path.starts_with(&format!("{other}/"))),
                "{paths:?}"
            );
        }
        for file in &host.files {
            let folder = file.path.rsplit_once('/').unwrap().0;
            assert!(
                paths.contains(&folder) || OF_THE_SYSTEM.contains(&folder),
                "{}",
                file.path
            );
        }
    }
}

#[test]
fn certificates_say_what_the_products_insist_on() {
    let plan = plan(&varied());
    let leaf = |node: &str, file: &str| {
        let files = &host(&plan, node).files;
        let found = files
            .iter()
            .find(|planned| planned.path.ends_with(file))
            .unwrap();
        let (Content::Certificate(leaf) | Content::PrivateKey(leaf)) = &found.content else {
            panic!("{file} is no certificate");
        };
        let addresses: Vec<_> = leaf.addresses.iter().map(ToString::to_string).collect();
        format!(
            "{:?} {} | {}",
            leaf.authority,
            leaf.dns_names.join(" "),
            addresses.join(" ")
        )
    };
    let cases = [
        (
            "ifca-ai4eosc-server-0",
            "consul.d/certs/server.pem",
            "Consul server.ifca-ai4eosc.consul ifca-ai4eosc-server-0.server.ifca-ai4eosc.consul localhost | 127.0.0.1 10.88.0.11 2001:db8::",
        ),
        (
            "demo-ai4eosc-server-0",
            "consul.d/certs/server-key.pem",
            "Consul server.demo-ai4eosc.consul demo-ai4eosc-server-0.server.demo-ai4eosc.consul localhost | 127.0.0.1 10.88.0.14",
        ),
        (
            "ifca-ai4eosc-server-0",
            "nomad.d/certs/agent.pem",
            "Nomad server.ai4os.nomad localhost ifca-ai4eosc-server-0 | 127.0.0.1 10.88.0.11 2001:db8::",
        ),
        (
            "ifca-ai4eosc-server-1",
            "nomad.d/certs/agent.pem",
            "Nomad server.ai4os.nomad client.ai4os.nomad localhost ifca-ai4eosc-server-1 | 127.0.0.1 10.88.0.12 2001:db8::1",
        ),
        (
            "demo-ai4eosc-server-0",
            "nomad.d/certs/agent-key.pem",
            "Nomad client.ai4os.nomad localhost demo-ai4eosc-server-0 | 127.0.0.1 10.88.0.14",
        ),
    ];
    for (node, file, expected) in cases {
        assert_eq!(leaf(node, file), expected, "{node}: {file}");
    }
}

#[test]
fn addresses_are_those_by_which_the_other_side_reaches_the_host() {
    let inventory = varied();
    let cases = [
        (
            "ifca-ai4eosc-server-0/etc/consul.d/consul.hcl",
            &["_addr", "retry_join"][..],
            "bind_addr      = \"10.88.0.11\"\nadvertise_addr = \"10.88.0.11\"\n\
             client_addr    = \"127.0.0.1\"\n\
             retry_join     = [\"10.88.0.11\", \"10.88.0.12\", \"10.88.0.13\"]",
        ),
        (
            "ifca-ai4eosc-server-0/etc/consul.d/server.hcl",
            &["_wan"],
            "advertise_addr_wan = \"2001:db8::\"\nretry_join_wan     = \
             [\"10.88.0.14\", \"2001:db8::\", \"2001:db8::1\", \"2001:db8::2\"]",
        ),
        (
            "ifca-ai4eosc-server-1/etc/nomad.d/nomad.hcl",
            &["bind_addr", "http ", "rpc ", "serf "],
            "bind_addr  = \"::\"\nhttp = \"[2001:db8::1]:4646\"\nrpc  = \"[2001:db8::1]:4647\"\n\
             serf = \"[2001:db8::1]:4648\"\nhttp                   = true\n\
             rpc                    = true",
        ),
        (
            "old-gateway/etc/nomad.d/nomad.hcl",
            &["464"],
            "http = \"10.88.0.16:4646\"\nrpc  = \"10.88.0.16:4647\"",
        ),
        (
            "old-gateway/etc/nomad.d/client.hcl",
            &["retry_join"],
            "retry_join = [\"2001:db8::\", \"2001:db8::1\", \"2001:db8::2\"]",
        ),
    ];
    for (path, words, expected) in cases {
        assert_eq!(
            lines_with(&text(&inventory, path), words),
            expected,
            "{path}"
        );
    }
}

#[test]
fn metadata_says_what_jobs_ask_for() {
    let inventory = varied();
    let meta = |node: &str| {
        let text = text(&inventory, &format!("{node}/etc/nomad.d/client.hcl"));
        let (_, meta) = text.split_once("meta {").unwrap();
        let values = meta
            .split_once('}')
            .unwrap()
            .0
            .lines()
            .filter_map(|line| line.split_once('='));
        values
            .map(|(_, value)| value.trim().trim_matches('"').to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        meta("demo-ai4eosc-server-0"),
        "ai4eosc,tutorials batch false gpu demo test"
    );
    assert_eq!(
        meta("old-gateway"),
        "ai4eosc,imagine,tutorials traefik false cpu demo test"
    );
    assert_eq!(
        meta("ifca-ai4eosc-server-1"),
        "ai4eosc,imagine,tutorials compute true cpu ifca test"
    );
}

#[test]
fn a_version_gets_only_words_it_knows() {
    let server = "ifca-ai4eosc-server-0/etc/nomad.d/server.hcl";
    let docker = "old-gateway/etc/docker/daemon.json";
    let mut inventory = varied();
    for (version, introduction, expected) in [
        ("1.11.3", Introduction::Strict, "enforcement = \"strict\""),
        ("1.11.0", Introduction::Warn, "enforcement = \"warn\""),
        ("2.0.0", Introduction::Strict, "enforcement = \"strict\""),
        ("1.10.5", Introduction::Strict, ""),
        ("1.9.10", Introduction::Warn, ""),
    ] {
        for site in inventory.sites.values_mut() {
            site.versions.nomad = name(version);
        }
        inventory.federation.introduction = introduction;
        let told = lines_with(
            &text(&inventory, server),
            &["enforcement", "client_introduction"],
        );
        let told = told.lines().last().unwrap_or_default().to_owned();
        assert_eq!(told, expected, "{version}");
    }
    assert_eq!(lines_with(&text(&inventory, docker), &["snapshotter"]), "");
    inventory.federation.docker.version = "5:28.5.1-1~debian.12~bookworm".to_owned();
    let told = lines_with(&text(&inventory, docker), &["snapshotter"]);
    assert_eq!(told, r#""features": { "containerd-snapshotter": false },"#);
    let daemon: serde_json::Value = serde_json::from_str(&text(&inventory, docker)).unwrap();
    assert_eq!(daemon["log-driver"], "json-file");
}
