//! Which certificates are good, and why others are to be replaced.

use jiff::{SignedDuration, Timestamp};
use provisioner::pki::{Reason, Verdict, adopt, create, examine, fingerprint, issue, key_matches};
use provisioner::plan::{Authority, Leaf};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{
    CONSUL_S_OWN, DAY, Folder, SECOND, caller, consul_ca, federation, foreign_ca,
    foreign_certificate, foreign_key, now, openssl_accepts, server,
};

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
