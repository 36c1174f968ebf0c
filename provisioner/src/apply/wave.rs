//! One wave on one host: upload, run, wait for health, keep or put back.

use std::path::Path;
use std::time::Duration;

use federation::names::NodeName;

use crate::apply::health::{Health, HealthError};
use crate::apply::payload::payload;
use crate::apply::script::Batch;
use crate::artifacts::ArtifactError;
use crate::host::{HostError, Session};
use crate::progress::{Event, Listener};

/// How long a host may take to unpack what was sent.
const UNPACK: Duration = Duration::from_mins(5);
/// How long one step of a script may take: a package or an image, mostly.
const STEP: Duration = Duration::from_mins(5);

/// Why a wave failed on a host.
#[derive(Debug, thiserror::Error)]
pub(super) enum WaveError {
    /// The host is gone.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Something to be sent is not what was pinned.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The upload was refused.
    #[error("cannot stage the upload on the host: {reason}")]
    Stage {
        /// What the host said.
        reason: String,
    },
    /// The script failed; everything it did was put back.
    #[error("{reason}{}", told(*undone))]
    Script {
        /// What it said, with the output of what failed.
        reason: String,
        /// Whether it said that all was put back.
        undone: bool,
    },
    /// What was restarted does not become healthy; everything was put back.
    #[error("{error}{}", told(*undone))]
    Unhealthy {
        /// What was waited for.
        error: HealthError,
        /// Whether the host said that all was put back.
        undone: bool,
    },
}

fn told(undone: bool) -> &'static str {
    if undone {
        "; its files and services were put back"
    } else {
        "; the host did not say whether it put everything back"
    }
}

/// Runs one wave on one host to its end.
pub(super) fn run_wave(
    session: &Session,
    node: &NodeName,
    batch: &Batch,
    artifacts: Option<&Path>,
    health: &Health,
    listener: &dyn Listener,
) -> Result<(), WaveError> {
    upload(session, node, batch, artifacts, listener)?;
    let mut script = session.start(&format!("sudo -n sh {}/run", batch.stage))?;
    let mut said: Vec<String> = Vec::new();
    while let Some(line) = script.line(STEP)? {
        match line
            .strip_prefix('@')
            .map(|told| told.split_once(' ').unwrap_or((told, "")))
        {
            Some(("step", doing)) => listener.tell(Event::Step {
                node: node.clone(),
                doing: doing.to_owned(),
            }),
            Some(("waiting", _)) => {
                listener.tell(Event::Step {
                    node: node.clone(),
                    doing: "waiting for health".to_owned(),
                });
                if let Err(error) = health.wait(session, node) {
                    script.answer("back")?;
                    let output = script.finish("putting back", STEP)?;
                    let undone = output.stdout.lines().any(|line| line == "@undone");
                    return Err(WaveError::Unhealthy { error, undone });
                }
                script.answer("keep")?;
            }
            Some(("kept", _)) => return Ok(()),
            Some(("failed", why)) => said.push(why.to_owned()),
            Some(("undone", _)) => return Err(failure(said, true)),
            _ => said.push(line),
        }
    }
    Err(failure(said, false))
}

/// The last things a script said, the reason first.
fn failure(mut said: Vec<String>, undone: bool) -> WaveError {
    let reason = said
        .pop()
        .unwrap_or_else(|| "the script ended without a word".to_owned());
    let from = said.len().saturating_sub(8);
    let output = said.get(from..).unwrap_or_default();
    let told: Vec<&str> = std::iter::once(reason.as_str())
        .chain(output.iter().map(String::as_str))
        .collect();
    let reason = told.join("\n      ");
    WaveError::Script { reason, undone }
}

fn upload(
    session: &Session,
    node: &NodeName,
    batch: &Batch,
    artifacts: Option<&Path>,
    listener: &dyn Listener,
) -> Result<(), WaveError> {
    let mut payload = payload(batch, artifacts)?;
    let total = payload.total;
    let mut bytes = 0;
    let mut sent = |length: usize| {
        bytes += length as u64;
        if total > 4_000_000 {
            listener.tell(Event::Sent {
                node: node.clone(),
                bytes,
                total,
            });
        }
    };
    let unpack = format!(
        "sudo -n sh -c 'umask 077 && mkdir -p {0} && tar --no-same-owner -xf - -C {0}'",
        batch.stage
    );
    let output = session.send(&unpack, &mut payload, UNPACK, &mut sent)?;
    if output.status != 0 {
        return Err(WaveError::Stage {
            reason: output.stderr.trim().to_owned(),
        });
    }
    Ok(())
}
