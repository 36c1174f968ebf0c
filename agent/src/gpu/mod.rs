//! The door to the GPUs: what there is, and how busy each was.
//!
//! The driver's library is spoken to by one thread alone, because a call may
//! never come back. Whoever asks waits for a deadline and is then told
//! [`Answer::Late`]; the thread is left alone until it answers.

mod busy;
mod driver;
mod worker;

use std::path::PathBuf;

/// A GPU as the driver shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// UUID, such as `GPU-1b4e…`.
    pub id: String,
    /// Such as `NVIDIA A100-PCIE-40GB`.
    pub model: String,
    /// Memory, in MiB; 0 when the driver does not say.
    pub memory_mib: u64,
    /// Its place on the bus, such as `00000000:3b:00.0`.
    pub pci: String,
}

/// The GPUs of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// The driver's version.
    pub driver: Option<String>,
    /// Each GPU that answers.
    pub gpus: Vec<Found>,
    /// What is wrong with the others.
    pub problem: Option<String>,
}

/// How busy a GPU was since the last question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Busy {
    /// With at least one kernel running, in µs.
    pub busy_us: u64,
    /// The time covered by samples, in µs.
    pub seen_us: u64,
    /// The time since the last answer that no sample covers though newer ones are there, in µs: a
    /// driver keeps some seconds of them.
    pub hole_us: u64,
    /// One sample at each end, in µs, as some of it may be of before or of later. Answers in a row
    /// share their ends: add them with [`Busy::then`].
    pub end_us: u64,
    /// How much of `seen_us` no sample tells of, but the rate of a moment within: it may have been anything.
    pub guessed_us: u64,
    /// To be handed back with the next question; says nothing else.
    pub last_seen_us: u64,
    /// Since when it tells, if the driver numbers its samples by the clock of the question.
    pub from_us: Option<u64>,
}

impl Busy {
    /// This answer and the next one as one: the ends between them are none.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self {
            busy_us: self.busy_us + next.busy_us,
            seen_us: self.seen_us + next.seen_us,
            hole_us: self.hole_us + next.hole_us,
            end_us: self.end_us.max(next.end_us),
            guessed_us: self.guessed_us + next.guessed_us,
            last_seen_us: next.last_seen_us,
            from_us: self.from_us,
        }
    }

    /// What the driver's whole percents may hide, in µs: each is rounded by half of one.
    pub fn rounded_us(&self) -> u64 {
        self.seen_us.div_ceil(200)
    }
}

/// What comes of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// The driver's answer.
    Ok(T),
    /// There is none, and why: no library, no driver, a GPU that was lost.
    Unavailable(String),
    /// The deadline passed: the driver hangs.
    Late,
}

/// The GPUs of this machine.
pub trait Gpus: Send {
    /// What there is.
    fn inventory(&self) -> Answer<Inventory>;

    /// How busy a GPU was since `since_us`: the last answer's `last_seen_us`, at first a time in µs
    /// since 1970, or 0 to begin now.
    ///
    /// A driver that numbers its samples by another clock begins now in any case.
    fn busy(&self, id: &str, since_us: u64) -> Answer<Busy>;

    /// Lets go of the driver for good: a client that just goes can leave a GPU locked.
    fn close(&self) {}
}

/// Starts the thread that speaks to the driver's library: the usual one, or that in a file.
pub fn start(library: Option<PathBuf>) -> impl Gpus + Sync + 'static {
    worker::Handle::start(driver::Library::new(library), worker::Limits::default())
}
