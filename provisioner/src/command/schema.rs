//! `atoll schema`: what an inventory's files and the documents that Atoll writes look like.

use serde_json::json;

use crate::cli::WhichDocument;
use crate::command::Ended;
use crate::documents::Written;
use crate::inventory::{Document, schema};
use crate::progress::show;

pub(super) fn run(document: Option<WhichDocument>) -> Ended {
    use WhichDocument as Which;
    let schema = match document {
        None => json!({ "anyOf": [schema(Document::Federation), schema(Document::Site)] }),
        Some(Which::Federation) => schema(Document::Federation),
        Some(Which::Site) => schema(Document::Site),
        Some(Which::Manifest) => Written::Manifest.schema(),
        Some(Which::Firewall) => Written::Firewall.schema(),
        Some(Which::Namespaces) => Written::Namespaces.schema(),
        Some(Which::Scheduler) => Written::Scheduler.schema(),
        Some(Which::Unlisted) => Written::Unlisted.schema(),
        Some(Which::Docker) => Written::Docker.schema(),
        Some(Which::HostState) => Written::HostState.schema(),
        Some(Which::Problem) => Written::Problem.schema(),
        Some(Which::Finding) => Written::Finding.schema(),
        Some(Which::Event) => Written::Event.schema(),
        Some(Which::Answer) => Written::Answer.schema(),
    };
    show(&format!("{schema:#}\n"));
    Ended::AsWanted
}
