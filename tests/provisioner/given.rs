//! What only people can give: it is asked for before anything is changed, and never made up.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use jiff::{SignedDuration, Timestamp};
use provisioner::pki::{CertificateAuthority, Issued, Unfit, create, examine_given, issue};
use provisioner::plan::{Authority, Leaf, Secret};
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

const ZONE: &str = "beta-deployments.imagine.example";

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn authority(at: Timestamp) -> CertificateAuthority {
    create(Authority::Atoll, &name("others"), at).unwrap()
}

/// A certificate of others for some names.
fn issued(by: &CertificateAuthority, names: &[&str], at: Timestamp) -> Issued {
    let leaf = Leaf {
        authority: Authority::Atoll,
        common_name: "gateway".to_owned(),
        dns_names: names.iter().map(|name| (*name).to_owned()).collect(),
        addresses: Vec::new(),
        uris: Vec::new(),
        serves: true,
    };
    issue(by, &leaf, at).unwrap()
}

const NAMES: [&str; 2] = [ZONE, "*.beta-deployments.imagine.example"];

fn judged(certificates: &[&str], key: &str, at: Timestamp) -> Vec<Unfit> {
    examine_given(&certificates.concat(), key, ZONE, at)
}

#[test]
fn a_certificate_with_its_issuer_and_its_key_will_do() {
    let ca = authority(now());
    let good = issued(&ca, &NAMES, now());
    let chain = [good.certificate_pem.as_str(), &ca.certificate_pem];
    assert_eq!(judged(&chain, &good.key_pem, now()), []);
    // A wildcard stands for one label, whatever its capitals.
    let wide = ["*.Imagine.example", "*.beta-deployments.imagine.example"];
    let wide = issued(&ca, &wide, now());
    let chain = [wide.certificate_pem.as_str(), &ca.certificate_pem];
    assert_eq!(judged(&chain, &wide.key_pem, now()), []);
}

#[test]
fn a_certificate_that_will_not_do_is_told_all_that_is_wrong_with_it() {
    let (ca, other) = (authority(now()), authority(now()));
    let good = issued(&ca, &NAMES, now());
    let narrow = issued(&ca, &[ZONE], now());
    let (own, issuer) = (good.certificate_pem.as_str(), ca.certificate_pem.as_str());
    let key = good.key_pem.as_str();
    let missing = vec![NAMES[1].to_owned()];
    let is = |certificates: &[&str], key: &str, expected: &[Unfit]| {
        assert_eq!(judged(certificates, key, now()), expected);
    };
    is(&["no PEM"], key, &[Unfit::NotCertificates]);
    is(&[own, key], key, &[Unfit::NotCertificates]);
    is(&[own, issuer], "", &[Unfit::NotKey]);
    is(&[own, issuer], own, &[Unfit::NotKey]);
    is(&[own, issuer], &key.repeat(2), &[Unfit::NotKey]);
    is(&[own, issuer], &narrow.key_pem, &[Unfit::OtherKey]);
    is(&[own], key, &[Unfit::Alone]);
    is(
        &[own, &other.certificate_pem],
        key,
        &[Unfit::Order { number: 1 }],
    );
    is(
        &[own, &narrow.certificate_pem],
        key,
        &[Unfit::Order { number: 1 }],
    );
    is(
        &[&narrow.certificate_pem, issuer],
        key,
        &[Unfit::OtherKey, Unfit::Names { missing }],
    );
    let damaged = own.replacen("MII", "AII", 1);
    is(&[own, &damaged], key, &[Unfit::Unreadable { number: 2 }]);
    // The order turned round.
    let turned = judged(&[issuer, own], key, now());
    for unfit in [
        Unfit::AuthorityFirst,
        Unfit::OtherKey,
        Unfit::Order { number: 1 },
    ] {
        assert!(turned.contains(&unfit), "{turned:?}");
    }
}

#[test]
fn a_certificate_for_callers_is_none_for_a_gateway() {
    let ca = authority(now());
    let leaf = Leaf {
        authority: Authority::Atoll,
        common_name: "caller".to_owned(),
        dns_names: NAMES.map(str::to_owned).into(),
        addresses: Vec::new(),
        uris: Vec::new(),
        serves: false,
    };
    let caller = issue(&ca, &leaf, now()).unwrap();
    let chain = [caller.certificate_pem.as_str(), &ca.certificate_pem];
    assert_eq!(judged(&chain, &caller.key_pem, now()), [Unfit::OtherUse]);
}

#[test]
fn a_life_that_is_over_or_has_not_begun_is_told_with_its_date() {
    let ca = authority(now());
    let good = issued(&ca, &NAMES, now());
    let chain = [good.certificate_pem.as_str(), &ca.certificate_pem];
    let years = |years: i64| now() + SignedDuration::from_hours(24 * 366 * years);
    let early = judged(&chain, &good.key_pem, years(-1));
    assert!(
        matches!(
            early[..],
            [
                Unfit::NotYetValid { number: 1, .. },
                Unfit::NotYetValid { number: 2, .. }
            ]
        ),
        "{early:?}"
    );
    let late = judged(&chain, &good.key_pem, years(100));
    assert!(
        matches!(
            late[..],
            [
                Unfit::Expired { number: 1, .. },
                Unfit::Expired { number: 2, .. }
            ]
        ),
        "{late:?}"
    );
}

/// Keys as OpenSSL writes them, of RSA and of an elliptic curve, and one with a password.
#[test]
fn keys_are_taken_in_the_forms_that_openssl_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let openssl = |arguments: &str| {
        let words = arguments
            .split_whitespace()
            .map(|word| match word.strip_prefix('~') {
                Some(name) => path(name),
                None => word.to_owned(),
            });
        let output = Command::new("openssl").args(words).output().unwrap();
        assert!(output.status.success(), "{arguments}: {output:?}");
    };
    let names = NAMES.map(|name| format!("DNS:{name}")).join(",");
    for (make, read, label, expected) in [
        (
            "genrsa -traditional -out ~key 2048",
            "rsa -traditional -in ~key -out ~form",
            "RSA PRIVATE KEY",
            vec![],
        ),
        (
            "genrsa -out ~key 2048",
            "pkcs8 -topk8 -nocrypt -in ~key -out ~form",
            "BEGIN PRIVATE KEY",
            vec![],
        ),
        (
            "ecparam -genkey -name prime256v1 -out ~key",
            "ec -in ~key -out ~form",
            "EC PRIVATE KEY",
            vec![],
        ),
        (
            "genrsa -out ~key 2048",
            "pkcs8 -topk8 -passout pass:secret -in ~key -out ~form",
            "ENCRYPTED",
            vec![Unfit::NotKey],
        ),
        // Too short for a key, and for its signature to count.
        (
            "genrsa -out ~key 1024",
            "pkcs8 -topk8 -nocrypt -in ~key -out ~form",
            "BEGIN PRIVATE KEY",
            vec![Unfit::NotKey, Unfit::Alone],
        ),
    ] {
        openssl(make);
        openssl(&format!(
            "req -x509 -new -sha256 -key ~key -subj /CN=own -days 30 -addext basicConstraints=CA:FALSE -addext subjectAltName={names} -out ~certificate"
        ));
        openssl(read);
        let text = |name: &str| fs::read_to_string(path(name)).unwrap();
        assert!(text("form").contains(label), "{read}");
        let unfit = judged(&[&text("certificate")], &text("form"), Timestamp::now());
        assert_eq!(unfit, expected, "{make}; {read}");
    }
}

/// What was given is looked at before anything is changed: all of it, with what is wrong with each.
#[test]
fn apply_does_not_begin_with_a_certificate_that_will_not_do() {
    let home = home();
    let (inventory, path) = (home.path().join("inventory"), home.path().join("identity"));
    let identity = Identity::from_file(&path).unwrap();
    let mut store = Store::open(&inventory, &identity).unwrap();
    let ca = authority(Timestamp::now());
    let narrow = issued(&ca, &[ZONE], Timestamp::now());
    let site = || (name("beta-two"), "imagine".to_owned());
    let (datacenter, item) = site();
    let certificate = Secret::GatewayCertificate(datacenter, item);
    store.set(&certificate, &narrow.certificate_pem);
    let (datacenter, item) = site();
    store.set(&Secret::GatewayKey(datacenter, item), &narrow.key_pem);
    store.save().unwrap();
    let refused = atoll(&path, &["apply", "--yes", inventory.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    let expected = format!(
        "{certificate} will not do: it is not good for {}, \
         the certificates of its issuers do not follow it;",
        NAMES[1]
    );
    assert!(said.contains(&expected), "{said}");
    assert!(!said.contains(narrow.key_pem.lines().nth(1).unwrap()));
}
