//! Deliveries into a real ledger: told again, told in part again, and broken off by a crash.

use std::fs;
use std::path::PathBuf;

use accounting::ledger::{Batch, Ledger, LedgerError, Line, Usage};
use federation::usage::{Entry, FORMAT, Header};
use tempfile::TempDir;

/// The name of the only node's ledger.
const LEDGER: &str = "ledger";

/// How the next entries are delivered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery {
    /// How many acknowledged entries are told again before the new ones.
    pub(crate) again: usize,
    /// Whether all of it is told once more.
    pub(crate) twice: bool,
    /// The machine stops while the first attempt is written: how much of what that wrote is on
    /// the disk, in thousandths.
    pub(crate) crash: Option<u64>,
}

/// The service's ledger, and what the agent has heard of it.
pub(crate) struct Deliveries {
    folder: TempDir,
    /// Each crash leaves a file of its own.
    crashes: usize,
    ledger: Ledger,
    heard: usize,
}

impl Deliveries {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("0")).unwrap();
        Self {
            folder,
            crashes: 0,
            ledger,
            heard: 0,
        }
    }

    /// Delivers all of these entries that are new, and gives what the ledger knows then.
    pub(crate) fn deliver(&mut self, entries: &[Entry], how: Delivery) -> Vec<Usage> {
        let told = &entries[self.heard.saturating_sub(how.again)..];
        if !told.is_empty() {
            self.append(&batch(told), entries.len(), how);
        }
        self.usages()
    }

    fn append(&mut self, batch: &Batch, whole: usize, how: Delivery) {
        if let Some(written) = how.crash {
            self.crash(batch, whole, written);
        }
        for _ in 0..=usize::from(how.twice) {
            assert_eq!(self.ledger.append(batch).unwrap(), whole as u64);
        }
        self.heard = whole;
    }

    /// Writes the batch, and goes on with what a machine has that stopped meanwhile: nobody
    /// hears of it, and of its bytes only some are there.
    fn crash(&mut self, batch: &Batch, whole: usize, written: u64) {
        let wal = |at: &PathBuf| PathBuf::from(format!("{}-wal", at.display()));
        let before = self.file(self.crashes);
        let length = |path: &PathBuf| fs::metadata(wal(path)).map_or(0, |file| file.len());
        let from = length(&before);
        self.ledger.append(batch).unwrap();
        let kept = from + (length(&before) - from) * written / 1000;
        self.crashes += 1;
        let after = self.file(self.crashes);
        fs::copy(&before, &after).unwrap();
        let log = fs::read(wal(&before)).unwrap();
        fs::write(wal(&after), &log[..usize::try_from(kept).unwrap()]).unwrap();
        self.ledger = Ledger::open(&after).unwrap();
        let there = self.ledger.standing(LEDGER).unwrap().acknowledged;
        // All of it or nothing, and never less than what was acknowledged.
        assert!(
            [self.heard as u64, whole as u64].contains(&there),
            "{there}"
        );
    }

    fn file(&self, number: usize) -> PathBuf {
        self.folder.path().join(number.to_string())
    }

    /// What the ledger knows, one allocation after the other.
    fn usages(&self) -> Vec<Usage> {
        let mut usages = Vec::new();
        let mut push = |usage| {
            usages.push(usage);
            Ok::<_, LedgerError>(())
        };
        self.ledger.usage(&mut push).unwrap();
        usages
    }
}

pub(crate) fn batch(entries: &[Entry]) -> Batch {
    let line = |entry: &Entry| Line {
        entry: entry.clone(),
        text: serde_json::to_string(entry).unwrap(),
    };
    Batch {
        header: Header {
            format: FORMAT,
            node: "example-one-wn-1".parse().unwrap(),
            datacenter: "example-one".parse().unwrap(),
            node_id: "node".to_owned(),
            ledger: LEDGER.to_owned(),
            entries: u32::try_from(entries.len()).unwrap(),
        },
        lines: entries.iter().map(line).collect(),
        received_us: 0,
    }
}
