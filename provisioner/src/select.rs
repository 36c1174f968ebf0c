//! Which hosts a command is about (`--on`).
//!
//! A selector is a list of terms with commas between them; it means every host that one of them
//! means. A term that means no host is a mistake of the operator's, never an empty choice.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use federation::names::{DatacenterName, NodeName};

use crate::plan::{HostPlan, NodeType, Plan};

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

/// Terms that mean no host of a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no host is meant by {}", .0.join(", "))]
pub struct NoHost(Vec<String>);

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
            Err(NoHost(strangers))
        }
    }
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
                matches(pattern, host.node.as_str()) || matches(pattern, host.host.as_str())
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

/// Whether a name is the one that a pattern describes, in which `*` stands for any letters or none.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(name) = name.strip_prefix(start) else {
        return false;
    };
    let ends = (0..=name.len()).filter_map(|from| name.get(from..));
    ends.into_iter().any(|end| matches(rest, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, expected) in [
            ("wn-0", "wn-0", true),
            ("wn-0", "wn-01", false),
            ("wn-*", "wn-0", true),
            ("wn-*", "wn-", true),
            ("wn-*", "own-0", false),
            ("*", "x", true),
            ("*-0", "wn-0", true),
            ("*-0", "wn-0-1", false),
            ("one-*-0", "one-wn-0", true),
            ("one-*-*", "one-0", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

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
}
