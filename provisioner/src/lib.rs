//! The stages of `atoll`, one room each; data flows from the first to the last.
//!
//! ```text
//! inventory → plan → render → apply → verify
//! ```
//!
//! Beside them: `importers` reads what other tools know, `versions` knows what the
//! products' versions read, `host` is the only door to a machine, `pki` and `secrets`
//! hold what the operator must not lose, `artifacts` what hosts are given, `progress`
//! what people see, `documents` what the JSON looks like that is written, `select` which hosts
//! are meant (by `wildcard`), and `command` strings the stages together.

pub mod apply;
pub mod artifacts;
pub mod cli;
pub mod command;
pub mod documents;
pub mod host;
pub mod importers;
pub mod inventory;
pub mod pki;
pub mod plan;
pub mod progress;
pub mod render;
pub mod secrets;
pub mod select;
pub mod verify;
pub mod versions;
pub mod wildcard;
