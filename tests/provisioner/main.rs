//! What `atoll` is held to from outside: inventories, rendered files, secrets, and its own design.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod direction;
mod documents;
mod generator;
mod given;
mod golden;
mod importers;
mod inventory;
mod kinds;
mod options;
mod parity;
mod pki;
mod render;
mod scope;
mod secrets;
mod select;
mod templates;
#[path = "../walls.rs"]
mod walls;
