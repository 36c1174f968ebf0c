//! The accounting service's formats: records into messages, and its own rules about them.
//!
//! Cloud records are APEL-cloud-message v0.4, text; accelerator records are
//! APEL-accelerator-message 0.1, JSON. A message with one bad record is refused whole and nobody is
//! told, so each one is judged by [`check`] before it leaves.

mod accelerator;
pub mod check;
mod cloud;
mod outgoing;

pub use outgoing::{Counts, Outgoing, Refused};

use crate::records::{AcceleratorRecord, CloudRecord, Row};

/// The most records of a message.
pub const MOST_RECORDS: usize = 100;

/// The longest message, in bytes: signed and in base64 it must stay below a million.
pub const LONGEST_BYTES: usize = 550_000;

/// The first line of a message with cloud records.
pub const CLOUD_HEADER: &str = "APEL-cloud-message: v0.4";

/// The `Type` of a message with accelerator records.
pub const ACCELERATOR_TYPE: &str = "APEL-accelerator-message";

/// The `Version` of a message with accelerator records.
pub const ACCELERATOR_VERSION: &str = "0.1";

/// What a message holds: never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Cloud records.
    Cloud,
    /// Accelerator records.
    Accelerator,
}

/// A message as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it holds.
    pub kind: Kind,
    /// ASCII.
    pub text: String,
    /// The records in it, in their order.
    pub rows: Vec<Row>,
}

/// A record of either kind.
#[derive(Debug, Clone, Copy)]
pub enum Record<'a> {
    /// A cloud record.
    Cloud(&'a CloudRecord),
    /// An accelerator record.
    Accelerator(&'a AcceleratorRecord),
}

impl Record<'_> {
    /// What it is known by, with its digest.
    pub fn row(&self) -> Row {
        match self {
            Self::Cloud(record) => record.row(),
            Self::Accelerator(record) => record.row(),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Cloud(_) => Kind::Cloud,
            Self::Accelerator(_) => Kind::Accelerator,
        }
    }

    /// The record as it stands in a message.
    fn text(&self) -> String {
        match self {
            Self::Cloud(record) => record.text(),
            Self::Accelerator(record) => record.json().to_string(),
        }
    }
}

/// A message that grows.
#[derive(Debug)]
struct Draft {
    kind: Kind,
    records: Vec<String>,
    rows: Vec<Row>,
    bytes: usize,
}

impl Draft {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            records: Vec::new(),
            rows: Vec::new(),
            bytes: frame(kind, "").len(),
        }
    }

    /// Adds a record; gives the message that is full because of it.
    fn add(&mut self, text: String, row: Row) -> Option<Message> {
        let more = text.len() + separator(self.kind).len();
        let full = self.records.len() == MOST_RECORDS || self.bytes + more > LONGEST_BYTES;
        let before = if full { self.take() } else { None };
        self.bytes += more;
        self.records.push(text);
        self.rows.push(row);
        before
    }

    /// The message so far, if there is any; the next one begins.
    fn take(&mut self) -> Option<Message> {
        let draft = std::mem::replace(self, Self::new(self.kind));
        if draft.records.is_empty() {
            return None;
        }
        Some(Message {
            kind: draft.kind,
            text: frame(draft.kind, &draft.records.join(separator(draft.kind))),
            rows: draft.rows,
        })
    }
}

fn separator(kind: Kind) -> &'static str {
    match kind {
        Kind::Cloud => "%%\n",
        Kind::Accelerator => ",\n",
    }
}

fn frame(kind: Kind, records: &str) -> String {
    match kind {
        Kind::Cloud => format!("{CLOUD_HEADER}\n{records}"),
        Kind::Accelerator => format!(
            "{{\"Type\":\"{ACCELERATOR_TYPE}\",\"Version\":\"{ACCELERATOR_VERSION}\",\"UsageRecords\":[\n{records}\n]}}\n"
        ),
    }
}
