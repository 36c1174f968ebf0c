//! An OpenSSH client's configuration, as far as it says how hosts are reached.
//!
//! The first value of a keyword wins, and patterns are matched against the name that is typed:
//! for Ansible that is `ansible_host`, mostly an address.

use std::rc::Rc;

use crate::wildcard::is_like;

use super::report::{Findings, Place};

/// Keywords that say how a host is reached.
const USED: &[&str] = &["hostname", "port", "proxycommand", "proxyjump", "user"];
/// Keywords that change nothing of what an inventory says.
const QUIET: &[&str] = &[
    "addkeystoagent",
    "compression",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "identitiesonly",
    "loglevel",
    "serveralivecountmax",
    "serveraliveinterval",
    "tcpkeepalive",
];
/// Keywords that Atoll has another way for, each with that.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "identityfile",
        "name the key with `--key` or ATOLL_SSH_KEY, or have it in ssh-agent",
    ),
    (
        "stricthostkeychecking",
        "Atoll always compares hosts' keys with `known_hosts`",
    ),
    (
        "userknownhostsfile",
        "copy what it says of these hosts into the inventory's `known_hosts`",
    ),
];

/// Lines that say something.
const MAX_LINES: usize = 2000;
/// Bytes of a line.
const MAX_LINE: usize = 1024;

/// A configuration; without a file, one that says nothing.
#[derive(Debug, Default)]
pub(super) struct SshConfig {
    blocks: Vec<Block>,
}

/// What holds for the hosts that patterns name.
#[derive(Debug)]
struct Block {
    patterns: Vec<String>,
    /// Keywords in small letters, with their values and places.
    options: Vec<(String, String, Place)>,
}

impl SshConfig {
    /// Reads a configuration; what has no meaning here is reported.
    pub(super) fn read(file: &Rc<str>, text: &str, findings: &Findings) -> Self {
        let mut blocks = vec![Block {
            patterns: vec!["*".to_owned()],
            options: Vec::new(),
        }];
        let mut lines = 0;
        for (line, number) in text.lines().zip(1..) {
            let text = line.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            lines += 1;
            if lines > MAX_LINES || text.len() > MAX_LINE {
                let what =
                    format!("more than {MAX_LINES} lines, or one of more than {MAX_LINE} bytes");
                let hint = "give a configuration of this site's hosts alone";
                findings.error(&Place::at(file, number, 1), what, hint);
                break;
            }
            let column = line.chars().take_while(|c| c.is_whitespace()).count() + 1;
            let place = Place::at(file, number, column);
            let is_end = |c: char| c.is_whitespace() || c == '=';
            let (keyword, value) = text.split_once(is_end).unwrap_or((text, ""));
            let value = value.trim_start_matches(is_end).trim_matches('"');
            let keyword = keyword.to_ascii_lowercase();
            if let Some(patterns) = patterns(&keyword, value, &place, findings) {
                blocks.push(Block {
                    patterns,
                    options: Vec::new(),
                });
            } else if !USED.contains(&keyword.as_str()) {
                unused(&keyword, &place, findings);
            } else if let Some(block) = blocks.last_mut() {
                block.options.push((keyword, value.to_owned(), place));
            }
        }
        Self { blocks }
    }

    /// The first value of a keyword for a typed name.
    pub(super) fn get(&self, typed: &str, keyword: &str) -> Option<(&str, &Place)> {
        let blocks = self.blocks.iter().filter(|block| block.is_of(typed));
        let mut options = blocks.flat_map(|block| &block.options);
        let found = options.find(|(known, ..)| known == keyword);
        found.map(|(_, value, place)| (value.as_str(), place))
    }
}

impl Block {
    fn is_of(&self, typed: &str) -> bool {
        let matches = |pattern: &str| is_like(typed, pattern);
        let mut refused = self.patterns.iter().filter_map(|it| it.strip_prefix('!'));
        let mut wanted = self.patterns.iter().filter(|it| !it.starts_with('!'));
        !refused.any(matches) && wanted.any(|pattern| matches(pattern))
    }
}

/// The patterns of a line that begins a block; none of a block that cannot be read match.
fn patterns(keyword: &str, value: &str, place: &Place, findings: &Findings) -> Option<Vec<String>> {
    let split = |text: &str, at: fn(char) -> bool| {
        let parts = text.split(at).filter(|part| !part.is_empty());
        parts
            .map(|part| part.trim_matches('"').to_owned())
            .collect()
    };
    if keyword == "host" {
        return Some(split(value, char::is_whitespace));
    }
    if keyword != "match" {
        return None;
    }
    let words: Vec<_> = value.split_whitespace().collect();
    match words.as_slice() {
        [word] if word.eq_ignore_ascii_case("all") => Some(vec!["*".to_owned()]),
        [word, hosts] if ["host", "originalhost"].contains(&word.to_ascii_lowercase().as_str()) => {
            Some(split(hosts, |c| c == ','))
        }
        _ => {
            let what = format!("`Match {value}` was not read");
            let hint =
                "say what it means for these hosts as `Host` patterns, or in the site's file";
            findings.decide(place, what, hint);
            Some(Vec::new())
        }
    }
}

fn unused(keyword: &str, place: &Place, findings: &Findings) {
    if QUIET.contains(&keyword) {
        return;
    }
    if keyword == "include" {
        let what = "the included files were not read";
        return findings.decide(
            place,
            what,
            "write into this file what they say of these hosts",
        );
    }
    let elsewhere = ELSEWHERE.iter().find(|(known, _)| *known == keyword);
    let hint = elsewhere.map_or("only what says how hosts are reached is", |(_, hint)| hint);
    let what = format!("the SSH option `{keyword}` is not taken over");
    findings.dropped(place, what, hint);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_wins_and_a_negated_pattern_excludes() {
        let text = "User first\nHost * !192.0.2.9\n  user=second\n  Port 2222\nmatch host 192.0.2.9,x\nPort \"99\"";
        let config = SshConfig::read(&"config".into(), text, &Findings::default());
        for (typed, keyword, value) in [
            ("192.0.2.7", "user", Some("first")),
            ("192.0.2.7", "port", Some("2222")),
            ("192.0.2.9", "port", Some("99")),
            ("192.0.2.9", "proxyjump", None),
        ] {
            let found = config.get(typed, keyword).map(|(value, _)| value);
            assert_eq!(found, value, "{typed} {keyword}");
        }
    }
}
