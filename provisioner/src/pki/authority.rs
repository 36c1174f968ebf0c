//! Certificate authorities: made anew, or taken over from a running cluster.

use std::fmt;

use federation::names::RegionName;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use time::OffsetDateTime;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use super::{PkiError, der};
use crate::plan::Authority;

/// How long an authority lives.
const LIFE: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// How far a host's clock may be behind ours.
pub(super) const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A certificate authority with the key it signs with.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateAuthority {
    /// The certificate, which every host may know.
    pub certificate_pem: String,
    /// The private key in PKCS#8, which leaves the operator's store for signing only.
    pub key_pem: String,
}

/// The key is not shown.
impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthority")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

/// Makes a new authority, valid for ten years, which may sign leaves only.
///
/// # Errors
/// When the system has no random numbers, or the date cannot be written.
pub fn create(
    authority: Authority,
    federation: &RegionName,
    now: Timestamp,
) -> Result<CertificateAuthority, PkiError> {
    let subject = common_name(authority, federation);
    let failed = |source| PkiError::Make {
        subject: subject.clone(),
        source,
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&subject);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(random_serial()?);
    params.not_before = date(after(now, -CLOCK_SKEW)?)?;
    params.not_after = date(after(now, LIFE)?)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(CertificateAuthority {
        certificate_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
    })
}

/// Takes over the authority of a running cluster.
///
/// `consul tls ca create` and `nomad tls ca create` write their keys in the older
/// form of RFC 5915 (`EC PRIVATE KEY`); they are kept in PKCS#8 like ours.
///
/// # Errors
/// When either text is unreadable, the certificate may not sign others, its name
/// cannot be written again, or the key is not its own.
pub fn adopt(certificate_pem: &str, key_pem: &str) -> Result<CertificateAuthority, PkiError> {
    let key = adopted_key(key_pem)?;
    let certificate_der = der::certificate_der(certificate_pem)?;
    let certificate = der::certificate(&certificate_der)?;
    let subject = certificate.subject().to_string();
    let usage = certificate.key_usage();
    let may_sign = usage.is_ok_and(|usage| usage.is_none_or(|usage| usage.value.key_cert_sign()));
    if !certificate.is_ca() || !may_sign {
        return Err(PkiError::NotAnAuthority { subject });
    }
    if is_repetitive(certificate.subject()) {
        return Err(PkiError::RepetitiveName { subject });
    }
    let key_pem = key.serialize_pem();
    if !der::key_matches(certificate_pem, &key_pem) {
        return Err(PkiError::OtherKey { subject });
    }
    Ok(CertificateAuthority {
        certificate_pem: certificate_pem.to_owned(),
        key_pem,
    })
}

/// Whether a name has an attribute twice, such as `DC=eu, DC=example`.
fn is_repetitive(name: &X509Name<'_>) -> bool {
    let kinds: Vec<_> = name
        .iter_attributes()
        .map(AttributeTypeAndValue::attr_type)
        .collect();
    let has_pairs = name.iter_rdn().any(|rdn| rdn.iter().count() > 1);
    has_pairs
        || kinds
            .iter()
            .enumerate()
            .any(|(index, kind)| kinds[..index].contains(kind))
}

fn adopted_key(pem: &str) -> Result<KeyPair, PkiError> {
    let is_key = |label: &str| label == "PRIVATE KEY" || label == "EC PRIVATE KEY";
    let block = der::blocks(pem)
        .into_iter()
        .find(|block| is_key(&block.label))
        .ok_or(der::PRIVATE_KEY)?;
    let pkcs8 = match block.label.as_str() {
        "EC PRIVATE KEY" => pkcs8_of_p256(&block.contents).ok_or(der::PRIVATE_KEY)?,
        _ => block.contents,
    };
    KeyPair::try_from(pkcs8).map_err(|_| der::PRIVATE_KEY)
}

/// Wraps an `ECPrivateKey` (RFC 5915) into a `PrivateKeyInfo` (RFC 5208) of P-256.
///
/// A key of another curve comes out as a P-256 key which does not parse.
fn pkcs8_of_p256(ec_private_key: &[u8]) -> Option<Vec<u8>> {
    const VERSION_AND_ALGORITHM: [u8; 24] = [
        0x02, 0x01, 0x00, // version 0
        0x30, 0x13, // algorithm
        0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, // id-ecPublicKey
        0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, // prime256v1
    ];
    // A P-256 key takes 121 bytes with its curve and public half, so that both
    // lengths fit the two-byte form of DER, 128 to 255, or the one-byte form.
    let octets = [
        tag_and_length(0x04, ec_private_key.len())?,
        ec_private_key.to_vec(),
    ]
    .concat();
    let body = [VERSION_AND_ALGORITHM.to_vec(), octets].concat();
    Some([tag_and_length(0x30, body.len())?, body].concat())
}

fn tag_and_length(tag: u8, length: usize) -> Option<Vec<u8>> {
    let short = u8::try_from(length).ok()?;
    Some(if short < 0x80 {
        vec![tag, short]
    } else {
        vec![tag, 0x81, short]
    })
}

/// `atoll example Consul CA`, within the 64 characters of RFC 5280.
fn common_name(authority: Authority, federation: &RegionName) -> String {
    let product = match authority {
        Authority::Consul => "Consul",
        Authority::Nomad => "Nomad",
        Authority::Atoll => "Atoll",
    };
    format!("atoll {:.48} {product} CA", federation.as_str())
}

pub(super) fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// 128 random bits: no two certificates of an authority may share a serial.
pub(super) fn random_serial() -> Result<SerialNumber, PkiError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(PkiError::Random)?;
    Ok(SerialNumber::from_slice(&bytes))
}

/// A time so much later, or earlier.
pub(super) fn after(now: Timestamp, duration: SignedDuration) -> Result<Timestamp, PkiError> {
    now.checked_add(duration)
        .map_err(|_| PkiError::Date { at: now })
}

/// A time in whole seconds, which is all that a certificate can say.
pub(super) fn date(at: Timestamp) -> Result<OffsetDateTime, PkiError> {
    OffsetDateTime::from_unix_timestamp(at.as_second()).map_err(|_| PkiError::Date { at })
}
