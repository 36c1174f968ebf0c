//! The door to the node's own Nomad agent: what the node has, and its allocations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use federation::http::Api;
use federation::nomad as api;
use federation::usage;

use crate::settings;
use crate::wire::{self, Heard, Wire, WireError};

mod recall;
mod words;

pub use recall::Recall;
pub use words::{allocation_of, node_of};

/// How long an answer may take that Nomad need not wait for.
const LIMIT: Duration = Duration::from_secs(30);
/// How long their memory of all allocations is listened to, which is asked for once.
const ALL: Duration = Duration::from_secs(3);
/// How long the servers' memory of jobs is listened to: what is in it comes at once.
const JOBS: Duration = Duration::from_millis(500);

/// An allocation of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// Its facts.
    pub facts: usage::Allocation,
    /// Whether some task has started.
    pub started: bool,
    /// Its end, once it is over and every task that has started has ended.
    pub ended: Option<usage::End>,
    /// When each task started and ended.
    pub task_times: BTreeMap<String, TaskTimes>,
    /// The Raft index of its last change.
    pub modify_index: u64,
    /// The last moment at which the servers held it for running, in µs since 1970 UTC, moved as the
    /// clock is: as far as they have said; nothing where no task runs by their word.
    pub ran_us: Option<i64>,
    /// Whether the node's list has it: what the servers only remember of one may be over by now.
    pub listed: bool,
    /// Whether Nomad has told its times: else they are those of what the kernel has shown of it.
    pub is_told: bool,
}

impl Allocation {
    /// Whether it is as Nomad says: as long as it is listed, and when it is over.
    pub fn is_certain(&self) -> bool {
        self.listed || self.ended.is_some()
    }

    /// The allocation as one that has ended, with all that ran in it.
    #[must_use]
    pub fn ended_as(&self, end: usage::End) -> Self {
        let mut over = self.clone();
        for times in over.task_times.values_mut().filter(|times| times.running) {
            times.running = false;
            times.finished_us = Some(end.ended_us);
        }
        over.ended = Some(end);
        over
    }
}

/// When a task started and ended, in µs since 1970 UTC, moved as the clock is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskTimes {
    /// Its first start, as far as Nomad remembers.
    pub started_us: Option<i64>,
    /// Its end.
    pub finished_us: Option<i64>,
    /// Whether it runs, by Nomad's word.
    pub running: bool,
}

/// The node as Nomad knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Node ID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its datacenter.
    pub datacenter: String,
    /// `ready`, or why Nomad's servers start nothing on it: `initializing`, `down`, `disconnected`.
    pub status: String,
    /// What kind of node it is, by its metadata.
    pub kind: Option<String>,
    /// Cores.
    pub cores: u32,
    /// MHz in all.
    pub mhz: u64,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Disk, in MiB.
    pub disk_mib: u64,
    /// Devices, by model.
    pub devices: Vec<Devices>,
}

impl Node {
    /// Whether the servers start allocations on it.
    pub fn is_ready(&self) -> bool {
        self.status == "ready"
    }
}

/// The devices of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Devices {
    /// `nvidia`.
    pub vendor: String,
    /// `gpu`.
    pub kind: String,
    /// The model.
    pub model: String,
    /// The ID of each, and whether Nomad places allocations on it.
    pub ids: BTreeMap<String, bool>,
}

/// What to ask the servers for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The node that the allocations are of.
    pub node_id: String,
    /// Which of its allocations.
    pub whom: Whom,
    /// Which of them the node's list has.
    pub listed: BTreeSet<String>,
}

/// Which allocations to ask the servers for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Those with these IDs.
    Ids(BTreeSet<String>),
    /// All that they remember of the node and its list does not have.
    Unlisted,
}

impl Whom {
    fn topics(&self) -> Vec<api::Topic> {
        match self {
            Self::Ids(ids) => ids.iter().cloned().map(api::Topic::Allocation).collect(),
            Self::Unlisted => vec![api::Topic::Allocations],
        }
    }
}

/// Why Nomad gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum NomadError {
    /// The call failed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The asked agent is no client.
    #[error(
        "the Nomad agent at {0} is no client: `nomad.address` must be that of this node's own agent"
    )]
    NoClient(settings::Address),
    /// The servers had more to tell than there was time for.
    #[error("Nomad's servers told of more changes than could be heard in {} s", .0.as_secs())]
    Unheard(Duration),
}

impl NomadError {
    /// In a sentence that does not change from one time to the next.
    pub fn in_short(&self) -> &'static str {
        match self {
            Self::Wire(error) if error.status().is_some() => {
                "Nomad on this node answers with errors only: its servers may have no leader, or do not know the agent's token"
            }
            Self::NoClient(_) => "the Nomad agent on this node is no client",
            Self::Wire(_) | Self::Unheard(_) => "Nomad on this node does not answer",
        }
    }
}

/// The node's Nomad agent.
#[derive(Debug)]
pub struct Nomad {
    wire: Wire,
    address: settings::Address,
    shift_us: i64,
    /// Cores and MHz, which go into each allocation's facts.
    processor: Mutex<Option<(String, u32, u64)>>,
}

impl Nomad {
    /// The way to the agent; opens no connection. All times it tells are moved by `shift_us`.
    ///
    /// # Errors
    /// When a file of the settings cannot be read.
    pub fn new(settings: &settings::Nomad, shift_us: i64) -> Result<Self, NomadError> {
        let name = settings.server_name.as_deref();
        let wire = wire::secure(
            Api::Nomad,
            &settings.address,
            name,
            &settings.identity,
            &settings.token_file,
        )?;
        Ok(Self {
            wire,
            address: settings.address.clone(),
            shift_us,
            processor: Mutex::new(None),
        })
    }

    /// The node that the asked agent is. Needs `agent:read` and `node:read`.
    ///
    /// # Errors
    /// When Nomad does not answer, or the agent is no client.
    pub fn node(&self) -> Result<Node, NomadError> {
        let (agent, _) = self.wire.ask(&api::agent_self(), LIMIT)?;
        let id = agent
            .node_id()
            .ok_or_else(|| NomadError::NoClient(self.address.clone()))?;
        self.node_by_id(id)
    }

    fn node_by_id(&self, id: &str) -> Result<Node, NomadError> {
        let (node, _) = self.wire.ask(&api::equipped(id), LIMIT)?;
        let node = node_of(&node);
        let known = (id.to_owned(), node.cores, node.mhz);
        *self
            .processor
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(node)
    }

    /// The allocations of a node once there is something newer than `index`, or after `wait`; and the next index.
    ///
    /// The next index is 0 when Nomad began to count anew, so that the next question is answered at once.
    /// Needs `node:read`, and `read-job` in each namespace.
    ///
    /// # Errors
    /// When Nomad does not answer.
    pub fn allocations(
        &self,
        node_id: &str,
        index: u64,
        wait: Duration,
    ) -> Result<(u64, Vec<Allocation>), NomadError> {
        let (cores, mhz) = self.processor(node_id)?;
        let call = api::node_allocations(node_id, index, wait.as_millis());
        // Nomad itself adds up to a sixteenth of the wait.
        let (placed, next) = self.wire.ask(&call, wait + wait / 16 + LIMIT)?;
        let next = next_index(index, next);
        let each = placed.iter();
        let all = each.map(|placed| allocation_of(placed, cores, mhz, self.shift_us));
        Ok((next, all.collect()))
    }

    /// What the servers remember of some allocations of a node, or tell of them within `wait`;
    /// and what went wrong, if anything did: what was told until then is given all the same.
    ///
    /// Ends as soon as all whose IDs were asked for are known to be over. Needs `read-job` in each namespace.
    pub fn recall(
        &self,
        question: &Question,
        wait: Duration,
    ) -> (Vec<Allocation>, Result<(), NomadError>) {
        let (cores, mhz) = match self.processor(&question.node_id) {
            Ok(known) => known,
            Err(error) => return (Vec::new(), Err(error)),
        };
        let mut recall = Recall::of(question);
        let asked = self.remembered(&mut recall, &question.whom, wait);
        // The one may work where the other does not: a job can be asked for in two ways.
        let jobs = self.jobs(&mut recall);
        let told = recall.allocations(cores, mhz, self.shift_us);
        (told, asked.and(jobs))
    }

    fn remembered(
        &self,
        recall: &mut Recall,
        whom: &Whom,
        wait: Duration,
    ) -> Result<(), NomadError> {
        let Some(call) = api::events(whom.topics()) else {
            return Ok(());
        };
        let wait = match whom {
            Whom::Ids(_) => wait,
            Whom::Unlisted => ALL,
        };
        let heard = self.wire.listen(&call, wait, |line| {
            recall.take(line);
            !recall.is_enough()
        })?;
        // Who is in doubt is asked for again anyway.
        if *whom == Whom::Unlisted && heard == Heard::Part {
            return Err(NomadError::Unheard(wait));
        }
        Ok(())
    }

    fn jobs(&self, recall: &mut Recall) -> Result<(), NomadError> {
        let mut all = match api::events(recall.missing()) {
            Some(call) => {
                let heard = self
                    .wire
                    .listen(&call, JOBS, |line| !recall.take_of_jobs(line));
                heard.map(drop)
            }
            None => Ok(()),
        };
        // Long ago that it was registered or changed, and so still there.
        for (job, namespace) in recall.without_job() {
            match self.wire.ask(&api::whole_job(&job, &namespace), LIMIT) {
                Ok((Some(job), _)) => recall.take_job(job),
                Ok((None, _)) => {}
                Err(error) => all = all.and(Err(error)),
            }
        }
        all.map_err(Into::into)
    }

    fn processor(&self, node_id: &str) -> Result<(u32, u64), NomadError> {
        let known = self
            .processor
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((id, cores, mhz)) = &*known
            && id == node_id
        {
            return Ok((*cores, *mhz));
        }
        drop(known);
        let node = self.node_by_id(node_id)?;
        Ok((node.cores, node.mhz))
    }
}

/// The index for the next question: 0 when it went backwards, as a restored Nomad makes it do.
pub fn next_index(asked: u64, answered: Option<u64>) -> u64 {
    answered.filter(|&next| next >= asked).unwrap_or(0)
}
