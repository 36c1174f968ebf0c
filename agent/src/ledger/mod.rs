//! The agent's database: entries that cannot change, and the meter's state they belong to.
//!
//! Entries and state are written in one transaction, and the transaction is on
//! the disk when [`Ledger::commit`] returns. So a crash at any moment leaves
//! counters and intervals that fit together: nothing is lost, as the kernel's
//! counters go on, and nothing is counted twice.
//!
//! One process has the database, one thread of it a [`Ledger`] that writes, and
//! another an [`Outbox`] that reads what is to be delivered.

mod open;
mod outbox;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use federation::usage::{Body, Entry, Moment};
use rusqlite::{Connection, TransactionBehavior, params};
use uuid::Uuid;

use crate::meter::State;
pub use outbox::{Batch, Outbox};

/// Whether a ledger has the facts of an allocation, or its end: in the words of the index.
const HAS: &str = "SELECT EXISTS (SELECT 1 FROM entries WHERE ledger = ?1 AND coalesce(\
                   json_extract(json, '$.allocation.id'), json_extract(json, '$.end.allocation')) = ?2)";

/// How often the state is written when nothing happens, in µs.
const EVERY_US: i64 = 10_000_000;
/// How long delivered entries are kept, in µs.
const KEPT_US: i64 = 35 * 86_400_000_000;
/// How often old entries are looked for, in µs.
const PRUNED_US: i64 = 3_600_000_000;
/// How many entries go at once.
const PRUNED_ROWS: i64 = 10_000;
/// How many entries wait in memory for a disk that is full.
const WAITING: usize = 10_000;

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process has it.
    #[error(
        "another atoll-agent uses the ledger {}; two would count everything twice: stop that one first",
        .0.display()
    )]
    InUse(PathBuf),
    /// Its folder or lock cannot be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The database refused.
    #[error("cannot {doing} the ledger {}: {source}", path.display())]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Which database.
        path: PathBuf,
        /// What `SQLite` said.
        source: rusqlite::Error,
    },
    /// Nothing could be written for so long that what waits was given up: go on from [`Ledger::committed`].
    #[error(
        "the ledger {} could not be written for too long; metering goes on from what it holds",
        .0.display()
    )]
    Waiting(PathBuf),
}

impl LedgerError {
    /// Whether the database's file is damaged: a new start moves it aside.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Database { source, .. } if open::is_damage(source))
    }
}

/// The database, as the meter's thread has it.
#[derive(Debug)]
pub struct Ledger {
    connection: Connection,
    path: PathBuf,
    /// Held for as long as the ledger is open.
    _lock: open::Lock,
    /// Its row in the table of ledgers.
    number: i64,
    uuid: String,
    node_id: Option<String>,
    next: u64,
    rows: BTreeMap<String, String>,
    shape: u64,
    written_boot_us: Option<i64>,
    pruned_boot_us: Option<i64>,
    waiting: Vec<Body>,
    delivered: bool,
}

impl Ledger {
    /// Opens the database, or makes it. What is damaged is moved aside: its new name is given too.
    ///
    /// # Errors
    /// When another process has it, or its folder cannot be used.
    pub fn open(path: &Path) -> Result<(Self, Option<PathBuf>), LedgerError> {
        open::open(path)
    }

    /// The ledger's UUID.
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// Nomad's ID of the node that it belongs to, once that is known.
    pub fn node_id(&self) -> Option<&str> {
        self.node_id.as_deref()
    }

    /// The state that was written last.
    pub fn committed(&self) -> State {
        // What is not readable was refused when the ledger was opened.
        State::from_rows(self.rows.clone()).unwrap_or_default()
    }

    /// How many entries wait in memory for a disk that does not take them.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether the facts of an allocation are among the entries, or its end, which stays for longer:
    /// to write them a second time would have the accounting service refuse all that follows.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn has(&self, allocation: &str) -> Result<bool, LedgerError> {
        let has = self.connection.prepare_cached(HAS);
        has.and_then(|mut has| has.query_row(params![self.number, allocation], |row| row.get(0)))
            .map_err(|source| self.error("read", source))
    }

    /// Says that nobody wants the entries: they are kept as long as delivered ones.
    pub fn keep_for_nobody(&mut self) {
        self.delivered = false;
    }

    /// Says which node this is. A node that was installed anew begins a ledger with an empty state: true then.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn belong(&mut self, node_id: &str) -> Result<bool, LedgerError> {
        if self.node_id.as_deref() == Some(node_id) {
            return Ok(false);
        }
        let anew = self.node_id.is_some();
        if anew {
            self.begin_anew(node_id)
        } else {
            self.connection
                .execute(
                    "UPDATE ledgers SET node_id = ?1 WHERE number = ?2",
                    params![node_id, self.number],
                )
                .map(|_| ())
        }
        .map_err(|source| self.error("write the node's ID to", source))?;
        self.node_id = Some(node_id.to_owned());
        Ok(anew)
    }

    fn begin_anew(&mut self, node_id: &str) -> rusqlite::Result<()> {
        let uuid = Uuid::new_v4().to_string();
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "INSERT INTO ledgers (uuid, node_id, acknowledged, next) VALUES (?1, ?2, 0, 1)",
            params![uuid, node_id],
        )?;
        let number = transaction.last_insert_rowid();
        transaction.execute("DELETE FROM state", [])?;
        transaction.commit()?;
        self.number = number;
        self.uuid = uuid;
        self.next = 1;
        self.rows.clear();
        self.waiting.clear();
        Ok(())
    }

    /// Bounds the database's size, in pages of 4 KiB; what it holds already stays.
    ///
    /// # Errors
    /// When `SQLite` refuses.
    pub fn limit_pages(&mut self, pages: u32) -> Result<(), LedgerError> {
        self.connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .map_err(|source| self.error("bound", source))
    }

    /// Writes entries and the state they belong to, at once.
    ///
    /// Without entries the state is written every ten seconds, and when something
    /// began or ended. What cannot be written waits for the next call.
    ///
    /// # Errors
    /// When nothing could be written: call again with the next entries. After
    /// [`LedgerError::Waiting`], go on from [`Ledger::committed`].
    pub fn commit(
        &mut self,
        bodies: Vec<Body>,
        state: &State,
        now: Moment,
    ) -> Result<Vec<Entry>, LedgerError> {
        self.waiting.extend(bodies);
        let shape = state.shape();
        let old = |boot_us: i64| (now.boot_us - boot_us).abs() >= EVERY_US;
        let due = self.written_boot_us.is_none_or(old) || shape != self.shape;
        if self.waiting.is_empty() && !due {
            return Ok(Vec::new());
        }
        let rows = state.rows();
        match self.write(&rows, now) {
            Ok(entries) => {
                self.next += entries.len() as u64;
                self.waiting.clear();
                self.rows = rows;
                self.shape = shape;
                self.written_boot_us = Some(now.boot_us);
                self.prune(now);
                Ok(entries)
            }
            Err(_) if self.waiting.len() > WAITING => {
                self.waiting.clear();
                Err(LedgerError::Waiting(self.path.clone()))
            }
            Err(source) => Err(self.error("write to", source)),
        }
    }

    fn write(
        &mut self,
        rows: &BTreeMap<String, String>,
        now: Moment,
    ) -> rusqlite::Result<Vec<Entry>> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut entries = Vec::with_capacity(self.waiting.len());
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO entries (ledger, seq, written_us, json) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for (seq, body) in (self.next..).zip(&self.waiting) {
                let body = body.clone();
                let entry = Entry { seq, body };
                let json = serde_json::to_string(&entry)
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
                insert.execute(params![self.number, signed(seq), now.wall_us, json])?;
                entries.push(entry);
            }
            let mut put = transaction
                .prepare_cached("INSERT OR REPLACE INTO state (key, json) VALUES (?1, ?2)")?;
            for (key, json) in rows {
                if self.rows.get(key) != Some(json) {
                    put.execute(params![key, json])?;
                }
            }
            let mut drop = transaction.prepare_cached("DELETE FROM state WHERE key = ?1")?;
            for key in self.rows.keys().filter(|key| !rows.contains_key(*key)) {
                drop.execute(params![key])?;
            }
            transaction.execute(
                "UPDATE ledgers SET next = ?1 WHERE number = ?2",
                params![signed(self.next + entries.len() as u64), self.number],
            )?;
        }
        transaction.commit()?;
        Ok(entries)
    }

    /// Forgets what was delivered long ago. What fails is tried again later.
    fn prune(&mut self, now: Moment) {
        let recent = |boot_us: i64| (now.boot_us - boot_us).abs() < PRUNED_US;
        if self.pruned_boot_us.is_some_and(recent) {
            return;
        }
        self.pruned_boot_us = Some(now.boot_us);
        let pruned = self.connection.execute(
            "DELETE FROM entries WHERE rowid IN (SELECT entries.rowid FROM entries \
             JOIN ledgers ON ledgers.number = entries.ledger \
             WHERE written_us < ?1 AND (seq <= acknowledged OR ?2) LIMIT ?3)",
            params![now.wall_us - KEPT_US, !self.delivered, PRUNED_ROWS],
        );
        if let Err(error) = pruned {
            tracing::warn!(
                "cannot remove old entries from {}: {error}",
                self.path.display()
            );
        }
    }

    fn error(&self, doing: &'static str, source: rusqlite::Error) -> LedgerError {
        LedgerError::Database {
            doing,
            path: self.path.clone(),
            source,
        }
    }
}

/// `SQLite`'s integers have a sign; no ledger gets that long.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Ledger {
        /// Makes its entries unreadable, and readable again.
        pub(crate) fn rename_entries(&self, from: &str, to: &str) {
            let rename = format!("ALTER TABLE {from} RENAME TO {to}");
            self.connection.execute_batch(&rename).unwrap();
        }
    }

    /// Each second everybody who is to begin is looked up, among what a month has left.
    #[test]
    fn whose_facts_it_has_is_found_by_the_index() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, _) = Ledger::open(&folder.path().join("ledger.db")).unwrap();
        let plan = format!("EXPLAIN QUERY PLAN {HAS}");
        let mut plan = ledger.connection.prepare(&plan).unwrap();
        let steps = plan.query_map(params![1, "a"], |row| row.get::<_, String>(3));
        let steps: Vec<String> = steps.unwrap().map(Result::unwrap).collect();
        let by_index =
            |step: &String| step.contains("INDEX facts_and_ends (ledger=? AND <expr>=?)");
        assert!(steps.iter().any(by_index), "{steps:?}");
    }
}
