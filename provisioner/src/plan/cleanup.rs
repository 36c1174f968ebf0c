//! The job that removes images which no job has used for long.

use crate::inventory::Inventory;

use super::{FederationJob, ImageCleanupJob, Template};

const ID: &str = "image-cleanup";

/// The types of node (`meta.type`) to which images come with users' jobs.
const NODE_TYPES: &[&str] = &["compute", "batch", "tryme"];

/// The job, if the federation wants one.
pub(super) fn job(inventory: &Inventory) -> Option<FederationJob> {
    let federation = &inventory.federation;
    let cleanup = federation.image_cleanup.as_ref()?;
    let datacenters = inventory.sites.keys().cloned().collect();
    Some(FederationJob {
        id: ID,
        job: Template::ImageCleanupJob(ImageCleanupJob {
            job_id: ID,
            region: federation.name.clone(),
            datacenters,
            node_types: NODE_TYPES.join(","),
            image: cleanup.image.clone(),
            threshold: cleanup.threshold.clone(),
            keep: kept(inventory),
        }),
    })
}

/// Images that Atoll brings to hosts, which could not get them again by themselves.
fn kept(inventory: &Inventory) -> Vec<String> {
    let federation = &inventory.federation;
    let cleanup = federation
        .image_cleanup
        .iter()
        .map(|cleanup| cleanup.image.clone());
    let images = [federation.probe_image.clone()].into_iter().chain(cleanup);
    images
        .map(|image| format!("^{}$", escaped(&image)))
        .collect()
}

/// A text as a regular expression that matches it alone.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() && !matches!(c, '/' | ':' | '-' | '_' | '@') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
