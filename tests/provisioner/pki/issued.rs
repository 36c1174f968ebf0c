//! What is issued, as OpenSSL reads it.

use std::collections::BTreeSet;

use federation::names::RegionName;
use provisioner::pki::{create, issue, key_matches};
use provisioner::plan::Authority;

use super::{Folder, caller, consul_ca, now, openssl_accepts, openssl_text, server};

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
