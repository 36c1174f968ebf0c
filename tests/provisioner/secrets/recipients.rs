//! Who can open the next save.

use std::fs;

use provisioner::secrets::SecretsError;

use super::{GOSSIP, Inventory, TOKEN, everything_said_by};

#[test]
fn a_recipient_who_is_added_opens_the_next_save() {
    let inventory = Inventory::with_two_secrets();
    let error = inventory.open("bo").unwrap_err();
    assert!(
        matches!(error, SecretsError::NotForYou { .. }),
        "whoever asks must not be told to help themselves: {error}"
    );

    let list = fs::read_to_string(inventory.recipients()).unwrap();
    let bo = inventory.identity("bo").recipient();
    let list = format!("{list}\n  {bo} # Bo, Porto\r\n");
    fs::write(inventory.recipients(), list).unwrap();
    let error = inventory.open("bo").unwrap_err();
    assert!(matches!(error, SecretsError::NotForYou { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains(&inventory.identity("bo").recipient())
    );

    let mut store = inventory.open("ana").unwrap();
    assert!(store.is_changed(), "for somebody else than before");
    store.save().unwrap();
    let bo = inventory.open("bo").unwrap();
    assert_eq!(bo.value(&GOSSIP), store.value(&GOSSIP));
    assert!(!bo.is_changed());
    assert_eq!(inventory.read_by_age("bo"), inventory.read_by_age("ana"));
}

#[test]
fn a_recipient_who_is_removed_does_not_open_the_next_save() {
    let inventory = Inventory::with_two_secrets();
    let recipients = ["ana", "bo"].map(|name| inventory.identity(name).recipient());
    fs::write(inventory.recipients(), recipients.join("\n")).unwrap();
    inventory.open("ana").unwrap().save().unwrap();
    inventory.open("bo").unwrap();
    fs::write(inventory.recipients(), &recipients[0]).unwrap();
    inventory.open("ana").unwrap().save().unwrap();
    fs::write(inventory.recipients(), recipients.join("\n")).unwrap();
    let error = inventory.open("bo").unwrap_err();
    assert!(matches!(error, SecretsError::NotForYou { .. }), "{error}");
}

#[test]
fn a_list_that_would_lock_its_writer_out_is_refused() {
    let inventory = Inventory::with_two_secrets();
    fs::write(inventory.recipients(), inventory.identity("bo").recipient()).unwrap();
    let error = inventory.open("ana").unwrap_err();
    assert!(matches!(error, SecretsError::LockedOut { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains(&inventory.identity("ana").recipient())
    );

    fs::remove_file(inventory.recipients()).unwrap();
    let error = inventory.open("ana").unwrap_err();
    assert!(
        matches!(error, SecretsError::RecipientsMissing { .. }),
        "{error}"
    );
}

#[test]
fn a_list_that_changed_in_the_meantime_is_not_outdone() {
    let inventory = Inventory::with_two_secrets();
    let mut store = inventory.open("ana").unwrap();
    store.set(&TOKEN, "new");
    let recipients = ["ana", "bo"].map(|name| inventory.identity(name).recipient());
    fs::write(inventory.recipients(), recipients.join("\n")).unwrap();
    assert!(matches!(store.save(), Err(SecretsError::Changed { .. })));
}

#[test]
fn a_line_that_is_no_recipient_is_told_without_showing_it() {
    let inventory = Inventory::with_two_secrets();
    let identity = fs::read_to_string(inventory.identity_file("ana")).unwrap();
    let recipient = inventory.identity("ana").recipient();
    for bad in [
        identity.lines().nth(1).unwrap(),
        "ssh-ed25519 AAAA",
        "\u{feff}age1",
    ] {
        fs::write(inventory.recipients(), format!("{recipient}\n\n{bad}\n")).unwrap();
        let error = inventory.open("ana").unwrap_err();
        assert!(
            matches!(error, SecretsError::NotARecipient { line: 3, .. }),
            "{error}"
        );
        assert!(!everything_said_by(&error).contains(bad));
    }
}
