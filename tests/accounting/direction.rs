//! The design, held: data flows one way, and outside things have one door each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each room, and the rooms it may name. A room may always name itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("settings", &[]),
    ("print", &[]),
    ("tls", &["settings"]),
    ("ledger", &[]),
    ("receive", &["ledger", "tls"]),
    ("records", &["ledger"]),
    ("apel", &["records"]),
    ("queue", &[]),
    ("report", &["ledger", "records"]),
    ("explain", &["ledger", "records"]),
    ("cli", &["settings", "command"]),
    (
        "command",
        &[
            "cli", "settings", "print", "tls", "ledger", "receive", "records", "apel", "queue",
            "report", "explain",
        ],
    ),
];

/// Crates which only some rooms may name: their doors to an outside thing.
const DOORS: &[(&str, &[&str])] = &[
    ("rusqlite::", &["ledger"]),
    ("x509_parser::", &["tls"]),
    ("rustls::", &["tls", "receive"]),
    ("axum::", &["receive"]),
    ("hyper_util::", &["receive"]),
    ("tokio::", &["receive", "command"]),
    ("sd_notify::", &["command"]),
    ("clap::", &["cli", "command"]),
    ("comfy_table::", &["report"]),
];

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
    let texts = files
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok());
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

/// Whether a line names a crate, and not another one that ends alike.
fn names(line: &str, name: &str) -> bool {
    let before = |place: usize| line.get(..place).and_then(|text| text.chars().next_back());
    line.match_indices(name)
        .any(|(place, _)| before(place).is_none_or(|c| !c.is_alphanumeric() && c != '_'))
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
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "lib" && name != "main")
        .collect();
    let table: BTreeSet<String> = MAY_USE.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(rooms, table);
}

#[test]
fn each_outside_thing_has_its_doors() {
    for (room, _) in MAY_USE {
        for (name, doors) in DOORS {
            let stray = lines(room)
                .into_iter()
                .find(|line| names(line, name) && !doors.contains(room));
            assert_eq!(
                stray, None,
                "{room} must not speak with {name} itself; {doors:?} do"
            );
        }
    }
}
