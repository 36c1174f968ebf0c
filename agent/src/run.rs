//! The daemon: looks at the counters each second, and has others ask Nomad and deliver.
//!
//! The meter has the main thread. Nothing that it waits for can stand still:
//! Nomad and the accounting service are asked by threads of their own, the GPUs'
//! driver by its door's. A watchdog of systemd is fed from this loop alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use federation::usage::{Body, Entry, Moment};
use sd_notify::NotifyState;

use crate::cgroup::{self, Groups};
use crate::clock::{Clock, SystemClock};
use crate::deliver::{self, Bell, Https, Sender, Standing};
use crate::follow::{self, Followed, Shared};
use crate::gpu::{self, Answer, Busy, Gpus};
use crate::ledger::{Ledger, LedgerError, Outbox};
use crate::memory::{self, Guard};
use crate::meter::{Listing, Meter, Observation, next_month_end};
use crate::nomad;
use crate::register::{self, RegisterError};
use crate::settings::{self, Accounting, Settings};
use crate::threads;

/// A thread that follows Nomad.
type Follow = fn(&settings::Nomad, &dyn Clock, &Shared) -> !;

/// How long to go on delivering when asked to stop.
const LAST_DELIVERY: Duration = Duration::from_secs(5);

/// Why the agent ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger was damaged while it was used.
    #[error("{0}; it is moved aside at the next start")]
    Damaged(String),
    /// The system refused something.
    #[error("cannot {doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// The node's capacity cannot be registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// Signals cannot be taken.
    #[error("cannot take signals")]
    Signals(#[from] ctrlc::Error),
    /// It has grown too large, in KiB.
    #[error("the agent held {} MiB of memory and ended in order; started anew, it goes on where it was", .0 >> 10)]
    Memory(u64),
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When something is missing that it cannot do without.
pub fn run(settings: &Settings) -> Result<(), RunError> {
    let system = |doing| move |source| RunError::System { doing, source };
    let clock = SystemClock::new(settings.clock_offset_s).map_err(system("read the clocks"))?;
    let clock: Arc<dyn Clock> = Arc::new(clock);
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || asked.store(true, Ordering::SeqCst))?;
    let mut ledger = open(&settings.ledger)?;
    let bell = Arc::new(Bell::default());
    let standing = Arc::new(Mutex::new(Standing::default()));
    let mut delivered = None;
    if let Some(accounting) = &settings.accounting {
        delivered = Some(deliver(settings, accounting, &bell, &standing)?);
    } else {
        ledger.keep_for_nobody();
    }
    let followed = Arc::new(Shared::default());
    for (name, work) in [
        ("nomad", follow::follow as Follow),
        ("recall", follow::recall),
    ] {
        let (nomad, ours) = (settings.nomad.clone(), Arc::clone(&clock));
        let theirs = Arc::clone(&followed);
        threads::start(name, move || work(&nomad, &*ours, &theirs))
            .map_err(system("start a thread"))?;
    }
    let gpus = Arc::new(gpu::start(settings.gpu_library.clone()));
    register::start(settings, Arc::clone(&clock), Arc::clone(&gpus))?;
    let mut daemon = Daemon {
        clock: &*clock,
        groups: cgroup::open(&settings.docker),
        gpus: &*gpus,
        meter: Meter::new(ledger.committed()),
        ledger,
        followed,
        bell: Arc::clone(&bell),
        standing,
        trouble: None,
        unreadable: None,
        driver: None,
        told: String::new(),
    };
    let sample = Duration::from_secs(settings.sample_seconds.max(1));
    daemon.tick(false)?;
    notify(&[NotifyState::Ready]);
    let mut guard = Guard::new(daemon.clock.now().boot_us);
    let mut over_kib = None;
    while !stop.load(Ordering::SeqCst) && over_kib.is_none() {
        let pause = pause(daemon.clock.now(), sample);
        daemon.groups.wait(pause);
        daemon.tick(false)?;
        over_kib = guard.is_over(daemon.clock.now().boot_us, memory::resident_kib);
    }
    notify(&[NotifyState::Stopping]);
    daemon.tick(true)?;
    bell.stop();
    daemon.gpus.close();
    last_delivery(delivered.as_ref());
    over_kib.map_or(Ok(()), |kib| Err(RunError::Memory(kib)))
}

fn open(path: &Path) -> Result<Ledger, LedgerError> {
    let (ledger, aside) = Ledger::open(path)?;
    if let Some(aside) = aside {
        tracing::error!(
            "the ledger {} was damaged; it is now {}, and a new one begins: entries that were not delivered are in the old one only",
            path.display(),
            aside.display()
        );
    }
    Ok(ledger)
}

/// Starts the thread that delivers. What it gives is closed when the thread has ended.
fn deliver(
    settings: &Settings,
    accounting: &Accounting,
    bell: &Arc<Bell>,
    standing: &Arc<Mutex<Standing>>,
) -> Result<Receiver<()>, RunError> {
    let outbox = Outbox::open(&settings.ledger)?;
    let accounting = accounting.clone();
    let sender = Sender {
        node: settings.node.clone(),
        datacenter: settings.datacenter.clone(),
    };
    let (bell, standing) = (Arc::clone(bell), Arc::clone(standing));
    let (ended, wait) = channel();
    threads::start("deliver", move || {
        let door = Https::new(accounting);
        deliver::run(&outbox, &door, &sender, &bell, &|now| {
            *standing.lock().unwrap_or_else(PoisonError::into_inner) = now;
        });
        drop(ended);
    })
    .map_err(|source| RunError::System {
        doing: "start a thread",
        source,
    })?;
    Ok(wait)
}

fn last_delivery(delivered: Option<&Receiver<()>>) {
    let Some(delivered) = delivered else {
        return;
    };
    if delivered.recv_timeout(LAST_DELIVERY) == Err(RecvTimeoutError::Timeout) {
        tracing::info!("entries remain to be delivered after the next start");
    }
}

/// How long to wait for the next look: to the end of the month if that is nearer.
fn pause(now: Moment, sample: Duration) -> Duration {
    let left_us = next_month_end(now.wall_us).saturating_sub(now.wall_us);
    sample.min(Duration::from_micros(
        u64::try_from(left_us).unwrap_or(0) + 1,
    ))
}

struct Daemon<'a> {
    clock: &'a dyn Clock,
    groups: Box<dyn Groups>,
    gpus: &'a dyn Gpus,
    meter: Meter,
    ledger: Ledger,
    followed: Arc<Shared>,
    bell: Arc<Bell>,
    standing: Arc<Mutex<Standing>>,
    /// What is wrong with the ledger.
    trouble: Option<String>,
    /// Why the ledger cannot be read.
    unreadable: Option<String>,
    /// What is wrong with the GPUs' driver.
    driver: Option<String>,
    told: String,
}

impl Daemon<'_> {
    /// Looks once, and keeps what follows.
    fn tick(&mut self, stopping: bool) -> Result<(), RunError> {
        // Nomad's word first: what it calls over has left all its use in the counters.
        let followed = self.followed.followed();
        if let Some(node_id) = &followed.node_id {
            self.belong(node_id)?;
        }
        let recognized = recognize(&mut self.meter, &self.ledger, &followed.allocations);
        self.unread(recognized.as_ref().err())?;
        let snapshot = self.groups.read(&self.meter.drivers(&followed.allocations));
        // The moment is that of the counters: a driver may take seconds to answer.
        let now = self.clock.now();
        // Who cannot be looked up does not begin, and nobody takes what is told of it.
        let listed = &followed.allocations[..];
        let busy = self.busy(if recognized.is_ok() { listed } else { &[] });
        let bodies = self.meter.observe(
            now,
            self.clock.boot_id(),
            &Observation {
                snapshot: &snapshot,
                // Who cannot be looked up must not begin.
                listing: followed
                    .heard
                    .filter(|_| recognized.is_ok())
                    .map(|heard| Listing {
                        allocations: &followed.allocations,
                        heard,
                        heard_since: followed.heard_since,
                        asked: &followed.asked,
                        cores: followed.cores,
                        mhz: followed.mhz,
                    }),
                busy: &busy,
                shift_us: self.clock.shift_us(),
                stopping,
            },
        );
        self.followed
            .doubt(self.meter.doubts(&followed.allocations));
        self.keep(bodies, now)?;
        self.tell(&followed);
        Ok(())
    }

    /// A node that was installed anew has another ID: what the old one held is over.
    fn belong(&mut self, node_id: &str) -> Result<(), RunError> {
        if self.ledger.node_id().is_some_and(|id| id != node_id) {
            tracing::warn!("Nomad knows this node by another ID now: a new ledger begins");
            let bodies = self.meter.abandon();
            self.keep(bodies, self.clock.now())?;
        }
        match self.ledger.belong(node_id) {
            Ok(true) => self.meter = Meter::new(self.ledger.committed()),
            Ok(false) => {}
            Err(error) => self.complain(&error)?,
        }
        Ok(())
    }

    fn busy(&mut self, listed: &[nomad::Allocation]) -> BTreeMap<String, Answer<Busy>> {
        let mut answers = BTreeMap::new();
        self.driver = None;
        for (id, since_us) in self.meter.questions(listed, self.clock.shift_us()) {
            let answer = self.gpus.busy(&id, since_us);
            let late = answer == Answer::Late;
            match &answer {
                Answer::Late => self.driver = Some("the GPU driver does not answer".to_owned()),
                Answer::Unavailable(why) => self.driver = Some(why.clone()),
                Answer::Ok(_) => {}
            }
            answers.insert(id, answer);
            // The others would only wait behind this one.
            if late {
                break;
            }
        }
        answers
    }

    fn keep(&mut self, bodies: Vec<Body>, now: Moment) -> Result<(), RunError> {
        match self.ledger.commit(bodies, self.meter.state(), now) {
            Ok(entries) => {
                if self.trouble.take().is_some() {
                    tracing::info!("the ledger can be written again");
                }
                if !entries.is_empty() {
                    self.bell.ring();
                }
                entries.iter().for_each(warn);
                Ok(())
            }
            Err(error) => self.complain(&error),
        }
    }

    /// A disk that is full is waited for; a damaged ledger is for the next start.
    fn complain(&mut self, error: &LedgerError) -> Result<(), RunError> {
        if let LedgerError::Waiting(_) = error {
            self.meter = Meter::new(self.ledger.committed());
            // Who began and was over since then is in no list any more.
            self.followed.ask_all();
        }
        if self.trouble.is_none() {
            tracing::error!("{error}; counters go on, and are written when it can be");
        }
        self.trouble = Some(error.to_string());
        if error.is_damage() {
            return Err(RunError::Damaged(error.to_string()));
        }
        Ok(())
    }

    /// Takes whether the ledger could be read: meanwhile nothing begins or ends.
    fn unread(&mut self, error: Option<&LedgerError>) -> Result<(), RunError> {
        let Some(error) = error else {
            if self.unreadable.take().is_some() {
                tracing::info!("the ledger can be read again");
            }
            return Ok(());
        };
        if error.is_damage() {
            return Err(RunError::Damaged(error.to_string()));
        }
        if self.unreadable.is_none() {
            tracing::error!("{error}; nothing begins or ends until it can be");
        }
        self.unreadable = Some(error.to_string());
        Ok(())
    }

    /// Tells systemd how things stand, and that this loop goes on.
    fn tell(&mut self, followed: &Followed) {
        let standing = self.standing.lock();
        let standing = standing.unwrap_or_else(PoisonError::into_inner).clone();
        let mut status = format!(
            "{} allocations metered, {} entries to deliver",
            self.meter.state().metered(),
            standing.lag
        );
        let unnamed = self.meter.state().unnamed();
        let unnamed =
            (unnamed > 0).then(|| format!("{unnamed} allocations were never named by Nomad"));
        let troubles = [
            &unnamed,
            &followed.problem,
            &standing.problem,
            &self.driver,
            &self.trouble,
            &self.unreadable,
        ];
        for trouble in troubles.into_iter().flatten() {
            status.push_str("; ");
            status.push_str(trouble);
        }
        // One line is all that systemd shows.
        let status = status.replace('\n', " ");
        if status == self.told {
            notify(&[NotifyState::Watchdog]);
        } else {
            notify(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
            self.told = status;
        }
    }
}

/// Who has been written down already does not begin anew, however long ago that was.
fn recognize(
    meter: &mut Meter,
    ledger: &Ledger,
    listed: &[nomad::Allocation],
) -> Result<(), LedgerError> {
    for id in meter.beginning(listed) {
        if ledger.has(&id)? {
            meter.remember(&id);
        }
    }
    Ok(())
}

/// Says of which allocation nothing but its groups was ever seen.
fn warn(entry: &Entry) {
    let Body::Allocation(facts) = &entry.body else {
        return;
    };
    if facts.is_unnamed() {
        tracing::warn!(
            "allocation {} ran on this node, and Nomad never said what it is: it is metered without a job, and marked (entry {})",
            facts.id,
            entry.seq
        );
    }
}

fn notify(states: &[NotifyState]) {
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(false, states);
}

#[cfg(test)]
mod tests;
