//! One wave on one host: upload, run, wait for health, keep or put back.
//!
//! One command does it all: it unpacks as many bytes of its input as the upload
//! has, becomes the script, and reads from the same input what it is told. A host
//! gets its next wave while it still waits for the health of the one before.

use std::path::Path;
use std::time::Duration;

use federation::names::NodeName;

use crate::apply::health::{Health, HealthError};
use crate::apply::payload::{self, Payload, payload};
use crate::apply::script::{Batch, Late};
use crate::artifacts::ArtifactError;
use crate::host::{Command, HostError, Session};
use crate::progress::{Event, Listener};

/// How long one step may take: unpacking, a package or an image, mostly.
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

/// Where a wave runs, and who is told of it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) session: &'a Session,
    pub(super) node: &'a NodeName,
    pub(super) artifacts: Option<&'a Path>,
    pub(super) listener: &'a dyn Listener,
}

/// A wave that a host was sent. It stages and validates by itself, and then waits for its turn;
/// dropped before that, it leaves nothing behind.
pub(super) struct Staged {
    script: Command,
}

impl Place<'_> {
    /// Sends the upload of a wave, and starts the script that goes on from there.
    pub(super) fn stage(&self, batch: &Batch) -> Result<Staged, WaveError> {
        let payload = payload(batch, self.artifacts)?;
        let mut script = self.session.start(&entry(&batch.stage, payload.total))?;
        self.send(&mut script, payload)?;
        Ok(Staged { script })
    }

    /// Brings a wave to its end. `meanwhile` is done once, when all files are in place and services
    /// begin to start.
    pub(super) fn run(
        &self,
        staged: Staged,
        late: &Late,
        health: &Health,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<(), WaveError> {
        let mut script = staged.script;
        self.go(&mut script, late)?;
        let mut said: Vec<String> = Vec::new();
        while let Some(line) = script.line(STEP)? {
            match line
                .strip_prefix('@')
                .map(|told| told.split_once(' ').unwrap_or((told, "")))
            {
                Some(("step", doing)) => self.step(doing),
                Some(("placed", _)) => meanwhile(),
                Some(("waiting", _)) => {
                    self.step("waiting for health");
                    if let Err(error) = health.wait(self.session, self.node) {
                        script.answer("back")?;
                        let output = script.finish("putting back", STEP)?;
                        let undone = output.stdout.lines().any(|line| line == "@undone");
                        return Err(WaveError::Unhealthy { error, undone });
                    }
                    self.step("keeping");
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

    fn go(&self, script: &mut Command, late: &Late) -> Result<(), WaveError> {
        let late = payload::late(late);
        match script.answer(&format!("go {}", late.total)) {
            Ok(()) => self.send(script, late),
            // Why nobody reads any more is in what was said.
            Err(HostError::Broken { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn send(&self, script: &mut Command, mut payload: Payload) -> Result<(), WaveError> {
        let total = payload.total;
        let mut bytes = 0;
        let mut sent = |length: usize| {
            bytes += length as u64;
            if total > 4_000_000 {
                self.listener.tell(Event::Sent {
                    node: self.node.clone(),
                    bytes,
                    total,
                });
            }
        };
        match script.feed(&mut payload, &mut sent) {
            Ok(()) | Err(HostError::Broken { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn step(&self, doing: &str) {
        self.listener.tell(Event::Step {
            node: self.node.clone(),
            doing: doing.to_owned(),
        });
    }
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

/// The command of a wave. `tar` by itself would read its input to the end, and wait there.
fn entry(stage: &str, bytes: u64) -> String {
    format!(
        "sudo -n sh -c 'exec 2>&1; umask 077; mkdir -p {stage} \
         && head -c {bytes} | tar --no-same-owner -xf - -C {stage} && exec sh {stage}/run; \
         rm -rf {stage}; echo \"@failed cannot stage the upload\"; echo @undone' 2>&1"
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_stage_is_for_root_alone() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let stage = home.join("stage/run-base");
        let batch = Batch {
            script: format!("#!/bin/sh\nstat -c %a {}\n", stage.display()),
            ..Batch::note("run")
        };
        let mut upload = payload(&batch, None).unwrap();
        let command = entry(&stage.display().to_string(), upload.total).replace("sudo -n ", "");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        std::io::copy(&mut upload, &mut shell.stdin.take().unwrap()).unwrap();
        let said = shell.wait_with_output().unwrap().stdout;
        assert_eq!(
            String::from_utf8(said).unwrap(),
            "700\n",
            "the script runs in it"
        );
        let mode = std::fs::metadata(&home).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
    }
}
