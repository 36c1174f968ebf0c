//! systemd's units of the products.

use super::World;

/// A unit's own `key=value` lines, without comments and sections.
fn lines(world: &World, node: &str, service: &str) -> Vec<String> {
    let text = world.text(&format!("{node}/etc/systemd/system/{service}.service"));
    let own = text.lines().filter(|line| !line.starts_with(['#', '[']));
    own.filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn has(lines: &[String], expected: &[&str]) {
    for line in expected {
        assert!(
            lines.iter().any(|own| own == line),
            "no {line} in {lines:#?}"
        );
    }
}

#[test]
fn consul_runs_as_its_own_user_until_it_is_ready() {
    let world = World::samples();
    has(
        &lines(&world, "demo-ai4eosc-traefik", "consul"),
        &[
            "Type=notify",
            "User=consul",
            "Group=consul",
            "Wants=network-online.target",
            "After=network-online.target",
            "ConditionFileNotEmpty=/etc/consul.d/consul.hcl",
            "ExecStart=/usr/local/bin/consul agent -config-dir=/etc/consul.d",
            "ExecReload=/bin/kill --signal HUP $MAINPID",
            "KillMode=process",
            "KillSignal=SIGTERM",
            "Restart=on-failure",
            "LimitNOFILE=65536",
        ],
    );
}

#[test]
fn nomad_runs_as_root_only_where_it_runs_jobs() {
    let world = World::samples();
    let server = lines(&world, "ifca-ai4eosc-server-0", "nomad");
    let client = lines(&world, "demo-ai4eosc-traefik", "nomad");
    has(&server, &["User=nomad", "Group=nomad", "LimitNOFILE=65536"]);
    has(&client, &["User=root", "Group=root", "LimitNOFILE=1048576"]);
}

#[test]
fn nomad_s_unit_lets_jobs_outlive_the_agent() {
    let world = World::samples();
    for node in ["ifca-ai4eosc-server-0", "demo-ai4eosc-traefik"] {
        has(
            &lines(&world, node, "nomad"),
            &[
                "Type=notify",
                "ConditionFileNotEmpty=/etc/nomad.d/nomad.hcl",
                "ExecStart=/usr/local/bin/nomad agent -config=/etc/nomad.d",
                "ExecReload=/bin/kill --signal HUP $MAINPID",
                "KillMode=process",
                "KillSignal=SIGINT",
                "Restart=on-failure",
                "RestartSec=2",
                "LimitNPROC=infinity",
                "TasksMax=infinity",
                "OOMScoreAdjust=-1000",
            ],
        );
    }
}

#[test]
fn nomad_starts_after_consul_and_on_clients_after_docker() {
    let world = World::samples();
    for (node, units) in [
        (
            "ifca-ai4eosc-server-0",
            "network-online.target consul.service",
        ),
        (
            "demo-ai4eosc-traefik",
            "network-online.target consul.service docker.service",
        ),
    ] {
        let (wants, after) = (format!("Wants={units}"), format!("After={units}"));
        has(&lines(&world, node, "nomad"), &[&wants, &after]);
    }
}

#[test]
fn every_unit_of_a_plan_has_its_file_or_comes_with_its_package() {
    let world = World::varied();
    for host in world.plan.hosts.values() {
        for unit in &host.units {
            let name = unit.service.name();
            let suffix = if name.contains('.') { "" } else { ".service" };
            let path = format!("/etc/systemd/system/{name}{suffix}");
            let ours = host.files.iter().any(|file| file.path == path);
            assert_eq!(
                ours,
                unit.service.name() != "docker",
                "{}: {path}",
                host.node
            );
        }
    }
}
