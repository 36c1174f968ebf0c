//! What an authority can sign, for how long, and which of others are taken over.

use jiff::{SignedDuration, Timestamp};
use provisioner::pki::{
    CertificateAuthority, PkiError, Reason, Verdict, adopt, examine, examine_authority, issue,
};

use super::{
    CONSUL_S_OWN, DAY, Folder, SECOND, consul_ca, foreign_ca, foreign_key, now, openssl_accepts,
    openssl_text, server,
};

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
