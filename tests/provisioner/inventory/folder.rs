//! A folder as an inventory: which files are read, and how its problems are told.

use std::fs;

use provisioner::inventory::{InventoryError, Problem, Severity, load};

use super::{ONE, SOUND, TWO, folder, problems_in, sound};

#[test]
fn files_are_read_in_the_order_of_their_names() {
    let folder = folder(&[]);
    let site = |name: &str| {
        SOUND[2]
            .1
            .replace("two", name)
            .replace("192.0.2.21", "192.0.2.99")
    };
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for name in names {
        fs::write(folder.path().join(format!("sites/{name}.yaml")), site(name)).unwrap();
    }
    let first =
        "`192.0.2.99` is already a public address: hosts.server-0.address, at sites/a.yaml:7:48";
    let line = |name| format!("sites/{name}.yaml:7:48: hosts.server-0.address: {first}");
    let expected: Vec<_> = names[1..].iter().map(line).collect();
    let lines: Vec<_> = problems_in(folder.path())
        .iter()
        .map(Problem::to_string)
        .collect();
    assert_eq!(lines, expected);
}

#[test]
fn only_yaml_files_of_sites_are_read() {
    let folder = folder(&[]);
    let sites = folder.path().join("sites");
    fs::write(sites.join("README.md"), "[").unwrap();
    fs::write(sites.join(".one.yaml.swp"), "[").unwrap();
    fs::write(sites.join(".#two.yaml"), "[").unwrap();
    sound(folder.path());
    fs::write(sites.join("three.yml"), "[").unwrap();
    fs::write(sites.join("four.YAML"), "[").unwrap();
    fs::create_dir(sites.join("five.yaml")).unwrap();
    let lines: Vec<_> = problems_in(folder.path())
        .iter()
        .map(Problem::to_string)
        .collect();
    assert_eq!(
        lines,
        [
            "sites/five.yaml:1:1: cannot read the file: not a regular file; see its kind, owner and mode",
            "sites/four.YAML:1:1: only files named *.yaml are read; rename it to sites/four.yaml",
            "sites/three.yml:1:1: only files named *.yaml are read; rename it to sites/three.yaml",
        ]
    );
}

#[test]
fn a_folder_without_an_inventory_says_what_is_wanted() {
    let empty = tempfile::tempdir().unwrap();
    let error = load(empty.path()).unwrap_err();
    let expected = format!(
        "cannot find federation.yaml in {}; an inventory is a folder with federation.yaml and sites/*.yaml",
        empty.path().display()
    );
    assert_eq!(error.to_string(), expected);
    let nowhere = empty.path().join("nowhere");
    let error = load(&nowhere).unwrap_err();
    assert!(matches!(&error, InventoryError::Unreadable { folder, .. } if *folder == nowhere));
    assert_eq!(
        error.to_string(),
        format!("cannot read {}", nowhere.display())
    );
}

#[test]
fn a_federation_without_sites_names_the_one_it_wants() {
    let folder = folder(&[]);
    fs::remove_dir_all(folder.path().join("sites")).unwrap();
    let lines: Vec<_> = problems_in(folder.path())
        .iter()
        .map(Problem::to_string)
        .collect();
    assert_eq!(
        lines,
        [
            "federation.yaml:1:13: federation: no host of the federation is a Nomad server; give one host, or three, the role `nomad-server`",
            "federation.yaml:2:10: primary: no file in sites/ has `datacenter: one`; name that of a site, or its servers elsewhere in `external.consul_servers`",
        ]
    );
}

#[test]
fn an_error_lists_its_problems_and_counts_errors_only() {
    let folder = folder(&[
        (ONE, "[gateway]", "[accounting]"),
        (TWO, "domain: two", "domain: one"),
    ]);
    let error = load(folder.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot use the inventory: 1 error
sites/one.yaml:6:3: warning: hosts: the site has clients and no gateway: users cannot reach their jobs; give a host the role `gateway`
sites/two.yaml:3:9: domain: `one` is already the domain label of a datacenter: domain, at sites/one.yaml:2:9"
    );
}

#[test]
fn a_problem_is_also_json() {
    let folder = folder(&[(ONE, "[gateway]", "[accounting]")]);
    let loaded = load(folder.path()).unwrap();
    assert_eq!(loaded.warnings[0].severity, Severity::Warning);
    assert_eq!(
        serde_json::to_value(&loaded.warnings).unwrap(),
        serde_json::json!([{
            "file": "sites/one.yaml",
            "line": 6,
            "column": 3,
            "severity": "warning",
            "at": "hosts",
            "what": "the site has clients and no gateway: users cannot reach their jobs",
            "hint": "give a host the role `gateway`",
        }])
    );
}
