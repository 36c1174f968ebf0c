//! Fingerprints and keys as others tell them, and handshakes.

use std::io::{Read, Write};
use std::sync::Arc;

use jiff::Timestamp;
use provisioner::pki::{
    Reason, Verdict, adopt, create, examine, fingerprint, issue, public_key_of,
};
use provisioner::plan::{Authority, Leaf};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::{Folder, caller, consul_ca, federation, now, openssl, openssl_text, server};

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
