//! Opening the database: alone, checked, and moved aside when it is damaged.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

use super::{Ledger, LedgerError, unsigned};
use crate::meter::State;

/// How long a thread waits for the other one's transaction.
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS ledgers (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    node_id TEXT,
    acknowledged INTEGER NOT NULL,
    next INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS entries (
    ledger INTEGER NOT NULL REFERENCES ledgers (number),
    seq INTEGER NOT NULL,
    written_us INTEGER NOT NULL,
    json TEXT NOT NULL,
    UNIQUE (ledger, seq)
) STRICT;
CREATE INDEX IF NOT EXISTS facts_and_ends ON entries
    (ledger, coalesce(json_extract(json, '$.allocation.id'), json_extract(json, '$.end.allocation')))
    WHERE coalesce(json_extract(json, '$.allocation.id'), json_extract(json, '$.end.allocation')) IS NOT NULL;
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT;
";

pub(super) fn open(path: &Path) -> Result<(Ledger, Option<PathBuf>), LedgerError> {
    let lock = lock(path)?;
    let mut aside = None;
    let read = match read(path) {
        Err(Trouble::Damaged) => {
            aside = Some(move_aside(path)?);
            read(path)
        }
        other => other,
    };
    let (connection, row, rows) = read.map_err(|trouble| LedgerError::Database {
        doing: "open",
        path: path.to_owned(),
        source: match trouble {
            Trouble::Database(source) => source,
            Trouble::Damaged => rusqlite::Error::InvalidQuery,
        },
    })?;
    let ledger = Ledger {
        connection,
        path: path.to_owned(),
        _lock: lock,
        number: row.number,
        uuid: row.uuid,
        node_id: row.node_id,
        next: row.next,
        rows,
        shape: 0,
        written_boot_us: None,
        pruned_boot_us: None,
        waiting: Vec::new(),
        delivered: true,
    };
    Ok((ledger, aside))
}

/// Whether `SQLite` says that a file is damaged, or no database.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// A connection with the manners of this ledger.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // In KiB: the agent is small, and so are its transactions.
    connection.pragma_update(None, "cache_size", -512)?;
    connection.pragma_update(None, "wal_autocheckpoint", 256)?;
    Ok(connection)
}

struct Row {
    number: i64,
    uuid: String,
    node_id: Option<String>,
    next: u64,
}

enum Trouble {
    Damaged,
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) {
            Self::Damaged
        } else {
            Self::Database(error)
        }
    }
}

fn read(path: &Path) -> Result<(Connection, Row, BTreeMap<String, String>), Trouble> {
    let connection = connect(path)?;
    let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if check != "ok" {
        return Err(Trouble::Damaged);
    }
    connection.execute_batch(TABLES)?;
    let last = "SELECT number, uuid, node_id, next FROM ledgers ORDER BY number DESC LIMIT 1";
    let row = |row: &rusqlite::Row| {
        Ok(Row {
            number: row.get(0)?,
            uuid: row.get(1)?,
            node_id: row.get(2)?,
            next: unsigned(row.get(3)?),
        })
    };
    let found = connection.query_row(last, [], row).optional()?;
    let found = if let Some(found) = found {
        found
    } else {
        connection.execute(
            "INSERT INTO ledgers (uuid, acknowledged, next) VALUES (?1, 0, 1)",
            params![Uuid::new_v4().to_string()],
        )?;
        connection.query_row(last, [], row)?
    };
    let mut rows = BTreeMap::new();
    {
        let mut select = connection.prepare("SELECT key, json FROM state")?;
        for row in select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
            let (key, json) = row?;
            rows.insert(key, json);
        }
    }
    if let Err(error) = State::from_rows(rows.clone()) {
        tracing::error!("{error}");
        return Err(Trouble::Damaged);
    }
    Ok((connection, found, rows))
}

/// A ledger that is this process's own, until this is dropped.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    /// Said, and not left to the closing of the file: a child between its fork and its exec has
    /// the file as well, and would hold the lock a moment longer.
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Takes the ledger for this process.
fn lock(path: &Path) -> Result<Lock, LedgerError> {
    let name = with_suffix(path, ".lock");
    let file = |doing, source| LedgerError::File {
        doing,
        path: name.clone(),
        source,
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| LedgerError::File {
            doing: "make the folder",
            path: folder.to_owned(),
            source,
        })?;
    }
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(|source| file("open", source))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock(lock)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(LedgerError::InUse(path.to_owned())),
        Err(errno) => Err(file("lock", errno.into())),
    }
}

/// Renames a database and what `SQLite` keeps beside it; gives the new name.
fn move_aside(path: &Path) -> Result<PathBuf, LedgerError> {
    let free = |number: &u32| !with_suffix(path, &format!(".damaged-{number}")).exists();
    let number = (1..u32::MAX).find(free).unwrap_or(u32::MAX);
    let aside = with_suffix(path, &format!(".damaged-{number}"));
    for part in ["", "-wal", "-shm"] {
        let from = with_suffix(path, part);
        if from.exists() {
            fs::rename(&from, with_suffix(&aside, part)).map_err(|source| LedgerError::File {
                doing: "move aside the damaged ledger",
                path: from.clone(),
                source,
            })?;
        }
    }
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_with_its_holder_whoever_else_has_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let held = lock(&path).unwrap();
        let child = held.0.try_clone().unwrap();
        assert!(matches!(lock(&path), Err(LedgerError::InUse(_))));
        drop(held);
        assert!(lock(&path).is_ok());
        drop(child);
    }
}
