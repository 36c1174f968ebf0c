//! `atoll-accounting`: keeps the usage records of all nodes, and reports them.
//!
//! Nodes deliver to [`receive`] over mutual TLS, [`ledger`] keeps each entry as
//! it came, and what is reported is computed from there: by [`records`], which
//! [`apel`] writes as messages into a [`queue`], or people read as a [`report`]. `docs/records.md` is
//! the contract with the nodes.

pub mod apel;
pub mod cli;
pub mod command;
pub mod explain;
pub mod ledger;
pub mod print;
pub mod queue;
pub mod receive;
pub mod records;
pub mod report;
pub mod settings;
pub mod tls;
