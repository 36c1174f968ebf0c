//! Whether a batch may follow what the ledger has: decided before anything is written.

use std::collections::HashMap;
use std::fmt;

use federation::usage::Body;

use super::append::{Batch, Line, Owner, Standing};

/// Something wrong in one line of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from one: the header is the first.
    pub line: usize,
    /// What is wrong, in a few words.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Why a batch that is right in itself may not be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The ledger belongs to another node.
    #[error(
        "ledger {ledger} belongs to node {} ({}) of {}: a node that is installed anew has a new ledger",
        owner.node, owner.node_id, owner.datacenter
    )]
    Owner {
        /// The node's ledger.
        ledger: String,
        /// The node that delivered it first.
        owner: Owner,
    },
    /// Entries before this batch are missing.
    #[error("entries up to {acknowledged} are committed, and this delivery begins at {first}: go on from {}", acknowledged + 1)]
    Gap {
        /// The last number that is committed.
        acknowledged: u64,
        /// The first number of the batch.
        first: u64,
    },
    /// Entries contradict what is in the ledger, or each other.
    #[error("{}", list(.0))]
    Contradiction(Vec<Problem>),
}

/// The problems in one text.
fn list(problems: &[Problem]) -> String {
    let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

/// What is there of an allocation in this node's ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Known {
    /// Its facts.
    pub(super) facts: bool,
    /// Its end.
    pub(super) over: bool,
}

/// The lines that are new, or why the batch may not be added.
pub(super) fn admit<'a>(batch: &'a Batch, standing: &Standing) -> Result<&'a [Line], Rejection> {
    if let Some(owner) = &standing.owner
        && *owner != batch.owner()
    {
        return Err(Rejection::Owner {
            ledger: batch.header.ledger.clone(),
            owner: owner.clone(),
        });
    }
    let acknowledged = standing.acknowledged;
    let Some(first) = batch.lines.first().map(|line| line.entry.seq) else {
        return Ok(&[]);
    };
    if first > acknowledged.saturating_add(1) {
        return Err(Rejection::Gap {
            acknowledged,
            first,
        });
    }
    let new = batch
        .lines
        .partition_point(|line| line.entry.seq <= acknowledged);
    Ok(batch.lines.get(new..).unwrap_or_default())
}

/// Refuses lines that contradict what is known: facts come first and once, nothing follows an end.
///
/// `before` is the number of lines above these ones, the header's included.
pub(super) fn follow(
    lines: &[Line],
    mut known: HashMap<String, Known>,
    before: usize,
) -> Result<(), Rejection> {
    let mut problems = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let id = line.allocation();
        let state = known.entry(id.to_owned()).or_default();
        if let Some(wrong) = contradiction(&line.entry.body, *state) {
            problems.push(Problem {
                line: before + place + 1,
                what: format!("allocation {id}: {wrong}"),
            });
        }
        match line.entry.body {
            Body::Allocation(_) => state.facts = true,
            Body::Interval(_) => {}
            Body::End(_) => state.over = true,
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Rejection::Contradiction(problems))
    }
}

fn contradiction(body: &Body, known: Known) -> Option<&'static str> {
    match body {
        Body::Allocation(_) if known.facts => Some("its facts are there already"),
        Body::Interval(_) | Body::End(_) if !known.facts => {
            Some("its facts must come before anything else of it")
        }
        Body::Interval(_) | Body::End(_) if known.over => {
            Some("it is over, and nothing may follow")
        }
        Body::Allocation(_) | Body::Interval(_) | Body::End(_) => None,
    }
}
