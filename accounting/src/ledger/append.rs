//! The write side: a batch is added whole, or not at all.

use std::collections::HashMap;

use federation::names::{DatacenterName, NodeName};
use federation::usage::{Body, Entry, Header};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::admit::{Known, admit, follow};
use super::{Ledger, LedgerError, Rejection};

/// A delivery that is right in itself: its numbers follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Whose entries these are.
    pub header: Header,
    /// The entries, in their order.
    pub lines: Vec<Line>,
    /// When it arrived, in µs since 1970 UTC.
    pub received_us: i64,
}

/// One entry, read and as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it says.
    pub entry: Entry,
    /// Its JSON text as delivered: this is what is kept.
    pub text: String,
}

/// The node that a ledger belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub node: NodeName,
    /// Its datacenter.
    pub datacenter: DatacenterName,
    /// Nomad's ID of it.
    pub node_id: String,
}

/// What is committed of a node's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Whose it is; nothing when it has never been delivered.
    pub owner: Option<Owner>,
    /// Everything up to this number; 0 when there is nothing.
    pub acknowledged: u64,
}

/// Why a batch was not added; nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// It may not follow what is there.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The ledger could not be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Batch {
    /// The node that delivers this.
    pub(super) fn owner(&self) -> Owner {
        Owner {
            node: self.header.node.clone(),
            datacenter: self.header.datacenter.clone(),
            node_id: self.header.node_id.clone(),
        }
    }
}

impl Line {
    /// The ID of the allocation that this is about.
    pub(super) fn allocation(&self) -> &str {
        match &self.entry.body {
            Body::Allocation(facts) => &facts.id,
            Body::Interval(interval) => &interval.allocation,
            Body::End(end) => &end.allocation,
        }
    }
}

impl Ledger {
    /// Adds what is new in a batch, in one transaction, and gives the number up to which
    /// all is committed then. What is there already is passed over.
    ///
    /// # Errors
    /// When the batch may not follow what is there, or the ledger cannot be written;
    /// nothing of the batch is kept then.
    pub fn append(&mut self, batch: &Batch) -> Result<u64, AppendError> {
        let failed = LedgerError::while_doing("add a delivery");
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&failed)?;
        let standing = standing(&transaction, &batch.header.ledger)?;
        let new = admit(batch, &standing)?;
        let known = known(&transaction, &batch.header.ledger, new)?;
        follow(new, known, batch.lines.len() - new.len() + 1)?;
        let acknowledged = new
            .last()
            .map_or(standing.acknowledged, |line| line.entry.seq);
        write(&transaction, batch, new, acknowledged).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(acknowledged)
    }

    /// What is committed of a node's ledger.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn standing(&self, ledger: &str) -> Result<Standing, LedgerError> {
        standing(&self.connection, ledger)
    }
}

fn standing(connection: &Connection, ledger: &str) -> Result<Standing, LedgerError> {
    let row = connection
        .query_row(
            "SELECT node, datacenter, node_id, acknowledged FROM ledgers WHERE ledger = ?1",
            [ledger],
            |row| {
                let names: (String, String) = (row.get(0)?, row.get(1)?);
                Ok((names, row.get(2)?, row.get::<_, i64>(3)?))
            },
        )
        .optional()
        .map_err(LedgerError::while_doing("look a node's ledger up"))?;
    let Some(((node, datacenter), node_id, acknowledged)) = row else {
        return Ok(Standing::default());
    };
    let (node, datacenter) = names(ledger, node, datacenter)?;
    Ok(Standing {
        owner: Some(Owner {
            node,
            datacenter,
            node_id,
        }),
        acknowledged: acknowledged.unsigned_abs(),
    })
}

/// The names of a row, as they once passed the door.
pub(super) fn names(
    ledger: &str,
    node: String,
    datacenter: String,
) -> Result<(NodeName, DatacenterName), LedgerError> {
    let damaged = |error: federation::names::NameError| LedgerError::Damaged {
        ledger: ledger.to_owned(),
        seq: 0,
        reason: error.to_string(),
    };
    Ok((
        node.try_into().map_err(damaged)?,
        datacenter.try_into().map_err(damaged)?,
    ))
}

/// What is there of the allocations that the lines are about.
fn known(
    transaction: &Transaction<'_>,
    ledger: &str,
    lines: &[Line],
) -> Result<HashMap<String, Known>, LedgerError> {
    let failed = LedgerError::while_doing("look allocations up");
    let mut statement = transaction
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE entries.kind = 'allocation'),
                    count(*) FILTER (WHERE entries.kind = 'end')
             FROM entries JOIN ledgers ON ledgers.id = entries.ledger
             WHERE ledgers.ledger = ?1 AND entries.allocation = ?2 AND entries.kind <> 'interval'",
        )
        .map_err(&failed)?;
    let mut known = HashMap::new();
    for line in lines {
        let id = line.allocation();
        if known.contains_key(id) {
            continue;
        }
        let state = statement
            .query_row([ledger, id], |row| {
                Ok(Known {
                    facts: row.get::<_, i64>(0)? > 0,
                    over: row.get::<_, i64>(1)? > 0,
                })
            })
            .map_err(&failed)?;
        known.insert(id.to_owned(), state);
    }
    Ok(known)
}

fn write(
    transaction: &Transaction<'_>,
    batch: &Batch,
    lines: &[Line],
    acknowledged: u64,
) -> Result<(), rusqlite::Error> {
    let header = &batch.header;
    let id: i64 = transaction.query_row(
        "INSERT INTO ledgers (ledger, node_id, node, datacenter, acknowledged, first_us, last_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
         ON CONFLICT (ledger) DO UPDATE
         SET acknowledged = excluded.acknowledged, last_us = excluded.last_us
         RETURNING id",
        params![
            header.ledger,
            header.node_id,
            header.node.as_str(),
            header.datacenter.as_str(),
            acknowledged,
            batch.received_us
        ],
        |row| row.get(0),
    )?;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO entries (ledger, seq, kind, allocation, task, end_wall_us, entry)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for line in lines {
        let (kind, task, end_wall_us) = match &line.entry.body {
            Body::Allocation(_) => ("allocation", None, None),
            Body::Interval(interval) => (
                "interval",
                Some(interval.task.as_str()),
                Some(interval.end.wall_us),
            ),
            Body::End(end) => ("end", None, Some(end.ended_us)),
        };
        let seq = line.entry.seq;
        insert.execute(params![
            id,
            seq,
            kind,
            line.allocation(),
            task,
            end_wall_us,
            line.text
        ])?;
    }
    Ok(())
}
