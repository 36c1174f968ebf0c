//! Which step leads from one version to another: what the vendors promise to work, and no more.

use std::fmt;

use federation::names::Version;

use super::options::{Options, UnknownLine, lines};
use super::{Product, dotted};

/// How many lines a step of Consul or Nomad may climb: agents that lie further apart are not
/// promised to understand each other.
const WIDEST: u32 = 2;

/// The oldest Traefik whose rules 3.7 still reads, when it is told to read those of version 2.
const OLDEST_TRAEFIK: [u32; 2] = [2, 10];

/// Why a running product is not brought from one version to another in one step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{product} {from} cannot become {to}: {reason}")]
pub struct Refusal {
    /// The product.
    pub product: Product,
    /// What runs.
    pub from: Version,
    /// What is wanted.
    pub to: Version,
    /// What stands in the way.
    pub reason: Reason,
}

/// What stands in the way of a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The line of either version is not known.
    #[error(transparent)]
    UnknownLine(#[from] UnknownLine),
    /// An older version may not read what a newer one has written.
    #[error("{0}")]
    NoWayBack(&'static str),
    /// The step is wider than is promised to work.
    #[error("{why}; go to the newest {} first", dotted(first))]
    TooWide {
        /// What is promised.
        why: &'static str,
        /// The line to go to first.
        first: Vec<u32>,
    },
}

/// Whether a running product may be brought from one version to another in one step.
///
/// # Errors
/// When it may not, with the reason and what to do instead.
pub fn reachable(product: Product, from: &Version, to: &Version) -> Result<(), Refusal> {
    let refused = |reason| Refusal {
        product,
        from: from.clone(),
        to: to.clone(),
        reason,
    };
    let (old, new) = (from.numbers(), to.numbers());
    let line = match Options::of(product, to) {
        Ok(wanted) => wanted.line(),
        // Docker starts with whatever its file says: its lines are its major versions.
        Err(_) if product == Product::Docker => &new[..new.len().min(1)],
        Err(unknown) => return Err(refused(unknown.into())),
    };
    if new < old {
        backwards(product, old.starts_with(line)).map_err(refused)
    } else {
        match product {
            Product::Consul | Product::Nomad => climb(product, from, &new).map_err(refused),
            Product::Traefik => read_rules_of(&old).map_err(refused),
            Product::Docker => Ok(()),
        }
    }
}

/// A step back, within a line or beyond it.
fn backwards(product: Product, within_line: bool) -> Result<(), Reason> {
    Err(Reason::NoWayBack(match product {
        Product::Nomad => {
            "the other servers refuse an older one, and it does not read their state; \
             stay, or restore a snapshot into new servers"
        }
        Product::Consul if !within_line => {
            "an older line may not read what a newer one wrote; \
             stay, or restore a snapshot into new servers"
        }
        Product::Docker if !within_line => {
            "an older line may not read a newer one's images and containers; \
             stay, or drain the node and empty Docker's folder first"
        }
        // Traefik keeps nothing: the job of before is submitted again.
        Product::Consul | Product::Docker | Product::Traefik => return Ok(()),
    }))
}

/// A step forwards over some lines of Consul or Nomad.
fn climb(product: Product, from: &Version, new: &[u32]) -> Result<(), Reason> {
    let old = from.numbers();
    let Some(last) = last_minor(product, old[0]) else {
        return Err(Reason::UnknownLine(UnknownLine {
            product,
            version: from.clone(),
            closest: Options::closest(product, from),
        }));
    };
    let climbed = if new[0] == old[0] {
        new[1] - old[1]
    } else {
        last.saturating_sub(old[1]) + 1 + new[1]
    };
    if climbed <= WIDEST {
        return Ok(());
    }
    Err(Reason::TooWide {
        why: "a step climbs two lines at most",
        first: vec![old[0], last.min(old[1] + WIDEST)],
    })
}

/// The way from one version of a running product to another, by steps that are each promised to
/// work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    from: Version,
    /// The lines to stop at, at the newest version of each.
    over: Vec<Version>,
    to: Version,
}

impl Way {
    /// Whether it is one step.
    pub fn is_direct(&self) -> bool {
        self.over.is_empty()
    }
}

/// As people write it: `1.20.1 → newest 1.22 → 2.0.1`.
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.from)?;
        for line in &self.over {
            write!(f, " → newest {line}")?;
        }
        write!(f, " → {}", self.to)
    }
}

/// The way from one version of a running product to another.
///
/// # Errors
/// When there is none, with the step that is refused.
pub fn way(product: Product, from: &Version, to: &Version) -> Result<Way, Refusal> {
    let mut over: Vec<Version> = Vec::new();
    loop {
        let refusal = match reachable(product, over.last().unwrap_or(from), to) {
            Ok(()) => {
                let (from, to) = (from.clone(), to.clone());
                return Ok(Way { from, over, to });
            }
            Err(refusal) => refusal,
        };
        let next = match &refusal.reason {
            Reason::TooWide { first, .. } => dotted(first).parse().ok(),
            _ => None,
        };
        let before = over.last().unwrap_or(from).numbers();
        match next.filter(|next: &Version| next.numbers() > before) {
            Some(next) => over.push(next),
            None => return Err(refusal),
        }
    }
}

/// The minor number of the last line that a major version has.
fn last_minor(product: Product, major: u32) -> Option<u32> {
    let of_major = lines(product).into_iter().rev();
    of_major
        .filter(|line| line[0] == major)
        .find_map(|line| line.get(1).copied())
}

fn read_rules_of(old: &[u32]) -> Result<(), Reason> {
    if old >= OLDEST_TRAEFIK.as_slice() {
        return Ok(());
    }
    Err(Reason::TooWide {
        why: "the rules of an older Traefik are not read any more",
        first: OLDEST_TRAEFIK.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::Product::{Consul, Docker, Nomad, Traefik};
    use super::*;

    /// Product, what runs, what is wanted, and how the reason begins or ends if it is refused.
    const STEPS: &[(Product, &str, &str, &str)] = &[
        (Consul, "1.22.3", "1.22.3", ""),
        (Consul, "1.21.2", "1.21.5", ""),
        (Consul, "1.21.5", "1.22.3", ""),
        (Consul, "1.21.5", "2.0.1", ""),
        (Consul, "1.20.1", "1.22.3", ""),
        (Consul, "1.20.1", "2.0.1", "go to the newest 1.22 first"),
        (Consul, "1.19.2", "2.0.1", "go to the newest 1.21 first"),
        (Consul, "1.9.17", "1.22.3", "go to the newest 1.11 first"),
        (
            Consul,
            "0.9.4",
            "1.21.5",
            "it is not known which options Consul 0.9.4",
        ),
        (
            Consul,
            "1.22.3",
            "1.23.0",
            "it is not known which options Consul 1.23.0",
        ),
        (Consul, "1.22.5", "1.22.3", ""),
        (Consul, "1.22.3", "1.21.5", "an older line may not read"),
        (Nomad, "1.10.2", "1.10.5", ""),
        (Nomad, "1.10.5", "1.11.3", ""),
        (Nomad, "1.11.3", "2.0.4", ""),
        (Nomad, "1.9.10", "1.11.3", ""),
        (Nomad, "1.9.10", "2.0.0", "go to the newest 1.11 first"),
        (Nomad, "1.8.4", "1.11.3", "go to the newest 1.10 first"),
        (Nomad, "1.11.3", "1.11.2", "the other servers refuse"),
        (Traefik, "2.10.7", "3.7.15", ""),
        (Traefik, "3.5.0", "3.7.15", ""),
        (Traefik, "3.7.15", "3.7.9", ""),
        (Traefik, "2.9.1", "3.7.15", "go to the newest 2.10 first"),
        (Docker, "20.10.24", "29.0.1", ""),
        (Docker, "28.5.1", "28.4.0", ""),
        (Docker, "29.0.1", "28.5.1", "an older line may not read"),
        // Lines of which no table tells anything.
        (Docker, "26.1.5", "27.1.0", ""),
        (Docker, "27.1.0", "27.0.1", ""),
        (Docker, "29.0.1", "27.1.0", "an older line may not read"),
    ];

    #[test]
    fn a_step_leads_as_far_as_is_promised() {
        for (product, from, to, expected) in STEPS {
            let step = format!("{product} {from} to {to}");
            let told = reachable(*product, &from.parse().unwrap(), &to.parse().unwrap());
            let told = told.map_err(|refusal| refusal.reason.to_string());
            match (told, *expected) {
                (Ok(()), "") => {}
                (Err(reason), words) if !words.is_empty() => {
                    let is_said = reason.starts_with(words) || reason.ends_with(words);
                    assert!(is_said, "{step}: {reason}");
                }
                (told, _) => panic!("{step}: {told:?}"),
            }
        }
    }

    #[test]
    fn a_way_stops_wherever_a_step_would_be_too_wide() {
        for (product, from, to, expected) in [
            (Nomad, "1.10.5", "1.11.3", "1.10.5 → 1.11.3"),
            (Nomad, "1.8.4", "1.11.3", "1.8.4 → newest 1.10 → 1.11.3"),
            (
                Nomad,
                "1.6.1",
                "2.0.4",
                "1.6.1 → newest 1.8 → newest 1.10 → 2.0.4",
            ),
            (Consul, "1.20.1", "2.0.1", "1.20.1 → newest 1.22 → 2.0.1"),
            (Traefik, "2.4.0", "3.7.15", "2.4.0 → newest 2.10 → 3.7.15"),
            (Docker, "20.10.24", "29.0.1", "20.10.24 → 29.0.1"),
        ] {
            let way = way(product, &from.parse().unwrap(), &to.parse().unwrap()).unwrap();
            assert_eq!(way.to_string(), expected);
            assert_eq!(way.is_direct(), !expected.contains("newest"));
        }
    }

    #[test]
    fn there_is_no_way_where_a_step_back_is_refused() {
        for (product, from, to) in [
            (Nomad, "1.11.3", "1.10.5"),
            (Consul, "2.0.1", "1.22.3"),
            (Docker, "29.0.1", "28.5.1"),
            (Consul, "0.9.4", "1.22.3"),
        ] {
            let refused = way(product, &from.parse().unwrap(), &to.parse().unwrap());
            assert_eq!(refused.unwrap_err().from.to_string(), from);
        }
    }

    #[test]
    fn a_refusal_says_what_why_and_what_to_do() {
        let told = |product, from: &str, to: &str| {
            let refused = reachable(product, &from.parse().unwrap(), &to.parse().unwrap());
            refused.unwrap_err().to_string()
        };
        assert_eq!(
            told(Consul, "1.20.1", "2.0.1"),
            "Consul 1.20.1 cannot become 2.0.1: a step climbs two lines at most; \
             go to the newest 1.22 first"
        );
        assert_eq!(
            told(Nomad, "1.11.3", "1.10.5"),
            "Nomad 1.11.3 cannot become 1.10.5: the other servers refuse an older one, and it does \
             not read their state; stay, or restore a snapshot into new servers"
        );
    }
}
