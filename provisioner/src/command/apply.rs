//! `atoll apply`: brings hosts to what the inventory says.

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;
use std::time::Instant;

use federation::names::NodeName;

use crate::apply::{Applied, Member, apply, lenders, survey};
use crate::cli::Target;
use crate::command::interrupt::stop_on_interrupt;
use crate::command::plan::Told;
use crate::command::prepared::{Prepared, again, tell_left_out};
use crate::command::{Ended, Error};
use crate::progress::{Event, Listener, complain};

pub(super) fn run(
    target: &Target,
    artifacts: Option<&Path>,
    yes: bool,
    listener: &dyn Listener,
) -> Result<Ended, Error> {
    if !yes && !confirmed(target, listener)? {
        return Ok(Ended::NotAsWanted);
    }
    let started = Instant::now();
    let mut prepared = Prepared::new(target)?;
    prepared.must_have_what_is_given()?;
    let run = prepared.run_name();
    let stop = stop_on_interrupt("stopping after this wave")?;
    listener.tell(Event::RunStarted {
        run: run.clone(),
        hosts: prepared.scope.nodes().len(),
    });
    // Whatever was made must be safe before a host holds it.
    if prepared.store.is_changed() {
        prepared.store.save()?;
    }
    let mut told = Told {
        changes: 0,
        failed: Vec::new(),
    };
    let members = members(&prepared, &run, &mut told, listener);
    let desired = prepared.desired();
    let applied = match lenders(&desired, &members, &prepared.reach(), listener) {
        Ok(lenders) => apply(
            &desired, members, &lenders, artifacts, &run, &stop, listener,
        ),
        Err(why) => Applied {
            failed: [("federation".to_owned(), why)].into(),
            ..Applied::default()
        },
    };
    tell_left_out(prepared.scope.left_out(&prepared.plan), listener);
    told.failed.extend(applied.failed);
    let stopped = applied
        .stopped
        .then(|| "stopped by the operator".to_owned());
    told.failed
        .extend(stopped.map(|why| ("run".to_owned(), why)));
    let good = told.failed.is_empty();
    let next = if good {
        let proves = prepared.proves_something();
        proves.then(|| again("verify", target))
    } else {
        Some(again("apply", target))
    };
    listener.tell(Event::RunDone {
        run,
        changes: applied.changes,
        next,
        failed: told.failed,
        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    Ok(if good {
        Ended::AsWanted
    } else {
        Ended::NotAsWanted
    })
}

/// Claims, asks and compares the hosts. Tells of those that cannot be worked on.
fn members<'a>(
    prepared: &'a Prepared,
    run: &str,
    told: &mut Told,
    listener: &dyn Listener,
) -> BTreeMap<NodeName, Member<'a>> {
    let desired = prepared.desired();
    let surveyed = survey(&desired, &prepared.reach(), Some(run), listener);
    let mut members = BTreeMap::new();
    for (node, member) in surveyed {
        match member {
            Ok(member) => {
                members.insert(node, member);
            }
            Err(_) => told.host(&node, &member, &desired, listener),
        }
    }
    members
}

/// Shows the plan and asks, when there is something to do. Without a terminal nobody can answer, so nothing is done.
fn confirmed(target: &Target, listener: &dyn Listener) -> Result<bool, Error> {
    if super::plan::run(target, false, listener)? == Ended::AsWanted {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err("nobody can be asked here; `atoll apply --yes` applies without asking".into());
    }
    complain("Apply this? [y/N]");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    let yes = answer.trim().eq_ignore_ascii_case("y");
    if !yes {
        complain("Nothing was changed.");
    }
    Ok(yes)
}
