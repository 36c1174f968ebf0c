//! A probe on each client; a node that runs it becomes `ready` for users' jobs.

use std::collections::BTreeMap;
use std::time::Duration;

use federation::nomad;

use crate::host::Endpoint;

use crate::plan::HostPlan;
use crate::progress::Event;
use crate::verify::{Answer, Told, Verifier, jobs, wait::wait};

/// How long a probe may take, from its registration to its end.
const LIMIT: Duration = Duration::from_mins(1);

impl Verifier<'_> {
    /// Starts all probes, waits for each, purges each, and sets the nodes' status.
    pub(super) fn probes(
        &self,
        told: &mut Told,
        nomad: &Endpoint,
        nodes: &BTreeMap<String, nomad::NodeStub>,
    ) {
        let mut started = Vec::new();
        let chosen = |host: &HostPlan| self.chosen.contains(&host.node);
        for (host, _) in self.workers().filter(|(host, _)| chosen(host)) {
            let Some(node) = nodes.get(host.node.as_str()) else {
                continue;
            };
            self.listener.tell(Event::Step {
                node: host.node.clone(),
                doing: "running a probe".to_owned(),
            });
            let id = format!("atoll-probe-{}-{}", host.node, self.run);
            let job = jobs::probe(&id, &node.id, &self.plan.services.probe_image);
            started.push((
                host,
                node,
                nomad.ask(&nomad::register_job("default", &job)),
                id,
            ));
        }
        for (host, node, registered, id) in started {
            let answer = registered
                .map_err(|error| error.to_string())
                .and_then(|_| self.ended(nomad, &id));
            let _ = nomad.ask(&nomad::purge_job(&id, "default"));
            let answer = answer.and_then(|seen| {
                status(nomad, node, !told.broken.contains(host.node.as_str()))
                    .map(|status| format!("{seen}, {status}"))
            });
            if answer.is_err() {
                let _ = status(nomad, node, false);
            }
            told.tell("probe", host.node.as_str(), answer);
        }
    }

    fn ended(&self, nomad: &Endpoint, id: &str) -> Answer {
        wait(LIMIT, self.stop, || {
            let allocations = nomad
                .ask(&nomad::allocations(id, "default"))
                .map_err(|error| error.to_string())?;
            let states: Vec<&str> = allocations
                .iter()
                .map(|allocation| allocation.client_status.as_str())
                .collect();
            match states.as_slice() {
                ["complete", ..] => Ok("it ran".to_owned()),
                [] => Err(not_placed(nomad, id, "default")),
                _ => Err(format!(
                    "it is {}: {}",
                    states.join(", "),
                    last_event(&allocations)
                )),
            }
        })
    }
}

/// Sets what users' jobs look for, and when it was last proved.
fn status(nomad: &Endpoint, node: &nomad::NodeStub, good: bool) -> Answer {
    let status = if good { "ready" } else { "error" };
    let tested = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let meta: BTreeMap<&str, &str> = [("status", status), ("last_tested", tested.as_str())].into();
    nomad
        .ask(&nomad::put_metadata(&node.id, &meta))
        .map_err(|error| format!("cannot set meta.status: {error}"))?;
    Ok(format!("meta.status is {status}"))
}

/// Why the scheduler has not placed a job.
pub(super) fn not_placed(nomad: &Endpoint, id: &str, namespace: &str) -> String {
    let evaluations = nomad
        .ask(&nomad::evaluations(id, namespace))
        .unwrap_or_default();
    let failed = evaluations
        .iter()
        .filter_map(|evaluation| evaluation.failed.as_ref())
        .flat_map(BTreeMap::values)
        .next();
    let part = |key: &str| {
        failed
            .and_then(|metric| metric.get(key))
            .filter(|value| !value.is_null())
            .map(|value| format!(" {key} {value}"))
    };
    let why: String = ["ConstraintFiltered", "ClassFiltered", "DimensionExhausted"]
        .into_iter()
        .filter_map(part)
        .collect();
    if why.is_empty() {
        "Nomad has not placed it".to_owned()
    } else {
        format!("Nomad cannot place it:{why}")
    }
}

/// What last happened to a job's tasks.
pub(super) fn last_event(allocations: &[nomad::Allocation]) -> String {
    let tasks = allocations
        .iter()
        .filter_map(|allocation| allocation.task_states.as_ref())
        .flat_map(BTreeMap::values);
    tasks
        .filter_map(|task| task.events.last())
        .map(|event| event.display_message.clone())
        .next_back()
        .unwrap_or_default()
}
