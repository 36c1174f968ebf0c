//! What is to be delivered, as the delivery's thread reads it.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{LedgerError, open, signed, unsigned};

/// The ledger's second connection: reads entries, and notes how far they were delivered.
#[derive(Debug)]
pub struct Outbox {
    connection: Connection,
    path: PathBuf,
}

/// Entries of one ledger that were not delivered yet, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The ledger's UUID.
    pub ledger: String,
    /// The node that it belongs to.
    pub node_id: String,
    /// The number of the first entry.
    pub first: u64,
    /// The entries, a line of JSON each.
    pub lines: Vec<String>,
}

impl Batch {
    /// The number of the last entry.
    pub fn last(&self) -> u64 {
        (self.first + self.lines.len() as u64).saturating_sub(1)
    }
}

impl Outbox {
    /// Opens the database of a [`super::Ledger`] that is open in this process.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let connection = open::connect(path).map_err(|source| LedgerError::Database {
            doing: "open",
            path: path.to_owned(),
            source,
        })?;
        let path = path.to_owned();
        Ok(Self { connection, path })
    }

    /// The first entries that are not delivered: of the oldest ledger that has some.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn batch(&self, entries: usize, bytes: usize) -> Result<Option<Batch>, LedgerError> {
        self.read(entries, bytes)
            .map_err(|source| self.error("read entries from", source))
    }

    /// How many entries are not delivered.
    ///
    /// # Errors
    /// When they cannot be counted.
    pub fn lag(&self) -> Result<u64, LedgerError> {
        let sum = "SELECT COALESCE(SUM(next - 1 - acknowledged), 0) FROM ledgers";
        self.connection
            .query_row(sum, [], |row| row.get(0))
            .map(unsigned)
            .map_err(|source| self.error("count entries in", source))
    }

    /// The number of a ledger's newest entry; 0 when it has none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn newest(&self, ledger: &str) -> Result<u64, LedgerError> {
        let next = "SELECT next - 1 FROM ledgers WHERE uuid = ?1";
        self.connection
            .query_row(next, [ledger], |row| row.get(0))
            .map(unsigned)
            .map_err(|source| self.error("read", source))
    }

    /// Notes that a receiver has everything up to a number: also a smaller one than before.
    ///
    /// # Errors
    /// When that cannot be written; the entries are delivered again then.
    pub fn acknowledge(&self, ledger: &str, number: u64) -> Result<(), LedgerError> {
        self.connection
            .execute(
                "UPDATE ledgers SET acknowledged = MIN(?1, next - 1) WHERE uuid = ?2",
                params![signed(number), ledger],
            )
            .map(|_| ())
            .map_err(|source| self.error("note a delivery in", source))
    }

    fn read(&self, entries: usize, bytes: usize) -> rusqlite::Result<Option<Batch>> {
        let oldest = "SELECT number, uuid, node_id, acknowledged FROM ledgers \
             WHERE acknowledged < next - 1 AND node_id IS NOT NULL ORDER BY number LIMIT 1";
        let found = self
            .connection
            .query_row(oldest, [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        let Some((number, ledger, node_id, acknowledged)) = found else {
            return Ok(None);
        };
        let (number, acknowledged): (i64, i64) = (number, acknowledged);
        let mut batch = Batch {
            ledger,
            node_id,
            first: unsigned(acknowledged) + 1,
            lines: Vec::new(),
        };
        let mut select = self.connection.prepare_cached(
            "SELECT seq, json FROM entries WHERE ledger = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
        )?;
        let limit = i64::try_from(entries).unwrap_or(i64::MAX);
        let mut rows = select.query(params![number, acknowledged, limit])?;
        let mut size = 0;
        while let Some(row) = rows.next()? {
            let (seq, line): (i64, String) = (row.get(0)?, row.get(1)?);
            size += line.len() + 1;
            let full = !batch.lines.is_empty() && size > bytes;
            // What is no longer here cannot be delivered; what comes after it is refused with a reason.
            if batch.lines.is_empty() {
                batch.first = unsigned(seq);
            }
            if full || unsigned(seq) != batch.first + batch.lines.len() as u64 {
                break;
            }
            batch.lines.push(line);
        }
        Ok((!batch.lines.is_empty()).then_some(batch))
    }

    fn error(&self, doing: &'static str, source: rusqlite::Error) -> LedgerError {
        LedgerError::Database {
            doing,
            path: self.path.clone(),
            source,
        }
    }
}
