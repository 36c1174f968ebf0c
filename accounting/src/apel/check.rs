//! The service's own rules about a message, written anew from what its loader does.
//!
//! It reads the text that is sent and knows nothing of the records it was made from. What the loader
//! takes although it would count wrongly is found too, and marked so.

use jiff::Timestamp;

use super::{Kind, LONGEST_BYTES, MOST_RECORDS, accelerator, cloud};
use crate::records::ENCRYPTED;

/// Something wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Whether the loader refuses the message for it; otherwise it counts something wrong.
    pub refused: bool,
    /// Which record (from 0, none for the message) and what about it.
    pub what: String,
}

impl Finding {
    pub(super) fn refused(what: impl Into<String>) -> Self {
        Self {
            refused: true,
            what: what.into(),
        }
    }

    pub(super) fn harmful(what: impl Into<String>) -> Self {
        Self {
            refused: false,
            what: what.into(),
        }
    }
}

/// Judges a message of a kind, at the time when it would be loaded: all that is wrong with it.
pub fn message(kind: Kind, text: &str, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(at) = text.bytes().position(|byte| !byte.is_ascii()) {
        findings.push(Finding::refused(format!(
            "byte {at} is not ASCII, which ends the program that receives it"
        )));
    }
    for magic in ENCRYPTED.iter().filter(|magic| text.contains(**magic)) {
        findings.push(Finding::refused(format!(
            "`{magic}` makes the receiver decrypt what is not encrypted"
        )));
    }
    if text.len() > LONGEST_BYTES {
        findings.push(Finding::refused(format!(
            "{} bytes, where {LONGEST_BYTES} are the most",
            text.len()
        )));
    }
    let records = match kind {
        Kind::Cloud => cloud::judge(text, &mut findings),
        Kind::Accelerator => accelerator::judge(text, now, &mut findings),
    };
    if records == Some(0) {
        findings.push(Finding::refused("there is no record"));
    }
    if let Some(records) = records.filter(|&records| records > MOST_RECORDS) {
        findings.push(Finding::harmful(format!(
            "{records} records, where {MOST_RECORDS} are the most"
        )));
    }
    findings
}
