//! Between the store's text and the bytes of its file.

use std::io::{Read, Write};
use std::path::Path;

use age::armor::{ArmoredReader, ArmoredWriter, Format};

use super::recipients::Recipients;
use super::{Identity, SecretsError};

/// Encrypts a text to all recipients, in ASCII armor.
pub(super) fn encrypt(
    path: &Path,
    text: &str,
    recipients: &Recipients,
) -> Result<Vec<u8>, SecretsError> {
    let failed = |source| SecretsError::Encrypt {
        path: path.to_owned(),
        source: Box::new(source),
    };
    let encryptor = age::Encryptor::with_recipients(recipients.all()).map_err(failed)?;
    let write = || {
        let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armor)?;
        writer.write_all(text.as_bytes())?;
        writer.finish()?.finish()
    };
    write().map_err(|error| failed(error.into()))
}

/// Decrypts a file, armored or not.
pub(super) fn decrypt(
    path: &Path,
    bytes: &[u8],
    identity: &Identity,
) -> Result<Vec<u8>, SecretsError> {
    if bytes
        .split(|byte| *byte == b'\n')
        .any(|line| line.starts_with(b"<<<<<<< "))
    {
        return Err(SecretsError::Conflict {
            path: path.to_owned(),
        });
    }
    let read = || {
        let decryptor = age::Decryptor::new_buffered(ArmoredReader::new(bytes))?;
        let identities = identity.all().map(|one| one as &dyn age::Identity);
        let mut text = Vec::new();
        decryptor.decrypt(identities)?.read_to_end(&mut text)?;
        Ok(text)
    };
    read().map_err(|error| match error {
        age::DecryptError::NoMatchingKeys => SecretsError::NotForYou {
            path: path.to_owned(),
            recipient: identity.recipient(),
        },
        source => SecretsError::Damaged {
            path: path.to_owned(),
            source,
        },
    })
}
