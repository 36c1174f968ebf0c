//! What the JSON documents look like that `atoll` writes: a JSON Schema of each, for those who
//! read them with programs.
//!
//! A type that is only written has no reader that could tell its keys, so they stand here once
//! more. A test holds both together: every document that is written must be as its schema says,
//! and no schema may say anything that no document needs. The inventory's own files, which people
//! write, have theirs in [`crate::inventory::schema`].

mod rendered;
mod shape;
mod told;

use std::path::Path;

use serde_json::{Value, json};

/// A kind of JSON document that `atoll` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Written {
    /// `<node>/manifest.json` of a rendering.
    Manifest,
    /// `federation/firewall/matrix.json` of a rendering.
    Firewall,
    /// `federation/namespaces.json` of a rendering.
    Namespaces,
    /// `federation/scheduler.json` of a rendering.
    Scheduler,
    /// `federation/papi/unlisted.json` of a rendering.
    Unlisted,
    /// `/etc/docker/daemon.json` of a host.
    Docker,
    /// `/var/lib/atoll/manifest.json` of a host.
    HostState,
    /// A line about an inventory.
    Problem,
    /// A line about an import.
    Finding,
    /// A line about a run.
    Event,
    /// A line with which a command ends that writes files or only reads.
    Answer,
}

impl Written {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Manifest,
        Self::Firewall,
        Self::Namespaces,
        Self::Scheduler,
        Self::Unlisted,
        Self::Docker,
        Self::HostState,
        Self::Problem,
        Self::Finding,
        Self::Event,
        Self::Answer,
    ];

    /// The name by which its schema is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Firewall => "firewall",
            Self::Namespaces => "namespaces",
            Self::Scheduler => "scheduler",
            Self::Unlisted => "unlisted",
            Self::Docker => "docker",
            Self::HostState => "host-state",
            Self::Problem => "problem",
            Self::Finding => "finding",
            Self::Event => "event",
            Self::Answer => "answer",
        }
    }

    /// The kind of a file by its path in the tree of a rendering; nothing, if none is known.
    pub fn of_rendered(path: &Path) -> Option<Self> {
        let path = path.to_str()?;
        let (folder, rest) = path.split_once('/')?;
        match (folder, rest) {
            ("federation", "firewall/matrix.json") => Some(Self::Firewall),
            ("federation", "namespaces.json") => Some(Self::Namespaces),
            ("federation", "scheduler.json") => Some(Self::Scheduler),
            ("federation", "papi/unlisted.json") => Some(Self::Unlisted),
            ("federation", _) => None,
            (_, "manifest.json") => Some(Self::Manifest),
            (_, "etc/docker/daemon.json") => Some(Self::Docker),
            _ => None,
        }
    }

    /// The JSON Schema (2020-12) of such a document.
    pub fn schema(self) -> Value {
        let (title, body) = match self {
            Self::Manifest => (
                "manifest.json of a host in the output of atoll render",
                rendered::manifest(),
            ),
            Self::Firewall => (
                "federation/firewall/matrix.json in the output of atoll render",
                rendered::firewall(),
            ),
            Self::Namespaces => (
                "federation/namespaces.json in the output of atoll render",
                rendered::namespaces(),
            ),
            Self::Scheduler => (
                "federation/scheduler.json in the output of atoll render",
                rendered::scheduler(),
            ),
            Self::Unlisted => (
                "federation/papi/unlisted.json in the output of atoll render",
                rendered::unlisted(),
            ),
            Self::Docker => ("/etc/docker/daemon.json of a host", rendered::docker()),
            Self::HostState => (
                "/var/lib/atoll/manifest.json of a host",
                rendered::host_state(),
            ),
            Self::Problem => (
                "A line about an inventory from atoll --output json",
                told::problem(),
            ),
            Self::Finding => (
                "A line about a source from atoll --output json import",
                told::finding(),
            ),
            Self::Event => (
                "A line of a run from atoll --output json plan, apply or verify",
                told::event(),
            ),
            Self::Answer => (
                "The last line of atoll --output json check, render, init, import, export, artifacts or secrets",
                told::answer(),
            ),
        };
        let head =
            json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "title": title });
        let parts = [head, body].into_iter().filter_map(|part| match part {
            Value::Object(part) => Some(part),
            _ => None,
        });
        parts.flatten().collect::<serde_json::Map<_, _>>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rendered_file_is_known_by_its_place() {
        for (path, expected) in [
            ("one-wn-0/manifest.json", Some(Written::Manifest)),
            ("one-wn-0/etc/docker/daemon.json", Some(Written::Docker)),
            ("federation/namespaces.json", Some(Written::Namespaces)),
            ("federation/manifest.json", None),
            ("one-wn-0/etc/docker/other.json", None),
            ("manifest.json", None),
        ] {
            assert_eq!(Written::of_rendered(Path::new(path)), expected, "{path}");
        }
    }

    /// What has no title or says nothing of a value is no help.
    #[test]
    fn every_value_says_what_it_is_for() {
        fn silent(schema: &Value, path: &str, all: &mut Vec<String>) {
            for (key, value) in schema["properties"].as_object().into_iter().flatten() {
                let below = format!("{path}.{key}");
                let said = value["description"].as_str().unwrap_or_default();
                if said.len() < 3 && value.get("const").is_none() {
                    all.push(below.clone());
                }
                silent(value, &below, all);
            }
            let parts = ["items", "additionalProperties"].into_iter();
            for part in parts.filter_map(|part| schema.get(part)) {
                silent(part, &format!("{path}.*"), all);
            }
            for form in schema["anyOf"].as_array().into_iter().flatten() {
                silent(form, path, all);
            }
        }
        for kind in Written::ALL {
            let mut all = Vec::new();
            silent(&kind.schema(), "", &mut all);
            assert!(all.is_empty(), "{kind:?}: {all:?}");
        }
    }
}
