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
    /// The certificates in the variable by name, the default one first.
    pub certificates: Vec<String>,
    /// How Traefik gets certificates itself, if it does.
    pub acme: Option<Box<TraefikAcme>>,
}

/// How Traefik gets certificates itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraefikAcme {
    /// Where the ACME server tells of what expires.
    pub email: String,
    /// The provider of the DNS zone, by the name that lego gives it.
    pub dns_provider: String,
    /// Path of the Nomad variable of which each item is a variable of Traefik's environment:
    /// what the provider asks for.
    pub variable: String,
    /// The names for each of which, and for all names below it, there is a certificate.
    pub zones: Vec<String>,
}

/// `traefik.toml`, the static configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraefikStatic {
    /// Path of the Nomad variable with the token.
    pub variable: String,
    /// How Traefik gets certificates itself, if it does.
    pub acme: Option<Box<TraefikAcme>>,
}

/// `dynamic.toml`, the dynamic configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraefikDynamic {
    /// Path of the Nomad variable with the certificates.
    pub variable: String,
    /// The certificates in the variable by name, the default one first.
    pub certificates: Vec<String>,
    /// How Traefik gets certificates itself, if it does.
    pub acme: Option<Box<TraefikAcme>>,
}
