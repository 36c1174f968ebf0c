//! The operator's store, with the program `age` as the judge.

mod damaged;
mod identity;
mod recipients;
mod store;
mod writers;

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use provisioner::plan::Secret;
use provisioner::secrets::{Identity, SecretsError, Store, keygen};
use serde_json::Value;

const GOSSIP: Secret = Secret::ConsulGossipKey;
const TOKEN: Secret = Secret::ConsulManagementToken;

/// An inventory folder and the identities of those who work with it.
struct Inventory(tempfile::TempDir);

impl Inventory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("inventory")
    }

    fn store(&self) -> PathBuf {
        self.folder().join("secrets/federation.age")
    }

    fn recipients(&self) -> PathBuf {
        self.folder().join("secrets/recipients.txt")
    }

    fn identity_file(&self, name: &str) -> PathBuf {
        self.0.path().join("identities").join(name)
    }

    /// An operator's identity, made when it is first asked for.
    fn identity(&self, name: &str) -> Identity {
        let path = self.identity_file(name);
        if !path.exists() {
            keygen(&path).unwrap();
        }
        Identity::from_file(&path).unwrap()
    }

    fn open(&self, name: &str) -> Result<Store, SecretsError> {
        Store::open(&self.folder(), &self.identity(name))
    }

    /// A store with two secrets, saved by Ana.
    fn with_two_secrets() -> Self {
        let inventory = Self::new();
        let mut store = inventory.open("ana").unwrap();
        store.ensure(&[GOSSIP, TOKEN]);
        store.save().unwrap();
        inventory
    }

    /// Puts a JSON text into the store by `age` alone.
    fn write_by_age(&self, name: &str, text: &Value, more: &[&str]) {
        let recipient = self.identity(name).recipient();
        fs::create_dir_all(self.folder().join("secrets")).unwrap();
        fs::write(self.recipients(), format!("{recipient}\n")).unwrap();
        let plain = self.0.path().join("plain.json");
        fs::write(&plain, text.to_string()).unwrap();
        let store = self.store();
        let mut arguments = vec!["-r", &recipient, "-o", store.to_str().unwrap()];
        arguments.extend(more);
        arguments.push(plain.to_str().unwrap());
        let output = run("age", &arguments);
        assert!(output.status.success(), "{output:?}");
    }

    /// What `age -d` finds in the store.
    fn read_by_age(&self, name: &str) -> Value {
        let identity = self.identity_file(name);
        let store = self.store();
        let output = run(
            "age",
            &[
                "-d",
                "-i",
                identity.to_str().unwrap(),
                store.to_str().unwrap(),
            ],
        );
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("the tests need the program {program}: {error}"))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// An error as an operator may meet it anywhere: its text, its causes, its debug form.
fn everything_said_by(error: &SecretsError) -> String {
    let mut text = format!("{error:?} {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text} {cause:?} {cause}");
        source = cause.source();
    }
    text
}
