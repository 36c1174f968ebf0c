//! `atoll verify`: proves that a site works.

use std::collections::BTreeMap;
use std::time::Instant;

use federation::names::NodeName;

use crate::apply::operator_identity;
use crate::cli::Target;
use crate::command::interrupt::stop_on_interrupt;
use crate::command::prepared::{Prepared, again};
use crate::command::{Ended, Error};
use crate::host::Session;
use crate::progress::{Event, Listener, Outcome};
use crate::verify::Verifier;

pub(super) fn run(target: &Target, keep: bool, listener: &dyn Listener) -> Result<Ended, Error> {
    let started = Instant::now();
    let prepared = Prepared::new(target)?;
    let run = prepared.run_name();
    let stop = stop_on_interrupt("stopping; the jobs of this run are purged first")?;
    listener.tell(Event::RunStarted {
        run: run.clone(),
        hosts: prepared.plan.hosts.len(),
    });
    let (sessions, mut failed) = connect(&prepared, listener);
    let verifier = Verifier {
        plan: &prepared.plan,
        store: &prepared.store,
        identity: &operator_identity(&prepared.store, prepared.now)?,
        sessions: &sessions,
        run: &run,
        stop: &stop,
        keep,
        listener,
    };
    failed.extend(verifier.verify()?);
    let good = failed.is_empty();
    listener.tell(Event::RunDone {
        run,
        changes: 0,
        next: (!good).then(|| again("plan", &target.inventory)),
        failed,
        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    Ok(if good {
        Ended::AsWanted
    } else {
        Ended::NotAsWanted
    })
}

/// Connects to all hosts at once.
fn connect(
    prepared: &Prepared,
    listener: &dyn Listener,
) -> (BTreeMap<NodeName, Session>, Vec<(String, String)>) {
    let reach = prepared.reach();
    let opened: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = prepared
            .plan
            .hosts
            .values()
            .map(|host| {
                (
                    host,
                    scope
                        .spawn(|| Session::open(&host.login, reach.credentials, reach.known_hosts)),
                )
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|(host, thread)| Some((host.node.clone(), thread.join().ok()?)))
            .collect()
    });
    let (mut sessions, mut failed) = (BTreeMap::new(), Vec::new());
    for (node, session) in opened {
        match session {
            Ok(session) => {
                sessions.insert(node, session);
            }
            Err(error) => {
                listener.tell(Event::HostDone {
                    node: node.clone(),
                    outcome: Outcome::Failed(error.to_string()),
                });
                failed.push((node.to_string(), error.to_string()));
            }
        }
    }
    (sessions, failed)
}
