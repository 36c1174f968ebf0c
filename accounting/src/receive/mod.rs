//! Where the nodes deliver: HTTPS with client certificates, and nothing kept that is not whole.
//!
//! A delivery is judged by itself first ([`judge`]), which reads nothing but the
//! delivery; then by what is committed, in the ledger's own transaction. Only
//! when that is on the disk is it acknowledged. Every wait has an end, and
//! every buffer a size.

mod caller;
mod judge;
mod meaning;
mod refusal;
mod routes;
mod seldom;
mod server;

use std::time::Duration;

pub use caller::{Caller, Stranger};
pub use judge::{DIGEST_HEADER, Delivery, MOST_BYTES, MOST_ENTRIES, judge};
pub use refusal::Refusal;
pub use server::{Drained, Receiver};

/// How much the receiver does at once, and how long it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time; more wait to be accepted.
    pub connections: u32,
    /// Deliveries that are in memory at the same time; more wait.
    pub deliveries: usize,
    /// Until a caller has shown its certificate.
    pub handshake: Duration,
    /// Until the head of a request, also of the next one on a connection.
    pub head: Duration,
    /// Until a request is whole, judged and answered.
    pub request: Duration,
    /// How long a connection may be used.
    pub connection: Duration,
    /// How long running requests may take once the receiver was asked to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            deliveries: 8,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            request: Duration::from_mins(1),
            connection: Duration::from_mins(10),
            drain: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests;
