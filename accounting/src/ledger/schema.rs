//! The tables, and the steps from an earlier version of them to this one.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::{LedgerError, open_error};

/// Each step, and the version that it leads to from the one before. Steps are only added.
const STEPS: &[(i64, &str)] = &[
    (
        1,
        "
    CREATE TABLE ledgers (
        id           INTEGER PRIMARY KEY,
        ledger       TEXT NOT NULL UNIQUE,
        node_id      TEXT NOT NULL,
        node         TEXT NOT NULL,
        datacenter   TEXT NOT NULL,
        acknowledged INTEGER NOT NULL,
        first_us     INTEGER NOT NULL,
        last_us      INTEGER NOT NULL
    ) STRICT;

    -- `entry` is the line as it was delivered; the other columns only find it.
    CREATE TABLE entries (
        ledger      INTEGER NOT NULL REFERENCES ledgers (id),
        seq         INTEGER NOT NULL,
        kind        TEXT NOT NULL CHECK (kind IN ('allocation', 'interval', 'end')),
        allocation  TEXT NOT NULL,
        task        TEXT,
        end_wall_us INTEGER,
        entry       TEXT NOT NULL,
        PRIMARY KEY (ledger, seq)
    ) STRICT;
    CREATE INDEX entries_in_order ON entries (allocation, ledger, seq);
    CREATE UNIQUE INDEX entries_once ON entries (allocation, ledger, kind)
        WHERE kind <> 'interval';

    CREATE TABLE published (
        kind         TEXT NOT NULL,
        key          TEXT NOT NULL,
        month        TEXT NOT NULL,
        digest       TEXT NOT NULL,
        published_us INTEGER NOT NULL,
        PRIMARY KEY (kind, key, month)
    ) STRICT, WITHOUT ROWID;
",
    ),
    (
        2,
        "
    CREATE TABLE published_names (
        allocation TEXT NOT NULL PRIMARY KEY,
        site       TEXT NOT NULL,
        vo         TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    ),
];

/// The version that this program writes.
const VERSION: i64 = STEPS[STEPS.len() - 1].0;

/// Brings the tables to this version, all steps in one transaction.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), LedgerError> {
    let failed = |source| open_error(path, source);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let found = version(&transaction, path)?;
    for (_, step) in STEPS.iter().filter(|(version, _)| *version > found) {
        transaction.execute_batch(step).map_err(failed)?;
    }
    transaction
        .pragma_update(None, "user_version", VERSION)
        .map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// Refuses tables of another version, for whoever may not change them.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    if version(connection, path)? == VERSION {
        return Ok(());
    }
    Err(LedgerError::Older {
        path: path.to_owned(),
    })
}

fn version(connection: &Connection, path: &Path) -> Result<i64, LedgerError> {
    let found = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|source| open_error(path, source))?;
    if found > VERSION {
        return Err(LedgerError::Newer {
            path: path.to_owned(),
            found,
            known: VERSION,
        });
    }
    Ok(found)
}
