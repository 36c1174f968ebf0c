//! The walls between the rooms of a program, for the test of each program's own table.
//!
//! A room is a module of `src`, a file or a folder. Each test here takes the table that
//! says what may be, reads the sources, and fails on what is not in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Rooms, and the words that go with each.
pub(crate) type Table = &'static [(&'static str, &'static [&'static str])];

fn source(room: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room)
}

/// The lines of a room which are code, from its file and its folder.
fn lines(room: &str) -> Vec<String> {
    let mut folders = vec![source(room)];
    let mut files = vec![source(&format!("{room}.rs"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let texts = files
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok());
    let lines = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    lines
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect()
}

/// What a room names of other rooms: each `crate::` path; an import of several names is one for each.
pub(crate) fn paths(room: &str) -> BTreeSet<String> {
    let text = lines(room).join("\n");
    let mut paths = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        let path: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
            .collect();
        let names = rest
            .strip_prefix(path.as_str())
            .and_then(|rest| rest.strip_prefix('{'));
        let names = names
            .and_then(|names| names.split('}').next())
            .unwrap_or_default();
        if names.is_empty() {
            paths.insert(format!("crate::{path}"));
        }
        let names = names.split(',').map(str::trim);
        for name in names.filter(|name| !name.is_empty()) {
            let name = name.split(" as ").next().unwrap_or(name);
            paths.insert(format!("crate::{path}{name}"));
        }
    }
    paths
}

fn room_of(path: &str) -> &str {
    path.split("::").nth(1).unwrap_or_default()
}

/// A room names no other room than those beside it in the table.
pub(crate) fn data_flows_one_way(table: Table) {
    for (room, allowed) in table {
        assert!(
            !lines(room).is_empty(),
            "the room {room} is gone: take it out of the table"
        );
        let strays: Vec<_> = paths(room)
            .into_iter()
            .filter(|path| room_of(path) != *room && !allowed.contains(&room_of(path)))
            .collect();
        assert!(strays.is_empty(), "{room} must not use {strays:?}");
    }
}

/// Every module of `src` is in the table.
pub(crate) fn every_room_is_in_the_table(table: Table) {
    let entries = std::fs::read_dir(source("")).unwrap();
    let names = entries.map(|entry| entry.unwrap().path());
    let names = names.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
    let rooms: BTreeSet<String> = names
        .filter(|name| name != "lib" && name != "main")
        .collect();
    let known: BTreeSet<String> = table.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(rooms, known);
}

/// Whether a line says a word, and not another one that ends alike.
fn says(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

/// A word of `doors`, mostly a crate, is said in no other rooms than those beside it.
pub(crate) fn each_outside_thing_has_its_doors(table: Table, doors: Table) {
    for (room, _) in table {
        for (word, rooms) in doors.iter().filter(|(_, rooms)| !rooms.contains(room)) {
            let stray = lines(room).into_iter().find(|line| says(line, word));
            assert_eq!(
                stray, None,
                "{room} must not say {word} itself; {rooms:?} may"
            );
        }
    }
}
