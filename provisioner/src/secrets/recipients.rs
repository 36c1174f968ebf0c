//! Who can open the store: `secrets/recipients.txt`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use age::x25519;

use super::{Identity, SecretsError};

/// The people to whom the store is encrypted, by the text of their recipient.
#[derive(Debug)]
pub(super) struct Recipients(BTreeMap<String, x25519::Recipient>);

impl Recipients {
    /// The list of a new store.
    pub(super) fn only(identity: &Identity) -> Self {
        Self(BTreeMap::from([(
            identity.recipient(),
            identity.first.to_public(),
        )]))
    }

    /// Reads a list: one recipient a line, comments after `#`.
    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Self, SecretsError> {
        let mut recipients = BTreeMap::new();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = String::from_utf8_lossy(line);
            let word = line.split('#').next().unwrap_or_default().trim();
            if word.is_empty() {
                continue;
            }
            let recipient: x25519::Recipient =
                word.parse().map_err(|_| SecretsError::NotARecipient {
                    path: path.to_owned(),
                    line: index + 1,
                })?;
            recipients.insert(recipient.to_string(), recipient);
        }
        Ok(Self(recipients))
    }

    /// The list as a file.
    pub(super) fn text(&self) -> String {
        let mut text = String::from(
            "# Who can open federation.age: one age recipient a line.\n\
             # A new line counts from the next save on. Whoever is removed can still open\n\
             # the versions before, so what they knew must be replaced as well.\n",
        );
        for name in self.0.keys() {
            text.push_str(name);
            text.push('\n');
        }
        text
    }

    /// Whether this identity will open what is encrypted to the list.
    pub(super) fn contains(&self, identity: &Identity) -> bool {
        identity
            .all()
            .any(|one| self.0.contains_key(&one.to_public().to_string()))
    }

    pub(super) fn names(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &dyn age::Recipient> {
        self.0.values().map(|one| one as &dyn age::Recipient)
    }
}
