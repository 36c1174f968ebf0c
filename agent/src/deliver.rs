//! Delivery: entries go to the accounting service in their order, until it says that it has them.
//!
//! Nothing is dropped, whatever the service answers: a delivery that is refused
//! waits, and is tried again. Delivering twice changes nothing there.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use federation::names::{DatacenterName, NodeName};
use federation::usage::{Acknowledged, FORMAT, Header, Refused};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};
use ureq::Body;
use ureq::http::Response;

use crate::ledger::{Batch, LedgerError, Outbox};
use crate::settings::Accounting;
use crate::wire;

/// Entries in a delivery.
const ENTRIES: usize = 1_000;
/// Bytes of a delivery before compression.
const BYTES: usize = 4 * 1_048_576;
/// How long to wait for new entries.
const IDLE: Duration = Duration::from_secs(10);
/// The longest wait when the service cannot be reached.
const UNREACHED: Duration = Duration::from_mins(1);
/// The longest wait when the service refuses.
const REFUSED: Duration = Duration::from_mins(5);
/// The longest time for one delivery.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of an answer is read, in bytes.
const ANSWER: u64 = 65_536;

/// Who delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The node in Consul and Nomad.
    pub node: NodeName,
    /// Its datacenter.
    pub datacenter: DatacenterName,
}

/// A delivery as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The header `Atoll-Digest`: of the lines before compression.
    pub digest: String,
    /// The lines, compressed with gzip.
    pub body: Vec<u8>,
}

/// What the service answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The answer's body.
    pub body: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("cannot deliver to {address}: {reason}")]
pub struct DoorError {
    /// Where.
    pub address: String,
    /// What failed.
    pub reason: String,
}

/// The way to the accounting service.
pub trait Door {
    /// Sends a delivery, and waits for the answer.
    ///
    /// # Errors
    /// When there is none.
    fn post(&self, delivery: &Delivery) -> Result<Answer, DoorError>;
}

/// What follows from an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The service has everything up to here; go on from there at once.
    GoOn(u64),
    /// The service has everything up to here, which is not what was expected: wait before the next try.
    GoBack(u64, Duration, String),
    /// Try the same again after this time.
    Again(Duration, String),
}

/// Makes a delivery of a batch.
pub fn pack(sender: &Sender, batch: &Batch) -> std::io::Result<Delivery> {
    let header = Header {
        format: FORMAT,
        node: sender.node.clone(),
        datacenter: sender.datacenter.clone(),
        node_id: batch.node_id.clone(),
        ledger: batch.ledger.clone(),
        entries: u32::try_from(batch.lines.len()).unwrap_or(u32::MAX),
    };
    let mut lines = serde_json::to_string(&header)?;
    lines.push('\n');
    for line in &batch.lines {
        lines.push_str(line);
        lines.push('\n');
    }
    let mut digest = String::from("sha256=");
    for byte in Sha256::digest(lines.as_bytes()) {
        let _ = write!(digest, "{byte:02x}");
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(lines.as_bytes())?;
    let body = gzip.finish()?;
    Ok(Delivery { digest, body })
}

/// Decides what follows from the answer to a batch.
///
/// `newest` is the ledger's newest number, `failures` how often in turn it has
/// failed before, `chance` any number: nodes must not all come back at once.
pub fn next(
    batch: &Batch,
    newest: u64,
    answer: &Result<Answer, DoorError>,
    failures: u32,
    chance: u32,
) -> Step {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Step::Again(pause(UNREACHED, failures, chance), error.to_string()),
    };
    let (has, error) = match answer.status {
        200 => match serde_json::from_str::<Acknowledged>(&answer.body) {
            Ok(said) if said.ledger == batch.ledger => (Some(said.acknowledged), String::new()),
            _ => (
                None,
                format!("an answer that is none: {}", short(&answer.body)),
            ),
        },
        status => match serde_json::from_str::<Refused>(&answer.body) {
            Ok(said) => (said.acknowledged.filter(|_| status == 409), said.error),
            Err(_) => (None, short(&answer.body)),
        },
    };
    let longest = if (400..500).contains(&answer.status) {
        REFUSED
    } else {
        UNREACHED
    };
    let wait = pause(longest, failures, chance);
    let status = answer.status;
    match has {
        Some(has) if has > newest => Step::Again(
            pause(REFUSED, failures, chance),
            format!(
                "the accounting service has entries up to {has} of ledger {}, which ends at {newest}: \
                 an older copy of the ledger was put back; stop the agent and move its ledger aside",
                batch.ledger
            ),
        ),
        Some(has) if status == 200 && has >= batch.last() => Step::GoOn(has),
        // It asks for other entries: once at once, and not in circles.
        Some(has) if failures == 0 && has.saturating_add(1) != batch.first => Step::GoOn(has),
        Some(has) => Step::GoBack(
            has,
            wait,
            format!(
                "the accounting service has entries up to {has}, and did not take {} to {}: {status} {error}",
                batch.first,
                batch.last()
            ),
        ),
        None => Step::Again(
            wait,
            format!("the accounting service answered {status}: {error}"),
        ),
    }
}

/// How long to wait after `failures` failures and this one: doubled each time, and half of it by chance.
fn pause(longest: Duration, failures: u32, chance: u32) -> Duration {
    let whole = Duration::from_secs(1 << failures.min(10)).min(longest);
    let half = whole / 2;
    half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

fn short(text: &str) -> String {
    text.trim().chars().take(200).collect()
}

/// Wakes a thread: for something new, or to stop.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<Rung>,
    changed: Condvar,
}

#[derive(Debug, Default, Clone, Copy)]
struct Rung {
    new: bool,
    stop: bool,
}

impl Bell {
    /// There is something new.
    pub fn ring(&self) {
        self.lock().new = true;
        self.changed.notify_all();
    }

    /// It is time to stop.
    pub fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
    }

    /// Whether it is time to stop.
    pub fn stopped(&self) -> bool {
        self.lock().stop
    }

    /// Waits for something new if `early`, to stop, or for a time. Says whether it is time to stop.
    pub fn wait(&self, limit: Duration, early: bool) -> bool {
        let end = Instant::now() + limit;
        let mut rung = self.lock();
        while !(rung.stop || early && rung.new) {
            let Some(left) = end.checked_duration_since(Instant::now()) else {
                break;
            };
            let waited = self.changed.wait_timeout(rung, left);
            rung = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        rung.new = false;
        rung.stop
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Rung> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the delivery stands, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Entries that are not delivered.
    pub lag: u64,
    /// Why the last try failed, if it did.
    pub problem: Option<String>,
}

/// Delivers until the bell says to stop, and then once more what is there.
pub fn run(
    outbox: &Outbox,
    door: &dyn Door,
    sender: &Sender,
    bell: &Bell,
    tell: &dyn Fn(Standing),
) {
    let mut failures = 0;
    loop {
        let stopping = bell.stopped();
        let step = once(outbox, door, sender, failures);
        let (wait, problem) = match step {
            Ok(Some(Step::GoOn(_))) => (None, None),
            Ok(None) => (Some(IDLE), None),
            Ok(Some(Step::Again(wait, why) | Step::GoBack(_, wait, why))) => {
                (Some(wait), Some(why))
            }
            Err(error) => (
                Some(pause(UNREACHED, failures, chance())),
                Some(error.to_string()),
            ),
        };
        match &problem {
            // Said once: the status goes on saying it.
            Some(why) if failures == 0 => tracing::warn!("{why}; trying again"),
            None if failures > 0 => tracing::info!("delivering again"),
            _ => {}
        }
        failures = problem.as_ref().map_or(0, |_| failures.saturating_add(1));
        let lag = outbox.lag().unwrap_or_default();
        let idle = problem.is_none();
        tell(Standing { lag, problem });
        match wait {
            Some(_) if stopping => return,
            Some(wait) => {
                bell.wait(wait, idle);
            }
            None => {}
        }
    }
}

/// Delivers one batch, and notes the answer; nothing when there is nothing to deliver.
///
/// # Errors
/// When the ledger cannot be read or written.
pub fn once(
    outbox: &Outbox,
    door: &dyn Door,
    sender: &Sender,
    failures: u32,
) -> Result<Option<Step>, LedgerError> {
    let Some(batch) = outbox.batch(ENTRIES, BYTES)? else {
        return Ok(None);
    };
    let answer = match pack(sender, &batch) {
        Ok(delivery) => door.post(&delivery),
        Err(error) => Err(DoorError {
            address: "nowhere".to_owned(),
            reason: error.to_string(),
        }),
    };
    let newest = outbox.newest(&batch.ledger)?;
    let step = next(&batch, newest, &answer, failures, chance());
    if let Step::GoOn(has) | Step::GoBack(has, _, _) = step {
        outbox.acknowledge(&batch.ledger, has)?;
    }
    Ok(Some(step))
}

/// Any number: the last bytes of a random UUID.
fn chance() -> u32 {
    let bytes = uuid::Uuid::new_v4().as_u128();
    u32::try_from(bytes & u128::from(u32::MAX)).unwrap_or(0)
}

/// The accounting service over mutual TLS. It trusts the CA in its settings, and no other.
#[derive(Debug)]
pub struct Https {
    accounting: Accounting,
    agent: RefCell<Option<ureq::Agent>>,
}

impl Https {
    /// A door to the service; its files are read when it is first used, and after each failure.
    pub fn new(accounting: Accounting) -> Self {
        let agent = RefCell::new(None);
        Self { accounting, agent }
    }

    fn connect(&self) -> Result<ureq::Agent, String> {
        let tls = wire::tls(&self.accounting.identity).map_err(|error| error.to_string())?;
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_idle_connections(1)
            .input_buffer_size(16_384)
            .output_buffer_size(16_384)
            .timeout_global(Some(PATIENCE))
            .build();
        Ok(config.new_agent())
    }

    /// Asks how far the service has a ledger that nobody has: whether it takes this node for whom it is.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub fn greet(&self, limit: Duration) -> Result<(), String> {
        let address = &self.accounting.address;
        let asked = self.connect()?.get(format!("{address}/v1/usage/none"));
        let asked = asked.config().timeout_global(Some(limit)).build();
        let answer =
            answer(asked.call()).map_err(|reason| format!("cannot reach {address}: {reason}"))?;
        match answer.status {
            200 => Ok(()),
            status => Err(format!("{address} says {status}: {}", short(&answer.body))),
        }
    }

    fn send(&self, delivery: &Delivery) -> Result<Answer, String> {
        let held = self.agent.borrow().clone();
        let agent = match held {
            Some(agent) => agent,
            None => self.connect()?,
        };
        let response = agent
            .post(format!("{}/v1/usage", self.accounting.address))
            .header("Content-Type", "application/x-ndjson")
            .header("Content-Encoding", "gzip")
            .header("Atoll-Digest", &delivery.digest)
            .send(&delivery.body[..]);
        let answer = answer(response)?;
        *self.agent.borrow_mut() = Some(agent);
        Ok(answer)
    }
}

fn answer(response: Result<Response<Body>, ureq::Error>) -> Result<Answer, String> {
    let mut response = response.map_err(|error| error.to_string())?;
    let body = response.body_mut().with_config().limit(ANSWER);
    let body = body.lossy_utf8(true).read_to_string();
    Ok(Answer {
        status: response.status().as_u16(),
        body: body.map_err(|error| error.to_string())?,
    })
}

impl Door for Https {
    fn post(&self, delivery: &Delivery) -> Result<Answer, DoorError> {
        self.send(delivery).map_err(|reason| {
            // A certificate may have been renewed meanwhile.
            *self.agent.borrow_mut() = None;
            DoorError {
                address: self.accounting.address.to_string(),
                reason,
            }
        })
    }
}
