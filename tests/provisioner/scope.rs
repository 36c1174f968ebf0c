//! A run on a part of the federation: what is its own, what is left out, and what it may note.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use federation::names::NodeName;
use jiff::Timestamp;
use provisioner::apply::{Desired, Manifest, Reach, Scope, survey};
use provisioner::artifacts::Lock;
use provisioner::host::{Credentials, KnownHosts};
use provisioner::inventory::{self, Inventory};
use provisioner::plan::{Plan, Secret, plan};
use provisioner::progress::{Event, Listener};
use provisioner::render::{Body, Overrides, Rendered, render};
use provisioner::secrets::{Identity, Store, keygen};
use provisioner::select::Selector;

use crate::kinds::kinds;

fn example_folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../inventories/example")
}

fn example() -> Inventory {
    inventory::load(&example_folder()).unwrap().inventory
}

fn chosen(plan: &Plan, on: &str) -> BTreeSet<NodeName> {
    on.parse::<Selector>().unwrap().nodes(plan).unwrap()
}

/// What a command has before it connects to anybody.
struct Prepared {
    plan: Plan,
    rendered: Rendered,
    scope: Scope,
}

fn prepared(inventory: &Inventory, on: Option<&str>, store: &mut Store) -> Prepared {
    let mut plan = plan(inventory);
    let mut rendered = render(&plan, &Overrides::default()).unwrap();
    let mut scope = Scope::new(&plan, on.map(|on| chosen(&plan, on)));
    scope.narrow(&mut plan, &mut rendered, store);
    Prepared {
        plan,
        rendered,
        scope,
    }
}

fn store(folder: &Path) -> Store {
    let identity = folder.join("identity");
    keygen(&identity).unwrap();
    Store::open(folder, &Identity::from_file(&identity).unwrap()).unwrap()
}

fn now() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn noted(digest: &str) -> Manifest {
    Manifest {
        services: Some(digest.to_owned()),
        ..Manifest::default()
    }
}

/// A host alone is given every secret that its files name, and none is made for others.
#[test]
fn a_host_alone_has_the_secrets_of_its_files() {
    for inventory in [kinds(), example()] {
        let whole = plan(&inventory);
        let texts = render(&whole, &Overrides::default()).unwrap();
        for (node, files) in &texts.hosts {
            let services = whole.services_for(&[node.clone()].into());
            let part = Plan {
                services,
                ..whole.clone()
            };
            let secrets: BTreeSet<String> =
                part.secrets().iter().map(Secret::placeholder).collect();
            for file in files {
                let Body::Text(text) = &file.body else {
                    continue;
                };
                for named in text.split("@secret(").skip(1) {
                    let name = named.split(')').next().unwrap();
                    let placeholder = format!("@secret({name})@");
                    assert!(secrets.contains(&placeholder), "{node}: {placeholder}");
                }
            }
            let mut others = whole.hosts.keys().filter(|other| *other != node);
            let stranger = others.find(|other| {
                let own = format!("@secret(node/{other}/");
                secrets.iter().any(|secret| secret.starts_with(&own))
            });
            assert_eq!(stranger, None, "of {node}");
        }
    }
}

#[test]
fn a_part_has_no_gateway_and_no_token_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    let part = prepared(&example(), Some("@site:example-one"), &mut store);
    let gateways: Vec<_> = part.plan.services.gateways.iter().collect();
    assert_eq!(gateways.len(), 1);
    assert_eq!(gateways[0].node.as_str(), "example-one-gateway-0");
    let jobs: Vec<_> = part.rendered.services.gateways.iter().collect();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].node.as_str(), "example-one-gateway-0");
    let tokens = part.plan.services.consul_tokens.iter();
    let names: Vec<_> = tokens.map(|token| token.secret.to_string()).collect();
    assert!(
        names.iter().all(|name| name.contains("example-one")),
        "{names:?}"
    );
    assert_eq!(names.len(), 13, "{names:?}");
    // Whom to join and how many there are is still known.
    assert_eq!(part.plan.hosts.len(), 8);
    // The other site's institute has given no certificate: no reason to refuse this one.
    assert!(part.plan.services.given().is_empty());
    assert_eq!(plan(&example()).services.given().len(), 2);
    for secret in plan(&example()).secrets() {
        let is_there = store.value(&secret).is_some();
        assert_eq!(is_there, part.plan.secrets().contains(&secret), "{secret}");
    }
}

/// What all share is set by who can note it, on the server that keeps the note.
#[test]
fn what_is_left_out_is_said() {
    let apis = |lacks: &str| {
        format!(
            "what is set through the APIs: policies, namespaces, jobs, Traefik (choose {lacks} too)"
        )
    };
    let second = "Traefik on example-two-gateway-0".to_owned();
    let one = "example-one-server-0";
    for (on, hosts, expected) in [
        ("wn-1", "7 of 8 hosts", apis(one)),
        ("@gateway", "6 of 8 hosts", apis(one)),
        ("@site:example-two", "4 of 8 hosts", apis(one)),
        ("@site:example-one", "4 of 8 hosts", second.clone()),
        (
            "example-one-server-0,wn-1",
            "6 of 8 hosts",
            "Traefik on example-one-gateway-0, example-two-gateway-0".to_owned(),
        ),
    ] {
        let plan = plan(&example());
        let scope = Scope::new(&plan, Some(chosen(&plan, on)));
        assert_eq!(scope.left_out(&plan), [hosts.to_owned(), expected], "{on}");
        assert_eq!(scope.sets_shared(), on.contains("one"), "{on}");
    }
    let plan = plan(&example());
    for scope in [None, Some("*")] {
        let scope = Scope::new(&plan, scope.map(|on| chosen(&plan, on)));
        assert!(scope.is_whole() && scope.sets_shared());
        assert_eq!(scope.left_out(&plan), Vec::<String>::new());
        assert_eq!(scope.not_proved(&plan), Vec::<String>::new());
    }
    let scope = Scope::new(&plan, Some(chosen(&plan, "@site:example-one")));
    assert_eq!(
        scope.not_proved(&plan),
        ["4 of 8 hosts", "routes through example-two-gateway-0"]
    );
}

/// Where the region's Nomad server is not the host that notes, both must be chosen.
#[test]
fn both_servers_are_named_where_they_are_two() {
    let mut inventory = kinds();
    let one = inventory.sites.values_mut().next().unwrap();
    for (name, host) in &mut one.hosts {
        let role = provisioner::inventory::Role::NomadServer;
        if name.as_str() == "server-0" || name.as_str() == "server-1" {
            host.roles.remove(&role);
        }
    }
    let plan = plan(&inventory);
    for (on, lacks) in [
        (
            "wn-cpu-0",
            Some("example-one-server-0, example-one-server-2"),
        ),
        ("example-one-server-0", Some("example-one-server-2")),
        ("server-2", Some("example-one-server-0")),
        ("example-one-server-0,server-2", None),
    ] {
        let scope = Scope::new(&plan, Some(chosen(&plan, on)));
        let told = scope.left_out(&plan).join("; ");
        assert_eq!(scope.sets_shared(), lacks.is_none(), "{on}: {told}");
        if let Some(lacks) = lacks {
            assert!(
                told.ends_with(&format!("(choose {lacks} too)")),
                "{on}: {told}"
            );
        }
    }
}

#[test]
fn a_part_is_done_with_the_whole_but_never_the_whole_with_a_part() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    let whole = prepared(&example(), None, &mut store).scope;
    let part = prepared(&example(), Some("@site:example-one"), &mut store).scope;
    let other = prepared(&example(), Some("@server"), &mut store).scope;
    let done = |scope: &Scope, by: &Scope| scope.is_done(&noted(by.digest()), now());
    assert!(done(&whole, &whole) && done(&part, &part) && done(&part, &whole));
    assert!(!done(&whole, &part), "a part was noted as all");
    assert!(!done(&other, &part) && !done(&part, &other));
}

/// A change at a site that is not chosen is no reason to do anything; one of what all share is.
#[test]
fn a_part_differs_by_what_it_sets() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    let on = Some("@site:example-one");
    let before = prepared(&example(), on, &mut store).scope;
    let whole = prepared(&example(), None, &mut store).scope;

    let mut elsewhere = example();
    let two = elsewhere.sites.values_mut().last().unwrap();
    two.versions.traefik = "3.7.14".parse().unwrap();
    assert_eq!(
        prepared(&elsewhere, on, &mut store).scope.digest(),
        before.digest()
    );
    let scope = prepared(&elsewhere, None, &mut store).scope;
    assert_ne!(scope.digest(), whole.digest());

    let mut shared = example();
    let vo = shared.federation.vos.values_mut().next().unwrap();
    vo.namespace = "changed".parse().unwrap();
    let scope = prepared(&shared, on, &mut store).scope;
    assert_ne!(scope.digest(), before.digest());
    // It was set by a run on all hosts, when it was another one.
    assert!(!scope.is_done(&noted(whole.digest()), now()));
}

/// A copy of the example, and a run of `atoll` on it that reaches no host.
fn atoll(edit: (&str, &str), flags: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sites")).unwrap();
    for file in [
        "federation.yaml",
        "sites/example-one.yaml",
        "sites/example-two.yaml",
    ] {
        let text = fs::read_to_string(example_folder().join(file)).unwrap();
        fs::write(folder.path().join(file), text.replace(edit.0, edit.1)).unwrap();
    }
    fs::write(folder.path().join("known_hosts"), "").unwrap();
    fs::write(folder.path().join("artifacts.lock"), "").unwrap();
    keygen(&folder.path().join("identity")).unwrap();
    let (verb, flags) = flags.split_first().unwrap();
    Command::new(env!("CARGO_BIN_EXE_atoll"))
        .arg(verb)
        .arg(folder.path())
        .args(flags)
        .env("ATOLL_IDENTITY_FILE", folder.path().join("identity"))
        .env_remove("SSH_AUTH_SOCK")
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn a_choice_of_nobody_ends_a_command_before_it_begins() {
    for verb in [&["plan"][..], &["apply", "--yes"], &["verify"]] {
        let flags = [verb, &["--on", "wn-7,@gpu"]].concat();
        let output = atoll(("", ""), &flags);
        let said = told(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("no host is meant by `wn-7` (did you mean wn-0"),
            "{said}"
        );
        let there =
            "the inventory has @site:example-one, @site:example-two and example-one-gateway-0";
        assert!(said.contains(there), "{said}");
        let output = atoll(("", ""), &[verb, &["--on", "@gpus"]].concat());
        let said = told(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("`@gpus` means nothing"), "{said}");
    }
}

/// Takes every connection, ends it, and counts them.
fn door() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&came);
    std::thread::spawn(move || {
        for visitor in listener.incoming() {
            counter.fetch_add(1, Ordering::SeqCst);
            drop(visitor);
        }
    });
    (port, came)
}

struct Deaf;

impl Listener for Deaf {
    fn tell(&self, _: Event) {}
}

#[test]
fn only_chosen_hosts_are_connected_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    let on = "wn-*,@site:example-two";
    let mut it = prepared(&example(), Some(on), &mut store);
    let mut doors = BTreeMap::new();
    for (node, host) in &mut it.plan.hosts {
        let (port, came) = door();
        (host.login.address, host.login.port) = (Ipv4Addr::LOCALHOST.into(), port);
        doors.insert(node.clone(), came);
    }
    fs::write(folder.path().join("known_hosts"), "").unwrap();
    fs::write(folder.path().join("artifacts.lock"), "").unwrap();
    let desired = Desired {
        plan: &it.plan,
        scope: &it.scope,
        rendered: &it.rendered,
        store: &store,
        lock: &Lock::read(folder.path()).unwrap(),
        now: now(),
        deep: false,
    };
    let reach = Reach {
        credentials: &Credentials { key: None },
        known_hosts: &KnownHosts::read(&folder.path().join("known_hosts")).unwrap(),
    };
    let answers = survey(&desired, &reach, None, &Deaf);
    assert!(answers.values().all(Result::is_err));
    let asked: BTreeSet<NodeName> = answers.into_keys().collect();
    assert_eq!(asked, chosen(&it.plan, on));
    let came = doors
        .iter()
        .filter(|(_, came)| came.load(Ordering::SeqCst) > 0);
    let came: BTreeSet<NodeName> = came.map(|(node, _)| node.clone()).collect();
    assert_eq!(came, asked);
}

/// The first of these ends later, for another reason.
#[test]
fn a_jump_host_of_others_is_no_obstacle() {
    let edit = (
        "user: ops, port: 2222",
        "user: ops, port: 2222, jump: [bastion.two.example]",
    );
    for (on, is_behind) in [("example-one-server-0", false), ("server-0", true)] {
        let output = atoll(edit, &["verify", "--on", on]);
        let said = told(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        let refused = said.contains("cannot reach example-two-server-0: they are behind");
        assert_eq!(refused, is_behind, "{said}");
    }
}

#[test]
fn servers_alone_prove_nothing() {
    let output = atoll(("", ""), &["verify", "--on", "@server"]);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("nothing to prove on servers alone"), "{said}");
}
