//! What a run leaves on a host about itself (`/var/lib/atoll/manifest.json`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
}

/// A Docker image that was loaded from the artifact folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// SHA-256 of the file.
    pub digest: String,
    /// Image ID, without `sha256:`.
    pub id: String,
}
