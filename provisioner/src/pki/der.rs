//! From PEM text to certificates and keys.

use jiff::Timestamp;
use rcgen::{KeyPair, PublicKeyData};
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::time::ASN1Time;

use super::PkiError;

/// What a text must be to count as a certificate.
const CERTIFICATE: PkiError = PkiError::Unreadable {
    what: "certificate",
};

/// What a text must be to count as a private key.
pub(super) const PRIVATE_KEY: PkiError = PkiError::Unreadable {
    what: "private key",
};

/// The DER of the only certificate in a text.
///
/// More than one is refused: whoever reads the file might choose another one.
pub(super) fn certificate_der(pem: &str) -> Result<Vec<u8>, PkiError> {
    let mut blocks = blocks(pem);
    match (blocks.pop(), blocks.pop()) {
        (Some(block), None) if block.label == "CERTIFICATE" => Ok(block.contents),
        _ => Err(CERTIFICATE),
    }
}

/// A certificate, read from the whole of its DER.
pub(super) fn certificate(der: &[u8]) -> Result<X509Certificate<'_>, PkiError> {
    match x509_parser::parse_x509_certificate(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(CERTIFICATE),
    }
}

/// The PEM blocks of a text; what stands between them is a comment.
pub(super) fn blocks(pem: &str) -> Vec<Pem> {
    Pem::iter_from_buffer(pem.as_bytes())
        .map_while(Result::ok)
        .collect()
}

/// A private key in PKCS#8.
pub(super) fn key(pem: &str) -> Result<KeyPair, PkiError> {
    KeyPair::from_pem(pem).map_err(|_| PRIVATE_KEY)
}

/// A certificate's time as ours.
///
/// `99991231235959Z`, which says "no end" (RFC 5280, 4.1.2.5), is beyond ours.
pub(super) fn timestamp(time: ASN1Time) -> Timestamp {
    Timestamp::from_second(time.timestamp()).unwrap_or(Timestamp::MAX)
}

/// The public half of a private key, as the DER of a `SubjectPublicKeyInfo`.
///
/// # Errors
/// When the text is not a private key in PKCS#8.
pub fn public_key_of(key_pem: &str) -> Result<Vec<u8>, PkiError> {
    Ok(key(key_pem)?.subject_public_key_info())
}

/// Whether a private key belongs to a certificate; not so when either is unreadable.
pub fn key_matches(certificate_pem: &str, key_pem: &str) -> bool {
    let Ok(der) = certificate_der(certificate_pem) else {
        return false;
    };
    match (certificate(&der), public_key_of(key_pem)) {
        (Ok(certificate), Ok(public_key)) => certificate.public_key().raw == public_key,
        _ => false,
    }
}

/// The first 64 bits of the SHA-256 of a certificate's DER, in hexadecimal.
///
/// Enough for a person to tell certificates apart, and the start of what
/// `openssl x509 -fingerprint -sha256` prints; not enough to trust one.
///
/// # Errors
/// When the text is not one certificate.
pub fn fingerprint(certificate_pem: &str) -> Result<String, PkiError> {
    let digest = Sha256::digest(certificate_der(certificate_pem)?);
    Ok(format!("{digest:.16x}"))
}
