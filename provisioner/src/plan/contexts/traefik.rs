//! What the templates of Traefik's job and configurations see.

use federation::names::{DatacenterName, NodeName, RegionName};
use serde::Serialize;

/// The Nomad job of a gateway. It embeds the two configurations and so sees what they see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraefikJob {
    /// The job's ID, which is also its service's name in Consul.
    pub job_id: String,
    /// The federation.
    pub region: RegionName,
    /// The gateway's datacenter.
    pub datacenter: DatacenterName,
    /// The node it is pinned to.
    pub node: NodeName,
    /// The Docker image.
    pub image: String,
    /// Path of the Nomad variable with the token and the certificates.
    pub variable: String,
    /// The certificates by name, the default one first.
    pub certificates: Vec<String>,
}

/// `traefik.toml`, the static configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraefikStatic {
    /// Path of the Nomad variable with the token.
    pub variable: String,
}

/// `dynamic.toml`, the dynamic configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraefikDynamic {
    /// Path of the Nomad variable with the certificates.
    pub variable: String,
    /// The certificates by name, the default one first.
    pub certificates: Vec<String>,
}
