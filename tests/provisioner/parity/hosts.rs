//! What hosts get beside the products' own files: volume, kernel, networks, and how they are reached.

use provisioner::plan::{OnChange, Service};

use super::{World, example};
use crate::kinds::kinds;

/// A host with a volume of the operator's own label, and one without a volume.
const WITH: &str = "example-one-wn-gpu-0";
const WITHOUT: &str = "example-one-wn-plain-0";

fn world() -> World {
    World::of(&kinds())
}

/// The lines of a text that say something.
fn lines(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.starts_with(['#', '[']));
    lines.filter(|line| !line.is_empty()).collect()
}

#[test]
fn a_volume_is_mounted_by_its_label_with_project_quotas() {
    let world = world();
    let unit = format!("{WITH}/etc/systemd/system/mnt-data.mount");
    let told = lines(world.text(&unit));
    for line in [
        "What=/dev/disk/by-partlabel/jobs",
        "Where=/mnt/data",
        "Type=xfs",
        "Options=defaults,pquota,nofail",
    ] {
        assert!(told.contains(&line), "{line}: {told:?}");
    }
    let units = |node: &str| {
        let units = world.host(node).units.iter();
        units
            .filter(|unit| unit.service == Service::DataVolume)
            .count()
    };
    assert_eq!((units(WITH), units(WITHOUT)), (1, 0));
}

/// Below 1000, so that a newer version which is there already is not taken away under running jobs.
#[test]
fn packages_are_held_at_their_version() {
    let world = world();
    let file = "etc/apt/preferences.d/10-atoll.pref";
    let docker = [
        "Package: docker-ce",
        "Pin: version 5:28.5.2-1~debian.12~bookworm",
        "Pin-Priority: 999",
    ];
    let nvidia = [
        "Package: nvidia-driver",
        "Pin: version 550.163.01-1",
        "Pin-Priority: 999",
        "Package: nvidia-container-toolkit",
        "Pin: version 1.17.8-1",
        "Pin-Priority: 999",
    ];
    let held = |node: &str| {
        let lines = lines(world.text(&format!("{node}/{file}"))).into_iter();
        lines
            .filter(|line| !line.starts_with("Explanation: "))
            .collect::<Vec<_>>()
    };
    assert_eq!(held("example-one-wn-cpu-0"), docker);
    assert_eq!(held(WITH), [docker.as_slice(), &nvidia].concat());
    let server = world.holding("Pin-Priority");
    let server = server.iter().any(|path| path.contains("-server-"));
    assert!(!server, "a server has no packages of ours");
}

/// Docker and Nomad have folders of the same names, so they never share one.
#[test]
fn nomad_and_docker_have_folders_of_their_own_on_the_volume() {
    let world = world();
    for (node, nomad, docker) in [
        (WITH, "/mnt/data/nomad", "/mnt/data/docker"),
        (WITHOUT, "/opt/nomad", ""),
    ] {
        world.says(
            &format!("{node}/etc/nomad.d/nomad.hcl"),
            &[("data_dir", nomad)],
        );
        world.says(
            &format!("{node}/etc/docker/daemon.json"),
            &[("data-root", docker)],
        );
    }
}

#[test]
fn nomad_and_docker_wait_for_their_volume_and_plugins_lie_elsewhere() {
    let world = world();
    let waits = "RequiresMountsFor=/mnt/data";
    for unit in ["nomad.service", "docker.service.d/10-atoll.conf"] {
        let text = world.text(&format!("{WITH}/etc/systemd/system/{unit}"));
        assert!(lines(text).contains(&waits), "{unit}: {text}");
    }
    let nomad = world.text(&format!("{WITHOUT}/etc/systemd/system/nomad.service"));
    assert!(!nomad.contains(waits), "{nomad}");
    world.says(
        &format!("{WITH}/etc/nomad.d/client.hcl"),
        &[("plugin_dir", "/opt/atoll/nomad-device-nvidia/1.1.0")],
    );
}

#[test]
fn docker_has_the_mirrors_and_networks_of_its_site_and_no_other() {
    let world = world();
    let file = |node: &str| format!("{node}/etc/docker/daemon.json");
    world.says(
        &file(WITH),
        &[
            (
                "registry-mirrors",
                r#"["https://mirror.example.org:5000","https://far.example.org"]"#,
            ),
            ("default-address-pools.0.base", "172.30.0.0/16"),
            ("default-address-pools.0.size", "24"),
            ("exec-opts", r#"["native.cgroupdriver=cgroupfs"]"#),
        ],
    );
    let elsewhere = world.facts(&file("old-worker"));
    for key in ["registry-mirrors", "default-address-pools.0.base"] {
        assert!(!elsewhere.contains_key(key), "{key}");
    }
}

/// Pinned as all programs are, and in a folder of their version: nothing is unpacked twice.
#[test]
fn networks_have_plugins_of_a_pinned_version() {
    let world = world();
    let plugins: Vec<_> = world
        .host(WITHOUT)
        .programs
        .iter()
        .filter(|program| program.product == "cni")
        .map(|program| format!("{} {}", program.file, program.version))
        .collect();
    assert_eq!(
        plugins,
        [
            "bridge 1.9.1",
            "firewall 1.9.1",
            "host-local 1.9.1",
            "loopback 1.9.1",
            "portmap 1.9.1"
        ]
    );
    world.says(
        &format!("{WITHOUT}/etc/nomad.d/client.hcl"),
        &[("client.cni_path", "/opt/atoll/cni/1.9.1")],
    );
}

#[test]
fn bridges_have_their_modules_and_settings_at_each_boot() {
    let world = world();
    let modules = lines(world.text(&format!("{WITH}/etc/modules-load.d/nomad.conf")));
    for module in ["overlay", "bridge", "br_netfilter"] {
        assert!(modules.contains(&module), "{modules:?}");
    }
    let told = lines(world.text(&format!("{WITH}/etc/sysctl.d/99-nomad-cni.conf")));
    let expected = ["arptables", "ip6tables", "iptables"]
        .map(|table| format!("net.bridge.bridge-nf-call-{table} = 1"));
    assert_eq!(told, expected);
}

/// Never below what a kernel sets by itself, and read anew only when the file has changed.
#[test]
fn limits_of_watched_files_are_raised_and_never_lowered() {
    let world = world();
    let path = "/etc/sysctl.d/98-nomad.conf";
    let limits = world.text(&format!("{WITH}{path}"));
    for (limit, least) in [
        ("fs.inotify.max_user_watches", 1_048_576),
        ("fs.inotify.max_user_instances", 1024),
    ] {
        let line = limits.lines().find_map(|line| line.strip_prefix(limit));
        let value: u64 = line.unwrap().trim_start_matches(" = ").parse().unwrap();
        assert!(value >= least, "{limit} = {value}");
    }
    let file = world.host(WITH).files.iter().find(|file| file.path == path);
    assert_eq!(file.unwrap().on_change, OnChange::Restart(Service::Sysctl));
}

#[test]
fn commands_without_isolation_are_allowed_only_where_the_inventory_says() {
    let world = world();
    for (node, expected) in [
        ("example-one-wn-cpu-0", "true"),
        ("example-one-wn-batch-0", "true"),
        ("example-one-wn-tryme-0", ""),
        ("example-one-gateway-0", ""),
    ] {
        let path = format!("{node}/etc/nomad.d/client.hcl");
        world.says(&path, &[("plugin.raw_exec.config.enabled", expected)]);
    }
}

/// Where SSH goes and what a host advertises are two things.
#[test]
fn ssh_goes_where_the_host_says_and_agents_advertise_their_own_address() {
    let world = world();
    let login = &world.host(WITH).login;
    assert_eq!(login.address.to_string(), "198.51.100.21");
    assert_eq!((login.port, login.user.as_str()), (2222, "ubuntu"));
    let consul = format!("{WITH}/etc/consul.d/consul.hcl");
    world.says(&consul, &[("advertise_addr", "10.88.0.21")]);
    let example = World::of(&example(&[]));
    assert_eq!(example.host("example-one-wn-0").login.user, "debian");
}

#[test]
fn a_site_may_differ_in_its_versions() {
    let world = world();
    for (node, version) in [("old-worker", "1.10.5"), (WITHOUT, "1.11.3")] {
        let programs = &world.host(node).programs;
        let nomad = programs.iter().find(|program| program.product == "nomad");
        assert_eq!(nomad.unwrap().version.as_str(), version, "{node}");
    }
}
