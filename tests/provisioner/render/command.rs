//! `atoll render` as an operator runs it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use provisioner::inventory;
use provisioner::plan::{Plan, Secret, plan};
use provisioner::secrets::{Identity, Store, keygen};

/// An inventory to render, and a folder to render into.
struct Place(tempfile::TempDir);

impl Place {
    /// A copy of the example's files.
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inventories/example");
        let copy = place.inventory();
        fs::create_dir_all(copy.join("sites")).unwrap();
        for file in ["federation.yaml", "sites/example-one.yaml"] {
            fs::copy(example.join(file), copy.join(file)).unwrap();
        }
        place
    }

    fn inventory(&self) -> std::path::PathBuf {
        self.0.path().join("inventory")
    }

    fn out(&self) -> std::path::PathBuf {
        self.0.path().join("out")
    }

    fn identity(&self) -> std::path::PathBuf {
        self.0.path().join("identity")
    }

    fn plan(&self) -> Plan {
        plan(&inventory::load(&self.inventory()).unwrap().inventory)
    }

    fn render(&self, flags: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_atoll"))
            .arg("render")
            .arg(self.inventory())
            .arg("--out")
            .arg(self.out())
            .args(flags)
            .env("ATOLL_IDENTITY_FILE", self.identity())
            .output()
            .unwrap()
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.out().join(path)).unwrap()
    }
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Neither the identity nor a store is there.
#[test]
fn without_secrets_no_store_is_opened() {
    let place = Place::new();
    let output = place.render(&[]);
    assert!(output.status.success(), "{}", told(&output));
    let gossip = Secret::ConsulGossipKey.placeholder();
    assert!(
        place
            .text("example-one-wn-0/etc/consul.d/consul.hcl")
            .contains(&gossip)
    );
    assert!(place.out().join("federation").is_dir());
}

#[test]
fn the_chosen_hosts_alone_are_rendered() {
    let place = Place::new();
    let output = place.render(&["--on", "wn-1,@gateway"]);
    assert!(output.status.success(), "{}", told(&output));
    let mut there: Vec<_> = fs::read_dir(place.out())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    there.sort();
    assert_eq!(there, ["example-one-gateway-0", "example-one-wn-1"]);
    let output = place.render(&["--on", "wn-9"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        told(&output).contains("no host is meant by `wn-9`"),
        "{}",
        told(&output)
    );
}

#[test]
fn secrets_are_filled_in_when_they_are_asked_for() {
    let place = Place::new();
    keygen(&place.identity()).unwrap();
    let output = place.render(&["--with-secrets"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        told(&output).contains("`atoll apply` makes the secrets"),
        "{}",
        told(&output)
    );
    assert!(!place.out().exists(), "something was written");

    let identity = Identity::from_file(&place.identity()).unwrap();
    let mut store = Store::open(&place.inventory(), &identity).unwrap();
    store.ensure(&place.plan().secrets().into_iter().collect::<Vec<_>>());
    store.save().unwrap();
    let output = place.render(&["--with-secrets"]);
    assert!(output.status.success(), "{}", told(&output));
    let text = place.text("example-one-wn-0/etc/consul.d/consul.hcl");
    let key = store.value(&Secret::ConsulGossipKey).unwrap();
    assert!(text.contains(key) && !text.contains("@secret("), "{text}");
    let mode = fs::metadata(place.out()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
