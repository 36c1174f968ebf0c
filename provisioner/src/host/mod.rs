//! The only door to a host: one SSH connection, over which everything goes.
//!
//! Commands, uploads and the HTTP APIs of the host's own Consul and Nomad share
//! one session, owned by one thread. This room knows how to reach a host and
//! nothing of what is done there.

mod api;
mod known_hosts;
mod session;

use std::path::PathBuf;

pub use api::{ApiError, Ask, Endpoint, Identity};
pub use known_hosts::{KnownHosts, KnownHostsError};
pub use session::{Command, Credentials, Output, Session};

/// Why something on a host could not be done.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No TCP connection.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Address and port.
        address: String,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The connection is not an SSH one, or broke.
    #[error("cannot {doing}: {source}")]
    Ssh {
        /// What was being done.
        doing: String,
        /// What libssh2 said.
        source: ssh2::Error,
    },
    /// The host's key is not the one in `known_hosts`.
    #[error(
        "the host key of {address} has changed: known_hosts has {known}, the host shows {shown}; \
         if the host was reinstalled, remove its line from {} and add the new key", file.display()
    )]
    KeyChanged {
        /// Address and port.
        address: String,
        /// What is in the file.
        known: String,
        /// Fingerprint of what the host shows.
        shown: String,
        /// The file.
        file: PathBuf,
    },
    /// The host's key is not in `known_hosts`.
    #[error(
        "the host key of {address} is unknown ({shown}); check it on the host's console, then add it: \
         ssh-keyscan -p {port} {host} >> {}", file.display()
    )]
    KeyUnknown {
        /// Address and port.
        address: String,
        /// The address alone.
        host: String,
        /// The port alone.
        port: u16,
        /// Fingerprint of what the host shows.
        shown: String,
        /// The file.
        file: PathBuf,
    },
    /// The host's key is marked `@revoked`.
    #[error("the host key of {address} is marked @revoked in {}: do not trust this host", file.display())]
    KeyRevoked {
        /// Address and port.
        address: String,
        /// The file.
        file: PathBuf,
    },
    /// No key was accepted.
    #[error("{user}@{address} accepted none of the keys offered ({offered}): {reason}")]
    Refused {
        /// Account.
        user: String,
        /// Address and port.
        address: String,
        /// What was tried.
        offered: String,
        /// What libssh2 said last.
        reason: String,
    },
    /// The local file to be sent could not be read.
    #[error("cannot read {what}: {source}")]
    Read {
        /// What was being read.
        what: String,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The connection broke while data was moving.
    #[error("lost the connection while {doing}: {source}")]
    Broken {
        /// What was being done.
        doing: String,
        /// What the system answered.
        source: std::io::Error,
    },
    /// Nothing came for too long.
    #[error("{doing} took longer than {seconds} s")]
    TimedOut {
        /// What was being done.
        doing: String,
        /// The limit.
        seconds: u64,
    },
}

impl HostError {
    fn ssh(doing: impl Into<String>) -> impl FnOnce(ssh2::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Ssh { doing, source }
    }
}
