//! The operator's store, with the program `age` as the judge.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jiff::Timestamp;
use provisioner::pki::{Verdict, examine_authority};
use provisioner::plan::{Authority, Secret};
use provisioner::secrets::{Identity, SecretsError, Store, keygen};
use serde_json::{Value, json};

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
