//! Follows Nomad: two threads keep the newest word of this node's allocations.
//!
//! One asks for the list, again and again. But an allocation that ends and is
//! collected by the servers at once may be in none of its answers, or in none as
//! one that is over. So the other asks the servers' memory of changes for those
//! that somebody is in doubt about: the meter, which has seen something of them
//! in the kernel, and the list, from which they have vanished. Nobody in doubt
//! costs nothing. What began and was forgotten before the agent was there nobody has
//! seen: so it asks once for all that the list does not have.

mod known;

use std::convert::Infallible;
use std::thread;
use std::time::Duration;

use crate::clock::Clock;
use crate::nomad::{Nomad, NomadError, Whom};
use crate::settings;

pub use known::{Followed, Known, Shared};

/// How long Nomad may keep a question open when nothing changes.
const WAIT: Duration = Duration::from_secs(30);
/// The shortest time between two questions.
const BREATH: Duration = Duration::from_millis(200);
/// The longest pause after failures.
const LONGEST: Duration = Duration::from_secs(30);
/// How long the servers are listened to for those that are in doubt: who is in doubt since then waits
/// for the next time.
const LISTEN: Duration = Duration::from_millis(400);

/// Keeps the list as new as Nomad's answers are; never ends.
pub(crate) fn follow(settings: &settings::Nomad, clock: &dyn Clock, shared: &Shared) -> ! {
    let mut failures = 0_u32;
    loop {
        let Err(error) = list(settings, clock, shared, &mut failures);
        if failures == 0 {
            tracing::warn!("{error}; metering goes on without Nomad, and it is asked again");
        }
        shared.fail(error.to_string());
        pause(&mut failures);
    }
}

/// Asks the servers' memory for whatever is in doubt; never ends.
pub(crate) fn recall(settings: &settings::Nomad, clock: &dyn Clock, shared: &Shared) -> ! {
    let (mut failures, mut all_told) = (0_u32, true);
    loop {
        let Err(error) = listen(settings, clock, shared, &mut failures, &mut all_told);
        if failures == 0 {
            tracing::warn!("{error}; allocations that end at once may not be named meanwhile");
        }
        pause(&mut failures);
    }
}

fn pause(failures: &mut u32) {
    let pause = Duration::from_secs(1 << (*failures).min(5)).min(LONGEST);
    *failures = failures.saturating_add(1);
    thread::sleep(pause);
}

/// Asks again and again, until there is no answer. Afterwards the node may be another one.
fn list(
    settings: &settings::Nomad,
    clock: &dyn Clock,
    shared: &Shared,
    failures: &mut u32,
) -> Result<Infallible, NomadError> {
    // Token and certificates may have been renewed since the last time.
    let nomad = Nomad::new(settings, clock.shift_us())?;
    let node = nomad.node()?;
    let mut index = 0;
    loop {
        let (next, allocations) = nomad.allocations(&node.id, index, WAIT)?;
        if std::mem::take(failures) > 0 {
            tracing::info!("Nomad answers again");
        }
        index = next;
        shared.change(|known| known.list(&node, allocations, clock.now()));
        thread::sleep(BREATH);
    }
}

fn listen(
    settings: &settings::Nomad,
    clock: &dyn Clock,
    shared: &Shared,
    failures: &mut u32,
    all_told: &mut bool,
) -> Result<Infallible, NomadError> {
    let mut nomad: Option<Nomad> = None;
    loop {
        let question = shared.wait_for_doubt(clock);
        let asked = match nomad.take() {
            Some(nomad) => nomad,
            None => Nomad::new(settings, clock.shift_us())?,
        };
        let (told, answer) = asked.recall(&question, LISTEN);
        let whole = answer.is_ok();
        shared.change(|known| known.answer(&question, told, whole, clock.now()));
        match (answer, &question.whom) {
            (Ok(()), whom) => {
                *all_told |= *whom == Whom::Unlisted;
                nomad = Some(asked);
                if std::mem::take(failures) > 0 {
                    tracing::info!("Nomad's servers tell of allocations again");
                }
            }
            // It is put off, and nobody who is in doubt waits for it.
            (Err(error), Whom::Unlisted) if std::mem::take(all_told) => {
                tracing::warn!("{error}; who began and ended unseen is asked for again");
            }
            (Err(_), Whom::Unlisted) => {}
            (Err(error), Whom::Ids(_)) => return Err(error),
        }
        thread::sleep(BREATH);
    }
}
