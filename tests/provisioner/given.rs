//! What only people can give: it is asked for before anything is changed, and never made up.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use provisioner::plan::Secret;
use provisioner::secrets::{Identity, Store};
use tempfile::TempDir;

use crate::golden::{fixtures, name};

/// Runs `atoll` with an identity and nothing else of ours in its environment.
fn atoll(identity: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_atoll"))
        .args(arguments)
        .env_clear()
        .env("ATOLL_IDENTITY_FILE", identity)
        .output()
        .unwrap()
}

/// A copy of the fixture in which a site has certificates of its own, and an identity.
fn home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let (from, to) = (
        fixtures().join("inventories/two-sites"),
        home.path().join("inventory"),
    );
    fs::create_dir_all(to.join("sites")).unwrap();
    for file in ["federation.yaml", "sites/alpha.yaml", "sites/beta.yaml"] {
        let text = fs::read_to_string(from.join(file)).unwrap();
        // Who cannot go through other hosts would be told of that first.
        let text = text.replace(", jump: [bastion.beta.example.org:22]", "");
        fs::write(to.join(file), text).unwrap();
    }
    fs::write(to.join("artifacts.lock"), "").unwrap();
    fs::write(to.join("known_hosts"), "").unwrap();
    let identity = home.path().join("identity");
    let made = atoll(
        &identity,
        &["secrets", "keygen", identity.to_str().unwrap()],
    );
    assert!(made.status.success(), "{made:?}");
    home
}

#[test]
fn apply_does_not_begin_without_the_certificates_that_a_site_was_given() {
    let home = home();
    let (inventory, identity) = (home.path().join("inventory"), home.path().join("identity"));
    let refused = atoll(&identity, &["apply", "--yes", inventory.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    for part in ["certificate", "key"] {
        let name = format!("datacenter/beta-two/traefik/imagine/{part}");
        assert!(said.contains(&name), "{said}");
    }
    assert!(!inventory.join("secrets").exists(), "secrets were made");
}

#[test]
fn what_is_given_is_not_made() {
    let home = home();
    let identity = Identity::from_file(&home.path().join("identity")).unwrap();
    let mut store = Store::open(&home.path().join("inventory"), &identity).unwrap();
    let given = Secret::GatewayKey(name("beta-two"), "imagine".to_owned());
    assert_eq!(store.ensure(std::slice::from_ref(&given)), []);
    store.set(&given, "a key in PEM");
    assert_eq!(store.value(&given), Some("a key in PEM"));
}
