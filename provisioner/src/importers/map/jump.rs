//! The hosts through which SSH goes, from Ansible's arguments or from OpenSSH's configuration.

use std::collections::BTreeMap;

use super::{Member, Source};
use crate::importers::report::Place;

/// Hosts on the way to a host on the way.
const MAX_HOPS: usize = 8;

/// The way to the site: one for all of its hosts.
pub(super) fn jump(source: &Source, members: &[Member]) -> Vec<String> {
    let mut ways: BTreeMap<Vec<String>, Place> = BTreeMap::new();
    let mut direct = 0;
    for member in members {
        match of_member(source, member) {
            Some((way, place)) => _ = ways.entry(way).or_insert(place),
            None => direct += 1,
        }
    }
    let Some((way, place)) = ways.iter().min_by_key(|(_, place)| (*place).clone()) else {
        return Vec::new();
    };
    if ways.len() > 1 || direct > 0 {
        let what = format!("not all hosts are reached through {}", way.join(", then "));
        let hint = "a site has one way to its hosts: see that this one reaches all of them";
        source.findings.decide(place, what, hint);
    }
    way.clone()
}

fn of_member(source: &Source, member: &Member) -> Option<(Vec<String>, Place)> {
    let names = ["ansible_ssh_common_args", "ansible_ssh_extra_args"];
    let mut given = names
        .iter()
        .filter_map(|name| source.text(Some(&member.name), name));
    let of_ansible = given.find_map(|(args, place)| Some((way(source, &args, &place)?, place)));
    let (way, place) = of_ansible.or_else(|| configured(source, &source.typed(member)))?;
    let expanded = way.iter().flat_map(|hop| expanded(source, hop, 0));
    Some((expanded.collect(), place))
}

/// What OpenSSH's configuration says of a typed name.
fn configured(source: &Source, typed: &str) -> Option<(Vec<String>, Place)> {
    let jump = source.ssh.get(typed, "proxyjump");
    let jump = jump.map(|(hosts, place)| (format!("-o ProxyJump={hosts}"), place));
    let command = || source.ssh.get(typed, "proxycommand");
    let command = || command().map(|(line, place)| (format!("-o ProxyCommand={line}"), place));
    let (args, place) = jump.or_else(command)?;
    Some((way(source, &args, place)?, place.clone()))
}

/// A hop as `[user@]host[:port]`, with what the configuration says of its name, and the hops
/// before it.
fn expanded(source: &Source, hop: &str, depth: usize) -> Vec<String> {
    let (user, rest) = hop
        .split_once('@')
        .map_or((None, hop), |(user, rest)| (Some(user), rest));
    let (name, port) = rest
        .rsplit_once(':')
        .map_or((rest, None), |(name, port)| (name, Some(port)));
    let get = |keyword| source.ssh.get(name, keyword).map(|(value, _)| value);
    let host = get("hostname").map_or_else(|| name.to_owned(), |it| it.replace("%h", name));
    let user = user
        .or_else(|| get("user"))
        .map_or_else(String::new, |user| format!("{user}@"));
    let port = port.or_else(|| get("port")).filter(|port| *port != "22");
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let before = configured(source, name).filter(|_| depth < MAX_HOPS);
    let before = before.into_iter().flat_map(|(way, _)| way);
    let mut way: Vec<_> = before
        .flat_map(|hop| expanded(source, &hop, depth + 1))
        .take(MAX_HOPS)
        .collect();
    way.push(format!("{user}{host}{port}"));
    way
}

/// The hosts that SSH's arguments name: after `-J` or `ProxyJump=`, or in a `ProxyCommand`.
fn way(source: &Source, args: &str, place: &Place) -> Option<Vec<String>> {
    let bare = |word: &'static [char]| move |text: &str| text.trim_matches(word).to_owned();
    let words: Vec<String> = args.split_whitespace().map(bare(&['"', '\''])).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let after = |flag: &str| {
        words
            .get(words.iter().position(|word| *word == flag)? + 1)
            .copied()
    };
    let value = |word: &&str, name| {
        word.trim_start_matches("-o")
            .strip_prefix(name)
            .map(str::to_owned)
    };
    let option = |name| words.iter().find_map(|word| value(word, name));
    if let Some(hosts) = after("-J")
        .map(str::to_owned)
        .or_else(|| option("ProxyJump="))
    {
        let hosts = hosts
            .split(',')
            .filter(|host| !host.is_empty() && *host != "none");
        return Some(hosts.map(str::to_owned).collect()).filter(|it: &Vec<_>| !it.is_empty());
    }
    let start = words
        .iter()
        .position(|word| value(word, "ProxyCommand=").is_some());
    let command = start.map(|start| (value(&words[start], "ProxyCommand="), &words[start + 1..]));
    match command {
        Some((Some(program), rest)) if program == "ssh" => through(rest).map(|hop| vec![hop]),
        Some((Some(program), _)) if program == "none" => None,
        Some(_) => {
            let what = "a ProxyCommand which is not `ssh -W %h:%p HOST` is not taken over";
            let hint = "say `ssh: { jump: […] }` in the site's file";
            source.findings.decide(place, what, hint);
            None
        }
        None if words.is_empty() => None,
        None => {
            let what = format!("the SSH options `{args}` are not taken over");
            let hint = "only the way through other hosts is";
            source.findings.dropped(place, what, hint);
            None
        }
    }
}

/// The host that the words after `ssh` name, as a hop.
fn through(words: &[&str]) -> Option<String> {
    let with_value = ["-p", "-l", "-i", "-o", "-W", "-F"];
    let (mut user, mut port, mut host) = (None, None, None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "-p" => port = words.next(),
            "-l" => user = words.next(),
            flag if with_value.contains(&flag) => _ = words.next(),
            flag if flag.starts_with('-') => {}
            name => host = host.or(Some(name)),
        }
    }
    let user = user.map_or_else(String::new, |user| format!("{user}@"));
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    Some(format!("{user}{}{port}", host?))
}
