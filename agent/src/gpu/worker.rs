//! The thread that speaks to the driver, and the handle of those who ask it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::gpu::busy::{add_up, from_rate};
use crate::gpu::{Answer, Busy, Gpus, Inventory};

/// Handed out as `last_seen_us` while the driver has shown no sample yet.
const BEGUN: u64 = 1;
/// A question about a time so much later than the newest sample is by another clock than the driver's, in µs.
const FAR_US: u64 = 60_000_000;

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// For an answer.
    pub(super) answer: Duration,
    /// Before a library that could not be opened is tried again.
    pub(super) again: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(5),
            again: Duration::from_mins(1),
        }
    }
}

/// Why the driver gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The library must be closed and opened again.
    Lifecycle(String),
    /// This GPU or driver cannot do that.
    NotSupported,
    /// Anything else.
    Other(String),
}

/// Opens the library.
pub(super) trait Opens: Send + 'static {
    fn open(&mut self) -> Result<Box<dyn Speaks>, String>;
}

/// An open library.
pub(super) trait Speaks {
    fn inventory(&self) -> Result<Inventory, Fault>;
    /// Samples of utilisation newer than `since`, as (time in µs, percent).
    fn samples(&self, id: &str, since: u64) -> Result<Vec<(u64, u64)>, Fault>;
    /// Utilisation of the last moment, in percent.
    fn rate(&self, id: &str) -> Result<u64, Fault>;
}

enum Question {
    Inventory(SyncSender<Result<Inventory, String>>),
    Busy(String, u64, SyncSender<Result<Busy, String>>),
    Close(SyncSender<Result<(), String>>),
}

/// Asks the thread.
pub(super) struct Handle {
    questions: Mutex<Asking>,
    answered: Arc<AtomicU64>,
    limits: Limits,
}

struct Asking {
    to: Sender<Question>,
    asked: u64,
}

impl Handle {
    pub(super) fn start(library: impl Opens, limits: Limits) -> Self {
        let (to, questions) = mpsc::channel();
        let answered = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&answered);
        // When no thread can be had, the channel is closed and every answer says so.
        let _ = std::thread::Builder::new()
            .name("gpu".to_owned())
            .spawn(move || Worker::new(library, limits).serve(&questions, &count));
        Self {
            questions: Mutex::new(Asking { to, asked: 0 }),
            answered,
            limits,
        }
    }

    fn ask<T>(
        &self,
        question: impl FnOnce(SyncSender<Result<T, String>>) -> Question,
    ) -> Answer<T> {
        let mut asking = self
            .questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.answered.load(Ordering::Acquire) < asking.asked {
            return Answer::Late;
        }
        let (reply, answer) = mpsc::sync_channel(1);
        let ended = || Answer::Unavailable("the thread that asks the GPUs has ended".to_owned());
        if asking.to.send(question(reply)).is_err() {
            return ended();
        }
        asking.asked += 1;
        match answer.recv_timeout(self.limits.answer) {
            Ok(Ok(answer)) => Answer::Ok(answer),
            Ok(Err(why)) => Answer::Unavailable(why),
            Err(RecvTimeoutError::Timeout) => Answer::Late,
            Err(RecvTimeoutError::Disconnected) => {
                // It answers nothing any more: the next one shall be told so, not that it is late.
                asking.asked = self.answered.load(Ordering::Acquire);
                ended()
            }
        }
    }
}

impl Gpus for Handle {
    fn inventory(&self) -> Answer<Inventory> {
        self.ask(Question::Inventory)
    }

    fn busy(&self, id: &str, since_us: u64) -> Answer<Busy> {
        self.ask(|reply| Question::Busy(id.to_owned(), since_us, reply))
    }

    fn close(&self) {
        // Whether it answers or hangs, there is nothing more to do.
        let _ = self.ask(Question::Close);
    }
}

/// When a GPU was last asked about, and whether a rate had to do.
#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Instant,
    by_rate: bool,
}

struct Worker<L> {
    library: L,
    limits: Limits,
    open: Option<Box<dyn Speaks>>,
    /// When it was last tried to open the library, and what came of it.
    tried: Option<(Instant, Option<String>)>,
    asked: BTreeMap<String, Asked>,
}

impl<L: Opens> Worker<L> {
    fn new(library: L, limits: Limits) -> Self {
        Self {
            library,
            limits,
            open: None,
            tried: None,
            asked: BTreeMap::new(),
        }
    }

    fn serve(mut self, questions: &Receiver<Question>, answered: &AtomicU64) {
        while let Ok(question) = questions.recv() {
            match question {
                Question::Inventory(reply) => {
                    tell(&reply, self.speak(|driver| driver.inventory()), answered);
                }
                Question::Busy(id, since, reply) => {
                    tell(&reply, self.busy(&id, since), answered);
                }
                Question::Close(reply) => {
                    self.open = None;
                    return tell(&reply, Ok(()), answered);
                }
            }
        }
    }

    /// Puts a question to the driver; after a fault of its life it is opened anew, once a while.
    fn speak<T>(&mut self, ask: impl Fn(&dyn Speaks) -> Result<T, Fault>) -> Result<T, String> {
        let fault = match ask(self.opened()?) {
            Ok(answer) => return Ok(answer),
            Err(fault) => fault,
        };
        let Fault::Lifecycle(why) = fault else {
            return Err(told(fault));
        };
        if !self.may_try() {
            return Err(why);
        }
        self.open = None;
        ask(self.reopen()?).map_err(told)
    }

    fn may_try(&self) -> bool {
        self.tried
            .as_ref()
            .is_none_or(|(at, _)| at.elapsed() >= self.limits.again)
    }

    fn opened(&mut self) -> Result<&dyn Speaks, String> {
        if self.open.is_none() {
            if let Some((_, Some(why))) = &self.tried
                && !self.may_try()
            {
                return Err(why.clone());
            }
            return self.reopen();
        }
        self.open.as_deref().ok_or_else(String::new)
    }

    fn reopen(&mut self) -> Result<&dyn Speaks, String> {
        match self.library.open() {
            Ok(driver) => {
                self.tried = Some((Instant::now(), None));
                Ok(&**self.open.insert(driver))
            }
            Err(why) => {
                self.tried = Some((Instant::now(), Some(why.clone())));
                Err(why)
            }
        }
    }

    fn busy(&mut self, id: &str, since: u64) -> Result<Busy, String> {
        let now = Instant::now();
        let before = self.asked.get(id).copied().filter(|_| since != 0);
        let elapsed = before.map_or(Duration::ZERO, |asked| now - asked.at);
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let by_rate = before.is_some_and(|asked| asked.by_rate);
        let (busy, by_rate) = self.speak(|driver| look(driver, id, since, elapsed_us, by_rate))?;
        self.asked.insert(id.to_owned(), Asked { at: now, by_rate });
        Ok(busy)
    }
}

/// Counted before it is told, so that who was told may ask at once.
fn tell<T>(reply: &SyncSender<T>, answer: T, answered: &AtomicU64) {
    answered.fetch_add(1, Ordering::AcqRel);
    let _ = reply.try_send(answer);
}

/// One look at a GPU: by its samples, or by its rate where there are none. Tells which.
fn look(
    driver: &dyn Speaks,
    id: &str,
    since: u64,
    elapsed_us: u64,
    by_rate: bool,
) -> Result<(Busy, bool), Fault> {
    let samples = |since| match driver.samples(id, since) {
        Err(Fault::NotSupported) => Ok(Vec::new()),
        other => other,
    };
    let after = if since <= BEGUN { 0 } else { since };
    let mut new = samples(after)?;
    let newest = new.iter().map(|(at, _)| *at).max();
    if since == 0 {
        let last_seen_us = newest.unwrap_or(BEGUN);
        let begun = Busy {
            last_seen_us,
            ..Busy::default()
        };
        return Ok((begun, newest.is_none()));
    }
    if let Some(newest) = newest {
        if by_rate {
            // What the rates told of is told.
            new.retain(|(at, _)| *at + elapsed_us > newest);
            let from = newest.saturating_sub(elapsed_us).max(after);
            return Ok((add_up(&new, from), false));
        }
        return Ok((add_up(&new, after), false));
    }
    if after != 0
        && let Some(newest) = samples(0)?.iter().map(|(at, _)| *at).max()
    {
        // There are samples, only no newer ones. Far older are those of another clock, or of
        // one that was set back: `since` would lie ahead of them for long.
        let far = newest.saturating_add(FAR_US) < after;
        let none = Busy {
            // What the other clock would have told nobody will tell.
            hole_us: if far { elapsed_us } else { 0 },
            last_seen_us: if far { newest } else { since },
            from_us: (!far).then_some(since),
            ..Busy::default()
        };
        return Ok((none, false));
    }
    Ok((from_rate(driver.rate(id)?, elapsed_us, since), true))
}

fn told(fault: Fault) -> String {
    match fault {
        Fault::Lifecycle(why) | Fault::Other(why) => why,
        Fault::NotSupported => "the driver does not tell that of this GPU".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Samples = Result<Vec<(u64, u64)>, Fault>;

    /// What the driver will say: one list of answers a call, and how it opens.
    #[derive(Clone, Default)]
    struct Script(Arc<Mutex<Lines>>);

    #[derive(Default)]
    struct Lines {
        opens: Vec<Result<(), String>>,
        opened: usize,
        samples: Vec<Samples>,
        rate: u64,
        /// Held by a test: the driver hangs on it.
        hang: Option<Receiver<()>>,
    }

    impl Script {
        fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
            self.0.lock().unwrap()
        }

        fn start(&self, again: Duration) -> Handle {
            let limits = Limits {
                answer: Duration::from_millis(200),
                again,
            };
            Handle::start(self.clone(), limits)
        }
    }

    impl Opens for Script {
        fn open(&mut self) -> Result<Box<dyn Speaks>, String> {
            let mut lines = self.lines();
            lines.opened += 1;
            if lines.opens.is_empty() {
                return Ok(Box::new(self.clone()));
            }
            lines.opens.remove(0)?;
            Ok(Box::new(self.clone()))
        }
    }

    impl Speaks for Script {
        fn inventory(&self) -> Result<Inventory, Fault> {
            let hang = self.lines().hang.take();
            if let Some(hang) = hang {
                let _ = hang.recv();
            }
            Ok(Inventory::default())
        }

        fn samples(&self, _: &str, _: u64) -> Samples {
            self.lines().samples.remove(0)
        }

        fn rate(&self, _: &str) -> Result<u64, Fault> {
            Ok(self.lines().rate)
        }
    }

    fn answer<T: std::fmt::Debug>(answer: Answer<T>) -> T {
        match answer {
            Answer::Ok(value) => value,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_begins_at_the_newest_sample_and_goes_on_from_there() {
        let script = Script::default();
        script.lines().samples = vec![
            Ok(vec![(800, 90), (1_000, 90)]),
            Ok(vec![(2_000, 50), (3_000, 100)]),
            Ok(vec![]),
            Ok(vec![(3_000, 100)]),
        ];
        let gpus = script.start(Duration::from_mins(1));
        let begun = answer(gpus.busy("GPU-1", 0));
        assert_eq!(
            (begun.busy_us, begun.seen_us, begun.last_seen_us),
            (0, 0, 1_000)
        );
        let busy = answer(gpus.busy("GPU-1", begun.last_seen_us));
        assert_eq!(
            (busy.busy_us, busy.seen_us, busy.last_seen_us),
            (1_500, 2_000, 3_000)
        );
        let none = answer(gpus.busy("GPU-1", busy.last_seen_us));
        assert_eq!(
            (none.busy_us, none.seen_us, none.last_seen_us),
            (0, 0, 3_000)
        );
    }

    #[test]
    fn it_begins_at_a_time_unless_the_driver_numbers_by_another_clock() {
        let script = Script::default();
        let unix_us = 1_790_000_000_000_000;
        script.lines().samples = vec![
            Ok(vec![(unix_us + 100_000, 50), (unix_us + 300_000, 100)]),
            // Numbered by its boot: nothing is newer than 1970 and 56 years.
            Ok(vec![]),
            Ok(vec![(4_000_000, 90), (5_000_000, 90)]),
            Ok(vec![(5_200_000, 50)]),
        ];
        let gpus = script.start(Duration::from_mins(1));
        let first = answer(gpus.busy("GPU-1", unix_us));
        assert_eq!((first.busy_us, first.seen_us), (250_000, 300_000));
        assert_eq!(first.last_seen_us, unix_us + 300_000);
        let begun = answer(gpus.busy("GPU-2", unix_us));
        assert_eq!((begun.seen_us, begun.last_seen_us), (0, 5_000_000));
        let next = answer(gpus.busy("GPU-2", begun.last_seen_us));
        assert_eq!((next.busy_us, next.seen_us), (100_000, 200_000));
    }

    #[test]
    fn a_rate_has_to_do_where_there_are_no_samples_and_is_not_counted_twice() {
        let script = Script::default();
        script.lines().rate = 100;
        script.lines().samples = vec![
            Err(Fault::NotSupported),
            Ok(vec![]),
            Ok(vec![(1, 100), (1_000_000_000, 100), (9_000_000_000, 100)]),
        ];
        let gpus = script.start(Duration::from_mins(1));
        let begun = answer(gpus.busy("GPU-1", 0));
        assert_eq!(begun.last_seen_us, BEGUN);
        let busy = answer(gpus.busy("GPU-1", begun.last_seen_us));
        assert_eq!(busy.busy_us, busy.seen_us);
        assert_eq!(busy.guessed_us, busy.seen_us);
        let after = answer(gpus.busy("GPU-1", busy.last_seen_us));
        assert!(after.seen_us < 1_000_000, "{after:?}");
        assert_eq!(after.last_seen_us, 9_000_000_000);
    }

    #[test]
    fn a_hanging_driver_is_late_and_left_alone_until_it_answers() {
        let script = Script::default();
        let (free, hang) = mpsc::channel();
        script.lines().hang = Some(hang);
        let gpus = script.start(Duration::from_mins(1));
        assert_eq!(gpus.inventory(), Answer::Late);
        let asked = Instant::now();
        assert_eq!(gpus.inventory(), Answer::Late);
        assert!(
            asked.elapsed() < Duration::from_millis(150),
            "it waited again"
        );
        free.send(()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while gpus.inventory() == Answer::Late {
            assert!(Instant::now() < deadline, "it never came back");
            std::thread::yield_now();
        }
        assert_eq!(gpus.inventory(), Answer::Ok(Inventory::default()));
    }

    #[test]
    fn a_missing_library_is_tried_again_only_after_a_while() {
        let script = Script::default();
        script.lines().opens = vec![Err("none".to_owned()), Ok(())];
        let gpus = script.start(Duration::from_hours(1));
        for _ in 0..3 {
            assert_eq!(gpus.inventory(), Answer::Unavailable("none".to_owned()));
        }
        assert_eq!(script.lines().opened, 1);
        let script = Script::default();
        script.lines().opens = vec![Err("none".to_owned()), Ok(())];
        let gpus = script.start(Duration::ZERO);
        assert_eq!(gpus.inventory(), Answer::Unavailable("none".to_owned()));
        assert_eq!(gpus.inventory(), Answer::Ok(Inventory::default()));
    }

    #[test]
    fn a_lost_gpu_has_the_library_opened_anew_but_not_at_every_question() {
        let lost = || Err(Fault::Lifecycle("lost".to_owned()));
        let script = Script::default();
        script.lines().samples = vec![lost(), Ok(vec![(5, 1)]), lost(), lost(), lost()];
        let gpus = script.start(Duration::ZERO);
        assert_eq!(answer(gpus.busy("GPU-1", 0)).last_seen_us, 5);
        assert_eq!(script.lines().opened, 2);
        let slow = script.start(Duration::from_hours(1));
        for _ in 0..3 {
            assert_eq!(
                slow.busy("GPU-1", 5),
                Answer::Unavailable("lost".to_owned())
            );
        }
        assert_eq!(script.lines().opened, 3, "once by the second thread");
        assert_eq!(slow.inventory(), Answer::Ok(Inventory::default()));
    }
}
