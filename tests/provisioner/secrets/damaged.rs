//! Stores of others, damaged ones, and those of a newer Atoll.

use std::error::Error;
use std::fs;

use provisioner::secrets::{SecretsError, Store};
use serde_json::json;

use super::{GOSSIP, Inventory, everything_said_by};

#[test]
fn a_store_of_others_is_told_from_a_damaged_one() {
    let inventory = Inventory::with_two_secrets();
    let good = fs::read_to_string(inventory.store()).unwrap();
    let error_of = |text: &str| {
        fs::write(inventory.store(), text).unwrap();
        inventory.open("ana").unwrap_err()
    };
    for text in [
        "",
        "federation",
        &good[..good.len() / 2],
        &good.replace("-----END", "----END"),
    ] {
        let error = error_of(text);
        assert!(matches!(error, SecretsError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("from git"));
        assert!(error.source().is_some());
    }
    let conflict = format!("<<<<<<< HEAD\n{good}=======\n{good}>>>>>>> porto\n");
    let error = error_of(&conflict);
    assert!(matches!(error, SecretsError::Conflict { .. }), "{error}");
}

#[test]
fn no_altered_or_shortened_store_opens_as_another_one() {
    let inventory = Inventory::with_two_secrets();
    let store = inventory.open("ana").unwrap();
    let identity = inventory.identity("ana");
    let good = fs::read(inventory.store()).unwrap();
    let unharmed = |bytes: &[u8]| {
        fs::write(inventory.store(), bytes).unwrap();
        Store::open(&inventory.folder(), &identity).is_ok_and(|other| {
            assert!(store.values().eq(other.values()), "it says something else");
            true
        })
    };
    for length in 0..good.len() - 1 {
        assert!(!unharmed(&good[..length]), "cut to {length} bytes");
    }
    for index in 0..good.len() {
        let mut bytes = good.clone();
        bytes[index] ^= 1;
        assert!(!unharmed(&bytes), "altered at byte {index}");
    }
    assert!(unharmed(&good));
}

#[test]
fn what_is_no_store_is_told_without_showing_it() {
    let inventory = Inventory::new();
    let cases = [
        json!({ "format": 1, "secrets": { "consul/gossip-key": 7_777_777 } }),
        json!({ "format": 1, "secrets": "7777777" }),
        json!({ "format": 1, "secret": { "7777777": "7777777" } }),
        json!({ "format": "7777777" }),
        json!(["7777777"]),
        json!({ "format": 1, "authorities": { "consul": { "key_pem": "7777777" } } }),
        json!({ "format": 1, "authorities": { "7777777": {} } }),
    ];
    for text in cases {
        inventory.write_by_age("ana", &text, &["-a"]);
        let error = inventory.open("ana").unwrap_err();
        assert!(matches!(error, SecretsError::NotAStore { .. }), "{error}");
        assert!(!everything_said_by(&error).contains("7777777"), "{error}");
    }
}

#[test]
fn a_store_of_a_newer_atoll_is_left_alone() {
    let inventory = Inventory::new();
    let text = json!({ "format": 2, "vault": "elsewhere" });
    inventory.write_by_age("ana", &text, &["-a"]);
    let error = inventory.open("ana").unwrap_err();
    assert!(
        matches!(error, SecretsError::NewerFormat { format: 2, .. }),
        "{error}"
    );
    assert!(error.to_string().ends_with("use a newer atoll"));
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let inventory = Inventory::new();
    fs::create_dir(inventory.folder()).unwrap();
    let mut store = inventory.open("ana").unwrap();
    fs::write(inventory.folder().join("secrets"), "a file").unwrap();
    store.ensure(&[GOSSIP]);
    let error = store.save().unwrap_err();
    assert!(matches!(error, SecretsError::Write { .. }), "{error}");
    assert!(store.is_changed());
}
