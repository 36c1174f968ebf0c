//! Follows Nomad: a thread keeps the newest list of this node's allocations.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use federation::usage::Moment;

use crate::clock::Clock;
use crate::nomad::{Allocation, Nomad, NomadError};
use crate::settings;

/// How long Nomad may keep a question open when nothing changes.
const WAIT: Duration = Duration::from_secs(30);
/// The shortest time between two questions.
const BREATH: Duration = Duration::from_millis(200);
/// The longest pause after failures.
const LONGEST: Duration = Duration::from_secs(30);

/// What Nomad has told.
#[derive(Debug, Clone, Default)]
pub struct Followed {
    /// Nomad's ID of this node.
    pub node_id: Option<String>,
    /// When it was last heard; before that it said nothing.
    pub heard: Option<Moment>,
    /// The allocations of this node.
    pub allocations: Arc<Vec<Allocation>>,
    /// Why it does not answer, if it does not.
    pub problem: Option<String>,
}

/// Keeps `followed` as new as Nomad's answers are; never ends.
pub(crate) fn follow(
    settings: &settings::Nomad,
    clock: &dyn Clock,
    followed: &Mutex<Followed>,
) -> ! {
    let mut failures = 0_u32;
    loop {
        let Err(error) = listen(settings, clock, followed, &mut failures);
        if failures == 0 {
            tracing::warn!("{error}; metering goes on without Nomad, and it is asked again");
        }
        {
            let mut known = followed.lock().unwrap_or_else(PoisonError::into_inner);
            known.problem = Some(error.to_string());
        }
        let pause = Duration::from_secs(1 << failures.min(5)).min(LONGEST);
        failures = failures.saturating_add(1);
        thread::sleep(pause);
    }
}

/// Asks again and again, until there is no answer. Afterwards the node may be another one.
fn listen(
    settings: &settings::Nomad,
    clock: &dyn Clock,
    followed: &Mutex<Followed>,
    failures: &mut u32,
) -> Result<Infallible, NomadError> {
    // Token and certificates may have been renewed since the last time.
    let nomad = Nomad::new(settings, clock.shift_us())?;
    let node_id = nomad.node()?.id;
    let mut index = 0;
    loop {
        let (next, allocations) = nomad.allocations(&node_id, index, WAIT)?;
        if std::mem::take(failures) > 0 {
            tracing::info!("Nomad answers again");
        }
        index = next;
        {
            let mut known = followed.lock().unwrap_or_else(PoisonError::into_inner);
            *known = Followed {
                node_id: Some(node_id.clone()),
                heard: Some(clock.now()),
                allocations: Arc::new(allocations),
                problem: None,
            };
        }
        thread::sleep(BREATH);
    }
}
