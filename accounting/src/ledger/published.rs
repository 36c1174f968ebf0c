//! What has been published, by digest: so that only what has changed is published again.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, TransactionBehavior, params};

use super::{Ledger, LedgerError};

/// A record that was handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The kind of record, such as `cloud`.
    pub kind: String,
    /// What it is about within its kind, such as an allocation ID.
    pub key: String,
    /// Its month, as `2026-07`.
    pub month: String,
    /// Digest of its text.
    pub digest: String,
    /// When it was handed on, in µs since 1970 UTC.
    pub published_us: i64,
}

/// The names under which an allocation was published first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedNames {
    /// The site's name in GOCDB.
    pub site: String,
    /// VO.
    pub vo: String,
}

impl Ledger {
    /// The digest of what was last published under this key and month.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn published(
        &self,
        kind: &str,
        key: &str,
        month: &str,
    ) -> Result<Option<String>, LedgerError> {
        let failed = LedgerError::while_doing("look up what was published");
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT digest FROM published WHERE kind = ?1 AND key = ?2 AND month = ?3",
            )
            .map_err(&failed)?;
        statement
            .query_row([kind, key, month], |row| row.get(0))
            .optional()
            .map_err(&failed)
    }

    /// Notes what was published, and under which names by allocation, all of it in one transaction;
    /// a later note replaces an earlier one.
    ///
    /// # Errors
    /// When the file cannot be written; nothing is noted then.
    pub fn note_published(
        &mut self,
        records: &[Published],
        names: &BTreeMap<String, PublishedNames>,
    ) -> Result<(), LedgerError> {
        let failed = LedgerError::while_doing("note what was published");
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&failed)?;
        for record in records {
            transaction
                .prepare_cached(
                    "INSERT INTO published (kind, key, month, digest, published_us)
                     VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (kind, key, month) DO UPDATE
                     SET digest = excluded.digest, published_us = excluded.published_us",
                )
                .and_then(|mut statement| {
                    statement.execute(params![
                        record.kind,
                        record.key,
                        record.month,
                        record.digest,
                        record.published_us
                    ])
                })
                .map_err(&failed)?;
        }
        for (allocation, PublishedNames { site, vo }) in names {
            transaction
                .prepare_cached(
                    "INSERT INTO published_names (allocation, site, vo) VALUES (?1, ?2, ?3)
                     ON CONFLICT (allocation) DO UPDATE SET site = excluded.site, vo = excluded.vo",
                )
                .and_then(|mut statement| statement.execute([allocation, site, vo]))
                .map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)
    }
}
