//! Keeps the node's capacity registered in Consul.
//!
//! What to send is decided by [`Registrar::next`], a pure function of what was
//! sent before, of the time and of the capacity. A beat's text never changes
//! with time, so that it costs Consul's servers nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use federation::consul::{Health, Service, TtlCheck};
use federation::names::NodeName;

use crate::clock::Clock;
use crate::consul::{Beat, Consul, Registry};
use crate::discover::{Capacity, Known, Machine};
use crate::gpu::Gpus;
use crate::nomad::{Nomad, NomadError};
use crate::settings::Settings;
use crate::threads;
use crate::wire::WireError;

/// The service that every node registers.
pub const SERVICE: &str = "site-capacity-node";

/// Between two beats, in µs; the check's time to live is three of them.
const BEAT_US: i64 = 20_000_000;
/// How often the node is looked at, in µs: before each beat.
const LOOK_US: i64 = 20_000_000;
/// How often it is asked whether something is due.
const TURN: Duration = Duration::from_secs(4);
const TTL: &str = "60s";
/// How long a silent node is remembered: a repair takes days.
const FORGET_AFTER: &str = "72h";
/// The pause after the first refusal, in µs.
const FIRST_PAUSE_US: i64 = 4_000_000;
/// The longest pause after refusals, in µs.
const LONGEST_US: i64 = 300_000_000;

/// What to send to Consul.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The facts, with a first state of the check.
    Register(Box<Service>),
    /// That the node is there.
    Beat {
        /// How it is.
        status: Health,
        /// Why, for people.
        text: String,
    },
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Consul took it.
    Taken,
    /// Consul knows no such check.
    Unknown,
    /// Consul did not answer, or could not.
    Silent,
    /// Consul refused.
    Refused,
}

/// What is registered, and when something is to be sent next.
#[derive(Debug)]
pub struct Registrar {
    id: String,
    /// The digest of the facts that Consul has.
    registered: Option<String>,
    /// What the last beat said.
    told: Option<Health>,
    due_us: i64,
    failures: u32,
    /// The last of them in which Consul said no.
    refusals: u32,
}

impl Registrar {
    /// Nothing is registered yet.
    pub fn new(node: &NodeName) -> Self {
        Self {
            id: format!("site-capacity-{node}"),
            registered: None,
            told: None,
            due_us: i64::MIN,
            failures: 0,
            refusals: 0,
        }
    }

    /// What to send at a time (µs of the boot clock), if anything.
    pub fn next(&self, now_us: i64, capacity: &Capacity) -> Option<Step> {
        let meta = capacity.meta();
        let (status, text) = state(capacity);
        let same = self.registered.is_some() && self.registered.as_ref() == meta.get("digest");
        let news = self.failures == 0 && (!same || self.told != Some(status));
        if now_us < self.due_us && !news {
            return None;
        }
        if same {
            return Some(Step::Beat { status, text });
        }
        let kind = if capacity.gpus.is_empty() {
            "cpu"
        } else {
            "gpu"
        };
        let tags = ["v1", kind].map(str::to_owned).into_iter();
        Some(Step::Register(Box::new(Service {
            id: self.id.clone(),
            name: SERVICE.to_owned(),
            tags: tags.chain(capacity.kind.clone()).collect(),
            meta,
            check: TtlCheck {
                id: self.id.clone(),
                name: "agent of the node".to_owned(),
                ttl: TTL.to_owned(),
                status,
                forget_after: FORGET_AFTER.to_owned(),
            },
        })))
    }

    /// Takes note of what came of a step.
    pub fn heard(&mut self, now_us: i64, step: &Step, outcome: Outcome) {
        match (outcome, step) {
            (Outcome::Taken, Step::Register(service)) => {
                self.registered = service.meta.get("digest").cloned();
                // A check begins with the status but without a text: the beat follows at once.
                self.told = None;
                self.due_us = now_us;
                self.failures = 0;
            }
            (Outcome::Taken, Step::Beat { status, .. }) => {
                self.told = Some(*status);
                self.due_us = now_us.saturating_add(BEAT_US);
                self.failures = 0;
                self.refusals = 0;
            }
            (Outcome::Unknown, _) => {
                self.registered = None;
                self.due_us = now_us;
            }
            // It restarts, and forgets beats by that: it should not miss the next one for long.
            (Outcome::Silent, _) => {
                self.failures += 1;
                self.refusals = 0;
                self.due_us = now_us.saturating_add(FIRST_PAUSE_US);
            }
            (Outcome::Refused, _) => {
                let pause = FIRST_PAUSE_US.saturating_mul(1 << self.refusals.min(8));
                self.failures += 1;
                self.refusals += 1;
                self.due_us = now_us.saturating_add(pause.min(LONGEST_US));
            }
        }
    }

    /// Sends what is due. `Ok` tells whether anything was sent.
    ///
    /// # Errors
    /// When Consul does not answer or refuses; [`Registrar::next`] waits longer from time to time.
    pub fn tick(
        &mut self,
        consul: &dyn Registry,
        now_us: i64,
        capacity: &Capacity,
    ) -> Result<bool, WireError> {
        let mut sent = false;
        // A registration and its beat, and the same again if Consul has just lost it.
        for _ in 0..4 {
            let Some(step) = self.next(now_us, capacity) else {
                break;
            };
            sent = true;
            let result = match &step {
                Step::Register(service) => consul.register(service).map(|()| Beat::Heard),
                Step::Beat { status, text } => consul.beat(&self.id, *status, text),
            };
            let outcome = match &result {
                Ok(Beat::Heard) => Outcome::Taken,
                Ok(Beat::Unknown) => Outcome::Unknown,
                Err(error) if error.status().is_none_or(|status| status >= 500) => Outcome::Silent,
                Err(_) => Outcome::Refused,
            };
            self.heard(now_us, &step, outcome);
            result?;
        }
        Ok(sent)
    }

    /// How many times in a row Consul has refused: the first is worth a line in a log.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// The state of the check, and its text, which holds no time.
fn state(capacity: &Capacity) -> (Health, String) {
    let wrong = capacity.not_ready.iter().chain(&capacity.problems);
    let text = wrong.map(String::as_str).collect::<Vec<_>>().join("; ");
    match (&capacity.not_ready, capacity.problems.is_empty()) {
        (Some(_), _) => (Health::Critical, text),
        (None, false) => (Health::Warning, text),
        (None, true) => (Health::Passing, "all is well".to_owned()),
    }
}

/// Starts the thread that keeps the node registered, for as long as the process lives.
///
/// # Errors
/// When a file of the settings cannot be read, or there is no thread to be had.
pub fn start<G: Gpus + Sync + 'static>(
    settings: &Settings,
    clock: Arc<dyn Clock>,
    gpus: Arc<G>,
) -> Result<(), RegisterError> {
    let consul = Consul::new(&settings.consul)?;
    let nomad = Nomad::new(&settings.nomad, clock.shift_us())?;
    let mut registrar = Registrar::new(&settings.node);
    let datacenter = settings.datacenter.clone();
    let keep = move || {
        let mut known = Known::default();
        let (mut found, mut looked_us) = (None, i64::MIN);
        loop {
            let now_us = clock.now().boot_us;
            // Whoever waits for the node to be ready should not wait for longer than it takes.
            let is_due = known.is_due(now_us);
            if is_due || now_us >= looked_us.saturating_add(LOOK_US) {
                if is_due {
                    known.take(now_us, nomad.node());
                }
                let machine = Machine::read(Path::new("/"));
                found = Some(known.seen(datacenter.as_str(), &machine, &gpus.inventory()));
                looked_us = now_us;
            }
            let failures = registrar.failures();
            let sent = found
                .as_ref()
                .map_or(Ok(false), |found| registrar.tick(&consul, now_us, found));
            match sent {
                Err(error) if failures == 0 => {
                    tracing::warn!("the node's capacity is not registered: {error}");
                }
                Ok(true) if failures > 0 => {
                    tracing::info!("the node's capacity is registered again");
                }
                _ => {}
            }
            std::thread::sleep(TURN);
        }
    };
    threads::start("register", keep).map_err(RegisterError::Thread)
}

/// Why the node is not kept registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// A file for Consul cannot be read.
    #[error(transparent)]
    Consul(#[from] WireError),
    /// A file for Nomad cannot be read.
    #[error(transparent)]
    Nomad(#[from] NomadError),
    /// The machine has no thread left.
    #[error("cannot start the thread that registers the node: {0}")]
    Thread(std::io::Error),
}
