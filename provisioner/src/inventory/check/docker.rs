//! The operator's own words for Docker's daemon: keys that it reads, and values as it takes them.
//!
//! The daemon does not start with a key that it does not know, or with a number where it wants a
//! text; nobody but it would say so, and only on the host.

use serde_json::{Map, Value};

use super::super::decode::Tree;
use super::super::file::FederationFile;
use super::super::problem::{Place, Problem, Problems};
use super::super::spelling::{did_you_mean, nearest};
use super::extra::{not_yours, owner};
use super::owned::DOCKER;
use crate::versions::{Kind, Options, Product, upstream};

/// Log drivers whose files have a size, and the options that say it.
const FILE_DRIVERS: [&str; 2] = ["json-file", "local"];
const FILE_OPTIONS: [&str; 3] = ["max-size", "max-file", "compress"];

/// What the federation's Docker reads.
#[derive(Clone, Copy)]
pub(super) struct Daemon {
    options: &'static Options,
    /// Whether a table describes its very line.
    is_known: bool,
}

impl Daemon {
    /// The one that the federation wants, if its version can be read.
    pub(super) fn of(file: &FederationFile) -> Option<Self> {
        let version = upstream(&file.docker.as_ref()?.value.version)?;
        let known = Options::of(Product::Docker, &version);
        Some(Self {
            is_known: known.is_ok(),
            options: known.unwrap_or_else(|unknown| unknown.closest),
        })
    }
}

/// Reports what one level may not add.
pub(super) fn docker(tree: &Tree, daemon: Option<Daemon>, problems: &Problems) {
    let is_live = tree
        .value
        .get("live-restore")
        .is_some_and(|value| value == true);
    let reader = Reader {
        tree,
        daemon,
        problems,
    };
    for (path, place) in &tree.keys {
        if let Some(why) = owner(path, DOCKER) {
            problems.error(place, not_yours(path), why);
        } else if path == "live-restore" && is_live {
            let what = "with `live-restore` Nomad starts jobs twice when Docker restarts";
            let hint = "leave it out: Nomad takes a lost daemon for the end of its jobs";
            problems.error(place, what, hint);
        }
    }
    reader.keys(&tree.value, &[]);
    reader.logs();
}

struct Reader<'a> {
    tree: &'a Tree,
    daemon: Option<Daemon>,
    problems: &'a Problems,
}

impl Reader<'_> {
    fn place(&self, path: &[&str]) -> Option<&Place> {
        let path = path.join(".");
        let mut keys = self.tree.keys.iter();
        keys.find(|(key, _)| *key == path).map(|(_, place)| place)
    }

    fn keys(&self, keys: &Map<String, Value>, above: &[&str]) {
        for (name, value) in keys {
            let path = [above, &[name.as_str()]].concat();
            if owner(&path.join("."), DOCKER).is_none() {
                self.key(&path, value);
            }
        }
    }

    fn key(&self, path: &[&str], value: &Value) {
        let Some((daemon, place)) = self.daemon.zip(self.place(path)) else {
            return;
        };
        // Beside the case of its own keys Docker compares that of no key at the top.
        let is_lower = path[0] == path[0].to_lowercase();
        match daemon.options.kind(path) {
            _ if value.is_null() => {
                let hint = "leave the key out, and what stands without it stays";
                self.problems.error(place, "nothing is said", hint);
            }
            Ok(Kind::Block) if is_lower => match value {
                Value::Object(keys) => self.keys(keys, path),
                value => self.expected("keys of its own", value, place),
            },
            Ok(kind) if is_lower => {
                if let Some(wanted) = unmet(kind, value) {
                    self.expected(wanted, value, place);
                }
            }
            Ok(_) => self.unknown(path, &[&path[0].to_lowercase()], daemon, place),
            Err(known) => self.unknown(path, &known, daemon, place),
        }
    }

    fn expected(&self, wanted: &str, value: &Value, place: &Place) {
        let what = format!("expected {wanted}, found {}", named(value));
        let hint = match value {
            Value::Number(_) | Value::Bool(_) if wanted == "a text" => "put it in quotes",
            _ => "Docker does not start with another",
        };
        self.problems.error(place, what, hint);
    }

    fn unknown(&self, path: &[&str], known: &[&str], daemon: Daemon, place: &Place) {
        let last = path.last().copied().unwrap_or_default();
        let what = format!("Docker {} reads no key `{last}` here", daemon.options);
        let hint = nearest(last, known).map_or_else(
            || "remove it, or correct it by Docker's reference of `dockerd`".to_owned(),
            did_you_mean,
        );
        // Docker passes over a feature without a meaning, and what a line that nobody has described
        // reads is not known.
        let problem = if daemon.is_known && path[0] != "features" {
            Problem::error(place, what)
        } else {
            Problem::warning(place, what)
        };
        self.problems.add(problem.hint(hint));
    }

    /// Options of log files, beside a driver that writes none.
    fn logs(&self) {
        let text = |key: &str| self.tree.value.get(key).and_then(Value::as_str);
        let Some(driver) = text("log-driver").filter(|it| !FILE_DRIVERS.contains(it)) else {
            return;
        };
        for option in FILE_OPTIONS {
            if let Some(place) = self.place(&["log-opts", option]) {
                let what = format!("the log driver `{driver}` has no option `{option}`");
                let hint = "leave one of the two out: Docker does not start with both";
                self.problems.error(place, what, hint);
            }
        }
    }
}

/// What is wanted instead of a value, if it is none of a kind.
fn unmet(kind: Kind, value: &Value) -> Option<&'static str> {
    let is_texts =
        |value: &Value| (value.as_array()).is_some_and(|all| all.iter().all(Value::is_string));
    let (is_met, wanted) = match kind {
        Kind::Text => (value.is_string(), "a text"),
        Kind::Number => (value.as_i64().is_some(), "a whole number"),
        Kind::Switch => (value.is_boolean(), "true or false"),
        Kind::Texts => (is_texts(value), "a list of texts"),
        Kind::Block | Kind::Anything => (true, ""),
    };
    (!is_met).then_some(wanted)
}

fn named(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) => format!("`{value}`"),
        Value::String(text) => format!("the text `{text}`"),
        Value::Array(items) => match items.iter().find(|item| !item.is_string()) {
            Some(other) => format!("a list with {}", named(other)),
            None => "a list".to_owned(),
        },
        Value::Object(_) => "a mapping".to_owned(),
    }
}
