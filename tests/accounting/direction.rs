//! The design, held: data flows one way, and outside things have one door each.

use crate::walls;

/// Each room, and the rooms it may name. A room may always name itself.
const MAY_USE: walls::Table = &[
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
const DOORS: walls::Table = &[
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
