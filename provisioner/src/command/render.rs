//! `atoll render`: every file of every host, in a folder.

use std::path::Path;

use serde_json::json;

use crate::command::{Ended, Error};
use crate::inventory;
use crate::plan;
use crate::progress::{Format, show};
use crate::render::{self, Overrides};

pub(super) fn run(folder: &Path, out: &Path, format: Format) -> Result<Ended, Error> {
    let loaded = inventory::load(folder)?;
    let plan = plan::plan(&loaded.inventory);
    let rendered = render::render(&plan, &Overrides::read(&folder.join("templates"))?)?;
    let tree = render::tree(&plan, &rendered);
    render::write(&tree, out)?;
    match format {
        Format::Human => show(&format!(
            "{}: {} files for {} hosts\n",
            out.display(),
            tree.len(),
            plan.hosts.len()
        )),
        Format::Json => show(&format!(
            "{}\n",
            json!({ "out": out, "files": tree.len(), "hosts": plan.hosts.len() })
        )),
    }
    Ok(Ended::AsWanted)
}
