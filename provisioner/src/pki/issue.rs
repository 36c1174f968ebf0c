//! Certificates for hosts, gateways and callers.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};

use super::authority::{CLOCK_SKEW, CertificateAuthority, after, date, named, random_serial};
use super::examine::{Verdict, examine};
use super::{PkiError, der};
use crate::plan::Leaf;

/// How long a leaf lives, unless its authority ends before.
const LIFE: SignedDuration = SignedDuration::from_hours(365 * 24);

/// A new certificate and its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// The certificate alone; the authority's goes to its own file.
    pub certificate_pem: String,
    /// The private key in PKCS#8.
    pub key_pem: String,
}

/// The key is not shown.
impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

/// Makes a key and a certificate for it, valid for a year but never longer than
/// its authority.
///
/// # Errors
/// When the authority is unreadable or not valid now, when a name cannot stand
/// in a certificate, or when the result would not pass [`examine`].
pub fn issue(
    authority: &CertificateAuthority,
    leaf: &Leaf,
    now: Timestamp,
) -> Result<Issued, PkiError> {
    let signer = Signer::open(authority, now)?;
    let failed = |source| PkiError::Make {
        subject: leaf.common_name.clone(),
        source,
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&leaf.common_name);
    params.subject_alt_names = alternative_names(leaf).map_err(failed)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = extended_usages(leaf);
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(random_serial()?);
    params.not_before = date(after(now, -CLOCK_SKEW)?)?;
    params.not_after = date(after(now, LIFE)?.min(signer.not_after))?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let certificate = params.signed_by(&key, &signer.issuer).map_err(failed)?;
    let issued = Issued {
        certificate_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
    };
    match examine(
        &issued.certificate_pem,
        &authority.certificate_pem,
        leaf,
        now,
    ) {
        Verdict::Good { .. } => Ok(issued),
        Verdict::Replace(reason) => Err(PkiError::Unusable {
            subject: leaf.common_name.clone(),
            reason,
        }),
    }
}

/// An authority that may sign now.
struct Signer {
    issuer: Issuer<'static, KeyPair>,
    not_after: Timestamp,
}

impl Signer {
    fn open(authority: &CertificateAuthority, now: Timestamp) -> Result<Self, PkiError> {
        let der = der::certificate_der(&authority.certificate_pem)?;
        let certificate = der::certificate(&der)?;
        let subject = certificate.subject().to_string();
        let not_before = der::timestamp(certificate.validity().not_before);
        let not_after = der::timestamp(certificate.validity().not_after);
        if !der::key_matches(&authority.certificate_pem, &authority.key_pem) {
            return Err(PkiError::OtherKey { subject });
        }
        if now < not_before || not_after <= now {
            return Err(PkiError::AuthorityNotValid {
                subject,
                now,
                not_before,
                not_after,
            });
        }
        let issuer =
            Issuer::from_ca_cert_pem(&authority.certificate_pem, der::key(&authority.key_pem)?)
                .map_err(|source| PkiError::Make { subject, source })?;
        Ok(Self { issuer, not_after })
    }
}

fn alternative_names(leaf: &Leaf) -> Result<Vec<SanType>, rcgen::Error> {
    let dns_names = leaf
        .dns_names
        .iter()
        .map(|name| Ok(SanType::DnsName(name.as_str().try_into()?)));
    let addresses = leaf.addresses.iter().map(|ip| Ok(SanType::IpAddress(*ip)));
    let uris = leaf
        .uris
        .iter()
        .map(|uri| Ok(SanType::URI(uri.as_str().try_into()?)));
    dns_names.chain(addresses).chain(uris).collect()
}

fn extended_usages(leaf: &Leaf) -> Vec<ExtendedKeyUsagePurpose> {
    if leaf.serves {
        vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ]
    } else {
        vec![ExtendedKeyUsagePurpose::ClientAuth]
    }
}
