//! Our inventory in the words of ai4-ansible: a folder a site, with its hosts and variables.

mod lost;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use federation::names::HostName;

use super::known::{DEPLOY, Family, JOIN};
use crate::inventory::{Host, HostSsh, Inventory, Jump, Kind, Role, Site};

/// An inventory as Ansible's files.
#[derive(Debug, Clone)]
pub struct Exported {
    /// For each datacenter, `hosts` and `group_vars/all.yml` in a folder of its name.
    pub files: BTreeMap<PathBuf, String>,
    /// What Ansible's files cannot say, each with its site.
    pub lost: Vec<String>,
}

/// Writes every site as ai4-ansible has it: the primary one in the groups of a deployment, the
/// others in those of a joining site.
pub fn export(inventory: &Inventory) -> Exported {
    let mut files = BTreeMap::new();
    let mut lost: Vec<String> = lost::of_federation(inventory);
    for site in inventory.sites.values() {
        let family = if inventory.is_primary(site) {
            &DEPLOY
        } else {
            &JOIN
        };
        let folder = PathBuf::from(site.datacenter.as_str());
        let mut writer = Writer {
            inventory,
            site,
            family,
            said: BTreeSet::new(),
            lost: &mut lost,
        };
        files.insert(folder.join("hosts"), writer.hosts());
        files.insert(
            folder.join("group_vars/all.yml"),
            variables::variables(inventory, site),
        );
        lost::of_site(inventory, site, &mut lost);
    }
    Exported { files, lost }
}

/// A site that is being written.
struct Writer<'a> {
    inventory: &'a Inventory,
    site: &'a Site,
    family: &'static Family,
    /// Hosts whose connection has been written.
    said: BTreeSet<&'a HostName>,
    lost: &'a mut Vec<String>,
}

/// A host with its key.
type Named<'a> = (&'a HostName, &'a Host);

impl<'a> Writer<'a> {
    fn having(&self, is: impl Fn(&Host) -> bool) -> Vec<Named<'a>> {
        let hosts = self.site.hosts.iter();
        hosts.filter(|(_, host)| is(host)).collect()
    }

    fn hosts(&mut self) -> String {
        let is_client = |host: &Host| host.has(Role::Client) && !host.has(Role::Gateway);
        let is_tryme = |host: &Host| host.gpus.is_none() && host.kind == Kind::TryMe;
        let gateways = self.having(|host| host.has(Role::Gateway));
        let consul = self.having(|host| host.has(Role::ConsulServer));
        let nomad = self.having(|host| host.has(Role::NomadServer));
        let cpu = self.having(|it| is_client(it) && it.gpus.is_none() && !is_tryme(it));
        let gpu = self.having(|it| is_client(it) && it.gpus.is_some());
        let tryme = self.having(|it| is_client(it) && is_tryme(it));
        let consul = self.numbered("server", consul, &[]);
        let nomad = self.numbered("server", nomad, &[]);
        let cpu = self.numbered("wn-cpu", cpu, &gateways);
        let gpu = self.numbered("wn-gpu", gpu, &[]);
        let tryme = self.numbered("tn-cpu", tryme, &[]);
        self.names(&nomad, &cpu, &gpu, &tryme);

        let clients = self.having(|host| !host.has(Role::ConsulServer) && is_known(host));
        let volumes = self.having(|host| host.volume.is_some());
        let family = self.family;
        let ([master, servers], first) = (family.consul_servers, consul.get(..1));
        let first = first.unwrap_or_default();
        let datacenter = &self.site.datacenter;
        let mut text = format!("# The site `{datacenter}`, written by `atoll export ansible`.\n");
        text += &self.all();
        text += &self.group(master, first, Self::connection);
        text += &self.group(servers, &consul, Self::connection);
        text += &self.group(family.consul_clients[0], &clients, Self::connection);
        text += &self.group(family.gateway, &gateways, |_, _| String::new());
        for (at, group) in family.nomad_servers.iter().rev().enumerate() {
            // The master's group, where there is one, is the one before that of all servers.
            let hosts = if at == 0 {
                &nomad[..]
            } else {
                nomad.get(..1).unwrap_or_default()
            };
            text += &self.group(group, hosts, Self::server);
        }
        text += &self.group(family.cpu, &cpu, Self::client);
        text += &self.group(family.gpu, &gpu, Self::client);
        text += &self.group(family.tryme, &tryme, Self::client);
        text += &self.group(family.volume, &volumes, |_, (_, host)| volume(host));
        text + &children(family)
    }

    /// Where a server belongs.
    fn server(&mut self, _: Named<'a>) -> String {
        format!(" nomad_dc={}", self.site.datacenter)
    }

    /// What all hosts share in how they are reached.
    fn all(&self) -> String {
        let ssh = &self.site.ssh;
        let mut text = format!("\n[all:vars]\nansible_user={}\n", ssh.user);
        if ssh.port != 22 {
            let _ = writeln!(text, "ansible_port={}", ssh.port);
        }
        if !ssh.jump.is_empty() {
            let jump: Vec<_> = ssh.jump.iter().map(jump).collect();
            let _ = writeln!(
                text,
                "ansible_ssh_common_args='-o ProxyJump={}'",
                jump.join(",")
            );
        }
        text
    }

    /// A section with what is said of each of its hosts.
    fn group(
        &mut self,
        name: &str,
        hosts: &[Named<'a>],
        say: fn(&mut Self, Named<'a>) -> String,
    ) -> String {
        let mut text = format!("\n[{name}]\n");
        for host in hosts {
            let said = say(self, *host);
            let _ = writeln!(text, "{}{said}", host.0);
        }
        text
    }

    /// How a host is reached, once.
    fn connection(&mut self, (key, host): Named<'a>) -> String {
        if !self.said.insert(key) {
            return String::new();
        }
        let HostSsh {
            address,
            port,
            user,
        } = &host.ssh;
        let mut text = format!(" ansible_host={}", address.unwrap_or(host.address));
        if address.is_some() {
            let _ = write!(text, " my_ip={}", host.address);
        }
        if host.public_address != host.address {
            let _ = write!(text, " my_public_ip={}", host.public_address);
        }
        if let Some(port) = port {
            let _ = write!(text, " ansible_port={port}");
        }
        if let Some(user) = user {
            let _ = write!(text, " ansible_user={user}");
        }
        text
    }

    /// What a client is for.
    fn client(&mut self, (_, host): Named<'a>) -> String {
        let namespaces: Vec<_> = self
            .inventory
            .namespaces(&host.vos)
            .keys()
            .map(|it| it.as_str())
            .collect();
        format!(
            " nomad_dc={} domain={} nomad_namespaces={} batch={}",
            self.site.datacenter,
            self.site.domain,
            namespaces.join(","),
            host.kind == Kind::Batch
        )
    }

    /// Hosts in the order that gives their nodes the names they have. Others of the group fill
    /// the gaps.
    fn numbered(&self, kind: &str, hosts: Vec<Named<'a>>, others: &[Named<'a>]) -> Vec<Named<'a>> {
        let prefix = format!("{}-{kind}-", self.site.datacenter);
        let number = |host: &Host| {
            host.node
                .as_str()
                .strip_prefix(&prefix)?
                .parse::<usize>()
                .ok()
        };
        let mut waiting: BTreeMap<(usize, &HostName), &Host> = hosts
            .into_iter()
            .map(|(key, host)| ((number(host).unwrap_or(usize::MAX), key), host))
            .collect();
        let mut others = others.iter();
        let mut order: Vec<Named> = Vec::new();
        while let Some(next) = waiting.first_entry() {
            let (wanted, key) = *next.key();
            let other = others.as_slice().first().filter(|_| wanted > order.len());
            if let Some(other) = other.filter(|_| wanted != usize::MAX) {
                order.push(*other);
                others.next();
            } else {
                order.push((key, next.remove()));
            }
        }
        order.extend(others);
        order
    }

    /// Says which nodes Ansible would call otherwise.
    fn names(&mut self, nomad: &[Named], cpu: &[Named], gpu: &[Named], tryme: &[Named]) {
        let datacenter = &self.site.datacenter;
        let mut given: BTreeMap<&HostName, String> = BTreeMap::new();
        for (kind, hosts) in [
            ("wn-cpu", cpu),
            ("wn-gpu", gpu),
            ("tn-cpu", tryme),
            ("server", nomad),
        ] {
            for (at, (key, host)) in hosts.iter().enumerate() {
                let name = if host.has(Role::Gateway) {
                    format!("{datacenter}-traefik")
                } else {
                    format!("{datacenter}-{kind}-{at}")
                };
                given.insert(key, name);
            }
        }
        for (key, host) in &self.site.hosts {
            if !is_known(host) {
                let what = format!("{datacenter}: {key} has no role that Ansible knows");
                self.lost.push(what);
                continue;
            }
            let usual = || format!("{datacenter}-{key}");
            let name = given.get(key).cloned().unwrap_or_else(usual);
            if host.node.as_str() != name {
                let what = format!(
                    "{datacenter}: Ansible calls the node of {key} `{name}`, and not `{}`",
                    host.node
                );
                self.lost.push(what);
            }
        }
    }
}

fn is_known(host: &Host) -> bool {
    host.has(Role::ConsulServer) || host.has(Role::NomadServer) || host.is_nomad_client()
}

fn jump(jump: &Jump) -> String {
    let user = jump
        .user
        .as_ref()
        .map_or_else(String::new, |user| format!("{user}@"));
    let port = if jump.port == 22 {
        String::new()
    } else {
        format!(":{}", jump.port)
    };
    format!("{user}{}{port}", jump.host)
}

fn volume(host: &Host) -> String {
    let Some(volume) = &host.volume else {
        return String::new();
    };
    let device = volume
        .device
        .strip_prefix("/dev/")
        .filter(|it| !it.contains('/'));
    let device = device.unwrap_or(&volume.device);
    format!(" vol_name={device} partition_name={}", volume.label)
}

/// The groups that are made of others.
fn children(family: &Family) -> String {
    let mut text = String::new();
    let mut group = |name: &str, children: &[&str]| {
        let _ = writeln!(text, "\n[{name}:children]\n{}", children.join("\n"));
    };
    let [consul, clients, nomad] = family.derived else {
        return text;
    };
    group(family.consul_servers[1], &[family.consul_servers[0]]);
    group(
        consul,
        &[family.consul_clients[0], family.consul_servers[1]],
    );
    if let [master, servers] = family.nomad_servers {
        group(servers, &[master]);
    }
    group(clients, &[family.cpu, family.gpu]);
    let servers = family.nomad_servers.last().copied().unwrap_or_default();
    group(nomad, &[clients, servers]);
    text
}
