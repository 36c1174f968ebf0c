//! What the store holds, as JSON inside the encryption.
//!
//! ```json
//! {
//!   "format": 1,
//!   "salt": "<base64>",
//!   "recipients": ["age1…"],
//!   "secrets": { "consul/gossip-key": "<base64>" },
//!   "authorities": { "consul": { "certificate_pem": "…", "key_pem": "…" } }
//! }
//! ```
//!
//! `salt` and `recipients` may be absent, so that a store can be made by hand
//! with `age` alone. Whatever else is unknown is refused rather than lost at the
//! next save.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::pki::CertificateAuthority;
use crate::plan::Authority;

/// The version of this form which we write, and the only one we read.
const FORMAT: u64 = 1;

/// Everything in the store.
#[derive(Default)]
pub(super) struct Contents {
    /// Keys the fingerprints of values; as secret as they are.
    pub(super) salt: String,
    /// To whom the file was encrypted when it was last saved: age itself does not tell.
    pub(super) recipients: BTreeSet<String>,
    /// Values by the name of their secret.
    pub(super) secrets: BTreeMap<String, String>,
    /// The authorities with their keys.
    pub(super) authorities: BTreeMap<Authority, CertificateAuthority>,
}

/// Why a text is no [`Contents`]. It does not quote the text, as serde's own errors do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Of another format.
    Format(u64),
    /// No JSON, or not with these fields.
    At {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}

#[derive(Deserialize)]
struct Header {
    format: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(rename = "format")]
    _format: u64,
    #[serde(default)]
    salt: String,
    #[serde(default)]
    recipients: BTreeSet<String>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    #[serde(default)]
    authorities: Authorities,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorities {
    consul: Option<Pair>,
    nomad: Option<Pair>,
    atoll: Option<Pair>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    certificate_pem: String,
    key_pem: String,
}

impl Contents {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Unreadable> {
        let header: Header = serde_json::from_slice(text).map_err(|error| at(&error))?;
        if header.format != FORMAT {
            return Err(Unreadable::Format(header.format));
        }
        let body: Body = serde_json::from_slice(text).map_err(|error| at(&error))?;
        let authorities = [
            (Authority::Consul, body.authorities.consul),
            (Authority::Nomad, body.authorities.nomad),
            (Authority::Atoll, body.authorities.atoll),
        ];
        Ok(Self {
            salt: body.salt,
            recipients: body.recipients,
            secrets: body.secrets,
            authorities: authorities
                .into_iter()
                .filter_map(|(authority, pair)| Some((authority, pair?.into())))
                .collect(),
        })
    }

    /// The text, the same for the same contents.
    pub(super) fn text(&self) -> String {
        let authorities: Map<String, Value> = self
            .authorities
            .iter()
            .map(|(authority, ca)| {
                let pair = json!({ "certificate_pem": ca.certificate_pem, "key_pem": ca.key_pem });
                (key_of(*authority).to_owned(), pair)
            })
            .collect();
        let body = json!({
            "format": FORMAT,
            "salt": self.salt,
            "recipients": self.recipients,
            "secrets": self.secrets,
            "authorities": authorities,
        });
        format!("{body:#}\n")
    }
}

impl From<Pair> for CertificateAuthority {
    fn from(pair: Pair) -> Self {
        Self {
            certificate_pem: pair.certificate_pem,
            key_pem: pair.key_pem,
        }
    }
}

/// The key under which an authority is kept.
fn key_of(authority: Authority) -> &'static str {
    match authority {
        Authority::Consul => "consul",
        Authority::Nomad => "nomad",
        Authority::Atoll => "atoll",
    }
}

fn at(error: &serde_json::Error) -> Unreadable {
    Unreadable::At {
        line: error.line(),
        column: error.column(),
    }
}
