//! Inventories as operators write them: what loads, and what each mistake answers.

mod fuzz;
mod init;
mod rules;
mod schema;

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use federation::names::NodeName;
use provisioner::inventory::{
    Certificates, DockerSource, Draft, Introduction, Inventory, InventoryError, Kind, NEVER_WAIVED,
    NodeType, Problem, Role, Severity, State, WAIVABLE, load,
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

/// One edit each, and the one line it answers.
#[rustfmt::skip]
const WRONG_VALUES: &[(&str, &str, &str, &str)] = &[
    // Keys.
    (ONE, "13 }", "13, disk: 2 }",
     "sites/one.yaml:8:49: hosts.wn-0.disk: unknown key; the keys here are roles, address, public_address, kind, vos, gpus, volume, ssh, waive, extra_hcl, extra_yaml, name"),
    (ONE, "address: 192.0.2.13", "adress: 192.0.2.13",
     "sites/one.yaml:8:28: hosts.wn-0.adress: unknown key; did you mean `address`?"),
    (ONE, "13 }", "13, addr: x }",
     "sites/one.yaml:8:49: hosts.wn-0.addr: unknown key; did you mean `address`?"),
    (FEDERATION, "nomad: 1.11.3, ", "",
     "federation.yaml:3:11: versions.nomad: missing; add `nomad: 1.11.3`"),
    (ONE, ", address: 192.0.2.13", "",
     "sites/one.yaml:8:9: hosts.wn-0.address: missing; add `address: 192.0.2.14`"),
    (TWO, "domain: two\n", "",
     "sites/two.yaml:1:1: domain: missing; add `domain: one`"),
    // Kinds of values.
    (ONE, "domain: one", "domain:",
     "sites/one.yaml:2:1: domain: expected a text, found nothing; write one value after the `:`"),
    (ONE, "domain: one", "domain: ~",
     "sites/one.yaml:2:1: domain: expected a text, found nothing; write one value after the `:`"),
    (ONE, "domain: one", "domain: [one]",
     "sites/one.yaml:2:9: domain: expected a text, found a list; write one value after the `:`"),
    (ONE, "{ user: debian }", "debian",
     "sites/one.yaml:3:6: ssh: expected a mapping, found a text; write it as `key: value` lines, or `{ key: value }`"),
    (ONE, "[client]", "client",
     "sites/one.yaml:8:18: hosts.wn-0.roles: expected a list, found a text; write it as `[one, two]`; `[]` is empty"),
    (ONE, "[client]", "[{ client: yes }]",
     "sites/one.yaml:8:19: hosts.wn-0.roles[0]: expected a text, found a mapping; write one value after the `:`"),
    (ONE, "wn-0: {", "wn-0: [] #",
     "sites/one.yaml:8:9: hosts.wn-0: expected a mapping, found a list; write it as `key: value` lines, or `{ key: value }`"),
    (ONE, "domain: one", "domain: |\n  one\n  two",
     "sites/one.yaml:3:3: domain: a text with control characters, of several lines, or of more than 1024 bytes; values are short: look for a misplaced quote, `|` or `>`"),
    (ONE, "domain: one", "domain: \"\\e[31m\"",
     "sites/one.yaml:2:9: domain: a text with control characters, of several lines, or of more than 1024 bytes; values are short: look for a misplaced quote, `|` or `>`"),
    // Names.
    (FEDERATION, "federation: example", "federation: Example",
     "federation.yaml:1:13: federation: `Example` cannot be a federation name: 1 to 63 of a-z, 0-9 and -, with neither end a -"),
    (FEDERATION, "1.11.3", "v1.11.3",
     "federation.yaml:3:36: versions.nomad: `v1.11.3` cannot be a version: digits and dots, such as 1.11.3"),
    (FEDERATION, "  vo.imagine.example:", "  imagine:",
     "federation.yaml:8:3: vos.imagine: `imagine` cannot be a VO name: at least two labels of a-z, 0-9 and -, joined by dots, 253 characters at most"),
    (FEDERATION, "namespace: imagine", "namespace: ''",
     "federation.yaml:8:36: vos.vo.imagine.example.namespace: `` cannot be a namespace: 1 to 128 of a-z, A-Z, 0-9 and -"),
    (FEDERATION, "domain: deployments.imagine.example", "domain: localhost",
     "federation.yaml:8:53: vos.vo.imagine.example.domain: `localhost` cannot be a domain name: at least two labels of a-z, 0-9 and -, joined by dots, 253 characters at most"),
    (ONE, "wn-0:", "wn_0:",
     "sites/one.yaml:8:3: hosts.wn_0: `wn_0` cannot be a host name: 1 to 63 of a-z, 0-9 and -, with neither end a -"),
    (ONE, "13 }", "13, name: Wn }",
     "sites/one.yaml:8:55: hosts.wn-0.name: `Wn` cannot be a node name: 1 to 63 of a-z, 0-9 and -, with neither end a -"),
    (ONE, "user: debian", "user: Debian",
     "sites/one.yaml:3:14: ssh.user: `Debian` cannot be a user name: 1 to 32 of a-z, 0-9, - and _, starting with a letter or _"),
    (TWO, "site: EXAMPLE-TWO", "site: 'EXAMPLE TWO'",
     "sites/two.yaml:1:7: site: `EXAMPLE TWO` cannot be a site name: 1 to 100 of a-z, A-Z, 0-9, -, _ and ., starting with a letter or digit"),
    // Numbers, addresses, versions, images.
    (TWO, "2222", "0",
     "sites/two.yaml:4:28: ssh.port: `0` cannot be a TCP port; a port is 1 to 65535; without the key it is 22"),
    (ONE, "192.0.2.13", "192.0.2",
     "sites/one.yaml:8:37: hosts.wn-0.address: `192.0.2` cannot be the IP address of a host; write it as 192.0.2.10 or 2001:db8::10; names are not looked up"),
    (ONE, "192.0.2.13", "127.0.0.1",
     "sites/one.yaml:8:37: hosts.wn-0.address: `127.0.0.1` cannot be the IP address of a host; write it as 192.0.2.10 or 2001:db8::10; names are not looked up"),
    (ONE, "192.0.2.13", "255.255.255.255",
     "sites/one.yaml:8:37: hosts.wn-0.address: `255.255.255.255` cannot be the IP address of a host; write it as 192.0.2.10 or 2001:db8::10; names are not looked up"),
    (ONE, "192.0.2.13", "\"fe80::1\"",
     "sites/one.yaml:8:37: hosts.wn-0.address: `fe80::1` cannot be the IP address of a host; write it as 192.0.2.10 or 2001:db8::10; names are not looked up"),
    (ONE, "13 }", "13, public_address: wn.example.org }",
     "sites/one.yaml:8:65: hosts.wn-0.public_address: `wn.example.org` cannot be the IP address of a host; write it as 192.0.2.10 or 2001:db8::10; names are not looked up"),
    (FEDERATION, "20.10.24+dfsg1-1", "'20.10; reboot'",
     "federation.yaml:4:42: docker.version: `20.10; reboot` cannot be the version of a package; copy it from `apt-cache policy docker.io` (or `docker-ce`)"),
    (FEDERATION, "atoll/probe:1.35", "localhost:5000/probe",
     "federation.yaml:5:18: verify.image: `localhost:5000/probe` cannot be a pinned image; name it with its tag, as in `atoll/probe:1.35`"),
    (FEDERATION, "atoll/probe:1.35", "atoll/probe:latest",
     "federation.yaml:5:18: verify.image: `atoll/probe:latest` cannot be a pinned image; name it with its tag, as in `atoll/probe:1.35`"),
    // Words.
    (FEDERATION, "source: distribution", "source: debian",
     "federation.yaml:4:19: docker.source: `debian` is no word known here; the words are distribution, vendor"),
    (FEDERATION, "verify:", "introduction: strickt\nverify:",
     "federation.yaml:5:15: introduction: `strickt` is no word known here; did you mean `strict`?"),
    (ONE, "[client]", "[cliant]",
     "sites/one.yaml:8:19: hosts.wn-0.roles[0]: `cliant` is no word known here; did you mean `client`?"),
    (ONE, "[client]", "[worker]",
     "sites/one.yaml:8:19: hosts.wn-0.roles[0]: `worker` is no word known here; the words are consul-server, nomad-server, server, gateway, client, accounting"),
    (ONE, "13 }", "13, kind: gpu }",
     "sites/one.yaml:8:55: hosts.wn-0.kind: `gpu` is no word known here; the words are compute, batch, tryme"),
];

#[test]
fn a_wrong_value_is_named_where_it_stands() {
    for (file, from, to, expected) in WRONG_VALUES {
        assert_eq!(answer(&[(file, from, to)]), [*expected], "{from} → {to}");
    }
}

/// One file replaced by something which is not YAML as we read it, and the line it answers.
#[rustfmt::skip]
const NOT_YAML: &[(&str, &str)] = &[
    ("a: b\n\tc: d\n",
     "2:1: a tab in the indentation; indent with spaces"),
    ("a:\n  \tb: c\n",
     "2:3: a tab in the indentation; indent with spaces"),
    ("a: b\n---\nc: d\n",
     "2:1: a second document begins here; one file is one document: split the file, or remove the `---`"),
    ("hosts: &a { b: *a }\n",
     "1:16: hosts.b: an alias inside of the value it names; write the value out"),
    ("hosts: *a\n",
     "1:8: hosts: an alias that names nothing; `*name` stands for an earlier value marked `&name`"),
    ("hosts: { a: b\nvos: []\n",
     "2:4: hosts: a `,` or `}` is missing; close the `{` on this line or above"),
    ("hosts: [a, b\n",
     "2:1: hosts[2]: a `,` or `]` is missing; close the `[` on this line or above"),
    ("vos: [a\nhosts: b\n",
     "2:6: vos[0]: a `:` is not expected here; close the `[` on this line or above"),
    ("domain: \"one\n",
     "1:9: domain: a quoted text does not end, or has a wrong escape; look for a missing quote on this line or above"),
    ("domain: one: two\n",
     "1:12: a `:` is not expected here; put a value with `: ` in quotes, or correct the indentation"),
    ("domain: one\ntwo\n",
     "3:1: a `key: value` is expected here; correct the indentation, and see that `: ` follows the key"),
    ("vos:\n  - a\n b: c\n",
     "3:2: a `key: value` is expected here; correct the indentation, and see that `: ` follows the key"),
    ("domain: @one\n",
     "1:9: domain: a value cannot start like this; put it in quotes"),
    ("domain: o\0ne\n",
     "1:10: not YAML: found unprintable character; compare with inventories/example"),
    ("\"two\\nlines\": one\n",
     "1:1: a text with control characters, of several lines, or of more than 1024 bytes; values are short: look for a misplaced quote, `|` or `>`"),
    ("",
     "1:1: expected a mapping, found nothing; write it as `key: value` lines, or `{ key: value }`"),
    ("# nothing\n",
     "1:1: expected a mapping, found nothing; write it as `key: value` lines, or `{ key: value }`"),
    ("- a\n",
     "1:1: expected a mapping, found a list; write it as `key: value` lines, or `{ key: value }`"),
];

#[test]
fn what_is_not_yaml_is_explained() {
    for (content, expected) in NOT_YAML {
        assert_eq!(
            answer_to(ONE, content),
            [format!("sites/one.yaml:{expected}")],
            "{content}"
        );
    }
}

#[test]
fn text_is_utf8_with_or_without_a_mark() {
    let latin1 = b"datacenter: one\nsite: caf\xe9\n";
    let expected = "sites/one.yaml:2:10: not UTF-8 from here on; save the file as UTF-8";
    assert_eq!(answer_to(ONE, latin1), [expected]);
    let utf16 = b"\xff\xfed\0a\0t\0a\0";
    let expected = "sites/one.yaml:1:1: not UTF-8 from here on; save the file as UTF-8";
    assert_eq!(answer_to(ONE, utf16), [expected]);
    let slip = SOUND[1].1.replace("datacenter", "datacentre");
    let expected = "sites/one.yaml:1:1: datacentre: unknown key; did you mean `datacenter`?";
    assert_eq!(answer_to(ONE, format!("\u{feff}{slip}")), [expected]);
    for (file, text) in SOUND {
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(answer_to(file, windows), [""; 0], "{file}");
    }
}

#[test]
fn a_column_is_a_character() {
    let edit = (ONE, "{ roles: [client]", "{ 'é日': x, roles: [klient]");
    assert_eq!(
        answer(&[edit]),
        [
            "sites/one.yaml:8:11: hosts.wn-0.é日: unknown key; the keys here are roles, address, public_address, kind, vos, gpus, volume, ssh, waive, extra_hcl, extra_yaml, name",
            "sites/one.yaml:8:28: hosts.wn-0.roles[0]: `klient` is no word known here; did you mean `client`?",
        ]
    );
}

#[test]
fn a_slip_that_leaves_the_rest_readable_does_not_hide_the_rest() {
    let edits = [
        (
            ONE,
            "domain: one\n",
            "domain: one\ndomain: uno\n? [a]\n: b\n? ~\n: !!str c\n",
        ),
        (ONE, "13 }", "13, <<: x }"),
        (ONE, "[client]", "[klient]"),
    ];
    assert_eq!(
        answer(&edits),
        [
            "sites/one.yaml:3:1: domain: said twice; first on line 2; keep one of them",
            "sites/one.yaml:4:3: a key which is not a text; a key is one word before a `:`",
            "sites/one.yaml:6:3: a key which is not a text; a key is one word before a `:`",
            "sites/one.yaml:7:3: a tag, such as `!!str`, has no meaning here; remove it: every value is text already",
            "sites/one.yaml:13:19: hosts.wn-0.roles[0]: `klient` is no word known here; did you mean `client`?",
            "sites/one.yaml:13:53: hosts.wn-0: `<<` wants a mapping or a list of mappings; name one as in `<<: *defaults`",
        ]
    );
}

#[test]
fn merge_keys_and_aliases_mean_what_they_name() {
    let hosts = "  wn-0: &wn { roles: &client [client], address: 192.0.2.13, kind: batch }
  wn-1: { <<: *wn, address: 192.0.2.14, kind: tryme }
  wn-2: { address: 192.0.2.15, <<: [{ kind: tryme }, *wn] }
  wn-3: { roles: *client, address: 192.0.2.16 }
  <<: { wn-3: { roles: *client, address: 192.0.2.17 } }
";
    let edit = (
        ONE,
        "  wn-0: { roles: [client], address: 192.0.2.13 }\n",
        hosts,
    );
    let inventory = sound(folder(&[edit]).path());
    let hosts = inventory.hosts();
    for (name, address, kind) in [
        ("one-wn-0", "192.0.2.13", Kind::Batch),
        ("one-wn-1", "192.0.2.14", Kind::TryMe),
        ("one-wn-2", "192.0.2.15", Kind::TryMe),
        ("one-wn-3", "192.0.2.16", Kind::Compute),
    ] {
        let (_, host) = hosts[&node(name)];
        assert_eq!(
            (host.address.to_string().as_str(), host.kind),
            (address, kind),
            "{name}"
        );
        assert!(host.has(Role::Client));
    }
}

/// A mistake in an anchored value is mended in one place, however often the value is used.
#[test]
fn a_mistake_that_aliases_repeat_is_said_once() {
    let edits = [
        (ONE, "wn-0: {", "wn-0: &wn { kind: gpu,"),
        (
            ONE,
            "13 }\n",
            "13 }\n  wn-1: { <<: *wn, address: 192.0.2.14 }\n",
        ),
    ];
    assert_eq!(
        answer(&edits),
        [
            "sites/one.yaml:8:21: hosts.wn-0.kind: `gpu` is no word known here; the words are compute, batch, tryme"
        ]
    );
}

/// One edit or more, and all that they answer: rules between values.
#[rustfmt::skip]
const BROKEN_RULES: &[(&[Edit], &[&str])] = &[
    // The federation.
    (&[(FEDERATION, "primary: one", "primary: three")],
     &["federation.yaml:2:10: primary: no file in sites/ has `datacenter: three`; name that of a site, or its servers elsewhere in `external.consul_servers`"]),
    (&[(ONE, "[server]", "[consul-server]")],
     &["federation.yaml:1:13: federation: no host of the federation is a Nomad server; give one host, or three, the role `nomad-server`"]),
    (&[(FEDERATION, "namespace: imagine", "namespace: example")],
     &["federation.yaml:8:53: vos.vo.imagine.example.domain: the namespace `example` has the domain `deployments.example.org`, at federation.yaml:7:49; VOs can share a namespace only if they share its domain"]),
    (&[(FEDERATION, "namespace: imagine", "namespace: example"), (FEDERATION, "deployments.imagine.example", "deployments.example.org")],
     &[]),
    (&[(FEDERATION, "namespace: imagine", "namespace: example-2")],
     &["federation.yaml:7:32: vos.vo.example.org.namespace: `example` is a part of `example-2`, so its jobs would also run on nodes of that namespace; choose namespaces of which none contains another: jobs find nodes by pattern"]),
    (&[(FEDERATION, "namespace: imagine", "namespace: sample"), (FEDERATION, "namespace: example", "namespace: ample")],
     &["federation.yaml:7:32: vos.vo.example.org.namespace: `ample` is a part of `sample`, so its jobs would also run on nodes of that namespace; choose namespaces of which none contains another: jobs find nodes by pattern"]),
    // Servers.
    (&[(TWO, "[consul-server]", "[gateway]")],
     &["sites/two.yaml:7:3: hosts: no host of the site is a Consul server; give one host, or three, the role `consul-server`"]),
    (&[(TWO, "[consul-server]", "[nomad-server, consul-server]")],
     &["sites/two.yaml:7:23: warning: hosts.server-0.roles[0]: 2 Nomad servers tolerate 0 losses, as 1 does; add one or leave one out",
       "sites/two.yaml:7:23: warning: hosts.server-0.roles[0]: Nomad servers at 2 sites: every write waits for the network between them; keep them at one site, or within 10 ms of each other"]),
    (&[(ONE, "[gateway]", "[gateway, consul-server]"), (ONE, "[client]", "[consul-server]"), (TWO, "[consul-server]", "[consul-server, client, gateway]"), (ONE, "13 }", "13 }\n  wn-1: { roles: [consul-server], address: 192.0.2.14 }")],
     &["sites/one.yaml:9:19: warning: hosts.wn-1.roles[0]: 4 Consul servers tolerate 1 loss, as 3 do; add one or leave one out",
      "sites/two.yaml:7:22: warning: hosts.server-0.roles: a gateway takes no users' jobs, so the role `client` has no effect; make another host the client"]),
    (&[(ONE, "[gateway]", "[gateway, nomad-server]")],
     &["sites/one.yaml:7:23: hosts.gateway-0.roles: a Nomad server cannot be a Nomad client as well: nobody could introduce it; make another host the client or gateway",
       "sites/one.yaml:7:33: warning: hosts.gateway-0.roles[1]: 2 Nomad servers tolerate 0 losses, as 1 does; add one or leave one out"]),
    // VOs.
    (&[(TWO, "vos: [vo.example.org]", "vos: [vo.example.com]")],
     &["sites/two.yaml:5:7: vos[0]: federation.yaml has no VO `vo.example.com`; correct the name, or add it there under `vos`"]),
    (&[(TWO, "vos: [vo.example.org]", "vos: [vo.example.org, vo.example.org]")],
     &["sites/two.yaml:5:23: vos[1]: `vo.example.org` is already in this list: vos[0], at sites/two.yaml:5:7"]),
    (&[(ONE, "13 }", "13, vos: [vo.example.org, vo.example.org] }")],
     &["sites/one.yaml:8:71: hosts.wn-0.vos[1]: `vo.example.org` is already in this list: hosts.wn-0.vos[0], at sites/one.yaml:8:55"]),
    (&[(TWO, "[consul-server]", "[consul-server, gateway]"), (TWO, "21 }", "21, vos: [vo.imagine.example] }")],
     &["sites/two.yaml:7:75: hosts.server-0.vos[0]: the site does not serve `vo.imagine.example`; a host can only narrow the `vos` of its site"]),
    (&[(TWO, "21 }", "21, vos: [vo.example.org] }")],
     &["sites/two.yaml:7:65: hosts.server-0.vos: only clients and gateways serve VOs; remove `vos`, or add the role"]),
    (&[(ONE, "13 }", "13, vos: [] }")],
     &["sites/one.yaml:8:54: warning: hosts.wn-0.vos: the host serves no VO: no user's job will run on it; remove `vos` to serve all VOs of the site"]),
    (&[(ONE, "[vo.example.org, vo.imagine.example]", "[]")],
     &["sites/one.yaml:4:6: warning: vos: the site has clients and serves no VO: no user's job will run; list the VOs it serves"]),
    (&[(ONE, "[gateway]", "[accounting]")],
     &["sites/one.yaml:6:3: warning: hosts: the site has clients and no gateway: users cannot reach their jobs; give a host the role `gateway`"]),
    // Roles.
    // GPUs.
    (&[(ONE, "13 }", "13, gpus: { model: \"A`B\", count: 0 } }")],
     &["sites/one.yaml:8:55: hosts.wn-0.gpus: federation.yaml does not say which NVIDIA driver hosts with GPUs get; add `nvidia: { driver: …, toolkit: …, plugin: 1.1.0 }` there",
       "sites/one.yaml:8:64: hosts.wn-0.gpus.model: `A`B` cannot be the model of a GPU; copy it from `nvidia-smi -L`",
       "sites/one.yaml:8:78: hosts.wn-0.gpus.count: `0` cannot be a number of GPUs; a host has 1 to 64 GPUs"]),
    (&[(FEDERATION, "vos:\n", "nvidia: { driver: 550.163.01-1, toolkit: x, plugin: 1.1.0 }\nvos:\n"), (ONE, "12 }", "12, gpus: { model: NVIDIA A100, count: 2 } }")],
     &["federation.yaml:6:42: nvidia.toolkit: `x` cannot be the version of a package; copy it from `apt-cache policy nvidia-driver` (or `nvidia-container-toolkit`)",
       "sites/one.yaml:7:61: hosts.gateway-0.gpus: only a host with the role `client` gives its GPUs to jobs; remove `gpus`, or add the role"]),
    // The role `accounting`.
    (&[(ONE, "[gateway]", "[gateway, accounting]"), (ONE, "[client]", "[client, accounting]")],
     &["sites/one.yaml:8:27: hosts.wn-0.roles[1]: the site has an accounting host already; keep the role on one host"]),
    (&[(ONE, "[client]", "[]")],
     &["sites/one.yaml:8:18: hosts.wn-0.roles: a host has at least one role; say what it does, or remove the host"]),
    (&[(ONE, "[server]", "[server, nomad-server]")],
     &["sites/one.yaml:6:31: hosts.server-0.roles[1]: the host has this role already; say each role once; `server` means both kinds of server"]),
    (&[(ONE, "[client]", "[client, client]")],
     &["sites/one.yaml:8:27: hosts.wn-0.roles[1]: the host has this role already; say each role once; `server` means both kinds of server"]),
    (&[(ONE, "12 }", "12, kind: compute }")],
     &["sites/one.yaml:7:61: hosts.gateway-0.kind: only a host with the role `client` has a kind; remove `kind`, or add the role"]),
    // What two things would share.
    (&[(TWO, "datacenter: two", "datacenter: one"), (TWO, "server-0", "server-9")],
     &["sites/two.yaml:2:13: datacenter: `one` is already a datacenter: datacenter, at sites/one.yaml:1:13"]),
    (&[(TWO, "domain: two", "domain: one")],
     &["sites/two.yaml:3:9: domain: `one` is already the domain label of a datacenter: domain, at sites/one.yaml:2:9"]),
    (&[(TWO, "21 }", "21, name: one-wn-0 }")],
     &["sites/two.yaml:7:66: hosts.server-0.name: `one-wn-0` is already the name of a node: hosts.wn-0, at sites/one.yaml:8:3"]),
    (&[(TWO, "  server-0", "  a-key-that-is-short-enough-alone-but-not-after-its-datacenter")],
     &["sites/two.yaml:7:3: hosts.a-key-that-is-short-enough-alone-but-not-after-its-datacenter: `two-a-key-that-is-short-enough-alone-but-not-after-its-datacenter` cannot be a node name: 1 to 63 of a-z, 0-9 and -, with neither end a -; shorten the host's key, or set `name`"]),
    (&[(ONE, "192.0.2.13", "192.0.2.11")],
     &["sites/one.yaml:8:37: hosts.wn-0.address: `192.0.2.11` is already an address of this site: hosts.server-0.address, at sites/one.yaml:6:41"]),
    (&[(ONE, "192.0.2.11", "&first 192.0.2.11"), (ONE, "192.0.2.13", "*first")],
     &["sites/one.yaml:8:37: hosts.wn-0.address: `192.0.2.11` is already an address of this site: hosts.server-0.address, at sites/one.yaml:6:41"]),
    (&[(ONE, "192.0.2.13", "::ffff:192.0.2.11")],
     &["sites/one.yaml:8:37: hosts.wn-0.address: `192.0.2.11` is already an address of this site: hosts.server-0.address, at sites/one.yaml:6:41"]),
    (&[(TWO, "192.0.2.21", "192.0.2.11")],
     &["sites/two.yaml:7:48: hosts.server-0.address: `192.0.2.11` is already a public address: hosts.server-0.address, at sites/one.yaml:6:41"]),
    (&[(TWO, "192.0.2.21", "192.0.2.11, public_address: 198.51.100.1")],
     &[]),
    (&[(TWO, "192.0.2.21", "192.0.2.13")],
     &[]),
    (&[(TWO, "21 }", "21, public_address: 198.51.100.1 }"), (ONE, "13 }", "13, public_address: 198.51.100.1 }")],
     &["sites/two.yaml:7:76: hosts.server-0.public_address: `198.51.100.1` is already a public address: hosts.wn-0.public_address, at sites/one.yaml:8:65"]),
];

#[test]
fn a_broken_rule_is_named_at_the_value_that_breaks_it() {
    for (edits, expected) in BROKEN_RULES {
        assert_eq!(answer(edits), *expected, "{edits:?}");
    }
}

/// A part that could not be read is one problem; rules about the whole wait for it.
#[test]
fn one_mistake_is_one_problem() {
    let half_a_list = (
        ONE,
        "[vo.example.org, vo.imagine.example]",
        "[vo.example.org, imagine]",
    );
    let host = (ONE, "13 }", "13, vos: [vo.imagine.example] }");
    assert_eq!(answer(&[half_a_list, host]).len(), 1);
    for edit in [
        (FEDERATION, "  vo.imagine.example:", "  imagine:"),
        (FEDERATION, "primary: one", "primary: One"),
        (ONE, "datacenter: one", "datacenter: One"),
        (ONE, "datacenter: one", "datacentre: one"),
        (ONE, "[server]", "[sever]"),
        (ONE, "hosts:", "hosts: none #"),
        (ONE, "  server-0: {", "  server-0: { {"),
        (TWO, "vos: [vo.example.org]", "vos: [vo..example.org]"),
        (
            ONE,
            "[vo.example.org, vo.imagine.example]",
            "vo.example.org",
        ),
        (ONE, "13 }", "13, vos: [vo_example_org] }"),
    ] {
        let answer = answer(&[edit]);
        assert_eq!(answer.len(), 1, "{edit:?}: {answer:#?}");
    }
}

#[test]
fn five_mistakes_in_three_files_are_five_problems_in_order() {
    let edits = [
        (TWO, "192.0.2.21", "192.0.2.999"),
        (ONE, "address: 192.0.2.13", "adress: 192.0.2.13"),
        (FEDERATION, "1.22.3", "latest"),
        (ONE, "{ user: debian }", "debian"),
        (TWO, "domain: two", "domain: one"),
    ];
    assert_eq!(
        answer(&edits),
        [
            "federation.yaml:3:21: versions.consul: `latest` cannot be a version: digits and dots, such as 1.11.3",
            "sites/one.yaml:3:6: ssh: expected a mapping, found a text; write it as `key: value` lines, or `{ key: value }`",
            "sites/one.yaml:8:28: hosts.wn-0.adress: unknown key; did you mean `address`?",
            "sites/two.yaml:3:9: domain: `one` is already the domain label of a datacenter: domain, at sites/one.yaml:2:9",
            "sites/two.yaml:7:48: hosts.server-0.address: `192.0.2.999` cannot be the IP address of a host; write it as 192.0.2.10 or 2001:db8::10; names are not looked up",
        ]
    );
}

/// What a hostile file answers, and that the answer comes soon.
fn refusal(content: impl AsRef<[u8]>) -> String {
    let start = Instant::now();
    let answer = answer_to(ONE, content);
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(answer.len(), 1, "{answer:?}");
    answer[0].split_once("; ").unwrap().0.to_owned()
}

#[test]
fn a_file_that_would_fill_the_memory_is_refused_early() {
    let laugh = |level: usize| {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("a{level}: &a{level} [{aliases}]\n")
    };
    let laughs: String = (1..40).map(laugh).collect();
    let too_many = "more than 100000 keys and values, with aliases written out";
    let answer = refusal(format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{laughs}"));
    assert_eq!(answer, format!("sites/one.yaml:5:45: a4[7]: {too_many}"));
    let merge = |level: usize| {
        let below = level - 1;
        format!("a{level}: &a{level} {{ <<: *a{below}, k{level}: {{ <<: *a{below} }} }}\n")
    };
    let merges: String = (1..40).map(merge).collect();
    assert!(refusal(format!("a0: &a0 {{ k0: x }}\n{merges}")).ends_with(too_many));
    let items = "- x\n".repeat(100_001);
    assert_eq!(
        refusal(items),
        format!("sites/one.yaml:100000:3: [99999]: {too_many}")
    );
    let long = "a value or comment longer than 1 MiB";
    assert_eq!(
        refusal(format!("[{}", "a,".repeat(1 << 20))),
        format!("sites/one.yaml:1:1: {long}")
    );
    assert_eq!(
        refusal(format!("a: {}", "x".repeat((64 << 10) + 1))),
        "sites/one.yaml:1:4: a: a text with control characters, of several lines, or of more than 1024 bytes"
    );
}

#[test]
fn a_file_that_would_exhaust_the_stack_is_refused() {
    let step = |level: usize| format!("{}- \n", " ".repeat(level));
    let block: String = (0..100).map(step).collect();
    let towers = format!(
        "a: &a {}{}\nb: {}*a{}\n",
        "[".repeat(40),
        "]".repeat(40),
        "[".repeat(40),
        "]".repeat(40)
    );
    for (content, expected) in [
        ("[".repeat(100) + &"]".repeat(100), "1:65"),
        (block, "65:65"),
        ("- ".repeat(2_000_000), "1:129"),
        (towers, "2:44"),
    ] {
        let answer = refusal(content);
        assert!(
            answer.starts_with(&format!("sites/one.yaml:{expected}: ")),
            "{answer}"
        );
        assert!(
            answer.ends_with(": nested deeper than 64 levels"),
            "{answer}"
        );
    }
    let deepest = "[".repeat(63) + &"]".repeat(63);
    assert!(answer_to(ONE, deepest)[0].contains("expected a mapping, found a list"));
}

#[test]
fn a_long_file_is_refused() {
    let folder = folder(&[]);
    let file = fs::File::options()
        .write(true)
        .open(folder.path().join(ONE))
        .unwrap();
    file.set_len(100 << 20).unwrap();
    let start = Instant::now();
    let problems = problems_in(folder.path());
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    let expected =
        "sites/one.yaml:1:1: longer than 4 MiB; no inventory needs that: is this the right file?";
    assert_eq!(problems[0].to_string(), expected);
}

#[test]
fn files_are_read_in_the_order_of_their_names() {
    let folder = folder(&[]);
    let site = |name: &str| {
        SOUND[2]
            .1
            .replace("two", name)
            .replace("192.0.2.21", "192.0.2.99")
    };
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for name in names {
        fs::write(folder.path().join(format!("sites/{name}.yaml")), site(name)).unwrap();
    }
    let first =
        "`192.0.2.99` is already a public address: hosts.server-0.address, at sites/a.yaml:7:48";
    let line = |name| format!("sites/{name}.yaml:7:48: hosts.server-0.address: {first}");
    let expected: Vec<_> = names[1..].iter().map(line).collect();
    let lines: Vec<_> = problems_in(folder.path())
        .iter()
        .map(Problem::to_string)
        .collect();
    assert_eq!(lines, expected);
}

#[test]
fn only_yaml_files_of_sites_are_read() {
    let folder = folder(&[]);
    let sites = folder.path().join("sites");
    fs::write(sites.join("README.md"), "[").unwrap();
    fs::write(sites.join(".one.yaml.swp"), "[").unwrap();
    fs::write(sites.join(".#two.yaml"), "[").unwrap();
    sound(folder.path());
    fs::write(sites.join("three.yml"), "[").unwrap();
    fs::write(sites.join("four.YAML"), "[").unwrap();
    fs::create_dir(sites.join("five.yaml")).unwrap();
    let lines: Vec<_> = problems_in(folder.path())
        .iter()
        .map(Problem::to_string)
        .collect();
    assert_eq!(
        lines,
        [
            "sites/five.yaml:1:1: cannot read the file: not a regular file; see its kind, owner and mode",
            "sites/four.YAML:1:1: only files named *.yaml are read; rename it to sites/four.yaml",
            "sites/three.yml:1:1: only files named *.yaml are read; rename it to sites/three.yaml",
        ]
    );
}

#[test]
fn a_folder_without_an_inventory_says_what_is_wanted() {
    let empty = tempfile::tempdir().unwrap();
    let error = load(empty.path()).unwrap_err();
    let expected = format!(
        "cannot find federation.yaml in {}; an inventory is a folder with federation.yaml and sites/*.yaml",
        empty.path().display()
    );
    assert_eq!(error.to_string(), expected);
    let nowhere = empty.path().join("nowhere");
    let error = load(&nowhere).unwrap_err();
    assert!(matches!(&error, InventoryError::Unreadable { folder, .. } if *folder == nowhere));
    assert_eq!(
        error.to_string(),
        format!("cannot read {}", nowhere.display())
    );
}

#[test]
fn a_federation_without_sites_names_the_one_it_wants() {
    let folder = folder(&[]);
    fs::remove_dir_all(folder.path().join("sites")).unwrap();
    let lines: Vec<_> = problems_in(folder.path())
        .iter()
        .map(Problem::to_string)
        .collect();
    assert_eq!(
        lines,
        [
            "federation.yaml:1:13: federation: no host of the federation is a Nomad server; give one host, or three, the role `nomad-server`",
            "federation.yaml:2:10: primary: no file in sites/ has `datacenter: one`; name that of a site, or its servers elsewhere in `external.consul_servers`",
        ]
    );
}

#[test]
fn an_error_lists_its_problems_and_counts_errors_only() {
    let folder = folder(&[
        (ONE, "[gateway]", "[accounting]"),
        (TWO, "domain: two", "domain: one"),
    ]);
    let error = load(folder.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot use the inventory: 1 error
sites/one.yaml:6:3: warning: hosts: the site has clients and no gateway: users cannot reach their jobs; give a host the role `gateway`
sites/two.yaml:3:9: domain: `one` is already the domain label of a datacenter: domain, at sites/one.yaml:2:9"
    );
}

#[test]
fn a_problem_is_also_json() {
    let folder = folder(&[(ONE, "[gateway]", "[accounting]")]);
    let loaded = load(folder.path()).unwrap();
    assert_eq!(loaded.warnings[0].severity, Severity::Warning);
    assert_eq!(
        serde_json::to_value(&loaded.warnings).unwrap(),
        serde_json::json!([{
            "file": "sites/one.yaml",
            "line": 6,
            "column": 3,
            "severity": "warning",
            "at": "hosts",
            "what": "the site has clients and no gateway: users cannot reach their jobs",
            "hint": "give a host the role `gateway`",
        }])
    );
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
