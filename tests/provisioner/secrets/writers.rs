//! Several who write a store at once.

use std::fs;

use provisioner::plan::Secret;
use provisioner::secrets::SecretsError;

use super::{GOSSIP, Inventory, TOKEN};

#[test]
fn the_second_of_two_writers_is_told_and_nothing_is_lost() {
    let inventory = Inventory::with_two_secrets();
    let (mut first, mut second) = (
        inventory.open("ana").unwrap(),
        inventory.open("ana").unwrap(),
    );
    first.set(&Secret::NomadGossipKey, "Zmlyc3Q=");
    second.set(&Secret::NomadManagementToken, "second");
    first.save().unwrap();
    let saved = fs::read(inventory.store()).unwrap();
    let error = second.save().unwrap_err();
    assert!(matches!(error, SecretsError::Changed { .. }), "{error}");
    assert!(error.to_string().contains("run the command again"));
    assert!(second.is_changed());
    assert_eq!(fs::read(inventory.store()).unwrap(), saved);

    let mut second = inventory.open("ana").unwrap();
    second.set(&Secret::NomadManagementToken, "second");
    second.save().unwrap();
    let store = inventory.open("ana").unwrap();
    assert_eq!(store.value(&Secret::NomadGossipKey), Some("Zmlyc3Q="));
}

#[test]
fn of_many_writers_at_once_one_wins() {
    let inventory = Inventory::with_two_secrets();
    let stores: Vec<_> = (0..8).map(|_| inventory.open("ana").unwrap()).collect();
    let writers: Vec<_> = stores
        .into_iter()
        .enumerate()
        .map(|(index, mut store)| {
            std::thread::spawn(move || {
                store.set(&TOKEN, &format!("writer {index}"));
                store.save().is_ok()
            })
        })
        .collect();
    let wins: Vec<bool> = writers
        .into_iter()
        .map(|writer| writer.join().unwrap())
        .collect();
    assert_eq!(wins.iter().filter(|won| **won).count(), 1, "{wins:?}");
    let winner = wins.iter().position(|won| *won).unwrap();
    let store = inventory.open("ana").unwrap();
    assert_eq!(
        store.value(&TOKEN),
        Some(format!("writer {winner}").as_str())
    );
}

#[test]
fn of_two_who_make_the_store_one_wins() {
    let inventory = Inventory::new();
    let (mut ana, mut bo) = (
        inventory.open("ana").unwrap(),
        inventory.open("bo").unwrap(),
    );
    ana.ensure(&[GOSSIP]);
    bo.ensure(&[GOSSIP]);
    ana.save().unwrap();
    let error = bo.save().unwrap_err();
    assert!(matches!(error, SecretsError::Changed { .. }), "{error}");
    assert!(inventory.open("ana").unwrap().value(&GOSSIP).is_some());
}

#[test]
fn a_file_that_went_away_is_not_written_anew() {
    let inventory = Inventory::with_two_secrets();
    let mut store = inventory.open("ana").unwrap();
    store.set(&TOKEN, "new");
    fs::remove_file(inventory.store()).unwrap();
    assert!(matches!(store.save(), Err(SecretsError::Changed { .. })));
    assert!(!inventory.store().exists());
}
