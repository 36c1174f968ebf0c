//! What every program of Atoll means in the same way.
//!
//! Names that cannot be wrong, numbers of things, the usage record, how settings files are read, and the calls to Consul and Nomad as plain data:
//! a [`http::Call`] says what to send and how to read the answer. This crate
//! decides nothing, retries nothing and opens no connection; the programs do.

pub mod consul;
pub mod count;
pub mod http;
pub mod names;
pub mod nomad;
pub mod settings;
pub mod usage;
