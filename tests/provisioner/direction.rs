//! The design, held: data flows one way, and outside things have one door each.

use std::path::Path;

use crate::walls;

/// Each room, and the rooms it may name. A room may always name itself.
const MAY_USE: walls::Table = &[
    ("inventory", &["versions"]),
    ("importers", &["inventory", "wildcard"]),
    ("versions", &[]),
    ("plan", &["inventory", "versions"]),
    ("render", &["plan"]),
    ("artifacts", &[]),
    ("host", &["plan"]),
    ("pki", &["plan"]),
    ("secrets", &["plan", "pki"]),
    ("progress", &["plan"]),
    (
        "apply",
        &[
            "plan",
            "render",
            "secrets",
            "pki",
            "artifacts",
            "host",
            "progress",
            "versions",
        ],
    ),
    ("verify", &["plan", "secrets", "host", "progress"]),
    // What is written, in words of its own: a test holds them to what is written.
    ("documents", &["plan"]),
    ("select", &["plan", "wildcard"]),
    ("wildcard", &[]),
    // A flag is read as the inventory would read the same word.
    ("cli", &["inventory", "progress", "select"]),
    (
        "command",
        &[
            "cli",
            "documents",
            "inventory",
            "importers",
            "plan",
            "render",
            "apply",
            "verify",
            "host",
            "secrets",
            "artifacts",
            "progress",
            "select",
        ],
    ),
];

/// Crates which only one room may name: its door to an outside thing.
const DOORS: walls::Table = &[
    ("ssh2::", &["host"]),
    ("tera::", &["render"]),
    ("age::", &["secrets"]),
    ("rcgen::", &["pki"]),
    ("saphyr_parser::", &["inventory"]),
    // What operators add to the products' files is understood before it goes anywhere.
    ("hcl::", &["inventory"]),
    ("indicatif::", &["progress"]),
];

#[test]
fn data_flows_one_way() {
    walls::data_flows_one_way(MAY_USE);
}

#[test]
fn every_room_is_in_the_table() {
    walls::every_room_is_in_the_table(MAY_USE);
}

#[test]
fn each_outside_thing_has_its_doors() {
    walls::each_outside_thing_has_its_doors(MAY_USE, DOORS);
}

#[test]
fn the_programs_name_no_other_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (program, others) in [
        (
            "federation",
            ["provisioner", "agent", "accounting"].as_slice(),
        ),
        ("provisioner", &["agent", "accounting"]),
        ("agent", &["provisioner", "accounting"]),
        ("accounting", &["provisioner", "agent"]),
    ] {
        let manifest = std::fs::read_to_string(root.join(program).join("Cargo.toml")).unwrap();
        for other in others {
            assert!(
                !manifest.contains(&format!("path = \"../{other}\"")),
                "{program} must not depend on {other}"
            );
            assert!(
                !manifest.contains(&format!("atoll-{other}.workspace")),
                "{program} must not depend on {other}"
            );
        }
    }
}
