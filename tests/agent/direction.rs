//! The design, held: data flows one way, and outside things have one door each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each room, and the rooms it may name. A room may always name itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("settings", &[]),
    ("clock", &[]),
    ("cgroup", &[]),
    ("gpu", &[]),
    ("wire", &["settings"]),
    ("nomad", &["settings", "wire"]),
    ("consul", &["settings", "wire"]),
    ("discover", &["gpu", "nomad"]),
    (
        "register",
        &[
            "clock", "consul", "discover", "gpu", "nomad", "settings", "threads", "wire",
        ],
    ),
    ("threads", &[]),
    ("follow", &["clock", "nomad", "settings"]),
    ("meter", &["cgroup", "gpu", "nomad"]),
    ("ledger", &["meter"]),
    ("deliver", &["ledger", "settings", "wire"]),
    ("print", &[]),
    ("cli", &["command", "settings"]),
    (
        "command",
        &[
            "cgroup", "cli", "clock", "consul", "discover", "gpu", "ledger", "nomad", "print",
            "run", "settings", "wire",
        ],
    ),
    (
        "run",
        &[
            "cgroup", "clock", "deliver", "follow", "gpu", "ledger", "meter", "nomad", "register",
            "settings", "threads",
        ],
    ),
];

/// What decides on plain data: it names no other thing of these rooms than their plain types.
const PLAIN: &[(&str, &[&str])] = &[(
    "meter",
    &[
        "crate::cgroup::TaskKey",
        "crate::cgroup::Reading",
        "crate::cgroup::Seen",
        "crate::cgroup::Parent",
        "crate::cgroup::Snapshot",
        "crate::nomad",
        "crate::nomad::self",
        "crate::nomad::Allocation",
        "crate::nomad::TaskTimes",
        "crate::gpu::Busy",
        "crate::gpu::Answer",
    ],
)];

/// Words which only some rooms may say: the doors to outside things.
const DOORS: &[(&str, &[&str])] = &[
    ("nvml_wrapper::", &["gpu"]),
    ("rustix::time", &["clock"]),
    ("rustix::event", &["cgroup"]),
    ("rustix::process", &["cgroup"]),
    ("rusqlite::", &["ledger"]),
    ("ureq::", &["wire", "deliver"]),
    ("stdout()", &["print"]),
    ("SystemTime", &[]),
    ("Nomad::new", &["register", "follow", "command"]),
    ("gpu::start", &["run", "command"]),
    ("cgroup::open", &["run"]),
];

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
            } else {
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

/// What follows each `crate::` of some lines, as far as it is a path.
fn paths(lines: &[String]) -> BTreeSet<String> {
    // An import of several names is a path for each.
    let text = lines.join("\n");
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
        for name in names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let name = name.split(" as ").next().unwrap_or(name);
            paths.insert(format!("crate::{path}{name}"));
        }
        if names.is_empty() {
            paths.insert(format!("crate::{path}"));
        }
    }
    paths
}

fn room_of(path: &str) -> &str {
    path.split("::").nth(1).unwrap_or_default()
}

#[test]
fn data_flows_one_way() {
    for (room, allowed) in MAY_USE {
        let lines = lines(room);
        assert!(
            !lines.is_empty(),
            "the room {room} is gone: take it out of the table"
        );
        let paths = paths(&lines);
        let strays: Vec<_> = paths
            .iter()
            .filter(|path| room_of(path) != *room && !allowed.contains(&room_of(path)))
            .collect();
        assert!(strays.is_empty(), "{room} must not use {strays:?}");
    }
}

#[test]
fn what_decides_knows_plain_types_only() {
    for (room, types) in PLAIN {
        let own = format!("crate::{room}");
        let strays: Vec<String> = paths(&lines(room))
            .into_iter()
            .filter(|path| !path.starts_with(&own))
            .filter(|path| !types.iter().any(|plain| path.starts_with(plain)))
            .collect();
        assert!(strays.is_empty(), "{room} must not use {strays:?}");
    }
}

#[test]
fn every_room_is_in_the_table() {
    let entries = std::fs::read_dir(source("")).unwrap();
    let rooms = entries.map(|entry| {
        entry
            .unwrap()
            .path()
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    });
    let rooms: BTreeSet<String> = rooms
        .filter(|name| name != "lib" && name != "main")
        .collect();
    let table: BTreeSet<String> = MAY_USE.iter().map(|(room, _)| (*room).to_owned()).collect();
    let unknown: Vec<_> = rooms.difference(&table).collect();
    assert!(
        unknown.is_empty(),
        "these rooms are in no table: {unknown:?}"
    );
}

#[test]
fn each_outside_thing_has_one_door() {
    for (room, _) in MAY_USE {
        for (word, doors) in DOORS {
            let stray = lines(room).into_iter().find(|line| line.contains(word));
            assert!(
                stray.is_none() || doors.contains(room),
                "{room} must not say {word} itself; {doors:?} does: {stray:?}"
            );
        }
    }
}
