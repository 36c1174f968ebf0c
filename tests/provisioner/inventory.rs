//! Inventories as operators write them: what loads, and what each mistake answers.

mod broken;
mod folder;
mod fuzz;
mod init;
mod limits;
mod rules;
mod schema;
mod values;
mod yaml;

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use federation::names::NodeName;
use provisioner::inventory::{
    Certificates, DockerSource, Draft, Introduction, Inventory, InventoryError, Kind, NEVER_WAIVED,
    NodeType, Problem, Role, State, WAIVABLE, load,
};
use tempfile::TempDir;

const FEDERATION: &str = "federation.yaml";
const ONE: &str = "sites/one.yaml";
const TWO: &str = "sites/two.yaml";

/// A sound inventory, which each test damages in its own way.
const SOUND: [(&str, &str); 3] = [
    (
        FEDERATION,
        r#"federation: example
primary: one
versions: { consul: 1.22.3, nomad: 1.11.3, traefik: 3.7.15 }
docker: { source: distribution, version: 20.10.24+dfsg1-1 }
verify: { image: "atoll/probe:1.35" }
vos:
  vo.example.org: { namespace: example, domain: deployments.example.org }
  vo.imagine.example: { namespace: imagine, domain: deployments.imagine.example }
"#,
    ),
    (
        ONE,
        "datacenter: one
domain: one
ssh: { user: debian }
vos: [vo.example.org, vo.imagine.example]
hosts:
  server-0: { roles: [server], address: 192.0.2.11 }
  gateway-0: { roles: [gateway], address: 192.0.2.12 }
  wn-0: { roles: [client], address: 192.0.2.13 }
",
    ),
    (
        TWO,
        "site: EXAMPLE-TWO
datacenter: two
domain: two
ssh: { user: debian, port: 2222 }
vos: [vo.example.org]
hosts:
  server-0: { roles: [consul-server], address: 192.0.2.21 }
",
    ),
];

/// An edit of the sound inventory: in a file, replace a text by another.
type Edit<'a> = (&'a str, &'a str, &'a str);

fn folder(edits: &[Edit]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sites")).unwrap();
    for (file, text) in SOUND {
        let mut text = text.to_owned();
        for (_, from, to) in edits.iter().filter(|(edited, ..)| *edited == file) {
            assert_eq!(
                text.matches(from).count(),
                1,
                "`{from}` must be in {file} once"
            );
            text = text.replace(from, to);
        }
        fs::write(folder.path().join(file), text).unwrap();
    }
    folder
}

/// The sound inventory as it would be before it is written.
fn drafts() -> Vec<Draft> {
    let draft = |(file, text): &(&str, &str)| Draft {
        file: PathBuf::from(file),
        text: (*text).to_owned(),
    };
    SOUND.iter().map(draft).collect()
}

fn problems_in(folder: &Path) -> Vec<Problem> {
    match load(folder) {
        Ok(loaded) => loaded.warnings,
        Err(InventoryError::Invalid { problems }) => problems,
        Err(error) => panic!("{error}"),
    }
}

/// What an edited inventory answers, line by line.
fn answer(edits: &[Edit]) -> Vec<String> {
    let folder = folder(edits);
    problems_in(folder.path())
        .iter()
        .map(Problem::to_string)
        .collect()
}

/// What an inventory answers in which one file was replaced.
fn answer_to(file: &str, content: impl AsRef<[u8]>) -> Vec<String> {
    let folder = folder(&[]);
    fs::write(folder.path().join(file), content).unwrap();
    problems_in(folder.path())
        .iter()
        .map(Problem::to_string)
        .collect()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sound(folder: &Path) -> Inventory {
    let loaded = load(folder).unwrap();
    assert_eq!(loaded.warnings, []);
    loaded.inventory
}

#[test]
fn the_example_loads_without_a_warning() {
    let inventory = sound(&repository().join("inventories/example"));
    assert_eq!(inventory.federation.name.as_str(), "example");
    assert_eq!(inventory.federation.introduction, Introduction::Strict);
    assert_eq!(
        inventory.federation.docker.source,
        DockerSource::Distribution
    );
    let hosts = inventory.hosts();
    let names: Vec<_> = hosts.keys().map(|node| node.as_str()).collect();
    let expected = [
        "example-one-gateway-0",
        "example-one-server-0",
        "example-one-wn-0",
        "example-one-wn-1",
        "example-two-batch-0",
        "example-two-gateway-0",
        "example-two-server-0",
        "example-two-wn-0",
    ];
    assert_eq!(names, expected);
    let (one, two): (Vec<_>, Vec<_>) =
        (hosts.values()).partition(|(site, _)| inventory.is_primary(site));
    assert_eq!((one.len(), two.len()), (4, 4));
    for (site, host) in one {
        assert_eq!(host.address, host.public_address);
        assert_eq!(host.vos, site.vos);
        assert_eq!((host.kind, site.ssh.port), (Kind::Compute, 22));
    }
    for (site, host) in two {
        assert_ne!(host.address, host.public_address);
        assert!(site.networks.iter().any(|net| net.contains(&host.address)));
        assert_eq!((site.ssh.port, host.gpus.is_some()), (2222, false));
        assert_ne!(site.versions, inventory.federation.versions);
    }
}

#[test]
fn the_samples_load_and_are_in_one_private_network() {
    let loaded = load(&repository().join("tests/fixtures/inventories/samples")).unwrap();
    let is_private = |problem: &Problem| {
        problem
            .what
            .ends_with("other sites or users dial this host")
    };
    assert!(loaded.warnings.iter().all(is_private));
    assert_eq!(loaded.warnings.len(), 5);
    let inventory = loaded.inventory;
    let hosts = inventory.hosts();
    let roles: Vec<_> = hosts
        .iter()
        .map(|(node, (site, host))| {
            let roles: Vec<_> = host.roles.iter().copied().collect();
            (
                node.as_str(),
                host.address.to_string(),
                site.domain.as_str(),
                roles,
            )
        })
        .collect();
    let both = vec![Role::ConsulServer, Role::NomadServer];
    let server = |node, address: &str| (node, address.to_owned(), "ifca", both.clone());
    let demo = |node, address: &str, roles| (node, address.to_owned(), "demo", roles);
    assert_eq!(
        roles,
        [
            demo(
                "demo-ai4eosc-server-0",
                "10.88.0.14",
                vec![Role::ConsulServer, Role::Client]
            ),
            demo("demo-ai4eosc-traefik", "10.88.0.15", vec![Role::Gateway]),
            (
                "ifca-ai4eosc-server-0",
                "10.88.0.11".to_owned(),
                "ifca",
                vec![Role::ConsulServer, Role::NomadServer, Role::Accounting]
            ),
            server("ifca-ai4eosc-server-1", "10.88.0.12"),
            server("ifca-ai4eosc-server-2", "10.88.0.13"),
        ]
    );
    for site in inventory.sites.values() {
        let namespaces = inventory.namespaces(&site.vos);
        let names: Vec<_> = namespaces.keys().map(|name| name.as_str()).collect();
        assert_eq!(names, ["ai4eosc", "imagine", "tutorials"]);
    }
}

#[test]
fn what_a_file_says_is_what_the_inventory_holds() {
    let folder = folder(&[
        (FEDERATION, "verify:", "introduction: warn\nverify:"),
        (FEDERATION, "source: distribution", "source: 'vendor'"),
        (
            ONE,
            "[client], address: 192.0.2.13",
            "&roles [client], address: 192.0.2.13, kind: tryme, vos: [vo.example.org], name: old-worker, public_address: \"2001:db8::13\"",
        ),
        (TWO, "[consul-server]", "[consul-server, accounting]"),
    ]);
    let inventory = sound(folder.path());
    assert_eq!(inventory.federation.introduction, Introduction::Warn);
    assert_eq!(inventory.federation.docker.source, DockerSource::Vendor);
    assert_eq!(inventory.federation.docker.version, "20.10.24+dfsg1-1");
    assert_eq!(inventory.federation.probe_image, "atoll/probe:1.35");
    let hosts = inventory.hosts();
    let (site, host) = hosts[&node("old-worker")];
    assert_eq!((site.vos.len(), host.vos.len()), (2, 1));
    assert_eq!(host.kind, Kind::TryMe);
    assert_eq!(host.public_address.to_string(), "2001:db8::13");
    let (site, host) = hosts[&node("two-server-0")];
    assert_eq!(site.site.as_ref().unwrap().as_str(), "EXAMPLE-TWO");
    assert_eq!(site.ssh.port, 2222);
    assert!(host.has(Role::Accounting) && !host.has(Role::NomadServer));
}

/// Every key that may be added to the sound inventory.
const ADDED: &[Edit] = &[
        (
            FEDERATION,
            "verify:",
            "external: { consul_servers: [203.0.113.5] }
clients: { reserved_memory_mib: 0, raw_exec: [batch] }
access: { api: [203.0.113.16/28] }
image_cleanup: { image: \"docuum:0.25\", threshold: \"60%\" }
tryme: { images: [\"ui:1.0\", \"registry.example.org/plants:2\"], keep_free_percent: 30 }
extra_hcl:
  nomad: |
    log_level = \"DEBUG\"
extra_yaml: { docker: { max-concurrent-downloads: 6, debug: true, dns: [\"1\"] } }
verify:",
        ),
        (
            ONE,
            "ssh: { user: debian }",
            "ssh: { user: debian, jump: [ops@bastion.example.org:2222, 192.0.2.1] }
state: ready
location: { country: IE, latitude: 52.25, longitude: -7.11, pue: { value: 1.4, source: report, date: 2026-03-01 } }
networks: [192.0.2.0/24]
versions: { nomad: 1.10.5 }
docker: { mirrors: [https://mirror.example.org:5000/], address_pools: [{ base: 172.30.0.0/16, size: 24 }] }
certificates: { source: acme, email: ops@site.example.org, dns_provider: rfc2136 }
ntp: [ntp.example.org]
tryme: { images: [\"ui:1.1\"] }
waive: [{ check: volume-device, reason: \"a container\" }]",
        ),
        (
            ONE,
            "192.0.2.13 }",
            "192.0.2.13, volume: vdb, ssh: { address: 203.0.113.7, port: 2200, user: ubuntu } }",
        ),
];

#[test]
fn what_the_federation_may_add_is_what_the_inventory_holds() {
    let folder = folder(ADDED);
    let inventory = sound(folder.path());
    let federation = &inventory.federation;
    assert_eq!(
        federation.external.consul_servers,
        [address("203.0.113.5")].into()
    );
    assert_eq!(federation.clients.reserved_memory_mib, 0);
    assert_eq!(federation.clients.raw_exec, [NodeType::Batch].into());
    assert_eq!(federation.access.api[0].to_string(), "203.0.113.16/28");
    assert_eq!(federation.image_cleanup.as_ref().unwrap().threshold, "60%");
    assert_eq!(
        federation.tryme.images,
        ["ui:1.0", "registry.example.org/plants:2"]
    );
    assert_eq!(federation.tryme.keep_free_percent, 30);
    assert_eq!(
        federation.extra.nomad.as_deref(),
        Some("log_level = \"DEBUG\"\n")
    );
    let docker = serde_json::json!({ "max-concurrent-downloads": 6, "debug": true, "dns": ["1"] });
    assert_eq!(
        serde_json::Value::from(federation.extra.docker.clone()),
        docker
    );
}

#[test]
fn what_a_site_may_add_is_what_the_inventory_holds() {
    let folder = folder(ADDED);
    let inventory = sound(folder.path());
    let site = &inventory.sites[&"one".parse().unwrap()];
    let jumps: Vec<_> = site
        .ssh
        .jump
        .iter()
        .map(|jump| (jump.host.as_str(), jump.port))
        .collect();
    assert_eq!(jumps, [("bastion.example.org", 2222), ("192.0.2.1", 22)]);
    assert_eq!(site.state, State::Ready);
    let pue = site.location.as_ref().unwrap().pue.as_ref().unwrap();
    assert_eq!(
        (pue.value.to_string(), pue.date.to_string()),
        ("1.4".to_owned(), "2026-03-01".to_owned())
    );
    assert_eq!(site.versions.nomad.to_string(), "1.10.5");
    assert_eq!(site.versions.consul, inventory.federation.versions.consul);
    assert_eq!(site.mirrors, ["https://mirror.example.org:5000"]);
    assert_eq!(site.address_pools[0].size, 24);
    // Its own images; for the rest what the federation says.
    assert_eq!(site.tryme.images, ["ui:1.1"]);
    assert_eq!(site.tryme.keep_free_percent, 30);
    assert!(matches!(site.certificates, Certificates::Acme { .. }));
    assert_eq!(site.waived[0].check, "volume-device");
    let host = &site.hosts[&"wn-0".parse().unwrap()];
    let volume = host.volume.as_ref().unwrap();
    assert_eq!(
        (volume.device.as_str(), volume.label.as_str()),
        ("/dev/vdb", "atoll-data")
    );
    assert_eq!(host.ssh.address, Some(address("203.0.113.7")));
}

#[test]
fn the_names_of_checks_are_those_of_the_documents() {
    let document = fs::read_to_string(repository().join("docs/inventory.md")).unwrap();
    let (_, rest) = document.split_once("## Waived checks").unwrap();
    let (text, _) = rest.split_once("\n## ").unwrap();
    // `verify` and `waive` are commands and keys.
    let said: BTreeSet<_> = text.split('`').skip(1).step_by(2).collect();
    let names = WAIVABLE.iter().chain(NEVER_WAIVED).copied();
    let known: BTreeSet<_> = names.chain(["verify", "waive"]).collect();
    assert_eq!(said, known);
}
