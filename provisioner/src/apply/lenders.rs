//! Servers that are not of a run's scope, and are asked for what its hosts cannot start without:
//! tokens. Nothing else is done to them, and nothing that others share is set.

use std::collections::BTreeMap;

use federation::names::NodeName;

use crate::apply::changes::Change;
use crate::apply::script::needs_introduction;
use crate::apply::survey::{Desired, Member, Reach};
use crate::apply::wanted::Wish;
use crate::host::Session;
use crate::plan::{ConsulToken, HostPlan, Plan, Wave};
use crate::progress::{Event, Listener};
use crate::render::{Body, RenderedFile};

/// A server that lends itself to a run on other hosts.
pub struct Lender<'a> {
    /// Its plan.
    pub plan: &'a HostPlan,
    /// The connection.
    pub session: Session,
}

/// Whose tokens a host needs.
#[derive(Debug, Clone, Copy)]
enum Giver {
    Consul,
    Nomad,
}

impl Giver {
    fn is(self, host: &HostPlan, plan: &Plan) -> bool {
        match self {
            Self::Consul => host.agents.consul_server && host.datacenter == plan.primary,
            Self::Nomad => host.agents.nomad_server,
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::Consul => "a Consul server of the primary datacenter",
            Self::Nomad => "a Nomad server",
        }
    }
}

/// Connects to a server of each kind that a run needs and has not among its members.
///
/// # Errors
/// When none of a kind can be reached: what it is needed for, and why not.
pub fn lenders<'a>(
    desired: &Desired<'a>,
    members: &BTreeMap<NodeName, Member<'a>>,
    reach: &Reach,
    listener: &dyn Listener,
) -> Result<Vec<Lender<'a>>, String> {
    let mut lenders: Vec<Lender> = Vec::new();
    // A run on all hosts has all servers that there are.
    if desired.scope.is_whole() {
        return Ok(lenders);
    }
    for giver in givers(desired, members) {
        let hosts = members.values().map(|member| member.plan);
        let mut hosts = hosts.chain(lenders.iter().map(|lender| lender.plan));
        if !hosts.any(|host| giver.is(host, desired.plan)) {
            listener.tell(Event::Federation {
                doing: format!(
                    "connecting to {}, for tokens of the chosen hosts",
                    giver.told()
                ),
            });
            lenders.push(lender(desired, giver, reach)?);
        }
    }
    Ok(lenders)
}

/// Who must be asked before members can start.
fn givers(desired: &Desired, members: &BTreeMap<NodeName, Member>) -> Vec<Giver> {
    let tokens = tokens_written(desired, members.values());
    let consul = (!tokens.is_empty()).then_some(Giver::Consul);
    let nomad = members.values().any(needs_nomad).then_some(Giver::Nomad);
    consul.into_iter().chain(nomad).collect()
}

fn lender<'a>(desired: &Desired<'a>, giver: Giver, reach: &Reach) -> Result<Lender<'a>, String> {
    let (plan, chosen) = (desired.plan, desired.scope.nodes());
    let hosts = plan.hosts.values();
    let mut hosts: Vec<&HostPlan> = hosts
        .filter(|host| giver.is(host, plan) && !chosen.contains(&host.node))
        .collect();
    hosts.sort_by_key(|host| (host.datacenter != plan.primary, &host.node));
    let mut whys = Vec::new();
    for host in hosts {
        if !host.login.jump.is_empty() {
            whys.push(format!("{}: it is behind a jump host", host.node));
            continue;
        }
        match Session::open(&host.login, reach.credentials, reach.known_hosts) {
            Ok(session) => {
                return Ok(Lender {
                    plan: host,
                    session,
                });
            }
            Err(error) => whys.push(format!("{}: {error}", host.node)),
        }
    }
    if whys.is_empty() {
        whys.push("the inventory has none that was not chosen".to_owned());
    }
    Err(format!(
        "the chosen hosts need tokens of {}, and none was reached: {}",
        giver.told(),
        whys.join("; ")
    ))
}

/// The Consul tokens in files that members are about to get; with `--deep` in all their files.
pub(super) fn tokens_written<'a, 'm>(
    desired: &Desired<'a>,
    members: impl Iterator<Item = &'m Member<'m>>,
) -> Vec<&'a ConsulToken> {
    let hosts: Vec<(&[RenderedFile], &[Change])> = members
        .filter_map(|member| {
            let files = desired.rendered.hosts.get(&member.plan.node)?;
            Some((files.as_slice(), member.changes.as_slice()))
        })
        .collect();
    let tokens = desired.plan.services.consul_tokens.iter();
    tokens
        .filter(|token| {
            let mut hosts = hosts.iter();
            hosts.any(|(files, changes)| holds(files, changes, token, desired.deep))
        })
        .collect()
}

/// Whether one of the files that change holds a token.
fn holds(files: &[RenderedFile], changes: &[Change], token: &ConsulToken, all: bool) -> bool {
    let placeholder = token.secret.placeholder();
    files.iter().any(|file| {
        let is_written = || {
            let mut paths = changes.iter().filter_map(|change| change.what.path());
            paths.any(|path| path == file.path)
        };
        matches!(&file.body, Body::Text(text) if text.contains(&placeholder))
            && (all || is_written())
    })
}

/// Whether Nomad must make a token for a host: one for its agent, or one that introduces it.
fn needs_nomad(member: &Member) -> bool {
    let mut changes = member.changes.iter();
    let mut files = member.wanted.files.iter();
    files.any(|file| matches!(file.wish, Wish::NomadToken { .. }))
        || (changes.any(|change| change.wave == Wave::NomadClients)
            && needs_introduction(&member.wanted, &member.facts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::changes::What;
    use crate::plan::{Access, OnChange, Secret};

    #[test]
    fn a_token_is_asked_for_when_a_file_with_it_is_written() {
        let secret = Secret::ConsulAgentToken("wn-0".parse().unwrap());
        let file = |path: &str, text: String| RenderedFile {
            path: path.to_owned(),
            access: Access {
                mode: 0o600,
                owner: "root",
                group: "root",
            },
            wave: Wave::ConsulClients,
            on_change: OnChange::Nothing,
            extra: false,
            body: Body::Text(text.into()),
        };
        let files = [
            file("/etc/acl", format!("token = {}", secret.placeholder())),
            file("/etc/other", "no token".to_owned()),
        ];
        let token = ConsulToken {
            secret,
            description: String::new(),
            policies: Vec::new(),
            node: None,
        };
        let change = |what: What| {
            vec![Change {
                wave: Wave::ConsulClients,
                what,
                effect: OnChange::Nothing,
            }]
        };
        let path = |path: &str| path.to_owned();
        for (changes, all, expected) in [
            (change(What::CreateFile(path("/etc/acl"))), false, true),
            (change(What::ReplaceFile(path("/etc/acl"))), false, true),
            (change(What::ReplaceFile(path("/etc/other"))), false, false),
            (Vec::new(), false, false),
            (Vec::new(), true, true),
        ] {
            let held = holds(&files, &changes, &token, all);
            assert_eq!(held, expected, "{changes:?} {all}");
        }
    }
}
