//! Where each number of a published record is from, down to the counters.

mod accelerator;
mod cloud;
mod said;
mod show;
mod source;

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::Serialize;

pub use said::Said;
pub use show::{json, text};
pub use source::{Epoch, Run, Source};

use crate::ledger::Usage;
use crate::records::{AcceleratorRecord, Month, NoMonth, Records, Sum, model_name};

/// What is to be explained: `ALLOCATION`, `ALLOCATION/YYYY-MM` or `ALLOCATION/YYYY-MM/MODEL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// Allocation ID.
    pub allocation: String,
    /// Only this month.
    pub month: Option<Month>,
    /// Only the accelerator record of this model.
    pub model: Option<String>,
}

impl FromStr for Which {
    type Err = NoMonth;

    fn from_str(text: &str) -> Result<Self, NoMonth> {
        let mut parts = text.splitn(3, '/');
        Ok(Self {
            allocation: parts.next().unwrap_or_default().to_owned(),
            month: parts.next().map(str::parse).transpose()?,
            model: parts.next().map(ToOwned::to_owned),
        })
    }
}

impl Which {
    fn month(&self, month: Month) -> bool {
        self.month.is_none_or(|wanted| wanted == month)
    }
}

/// All published records of an allocation that were asked for, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Allocation ID.
    pub allocation: String,
    /// The node.
    pub node: String,
    /// Nomad's ID of the node.
    pub node_id: String,
    /// Its datacenter.
    pub datacenter: String,
    /// The agent's ledger that all of it is from.
    pub ledger: String,
    /// The records, in the order in which they are published.
    pub records: Vec<Record>,
    /// What else a person should know.
    pub problems: Vec<String>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// `cloud` or `accelerator`.
    pub kind: &'static str,
    /// `YYYY-MM`.
    pub month: String,
    /// GPU model, of an accelerator record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// SHA-256 of what is sent, in hex.
    pub digest: String,
    /// Each field, in the order of the message.
    pub fields: Vec<Field>,
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// As it is written in the message.
    pub name: &'static str,
    /// As it is written in the message.
    pub value: String,
    /// Where it is from, in words.
    pub from: String,
    /// What single entries say that went into it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<Said>,
    /// The intervals that it is the sum of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
}

/// Explains records, given the usage that they were made from.
pub fn of(usage: &Usage, records: &Records, which: &Which) -> Explained {
    let mut explained = Vec::new();
    if which.model.is_none() {
        let asked = records
            .cloud
            .iter()
            .filter(|record| which.month(record.month));
        explained.extend(asked.map(|record| cloud::record(usage, records, record)));
    }
    let model = |record: &&AcceleratorRecord| {
        let wanted = which.model.as_ref();
        wanted.is_none_or(|wanted| model_name(wanted) == record.model)
    };
    let asked = records.accelerators.iter().filter(model);
    let asked = asked.filter(|record| which.month(record.month));
    explained.extend(asked.map(|record| accelerator::record(usage, records, record)));
    Explained {
        allocation: usage.facts.id.clone(),
        node: usage.node.to_string(),
        node_id: usage.node_id.clone(),
        datacenter: usage.datacenter.to_string(),
        ledger: usage.ledger.clone(),
        records: explained,
        problems: records.problems.iter().map(ToString::to_string).collect(),
    }
}

fn seqs<'a>(sums: impl Iterator<Item = &'a Sum>) -> BTreeSet<u64> {
    sums.flat_map(|sum| sum.seqs.iter().copied()).collect()
}
