//! How Ansible reaches the hosts: account, port, and the hosts in between. What its variables
//! leave open, OpenSSH's configuration may say.

use std::collections::BTreeMap;

use super::jump::jump;
use super::{Member, Source, most_common};
use crate::importers::known::usual;

/// How the site's hosts are reached, with what differs by host.
pub(super) struct SiteSsh {
    pub(super) user: String,
    pub(super) port: u16,
    pub(super) jump: Vec<String>,
    users: BTreeMap<String, String>,
    ports: BTreeMap<String, u16>,
}

impl SiteSsh {
    pub(super) fn new(source: &Source, members: &[Member]) -> Self {
        let usual = usual_user(source);
        let user = |member: &Member| {
            let given = source.text(Some(&member.name), "ansible_user");
            let configured = source.ssh.get(&source.typed(member), "user");
            let given = given.map(|(user, _)| user);
            given
                .or_else(|| configured.map(|(user, _)| user.to_owned()))
                .or_else(|| usual.clone())
        };
        let of_host = |member: &Member| Some((member.name.clone(), user(member)?));
        let mut users: BTreeMap<_, _> = members.iter().filter_map(of_host).collect();
        let hint = "a port is 1 to 65535";
        let port = |member: &Member| {
            let given = source.parse(Some(&member.name), "ansible_port", hint);
            let configured = source.ssh.get(&source.typed(member), "port");
            let configured = configured.and_then(|(port, _)| port.parse().ok());
            let port = given.map_or_else(|| configured.unwrap_or(22), |(port, _)| port);
            (member.name.clone(), port)
        };
        let mut ports: BTreeMap<_, u16> = members.iter().map(port).collect();
        let user = most_common(users.values().cloned()).unwrap_or_else(|| nobody(source));
        let port = most_common(ports.values().copied()).unwrap_or(22);
        users.retain(|_, own| *own != user);
        ports.retain(|_, own| *own != port);
        let jump = jump(source, members);
        Self {
            user,
            port,
            jump,
            users,
            ports,
        }
    }

    /// The port of a host, where it is not the site's.
    pub(super) fn port_of(&self, host: &str) -> Option<u16> {
        self.ports.get(host).copied()
    }

    /// The account on a host, where it is not the site's.
    pub(super) fn user_of(&self, host: &str) -> Option<String> {
        self.users.get(host).cloned()
    }
}

/// The account whose files ai4-ansible makes is the one as which it logs in.
fn usual_user(source: &Source) -> Option<String> {
    source.text(None, "username").map(|(user, _)| user)
}

/// The account of most images, where no line says another.
fn nobody(source: &Source) -> String {
    let user = usual::USER;
    let what = format!("no line says as whom to log in: `{user}` stands there");
    let hint = "correct `ssh: { user: … }` in the site's file";
    source.findings.decide(&source.top, what, hint);
    user.to_owned()
}
