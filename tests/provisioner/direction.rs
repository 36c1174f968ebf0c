//! The design, held: data flows one way, and outside things have one door each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each room, and the rooms it may name. A room may always name itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("inventory", &[]),
    ("plan", &["inventory"]),
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
        ],
    ),
    ("verify", &["plan", "secrets", "host", "progress"]),
    ("cli", &["progress"]),
    (
        "command",
        &[
            "cli",
            "inventory",
            "plan",
            "render",
            "apply",
            "verify",
            "host",
            "secrets",
            "artifacts",
            "progress",
        ],
    ),
];

/// Crates which only one room may name: its door to an outside thing.
const DOORS: &[(&str, &str)] = &[
    ("ssh2::", "host"),
    ("tera::", "render"),
    ("age::", "secrets"),
    ("rcgen::", "pki"),
    ("saphyr_parser::", "inventory"),
    ("indicatif::", "progress"),
];

/// Whether a line names a crate, and not one whose name only ends alike.
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

fn source(room: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room)
}

/// The lines of a room which are code.
fn lines(room: &str) -> Vec<String> {
    let mut folders = vec![source(room)];
    let mut files = vec![source(&format!("{room}.rs"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    let rust = files
        .iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    let texts = rust.filter_map(|file| std::fs::read_to_string(file).ok());
    texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect()
}

/// The rooms that a line names: each word after `crate::`.
fn rooms_named_in(lines: &[String]) -> BTreeSet<String> {
    let words = lines.iter().flat_map(|line| line.split("crate::").skip(1));
    words
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

#[test]
fn data_flows_one_way() {
    for (room, allowed) in MAY_USE {
        let lines = lines(room);
        assert!(
            !lines.is_empty(),
            "the room {room} is gone: take it out of the table"
        );
        let named = rooms_named_in(&lines);
        let strays: Vec<_> = named
            .iter()
            .filter(|other| *other != room && !allowed.contains(&other.as_str()))
            .collect();
        assert!(strays.is_empty(), "{room} must not use {strays:?}");
    }
}

#[test]
fn every_room_is_in_the_table() {
    let rooms: BTreeSet<String> = std::fs::read_dir(source(""))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .filter(|name| name != "lib" && name != "main")
        .collect();
    let table: BTreeSet<String> = MAY_USE.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(rooms, table);
}

#[test]
fn each_outside_thing_has_one_door() {
    for (room, _) in MAY_USE {
        for (name, door) in DOORS {
            let stray = lines(room)
                .into_iter()
                .find(|line| names(line, name) && room != door);
            assert_eq!(
                stray, None,
                "{room} must not speak with {name} itself; {door} does"
            );
        }
    }
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
