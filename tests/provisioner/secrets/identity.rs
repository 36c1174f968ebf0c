//! The operator's identity: made once, closed to others, never shown.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use provisioner::secrets::{Identity, SecretsError, keygen};

use super::{GOSSIP, Inventory, everything_said_by, mode, names_in, run};

#[test]
fn an_identity_is_the_same_to_age() {
    let inventory = Inventory::new();
    let ours = inventory.identity("ana");
    let path = inventory.identity_file("ana");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    let output = run("age-keygen", &["-y", path.to_str().unwrap()]);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap().trim(),
        ours.recipient()
    );

    let theirs = inventory.identity_file("bo");
    let output = run("age-keygen", &["-o", theirs.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let recipient = Identity::from_file(&theirs).unwrap().recipient();
    assert!(fs::read_to_string(&theirs).unwrap().contains(&recipient));
}

#[test]
fn an_identity_is_never_overwritten() {
    let inventory = Inventory::new();
    inventory.identity("ana");
    let path = inventory.identity_file("ana");
    let before = fs::read(&path).unwrap();
    let error = keygen(&path).unwrap_err();
    assert!(
        matches!(error, SecretsError::IdentityExists { .. }),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(
        names_in(path.parent().unwrap()).len(),
        1,
        "nothing is left over"
    );
}

#[test]
fn an_identity_which_others_can_read_is_refused() {
    let inventory = Inventory::new();
    inventory.identity("ana");
    let path = inventory.identity_file("ana");
    for bits in [0o644, 0o640, 0o604, 0o601, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
        let error = Identity::from_file(&path).unwrap_err();
        assert!(matches!(error, SecretsError::IdentityReadable { mode, .. } if mode == bits));
        let chmod = format!("chmod 600 {}", path.display());
        assert!(error.to_string().contains(&chmod), "{error}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    Identity::from_file(&path).unwrap();
}

#[test]
fn what_is_no_identity_is_told_without_showing_it() {
    let inventory = Inventory::new();
    let path = inventory.0.path().join("identity");
    let cases = [
        ("", "it is empty"),
        ("# only a comment\n", "it is empty"),
        ("# one\nAGE-SECRET-KEY-1QQQ\n", "line 2 is not of the form"),
        ("age-encryption.org/v1\n-> scrypt", "it is encrypted itself"),
        (
            "-----BEGIN AGE ENCRYPTED FILE-----\n",
            "it is encrypted itself",
        ),
    ];
    for (text, problem) in cases {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = Identity::from_file(&path).unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
        assert!(!everything_said_by(&error).contains("QQQ"));
    }
    let error = Identity::from_file(Path::new("no-such-file")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read no-such-file");
}

#[test]
fn an_older_identity_behind_the_new_one_still_opens() {
    let inventory = Inventory::with_two_secrets();
    inventory.identity("ana's next");
    let read = |name| fs::read_to_string(inventory.identity_file(name)).unwrap();
    let both = read("ana's next") + &read("ana");
    fs::write(inventory.identity_file("ana's next"), both).unwrap();
    let store = inventory.open("ana's next").unwrap();
    assert!(store.value(&GOSSIP).is_some());
}
