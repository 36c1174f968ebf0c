//! Where files lie, and who may read them.

use std::collections::BTreeSet;

use provisioner::plan::{Content, HostPlan, PlannedFile};

use super::World;

/// All planned files of the varied federation and of the example.
fn each_file(check: impl Fn(&HostPlan, &PlannedFile)) {
    for world in [World::varied(), World::example()] {
        for host in world.plan.hosts.values() {
            host.files.iter().for_each(|file| check(host, file));
        }
    }
}

fn is_key(file: &PlannedFile) -> bool {
    matches!(
        file.content,
        Content::PrivateKey(_) | Content::NomadToken(_)
    )
}

#[test]
fn nothing_is_written_outside_of_the_folders_of_configuration() {
    let folders = [
        "/etc/consul.d",
        "/etc/consul.d/certs",
        "/etc/nomad.d",
        "/etc/nomad.d/certs",
        "/etc/docker",
        "/etc/atoll-agent",
        "/etc/atoll-agent/certs",
        "/etc/atoll-agent/credentials",
        "/etc/atoll-accounting",
        "/etc/atoll-accounting/certs",
        "/etc/systemd/system",
        "/etc/systemd/system/docker.service.d",
        "/etc/systemd/journald.conf.d",
        "/etc/systemd/timesyncd.conf.d",
        "/etc/apt/preferences.d",
        "/etc/modules-load.d",
        "/etc/sysctl.d",
    ];
    each_file(|_, file| {
        let folder = file.path.rsplit_once('/').unwrap().0;
        assert!(folders.contains(&folder), "{}", file.path);
    });
}

#[test]
fn no_file_can_be_changed_by_others_and_none_is_world_writable() {
    each_file(|host, file| {
        let access = file.access;
        assert_eq!(access.owner, "root", "{}: {}", host.node, file.path);
        assert_eq!(access.mode & 0o022, 0, "{}: {}", host.node, file.path);
    });
    for host in World::varied().plan.hosts.values() {
        for directory in &host.directories {
            assert_eq!(directory.access.mode & 0o022, 0, "{}", directory.path);
        }
    }
}

#[test]
fn what_holds_a_secret_is_readable_by_its_service_alone() {
    let world = World::varied();
    for (node, files) in &world.rendered.hosts {
        for file in files {
            let text = format!("{:?}", file.body);
            if text.contains("@secret(") {
                assert_eq!(file.access.mode & 0o007, 0, "{node}: {}", file.path);
            }
        }
    }
    each_file(|host, file| {
        if is_key(file) {
            assert_eq!(file.access.mode & 0o037, 0, "{}: {}", host.node, file.path);
        }
    });
}

fn access(node: &str, path: &str) -> String {
    let world = World::samples();
    let host = world.host(node);
    let access = host
        .files
        .iter()
        .find(|file| file.path == path)
        .map(|file| file.access)
        .or_else(|| {
            let found = host.directories.iter().find(|folder| folder.path == path);
            found.map(|folder| folder.access)
        });
    let access = access.unwrap_or_else(|| panic!("{node} has no {path}"));
    format!("{:04o} {}:{}", access.mode, access.owner, access.group)
}

#[test]
fn consul_s_files_are_root_s_and_read_by_consul() {
    let server = "ifca-ai4eosc-server-0";
    let client = "demo-ai4eosc-traefik";
    for (node, path, expected) in [
        (server, "/etc/consul.d/consul.hcl", "0640 root:consul"),
        (server, "/etc/consul.d/acl.hcl", "0640 root:consul"),
        (server, "/etc/consul.d/server.hcl", "0640 root:consul"),
        (client, "/etc/consul.d/client.hcl", "0640 root:consul"),
        (server, "/etc/consul.d/certs/server.pem", "0640 root:consul"),
        (
            server,
            "/etc/consul.d/certs/server-key.pem",
            "0640 root:consul",
        ),
        (
            client,
            "/etc/consul.d/certs/consul-agent-ca.pem",
            "0644 root:consul",
        ),
        (server, "/etc/consul.d", "0750 root:consul"),
        (server, "/etc/consul.d/certs", "0750 root:consul"),
        (server, "/opt/consul", "0700 consul:consul"),
    ] {
        assert_eq!(access(node, path), expected, "{path}");
    }
}

#[test]
fn nomad_s_files_are_root_s_and_read_by_its_agent() {
    let server = "ifca-ai4eosc-server-0";
    let client = "demo-ai4eosc-traefik";
    for (node, path, expected) in [
        (server, "/etc/nomad.d/nomad.hcl", "0640 root:nomad"),
        (server, "/etc/nomad.d/server.hcl", "0640 root:nomad"),
        (client, "/etc/nomad.d/client.hcl", "0640 root:root"),
        (
            server,
            "/etc/nomad.d/certs/agent-key.pem",
            "0640 root:nomad",
        ),
        (client, "/etc/nomad.d/certs/agent-key.pem", "0600 root:root"),
        (server, "/etc/nomad.d/certs/nomad-ca.pem", "0640 root:nomad"),
        (server, "/etc/nomad.d", "0750 root:nomad"),
        (server, "/etc/nomad.d/certs", "0750 root:nomad"),
        (client, "/etc/nomad.d/certs", "0750 root:root"),
        (server, "/opt/nomad", "0700 nomad:nomad"),
        (client, "/opt/nomad", "0700 root:root"),
        (client, "/opt/nomad/plugins", "0755 root:root"),
    ] {
        assert_eq!(access(node, path), expected, "{path}");
    }
}

#[test]
fn units_lie_where_systemd_looks_first() {
    let unit = "0644 root:root";
    for service in ["consul", "nomad"] {
        let path = format!("/etc/systemd/system/{service}.service");
        assert_eq!(access("demo-ai4eosc-traefik", &path), unit, "{path}");
    }
}

#[test]
fn a_path_has_one_owner() {
    for host in World::varied().plan.hosts.values() {
        let paths: BTreeSet<_> = host.files.iter().map(|file| &file.path).collect();
        assert_eq!(paths.len(), host.files.len(), "{}", host.node);
    }
}

/// Consul and Nomad read each file of their folders as configuration.
#[test]
fn folders_of_configuration_hold_configuration_alone() {
    each_file(|_, file| {
        for folder in ["/etc/consul.d/", "/etc/nomad.d/"] {
            let Some(rest) = file.path.strip_prefix(folder) else {
                continue;
            };
            let is_read = match rest.rsplit_once('.') {
                Some((name, "hcl")) => !name.contains('/'),
                Some((name, "pem")) => name.starts_with("certs/"),
                _ => false,
            };
            assert!(is_read, "{}", file.path);
        }
    });
}

#[test]
fn every_host_has_the_authorities_of_its_agents() {
    let world = World::varied();
    for host in world.plan.hosts.values() {
        let has = |path: &str| host.files.iter().any(|file| file.path == path);
        assert!(
            has("/etc/consul.d/certs/consul-agent-ca.pem"),
            "{}",
            host.node
        );
        let runs_nomad = host.agents.runs_nomad();
        assert_eq!(
            has("/etc/nomad.d/certs/nomad-ca.pem"),
            runs_nomad,
            "{}",
            host.node
        );
    }
}

#[test]
fn each_product_has_an_account_that_nobody_logs_in_with() {
    let world = World::samples();
    let accounts = |node: &str| {
        let accounts = world.host(node).accounts.iter();
        accounts
            .map(|account| format!("{} {}", account.name, account.home))
            .filter(|account| !account.starts_with("atoll"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        accounts("ifca-ai4eosc-server-0"),
        ["consul /etc/consul.d", "nomad /etc/nomad.d"]
    );
    assert_eq!(accounts("demo-ai4eosc-traefik"), ["consul /etc/consul.d"]);
}

/// Docker comes as one set of packages of an exact version, and brings no tools of its own.
#[test]
fn docker_is_one_pinned_set_of_packages() {
    let world = World::samples();
    let packages: Vec<_> = world
        .host("demo-ai4eosc-traefik")
        .packages
        .iter()
        .map(|package| format!("{}/{}={}", package.set, package.name, package.version))
        .collect();
    assert_eq!(packages, ["docker/docker.io=20.10.24+dfsg1-1+deb12u1+b6"]);
}
