//! The job that removes images which no job has used for long.

use std::collections::BTreeSet;

use crate::inventory::{Host, Inventory, Role};

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

/// The image that the job needs on a host, if that is one of its hosts. With the daemon's socket it
/// is as root there, so it is pinned: by its digest, and then Docker fetches it, or else by
/// `artifacts.lock`, as the other images that Atoll brings.
pub(super) fn image(inventory: &Inventory, host: &Host) -> Option<String> {
    let cleanup = inventory.federation.image_cleanup.as_ref()?;
    let is_brought = !host.has(Role::Gateway) && !cleanup.image.contains('@');
    is_brought.then(|| cleanup.image.clone())
}

/// Images that no user's job brings again: those of Atoll's own jobs, and those that try-me nodes
/// have beforehand. Nobody has used these yet, so they would go first.
fn kept(inventory: &Inventory) -> Vec<String> {
    let federation = &inventory.federation;
    let cleanup = federation
        .image_cleanup
        .iter()
        .map(|cleanup| cleanup.image.clone());
    let of_tryme = inventory.sites.values().flat_map(|site| &site.tryme.images);
    let images = [federation.probe_image.clone()].into_iter().chain(cleanup);
    // Several sites may want the same.
    let images: BTreeSet<_> = images.chain(of_tryme.cloned()).collect();
    images
        .into_iter()
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
