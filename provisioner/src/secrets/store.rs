//! The store: opened, asked, completed, saved.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use federation::names::RegionName;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::contents::{Contents, Unreadable};
use super::file::{self, Seen};
use super::recipients::Recipients;
use super::seal::{decrypt, encrypt};
use super::{Identity, SecretsError};
use crate::pki::{self, CertificateAuthority, Unfit};
use crate::plan::{Authority, Given, Secret, SecretKind};

/// The operator's secrets, in memory.
///
/// What [`Store::ensure`] and [`Store::ensure_authorities`] make exists nowhere
/// else: [`Store::save`] before a host sees it.
pub struct Store {
    file: Seen,
    list: Seen,
    recipients: Recipients,
    contents: Contents,
    changed: bool,
}

/// Shows names only.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authorities = self.contents.authorities.keys();
        f.debug_struct("Store")
            .field("path", &self.file.path)
            .field("secrets", &self.names().collect::<Vec<_>>())
            .field("authorities", &authorities.collect::<Vec<_>>())
            .field("changed", &self.changed)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens `secrets/federation.age` in the inventory folder; an absent file is an
    /// empty store, encrypted to this identity alone unless `secrets/recipients.txt`
    /// says otherwise.
    ///
    /// # Errors
    /// When the identity does not open it, it is damaged, or the list of recipients
    /// could not be used for saving it.
    pub fn open(folder: &Path, identity: &Identity) -> Result<Self, SecretsError> {
        let file = Seen::read(folder.join("secrets/federation.age"))?;
        let list = Seen::read(folder.join("secrets/recipients.txt"))?;
        let mut contents = match &file.bytes {
            Some(bytes) => contents(&file.path, &decrypt(&file.path, bytes, identity)?)?,
            None => Contents::default(),
        };
        let recipients = recipients(&file, &list, identity)?;
        let is_out_of_date = contents.recipients != recipients.names() || contents.salt.is_empty();
        if contents.salt.is_empty() {
            contents.salt = BASE64.encode(random());
        }
        Ok(Self {
            changed: file.bytes.is_some() && is_out_of_date,
            file,
            list,
            recipients,
            contents,
        })
    }

    /// The value of a secret, if it has one.
    pub fn value(&self, secret: &Secret) -> Option<&str> {
        self.value_by_name(&secret.to_string())
    }

    /// The value of the secret that a placeholder names, if the store has it.
    pub fn value_by_name(&self, name: &str) -> Option<&str> {
        self.contents.secrets.get(name).map(String::as_str)
    }

    /// Gives every secret a value, at random where it has none, and returns those. What only
    /// people can give stays as it is.
    pub fn ensure(&mut self, secrets: &[Secret]) -> Vec<Secret> {
        let mut made = Vec::new();
        for secret in secrets {
            if self.value(secret).is_some() {
                continue;
            }
            if let Some(value) = new_value(secret.kind()) {
                self.set(secret, &value);
                made.push(secret.clone());
            }
        }
        made
    }

    /// Gives a secret a value that others chose: a token from a cluster that is taken over.
    pub fn set(&mut self, secret: &Secret, value: &str) {
        let before = self
            .contents
            .secrets
            .insert(secret.to_string(), value.to_owned());
        self.changed |= before.as_deref() != Some(value);
    }

    /// What is wrong with a certificate that others have made, or its key, if both are there.
    pub fn unfit(&self, given: &Given, now: Timestamp) -> Vec<Unfit> {
        let [certificate, key] = [&given.certificate, &given.key].map(|secret| self.value(secret));
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                pki::examine_given(certificate, key, &given.zone, now)
            }
            _ => Vec::new(),
        }
    }

    /// An authority, if there is one.
    pub fn authority(&self, authority: Authority) -> Option<&CertificateAuthority> {
        self.contents.authorities.get(&authority)
    }

    /// Makes the authorities that are missing, and returns which.
    ///
    /// # Errors
    /// When an authority could not be made.
    pub fn ensure_authorities(
        &mut self,
        federation: &RegionName,
        now: Timestamp,
    ) -> Result<Vec<Authority>, SecretsError> {
        let mut made = Vec::new();
        for authority in [Authority::Consul, Authority::Nomad, Authority::Atoll] {
            if self.authority(authority).is_none() {
                let ca = pki::create(authority, federation, now)
                    .map_err(|source| SecretsError::Authority { source })?;
                self.set_authority(authority, ca);
                made.push(authority);
            }
        }
        Ok(made)
    }

    /// Keeps an authority that others made, such as the result of [`pki::adopt`].
    pub fn set_authority(&mut self, authority: Authority, ca: CertificateAuthority) {
        self.changed |= self.authority(authority) != Some(&ca);
        self.contents.authorities.insert(authority, ca);
    }

    /// Whether [`Store::save`] would write: a value changed, or the list of recipients.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Encrypts the store to all recipients and replaces its file, if it changed.
    ///
    /// # Errors
    /// When somebody else changed the files since they were read, or they cannot be
    /// written. The file is then as it was.
    pub fn save(&mut self) -> Result<(), SecretsError> {
        if !self.changed {
            return Ok(());
        }
        self.contents.recipients = self.recipients.names();
        let encrypted = encrypt(&self.file.path, &self.contents.text(), &self.recipients)?;
        let folder = file::folder_of(&self.file.path);
        file::create_folder(folder).map_err(|source| SecretsError::Write {
            path: folder.to_owned(),
            source,
        })?;
        let _lock = file::lock(folder);
        self.file.must_be_unchanged()?;
        self.list.must_be_unchanged()?;
        if self.list.bytes.is_none() {
            self.list.replace(self.recipients.text().into_bytes())?;
        }
        self.file.replace(encrypted)?;
        self.changed = false;
        Ok(())
    }

    /// What the store gives names to: `consul/gossip-key`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.contents.secrets.keys().map(String::as_str)
    }

    /// Texts which may stand nowhere but in this store and on the hosts that need
    /// them, for whoever searches plans, logs and events for leaks.
    ///
    /// A private key counts by its first line of base64, which is in it however the
    /// lines are broken or joined.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        let keys = self.contents.authorities.values();
        let secrets = self.contents.secrets.values().map(String::as_str);
        secrets
            .chain(keys.filter_map(|ca| ca.key_pem.lines().nth(1)))
            .chain([self.contents.salt.as_str()])
    }

    /// Eight hexadecimal digits by which a plan tells a value from another.
    ///
    /// They are keyed with the store's salt: whoever has the plan cannot find a
    /// short value by trying all.
    pub fn fingerprint(&self, value: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(&self.contents.salt);
        hash.update([0]);
        hash.update(value);
        format!("{:.8x}", hash.finalize())
    }
}

fn new_value(kind: SecretKind) -> Option<String> {
    match kind {
        SecretKind::Uuid => Some(uuid::Uuid::new_v4().to_string()),
        SecretKind::Key32 => Some(BASE64.encode(random())),
        SecretKind::Given => None,
    }
}

#[expect(
    clippy::expect_used,
    reason = "without random numbers nothing may go on; the standard library's HashMap stops there too"
)]
fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

fn recipients(file: &Seen, list: &Seen, identity: &Identity) -> Result<Recipients, SecretsError> {
    let recipients = match (&list.bytes, &file.bytes) {
        (Some(bytes), _) => Recipients::read(&list.path, bytes)?,
        (None, None) => Recipients::only(identity),
        (None, Some(_)) => {
            return Err(SecretsError::RecipientsMissing {
                path: file.path.clone(),
                recipients: list.path.clone(),
            });
        }
    };
    if !recipients.contains(identity) {
        return Err(SecretsError::LockedOut {
            path: list.path.clone(),
            recipient: identity.recipient(),
        });
    }
    Ok(recipients)
}

fn contents(path: &Path, text: &[u8]) -> Result<Contents, SecretsError> {
    let path = path.to_owned();
    Contents::parse(text).map_err(|unreadable| match unreadable {
        Unreadable::Format(format) => SecretsError::NewerFormat { path, format },
        Unreadable::At { line, column } => SecretsError::NotAStore { path, line, column },
    })
}
