//! An Ansible inventory becomes ours: groups become roles, variables become keys, and what has
//! no place is said.

mod federation;
mod hosts;
mod jump;
mod leftovers;
mod names;
mod site;
mod ssh;
mod vos;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use super::draft::Draft;
use super::known::{DEPLOY, Family, JOIN};
use super::model::Model;
use super::openssh::SshConfig;
use super::report::{Findings, Place};
use super::scope::{Given, Scope};
use super::{Answers, Existing};

/// Everything that mapping looks at, and where it reports.
struct Source<'a> {
    model: &'a Model,
    scope: Scope<'a>,
    ssh: &'a SshConfig,
    findings: &'a Findings,
    answers: &'a Answers,
    existing: Option<&'a Existing>,
    /// The groups of the site that is imported.
    family: &'static Family,
    /// Whether it joins a federation that another site owns.
    joins: bool,
    /// Where what no line gives is reported.
    top: Place,
}

/// What the model says as an inventory; `None` when an error prevents it.
pub(super) fn map(
    model: &Model,
    ssh: &SshConfig,
    top: &Place,
    answers: &Answers,
    existing: Option<&Existing>,
    findings: &Findings,
) -> Option<Draft> {
    let scope = Scope::new(model, findings);
    if findings.has_errors() {
        return None;
    }
    let joins = JOIN.all().any(|group| !model.hosts_of(group).is_empty());
    let source = Source {
        model,
        scope,
        ssh,
        findings,
        answers,
        existing,
        family: if joins { &JOIN } else { &DEPLOY },
        joins,
        top: top.clone(),
    };
    leftovers::groups(&source);
    leftovers::overruled(&source);
    leftovers::variables(&source);
    let members = hosts::members(&source);
    if members.is_empty() {
        let hint =
            "the groups are those of ai4-ansible, such as consul_servers and nomad_cpu_clients";
        findings.error(top, "no host is in a group with a role", hint);
        return None;
    }
    let identity = site::identity(&source, &members)?;
    let vos = vos::of_site(&source, &members, &identity);
    let site = site::site(&source, &members, &identity, &vos)?;
    let federation = federation::federation(&source, &site, &members, &identity, vos)?;
    (!findings.has_errors()).then_some(Draft { federation, site })
}

impl Source<'_> {
    /// A variable as a host, or the whole inventory, sees it; one that cannot be worked out is
    /// reported, and is then as if absent.
    fn get(&self, host: Option<&str>, name: &str) -> Option<Given> {
        self.scope.get(host, name).unwrap_or_else(|unresolved| {
            let what = format!("`{name}` cannot be worked out: {}", unresolved.why);
            let hint = "write its value in its place, and import again";
            self.findings.error(&unresolved.place, what, hint);
            None
        })
    }

    /// A variable as text; a list or a mapping is reported, and is then as if absent.
    fn text(&self, host: Option<&str>, name: &str) -> Option<(String, Place)> {
        let given = self.get(host, name)?;
        if let Some(text) = given.datum.text() {
            return Some((text, given.place)).filter(|(text, _)| !text.is_empty());
        }
        let what = format!("`{name}` is no text");
        self.findings.error(&given.place, what, "give it one value");
        None
    }

    /// A variable as text which its type can read.
    fn parse<T>(&self, host: Option<&str>, name: &str, hint: &str) -> Option<(T, Place)>
    where
        T: FromStr<Err: Display>,
    {
        let (text, place) = self.text(host, name)?;
        match text.parse() {
            Ok(value) => Some((value, place)),
            Err(error) => {
                let what = format!("`{name}` is `{text}`: {error}");
                self.findings.error(&place, what, hint);
                None
            }
        }
    }

    /// What SSH is told to connect to: `ansible_host`, or the host's name.
    fn typed(&self, member: &Member) -> String {
        let given = self.text(Some(&member.name), "ansible_host");
        given.map_or_else(|| member.name.clone(), |(typed, _)| typed)
    }

    /// A variable of the site: that of all, or else the one that its hosts agree on.
    fn of_site(&self, members: &[Member], name: &str) -> Option<(String, Place)> {
        let of_hosts = members
            .iter()
            .filter_map(|it| self.text(Some(&it.name), name));
        let mut given: BTreeMap<String, Place> = BTreeMap::new();
        for (text, place) in of_hosts {
            given.entry(text).or_insert(place);
        }
        if given.len() < 2 {
            return given.into_iter().next().or_else(|| self.text(None, name));
        }
        let said: Vec<_> = given
            .iter()
            .map(|(text, at)| format!("`{text}` ({at})"))
            .collect();
        let place = given.values().max()?;
        let what = format!("`{name}` differs between hosts: {}", said.join(", "));
        self.findings
            .error(place, what, "give all hosts of the site the same value");
        None
    }
}

/// What a group makes of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    ConsulServer,
    NomadServer,
    Gateway,
    Cpu,
    Gpu,
    TryMe,
}

/// A host of the site: its name in Ansible, where it is first named, and what it does.
struct Member {
    name: String,
    place: Place,
    parts: BTreeSet<Part>,
}

impl Member {
    fn is(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// Whether it runs jobs of users. What is a gateway as well is a gateway alone.
    fn is_client(&self) -> bool {
        let clients = [Part::Cpu, Part::Gpu, Part::TryMe];
        clients.iter().any(|part| self.is(*part)) && !self.is(Part::Gateway)
    }
}

/// The value that most have; of several, the first.
fn most_common<T: Ord + Clone>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: BTreeMap<T, (usize, usize)> = BTreeMap::new();
    for (at, value) in values.enumerate() {
        counts.entry(value).or_insert((0, at)).0 += 1;
    }
    let best = counts
        .into_iter()
        .max_by_key(|(_, (count, first))| (*count, usize::MAX - first));
    best.map(|(value, _)| value)
}
