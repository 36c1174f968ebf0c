//! A tree of values that know where they stand.
//!
//! Scalars stay text: `1.10` is a version here, and never the number 1.1. There
//! are no aliases and no merge keys: a value that is named twice is shared.

use std::rc::Rc;

use super::problem::Position;

/// A value, with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) value: Value,
    /// Nodes here and below, keys included, as if nothing were shared.
    pub(crate) nodes: usize,
    /// Levels below.
    pub(crate) height: usize,
}

/// What YAML can say. Cloning shares.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`, without quotes.
    Null,
    /// Any other scalar, with whether it stood without quotes.
    Text(Rc<str>, Style),
    /// A sequence.
    List(Rc<[Node]>),
    /// A mapping in the order of the file, then what was merged into it.
    Map(Rc<[Entry]>),
}

/// How a scalar was written: without quotes, `6` may be meant as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes.
    Plain,
    /// In quotes, or folded: its lines are not those of the file.
    Quoted,
    /// As a block behind `|`: its lines are those of the file.
    Block,
    /// Encrypted, so that its text is not kept: only Ansible's files have such.
    Sealed,
}

/// A key of a mapping, with its value. No two keys of a mapping are the same.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Rc<str>,
    pub(crate) at: Position,
    pub(crate) value: Node,
}

impl Node {
    /// A value without parts.
    pub(crate) fn leaf(at: Position, value: Value) -> Self {
        Self {
            at,
            value,
            nodes: 1,
            height: 0,
        }
    }

    /// A sequence.
    pub(crate) fn list(at: Position, items: Vec<Node>) -> Self {
        let nodes = 1 + items.iter().map(|item| item.nodes).sum::<usize>();
        let height = items.iter().map(|item| item.height + 1).max().unwrap_or(0);
        Self {
            at,
            value: Value::List(items.into()),
            nodes,
            height,
        }
    }

    /// A mapping.
    pub(crate) fn map(at: Position, entries: Vec<Entry>) -> Self {
        let values = || entries.iter().map(|entry| &entry.value);
        let nodes = 1 + values().map(|value| value.nodes + 1).sum::<usize>();
        let height = values().map(|value| value.height + 1).max().unwrap_or(0);
        Self {
            at,
            value: Value::Map(entries.into()),
            nodes,
            height,
        }
    }
}
