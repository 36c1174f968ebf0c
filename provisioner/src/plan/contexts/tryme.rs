//! What the templates see of what pulls the images of try-me nodes.

use serde::Serialize;

/// The script which pulls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImagePullScript {
    /// Docker's folder, whose file system must not become full.
    pub docker: &'static str,
    /// How much of that file system stays free, in percent.
    pub keep_free_percent: u8,
    /// The images, in the operator's order.
    pub images: Vec<String>,
}

/// `atoll-image-pull.service`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImagePullUnit {
    /// Docker's folder, which must be mounted.
    pub docker: &'static str,
}

/// `atoll-image-pull.timer`: the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImagePullTimer {}
