//! Who the operator is to age.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use age::secrecy::ExposeSecret;
use age::x25519;

use super::{SecretsError, file};

/// The operator's age identities, which open the store. The first one is theirs
/// when the store is made; further ones still open what was encrypted to them.
#[derive(Clone)]
pub struct Identity {
    pub(super) first: x25519::Identity,
    others: Vec<x25519::Identity>,
}

/// Shows the public half only.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.recipient()).finish()
    }
}

impl Identity {
    /// Reads an identity file, as `atoll` and `age-keygen` write it.
    ///
    /// # Errors
    /// When others can read the file, or it holds no X25519 identity.
    pub fn from_file(path: &Path) -> Result<Self, SecretsError> {
        let unreadable = |source| SecretsError::Read {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SecretsError::IdentityReadable {
                path: path.to_owned(),
                mode,
            });
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(unreadable)?;
        Self::parse(&bytes).map_err(|problem| SecretsError::NotAnIdentity {
            path: path.to_owned(),
            problem,
        })
    }

    /// The public half, `age1…`: what a list of recipients holds.
    pub fn recipient(&self) -> String {
        self.first.to_public().to_string()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &x25519::Identity> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.starts_with(b"age-encryption.org/") || bytes.starts_with(b"-----BEGIN AGE") {
            return Err(
                "it is encrypted itself; give it decrypted, such as by `--identity <(age -d FILE)`"
                    .into(),
            );
        }
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
        let mut identities = text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(number, line)| {
                line.parse::<x25519::Identity>()
                    .map_err(|_| format!("line {number} is not of the form `AGE-SECRET-KEY-1…`"))
            });
        let first = identities.next().ok_or("it is empty")??;
        Ok(Self {
            first,
            others: identities.collect::<Result<_, _>>()?,
        })
    }
}

/// Makes a new identity file, which only its owner can read, and returns its recipient.
///
/// # Errors
/// When the file exists, or cannot be written.
pub fn keygen(path: &Path) -> Result<String, SecretsError> {
    let identity = x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let text = format!(
        "# public key: {recipient}\n{}\n",
        identity.to_string().expose_secret()
    );
    let made = file::create_folder(file::folder_of(path))
        .and_then(|()| file::create(path, text.as_bytes()));
    match made {
        Ok(()) => Ok(recipient),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(SecretsError::IdentityExists {
                path: path.to_owned(),
            })
        }
        Err(source) => Err(SecretsError::Write {
            path: path.to_owned(),
            source,
        }),
    }
}
