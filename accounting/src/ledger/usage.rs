//! The read side: all that is known of an allocation, one at a time.

use federation::names::{DatacenterName, NodeName};
use federation::usage::{Allocation, Body, End, Entry, Interval};
use rusqlite::{Row, Rows};

use super::append::names;
use super::published::PublishedNames;
use super::{Ledger, LedgerError};

/// All that is known of one allocation on one node, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// The node.
    pub node: NodeName,
    /// Its datacenter.
    pub datacenter: DatacenterName,
    /// Nomad's ID of the node.
    pub node_id: String,
    /// The agent's ledger that says this.
    pub ledger: String,
    /// What the allocation is.
    pub facts: Allocation,
    /// The number of its facts.
    pub facts_seq: u64,
    /// Its intervals, by number.
    pub intervals: Vec<Stored>,
    /// Its end, when it is over.
    pub end: Option<End>,
    /// The number of its end.
    pub end_seq: Option<u64>,
    /// The names under which it was published, if it was.
    pub published_as: Option<PublishedNames>,
}

/// An interval and its place in the node's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its number.
    pub seq: u64,
    /// What it says.
    pub interval: Interval,
}

/// Facts come first of an allocation, so that rows in this order make one [`Usage`] after the other.
const COLUMNS: &str = "
    SELECT ledgers.ledger, entries.seq, entries.entry, ledgers.node, ledgers.datacenter, ledgers.node_id,
           names.site, names.vo
    FROM entries JOIN ledgers ON ledgers.id = entries.ledger
    LEFT JOIN published_names AS names
        ON entries.kind = 'allocation' AND names.allocation = entries.allocation";
const ORDER: &str = "ORDER BY entries.allocation, entries.ledger, entries.seq";

impl Ledger {
    /// Shows every allocation of every node's ledger, one at a time and by ID, as of one moment.
    ///
    /// # Errors
    /// The visitor's, which ends the visit; or when the file cannot be read.
    pub fn usage<E: From<LedgerError>>(
        &self,
        visit: &mut dyn FnMut(Usage) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = LedgerError::while_doing("read the usage");
        let mut statement = self
            .connection
            .prepare(&format!("{COLUMNS} {ORDER}"))
            .map_err(&failed)?;
        gather(statement.query([]).map_err(&failed)?, visit)
    }

    /// What is known of one allocation: one [`Usage`] for each node's ledger that has it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn allocation(&self, id: &str) -> Result<Vec<Usage>, LedgerError> {
        let failed = LedgerError::while_doing("read an allocation");
        let mut statement = self
            .connection
            .prepare(&format!("{COLUMNS} WHERE entries.allocation = ?1 {ORDER}"))
            .map_err(&failed)?;
        let mut found = Vec::new();
        gather(statement.query([id]).map_err(&failed)?, &mut |usage| {
            found.push(usage);
            Ok::<_, LedgerError>(())
        })?;
        Ok(found)
    }
}

fn gather<E: From<LedgerError>>(
    mut rows: Rows<'_>,
    visit: &mut dyn FnMut(Usage) -> Result<(), E>,
) -> Result<(), E> {
    let failed = LedgerError::while_doing("read the usage");
    let mut present: Option<Usage> = None;
    while let Some(row) = rows.next().map_err(&failed)? {
        let ledger: String = row.get(0).map_err(&failed)?;
        let entry = read(row, &ledger)?;
        let damaged = |reason: &str| LedgerError::Damaged {
            ledger: ledger.clone(),
            seq: entry.seq.cast_signed(),
            reason: reason.to_owned(),
        };
        match entry.body {
            Body::Allocation(facts) => {
                let next = begin(row, &ledger, entry.seq, *facts)?;
                if let Some(whole) = present.replace(next) {
                    visit(whole)?;
                }
            }
            Body::Interval(interval) => {
                let usage = of(present.as_mut(), &ledger, &interval.allocation);
                let usage = usage.ok_or_else(|| damaged("an interval without facts"))?;
                usage.intervals.push(Stored {
                    seq: entry.seq,
                    interval: *interval,
                });
            }
            Body::End(end) => {
                let usage = of(present.as_mut(), &ledger, &end.allocation);
                let usage = usage.ok_or_else(|| damaged("an end without facts"))?;
                usage.end = Some(end);
                usage.end_seq = Some(entry.seq);
            }
        }
    }
    present.map_or(Ok(()), visit)
}

/// The usage in hand, when it is that of this allocation.
fn of<'a>(usage: Option<&'a mut Usage>, ledger: &str, allocation: &str) -> Option<&'a mut Usage> {
    usage.filter(|usage| usage.ledger == ledger && usage.facts.id == allocation)
}

fn read(row: &Row<'_>, ledger: &str) -> Result<Entry, LedgerError> {
    let failed = LedgerError::while_doing("read an entry");
    let seq: i64 = row.get(1).map_err(&failed)?;
    let text = row
        .get_ref(2)
        .and_then(|value| Ok(value.as_str()?))
        .map_err(&failed)?;
    serde_json::from_str(text).map_err(|error| LedgerError::Damaged {
        ledger: ledger.to_owned(),
        seq,
        reason: error.to_string(),
    })
}

fn begin(
    row: &Row<'_>,
    ledger: &str,
    facts_seq: u64,
    facts: Allocation,
) -> Result<Usage, LedgerError> {
    let failed = LedgerError::while_doing("read an entry");
    let node: String = row.get(3).map_err(&failed)?;
    let datacenter: String = row.get(4).map_err(&failed)?;
    let (node, datacenter) = names(ledger, node, datacenter)?;
    let (site, vo): (Option<String>, Option<String>) =
        (row.get(6).map_err(&failed)?, row.get(7).map_err(&failed)?);
    Ok(Usage {
        node,
        datacenter,
        node_id: row.get(5).map_err(&failed)?,
        ledger: ledger.to_owned(),
        facts,
        facts_seq,
        intervals: Vec::new(),
        end: None,
        end_seq: None,
        published_as: site.zip(vo).map(|(site, vo)| PublishedNames { site, vo }),
    })
}
