//! Which records must be sent, and in which messages.

use jiff::Timestamp;

use super::{Draft, Kind, Message, Record, check, frame};
use crate::records::{Records, Row};

/// Sorts records into messages: what was published as it is now is left out.
///
/// A record of a month stands for all that was sent before for it (the service keeps the one that
/// it received last), so only the newest is ever sent, and messages leave in the order in which
/// they are made.
#[derive(Debug)]
pub struct Outgoing {
    now: Timestamp,
    cloud: Draft,
    accelerators: Draft,
    counts: Counts,
    refused: Vec<Refused>,
}

/// How many records there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// New or changed cloud records.
    pub cloud: usize,
    /// New or changed accelerator records.
    pub accelerators: usize,
    /// Records that were published as they are.
    pub unchanged: usize,
    /// Messages.
    pub messages: usize,
}

/// A record that the service would refuse, with the whole message it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The record.
    pub row: Row,
    /// Why.
    pub reasons: Vec<String>,
}

impl Outgoing {
    /// Nothing so far.
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            cloud: Draft::new(Kind::Cloud),
            accelerators: Draft::new(Kind::Accelerator),
            counts: Counts::default(),
            refused: Vec::new(),
        }
    }

    /// Takes the records of one allocation; `published` says the digest under which a row was
    /// published last. Gives the messages that are full.
    ///
    /// # Errors
    /// What `published` says.
    pub fn add<E>(
        &mut self,
        records: &Records,
        published: &mut dyn FnMut(&Row) -> Result<Option<String>, E>,
    ) -> Result<Vec<Message>, E> {
        let mut full = Vec::new();
        let cloud = records.cloud.iter().map(Record::Cloud);
        let accelerators = records.accelerators.iter().map(Record::Accelerator);
        for record in cloud.chain(accelerators) {
            let row = record.row();
            if published(&row)?.as_ref() == Some(&row.digest) {
                self.counts.unchanged += 1;
            } else {
                full.extend(self.add_one(record, row));
            }
        }
        self.counts.messages += full.len();
        Ok(full)
    }

    fn add_one(&mut self, record: Record<'_>, row: Row) -> Option<Message> {
        let text = record.text();
        // Judged alone first, so that it cannot take its message with it.
        let alone = frame(record.kind(), &text);
        let findings = check::message(record.kind(), &alone, self.now);
        if !findings.is_empty() {
            let reasons = findings.into_iter().map(|finding| finding.what).collect();
            self.refused.push(Refused { row, reasons });
            return None;
        }
        match record.kind() {
            Kind::Cloud => {
                self.counts.cloud += 1;
                self.cloud.add(text, row)
            }
            Kind::Accelerator => {
                self.counts.accelerators += 1;
                self.accelerators.add(text, row)
            }
        }
    }

    /// Gives the messages that are not full.
    pub fn flush(&mut self) -> Vec<Message> {
        let last = [self.cloud.take(), self.accelerators.take()];
        let last: Vec<Message> = last.into_iter().flatten().collect();
        self.counts.messages += last.len();
        last
    }

    /// What was counted, and what was not sent.
    pub fn finish(self) -> (Counts, Vec<Refused>) {
        (self.counts, self.refused)
    }
}
