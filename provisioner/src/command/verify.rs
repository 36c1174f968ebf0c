//! `atoll verify`: proves that a site works.

use std::collections::BTreeMap;
use std::time::Instant;

use federation::names::NodeName;

use crate::apply::operator_identity;
use crate::cli::Target;
use crate::command::interrupt::stop_on_interrupt;
use crate::command::prepared::{Prepared, again, tell_left_out};
use crate::command::{Ended, Error};
use crate::host::Session;
use crate::plan::HostPlan;
use crate::progress::{Event, Listener, Outcome};
use crate::verify::Verifier;

pub(super) fn run(target: &Target, keep: bool, listener: &dyn Listener) -> Result<Ended, Error> {
    let started = Instant::now();
    let prepared = Prepared::new(target)?;
    has_something_to_prove(&prepared)?;
    let run = prepared.run_name();
    let stop = stop_on_interrupt("stopping; the jobs of this run are purged first")?;
    listener.tell(Event::RunStarted {
        run: run.clone(),
        hosts: prepared.scope.nodes().len(),
    });
    let (sessions, unreached) = connect(&prepared, listener);
    let mut failed: Vec<(String, String)> = unreached
        .into_iter()
        .map(|(node, why)| (node.to_string(), why))
        .collect();
    let verifier = Verifier {
        plan: &prepared.plan,
        chosen: prepared.scope.nodes(),
        store: &prepared.store,
        identity: &operator_identity(&prepared.store, prepared.now)?,
        sessions: &sessions,
        run: &run,
        stop: &stop,
        keep,
        listener,
    };
    failed.extend(verifier.verify()?);
    tell_left_out(prepared.scope.not_proved(&prepared.plan), listener);
    let good = failed.is_empty();
    listener.tell(Event::RunDone {
        run,
        changes: 0,
        next: (!good).then(|| again("plan", target)),
        failed,
        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    Ok(if good {
        Ended::AsWanted
    } else {
        Ended::NotAsWanted
    })
}

/// Servers are proved by what others reach through them; on them alone, all would be well unseen.
fn has_something_to_prove(prepared: &Prepared) -> Result<(), Error> {
    if prepared.proves_something() {
        return Ok(());
    }
    Err("there is nothing to prove on servers alone: \
         choose clients or gateways that use them, such as --on @client"
        .into())
}

/// Who could not be reached, and why.
type Unreached = (NodeName, String);

/// Sessions by node, and who could not be reached.
type Connected = (BTreeMap<NodeName, Session>, Vec<Unreached>);

/// Connects to the chosen hosts at once; and, where no Nomad server is among them, to the first
/// other one that can be reached.
fn connect(prepared: &Prepared, listener: &dyn Listener) -> Connected {
    let (plan, nodes) = (&prepared.plan, prepared.scope.nodes());
    let (chosen, others): (Vec<_>, Vec<_>) = plan
        .hosts
        .values()
        .partition(|host| nodes.contains(&host.node));
    let (mut sessions, mut failed) = open(prepared, chosen);
    tell_failed(&failed, listener);
    let is_server = |host: &&HostPlan| host.agents.nomad_server;
    let mut hosts = plan.hosts.values().filter(is_server);
    if hosts.any(|host| sessions.contains_key(&host.node)) {
        return (sessions, failed);
    }
    // One that is not chosen and does not answer is no failure while another one does.
    let mut whys = Vec::new();
    let reached_itself = |host: &&HostPlan| host.login.jump.is_empty();
    for server in others.into_iter().filter(is_server).filter(reached_itself) {
        let (session, why) = open(prepared, vec![server]);
        sessions.extend(session);
        if sessions.contains_key(&server.node) {
            return (sessions, failed);
        }
        whys.extend(why);
    }
    tell_failed(&whys, listener);
    failed.extend(whys);
    (sessions, failed)
}

fn tell_failed(failed: &[Unreached], listener: &dyn Listener) {
    for (node, why) in failed {
        listener.tell(Event::HostDone {
            node: node.clone(),
            outcome: Outcome::Failed(why.clone()),
        });
    }
}

fn open(prepared: &Prepared, hosts: Vec<&HostPlan>) -> Connected {
    let reach = prepared.reach();
    let opened: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = hosts
            .into_iter()
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
            Err(error) => failed.push((node, error.to_string())),
        }
    }
    (sessions, failed)
}
