//! The design, held: data flows one way, and outside things have one door each.

use crate::walls;

/// Each room, and the rooms it may name. A room may always name itself.
const MAY_USE: walls::Table = &[
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
    ("memory", &[]),
    ("print", &[]),
    ("cli", &["command", "settings"]),
    (
        "command",
        &[
            "cgroup", "cli", "clock", "consul", "deliver", "discover", "gpu", "ledger", "nomad",
            "print", "run", "settings",
        ],
    ),
    (
        "run",
        &[
            "cgroup", "clock", "deliver", "follow", "gpu", "ledger", "memory", "meter", "nomad",
            "register", "settings", "threads",
        ],
    ),
];

/// What decides on plain data: it names no other thing of these rooms than their plain types.
const PLAIN: walls::Table = &[(
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
const DOORS: walls::Table = &[
    ("nvml_wrapper::", &["gpu"]),
    ("nvml_raw::", &["gpu"]),
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
fn what_decides_knows_plain_types_only() {
    for (room, types) in PLAIN {
        let own = format!("crate::{room}");
        let strays: Vec<String> = walls::paths(room)
            .into_iter()
            .filter(|path| !path.starts_with(&own))
            .filter(|path| !types.iter().any(|plain| path.starts_with(plain)))
            .collect();
        assert!(strays.is_empty(), "{room} must not use {strays:?}");
    }
}
