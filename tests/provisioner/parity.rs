//! The rows of `docs/parity.md`: the table they stand in, and the tests of those that no other
//! room of tests proves.

mod changes;
mod consul;
mod files;
mod handouts;
mod host;
mod hosts;
mod import;
mod inventory;
mod nomad;
mod repository;
mod scripts;
mod secrets;
mod services;
mod table;
mod traefik;
mod tryme;
mod units;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use provisioner::inventory::{Inventory, load};
use provisioner::plan::{HostPlan, Plan, plan};
use provisioner::render::{Overrides, Rendered, render, tree};

use crate::golden::{Facts, facts, name};

/// The hosts of the samples, and their datacenters.
const NODES: &[(&str, &str)] = &[
    ("demo-ai4eosc-server-0", "demo-ai4eosc"),
    ("demo-ai4eosc-traefik", "demo-ai4eosc"),
    ("ifca-ai4eosc-server-0", "ifca-ai4eosc"),
    ("ifca-ai4eosc-server-1", "ifca-ai4eosc"),
    ("ifca-ai4eosc-server-2", "ifca-ai4eosc"),
];

/// The Consul servers of the samples.
const CONSUL_SERVERS: &[&str] = &[
    "demo-ai4eosc-server-0",
    "ifca-ai4eosc-server-0",
    "ifca-ai4eosc-server-1",
    "ifca-ai4eosc-server-2",
];

/// The Nomad servers of the samples.
const NOMAD_SERVERS: &[&str] = &[
    "ifca-ai4eosc-server-0",
    "ifca-ai4eosc-server-1",
    "ifca-ai4eosc-server-2",
];

/// The Nomad clients of the samples.
const NOMAD_CLIENTS: &[&str] = &["demo-ai4eosc-server-0", "demo-ai4eosc-traefik"];

/// An inventory, planned and rendered.
struct World {
    plan: Plan,
    rendered: Rendered,
    texts: BTreeMap<PathBuf, Arc<str>>,
}

impl World {
    fn of(inventory: &Inventory) -> Self {
        let plan = plan(inventory);
        let rendered = render(&plan, &Overrides::default()).unwrap();
        let texts = tree(plan.clone(), rendered.clone());
        Self {
            plan,
            rendered,
            texts,
        }
    }

    fn samples() -> Self {
        Self::of(&crate::golden::samples())
    }

    fn varied() -> Self {
        Self::of(&crate::render::varied())
    }

    fn example() -> Self {
        Self::of(&example(&[]))
    }

    fn host(&self, node: &str) -> &HostPlan {
        &self.plan.hosts[&name(node)]
    }

    fn text(&self, path: &str) -> &str {
        let text = self.texts.get(Path::new(path));
        text.unwrap_or_else(|| panic!("nothing is rendered for {path}"))
    }

    /// What a file says, by the path at which it says it.
    fn facts(&self, path: &str) -> Facts {
        facts(path, self.text(path))
    }

    /// A file says this, whatever else it says. Without a value it must not say it at all.
    fn says(&self, path: &str, expected: &[(&str, &str)]) {
        let facts = self.facts(path);
        for (fact, value) in expected {
            let said = facts.get(*fact).map_or("", String::as_str);
            assert_eq!(said, *value, "{path}: {fact}");
        }
    }

    /// The paths whose text holds a word.
    fn holding(&self, word: &str) -> Vec<&str> {
        let found = self.texts.iter().filter(|(_, text)| text.contains(word));
        found.map(|(path, _)| path.to_str().unwrap()).collect()
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A copy of the example inventory, edited: in a file, one text is replaced by another.
fn edited(edits: &[(&str, &str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sites")).unwrap();
    for file in ["federation.yaml", "sites/example-one.yaml"] {
        let path = repository().join("inventories/example").join(file);
        let mut text = fs::read_to_string(path).unwrap();
        for (_, from, to) in edits.iter().filter(|(edited, ..)| *edited == file) {
            assert!(text.contains(from), "`{from}` must be in {file}");
            text = text.replacen(from, to, 1);
        }
        fs::write(folder.path().join(file), text).unwrap();
    }
    folder
}

/// The example inventory, edited.
fn example(edits: &[(&str, &str, &str)]) -> Inventory {
    load(edited(edits).path()).unwrap().inventory
}

/// What an edited example answers, line by line.
fn problems(edits: &[(&str, &str, &str)]) -> String {
    match load(edited(edits).path()) {
        Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect(),
        Err(error) => error.to_string(),
    }
}
