//! `atoll-accounting` as others see it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod apel;
mod delivery;
mod direction;
mod explain;
mod property;
mod publish;
mod queue;
mod receive;
mod records;
mod schedule;
mod serve;
#[path = "../walls.rs"]
mod walls;
