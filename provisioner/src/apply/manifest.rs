//! What a run leaves on a host about itself (`/var/lib/atoll/manifest.json`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::apply::changes::{Change, What};
use crate::apply::script::text;
use crate::apply::wanted::Wanted;
use crate::artifacts::digest_of;
use crate::plan::Wave;

/// What runs have put in place, so that later ones know what is theirs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this format.
    pub format: u32,
    /// The run that wrote it.
    pub run: String,
    /// SHA-256 of each file of ours, by path.
    pub files: BTreeMap<String, String>,
    /// Docker images by reference.
    pub images: BTreeMap<String, ImageRecord>,
    /// Digest of what was last set through the APIs, on the host that keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<String>,
    /// When the first certificate among them is to be renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services_due: Option<String>,
}

impl Manifest {
    /// Whether what was last set through the APIs is what has this digest, and will do for now.
    pub fn services_will_do(&self, digest: &str, now: Timestamp) -> bool {
        let due = self
            .services_due
            .as_ref()
            .and_then(|due| due.parse::<Timestamp>().ok());
        self.services.as_deref() == Some(digest) && due.is_none_or(|due| now < due)
    }
}

/// A Docker image that was loaded from the artifact folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// SHA-256 of the file.
    pub digest: String,
    /// Image ID, without `sha256:`.
    pub id: String,
}

/// What a host will say of itself once a wave is kept.
pub fn manifest_after(
    before: &Manifest,
    run: &str,
    wave: Wave,
    changes: &[Change],
    wanted: &Wanted,
    images: &BTreeMap<String, String>,
) -> Manifest {
    let mut manifest = before.clone();
    manifest.format = 1;
    run.clone_into(&mut manifest.run);
    for file in wanted.files.iter().filter(|file| file.wave == wave) {
        if let Some(text) = text(file) {
            manifest
                .files
                .insert(file.path.clone(), digest_of(text.as_bytes()));
        }
    }
    for change in changes.iter().filter(|change| change.wave == wave) {
        if let What::RemoveFile(path) = &change.what {
            manifest.files.remove(path);
        }
    }
    if wave == Wave::Base {
        for image in &wanted.images {
            if let Some(id) = images.get(&image.reference) {
                let record = ImageRecord {
                    digest: image.artifact.digest.clone(),
                    id: id.clone(),
                };
                manifest.images.insert(image.reference.clone(), record);
            }
        }
    }
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_will_do_until_the_first_certificate_is_due() {
        let manifest = Manifest {
            services: Some("d".to_owned()),
            services_due: Some("2026-06-01T00:00:00Z".to_owned()),
            ..Manifest::default()
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert!(manifest.services_will_do("d", at("2026-05-31T23:59:59Z")));
        assert!(!manifest.services_will_do("d", at("2026-06-01T00:00:00Z")));
        assert!(!manifest.services_will_do("other", at("2026-05-31T23:59:59Z")));
        assert!(!Manifest::default().services_will_do("d", at("2026-05-31T23:59:59Z")));
    }
}
