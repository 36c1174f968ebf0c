//! Asks every host at once what it has, and compares it with what it should have.

use std::collections::BTreeMap;
use std::time::Duration;

use federation::names::NodeName;
use jiff::Timestamp;

use crate::apply::changes::{Change, changes};
use crate::apply::claim::{Claim, ClaimError, claim};
use crate::apply::facts::{Facts, FactsError, read, script};
use crate::apply::scope::Scope;
use crate::apply::steps::Steps;
use crate::apply::wanted::{Wanted, WantedError, query, wanted};
use crate::artifacts::Lock;
use crate::host::{Credentials, HostError, KnownHosts, Session};
use crate::plan::{HostPlan, Plan};
use crate::progress::{Event, Listener};
use crate::render::Rendered;
use crate::secrets::Store;

/// How long a host may take to say what it has.
const FACTS: Duration = Duration::from_mins(1);

/// What is wanted of all hosts, and what it takes to make it concrete.
pub struct Desired<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The part of it that the run is about.
    pub scope: &'a Scope,
    /// Its files.
    pub rendered: &'a Rendered,
    /// The operator's secrets.
    pub store: &'a Store,
    /// The pinned artifacts.
    pub lock: &'a Lock,
    /// The time, for certificates.
    pub now: Timestamp,
    /// Whether to compare also what is usually trusted.
    pub deep: bool,
}

/// How hosts are reached.
pub struct Reach<'a> {
    /// What the operator shows.
    pub credentials: &'a Credentials,
    /// What hosts must show.
    pub known_hosts: &'a KnownHosts,
}

/// A host, reached and compared.
pub struct Member<'a> {
    /// Its plan.
    pub plan: &'a HostPlan,
    /// The connection.
    pub session: Session,
    /// What it has.
    pub facts: Facts,
    /// What it should have.
    pub wanted: Wanted,
    /// The difference.
    pub changes: Vec<Change>,
    /// Its word that nobody else changes it, if it was asked for.
    _claim: Option<Claim>,
}

/// Why a host could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// It could not be reached.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Its answer cannot be used.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// It cannot be said what it should have.
    #[error(transparent)]
    Wanted(#[from] WantedError),
    /// It has a version after which the wanted one may not come.
    #[error(transparent)]
    Steps(#[from] Steps),
    /// It is being worked on.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The account may not become root.
    #[error("{user} cannot use sudo without a password on {address}: {reason}")]
    Sudo {
        /// Account.
        user: String,
        /// Host.
        address: String,
        /// What sudo said.
        reason: String,
    },
}

/// Asks the hosts of a run's scope and compares, one thread a host.
///
/// Hosts are claimed for the run in `claim_for`, before they are asked.
pub fn survey<'a>(
    desired: &Desired<'a>,
    reach: &Reach,
    claim_for: Option<&str>,
    listener: &dyn Listener,
) -> BTreeMap<NodeName, Result<Member<'a>, SurveyError>> {
    let nodes = desired.scope.nodes().iter();
    let hosts: Vec<&'a HostPlan> = nodes
        .filter_map(|node| desired.plan.hosts.get(node))
        .collect();
    std::thread::scope(|scope| {
        let threads: Vec<_> = hosts
            .into_iter()
            .map(|host| {
                (
                    host,
                    scope.spawn(move || member(desired, host, reach, claim_for, listener)),
                )
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|(host, thread)| Some((host.node.clone(), thread.join().ok()?)))
            .collect()
    })
}

fn member<'a>(
    desired: &Desired<'a>,
    host: &'a HostPlan,
    reach: &Reach,
    claim_for: Option<&str>,
    listener: &dyn Listener,
) -> Result<Member<'a>, SurveyError> {
    let files = desired
        .rendered
        .hosts
        .get(&host.node)
        .map_or(&[][..], Vec::as_slice);
    listener.tell(Event::Step {
        node: host.node.clone(),
        doing: "connecting".to_owned(),
    });
    let session = Session::open(&host.login, reach.credentials, reach.known_hosts)?;
    listener.tell(Event::Step {
        node: host.node.clone(),
        doing: "comparing".to_owned(),
    });
    let question = script(&query(host, files, desired.deep));
    let (claim, facts) = match claim_for {
        Some(run) => {
            let (claim, answer) =
                claim(&session, run, &question).map_err(|error| no_root(error, host))?;
            (Some(claim), read(&answer)?)
        }
        None => (None, ask(&session, host, &question)?),
    };
    let wanted = wanted(
        host,
        files,
        desired.store,
        desired.lock,
        &facts,
        desired.now,
    )?;
    let changes = changes(&wanted, &facts)?;
    Ok(Member {
        plan: host,
        session,
        facts,
        wanted,
        changes,
        _claim: claim,
    })
}

fn ask(session: &Session, host: &HostPlan, script: &str) -> Result<Facts, SurveyError> {
    let output = session.run("sudo -n sh -s", script, FACTS)?;
    if output.stdout.is_empty() && !output.stderr.is_empty() {
        return Err(sudo(host, output.stderr.trim()));
    }
    Ok(read(&output.stdout)?)
}

/// A claim is the first thing that needs root, when it is made at all.
fn no_root(error: ClaimError, host: &HostPlan) -> SurveyError {
    match error {
        ClaimError::Answer { reason } if reason.starts_with("sudo:") => sudo(host, &reason),
        other => other.into(),
    }
}

fn sudo(host: &HostPlan, reason: &str) -> SurveyError {
    SurveyError::Sudo {
        user: host.login.user.clone(),
        address: host.login.address.to_string(),
        reason: reason.to_owned(),
    }
}

impl Member<'_> {
    /// Asks the host again, and compares anew.
    ///
    /// # Errors
    /// As for the first time.
    pub fn refresh(&mut self, desired: &Desired) -> Result<(), SurveyError> {
        let files = desired
            .rendered
            .hosts
            .get(&self.plan.node)
            .map_or(&[][..], Vec::as_slice);
        self.facts = ask(
            &self.session,
            self.plan,
            &script(&query(self.plan, files, desired.deep)),
        )?;
        self.wanted = wanted(
            self.plan,
            files,
            desired.store,
            desired.lock,
            &self.facts,
            desired.now,
        )?;
        self.changes = changes(&self.wanted, &self.facts)?;
        Ok(())
    }
}
