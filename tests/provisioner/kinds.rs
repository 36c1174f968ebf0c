//! Every kind of host, and every key that changes one: what each host gets, whole.
//!
//! `INSTA_UPDATE=always cargo test -p atoll --test provisioner kinds` takes over what is rendered
//! now; the difference of `snapshots/` is then to be read before it is committed.

mod script;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use provisioner::inventory::{self, ImageCleanup, Inventory, Role};
use provisioner::plan::{Content, HostPlan, Plan, Program, origin, plan};
use provisioner::render::{Body, Overrides, Rendered, RenderedFile, TEMPLATES, render};

use crate::golden::{fixture, name, samples};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/inventories/kinds")
}

/// The inventory that has every kind of host.
pub(crate) fn kinds() -> Inventory {
    inventory::load(&folder()).unwrap().inventory
}

/// All files of a host in one text.
fn whole(files: &[RenderedFile]) -> String {
    let mut text = String::new();
    for file in files {
        let access = file.access;
        let _ = writeln!(
            text,
            "==> {} {:04o} {}:{} ({}, {})",
            file.path, access.mode, access.owner, access.group, file.wave, file.on_change
        );
        match &file.body {
            Body::Text(body) => text.push_str(body),
            issued => _ = writeln!(text, "{issued:#?}"),
        }
        text.push('\n');
    }
    text
}

#[test]
fn each_kind_of_host_gets_what_it_got() {
    let rendered = render(&plan(&kinds()), &Overrides::default()).unwrap();
    assert_eq!(rendered.hosts.len(), 12);
    let older = render(&plan(&older(kinds())), &Overrides::default()).unwrap();
    let example = inventory::load(&folder().join("../../../../inventories/example")).unwrap();
    let example = render(&plan(&example.inventory), &Overrides::default()).unwrap();
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (node, files) in &rendered.hosts {
            insta::assert_snapshot!(node.as_str(), whole(files));
        }
        let server = &older.hosts[&name("example-one-server-0")];
        insta::assert_snapshot!("older-server", whole(server));
        for (node, files) in &example.hosts {
            insta::assert_snapshot!(format!("committed-{node}"), whole(files));
        }
    });
}

/// The same federation with the oldest releases that it can have.
fn older(mut inventory: Inventory) -> Inventory {
    for site in inventory.sites.values_mut() {
        site.versions.consul = name("1.21.5");
        site.versions.nomad = name("1.10.5");
    }
    inventory
}

/// A plan of nothing but the files that come from one template.
fn only(plan: &Plan, template: &str) -> Plan {
    let mut plan = plan.clone();
    for host in plan.hosts.values_mut() {
        host.files
            .retain(|file| template_of(&file.content) == Some(template));
    }
    plan.services.consul_policies.clear();
    plan.services.nomad_policies.clear();
    plan.services.gateways.clear();
    plan.services.jobs.clear();
    plan
}

fn template_of(content: &Content) -> Option<&'static str> {
    match content {
        Content::Template(template) | Content::Merged(template, _) => Some(template.name()),
        _ => None,
    }
}

/// A line that could go without any host noticing is one that nothing here compares.
#[test]
fn every_line_of_every_template_of_hosts_shows_somewhere() {
    let plan = plan(&kinds());
    let files = plan.hosts.values().flat_map(|host| &host.files);
    let used: BTreeSet<_> = files
        .filter_map(|file| template_of(&file.content))
        .collect();
    let mut unseen = Vec::new();
    for (name, text) in TEMPLATES.iter().filter(|(name, _)| used.contains(name)) {
        let plan = only(&plan, name);
        let before = render(&plan, &Overrides::default()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for dropped in 0..lines.len() {
            let mut left = lines.clone();
            let line = left.remove(dropped);
            if !is_noticed(&plan, &before, name, &(left.join("\n") + "\n")) {
                unseen.push(format!("{name}:{}: {line}", dropped + 1));
            }
        }
    }
    assert!(unseen.is_empty(), "no host shows {unseen:#?}");
    let strangers: Vec<_> = TEMPLATES
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !used.contains(name) && !is_of_apis(name))
        .collect();
    assert_eq!(strangers, Vec::<&str>::new(), "no host has them");
}

/// What the APIs are given: `render::handouts` compares all of it.
fn is_of_apis(template: &str) -> bool {
    ["/policies/", "traefik/", "jobs/"]
        .iter()
        .any(|part| template.contains(part))
}

/// As for hosts, in what the APIs are given.
#[test]
fn every_line_of_every_template_of_apis_shows_somewhere() {
    let plan = plan(&fixture("two-sites"));
    let before = render(&plan, &Overrides::default()).unwrap().services;
    let mut unseen = Vec::new();
    for (name, text) in TEMPLATES.iter().filter(|(name, _)| is_of_apis(name)) {
        let lines: Vec<&str> = text.lines().collect();
        for dropped in 0..lines.len() {
            let mut left = lines.clone();
            let line = left.remove(dropped);
            let own = BTreeMap::from([((*name).to_owned(), left.join("\n") + "\n")]);
            let after = render(&plan, &Overrides::of(own).unwrap());
            if after.is_ok_and(|after| after.services == before) {
                unseen.push(format!("{name}:{}: {line}", dropped + 1));
            }
        }
    }
    assert!(unseen.is_empty(), "nothing shows {unseen:#?}");
}

fn is_noticed(plan: &Plan, before: &Rendered, name: &str, text: &str) -> bool {
    let own = BTreeMap::from([(name.to_owned(), text.to_owned())]);
    let after = render(plan, &Overrides::of(own).unwrap());
    !after.is_ok_and(|after| after.hosts == before.hosts)
}

#[test]
fn every_file_says_where_it_comes_from() {
    for inventory in [kinds(), samples()] {
        let plan = plan(&inventory);
        for file in plan.hosts.values().flat_map(|host| &host.files) {
            let origin = origin(&file.path);
            assert!(
                !(origin.settings.is_empty() && origin.rows.is_empty()),
                "{} is not in the table",
                file.path
            );
        }
    }
}

fn host<'a>(plan: &'a Plan, node: &str) -> &'a HostPlan {
    &plan.hosts[&name(node)]
}

#[test]
fn a_host_is_reached_as_itself_or_its_site_says() {
    let plan = plan(&kinds());
    let told = |node: &str| {
        let login = &host(&plan, node).login;
        let hops = login
            .jump
            .iter()
            .map(|hop| format!("{}@{}:{}", hop.user, hop.host, hop.port));
        let way = hops.chain([format!("{}@{}:{}", login.user, login.address, login.port)]);
        way.collect::<Vec<_>>().join(" ")
    };
    let way = "debian@gate.example.org:22 root@10.88.0.1:2022";
    assert_eq!(
        told("example-one-wn-cpu-0"),
        format!("{way} debian@10.88.0.20:22")
    );
    assert_eq!(
        told("example-one-wn-gpu-0"),
        format!("{way} ubuntu@198.51.100.21:2222")
    );
    assert_eq!(told("old-worker"), "debian@203.0.113.23:22");
}

/// Nothing is opened before: neither the identity nor `known_hosts` is there.
#[test]
fn hosts_behind_others_are_refused_before_anything_is_done() {
    for verb in ["plan", "apply", "verify"] {
        let output = Command::new(env!("CARGO_BIN_EXE_atoll"))
            .args([verb, folder().to_str().unwrap(), "--identity", "/nowhere"])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(
            told.contains("cannot reach example-one-gateway-0, example-one-server-0,"),
            "{told}"
        );
        assert!(
            told.contains("jump hosts") && !told.contains("old-worker"),
            "{told}"
        );
    }
}

#[test]
fn a_site_runs_its_own_versions() {
    let plan = plan(&kinds());
    let version = |node: &str, product: &str| {
        let programs = &host(&plan, node).programs;
        let found = programs.iter().find(|program| program.product == product);
        found.map(|program| program.version.to_string())
    };
    assert_eq!(
        version("example-one-wn-cpu-0", "nomad").as_deref(),
        Some("1.11.3")
    );
    assert_eq!(version("old-worker", "nomad").as_deref(), Some("1.10.5"));
    assert_eq!(version("old-worker", "consul").as_deref(), Some("1.22.3"));
}

#[test]
fn the_plugins_of_networks_are_the_five_that_nomad_calls() {
    let plan = plan(&kinds());
    let plugins = |node: &str| {
        let programs = host(&plan, node).programs.iter();
        let paths = programs
            .filter(|program| !program.linked)
            .map(Program::path);
        paths.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        plugins("example-one-gateway-0"),
        "/opt/atoll/cni/1.9.1/bridge /opt/atoll/cni/1.9.1/firewall /opt/atoll/cni/1.9.1/host-local \
         /opt/atoll/cni/1.9.1/loopback /opt/atoll/cni/1.9.1/portmap"
    );
    assert_eq!(plugins("example-one-server-0"), "");
}

/// The keys have nowhere to go where the operator's own template is no object.
#[test]
fn a_template_that_is_no_json_takes_no_keys() {
    for text in ["nonsense", "[]", ""] {
        let own = BTreeMap::from([("docker/daemon.json.tera".to_owned(), text.to_owned())]);
        let told = render(&plan(&kinds()), &Overrides::of(own).unwrap()).unwrap_err();
        let told = told.to_string();
        assert!(
            told.starts_with("cannot merge extra_yaml into docker/daemon.json"),
            "{told}"
        );
    }
}

#[test]
fn every_daemon_json_is_one() {
    let rendered = render(&plan(&kinds()), &Overrides::default()).unwrap();
    let files = rendered.hosts.values().flatten();
    let mut seen = 0;
    for file in files.filter(|file| file.path.ends_with("daemon.json")) {
        let Body::Text(text) = &file.body else {
            panic!("{} is no text", file.path)
        };
        let daemon: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            daemon.get("live-restore"),
            None,
            "Nomad would move all tasks"
        );
        seen += 1;
    }
    assert_eq!(seen, 8);
}

/// With the sizes of files beside a driver that writes none, Docker does not start.
#[test]
fn a_log_driver_without_files_has_no_sizes_of_files() {
    for (levels, driver, has_sizes) in [
        (["", ""], "json-file", true),
        (["local", ""], "local", true),
        (["journald", ""], "journald", false),
        (["journald", "json-file"], "json-file", true),
        (["", "none"], "none", false),
    ] {
        let mut inventory = kinds();
        let site = inventory.sites.values_mut().next().unwrap();
        let [of_all, of_site] = levels.map(|driver| {
            let driver = Some(driver).filter(|it| !it.is_empty());
            driver.map(|it| ("log-driver".to_owned(), it.into()))
        });
        site.extra.docker = of_site.into_iter().collect();
        inventory.federation.extra.docker = of_all.into_iter().collect();
        for host in site.hosts.values_mut() {
            host.extra.docker.clear();
        }
        let rendered = render(&plan(&inventory), &Overrides::default()).unwrap();
        let files = rendered.hosts.values().flatten();
        let file = files
            .clone()
            .find(|file| file.path.ends_with("daemon.json"));
        let Body::Text(text) = &file.unwrap().body else {
            panic!("no text")
        };
        let daemon: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(daemon["log-driver"], driver, "{levels:?}");
        let sizes = daemon["log-opts"].get("max-size");
        assert_eq!(sizes.is_some(), has_sizes, "{levels:?}: {text}");
    }
}

/// With Docker's socket it is as root: nobody may change it on the way.
#[test]
fn the_clean_up_starts_from_a_pinned_image() {
    let mut inventory = kinds();
    inventory.federation.image_cleanup = Some(ImageCleanup {
        image: "registry.example.org/docuum:0.25.0".to_owned(),
        threshold: "60%".to_owned(),
    });
    let brought = |inventory: &Inventory| -> Vec<String> {
        let image = &inventory.federation.image_cleanup.as_ref().unwrap().image;
        let hosts = plan(inventory).hosts.into_iter();
        let with = hosts.filter(|(_, host)| host.images.contains(image));
        with.map(|(node, _)| node.to_string()).collect()
    };
    let all = plan(&inventory).hosts;
    let clients = inventory.sites.values().flat_map(|site| {
        let hosts = site.hosts.values();
        hosts.filter(|host| host.has(Role::Client) && !host.has(Role::Gateway))
    });
    let clients: Vec<_> = clients.map(|host| host.node.to_string()).collect();
    assert!(
        clients.len() > 3 && clients.len() < all.len(),
        "{clients:?}"
    );
    let sorted = |mut nodes: Vec<String>| {
        nodes.sort();
        nodes
    };
    assert_eq!(sorted(brought(&inventory)), sorted(clients));
    let digest = format!("registry.example.org/docuum@sha256:{}", "0".repeat(64));
    inventory.federation.image_cleanup.as_mut().unwrap().image = digest;
    assert_eq!(brought(&inventory), Vec::<String>::new());
}
