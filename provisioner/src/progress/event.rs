//! What can happen in a run.

use federation::names::NodeName;
use serde::Serialize;

use crate::plan::Wave;

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// A run begins.
    RunStarted {
        /// Its name, which hosts keep too.
        run: String,
        /// How many hosts it concerns.
        hosts: usize,
    },
    /// A host is being worked on.
    Step {
        /// Which host.
        node: NodeName,
        /// What is being done now.
        doing: String,
    },
    /// Part of an upload has been sent.
    Sent {
        /// Which host.
        node: NodeName,
        /// Bytes sent so far.
        bytes: u64,
        /// Bytes in all.
        total: u64,
    },
    /// Something of the federation rather than of a host is being done.
    Federation {
        /// What is being done now.
        doing: String,
    },
    /// One difference between what a host should have and what it has.
    Change {
        /// Which host.
        node: NodeName,
        /// When it is made.
        wave: Wave,
        /// What is done.
        what: String,
        /// What it costs.
        effect: String,
        /// A unified diff, where there is a text to compare.
        #[serde(skip_serializing_if = "Option::is_none")]
        diff: Option<String>,
    },
    /// A wave begins.
    WaveStarted {
        /// Which wave.
        wave: Wave,
        /// The hosts it changes.
        nodes: Vec<NodeName>,
    },
    /// A host is through.
    HostDone {
        /// Which host.
        node: NodeName,
        /// What came of it.
        outcome: Outcome,
    },
    /// A check of `verify` has an answer.
    Checked {
        /// What was checked, such as `probe` or `route`.
        check: String,
        /// Of what: a node, or a name.
        subject: String,
        /// What came of it.
        verdict: Verdict,
    },
    /// What the run did not look at, because only some hosts were chosen.
    LeftOut {
        /// Hosts, and what else there is.
        what: Vec<String>,
    },
    /// The run is over.
    RunDone {
        /// Its name.
        run: String,
        /// Changes made, or to be made.
        changes: usize,
        /// Failed hosts and why.
        failed: Vec<(String, String)>,
        /// How long it took.
        milliseconds: u64,
        /// What to do next.
        next: Option<String>,
    },
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "detail")]
pub enum Verdict {
    /// It passed, and what was seen.
    Passed(String),
    /// It failed, and why.
    Failed(String),
    /// It was not tried, since what it needs has failed.
    NotTried(String),
}

/// What came of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "result", content = "detail")]
pub enum Outcome {
    /// Nothing had to be changed.
    Converged,
    /// So many changes are to be made.
    Pending(usize),
    /// So many changes were made.
    Changed(usize),
    /// It failed, and why.
    Failed(String),
}
