//! Tests of `atoll-agent` as others see it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod busy;
mod cgroup;
mod check;
mod consul;
mod counter;
mod deliver;
mod direction;
mod discover;
mod doubt;
mod gpu;
mod known;
mod ledger;
mod lost;
#[path = "../fake-nvml/tests/nvml/machine.rs"]
#[allow(dead_code, reason = "the library's own tests use more of it")]
mod machine;
mod meter;
mod nomad;
mod property;
mod recall;
mod register;
mod timeline;
mod untold;
#[path = "../walls.rs"]
mod walls;
