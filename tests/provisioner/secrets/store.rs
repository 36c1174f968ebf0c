//! What was saved is found again, is closed to others, and is age's own format.

use std::collections::BTreeSet;
use std::fs;

use jiff::Timestamp;
use provisioner::pki::{Verdict, examine_authority};
use provisioner::plan::{Authority, Secret};
use serde_json::json;

use super::{GOSSIP, Inventory, TOKEN, mode, names_in};

#[test]
fn a_new_store_is_empty_and_not_written_for_nothing() {
    let inventory = Inventory::new();
    let mut store = inventory.open("ana").unwrap();
    assert_eq!(store.value(&GOSSIP), None);
    assert_eq!(store.authority(Authority::Nomad), None);
    assert!(!store.is_changed());
    store.save().unwrap();
    assert!(!inventory.store().exists());
}

#[test]
fn what_was_saved_is_found_again() {
    let inventory = Inventory::new();
    let mut store = inventory.open("ana").unwrap();
    let node = Secret::ConsulAgentToken("lisbon-gpu-0".parse().unwrap());
    store.set(&node, "9f2d0c53-7d55-44cc-9ad2-0e62d3a3c0de");
    let made = store.ensure(&[GOSSIP, node.clone(), TOKEN]);
    assert_eq!(made, [GOSSIP, TOKEN], "a value that is there stays");
    assert!(store.is_changed());
    store.save().unwrap();
    assert!(!store.is_changed());

    let mut again = inventory.open("ana").unwrap();
    for secret in [&GOSSIP, &TOKEN, &node] {
        assert_eq!(again.value(secret), store.value(secret));
    }
    assert_eq!(again.ensure(&[GOSSIP, node, TOKEN]), []);
    assert!(!again.is_changed());
    assert_eq!(
        again.names().collect::<Vec<_>>(),
        [
            "consul/gossip-key",
            "consul/management-token",
            "node/lisbon-gpu-0/consul/agent-token",
        ]
    );
}

#[test]
fn values_have_the_form_that_consul_and_nomad_want() {
    use base64::Engine;
    let inventory = Inventory::with_two_secrets();
    let store = inventory.open("ana").unwrap();
    let key = base64::engine::general_purpose::STANDARD
        .decode(store.value(&GOSSIP).unwrap())
        .unwrap();
    assert_eq!(key.len(), 32);
    let token = store.value(&TOKEN).unwrap();
    assert_eq!(token.len(), 36);
    assert_eq!(token.as_bytes()[14], b'4', "a random UUID: {token}");
}

#[test]
fn a_save_leaves_two_files_and_nothing_to_read() {
    let inventory = Inventory::with_two_secrets();
    let folder = inventory.folder().join("secrets");
    let expected = ["federation.age", "recipients.txt"].map(String::from);
    assert_eq!(names_in(&folder), BTreeSet::from(expected));
    assert_eq!(mode(&inventory.store()), 0o600);

    let text = fs::read_to_string(inventory.store()).unwrap();
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
    let store = inventory.open("ana").unwrap();
    assert!(store.values().all(|value| !text.contains(value)));
    let list = fs::read_to_string(inventory.recipients()).unwrap();
    assert!(list.ends_with(&format!("{}\n", inventory.identity("ana").recipient())));
}

#[test]
fn a_save_without_a_change_leaves_the_bytes() {
    let inventory = Inventory::with_two_secrets();
    let before = fs::read(inventory.store()).unwrap();
    let mut store = inventory.open("ana").unwrap();
    let value = store.value(&TOKEN).unwrap().to_owned();
    store.set(&TOKEN, &value);
    store.save().unwrap();
    assert_eq!(fs::read(inventory.store()).unwrap(), before);
}

#[test]
fn age_opens_what_we_saved() {
    let inventory = Inventory::with_two_secrets();
    let text = inventory.read_by_age("ana");
    let store = inventory.open("ana").unwrap();
    assert_eq!(text["format"], 1);
    assert_eq!(
        text["secrets"]["consul/gossip-key"],
        store.value(&GOSSIP).unwrap()
    );
    assert_eq!(
        text["recipients"],
        json!([inventory.identity("ana").recipient()])
    );
    let keys: Vec<_> = text.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["format", "salt", "recipients", "secrets", "authorities"]
    );
}

#[test]
fn we_open_what_age_encrypted() {
    for armor in [&["-a"][..], &[]] {
        let inventory = Inventory::new();
        let text =
            json!({ "format": 1, "secrets": { "consul/gossip-key": "a2V5" }, "authorities": {} });
        inventory.write_by_age("ana", &text, armor);
        let mut store = inventory.open("ana").unwrap();
        assert_eq!(store.value(&GOSSIP), Some("a2V5"));
        assert!(
            store.is_changed(),
            "it has no salt and no list of recipients yet"
        );
        let fingerprint = store.fingerprint("a2V5");
        store.save().unwrap();
        let store = inventory.open("ana").unwrap();
        assert!(!store.is_changed());
        assert_eq!(store.fingerprint("a2V5"), fingerprint);
        assert_eq!(
            inventory.read_by_age("ana")["secrets"]["consul/gossip-key"],
            "a2V5"
        );
    }
}

#[test]
fn authorities_are_made_once() {
    let inventory = Inventory::new();
    let federation = "example".parse().unwrap();
    let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let mut store = inventory.open("ana").unwrap();
    let all = [Authority::Consul, Authority::Nomad, Authority::Atoll];
    assert_eq!(store.ensure_authorities(&federation, now).unwrap(), all);
    store.save().unwrap();

    let mut again = inventory.open("ana").unwrap();
    assert_eq!(again.ensure_authorities(&federation, now).unwrap(), []);
    assert!(!again.is_changed());
    for authority in all {
        let ca = again.authority(authority).unwrap();
        assert_eq!(Some(ca), store.authority(authority));
        let verdict = examine_authority(&ca.certificate_pem, now);
        assert!(matches!(verdict, Verdict::Good { .. }));
    }
    let text = inventory.read_by_age("ana");
    let keys: Vec<_> = text["authorities"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["consul", "nomad", "atoll"]);
}

#[test]
fn a_leak_of_any_secret_is_found_by_its_values() {
    let inventory = Inventory::with_two_secrets();
    let mut store = inventory.open("ana").unwrap();
    let now = "2026-03-01T12:00:00Z".parse().unwrap();
    store
        .ensure_authorities(&"example".parse().unwrap(), now)
        .unwrap();
    let key = &store.authority(Authority::Atoll).unwrap().key_pem;
    let leaks = [
        format!("token = {}", store.value(&TOKEN).unwrap()),
        key.clone(),
        json!({ "event": key }).to_string(),
        key.lines()
            .filter(|line| !line.starts_with('-'))
            .collect::<String>(),
        key.replace('\n', "\n    "),
    ];
    for leak in leaks {
        assert!(store.values().any(|value| leak.contains(value)), "{leak}");
    }
    let certificate = &store.authority(Authority::Atoll).unwrap().certificate_pem;
    assert!(store.values().all(|value| !certificate.contains(value)));
    assert!(
        store.values().all(|value| value.len() >= 36),
        "none is there by chance"
    );
    let shown = format!("{store:?} {:?}", inventory.identity("ana"));
    assert!(store.values().all(|value| !shown.contains(value)));
    assert!(!shown.contains("SECRET"));
}

#[test]
fn a_fingerprint_tells_values_apart_within_one_store_only() {
    let inventory = Inventory::with_two_secrets();
    let store = inventory.open("ana").unwrap();
    let fingerprint = store.fingerprint("value");
    assert_eq!(fingerprint.len(), 8);
    assert!(fingerprint.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(
        inventory.open("ana").unwrap().fingerprint("value"),
        fingerprint
    );
    assert_ne!(store.fingerprint("value "), fingerprint);
    let other = Inventory::with_two_secrets();
    assert_ne!(other.open("ana").unwrap().fingerprint("value"), fingerprint);
}
