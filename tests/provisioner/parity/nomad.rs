//! Nomad's own files.

use super::{NODES, NOMAD_CLIENTS, NOMAD_SERVERS, World, example};
use crate::golden::facts;

fn file(node: &str, file: &str) -> String {
    format!("{node}/etc/nomad.d/{file}")
}

#[test]
fn an_agent_knows_its_region_its_datacenter_and_its_name() {
    let world = World::samples();
    for (node, datacenter) in NODES {
        world.says(
            &file(node, "nomad.hcl"),
            &[
                ("region", "ai4os"),
                ("datacenter", *datacenter),
                ("name", *node),
                ("data_dir", "/opt/nomad"),
            ],
        );
    }
}

#[test]
fn one_name_of_a_datacenter_serves_every_product() {
    let world = World::samples();
    for (node, datacenter) in NODES {
        for path in [
            file(node, "nomad.hcl"),
            format!("{node}/etc/consul.d/consul.hcl"),
        ] {
            world.says(&path, &[("datacenter", *datacenter)]);
        }
    }
    let job = &world.rendered.services.gateways[0];
    let facts = facts("job.hcl", &job.job);
    assert_eq!(
        facts["job.traefik-demo-ai4eosc.datacenters"],
        r#"["demo-ai4eosc"]"#
    );
}

#[test]
fn tls_is_wanted_of_both_sides_also_by_the_api() {
    let world = World::samples();
    for (node, _) in NODES {
        world.says(
            &file(node, "nomad.hcl"),
            &[
                ("tls.http", "true"),
                ("tls.rpc", "true"),
                ("tls.ca_file", "/etc/nomad.d/certs/nomad-ca.pem"),
                ("tls.cert_file", "/etc/nomad.d/certs/agent.pem"),
                ("tls.key_file", "/etc/nomad.d/certs/agent-key.pem"),
                ("tls.verify_server_hostname", "true"),
                ("tls.verify_https_client", "true"),
            ],
        );
    }
}

#[test]
fn a_restart_is_no_farewell() {
    let world = World::samples();
    for (node, _) in NODES {
        let expected = [
            ("leave_on_interrupt", "false"),
            ("leave_on_terminate", "false"),
        ];
        world.says(&file(node, "nomad.hcl"), &expected);
    }
}

#[test]
fn access_rights_are_on_and_gossip_is_encrypted() {
    let world = World::samples();
    for (node, _) in NODES {
        world.says(&file(node, "nomad.hcl"), &[("acl.enabled", "true")]);
    }
    for node in NOMAD_SERVERS {
        let expected = [("server.encrypt", "@secret(nomad/gossip-key)@")];
        world.says(&file(node, "server.hcl"), &expected);
    }
    assert_eq!(world.holding("@secret(nomad/gossip-key)@").len(), 3);
}

#[test]
fn servers_wait_for_their_number_and_find_each_other() {
    let world = World::samples();
    let all = r#"["10.88.0.11","10.88.0.12","10.88.0.13"]"#;
    for node in NOMAD_SERVERS {
        world.says(
            &file(node, "server.hcl"),
            &[
                ("server.enabled", "true"),
                ("server.bootstrap_expect", "3"),
                ("server.server_join.retry_join", all),
                ("server.eval_gc_threshold", "24h"),
                ("server.batch_eval_gc_threshold", "24h"),
            ],
        );
    }
    for node in NOMAD_CLIENTS {
        let expected = [
            ("client.enabled", "true"),
            ("client.server_join.retry_join", all),
        ];
        world.says(&file(node, "client.hcl"), &expected);
    }
}

#[test]
fn servers_are_told_what_autopilot_scheduler_and_telemetry_do() {
    let world = World::samples();
    let scheduler = "server.default_scheduler_config";
    for node in NOMAD_SERVERS {
        let oversubscription = format!("{scheduler}.memory_oversubscription_enabled");
        world.says(
            &file(node, "server.hcl"),
            &[
                (oversubscription.as_str(), "true"),
                (&format!("{scheduler}.scheduler_algorithm"), "binpack"),
                ("server.heartbeat_grace", "60s"),
                ("autopilot.cleanup_dead_servers", "true"),
                ("autopilot.server_stabilization_time", "10s"),
            ],
        );
        world.says(
            &file(node, "nomad.hcl"),
            &[
                ("telemetry.prometheus_metrics", "true"),
                ("telemetry.publish_node_metrics", "true"),
                ("telemetry.publish_allocation_metrics", "true"),
            ],
        );
    }
}

#[test]
fn an_agent_advertises_where_others_reach_it() {
    let world = World::varied();
    world.says(
        &file("old-gateway", "nomad.hcl"),
        &[
            ("bind_addr", "0.0.0.0"),
            ("advertise.http", "10.88.0.16:4646"),
            ("advertise.rpc", "10.88.0.16:4647"),
            ("advertise.serf", ""),
        ],
    );
    world.says(
        &file("ifca-ai4eosc-server-0", "nomad.hcl"),
        &[
            ("advertise.http", "[2001:db8::]:4646"),
            ("advertise.rpc", "[2001:db8::]:4647"),
            ("advertise.serf", "[2001:db8::]:4648"),
        ],
    );
}

#[test]
fn nomad_speaks_with_the_consul_agent_beside_it() {
    let world = World::samples();
    for (node, _) in NODES {
        let token = format!("@secret(node/{node}/consul/nomad-token)@");
        world.says(
            &file(node, "nomad.hcl"),
            &[
                ("consul.address", "127.0.0.1:8500"),
                ("consul.token", token.as_str()),
                ("consul.server_service_name", "nomad-server"),
                ("consul.client_service_name", "nomad-client"),
                ("consul.auto_advertise", "true"),
                ("consul.server_auto_join", "true"),
                ("consul.client_auto_join", "true"),
            ],
        );
    }
}

/// The example with a node of each kind.
fn kinds() -> World {
    let site = "sites/example-one.yaml";
    World::of(&example(&[(
        site,
        "198.51.100.13 }",
        "198.51.100.13, kind: batch }\n  wn-2: { roles: [client], address: 198.51.100.15, kind: tryme }\n  wn-3: { roles: [client], address: 198.51.100.16, vos: [vo.example.org] }",
    )]))
}

#[test]
fn metadata_is_set_on_every_kind_of_node_as_texts() {
    let world = kinds();
    for (host, expected) in [
        ("gateway-0", "example,imagine traefik false cpu one test"),
        ("wn-0", "example,imagine batch false cpu one test"),
        ("wn-1", "example,imagine compute true gpu one test"),
        ("wn-2", "example,imagine tryme false cpu one test"),
        ("wn-3", "example compute true cpu one test"),
    ] {
        let path = file(&format!("example-one-{host}"), "client.hcl");
        let facts = world.facts(&path);
        let meta: Vec<_> = ["namespace", "type", "compute", "tags", "domain", "status"]
            .map(|key| facts[&format!("client.meta.{key}")].clone())
            .into();
        assert_eq!(meta.join(" "), expected, "{host}");
        let keys = facts.keys().filter(|key| key.starts_with("client.meta."));
        assert_eq!(keys.count(), 6, "{host}");
        let (_, block) = world.text(&path).split_once("meta {").unwrap();
        for line in block.split_once('}').unwrap().0.lines().skip(1) {
            let value = line.split_once("= ").map_or("\"", |(_, value)| value);
            assert!(value.starts_with('"'), "{host}: {line}");
        }
    }
}

#[test]
fn memory_is_reserved_where_users_jobs_run() {
    let world = kinds();
    for (host, memory) in [
        ("gateway-0", ""),
        ("wn-0", "4096"),
        ("wn-1", "4096"),
        ("wn-2", "4096"),
    ] {
        let path = file(&format!("example-one-{host}"), "client.hcl");
        world.says(
            &path,
            &[
                ("client.reserved.memory", memory),
                ("client.reserved.disk", "10240"),
                ("client.reserved.reserved_ports", "22"),
            ],
        );
        assert!(world.text(&path).contains("reserved {"), "{host}: a block");
    }
}

/// Where SSH has another port, that is none for jobs either.
#[test]
fn no_job_gets_the_port_of_ssh() {
    let world = World::of(&crate::kinds::kinds());
    for (node, ports) in [
        ("example-one-wn-cpu-0", "22"),
        ("example-one-wn-gpu-0", "22,2222"),
    ] {
        let path = file(node, "client.hcl");
        world.says(&path, &[("client.reserved.reserved_ports", ports)]);
    }
}

#[test]
fn cloud_metadata_is_not_asked_and_no_legacy_option_is_left() {
    let world = World::samples();
    for node in NOMAD_CLIENTS {
        let facts = world.facts(&file(node, "client.hcl"));
        let options: Vec<_> = facts
            .iter()
            .filter(|(fact, _)| fact.starts_with("client.options."))
            .map(|(fact, value)| format!("{fact}={value}"))
            .collect();
        assert_eq!(
            options,
            ["client.options.fingerprint_denylist=env_aws,env_gce,env_azure,env_digitalocean"]
        );
    }
}

#[test]
fn docker_may_do_what_users_jobs_need() {
    let world = World::samples();
    for node in NOMAD_CLIENTS {
        world.says(
            &file(node, "client.hcl"),
            &[
                ("plugin.docker.config.allow_privileged", "true"),
                ("plugin.docker.config.volumes.enabled", "true"),
                ("plugin.docker.config.image_pull_timeout", "30m"),
                ("plugin.docker.config.gc.image", "false"),
                ("plugin.docker.config.gc.image_delay", "3m"),
            ],
        );
    }
}

#[test]
fn a_node_with_gpus_shows_them_by_a_plugin_of_its_own_folder() {
    let world = World::example();
    let with = file("example-one-wn-1", "client.hcl");
    world.says(
        &with,
        &[
            ("plugin_dir", "/opt/atoll/nomad-device-nvidia/1.1.0"),
            (
                "plugin.nomad-device-nvidia.config.fingerprint_period",
                "10s",
            ),
            ("client.meta.tags", "gpu"),
        ],
    );
    let without = file("example-one-wn-0", "client.hcl");
    world.says(
        &without,
        &[
            ("plugin_dir", "/opt/nomad/plugins"),
            ("client.meta.tags", "cpu"),
        ],
    );
    assert!(!world.text(&without).contains("nvidia"));
}

#[test]
fn gpus_bring_driver_toolkit_and_plugin_and_nothing_else_does() {
    let world = World::example();
    let packages = |host: &str| {
        let plan = world.host(&format!("example-one-{host}"));
        let packages = plan
            .packages
            .iter()
            .map(|p| format!("{}={}", p.name, p.version));
        let programs = plan
            .programs
            .iter()
            .map(|p| format!("{}={}", p.product, p.version));
        packages
            .chain(programs)
            .filter(|item| item.contains("nvidia"))
            .collect::<Vec<_>>()
    };
    let expected = [
        "nvidia-driver=550.163.01-1",
        "nvidia-container-toolkit=1.17.8-1",
        "nomad-device-nvidia=1.1.0",
    ];
    assert_eq!(packages("wn-1"), expected);
    assert_eq!(packages("wn-0"), Vec::<String>::new());
    assert_eq!(packages("server-0"), Vec::<String>::new());
}

/// Docker knows the runtime, and uses it only where a job was given a GPU.
#[test]
fn no_runtime_is_forced_on_containers() {
    let world = World::example();
    let with = world.facts("example-one-wn-1/etc/docker/daemon.json");
    assert_eq!(with["runtimes.nvidia.path"], "nvidia-container-runtime");
    for host in ["wn-0", "wn-1", "gateway-0"] {
        let facts = world.facts(&format!("example-one-{host}/etc/docker/daemon.json"));
        assert!(!facts.contains_key("default-runtime"), "{host}");
        assert_eq!(facts["exec-opts"], r#"["native.cgroupdriver=cgroupfs"]"#);
        assert_eq!(facts["storage-driver"], "overlay2");
    }
}
