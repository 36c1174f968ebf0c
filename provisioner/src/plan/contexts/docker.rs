//! What the templates of Docker's files see.

use serde::Serialize;

use crate::inventory::AddressPool;

/// `daemon.json` of Docker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DockerDaemon {
    /// Where images and layers are, if not in Docker's usual place.
    pub data_root: Option<&'static str>,
    /// Where Docker's own networks take their addresses; Docker's default when empty.
    pub address_pools: Vec<Pool>,
    /// Whether this Docker has the containerd image store, which must be off.
    pub has_image_store: bool,
    /// Whether the log driver writes files whose size these options bound: the operator may have
    /// chosen another, with which Docker would not start.
    pub has_log_files: bool,
    /// Mirrors of registries, nearest first.
    pub mirrors: Vec<String>,
    /// Whether the host has NVIDIA GPUs, and so a runtime for them.
    pub gpus: bool,
}

/// A range out of which each of Docker's networks gets a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pool {
    /// The range.
    pub base: String,
    /// The prefix length of a part.
    pub size: u8,
}

impl Pool {
    /// As the inventory says it.
    pub(in crate::plan) fn of(pool: &AddressPool) -> Self {
        Self {
            base: pool.base.to_string(),
            size: pool.size,
        }
    }
}

/// What Docker's unit has beside its package's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DockerUnit {
    /// The mount point without which it must not start.
    pub volume: &'static str,
}
