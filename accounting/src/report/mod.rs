//! What was held and used, summed over allocations: for people and for programs.
//!
//! Sums are of whole microseconds; seconds and hours are made of them last, downwards.

mod show;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

pub use show::{json, table};

use crate::ledger::Usage;
use crate::records::{Known, Life, Month, Tables, Used};

/// What the rows of a report are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// The virtual organisation of the namespace.
    Vo,
    /// The job's `meta.owner`.
    User,
    /// GPU model. An allocation with two models is in both rows, with all of its wall and CPU hours.
    Model,
    /// Month in UTC.
    Month,
    /// The site that the datacenter belongs to.
    Site,
}

/// What rows cannot be for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of vo, user, model, month, site")]
pub struct NotBy(String);

impl FromStr for By {
    type Err = NotBy;

    fn from_str(text: &str) -> Result<Self, NotBy> {
        let all = [Self::Vo, Self::User, Self::Model, Self::Month, Self::Site];
        let found = all.into_iter().find(|by| by.name() == text);
        found.ok_or_else(|| NotBy(text.to_owned()))
    }
}

impl By {
    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vo => "vo",
            Self::User => "user",
            Self::Model => "model",
            Self::Month => "month",
            Self::Site => "site",
        }
    }
}

/// What a row says, in µs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// How many allocations.
    pub allocations: u64,
    /// Held by allocations.
    pub wall_us: u64,
    /// CPU time.
    pub cpu_us: u64,
    /// Held, times the number of GPUs.
    pub gpu_held_us: u64,
    /// With at least one kernel running, over all GPUs.
    pub gpu_busy_us: u64,
    /// How well `wall_us` and what was used in it is known.
    pub known: Known,
}

impl Totals {
    fn add(&mut self, used: &Used, model: Option<&str>) {
        self.wall_us = self.wall_us.saturating_add(used.wall.amount_us);
        self.cpu_us = self.cpu_us.saturating_add(used.cpu.amount_us);
        self.known.add_all(used.known);
        let of = |name: &String| model.is_none_or(|model| model == name);
        let gpus = used.gpus.iter().filter(|(name, _)| of(name));
        for gpu in gpus.flat_map(|(_, gpus)| gpus.values()) {
            self.gpu_held_us = self.gpu_held_us.saturating_add(gpu.held.amount_us);
            self.gpu_busy_us = self.gpu_busy_us.saturating_add(gpu.busy.amount_us);
        }
    }
}

/// A report that grows by allocations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The one month that is reported, if not all.
    pub month: Option<Month>,
    /// What the rows are for; one row for all if it is empty.
    pub by: Vec<By>,
    /// By the values of `by`, in its order.
    pub rows: BTreeMap<Vec<String>, Totals>,
    /// Of all allocations, each once.
    pub total: Totals,
}

impl Report {
    /// An empty one.
    pub fn new(month: Option<Month>, by: Vec<By>) -> Self {
        let mut once = Vec::new();
        for by in by {
            if !once.contains(&by) {
                once.push(by);
            }
        }
        Self {
            month,
            by: once,
            ..Self::default()
        }
    }

    /// Adds an allocation. What has no name in the tables is told by its own, in brackets.
    pub fn add(&mut self, usage: &Usage, life: &Life, tables: &Tables) {
        let mut keys = BTreeSet::new();
        let mut any = false;
        for (&month, used) in &life.months {
            if self.month.is_some_and(|wanted| wanted != month) {
                continue;
            }
            any = true;
            self.total.add(used, None);
            for model in self.models(used) {
                let key = self.key(usage, month, model, tables);
                let row = self.rows.entry(key.clone()).or_default();
                row.add(used, model);
                keys.insert(key);
            }
        }
        self.total.allocations += u64::from(any);
        for key in keys {
            self.rows.entry(key).or_default().allocations += 1;
        }
    }

    /// The models that a month is told apart by; none for all together.
    fn models<'a>(&self, used: &'a Used) -> Vec<Option<&'a str>> {
        if !self.by.contains(&By::Model) || used.gpus.is_empty() {
            return vec![None];
        }
        used.gpus.keys().map(|model| Some(model.as_str())).collect()
    }

    fn key(
        &self,
        usage: &Usage,
        month: Month,
        model: Option<&str>,
        tables: &Tables,
    ) -> Vec<String> {
        let facts = &usage.facts;
        let named = |name: Option<&str>, own: &str| {
            name.map_or_else(|| format!("({own})"), ToOwned::to_owned)
        };
        let value = |by: &By| match by {
            By::Vo if facts.is_unnamed() => named(None, "unnamed"),
            By::Vo => named(tables.vo(&facts.namespace), &facts.namespace),
            By::User => named(facts.owner.as_deref(), "nobody"),
            By::Model => named(model, "none"),
            By::Month => month.to_string(),
            By::Site => named(tables.site(&usage.datacenter), usage.datacenter.as_str()),
        };
        self.by.iter().map(value).collect()
    }
}
