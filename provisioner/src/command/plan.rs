//! `atoll plan`: what an apply would change, and what each change costs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use federation::names::NodeName;

use crate::apply::{Change, Desired, Member, SurveyError, batch, diff, survey};
use crate::cli::Target;
use crate::command::prepared::{Prepared, again, tell_left_out};
use crate::command::{Ended, Error};
use crate::plan::Wave;
use crate::progress::{Event, Listener, Outcome, complain, show};

pub(super) fn run(target: &Target, script: bool, listener: &dyn Listener) -> Result<Ended, Error> {
    let started = Instant::now();
    let prepared = Prepared::new(target)?;
    for unfit in prepared.unfit() {
        complain(&format!("warning: {unfit}; apply will refuse it"));
    }
    let desired = prepared.desired();
    let surveyed = survey(&desired, &prepared.reach(), None, listener);
    if script {
        return Ok(scripts(&surveyed));
    }
    let mut told = Told {
        changes: 0,
        failed: Vec::new(),
    };
    for (node, member) in &surveyed {
        told.host(node, member, &desired, listener);
    }
    told.federation(&surveyed, &desired, listener);
    tell_left_out(prepared.scope.left_out(&prepared.plan), listener);
    let converged = told.changes == 0 && told.failed.is_empty();
    listener.tell(Event::RunDone {
        run: "plan".to_owned(),
        changes: told.changes,
        next: if converged {
            None
        } else {
            Some(again(
                if told.failed.is_empty() {
                    "apply"
                } else {
                    "plan"
                },
                target,
            ))
        },
        failed: told.failed,
        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    Ok(if converged {
        Ended::AsWanted
    } else {
        Ended::NotAsWanted
    })
}

/// What has been told so far.
pub(super) struct Told {
    pub(super) changes: usize,
    pub(super) failed: Vec<(String, String)>,
}

impl Told {
    /// Tells the changes of one host.
    pub(super) fn host(
        &mut self,
        node: &NodeName,
        member: &Result<Member, SurveyError>,
        desired: &Desired,
        listener: &dyn Listener,
    ) {
        let outcome = match member {
            Err(error) => {
                self.failed.push((node.to_string(), error.to_string()));
                Outcome::Failed(error.to_string())
            }
            Ok(member) if member.changes.is_empty() => Outcome::Converged,
            Ok(member) => {
                let texts = present(member);
                for change in &member.changes {
                    listener.tell(told(node, member, change, desired, &texts));
                }
                self.changes += member.changes.len();
                Outcome::Pending(member.changes.len())
            }
        };
        listener.tell(Event::HostDone {
            node: node.clone(),
            outcome,
        });
    }

    /// Tells whether what the run would set through the APIs is as wanted.
    pub(super) fn federation(
        &mut self,
        surveyed: &BTreeMap<NodeName, Result<Member, SurveyError>>,
        desired: &Desired,
        listener: &dyn Listener,
    ) {
        let keeper = desired.plan.keeper().and_then(|node| surveyed.get(node));
        let keeper = keeper.and_then(|member| member.as_ref().ok());
        let is_done =
            keeper.is_some_and(|member| desired.scope.is_done(&member.facts.manifest, desired.now));
        if desired.scope.sets_shared() && !is_done {
            self.changes += 1;
            listener.tell(Event::Federation {
                doing: "ACLs, namespaces and gateways differ from what was last set".to_owned(),
            });
        }
    }
}

fn told(
    node: &NodeName,
    member: &Member,
    change: &Change,
    desired: &Desired,
    texts: &BTreeMap<String, String>,
) -> Event {
    let path = change.what.path();
    let file = path.and_then(|path| member.wanted.files.iter().find(|file| file.path == path));
    Event::Change {
        node: node.clone(),
        wave: change.wave,
        what: change.what.to_string(),
        effect: change.effect.to_string(),
        diff: file.and_then(|file| {
            diff(
                file,
                texts.get(&file.path).map(String::as_str),
                desired.store,
            )
        }),
    }
}

/// The present texts of files that will be replaced. Asked only when something differs.
fn present(member: &Member) -> BTreeMap<String, String> {
    let replaced = member
        .changes
        .iter()
        .filter_map(|change| change.what.replaces());
    let mut texts = BTreeMap::new();
    for path in replaced {
        let answer =
            member
                .session
                .run(&format!("sudo -n cat {path}"), "", Duration::from_secs(30));
        if let Ok(output) = answer {
            texts.insert(path.to_owned(), output.stdout);
        }
    }
    texts
}

/// Prints the scripts that would run, host by host and wave by wave.
fn scripts(surveyed: &BTreeMap<NodeName, Result<Member, SurveyError>>) -> Ended {
    let mut converged = true;
    for (node, member) in surveyed {
        let Ok(member) = member else {
            converged = false;
            continue;
        };
        for wave in Wave::ALL {
            if let Some(batch) = batch(
                "preview",
                wave,
                &member.changes,
                &member.wanted,
                &member.facts,
            ) {
                converged = false;
                show(&format!("# {node}, wave {wave}\n{}\n", batch.script));
            }
        }
    }
    if converged {
        Ended::AsWanted
    } else {
        Ended::NotAsWanted
    }
}
