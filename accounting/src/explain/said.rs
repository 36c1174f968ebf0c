//! What single entries of the ledger say: an allocation's facts, its end, the end of an interval.

use federation::usage::Task;
use serde::Serialize;
use serde_json::{Value, json};

use crate::ledger::{Stored, Usage};

/// One value in one entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The entry.
    pub entry: u64,
    /// Of which task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The value's key in the entry.
    pub key: &'static str,
    /// The value, as the entry has it.
    pub value: Value,
}

/// A value of the allocation's facts.
pub(super) fn fact(usage: &Usage, key: &'static str, value: impl Into<Value>) -> Said {
    Said {
        entry: usage.facts_seq,
        task: None,
        key,
        value: value.into(),
    }
}

/// A value of a task, which is among the allocation's facts.
pub(super) fn of_task(
    usage: &Usage,
    task: &Task,
    key: &'static str,
    value: impl Into<Value>,
) -> Said {
    Said {
        task: Some(task.name.clone()),
        ..fact(usage, key, value)
    }
}

/// When the allocation ended, if it is over.
pub(super) fn end(usage: &Usage) -> Option<Said> {
    let end = usage.end.as_ref()?;
    Some(Said {
        entry: usage.end_seq?,
        task: None,
        key: "ended_us",
        value: json!(end.ended_us),
    })
}

/// When an interval ended.
pub(super) fn interval_end(stored: &Stored) -> Said {
    Said {
        entry: stored.seq,
        task: Some(stored.interval.task.clone()),
        key: "end.wall_us",
        value: json!(stored.interval.end.wall_us),
    }
}
