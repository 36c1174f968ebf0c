//! Consul's own files.

use super::{CONSUL_SERVERS, NODES, World};
use crate::golden::{name, samples};

fn file(node: &str, file: &str) -> String {
    format!("{node}/etc/consul.d/{file}")
}

#[test]
fn an_agent_knows_its_datacenter_its_name_and_its_folder() {
    let world = World::samples();
    for (node, datacenter) in NODES {
        world.says(
            &file(node, "consul.hcl"),
            &[
                ("datacenter", *datacenter),
                ("primary_datacenter", "ifca-ai4eosc"),
                ("domain", "consul"),
                ("node_name", *node),
                ("data_dir", "/opt/consul"),
            ],
        );
    }
}

#[test]
fn every_retry_join_names_all_servers_of_the_datacenter() {
    let world = World::samples();
    for (node, datacenter) in NODES {
        let servers = match *datacenter {
            "demo-ai4eosc" => r#"["10.88.0.14"]"#,
            _ => r#"["10.88.0.11","10.88.0.12","10.88.0.13"]"#,
        };
        world.says(&file(node, "consul.hcl"), &[("retry_join", servers)]);
    }
}

#[test]
fn every_retry_join_wan_names_the_servers_of_all_sites() {
    let world = World::samples();
    let all = r#"["10.88.0.11","10.88.0.12","10.88.0.13","10.88.0.14"]"#;
    for node in CONSUL_SERVERS {
        world.says(&file(node, "server.hcl"), &[("retry_join_wan", all)]);
    }
}

#[test]
fn a_new_server_is_known_to_every_server_of_the_federation() {
    let mut inventory = samples();
    let demo = inventory.sites.get_mut(&name("demo-ai4eosc")).unwrap();
    let mut server = demo.hosts[&name("server-0")].clone();
    server.node = name("demo-ai4eosc-server-1");
    server.address = [10, 88, 0, 19].into();
    server.public_address = [198, 51, 100, 19].into();
    demo.hosts.insert(name("server-1"), server);
    let world = World::of(&inventory);
    for node in CONSUL_SERVERS {
        let told = &world.facts(&file(node, "server.hcl"))["retry_join_wan"];
        assert!(told.contains("198.51.100.19"), "{node}: {told}");
    }
    let within = &world.facts(&file("demo-ai4eosc-traefik", "consul.hcl"))["retry_join"];
    assert_eq!(within, r#"["10.88.0.14","10.88.0.19"]"#);
}

#[test]
fn an_agent_is_met_within_its_site_and_a_server_from_outside() {
    let world = World::varied();
    for (node, address) in [
        ("ifca-ai4eosc-server-1", "10.88.0.12"),
        ("old-gateway", "10.88.0.16"),
    ] {
        world.says(
            &file(node, "consul.hcl"),
            &[("bind_addr", address), ("advertise_addr", address)],
        );
    }
    world.says(
        &file("ifca-ai4eosc-server-1", "server.hcl"),
        &[("advertise_addr_wan", "2001:db8::1")],
    );
}

#[test]
fn tls_is_wanted_of_both_sides_and_servers_have_a_name() {
    let world = World::samples();
    for (node, _) in NODES {
        let is_server = CONSUL_SERVERS.contains(node);
        let own = |path: &'static str| if is_server { path } else { "" };
        world.says(
            &file(node, "consul.hcl"),
            &[
                (
                    "tls.defaults.ca_file",
                    "/etc/consul.d/certs/consul-agent-ca.pem",
                ),
                (
                    "tls.defaults.cert_file",
                    own("/etc/consul.d/certs/server.pem"),
                ),
                (
                    "tls.defaults.key_file",
                    own("/etc/consul.d/certs/server-key.pem"),
                ),
                ("tls.defaults.verify_incoming", "true"),
                ("tls.defaults.verify_outgoing", "true"),
                ("tls.internal_rpc.verify_server_hostname", "true"),
            ],
        );
    }
}

#[test]
fn clients_get_their_certificates_from_servers() {
    let world = World::samples();
    for (node, _) in NODES {
        if CONSUL_SERVERS.contains(node) {
            world.says(
                &file(node, "server.hcl"),
                &[("auto_encrypt.allow_tls", "true"), ("server", "true")],
            );
        } else {
            world.says(
                &file(node, "client.hcl"),
                &[("auto_encrypt.tls", "true"), ("server", "false")],
            );
        }
    }
}

/// Whoever was first is one of several: its files say nothing that others' do not.
#[test]
fn no_server_is_special() {
    let world = World::samples();
    for product in ["consul.d", "nomad.d"] {
        let server = |node: &str| {
            let mut facts = world.facts(&format!("{node}/etc/{product}/server.hcl"));
            facts.remove("advertise_addr_wan");
            facts
        };
        let first = server("ifca-ai4eosc-server-0");
        assert_eq!(first, server("ifca-ai4eosc-server-1"), "{product}");
        assert_eq!(first, server("ifca-ai4eosc-server-2"), "{product}");
    }
    for (node, expected) in [
        ("ifca-ai4eosc-server-0", "3"),
        ("demo-ai4eosc-server-0", "1"),
    ] {
        let options = [("bootstrap_expect", expected), ("bootstrap", "")];
        world.says(&file(node, "server.hcl"), &options);
    }
}

#[test]
fn http_dns_and_grpc_are_not_open_to_the_network() {
    let world = World::samples();
    for (node, _) in NODES {
        world.says(&file(node, "consul.hcl"), &[("client_addr", "127.0.0.1")]);
    }
    for node in CONSUL_SERVERS {
        let facts = world.facts(&file(node, "server.hcl"));
        let ports: Vec<_> = facts
            .iter()
            .filter(|(fact, _)| fact.starts_with("ports") || fact.ends_with("client_addr"))
            .collect();
        assert_eq!(
            ports,
            [(&"ports.grpc_tls".to_owned(), &"-1".to_owned())],
            "{node}"
        );
    }
}

#[test]
fn a_stopped_agent_does_not_leave() {
    let world = World::samples();
    for (node, _) in NODES {
        world.says(
            &file(node, "consul.hcl"),
            &[("leave_on_terminate", "false")],
        );
    }
}

#[test]
fn a_server_has_its_mesh_authority_its_page_and_production_timing() {
    let world = World::samples();
    for node in CONSUL_SERVERS {
        world.says(
            &file(node, "server.hcl"),
            &[
                ("server", "true"),
                ("connect.enabled", "true"),
                ("ui_config.enabled", "true"),
                ("ports.grpc_tls", "-1"),
                ("performance.raft_multiplier", "1"),
                ("autopilot.cleanup_dead_servers", "true"),
                ("autopilot.last_contact_threshold", "500ms"),
                ("autopilot.server_stabilization_time", "10s"),
            ],
        );
        world.says(
            &file(node, "consul.hcl"),
            &[
                ("telemetry.prometheus_retention_time", "60s"),
                ("telemetry.disable_hostname", "true"),
            ],
        );
    }
}

#[test]
fn access_is_denied_by_default_and_known_rights_outlast_a_cut() {
    let world = World::samples();
    for (node, _) in NODES {
        world.says(
            &file(node, "acl.hcl"),
            &[
                ("acl.enabled", "true"),
                ("acl.default_policy", "deny"),
                ("acl.down_policy", "extend-cache"),
            ],
        );
    }
}

#[test]
fn tokens_set_by_api_outlast_a_restart_on_every_agent() {
    let world = World::samples();
    for (node, _) in NODES {
        world.says(
            &file(node, "acl.hcl"),
            &[("acl.enable_token_persistence", "true")],
        );
    }
}

#[test]
fn every_agent_has_its_own_token_and_one_for_dns() {
    let world = World::samples();
    for (node, datacenter) in NODES {
        let agent = format!("@secret(node/{node}/consul/agent-token)@");
        let dns = format!("@secret(datacenter/{datacenter}/consul/dns-token)@");
        let expected = [
            ("acl.tokens.agent", agent.as_str()),
            ("acl.tokens.dns", &dns),
            ("acl.tokens.initial_management", ""),
            ("acl.tokens.default", ""),
        ];
        world.says(&file(node, "acl.hcl"), &expected);
    }
}

#[test]
fn only_servers_of_a_joining_site_replicate_tokens() {
    let world = World::samples();
    let token = "@secret(datacenter/demo-ai4eosc/consul/replication-token)@";
    for (node, _) in NODES {
        let (enabled, token) = match *node {
            "demo-ai4eosc-server-0" => ("true", token),
            _ => ("", ""),
        };
        world.says(
            &file(node, "acl.hcl"),
            &[
                ("acl.enable_token_replication", enabled),
                ("acl.tokens.replication", token),
            ],
        );
    }
}

/// Options that newer versions refuse or that we have replaced.
#[test]
fn consul_files_hold_no_option_of_old() {
    let world = World::samples();
    for (node, _) in NODES {
        for part in ["consul.hcl", "acl.hcl", "server.hcl", "client.hcl"] {
            let path = file(node, part);
            if !world.texts.contains_key(std::path::Path::new(&path)) {
                continue;
            }
            let facts = world.facts(&path);
            for gone in [
                "bootstrap",
                "start_join",
                "start_join_wan",
                "acl_datacenter",
                "acl.tokens.master",
                "acl.tokens.initial_management",
                "ca_file",
                "verify_incoming",
                "ports.grpc",
                "raft_protocol",
                "enable_script_checks",
            ] {
                assert!(!facts.contains_key(gone), "{path}: {gone}");
            }
        }
    }
}

#[test]
fn the_gossip_key_is_one_and_stands_in_the_configuration_alone() {
    let world = World::samples();
    let expected: Vec<_> = NODES
        .iter()
        .map(|(node, _)| file(node, "consul.hcl"))
        .collect();
    assert_eq!(world.holding("@secret(consul/gossip-key)@"), expected);
    for (node, _) in NODES {
        world.says(
            &file(node, "consul.hcl"),
            &[
                ("encrypt", "@secret(consul/gossip-key)@"),
                ("encrypt_verify_incoming", "true"),
                ("encrypt_verify_outgoing", "true"),
            ],
        );
    }
}
