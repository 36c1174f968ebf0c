//! Whether a certificate that was found will do.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use super::{PkiError, der};
use crate::plan::Leaf;

/// What is to be done with a certificate that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Good {
        /// From this second on, the verdict is to replace it.
        renew_after: Timestamp,
    },
    /// It must be replaced.
    Replace(Reason),
}

/// Why a certificate must be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The text is not one certificate.
    Unreadable,
    /// The authority which should have signed it is unreadable itself.
    AuthorityUnreadable,
    /// Another authority signed it, be it one of the same name.
    OtherAuthority,
    /// It names other things than it should.
    OtherNames {
        /// What it should name and does not.
        missing: Vec<String>,
        /// What it names and should not: each name is a right.
        extra: Vec<String>,
    },
    /// It may be used for too little, or for too much.
    WrongUsage {
        /// Whether it should be able to answer connections.
        serves: bool,
    },
    /// Its life has not begun.
    NotYetValid {
        /// When it begins.
        from: Timestamp,
    },
    /// Its life, or its authority's, is over.
    Expired {
        /// The end of it.
        since: Timestamp,
    },
    /// Two thirds of its life are over.
    RenewalDue {
        /// When that was.
        since: Timestamp,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("it cannot be read as one certificate"),
            Self::AuthorityUnreadable => {
                f.write_str("the authority which should have signed it cannot be read")
            }
            Self::OtherAuthority => f.write_str("another authority signed it"),
            Self::OtherNames { missing, extra } => f.write_str(&other_names(missing, extra)),
            Self::WrongUsage { serves: true } => {
                f.write_str("it cannot be used for both answering and opening connections")
            }
            Self::WrongUsage { serves: false } => {
                f.write_str("it cannot be used for opening connections, or for more than that")
            }
            Self::NotYetValid { from } => write!(f, "it is not valid before {from}"),
            Self::Expired { since } => write!(f, "it expired at {since}"),
            Self::RenewalDue { since } => write!(f, "its renewal is due since {since}"),
        }
    }
}

fn other_names(missing: &[String], extra: &[String]) -> String {
    let lacks = (!missing.is_empty()).then(|| format!("it lacks {}", missing.join(", ")));
    let should_not =
        (!extra.is_empty()).then(|| format!("it should not name {}", extra.join(", ")));
    let parts: Vec<_> = lacks.into_iter().chain(should_not).collect();
    parts.join("; ")
}

/// Judges a certificate that was found against the one that is wanted.
///
/// The signature is verified with the authority's key. Names and usages must be
/// the wanted ones exactly, since each is a right: `server.<region>.nomad` on a
/// worker would make it a server. A leaf which cannot outlive its authority is
/// good to the end, because a new one would gain nothing: the authority is what
/// must be replaced then ([`examine_authority`]).
pub fn examine(certificate_pem: &str, ca_pem: &str, leaf: &Leaf, now: Timestamp) -> Verdict {
    let Ok(ca_der) = der::certificate_der(ca_pem) else {
        return Verdict::Replace(Reason::AuthorityUnreadable);
    };
    let Ok(ca) = der::certificate(&ca_der) else {
        return Verdict::Replace(Reason::AuthorityUnreadable);
    };
    let judged = der::certificate_der(certificate_pem).and_then(|der| {
        must_be_readable_by_peers(&der)?;
        judge(&der::certificate(&der)?, &ca, leaf, now)
    });
    judged.unwrap_or(Verdict::Replace(Reason::Unreadable))
}

/// Judges an authority by its life alone.
pub fn examine_authority(ca_pem: &str, now: Timestamp) -> Verdict {
    let judged = der::certificate_der(ca_pem).and_then(|der| {
        let life = Life::of(&der::certificate(&der)?);
        Ok(life.judge(life.two_thirds(), now))
    });
    judged.unwrap_or(Verdict::Replace(Reason::AuthorityUnreadable))
}

/// x509-parser overlooks what a TLS peer refuses, such as a second name of the
/// signature's algorithm which is not the first; rustls does not.
fn must_be_readable_by_peers(der: &[u8]) -> Result<(), PkiError> {
    let der = CertificateDer::from(der);
    ParsedCertificate::try_from(&der)
        .map(drop)
        .map_err(unreadable)
}

fn judge(
    certificate: &X509Certificate<'_>,
    ca: &X509Certificate<'_>,
    leaf: &Leaf,
    now: Timestamp,
) -> Result<Verdict, PkiError> {
    let own = Life::of(certificate);
    let authority = Life::of(ca);
    let reason = if !is_signed_by(certificate, ca) {
        Some(Reason::OtherAuthority)
    } else if let Some(reason) = names_differ(certificate, leaf)? {
        Some(reason)
    } else if !has_usage(certificate, leaf.serves)? {
        Some(Reason::WrongUsage {
            serves: leaf.serves,
        })
    } else {
        None
    };
    if let Some(reason) = reason {
        return Ok(Verdict::Replace(reason));
    }
    let life = Life {
        not_before: own.not_before.max(authority.not_before),
        not_after: own.not_after.min(authority.not_after),
    };
    let renew_after = if own.not_after < authority.not_after {
        own.two_thirds()
    } else {
        life.not_after
    };
    Ok(life.judge(renew_after, now))
}

pub(super) fn is_signed_by(certificate: &X509Certificate<'_>, ca: &X509Certificate<'_>) -> bool {
    certificate.issuer().as_raw() == ca.subject().as_raw()
        && certificate.verify_signature(Some(ca.public_key())).is_ok()
}

fn names_differ(
    certificate: &X509Certificate<'_>,
    leaf: &Leaf,
) -> Result<Option<Reason>, PkiError> {
    let found = names_of(certificate)?;
    let wanted: BTreeSet<String> = std::iter::once(format!("CN={}", leaf.common_name))
        .chain(leaf.dns_names.iter().cloned())
        .chain(leaf.addresses.iter().map(IpAddr::to_string))
        .chain(leaf.uris.iter().cloned())
        .collect();
    let reason = Reason::OtherNames {
        missing: wanted.difference(&found).cloned().collect(),
        extra: found.difference(&wanted).cloned().collect(),
    };
    Ok((found != wanted).then_some(reason))
}

fn names_of(certificate: &X509Certificate<'_>) -> Result<BTreeSet<String>, PkiError> {
    let common_names = certificate.subject().iter_common_name();
    let mut names: BTreeSet<String> = common_names
        .map(|name| format!("CN={}", name.as_str().unwrap_or("?")))
        .collect();
    let alternative = certificate.subject_alternative_name().map_err(unreadable)?;
    for name in alternative
        .iter()
        .flat_map(|names| &names.value.general_names)
    {
        names.insert(match name {
            GeneralName::DNSName(name) => (*name).to_owned(),
            GeneralName::IPAddress(octets) => address(octets),
            GeneralName::URI(uri) => (*uri).to_owned(),
            other => other.to_string(),
        });
    }
    Ok(names)
}

fn address(octets: &[u8]) -> String {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    let address = v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from));
    address.map_or_else(|_| format!("IP={octets:?}"), |ip| ip.to_string())
}

/// Whether it is a leaf for TLS clients, and for TLS servers if and only if it serves.
fn has_usage(certificate: &X509Certificate<'_>, serves: bool) -> Result<bool, PkiError> {
    let key_usage = certificate.key_usage().map_err(unreadable)?;
    let extended = certificate.extended_key_usage().map_err(unreadable)?;
    let signs_handshakes = key_usage
        .is_some_and(|usage| usage.value.digital_signature() && !usage.value.key_cert_sign());
    let is_for_tls = extended.is_some_and(|usage| {
        let usage = usage.value;
        usage.client_auth && usage.server_auth == serves && !usage.any
    });
    Ok(!certificate.is_ca() && signs_handshakes && is_for_tls)
}

fn unreadable<E>(_: E) -> PkiError {
    PkiError::Unreadable {
        what: "certificate",
    }
}

/// The first and the last second of a certificate.
///
/// RFC 5280 counts the last second in, OpenSSL does not: neither do we.
pub(super) struct Life {
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

impl Life {
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        Self {
            not_before: der::timestamp(certificate.validity().not_before),
            not_after: der::timestamp(certificate.validity().not_after),
        }
    }

    fn two_thirds(&self) -> Timestamp {
        let life = self.not_before.duration_until(self.not_after);
        self.not_before + SignedDuration::from_secs(life.as_secs() * 2 / 3)
    }

    fn judge(&self, renew_after: Timestamp, now: Timestamp) -> Verdict {
        if now < self.not_before {
            Verdict::Replace(Reason::NotYetValid {
                from: self.not_before,
            })
        } else if now >= self.not_after {
            Verdict::Replace(Reason::Expired {
                since: self.not_after,
            })
        } else if now < renew_after {
            Verdict::Good { renew_after }
        } else {
            Verdict::Replace(Reason::RenewalDue { since: renew_after })
        }
    }
}
