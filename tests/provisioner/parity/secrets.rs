//! Where each secret goes, and that it goes nowhere else.

use std::collections::{BTreeMap, BTreeSet};

use provisioner::plan::{Authority, Content, Leaf};

use super::World;

/// The leaves of all private keys, with the hosts that hold them and the paths.
fn keys(world: &World) -> Vec<(String, String, Leaf)> {
    let mut keys = Vec::new();
    for host in world.plan.hosts.values() {
        for file in &host.files {
            if let Content::PrivateKey(leaf) = &file.content {
                keys.push((host.node.to_string(), file.path.clone(), Leaf::clone(leaf)));
            }
        }
    }
    keys
}

#[test]
fn management_tokens_and_traefik_s_are_on_no_host() {
    let world = World::varied();
    for word in ["management-token", "traefik-token"] {
        assert_eq!(
            world.holding(&format!("/{word})@")),
            Vec::<&str>::new(),
            "{word}"
        );
    }
    let gateway = &world.plan.services.gateways[0];
    assert_eq!(
        gateway.consul_token.to_string(),
        "datacenter/demo-ai4eosc/consul/traefik-token"
    );
}

#[test]
fn the_replication_token_is_on_servers_of_its_own_joining_site() {
    let world = World::varied();
    assert_eq!(
        world.holding("replication-token)@"),
        ["demo-ai4eosc-server-0/etc/consul.d/acl.hcl"]
    );
    let tokens = &world.plan.services.consul_tokens;
    let replication: Vec<_> = tokens
        .iter()
        .filter(|token| token.policies == ["replication"])
        .map(|token| token.secret.to_string())
        .collect();
    assert_eq!(
        replication,
        ["datacenter/demo-ai4eosc/consul/replication-token"]
    );
}

/// A token of a node stands in files of that node, and in one of them.
#[test]
fn a_token_of_a_node_is_on_that_node_alone() {
    let world = World::varied();
    for node in world.plan.hosts.keys() {
        let (consul, nomad) = (
            format!("@secret(node/{node}/consul/agent-token)@"),
            format!("@secret(node/{node}/consul/nomad-token)@"),
        );
        assert_eq!(
            world.holding(&consul),
            [format!("{node}/etc/consul.d/acl.hcl")]
        );
        let expected: Vec<_> = world.plan.hosts[node]
            .agents
            .runs_nomad()
            .then(|| format!("{node}/etc/nomad.d/nomad.hcl"))
            .into_iter()
            .collect();
        assert_eq!(world.holding(&nomad), expected);
    }
}

#[test]
fn an_agent_s_token_is_the_identity_of_its_node_and_nomad_has_another() {
    let world = World::samples();
    for (node, host) in &world.plan.hosts {
        let secret = format!("node/{node}/consul/agent-token");
        let tokens = &world.plan.services.consul_tokens;
        let agent = tokens
            .iter()
            .find(|token| token.secret.to_string() == secret);
        let agent = agent.unwrap();
        assert_eq!(agent.node, Some((node.clone(), host.datacenter.clone())));
        assert_eq!(agent.policies, Vec::<&str>::new());
        let secret = format!("node/{node}/consul/nomad-token");
        let nomad = tokens
            .iter()
            .find(|token| token.secret.to_string() == secret);
        assert_eq!(nomad.unwrap().node, None);
        let policy = if host.agents.nomad_server {
            "nomad-server"
        } else {
            "nomad-client"
        };
        assert_eq!(nomad.unwrap().policies, [policy]);
    }
}

#[test]
fn each_gateway_s_site_has_a_token_that_only_reads() {
    let world = World::varied();
    let tokens = world.plan.services.consul_tokens.iter();
    let traefik: Vec<_> = tokens
        .filter(|token| token.secret.to_string().ends_with("traefik-token"))
        .map(|token| format!("{} {}", token.secret, token.policies.join(" ")))
        .collect();
    assert_eq!(
        traefik,
        ["datacenter/demo-ai4eosc/consul/traefik-token traefik-read"]
    );
}

/// An authority's certificate goes to hosts; there is no way to say that its key should.
#[test]
fn keys_of_authorities_are_on_no_host() {
    let world = World::varied();
    for (node, path, leaf) in keys(&world) {
        assert_eq!(leaf.common_name, node, "{path}");
    }
    assert_eq!(world.holding("PRIVATE KEY"), Vec::<&str>::new());
}

/// No two hosts hold the same key, and on a host no two files do.
#[test]
fn every_key_is_of_one_node_and_one_use() {
    let world = World::varied();
    let keys = keys(&world);
    let distinct: BTreeSet<_> = keys.iter().map(|(_, _, leaf)| leaf.clone()).collect();
    assert_eq!(distinct.len(), keys.len());
    assert!(keys.len() >= 20, "{}", keys.len());
}

/// Who may act as a server of Nomad is told by a name, and no key of an administrator is on hosts.
#[test]
fn a_worker_s_key_makes_nobody_a_server_or_an_operator() {
    let world = World::samples();
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (node, path, leaf) in keys(&world) {
        if leaf.authority == Authority::Nomad && path.starts_with("/etc/nomad.d/") {
            names
                .entry(node)
                .or_default()
                .push(leaf.dns_names.join(" "));
        }
    }
    assert_eq!(
        names["demo-ai4eosc-traefik"],
        ["client.ai4os.nomad localhost demo-ai4eosc-traefik"]
    );
    assert_eq!(
        names["ifca-ai4eosc-server-0"],
        ["server.ai4os.nomad localhost ifca-ai4eosc-server-0"]
    );
    for (_, path, _) in keys(&world) {
        assert!(!path.contains("cli"), "{path}");
    }
}

/// A host that is added changes no key and no certificate of another one.
#[test]
fn an_added_server_leaves_the_keys_of_others() {
    let mut inventory = crate::golden::samples();
    let before = keys(&World::of(&inventory));
    let demo = inventory
        .sites
        .get_mut(&"demo-ai4eosc".parse().unwrap())
        .unwrap();
    let mut server = demo.hosts[&"server-0".parse().unwrap()].clone();
    server.node = "demo-ai4eosc-aaa".parse().unwrap();
    server.address = [10, 88, 0, 19].into();
    server.public_address = server.address;
    demo.hosts.insert("aaa".parse().unwrap(), server);
    let mut after = keys(&World::of(&inventory));
    let new = after.len() - before.len();
    after.retain(|(node, ..)| node != "demo-ai4eosc-aaa");
    assert_eq!(after, before);
    assert!(new > 0);
}

/// Nodes do not reach each other by SSH: nothing of it is given to them.
#[test]
fn no_host_is_given_a_key_of_ssh() {
    let world = World::varied();
    for host in world.plan.hosts.values() {
        for file in &host.files {
            assert!(!file.path.contains("ssh"), "{}", file.path);
        }
    }
    assert_eq!(world.holding("OPENSSH"), Vec::<&str>::new());
}
