//! What the template of the job sees that removes unused images.

use federation::names::{DatacenterName, RegionName};
use serde::Serialize;

/// The Nomad job that removes images which no job has used for long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageCleanupJob {
    /// The job's ID.
    pub job_id: &'static str,
    /// The federation.
    pub region: RegionName,
    /// All datacenters.
    pub datacenters: Vec<DatacenterName>,
    /// The types of node that it runs on, joined by commas.
    pub node_types: String,
    /// The Docker image of the program that does it.
    pub image: String,
    /// How much images may take: `50 GB`, or `60%` of the file system.
    pub threshold: String,
    /// Regular expressions of images that stay.
    pub keep: Vec<String>,
}
