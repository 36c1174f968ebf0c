//! The ledger: every usage entry of every node, as it was delivered, in one file of `SQLite`.
//!
//! This room is the only one that speaks SQL. It takes whole batches, in one
//! transaction each, and gives back what is known of an allocation. What it has
//! acknowledged is on the disk: the file is in WAL mode with `synchronous=FULL`.

mod admit;
mod append;
mod published;
mod schema;
mod usage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use admit::{Problem, Rejection};
pub use append::{AppendError, Batch, Line, Owner, Standing};
pub use published::{Published, PublishedNames};
pub use usage::{Stored, Usage};

/// How long one program waits for the other's transaction.
const BUSY: Duration = Duration::from_secs(5);

/// The ledger's file, opened.
#[derive(Debug)]
pub struct Ledger {
    connection: Connection,
}

/// Why the ledger could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be opened or prepared.
    #[error("cannot open the ledger {}: look at its folder, its owner and the disk", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What `SQLite` says.
        source: rusqlite::Error,
    },
    /// The file was written by a later version of this program.
    #[error(
        "the ledger {} has version {found}, and this program knows {known} at most: install the later one again",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file was written by an earlier version, and may only be read here.
    #[error("the ledger {} is of an earlier version: start `atoll-accounting serve` once", path.display())]
    Older {
        /// The file.
        path: PathBuf,
    },
    /// There is no room left for what was to be written; nothing of it was.
    #[error("cannot {doing}: the disk of the ledger is full, make room on it")]
    Full {
        /// What was being done.
        doing: &'static str,
    },
    /// `SQLite` refused; nothing was written.
    #[error("cannot {doing} in the ledger")]
    Sql {
        /// What was being done.
        doing: &'static str,
        /// What `SQLite` says.
        source: rusqlite::Error,
    },
    /// The work was broken off; what was not acknowledged may or may not be committed.
    #[error("the work on the ledger was broken off: the service stops, or has a fault")]
    Interrupted,
    /// A stored row is not what was once accepted.
    #[error("entry {seq} of ledger {ledger} cannot be read back: {reason}; restore the file")]
    Damaged {
        /// The node's ledger.
        ledger: String,
        /// Its number in it.
        seq: i64,
        /// What is wrong with it.
        reason: String,
    },
}

impl LedgerError {
    /// Names what was being done when `SQLite` failed.
    fn while_doing(doing: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |source| {
            if is_full(&source) {
                Self::Full { doing }
            } else {
                Self::Sql { doing, source }
            }
        }
    }
}

/// A full disk shows as `SQLITE_FULL`, or as no room for the WAL's index.
fn is_full(error: &rusqlite::Error) -> bool {
    const INDEX_OF_WAL: i32 = rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
    error.sqlite_error().is_some_and(|error| {
        error.code == ErrorCode::DiskFull || error.extended_code == INDEX_OF_WAL
    })
}

impl Ledger {
    /// Opens the file for reading and writing; makes it, or brings it to this version.
    ///
    /// # Errors
    /// When the file or its folder cannot be used, or a later version wrote it.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = connect(path, flags)?;
        let failed = |source| open_error(path, source);
        connection
            .pragma_update(None, "journal_mode", "wal")
            .map_err(failed)?;
        connection
            .pragma_update(None, "synchronous", "full")
            .map_err(failed)?;
        connection
            .pragma_update(None, "foreign_keys", true)
            .map_err(failed)?;
        schema::migrate(&mut connection, path)?;
        Ok(Self { connection })
    }

    /// Opens the file for reading alone; it must be there and of this version.
    ///
    /// # Errors
    /// When it is not, or cannot be read.
    pub fn open_read_only(path: &Path) -> Result<Self, LedgerError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = connect(path, flags)?;
        schema::check(&connection, path)?;
        Ok(Self { connection })
    }

    /// Lets the file grow no further, as a full disk would.
    #[cfg(test)]
    pub(crate) fn limit_pages(&self, pages: u32) {
        self.connection
            .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
            .expect("a pragma");
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, LedgerError> {
    let failed = |source| open_error(path, source);
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    Ok(connection)
}

fn open_error(path: &Path, source: rusqlite::Error) -> LedgerError {
    LedgerError::Open {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
