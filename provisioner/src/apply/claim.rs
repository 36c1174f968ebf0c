//! Only one run works on a host at a time, from its first look to its last.

use std::time::Duration;

use crate::apply::facts::quote;
use crate::host::{Command, HostError, Session};

/// Where a host notes whose it is. It is gone after a reboot, as is every run.
const LOCK: &str = "/run/atoll.lock";
/// How long a host may take to answer.
const ANSWER: Duration = Duration::from_mins(1);
/// What follows the answer to the question.
const END: &str = "@answered";

/// A host's word that no other run works on it, until this is dropped or the connection ends.
pub struct Claim {
    _holder: Command,
}

/// Why a host cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The host is gone.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Another run has it.
    #[error(
        "another run is at work there ({holder}); wait for its end, or, if its operator is gone, \
         end that process on the host"
    )]
    Held {
        /// What the other run says of itself.
        holder: String,
    },
    /// The host gives no answer that makes sense: sudo, mostly.
    #[error("cannot lock {LOCK}: {reason}")]
    Answer {
        /// What it said.
        reason: String,
    },
}

/// Claims a host for a run, and asks it something in the same breath.
///
/// # Errors
/// When another run has it, or it cannot be asked.
pub(super) fn claim(
    session: &Session,
    run: &str,
    question: &str,
) -> Result<(Claim, String), ClaimError> {
    let mut holder = session.start(&command(run, question.len()))?;
    match holder.feed(&mut question.as_bytes(), &mut |_| ()) {
        // Why nobody reads is in what was said.
        Ok(()) | Err(HostError::Broken { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let said = holder.line(ANSWER)?.unwrap_or_default();
    match said.split_once(' ').unwrap_or((&said, "")) {
        ("@held", _) => {}
        ("@refused", by) => {
            return Err(ClaimError::Held {
                holder: by.to_owned(),
            });
        }
        _ => return Err(ClaimError::Answer { reason: said }),
    }
    let mut answer = String::new();
    while let Some(line) = holder.line(ANSWER)? {
        if line == END {
            break;
        }
        answer.push_str(&line);
        answer.push('\n');
    }
    Ok((Claim { _holder: holder }, answer))
}

/// Holds the lock until its input ends. The first bytes of that are the question, a script.
fn command(run: &str, bytes: usize) -> String {
    let script = format!(
        "umask 022; exec 2>&1 9>>{LOCK} || exit 1; \
         if flock -n 9; then \
         echo \"run {run} of ${{SUDO_USER:-root}} since $(date -u +%FT%TZ), process $$\" >{LOCK}; \
         echo @held; head -c {bytes} | sh 9>&-; echo {END}; read -r end; \
         else echo \"@refused $(cat {LOCK})\"; fi"
    );
    format!("sudo -n sh -c {} 2>&1", quote(&script))
}
