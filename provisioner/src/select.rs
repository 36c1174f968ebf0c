//! Which hosts a command is about (`--on`).
//!
//! A selector is a list of terms with commas between them; it means every host that one of them
//! means. A term that means no host is a mistake of the operator's, never an empty choice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use federation::names::{DatacenterName, NodeName};

use crate::plan::{HostPlan, NodeType, Plan};
use crate::wildcard::is_like;

/// Hosts, by name or by what they are: `wn-*,@gateway`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector(Vec<Term>);

/// One term of a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    /// The name of a node or host, in which `*` stands for anything.
    Name(String),
    /// `@site:<datacenter>`.
    Site(DatacenterName),
    /// `@gpu` and the like.
    Group(Group),
}

/// What a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    /// It runs users' jobs.
    Client,
    /// It runs Traefik.
    Gateway,
    /// It has GPUs.
    Gpu,
    /// It is a server of Consul or Nomad.
    Server,
}

/// A text is no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{term}` means nothing: write the name of a node or host, a name with *, @site:<datacenter>, or one of {}",
    Group::ALL.map(Group::word).join(", "))]
pub struct SelectorError {
    term: String,
}

/// Terms that mean no host of a plan, and the hosts that it has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no host is meant by {}; {there}", .strangers.join(", "))]
pub struct NoHost {
    strangers: Vec<String>,
    there: String,
}

/// So many hosts are named to somebody who meant none; more would bury what was wrong.
const NAMED: usize = 12;

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        text.split(',')
            .map(|term| Term::parse(term.trim()))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl Selector {
    /// The nodes of a plan that are meant.
    ///
    /// # Errors
    /// When a term means none, with the names that come near.
    pub fn nodes(&self, plan: &Plan) -> Result<BTreeSet<NodeName>, NoHost> {
        let (mut nodes, mut strangers) = (BTreeSet::new(), Vec::new());
        for term in &self.0 {
            let meant = plan.hosts.values().filter(|host| term.means(host));
            let meant: Vec<_> = meant.map(|host| host.node.clone()).collect();
            if meant.is_empty() {
                strangers.push(term.told(&plan.hosts));
            }
            nodes.extend(meant);
        }
        if strangers.is_empty() {
            Ok(nodes)
        } else {
            Err(NoHost {
                strangers,
                there: there(plan),
            })
        }
    }
}

/// As it can be given to a command again.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let terms: Vec<String> = self.0.iter().map(Term::to_string).collect();
        f.write_str(&terms.join(","))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Site(datacenter) => write!(f, "@site:{datacenter}"),
            Self::Group(group) => f.write_str(group.word()),
        }
    }
}

/// What could have been meant: sites and nodes, the first of many.
fn there(plan: &Plan) -> String {
    let sites: BTreeSet<String> = plan
        .hosts
        .values()
        .map(|host| format!("@site:{}", host.datacenter))
        .collect();
    let nodes = plan.hosts.keys().map(NodeName::to_string).collect();
    format!("the inventory has {} and {}", first(sites), first(nodes))
}

fn first(names: BTreeSet<String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let mut told: Vec<String> = names.into_iter().take(NAMED).collect();
    if more > 0 {
        told.push(format!("{more} more"));
    }
    told.join(", ")
}

impl Term {
    fn parse(text: &str) -> Result<Self, SelectorError> {
        let unknown = || SelectorError {
            term: text.to_owned(),
        };
        if let Some(site) = text.strip_prefix("@site:") {
            return site.parse().map(Self::Site).map_err(|_| unknown());
        }
        if text.starts_with('@') {
            let group = Group::ALL.into_iter().find(|group| group.word() == text);
            return group.map(Self::Group).ok_or_else(unknown);
        }
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-*".contains(&b);
        if text.is_empty() || !text.bytes().all(allowed) {
            return Err(unknown());
        }
        Ok(Self::Name(text.to_owned()))
    }

    fn means(&self, host: &HostPlan) -> bool {
        match self {
            Self::Name(pattern) => {
                is_like(host.node.as_str(), pattern) || is_like(host.host.as_str(), pattern)
            }
            Self::Site(datacenter) => *datacenter == host.datacenter,
            Self::Group(group) => group.means(host),
        }
    }

    /// The term, and what may have been meant by it.
    fn told(&self, hosts: &BTreeMap<NodeName, HostPlan>) -> String {
        let near = |word: &str, known: BTreeSet<&str>| {
            let known: Vec<&str> = known.into_iter().collect();
            let near = similar::get_close_matches(word, &known, 3, 0.6);
            if near.is_empty() {
                String::new()
            } else {
                format!(" (did you mean {}?)", near.join(" or "))
            }
        };
        match self {
            Self::Name(name) => {
                let hosts = hosts.values();
                let names = hosts.flat_map(|host| [host.node.as_str(), host.host.as_str()]);
                format!("`{name}`{}", near(name, names.collect()))
            }
            Self::Site(datacenter) => {
                let known = hosts.values().map(|host| host.datacenter.as_str());
                let near = near(datacenter.as_str(), known.collect());
                format!("`@site:{datacenter}`{near}")
            }
            Self::Group(group) => format!("`{}`", group.word()),
        }
    }
}

impl Group {
    const ALL: [Self; 4] = [Self::Client, Self::Gateway, Self::Gpu, Self::Server];

    fn word(self) -> &'static str {
        match self {
            Self::Client => "@client",
            Self::Gateway => "@gateway",
            Self::Gpu => "@gpu",
            Self::Server => "@server",
        }
    }

    fn means(self, host: &HostPlan) -> bool {
        let is_gateway = host.node_type == Some(NodeType::Gateway);
        match self {
            Self::Client => host.agents.nomad_client && !is_gateway,
            Self::Gateway => is_gateway,
            Self::Gpu => host.gpus.is_some(),
            Self::Server => host.agents.consul_server || host.agents.nomad_server,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_means_nothing_is_refused() {
        for text in ["", "wn-0,", "@gpus", "@site:", "@site:A b", "wn?0", "Wn-0"] {
            assert!(text.parse::<Selector>().is_err(), "{text}");
        }
        let told = "@gpus".parse::<Selector>().unwrap_err().to_string();
        assert!(
            told.contains("`@gpus` means nothing") && told.contains("@gpu"),
            "{told}"
        );
    }

    #[test]
    fn a_selector_is_written_as_it_can_be_read() {
        let selector: Selector = " wn-* ,@gpu,@site:one,x-0".parse().unwrap();
        assert_eq!(selector.to_string(), "wn-*,@gpu,@site:one,x-0");
        assert_eq!(selector.to_string().parse(), Ok(selector));
    }
}
