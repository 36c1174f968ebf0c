//! Whether a certificate that others have made will do for a gateway.

use jiff::Timestamp;
use rustls::SignatureAlgorithm;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

use super::der;
use super::examine::{Life, is_signed_by};

/// What is wrong with a certificate that was given, or with its key. Certificates are counted as
/// they stand in the text, from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The text holds no certificate, or something else too.
    #[error("the certificate is not PEM of certificates and nothing else")]
    NotCertificates,
    /// One of the certificates is damaged.
    #[error("certificate {number} in it cannot be read")]
    Unreadable {
        /// Which one.
        number: usize,
    },
    /// The text is not one private key that a gateway can use.
    #[error(
        "the key is not one private key in PEM that needs no password (PKCS#8, PKCS#1 or SEC 1), \
         RSA of 2048 bits or more, or of the curves P-256 and P-384"
    )]
    NotKey,
    /// The key is that of another certificate.
    #[error("the key is not that of certificate 1 in it")]
    OtherKey,
    /// The gateway's own certificate does not come first.
    #[error("certificate 1 in it is an authority's; the gateway's own comes first")]
    AuthorityFirst,
    /// It says that it is for something else.
    #[error("it is not for TLS servers")]
    OtherUse,
    /// Users' URLs have names that it does not cover.
    #[error("it is not good for {}", missing.join(" and "))]
    Names {
        /// Which ones.
        missing: Vec<String>,
    },
    /// Browsers could not follow it to an authority that they know.
    #[error("the certificates of its issuers do not follow it")]
    Alone,
    /// The certificates do not stand in their order.
    #[error("certificate {number} in it is not signed by the one after it")]
    Order {
        /// The one that the next has not signed.
        number: usize,
    },
    /// A life has not begun.
    #[error("certificate {number} in it is not valid before {from}")]
    NotYetValid {
        /// Which one.
        number: usize,
        /// When it begins.
        from: Timestamp,
    },
    /// A life is over.
    #[error("certificate {number} in it expired at {since}")]
    Expired {
        /// Which one.
        number: usize,
        /// The end of it.
        since: Timestamp,
    },
}

/// Lists all that is wrong with a certificate, which those of its issuers follow, and with its key,
/// for a gateway that answers for a zone and for every name below it. Empty means that it will do.
pub fn examine_given(
    certificates_pem: &str,
    key_pem: &str,
    zone: &str,
    now: Timestamp,
) -> Vec<Unfit> {
    let key = public_key(key_pem);
    let mut unfit: Vec<_> = key.is_none().then_some(Unfit::NotKey).into_iter().collect();
    let blocks = match blocks(certificates_pem) {
        Some(blocks) if blocks.iter().all(|block| block.label == "CERTIFICATE") => blocks,
        _ => {
            unfit.push(Unfit::NotCertificates);
            return unfit;
        }
    };
    let mut chain = Vec::new();
    for (number, block) in (1..).zip(&blocks) {
        match der::certificate(&block.contents) {
            Ok(certificate) => chain.push(certificate),
            Err(_) => unfit.push(Unfit::Unreadable { number }),
        }
    }
    if chain.len() < blocks.len() {
        return unfit;
    }
    if let Some(own) = chain.first() {
        unfit.extend(unfit_leaf(own, key.as_deref(), zone));
    }
    unfit.extend(unfit_order(&chain));
    // Browsers may know another way up from there: an old cross-signed authority at the end is common.
    let lives = (1..).zip(chain.iter().take(2));
    unfit.extend(lives.filter_map(|(number, it)| unfit_life(number, &Life::of(it), now)));
    unfit
}

/// The PEM blocks of a text with at least one; nothing if any is damaged.
fn blocks(pem: &str) -> Option<Vec<Pem>> {
    let blocks = Pem::iter_from_buffer(pem.as_bytes());
    let blocks: Vec<Pem> = blocks.collect::<Result<_, _>>().ok()?;
    (!blocks.is_empty()).then_some(blocks)
}

/// The public half of the only private key in a text, as the DER of a `SubjectPublicKeyInfo`. What
/// OpenSSL writes before a key of an elliptic curve says nothing that the key does not.
fn public_key(pem: &str) -> Option<Vec<u8>> {
    let blocks = blocks(pem)?;
    let mut keys = blocks.iter().filter(|block| block.label != "EC PARAMETERS");
    let (Some(_), None) = (keys.next(), keys.next()) else {
        return None;
    };
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()?;
    let public = any_supported_type(&key).ok()?;
    // What no browser takes.
    if public.algorithm() == SignatureAlgorithm::ED25519 {
        return None;
    }
    Some(public.public_key()?.as_ref().to_vec())
}

fn unfit_leaf(own: &X509Certificate<'_>, key: Option<&[u8]>, zone: &str) -> Vec<Unfit> {
    let names = dns_names(own);
    let wanted = [zone.to_owned(), format!("*.{zone}")];
    let missing: Vec<_> = wanted
        .into_iter()
        .filter(|wanted| !names.iter().any(|name| covers(name, wanted)))
        .collect();
    // Without a word about it a certificate is for everything.
    let usage = own.extended_key_usage();
    let serves = usage
        .is_ok_and(|usage| usage.is_none_or(|usage| usage.value.server_auth || usage.value.any));
    let is_other = key.is_some_and(|key| own.public_key().raw != key);
    let found = [
        is_other.then_some(Unfit::OtherKey),
        own.is_ca().then_some(Unfit::AuthorityFirst),
        (!serves).then_some(Unfit::OtherUse),
        (!missing.is_empty()).then_some(Unfit::Names { missing }),
    ];
    found.into_iter().flatten().collect()
}

fn dns_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map_or(&[][..], |names| &names.value.general_names);
    let dns = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    dns.collect()
}

/// A wildcard stands for one label, and for no other wildcard.
fn covers(name: &str, wanted: &str) -> bool {
    let below = |name: &str| name.split_once('.').map(|(_, parent)| parent.to_owned());
    name == wanted
        || (name.starts_with("*.") && !wanted.starts_with("*.") && below(name) == below(wanted))
}

fn unfit_order(chain: &[X509Certificate<'_>]) -> Vec<Unfit> {
    if let [own] = chain
        && !is_signed_by(own, own)
    {
        return vec![Unfit::Alone];
    }
    let pairs = (1..).zip(chain.windows(2));
    let unsigned = pairs.filter(|(_, pair)| match pair {
        [one, next] => !(next.is_ca() && is_signed_by(one, next)),
        _ => false,
    });
    unsigned
        .map(|(number, _)| Unfit::Order { number })
        .collect()
}

fn unfit_life(number: usize, life: &Life, now: Timestamp) -> Option<Unfit> {
    if now < life.not_before {
        let from = life.not_before;
        Some(Unfit::NotYetValid { number, from })
    } else if now >= life.not_after {
        let since = life.not_after;
        Some(Unfit::Expired { number, since })
    } else {
        None
    }
}
