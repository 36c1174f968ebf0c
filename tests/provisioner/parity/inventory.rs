//! What an inventory says in one place, where groups and variables said it in several.

use federation::names::NodeName;

use super::{World, example, problems};
use crate::golden::name;

const FEDERATION: &str = "federation.yaml";
const SITE: &str = "sites/example-one.yaml";

/// What a run does is said by its command: no key turns it on and off.
#[test]
fn no_key_is_a_switch_for_a_run() {
    for word in [
        "from_scratch_cluster_installation: true",
        "add_new_nodes: true",
        "version_update: true",
    ] {
        let key = word.split_once(':').unwrap().0;
        let answer = problems(&[(FEDERATION, "introduction: strict", word)]);
        assert!(answer.contains(&format!("{key}: unknown key")), "{answer}");
    }
}

/// A host's roles decide which agents it runs, and nothing else lists it.
#[test]
fn roles_decide_what_a_host_runs() {
    let three = "\n  server-1: { roles: [consul-server], address: 198.51.100.21 }\n  server-2: { roles: [nomad-server], address: 198.51.100.22 }\n  wn-0:  ";
    let world = World::of(&example(&[(SITE, "\n  wn-0:     ", three)]));
    for (host, expected) in [
        ("server-0", "consul server, nomad server"),
        ("server-1", "consul server"),
        ("server-2", "consul client, nomad server"),
        ("gateway-0", "consul client, nomad client, docker"),
        ("wn-0", "consul client, nomad client, docker"),
        ("wn-1", "consul client, nomad client, docker"),
    ] {
        let plan = world.host(&format!("example-one-{host}"));
        let has = |path: &str| plan.files.iter().any(|file| file.path == path);
        let all = [
            ("/etc/consul.d/server.hcl", "consul server"),
            ("/etc/consul.d/client.hcl", "consul client"),
            ("/etc/nomad.d/server.hcl", "nomad server"),
            ("/etc/nomad.d/client.hcl", "nomad client"),
            ("/etc/docker/daemon.json", "docker"),
        ];
        let found: Vec<_> = all
            .iter()
            .filter(|(path, _)| has(path))
            .map(|(_, what)| *what)
            .collect();
        assert_eq!(found.join(", "), expected, "{host}");
    }
}

#[test]
fn the_gateway_role_brings_traefik_and_both_clients() {
    let world = World::example();
    let gateway = &world.plan.services.gateways[0];
    assert_eq!(gateway.node.as_str(), "example-one-gateway-0");
    let plan = world.host("example-one-gateway-0");
    assert!(plan.agents.nomad_client && !plan.agents.consul_server);
    assert!(plan.images.contains(&"traefik:v3.7.15".to_owned()));
    let worker = world.host("example-one-wn-0");
    assert!(!worker.images.contains(&"traefik:v3.7.15".to_owned()));
}

/// A try-me node is a client like others: same files, same packages, same units.
#[test]
fn a_tryme_node_is_a_full_client() {
    let world = World::of(&example(&[(
        SITE,
        "198.51.100.13 }",
        "198.51.100.13, kind: tryme }",
    )]));
    let tryme = world.host("example-one-wn-0");
    let other = World::example();
    let compute = other.host("example-one-wn-0");
    let paths = |host: &provisioner::plan::HostPlan| {
        host.files
            .iter()
            .map(|file| file.path.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(paths(tryme), paths(compute));
    assert_eq!(tryme.packages, compute.packages);
    assert_eq!(tryme.units, compute.units);
    let path = "example-one-wn-0/etc/nomad.d/client.hcl";
    world.says(
        path,
        &[("client.meta.type", "tryme"), ("client.meta.domain", "one")],
    );
}

/// Lines may move, and others may go: who stays keeps its name in every product.
#[test]
fn the_order_of_hosts_names_nobody() {
    let gateway = "  gateway-0: { roles: [gateway], address: 198.51.100.12 }\n";
    let moved = World::of(&example(&[
        (SITE, gateway, ""),
        (SITE, "  wn-1:\n", &format!("{gateway}  wn-1:\n")),
    ]));
    assert_eq!(moved.texts, World::example().texts);
    let without = World::of(&example(&[(
        SITE,
        "  wn-0:      { roles: [client],  address: 198.51.100.13 }\n",
        "",
    )]));
    for path in [
        "consul.d/consul.hcl",
        "nomad.d/nomad.hcl",
        "nomad.d/client.hcl",
    ] {
        let path = format!("example-one-wn-1/etc/{path}");
        assert_eq!(without.text(&path), World::example().text(&path));
    }
}

/// The name is the host's own, and the same in Consul and Nomad, whatever it runs.
#[test]
fn a_node_is_named_once_for_all_products() {
    let world = World::of(&example(&[(
        SITE,
        "198.51.100.13 }",
        "198.51.100.13, name: adopted-wn-cpu-7 }",
    )]));
    for (node, products) in [
        ("example-one-server-0", &["consul", "nomad"][..]),
        ("example-one-gateway-0", &["consul", "nomad"]),
        ("adopted-wn-cpu-7", &["consul", "nomad"]),
    ] {
        for product in products {
            let key = if *product == "consul" {
                "node_name"
            } else {
                "name"
            };
            let path = format!("{node}/etc/{product}.d/{product}.hcl");
            world.says(&path, &[(key, node)]);
        }
    }
    let world = World::varied();
    let books = "demo-ai4eosc-books/etc/consul.d/consul.hcl";
    world.says(books, &[("node_name", "demo-ai4eosc-books")]);
}

/// A joining site is one more file: what is there stays as it is, but for what lists servers.
#[test]
fn a_site_joins_by_its_own_file() {
    let both = crate::golden::samples();
    let mut alone = both.clone();
    alone.sites.remove(&name("demo-ai4eosc"));
    let (before, after) = (World::of(&alone), World::of(&both));
    let changed: Vec<_> = before
        .texts
        .iter()
        .filter(|(path, text)| after.texts.get(*path) != Some(text))
        .map(|(path, _)| path.to_str().unwrap())
        .filter(|path| !path.ends_with("manifest.json") && !path.starts_with("federation/"))
        .collect();
    assert_eq!(
        changed,
        [
            "ifca-ai4eosc-server-0/etc/consul.d/server.hcl",
            "ifca-ai4eosc-server-1/etc/consul.d/server.hcl",
            "ifca-ai4eosc-server-2/etc/consul.d/server.hcl"
        ]
    );
    for node in ["demo-ai4eosc-server-0", "demo-ai4eosc-traefik"] {
        let host = after.host(node);
        for path in ["/etc/consul.d/consul.hcl", "/etc/nomad.d/client.hcl"] {
            let found = host.files.iter().any(|file| file.path == path);
            assert!(found, "{node}: {path}");
        }
        assert_eq!(host.datacenter.as_str(), "demo-ai4eosc");
    }
}

/// The namespaces of the federation and those of a host are two things.
#[test]
fn a_host_narrows_the_namespaces_and_makes_none() {
    let world = World::of(&example(&[(
        SITE,
        "198.51.100.13 }",
        "198.51.100.13, vos: [vo.imagine.example] }",
    )]));
    let path = "example-one-wn-0/etc/nomad.d/client.hcl";
    world.says(path, &[("client.meta.namespace", "imagine")]);
    let names: Vec<_> = world
        .plan
        .services
        .namespaces
        .iter()
        .map(|namespace| namespace.name.as_str())
        .collect();
    assert_eq!(names, ["example", "imagine"]);
}

/// All clients of a site have its label: a host has no key for another one.
#[test]
fn the_domain_is_the_site_s_alone() {
    let answer = problems(&[(SITE, "198.51.100.13 }", "198.51.100.13, domain: two }")]);
    assert!(
        answer.contains("hosts.wn-0.domain: unknown key"),
        "{answer}"
    );
    let world = World::example();
    for host in ["wn-0", "wn-1", "gateway-0"] {
        let path = format!("example-one-{host}/etc/nomad.d/client.hcl");
        world.says(&path, &[("client.meta.domain", "one")]);
    }
}

/// Where the operator keeps things and where hosts do are two places.
#[test]
fn no_path_is_shared_by_hosts_and_operator() {
    for key in ["path: /home/debian/", "username: debian"] {
        let answer = problems(&[(FEDERATION, "introduction: strict", key)]);
        assert!(answer.contains("unknown key"), "{answer}");
    }
}

/// A disk is named by its path, by its ID, or by its bare name; its partition has a label.
#[test]
fn a_data_volume_is_named_as_the_operator_knows_it() {
    for (said, device, label) in [
        ("vdb", "/dev/vdb", "atoll-data"),
        ("/dev/nvme1n1", "/dev/nvme1n1", "atoll-data"),
        (
            "{ device: /dev/disk/by-id/virtio-1, label: old-data }",
            "/dev/disk/by-id/virtio-1",
            "old-data",
        ),
    ] {
        let volume = format!("198.51.100.13, volume: {said} }}");
        let inventory = example(&[(SITE, "198.51.100.13 }", &volume)]);
        let hosts = inventory.hosts();
        let (_, host) = hosts[&name::<NodeName>("example-one-wn-0")];
        let volume = host.volume.as_ref().unwrap();
        assert_eq!(
            (volume.device.as_str(), volume.label.as_str()),
            (device, label)
        );
    }
}
