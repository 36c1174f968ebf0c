//! What an import makes of the words that only Ansible's inventories had.

use std::fs;
use std::process::Command;

use provisioner::inventory::{Inventory, Kind, load};

use super::repository;
use crate::golden::name;

/// Imports the case `walton` with lines added to its two files: the inventory, and all that was
/// said of it.
fn imported(hosts: &str, variables: &str) -> (Option<Inventory>, String) {
    let folder = tempfile::tempdir().unwrap();
    let case = repository().join("tests/fixtures/ansible/walton");
    fs::create_dir(folder.path().join("group_vars")).unwrap();
    for (file, more) in [("hosts", hosts), ("group_vars/all.yml", variables)] {
        let text = fs::read_to_string(case.join(file)).unwrap();
        fs::write(folder.path().join(file), text + more).unwrap();
    }
    let out = folder.path().join("out");
    let output = Command::new(env!("CARGO_BIN_EXE_atoll"))
        .args(["import", "ansible"])
        .args([folder.path(), "--out".as_ref(), &out])
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let report = fs::read_to_string(out.join("IMPORT-REPORT.md")).unwrap_or_default();
    let loaded = load(&out).ok();
    (loaded.map(|loaded| loaded.inventory), said + &report)
}

/// Each is named in the report with the place where it stands.
#[test]
fn what_nothing_ever_used_is_left_out_and_said() {
    let variables = "\nansible_master: { name: master, ip: 192.0.2.99 }\nhosts: /etc/hosts.d\ndocker_config: /srv/docker\n";
    let (inventory, said) = imported("\n[job_deployer]\nwalton-server\n", variables);
    assert!(inventory.is_some(), "{said}");
    for (place, word) in [
        ("hosts:", "`job_deployer`"),
        ("group_vars/all.yml:", "`ansible_master`"),
        ("group_vars/all.yml:", "`hosts`"),
        ("group_vars/all.yml:", "`docker_config`"),
    ] {
        let is_said = |line: &str| line.contains(place) && line.contains(word);
        assert!(
            said.lines().any(is_said),
            "nothing is said of {word}: {said}"
        );
    }
}

/// The group of try-me nodes is called by another pattern than all others.
#[test]
fn a_group_of_another_pattern_is_known_all_the_same() {
    let hosts = "\n[new_nomad_tryme_clients]\nwalton-node-2 ansible_host=203.0.113.83 domain=walton nomad_dc=walton-imagine nomad_namespaces=imagine\n";
    let (inventory, said) = imported(hosts, "");
    let inventory = inventory.unwrap_or_else(|| panic!("{said}"));
    let hosts = inventory.hosts();
    let (_, host) = hosts[&name::<federation::names::NodeName>("walton-imagine-tn-cpu-0")];
    assert_eq!(host.kind, Kind::TryMe);
    let decide = "decide: `walton-node-2` has images beforehand, which a script finds; \
                  list those of the platform's modules as `tryme.images`";
    assert!(said.contains(decide), "{said}");
}

/// `True` of an INI file is no text: what it means is taken all the same.
#[test]
fn a_batch_node_is_one_however_it_says_so() {
    let (inventory, said) = imported("", "");
    let inventory = inventory.unwrap_or_else(|| panic!("{said}"));
    let kinds: Vec<_> = inventory
        .hosts()
        .values()
        .map(|(_, host)| host.kind)
        .collect();
    assert_eq!(
        kinds.iter().filter(|kind| **kind == Kind::Batch).count(),
        1,
        "{said}"
    );
}

#[test]
fn a_placeholder_is_an_error_with_its_line_and_column() {
    let (inventory, said) = imported(
        "\n[nomad_new_gpu_clients]\n<host> ansible_host=192.0.2.9\n",
        "",
    );
    assert!(inventory.is_none());
    let line = said.lines().find(|line| line.contains("`<host>`")).unwrap();
    assert!(line.starts_with("hosts:50:1: error:"), "{line}");
}
