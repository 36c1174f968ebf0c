//! `atoll-agent`: finds what a node has, registers it, and meters what is used of it.
//!
//! ```text
//! gpu, nomad ──▶ discover ──▶ register ──▶ Consul
//! cgroup, gpu, nomad ──▶ meter ──▶ ledger ──▶ deliver ──▶ the accounting service
//! ```
//!
//! [`meter`] decides on plain data and touches nothing; the rooms before it read
//! the node, those after it write and send. `docs/records.md` is the contract.

pub mod cgroup;
pub mod cli;
pub mod clock;
pub mod command;
pub mod consul;
pub mod deliver;
pub mod discover;
pub mod follow;
pub mod gpu;
pub mod ledger;
pub mod memory;
pub mod meter;
pub mod nomad;
pub mod print;
pub mod register;
pub mod run;
pub mod settings;
pub mod threads;
pub mod wire;
