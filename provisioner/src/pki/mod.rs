//! Makes certificate authorities and certificates, and judges those in use.
//!
//! Keys are ECDSA P-256 and signatures SHA-256, which Consul, Nomad and Traefik
//! all take. Nothing here reads a file or a clock: certificates are PEM text,
//! time is an argument, and the authorities' keys come from the operator's
//! store ([`crate::secrets`]) and go nowhere else.
//!
//! ```text
//! create() or adopt() ──▶ CertificateAuthority ──issue(leaf)──▶ Issued ──▶ host
//!                                   └──────examine(found, leaf)──▶ Verdict
//! made by others ──examine_given(zone)──▶ [Unfit]
//! ```
//!
//! [`issue`] ends with [`examine`], so a certificate that was just made is never
//! replaced by the next run. Which certificates there are is decided by
//! [`crate::plan`].

mod authority;
mod der;
mod examine;
mod given;
mod issue;

use jiff::Timestamp;

pub use authority::{CertificateAuthority, adopt, create};
pub use der::{fingerprint, key_matches, public_key_of};
pub use examine::{Reason, Verdict, examine, examine_authority};
pub use given::{Unfit, examine_given};
pub use issue::{Issued, issue};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The text is not what it should be. It may be a key, so it is not shown.
    #[error("cannot read a {what}")]
    Unreadable {
        /// What the text should have been.
        what: &'static str,
    },
    /// The certificate may not sign others.
    #[error("cannot use `{subject}` as a certificate authority: it may not sign certificates")]
    NotAnAuthority {
        /// The certificate's subject.
        subject: String,
    },
    /// The certificate's subject could not be repeated as the issuer of others.
    #[error(
        "cannot use `{subject}` as a certificate authority: its name says the same kind of thing \
         twice, which rcgen cannot write into the certificates it would sign"
    )]
    RepetitiveName {
        /// The certificate's subject.
        subject: String,
    },
    /// The authority's two halves do not belong together.
    #[error(
        "cannot sign with the authority `{subject}`: its key is not the one in its certificate"
    )]
    OtherKey {
        /// The authority's subject.
        subject: String,
    },
    /// Whatever the authority signs today is refused today.
    #[error(
        "cannot sign with the authority `{subject}` at {now}: it is valid from {not_before} until \
         {not_after}; check this machine's clock, or replace the authority"
    )]
    AuthorityNotValid {
        /// The authority's subject.
        subject: String,
        /// When a certificate was wanted.
        now: Timestamp,
        /// The start of the authority's life.
        not_before: Timestamp,
        /// The end of the authority's life.
        not_after: Timestamp,
    },
    /// The certificate could not be put together or signed.
    #[error("cannot make the certificate of `{subject}`")]
    Make {
        /// Whose certificate.
        subject: String,
        /// What the library answered.
        source: rcgen::Error,
    },
    /// The new certificate does not pass our own examination.
    #[error("cannot make a usable certificate of `{subject}`: {reason}")]
    Unusable {
        /// Whose certificate.
        subject: String,
        /// What is wrong with it.
        reason: Reason,
    },
    /// The date is beyond what a certificate can say.
    #[error("cannot make a certificate that is valid at {at}")]
    Date {
        /// The date.
        at: Timestamp,
    },
    /// The system has no random numbers.
    #[error("cannot get random numbers from the system: {0}")]
    Random(getrandom::Error),
}
