//! The door to the node's own Nomad agent: what the node has, and its allocations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use federation::http::Api;
use federation::nomad as api;
use federation::usage;

use crate::settings;
use crate::wire::{self, Wire, WireError};

mod recall;

pub use recall::Recall;

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
    /// Whether the node's list has it: what the servers only remember of one may be over by now.
    pub listed: bool,
}

impl Allocation {
    /// Whether it is as Nomad says: as long as it is listed, and when it is over.
    pub fn is_certain(&self) -> bool {
        self.listed || self.ended.is_some()
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
        self.wire.listen(&call, wait, |line| {
            recall.take(line);
            !recall.is_enough()
        })?;
        Ok(())
    }

    fn jobs(&self, recall: &mut Recall) -> Result<(), NomadError> {
        let mut all = match api::events(recall.missing_jobs()) {
            Some(call) => self
                .wire
                .listen(&call, JOBS, |line| !recall.take_jobs(line)),
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

/// A node from Nomad's own words.
pub fn node_of(node: &api::Equipped) -> Node {
    let attribute = |key: &str| -> Option<u64> {
        let attributes = node.attributes.as_ref()?;
        attributes.get(key)?.parse().ok()
    };
    let resources = node.node_resources.as_ref();
    let cpu = resources.and_then(|resources| resources.cpu.as_ref());
    let cores = attribute("cpu.numcores").and_then(|cores| u32::try_from(cores).ok());
    let memory = resources.and_then(|resources| resources.memory.as_ref());
    let disk = resources.and_then(|resources| resources.disk.as_ref());
    let devices = resources.and_then(|resources| resources.devices.as_ref());
    Node {
        id: node.id.clone(),
        name: node.name.clone(),
        datacenter: node.datacenter.clone(),
        kind: node
            .meta
            .as_ref()
            .and_then(|meta| meta.get("type"))
            .cloned(),
        cores: cores.or(cpu.map(|cpu| cpu.total_cpu_cores)).unwrap_or(0),
        mhz: attribute("cpu.totalcompute")
            .or(cpu.map(|cpu| cpu.cpu_shares))
            .unwrap_or(0),
        memory_mib: memory.map_or(0, |memory| memory.memory_mib),
        disk_mib: disk.map_or(0, |disk| disk.disk_mib),
        devices: devices.into_iter().flatten().map(devices_of).collect(),
    }
}

fn devices_of(device: &api::ResourcesDevice) -> Devices {
    let instances = device.instances.iter().flatten();
    Devices {
        vendor: device.vendor.clone(),
        kind: device.kind.clone(),
        model: device.name.clone(),
        ids: instances
            .map(|instance| (instance.id.clone(), instance.healthy))
            .collect(),
    }
}

/// An allocation from Nomad's own words, on a node of so many cores and MHz, its times moved by `shift_us`.
pub fn allocation_of(placed: &api::Placed, cores: u32, mhz: u64, shift_us: i64) -> Allocation {
    let states = placed.task_states.iter().flatten();
    let task_times: BTreeMap<String, TaskTimes> = states
        .map(|(task, state)| (task.clone(), times(state, shift_us)))
        .collect();
    let starts = task_times.values().filter_map(|times| times.started_us);
    let started_us = starts.min();
    let resources = placed.allocated_resources.as_ref();
    let shared = resources.and_then(|resources| resources.shared.as_ref());
    let meta = placed.job.as_ref().and_then(|job| job.meta.as_ref());
    Allocation {
        facts: usage::Allocation {
            id: placed.id.clone(),
            namespace: placed.namespace.clone(),
            job: placed.job_id.clone(),
            group: placed.task_group.clone(),
            name: placed.name.clone(),
            owner: meta.and_then(|meta| meta.get("owner")).cloned(),
            started_us: started_us.unwrap_or(0),
            tasks: tasks(placed),
            disk_mib: shared.map_or(0, |shared| shared.disk_mib),
            node_cores: cores,
            node_mhz: mhz,
        },
        started: started_us.is_some(),
        ended: end(placed, &task_times, shift_us),
        task_times,
        modify_index: placed.modify_index,
        listed: true,
    }
}

/// `Started` events first: the other time is that of the last start. Nomad keeps ten events only.
fn times(state: &api::PlacedState, shift_us: i64) -> TaskTimes {
    let events = state.events.iter().flatten();
    let started = events.filter(|event| event.kind == "Started" && event.time > 0);
    let first = started.map(|event| event.time / 1_000).min();
    let last = state.started_at.as_deref().and_then(micros);
    let started_us = first.into_iter().chain(last).min();
    let dead = state.state == "dead";
    let finished_us = state.finished_at.as_deref().and_then(micros);
    TaskTimes {
        started_us: started_us.map(|us| us.saturating_add(shift_us)),
        finished_us: finished_us
            .filter(|_| dead)
            .map(|us| us.saturating_add(shift_us)),
        running: state.state == "running",
    }
}

/// A time in RFC 3339, in µs since 1970 UTC; none for the year 1, with which Nomad says "never".
fn micros(text: &str) -> Option<i64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(time.as_microsecond()).filter(|&us| us > 0)
}

/// Whether the servers call an allocation over.
fn is_over(placed: &api::Placed) -> bool {
    matches!(
        placed.client_status.as_str(),
        "complete" | "failed" | "lost"
    )
}

/// The end of an allocation, if it is over and everything in it has ended.
fn ended(placed: &api::Placed, shift_us: i64) -> Option<usage::End> {
    let states = placed.task_states.iter().flatten();
    let task_times = states.map(|(task, state)| (task.clone(), times(state, shift_us)));
    end(placed, &task_times.collect(), shift_us)
}

/// Whether a task of it is still to start: a client calls an allocation failed as soon as one of its
/// tasks is, and then runs those that are to come after all others (`poststop`).
fn waits(placed: &api::Placed) -> bool {
    let mut states = placed.task_states.iter().flatten();
    placed.client_status == "failed" && states.any(|(_, state)| state.state == "pending")
}

/// A lost allocation may still have tasks that run: it ends when they have ended.
fn end(
    placed: &api::Placed,
    task_times: &BTreeMap<String, TaskTimes>,
    shift_us: i64,
) -> Option<usage::End> {
    if !is_over(placed) || waits(placed) {
        return None;
    }
    let started = task_times
        .values()
        .filter(|times| times.started_us.is_some());
    let ends: Option<Vec<i64>> = started.map(|times| times.finished_us).collect();
    let never_started = placed.modify_time / 1_000 + shift_us;
    Some(usage::End {
        allocation: placed.id.clone(),
        ended_us: ends?.into_iter().max().unwrap_or(never_started),
        status: placed.client_status.clone(),
    })
}

fn tasks(placed: &api::Placed) -> Vec<usage::Task> {
    let groups = placed.job.iter().filter_map(|job| job.task_groups.as_ref());
    let mut groups = groups.flatten();
    let group = groups.find(|group| group.name == placed.task_group);
    let described = |name: &str| {
        let mut tasks = group?.tasks.as_ref()?.iter();
        tasks.find(|task| task.name == name)
    };
    let resources = placed.allocated_resources.as_ref();
    let tasks = resources.and_then(|resources| resources.tasks.as_ref());
    let tasks = tasks.into_iter().flatten();
    tasks
        .map(|(name, reserved)| task(name, reserved, described(name)))
        .collect()
}

fn task(name: &str, reserved: &api::AllocatedTask, job: Option<&api::PlacedTask>) -> usage::Task {
    let config = job.and_then(|job| job.config.as_ref());
    let image = config.and_then(|config| config.get("image")?.as_str());
    let cores = reserved.cpu.reserved_cores.as_ref().map_or(0, Vec::len);
    let devices = reserved.devices.iter().flatten();
    let devices = devices.flat_map(|device| {
        device.ids.iter().map(|id| usage::Device {
            id: id.clone(),
            vendor: device.vendor.clone(),
            kind: device.kind.clone(),
            model: device.name.clone(),
        })
    });
    usage::Task {
        name: name.to_owned(),
        driver: job.map_or_else(String::new, |job| job.driver.clone()),
        image: image.map(str::to_owned),
        cpu_mhz: reserved.cpu.cpu_shares,
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        memory_mib: reserved.memory.memory_mib,
        devices: devices.collect(),
    }
}
