//! What keeps an allocation, or a part of it, from being published as it is.

use federation::names::DatacenterName;

use crate::ledger::Usage;

/// Something to tell a person about what was, or was not, published.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Problem {
    /// Its allocations are not published.
    #[error(
        "datacenter `{0}` has no site name, so its allocations are not published: add it to `[sites]` in the settings, with the name that GOCDB knows the site by"
    )]
    NoSite(DatacenterName),
    /// Its allocations are not published.
    #[error(
        "namespace `{0}` has no VO, so its allocations are not published: add it to `[vos]` in the settings"
    )]
    NoVo(String),
    /// Its allocations are not published, and need not be.
    #[error(
        "namespace `{0}` is the site's own: its allocations serve all VOs, and are not published"
    )]
    Own(String),
    /// The allocation is not published: nobody knows whose it was.
    #[error(
        "allocation `{allocation}` is not published: it ran on node `{node}`, and Nomad never said of which job; `report` counts it as `(unnamed)`, and whose it was only the logs of Nomad's servers may tell"
    )]
    Unnamed {
        /// Allocation ID.
        allocation: String,
        /// The node.
        node: String,
    },
    /// The allocation is not published: its key may not be changed.
    #[error(
        "allocation `{0}` is not published: its ID is not plain ASCII of at most 255 characters"
    )]
    NoKey(String),
    /// The allocation is not published.
    #[error(
        "allocation `{allocation}` is not published: entry {seq} of ledger {ledger} ({node}) lies before 2000 or more than a day ahead; set the node's clock"
    )]
    NoSuchTime {
        /// Allocation ID.
        allocation: String,
        /// The node.
        node: String,
        /// The agent's database.
        ledger: String,
        /// The interval.
        seq: u64,
    },
    /// The interval is booked to the month of its start.
    #[error(
        "allocation `{allocation}`: entry {seq} of ledger {ledger} ({node}) goes over the end of a month, and is booked to the month of its start; report this as a fault of the agent"
    )]
    AcrossMonths {
        /// Allocation ID.
        allocation: String,
        /// The node.
        node: String,
        /// The agent's database.
        ledger: String,
        /// The interval.
        seq: u64,
    },
    /// What is missing is booked to the month of the interval after it.
    #[error(
        "allocation `{allocation}`: {missing_us} µs that it was held before entry {seq} of ledger {ledger} ({node}) are in no interval; report this as a fault of the agent"
    )]
    NotCovered {
        /// Allocation ID.
        allocation: String,
        /// The node.
        node: String,
        /// The agent's database.
        ledger: String,
        /// The interval after it.
        seq: u64,
        /// How much is missing, in µs.
        missing_us: u64,
    },
    /// Only one of them is published.
    #[error(
        "allocation `{allocation}` is in {ledgers} ledgers, as the agent's database was made anew: published is what ledger {chosen} says, which knows the longest"
    )]
    ManyLedgers {
        /// Allocation ID.
        allocation: String,
        /// How many.
        ledgers: usize,
        /// The one that is published.
        chosen: String,
    },
    /// The end is published as the first second of that month.
    #[error(
        "allocation `{allocation}` ended before its last interval began, a month earlier: published as ended in the month of that interval; set the clock of node `{node}`"
    )]
    EndedEarly {
        /// Allocation ID.
        allocation: String,
        /// The node.
        node: String,
    },
    /// The share of the CPU is not known.
    #[error(
        "allocation `{allocation}`: node `{node}` says that it has no MHz, so that a share in MHz counts as no CPU"
    )]
    NoMhz {
        /// Allocation ID.
        allocation: String,
        /// The node.
        node: String,
    },
    /// The name of before is published, as the service would count under both.
    #[error(
        "{field} stays `{published}`, as it was published, though the settings say `{wanted}`: EGI's service would count such an allocation under both names; if it has to be, `publish --rename` sends all of its months anew"
    )]
    NameKept {
        /// The field.
        field: &'static str,
        /// What is published.
        published: String,
        /// What the settings say.
        wanted: String,
    },
    /// It was asked for.
    #[error(
        "{field} was `{was}` and is `{published}` now: what EGI's service has summed under the old name may stay and count twice; ask the accounting support of EGI to remove it"
    )]
    Renamed {
        /// The field.
        field: &'static str,
        /// What was published.
        was: String,
        /// What is published.
        published: String,
    },
    /// A text had to be changed to be accepted.
    #[error(
        "allocation `{allocation}`: {field} is published as `{published}`, as EGI takes plain ASCII of at most 255 characters, without `%%` or the type of an encrypted message"
    )]
    Changed {
        /// Allocation ID.
        allocation: String,
        /// The field.
        field: &'static str,
        /// What is published.
        published: String,
    },
    /// Less is published than the ledger says.
    #[error(
        "allocation `{allocation}`: {field} of month {month} would be more than it can be, and is published as {published}; report this as a fault of the agent"
    )]
    TooMuch {
        /// Allocation ID.
        allocation: String,
        /// The field.
        field: &'static str,
        /// `YYYY-MM`.
        month: String,
        /// What is published.
        published: u64,
    },
}

impl Problem {
    /// Whether the allocation is not published because of it.
    pub fn withholds(&self) -> bool {
        matches!(
            self,
            Self::NoSite(_)
                | Self::NoVo(_)
                | Self::Own(_)
                | Self::Unnamed { .. }
                | Self::NoKey(_)
                | Self::NoSuchTime { .. }
        )
    }

    /// Whether somebody should, and can, do something about an allocation that is not published.
    pub fn is_fault(&self) -> bool {
        self.withholds() && !matches!(self, Self::Own(_) | Self::Unnamed { .. })
    }

    pub(super) fn no_such_time(usage: &Usage, seq: u64) -> Self {
        Self::NoSuchTime {
            allocation: usage.facts.id.clone(),
            node: usage.node.to_string(),
            ledger: usage.ledger.clone(),
            seq,
        }
    }

    pub(super) fn across_months(usage: &Usage, seq: u64) -> Self {
        Self::AcrossMonths {
            allocation: usage.facts.id.clone(),
            node: usage.node.to_string(),
            ledger: usage.ledger.clone(),
            seq,
        }
    }

    pub(super) fn not_covered(usage: &Usage, seq: u64, missing_us: u64) -> Self {
        Self::NotCovered {
            allocation: usage.facts.id.clone(),
            node: usage.node.to_string(),
            ledger: usage.ledger.clone(),
            seq,
            missing_us,
        }
    }
}
