//! Certificates, with OpenSSL and rustls as the judges.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use federation::names::RegionName;
use jiff::{SignedDuration, Timestamp};
use provisioner::pki::{
    CertificateAuthority, PkiError, Reason, Verdict, adopt, create, examine, examine_authority,
    fingerprint, issue, key_matches, public_key_of,
};
use provisioner::plan::{Authority, Leaf};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn federation() -> RegionName {
    "example".parse().unwrap()
}

fn consul_ca() -> CertificateAuthority {
    create(Authority::Consul, &federation(), now()).unwrap()
}

fn server() -> Leaf {
    Leaf {
        authority: Authority::Consul,
        common_name: "server.lisbon.consul".into(),
        dns_names: vec![
            "server.lisbon.consul".into(),
            "lisbon-server-0.server.lisbon.consul".into(),
            "localhost".into(),
        ],
        addresses: vec!["127.0.0.1".parse().unwrap(), "2001:db8::7".parse().unwrap()],
        uris: Vec::new(),
        serves: true,
    }
}

fn caller() -> Leaf {
    Leaf {
        authority: Authority::Nomad,
        common_name: "accounting".into(),
        dns_names: Vec::new(),
        addresses: Vec::new(),
        uris: Vec::new(),
        serves: false,
    }
}

/// Files for `openssl`, which reads nothing else.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

fn openssl<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Output {
    Command::new("openssl")
        .args(arguments)
        .output()
        .expect("the tests need the program openssl")
}

fn openssl_text(path: &Path, arguments: &[&str]) -> String {
    let output = openssl(
        ["x509", "-noout", "-in", path.to_str().unwrap()]
            .into_iter()
            .chain(arguments.iter().copied()),
    );
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether `openssl verify` accepts a certificate at a time.
fn openssl_accepts(ca_pem: &str, certificate_pem: &str, at: Timestamp, more: &[&str]) -> bool {
    let folder = Folder::new();
    let ca = folder.file("ca.pem", ca_pem);
    let certificate = folder.file("leaf.pem", certificate_pem);
    let at = at.as_second().to_string();
    let arguments = [
        "verify",
        "-x509_strict",
        "-attime",
        &at,
        "-CAfile",
        ca.to_str().unwrap(),
    ];
    let output = openssl(
        arguments
            .into_iter()
            .chain(more.iter().copied())
            .chain([certificate.to_str().unwrap()]),
    );
    output.status.success()
}

/// The subject of an authority such as `consul tls ca create` makes.
const CONSUL_S_OWN: &str = "/C=US/postalCode=94105/ST=CA/L=San Francisco\
    /street=101 Second Street/O=HashiCorp Inc./CN=Consul Agent CA 7";

/// A self-signed certificate which is not of our making, and the text of its key.
fn foreign_certificate(
    folder: &Folder,
    key: &str,
    subject: &str,
    more: &[&str],
) -> (String, String) {
    let certificate = folder.0.path().join("foreign.pem");
    let arguments = [
        "req", "-x509", "-new", "-sha256", "-key", key, "-subj", subject,
    ];
    let extensions = ["-addext", "basicConstraints=critical,CA:TRUE"];
    let ends = ["-out", certificate.to_str().unwrap()];
    let arguments = arguments.into_iter().chain(extensions);
    let output = openssl(arguments.chain(more.iter().copied()).chain(ends));
    assert!(output.status.success(), "{output:?}");
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    (read(&certificate), read(Path::new(key)))
}

/// An authority which is not of our making.
fn foreign_ca(folder: &Folder, key: &str, subject: &str, days: &str) -> (String, String) {
    let usage = "keyUsage=critical,digitalSignature,keyCertSign,cRLSign";
    foreign_certificate(folder, key, subject, &["-days", days, "-addext", usage])
}

fn foreign_key(folder: &Folder, arguments: &[&str]) -> String {
    let key = folder
        .0
        .path()
        .join("foreign.key")
        .to_str()
        .unwrap()
        .to_owned();
    let output = openssl(arguments.iter().copied().chain(["-out", &key]));
    assert!(output.status.success(), "{output:?}");
    key
}

#[test]
fn an_authority_may_sign_leaves_and_nothing_else() {
    let ca = consul_ca();
    let folder = Folder::new();
    let text = openssl_text(&folder.file("ca.pem", &ca.certificate_pem), &["-text"]);
    for expected in [
        "Subject: CN = atoll example Consul CA",
        "Issuer: CN = atoll example Consul CA",
        "Signature Algorithm: ecdsa-with-SHA256",
        "ASN1 OID: prime256v1",
        "Not Before: Mar  1 11:55:00 2026 GMT",
        "Not After : Feb 27 12:00:00 2036 GMT",
        "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0\n",
        "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n",
    ] {
        assert!(text.contains(expected), "no `{expected}` in {text}");
    }
    assert!(openssl_accepts(
        &ca.certificate_pem,
        &ca.certificate_pem,
        now(),
        &["-check_ss_sig"]
    ));
    assert!(key_matches(&ca.certificate_pem, &ca.key_pem));
}

#[test]
fn a_long_federation_fits_the_common_name() {
    let federation: RegionName = "f".repeat(63).parse().unwrap();
    let ca = create(Authority::Nomad, &federation, now()).unwrap();
    let folder = Folder::new();
    let subject = openssl_text(&folder.file("ca.pem", &ca.certificate_pem), &["-subject"]);
    let common_name = subject.trim().strip_prefix("subject=CN = ").unwrap();
    assert!(common_name.len() <= 64, "{common_name}");
}

#[test]
fn a_server_is_what_its_leaf_says() {
    let ca = consul_ca();
    let issued = issue(&ca, &server(), now()).unwrap();
    let accepts =
        |more: &[&str]| openssl_accepts(&ca.certificate_pem, &issued.certificate_pem, now(), more);
    assert!(accepts(&[
        "-purpose",
        "sslserver",
        "-verify_hostname",
        "server.lisbon.consul"
    ]));
    assert!(accepts(&[
        "-purpose",
        "sslclient",
        "-verify_hostname",
        "localhost"
    ]));
    assert!(accepts(&["-verify_ip", "127.0.0.1"]));
    assert!(accepts(&["-verify_ip", "2001:db8::7"]));
    assert!(!accepts(&["-verify_hostname", "server.porto.consul"]));
    assert!(!accepts(&["-verify_ip", "127.0.0.2"]));

    let folder = Folder::new();
    let text = openssl_text(
        &folder.file("leaf.pem", &issued.certificate_pem),
        &["-text"],
    );
    for expected in [
        "Subject: CN = server.lisbon.consul",
        "Issuer: CN = atoll example Consul CA",
        "Not Before: Mar  1 11:55:00 2026 GMT",
        "Not After : Mar  1 12:00:00 2027 GMT",
        "DNS:server.lisbon.consul, DNS:lisbon-server-0.server.lisbon.consul, DNS:localhost, \
         IP Address:127.0.0.1, IP Address:2001:DB8:0:0:0:0:0:7",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Server Authentication, TLS Web Client Authentication\n",
        "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
    ] {
        assert!(text.contains(expected), "no `{expected}` in {text}");
    }
    assert!(
        issued.key_pem.starts_with("-----BEGIN PRIVATE KEY-----\n"),
        "PKCS#8"
    );
    assert!(key_matches(&issued.certificate_pem, &issued.key_pem));
}

#[test]
fn a_caller_only_opens_connections() {
    let ca = consul_ca();
    let issued = issue(&ca, &caller(), now()).unwrap();
    let accepts = |purpose| {
        openssl_accepts(
            &ca.certificate_pem,
            &issued.certificate_pem,
            now(),
            &["-purpose", purpose],
        )
    };
    assert!(accepts("sslclient"));
    assert!(!accepts("sslserver"));
}

#[test]
fn a_leaf_names_the_key_that_signed_it() {
    let ca = consul_ca();
    let issued = issue(&ca, &server(), now()).unwrap();
    let folder = Folder::new();
    let id = |pem: &str, extension| {
        let text = openssl_text(&folder.file("a.pem", pem), &["-ext", extension]);
        text.lines()
            .nth(1)
            .unwrap()
            .trim()
            .trim_start_matches("keyid:")
            .to_owned()
    };
    let authority = id(&issued.certificate_pem, "authorityKeyIdentifier");
    assert_eq!(authority, id(&ca.certificate_pem, "subjectKeyIdentifier"));
}

#[test]
fn a_serial_is_128_random_bits() {
    let ca = consul_ca();
    let folder = Folder::new();
    let serials: BTreeSet<String> = (0..16)
        .map(|_| {
            let issued = issue(&ca, &caller(), now()).unwrap();
            openssl_text(&folder.file("a.pem", &issued.certificate_pem), &["-serial"])
        })
        .collect();
    assert_eq!(serials.len(), 16);
    let longest = serials.iter().map(|text| text.trim().len()).max();
    assert_eq!(longest, Some("serial=".len() + 32));
}

#[test]
fn renewal_is_due_at_two_thirds_of_life_to_the_second() {
    let ca = consul_ca();
    let pem = issue(&ca, &server(), now()).unwrap().certificate_pem;
    let at = |at| examine(&pem, &ca.certificate_pem, &server(), at);
    let starts = now() - SignedDuration::from_mins(5);
    let ends = now() + DAY * 365;
    let due = starts + SignedDuration::from_secs((365 * 86_400 + 300) * 2 / 3);
    assert_eq!(due.to_string(), "2026-10-30T19:58:20Z");

    let cases = [
        (
            starts - SECOND,
            Verdict::Replace(Reason::NotYetValid { from: starts }),
        ),
        (starts, Verdict::Good { renew_after: due }),
        (
            due - SignedDuration::from_nanos(1),
            Verdict::Good { renew_after: due },
        ),
        (due, Verdict::Replace(Reason::RenewalDue { since: due })),
        (
            ends - SECOND,
            Verdict::Replace(Reason::RenewalDue { since: due }),
        ),
        (ends, Verdict::Replace(Reason::Expired { since: ends })),
    ];
    for (time, verdict) in cases {
        assert_eq!(at(time), verdict, "{time}");
        let is_valid = !matches!(
            verdict,
            Verdict::Replace(Reason::NotYetValid { .. } | Reason::Expired { .. })
        );
        assert_eq!(
            openssl_accepts(&ca.certificate_pem, &pem, time, &[]),
            is_valid,
            "{time}"
        );
    }
}

#[test]
fn another_authority_of_the_same_name_is_found_out() {
    let (ours, theirs) = (consul_ca(), consul_ca());
    let pem = issue(&theirs, &server(), now()).unwrap().certificate_pem;
    let verdict = examine(&pem, &ours.certificate_pem, &server(), now());
    assert_eq!(verdict, Verdict::Replace(Reason::OtherAuthority));
    assert!(!openssl_accepts(&ours.certificate_pem, &pem, now(), &[]));

    let renamed = create(Authority::Nomad, &federation(), now()).unwrap();
    let verdict = examine(&pem, &renamed.certificate_pem, &server(), now());
    assert_eq!(verdict, Verdict::Replace(Reason::OtherAuthority));
}

#[test]
fn another_authority_with_the_same_key_is_found_out() {
    let folder = Folder::new();
    let key = foreign_key(&folder, &["ecparam", "-name", "prime256v1", "-genkey"]);
    let (ours, key_pem) = foreign_ca(&folder, &key, CONSUL_S_OWN, "1825");
    let (renamed, _) = foreign_ca(&folder, &key, "/CN=Nomad CA", "1825");
    let now = Timestamp::now();
    let pem = issue(&adopt(&ours, &key_pem).unwrap(), &server(), now)
        .unwrap()
        .certificate_pem;
    let verdict = examine(&pem, &renamed, &server(), now);
    assert_eq!(verdict, Verdict::Replace(Reason::OtherAuthority));
    assert!(!openssl_accepts(&renamed, &pem, now, &[]));
}

#[test]
fn a_leaf_that_outlives_its_authority_ends_with_it() {
    let folder = Folder::new();
    let key = foreign_key(&folder, &["ecparam", "-name", "prime256v1", "-genkey"]);
    let (long, key_pem) = foreign_ca(&folder, &key, CONSUL_S_OWN, "1825");
    let (short, _) = foreign_ca(&folder, &key, CONSUL_S_OWN, "30");
    let now = Timestamp::now();
    let pem = issue(&adopt(&long, &key_pem).unwrap(), &server(), now)
        .unwrap()
        .certificate_pem;
    let Verdict::Good { renew_after: end } = examine(&pem, &short, &server(), now) else {
        panic!("both are valid now");
    };
    assert!(now + DAY * 29 < end && end < now + DAY * 31);
    let verdict = examine(&pem, &short, &server(), end);
    assert_eq!(verdict, Verdict::Replace(Reason::Expired { since: end }));
}

#[test]
fn an_authority_is_not_a_leaf() {
    let folder = Folder::new();
    let key = foreign_key(&folder, &["ecparam", "-name", "prime256v1", "-genkey"]);
    let usages = [
        "-addext",
        "keyUsage=digitalSignature",
        "-addext",
        "extendedKeyUsage=clientAuth",
    ];
    let (pem, _) = foreign_certificate(&folder, &key, "/CN=accounting", &usages);
    let verdict = examine(&pem, &pem, &caller(), Timestamp::now());
    assert_eq!(
        verdict,
        Verdict::Replace(Reason::WrongUsage { serves: false })
    );
}

#[test]
fn a_name_too_few_or_too_many_is_told() {
    let ca = consul_ca();
    let pem = issue(&ca, &server(), now()).unwrap().certificate_pem;
    let mut wanted = server();
    wanted.common_name = "lisbon-server-1".into();
    wanted.dns_names[1] = "lisbon-server-1.server.lisbon.consul".into();
    wanted.addresses.pop();
    let Verdict::Replace(reason) = examine(&pem, &ca.certificate_pem, &wanted, now()) else {
        panic!("the names differ");
    };
    assert_eq!(
        reason.to_string(),
        "it lacks CN=lisbon-server-1, lisbon-server-1.server.lisbon.consul; it should not name \
         2001:db8::7, CN=server.lisbon.consul, lisbon-server-0.server.lisbon.consul"
    );
}

#[test]
fn the_order_of_names_does_not_matter() {
    let ca = consul_ca();
    let pem = issue(&ca, &server(), now()).unwrap().certificate_pem;
    let mut wanted = server();
    wanted.dns_names.reverse();
    assert!(matches!(
        examine(&pem, &ca.certificate_pem, &wanted, now()),
        Verdict::Good { .. }
    ));
}

#[test]
fn a_usage_too_few_or_too_many_is_told() {
    let ca = consul_ca();
    for serves in [true, false] {
        let has = Leaf {
            serves: !serves,
            ..server()
        };
        let wanted = Leaf { serves, ..server() };
        let pem = issue(&ca, &has, now()).unwrap().certificate_pem;
        let verdict = examine(&pem, &ca.certificate_pem, &wanted, now());
        assert_eq!(verdict, Verdict::Replace(Reason::WrongUsage { serves }));
    }
    let named_as_the_ca = Leaf {
        common_name: "atoll example Consul CA".into(),
        ..caller()
    };
    let verdict = examine(
        &ca.certificate_pem,
        &ca.certificate_pem,
        &named_as_the_ca,
        now(),
    );
    assert_eq!(
        verdict,
        Verdict::Replace(Reason::WrongUsage { serves: false })
    );
}

#[test]
fn no_altered_certificate_is_good() {
    let ca = consul_ca();
    let pem = issue(&ca, &server(), now()).unwrap().certificate_pem;
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    for bit in 0..der.len() * 8 {
        let mut bytes = der.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let verdict = examine(&to_pem(&bytes), &ca.certificate_pem, &server(), now());
        assert!(
            matches!(verdict, Verdict::Replace(_)),
            "bit {bit}: {verdict:?}"
        );
    }
    assert!(matches!(
        examine(&to_pem(&der), &ca.certificate_pem, &server(), now()),
        Verdict::Good { .. }
    ));
}

fn to_pem(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

#[test]
fn what_is_not_one_certificate_is_unreadable() {
    let ca = consul_ca();
    let issued = issue(&ca, &server(), now()).unwrap();
    let chain = issued.certificate_pem.clone() + &ca.certificate_pem;
    for text in [
        "",
        "certificate",
        &issued.key_pem,
        &chain,
        &issued.certificate_pem[..300],
    ] {
        let verdict = examine(text, &ca.certificate_pem, &server(), now());
        assert_eq!(verdict, Verdict::Replace(Reason::Unreadable));
        let verdict = examine(&issued.certificate_pem, text, &server(), now());
        assert_eq!(verdict, Verdict::Replace(Reason::AuthorityUnreadable));
        assert!(fingerprint(text).is_err());
        assert!(!key_matches(text, &issued.key_pem));
    }
}

#[test]
fn a_leaf_ends_with_its_authority() {
    let ca = consul_ca();
    let end = now() + DAY * 3650;
    let late = end - DAY * 30;
    let pem = issue(&ca, &server(), late).unwrap().certificate_pem;
    let folder = Folder::new();
    let text = openssl_text(
        &folder.file("leaf.pem", &pem),
        &["-enddate", "-dateopt", "iso_8601"],
    );
    assert_eq!(text.trim(), "notAfter=2036-02-27 12:00:00Z");
    for at in [late, end - SECOND] {
        let verdict = examine(&pem, &ca.certificate_pem, &server(), at);
        assert_eq!(
            verdict,
            Verdict::Good { renew_after: end },
            "a new one would gain nothing"
        );
    }
    let verdict = examine(&pem, &ca.certificate_pem, &server(), end);
    assert_eq!(verdict, Verdict::Replace(Reason::Expired { since: end }));
}

#[test]
fn an_authority_is_due_at_two_thirds_of_its_life() {
    let ca = consul_ca();
    let due = now() - SignedDuration::from_mins(5)
        + SignedDuration::from_secs((3650 * 86_400 + 300) * 2 / 3);
    let verdict = examine_authority(&ca.certificate_pem, due - SECOND);
    assert_eq!(verdict, Verdict::Good { renew_after: due });
    let verdict = examine_authority(&ca.certificate_pem, due);
    assert_eq!(verdict, Verdict::Replace(Reason::RenewalDue { since: due }));
}

#[test]
fn nothing_is_signed_outside_of_the_authority_s_life() {
    let ca = consul_ca();
    for at in [now() - DAY, now() + DAY * 3650] {
        let error = issue(&ca, &server(), at).unwrap_err();
        assert!(
            matches!(error, PkiError::AuthorityNotValid { .. }),
            "{error}"
        );
    }
    let message = issue(&ca, &server(), now() - DAY).unwrap_err().to_string();
    assert_eq!(
        message,
        "cannot sign with the authority `CN=atoll example Consul CA` at 2026-02-28T12:00:00Z: it is \
         valid from 2026-03-01T11:55:00Z until 2036-02-27T12:00:00Z; check this machine's clock, or \
         replace the authority"
    );
}

#[test]
fn a_key_that_is_not_the_authority_s_signs_nothing() {
    let mixed = CertificateAuthority {
        key_pem: consul_ca().key_pem,
        ..consul_ca()
    };
    let error = issue(&mixed, &server(), now()).unwrap_err();
    assert!(matches!(error, PkiError::OtherKey { .. }), "{error}");
}

#[test]
fn a_name_that_no_certificate_can_hold_is_an_error() {
    let mut leaf = server();
    leaf.dns_names.push("serveur-é.consul".into());
    let error = issue(&consul_ca(), &leaf, now()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot make the certificate of `server.lisbon.consul`"
    );
}

#[test]
fn a_running_cluster_s_authority_is_taken_over() {
    let folder = Folder::new();
    let key = foreign_key(&folder, &["ecparam", "-name", "prime256v1", "-genkey"]);
    let (certificate_pem, key_pem) = foreign_ca(&folder, &key, CONSUL_S_OWN, "1825");
    assert!(
        key_pem.contains("BEGIN EC PRIVATE KEY"),
        "the form of RFC 5915"
    );

    let ca = adopt(&certificate_pem, &key_pem).unwrap();
    assert_eq!(ca.certificate_pem, certificate_pem);
    let now = Timestamp::now();
    let pem = issue(&ca, &server(), now).unwrap().certificate_pem;
    assert!(openssl_accepts(
        &certificate_pem,
        &pem,
        now,
        &["-purpose", "sslserver"]
    ));
}

#[test]
fn an_rsa_authority_is_taken_over() {
    let folder = Folder::new();
    let key = foreign_key(&folder, &["genpkey", "-algorithm", "RSA"]);
    let pkcs8 = foreign_ca(&folder, &key, CONSUL_S_OWN, "1825");
    let ca = adopt(&pkcs8.0, &pkcs8.1).unwrap();
    let now = Timestamp::now();
    let pem = issue(&ca, &server(), now).unwrap().certificate_pem;
    assert!(openssl_accepts(
        &ca.certificate_pem,
        &pem,
        now,
        &["-purpose", "sslclient"]
    ));
}

#[test]
fn what_cannot_sign_is_not_taken_over() {
    let ca = consul_ca();
    let issued = issue(&ca, &server(), now()).unwrap();
    let error = adopt(&issued.certificate_pem, &issued.key_pem).unwrap_err();
    assert!(matches!(error, PkiError::NotAnAuthority { .. }), "{error}");
    let error = adopt(&ca.certificate_pem, &issued.key_pem).unwrap_err();
    assert!(matches!(error, PkiError::OtherKey { .. }), "{error}");

    let folder = Folder::new();
    let key = foreign_key(&folder, &["ecparam", "-name", "secp384r1", "-genkey"]);
    let (certificate_pem, key_pem) = foreign_ca(&folder, &key, CONSUL_S_OWN, "1825");
    let error = adopt(&certificate_pem, &key_pem).unwrap_err();
    assert_eq!(error.to_string(), "cannot read a private key");

    let key = foreign_key(&folder, &["ecparam", "-name", "prime256v1", "-genkey"]);
    let (certificate_pem, key_pem) = foreign_ca(&folder, &key, "/DC=eu/DC=example/CN=CA", "1825");
    let error = adopt(&certificate_pem, &key_pem).unwrap_err();
    assert!(matches!(error, PkiError::RepetitiveName { .. }), "{error}");
}

#[test]
fn a_fingerprint_is_the_start_of_openssl_s() {
    let ca = consul_ca();
    let folder = Folder::new();
    let theirs = openssl_text(
        &folder.file("ca.pem", &ca.certificate_pem),
        &["-fingerprint", "-sha256"],
    );
    let theirs = theirs
        .trim()
        .rsplit('=')
        .next()
        .unwrap()
        .replace(':', "")
        .to_lowercase();
    assert_eq!(fingerprint(&ca.certificate_pem).unwrap(), theirs[..16]);
}

#[test]
fn a_public_key_is_openssl_s() {
    let ca = consul_ca();
    let folder = Folder::new();
    let key = folder.file("ca.key", &ca.key_pem);
    let theirs = openssl([
        "pkey",
        "-pubout",
        "-outform",
        "DER",
        "-in",
        key.to_str().unwrap(),
    ]);
    assert_eq!(public_key_of(&ca.key_pem).unwrap(), theirs.stdout);
    assert!(public_key_of(&ca.certificate_pem).is_err());
}

#[test]
fn no_key_is_shown() {
    let ca = consul_ca();
    let issued = issue(&ca, &server(), now()).unwrap();
    assert!(!format!("{ca:?}{issued:?}").contains("PRIVATE"));
    let error = adopt(&ca.certificate_pem, "SECRET").unwrap_err();
    assert!(!format!("{error:?}{error}").contains("SECRET"));
}

#[test]
fn a_server_and_a_caller_shake_hands() {
    let now = Timestamp::now();
    let ca = create(Authority::Nomad, &federation(), now).unwrap();
    let (server, caller) = (
        issue(&ca, &server(), now).unwrap(),
        issue(&ca, &caller(), now).unwrap(),
    );
    let certificates = |pem: &str| vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()];
    let key = |pem: &str| PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(certificates(&ca.certificate_pem).remove(0))
        .unwrap();
    let (roots, provider) = (
        Arc::new(roots),
        Arc::new(rustls::crypto::ring::default_provider()),
    );

    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::clone(&roots),
        Arc::clone(&provider),
    );
    let settings = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(certificates(&server.certificate_pem), key(&server.key_pem))
        .unwrap();
    let mut answering = rustls::ServerConnection::new(Arc::new(settings)).unwrap();
    let settings = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(&caller.certificate_pem), key(&caller.key_pem))
        .unwrap();
    let name = ServerName::try_from("server.lisbon.consul").unwrap();
    let mut opening = rustls::ClientConnection::new(Arc::new(settings), name).unwrap();

    opening.writer().write_all(b"hello").unwrap();
    while opening.is_handshaking() || answering.is_handshaking() || opening.wants_write() {
        let mut wire = Vec::new();
        while opening.wants_write() {
            opening.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            answering.read_tls(&mut wire).unwrap();
            answering.process_new_packets().unwrap();
        }
        let mut wire = Vec::new();
        while answering.wants_write() {
            answering.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            opening.read_tls(&mut wire).unwrap();
            opening.process_new_packets().unwrap();
        }
    }
    let mut heard = [0; 5];
    answering.reader().read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
}

#[test]
fn a_node_is_named_by_its_uri_and_by_no_other() {
    let uri = |node: &str| format!("atoll://example/lisbon/{node}");
    let leaf = Leaf {
        uris: vec![uri("lisbon-wn-0")],
        ..caller()
    };
    let authority = consul_ca();
    let issued = issue(&authority, &leaf, now()).unwrap();
    let verdict = |leaf: &Leaf| {
        examine(
            &issued.certificate_pem,
            &authority.certificate_pem,
            leaf,
            now(),
        )
    };
    assert!(matches!(verdict(&leaf), Verdict::Good { .. }));
    let other = Leaf {
        uris: vec![uri("lisbon-wn-1")],
        ..caller()
    };
    assert_eq!(
        verdict(&other),
        Verdict::Replace(Reason::OtherNames {
            missing: vec![uri("lisbon-wn-1")],
            extra: vec![uri("lisbon-wn-0")],
        })
    );
}
