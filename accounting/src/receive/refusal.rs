//! Why a delivery is refused, and how that is said.

use federation::usage::Refused;

use crate::ledger::{AppendError, LedgerError, Problem, Rejection};

/// How many problems one answer tells.
const TOLD: usize = 50;

/// How much of a problem is told, in characters.
const LONGEST: usize = 300;

/// Why a delivery is refused; nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is no delivery.
    #[error("{0}")]
    Malformed(String),
    /// Lines of it are wrong.
    #[error("{}", told(.0))]
    Wrong(Vec<Problem>),
    /// It is longer than a delivery may be.
    #[error("{0}: deliver less at once")]
    TooLarge(String),
    /// The certificate does not allow it.
    #[error("{0}")]
    Forbidden(String),
    /// It took too long to arrive.
    #[error("the delivery did not arrive in {0} seconds")]
    TooSlow(u64),
    /// Others are being received.
    #[error("too many deliveries at the same time: try again later")]
    Busy,
    /// It may not follow what is committed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The ledger could not be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Rejected(rejection) => Self::Rejected(rejection),
            AppendError::Ledger(error) => Self::Ledger(error),
        }
    }
}

impl Refusal {
    /// The HTTP status that says this.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Wrong(_) => 400,
            Self::TooLarge(_) => 413,
            Self::Forbidden(_) => 403,
            Self::TooSlow(_) => 408,
            Self::Busy => 503,
            Self::Rejected(rejection) => match rejection {
                Rejection::Owner { .. } => 403,
                Rejection::Gap { .. } => 409,
                Rejection::Contradiction(_) => 400,
            },
            Self::Ledger(LedgerError::Full { .. }) => 507,
            Self::Ledger(_) => 500,
        }
    }

    /// What the node is told. What went wrong inside stays in our own log.
    pub fn answer(&self) -> Refused {
        let error = match self {
            Self::Ledger(error @ LedgerError::Full { .. }) => error.to_string(),
            Self::Ledger(_) => "the accounting service has a fault: see its log".to_owned(),
            Self::Rejected(Rejection::Contradiction(problems)) => told(problems),
            other => other.to_string(),
        };
        let acknowledged = match self {
            Self::Rejected(Rejection::Gap { acknowledged, .. }) => Some(*acknowledged),
            _ => None,
        };
        Refused {
            error,
            acknowledged,
        }
    }
}

/// The first problems, and how many more there are.
fn told(problems: &[Problem]) -> String {
    let mut texts: Vec<_> = problems
        .iter()
        .take(TOLD)
        .map(|problem| cut(&problem.to_string()))
        .collect();
    if problems.len() > TOLD {
        texts.push(format!("and {} more", problems.len() - TOLD));
    }
    texts.join("; ")
}

/// What a node has written is neither long nor unprintable in an answer or a log.
fn cut(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(LONGEST).map(printable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_problems_are_told() {
        let problems = (2..1002).map(|line| Problem {
            line,
            what: "wrong".to_owned(),
        });
        let told = Refusal::Wrong(problems.collect()).answer().error;
        assert!(told.starts_with("line 2: wrong; line 3: wrong; "));
        assert!(told.ends_with("line 51: wrong; and 950 more"));
    }

    #[test]
    fn a_gap_says_where_to_go_on() {
        let gap = Refusal::Rejected(Rejection::Gap {
            acknowledged: 7,
            first: 9,
        });
        assert_eq!(gap.status(), 409);
        assert_eq!(gap.answer().acknowledged, Some(7));
    }

    #[test]
    fn a_fault_of_ours_is_not_shown_to_a_node() {
        let fault = Refusal::Ledger(LedgerError::Damaged {
            ledger: "l".to_owned(),
            seq: 1,
            reason: "secret".to_owned(),
        });
        assert_eq!(fault.status(), 500);
        assert!(!fault.answer().error.contains("secret"));
    }
}
