//! `atoll schema`: what editors should know of an inventory's files.

use serde_json::json;

use crate::cli::WhichDocument;
use crate::command::Ended;
use crate::inventory::{Document, schema};
use crate::progress::show;

pub(super) fn run(document: Option<WhichDocument>) -> Ended {
    let schema = match document {
        Some(WhichDocument::Federation) => schema(Document::Federation),
        Some(WhichDocument::Site) => schema(Document::Site),
        None => json!({ "anyOf": [schema(Document::Federation), schema(Document::Site)] }),
    };
    show(&format!("{schema:#}\n"));
    Ended::AsWanted
}
